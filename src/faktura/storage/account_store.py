"""Accounts and their tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from faktura.domain.party import Party
from faktura.domain.provider import Account, Token
from faktura.storage.driver import Driver
from faktura.storage.rows import party_text, to_account, to_token


class AccountRows:
    """See `faktura.ledger.ports.AccountStore`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def insert_all(self, accounts: Iterable[Account], *, created_at_us: int) -> None:
        """Write new accounts and their names."""
        written = list(accounts)
        self._driver.many("account_reference_insert", [(account.provider_id, account.reference, account.id) for account in written])
        rows = [
            (account.id, account.provider_id, account.reference, party_text(account.buyer), account.first_ordinal, account.last_ordinal, created_at_us)
            for account in written
        ]
        self._driver.many("account_insert", rows)

    def find(self, provider_id: int, reference: str) -> Account | None:
        """The account of that name at a provider."""
        row = self._driver.one("account_reference_find", provider_id=provider_id, reference=reference)
        return None if row is None else self.get(row["account_id"])

    def find_all(self, provider_id: int, references: Iterable[str]) -> dict[str, int]:
        """The ids of the provider's accounts of these names, by name; those that there are."""
        rows = self._driver.each("account_reference_find", [{"provider_id": provider_id, "reference": reference} for reference in references])
        return {row["reference"]: row["account_id"] for row in rows}

    def get_all(self, account_ids: Iterable[int]) -> dict[int, Account]:
        """The accounts of these ids."""
        rows = self._driver.each("account_get", [{"account_id": account_id} for account_id in account_ids])
        return {row["account_id"]: to_account(row) for row in rows}

    def lock_all(self, account_ids: Iterable[int]) -> dict[int, Account]:
        """Lock accounts until the transaction ends, in ascending order; those that there are."""
        rows = self._driver.each("account_lock", [{"account_id": account_id} for account_id in sorted(account_ids)])
        return {row["account_id"]: to_account(row) for row in rows}

    def get(self, account_id: int) -> Account | None:
        """The account of that id."""
        row = self._driver.one("account_get", account_id=account_id)
        return None if row is None else to_account(row)

    def lock(self, account_id: int) -> Account | None:
        """Lock the account until the transaction ends. Lock accounts in ascending order."""
        row = self._driver.one("account_lock", account_id=account_id)
        return None if row is None else to_account(row)

    def revise(self, account_id: int) -> None:
        """Count the account's revision up: what its API shows has changed."""
        self._driver.run("account_revise", account_id=account_id)

    def all(self, provider_id: int) -> list[Account]:
        """The provider's accounts, oldest first."""
        return [to_account(row) for row in self._driver.all("account_all", provider_id=provider_id)]

    def page(self, provider_id: int, *, after: int, limit: int) -> list[Account]:
        """The provider's accounts after an id, oldest first."""
        return [to_account(row) for row in self._driver.all("account_page", provider_id=provider_id, after=after, limit=limit)]

    def set_buyer(self, account_id: int, buyer: Party | None) -> None:
        """Change who buys; documents issued before keep what they show."""
        self._driver.run("account_set_buyer", account_id=account_id, buyer=party_text(buyer))

    def set_ends(self, account_id: int, *, first_ordinal: int, last_ordinal: int) -> None:
        """Say where the account's list now begins and ends; counts its revision up."""
        self.set_ends_all([(account_id, first_ordinal, last_ordinal)])

    def set_ends_all(self, ends: Iterable[tuple[int, int, int]]) -> None:
        """The same for several: (account, first and last ordinal)."""
        self._driver.many("account_set_ends", [(first, last, account_id) for account_id, first, last in ends])

    def insert_token(self, token: Token, *, token_hash: bytes) -> None:
        """Write a token under its hash."""
        self._driver.run(
            "token_insert",
            token_hash=token_hash,
            token_id=token.id,
            provider_id=token.provider_id,
            account_id=token.account_id,
            label=token.label,
            hint=token.hint,
            scopes=" ".join(token.scopes),
            created_at_us=token.created_at_us,
            expires_at_us=token.expires_at_us,
        )

    def tokens(self, provider_id: int) -> list[Token]:
        """The provider's tokens, its accounts' too, oldest first."""
        return [to_token(row) for row in self._driver.all("token_all", provider_id=provider_id)]

    def token_page(self, provider_id: int, *, after: int, limit: int) -> list[Token]:
        """The provider's tokens after an id, oldest first."""
        return [to_token(row) for row in self._driver.all("token_page", provider_id=provider_id, after=after, limit=limit)]

    def token(self, provider_id: int, token_id: int) -> Token | None:
        """The provider's token of that id."""
        row = self._driver.one("token_get", provider_id=provider_id, token_id=token_id)
        return None if row is None else to_token(row)

    def revoke_token(self, token_id: int, *, revoked_at_us: int) -> bool:
        """Revoke a token; False when it was revoked before, or never was."""
        return self._driver.one("token_revoke", token_id=token_id, revoked_at_us=revoked_at_us) is not None

    def token_exists(self, token_id: int) -> bool:
        """Whether there ever was such a token."""
        return self._driver.one("token_exists", token_id=token_id) is not None

    def tokens_used(self, used: Mapping[bytes, int]) -> None:
        """Keep when tokens were last used: hash -> instant; the later one stays. In the order of the hashes, so that two servers never wait for each other."""
        self._driver.many("token_used", ({"token_hash": token_hash, "last_used_at_us": at_us} for token_hash, at_us in sorted(used.items())))
