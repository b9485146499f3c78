"""Standings and the reads of the HTTP edge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter

from faktura.domain.provider import Token
from faktura.ledger.listing_ports import ListingRow, ListKey, ServedPage
from faktura.storage.driver import Driver
from faktura.storage.rows import flat_values, to_token

_SKIP_MAX = 2**53
"""A page deeper than any list: keeps the arithmetic inside BIGINT."""


class ListingRows:
    """See `faktura.ledger.ports.ListingStore`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def insert(self, rows: Sequence[ListingRow]) -> None:
        """Write standings of new documents."""
        self._driver.many("listing_insert", map(flat_values, rows))

    def refresh(self, row: ListingRow) -> None:
        """Write a document's new standing; its place stays."""
        self._driver.run(
            "listing_refresh",
            account_id=row.account_id,
            invoice_id=row.invoice_id,
            paid_minor=row.paid_minor,
            due_minor=row.due_minor,
            dialect_version=row.dialect_version,
            item=row.item,
            single=row.single,
        )

    def key_at(self, account_id: int, ordinal: int) -> ListKey | None:
        """What stands at an ordinal."""
        row = self._driver.one("listing_at", account_id=account_id, ordinal=ordinal)
        return None if row is None else (row["created_at_us"], row["wire_id"])

    def keys_at(self, places: Iterable[tuple[int, int]]) -> dict[int, ListKey]:
        """What stands in accounts' lists at an ordinal each: (account, ordinal)."""
        rows = self._driver.each("listing_at", [{"account_id": account_id, "ordinal": ordinal} for account_id, ordinal in places])
        return {row["account_id"]: (row["created_at_us"], row["wire_id"]) for row in rows}

    def first_after(self, account_id: int, key: ListKey) -> int | None:
        """The ordinal of the oldest listed document that is newer than a key."""
        row = self._driver.one("listing_first_after", account_id=account_id, created_at_us=key[0], wire_id=key[1])
        return None if row is None else row["ordinal"]

    def rekey(self, account_id: int, invoice_id: int, created_at_us: int) -> None:
        """Change by what a document is ordered; renumber afterwards."""
        self._driver.run("listing_rekey", account_id=account_id, invoice_id=invoice_id, created_at_us=created_at_us)

    def renumber(self, account_id: int, *, first_ordinal: int, from_key: ListKey, to_key: ListKey, is_fresh: bool) -> None:
        """Give the listed documents between two keys dense ordinals from `first_ordinal` on, in list order.

        `is_fresh` says that no document has any of those ordinals now; then one pass is enough.
        """
        self._driver.run(
            "listing_renumber",
            account_id=account_id,
            first_ordinal=first_ordinal,
            from_us=from_key[0],
            from_wire_id=from_key[1],
            to_us=to_key[0],
            to_wire_id=to_key[1],
            sign=1 if is_fresh else -1,
        )
        if not is_fresh:
            self._driver.run("listing_unpark", account_id=account_id)

    def stale(self, provider_id: int, *, dialect_version: int, limit: int) -> list[tuple[int, int]]:
        """(account, document) of standings that an older dialect version rendered."""
        rows = self._driver.all("stale_listings", provider_id=provider_id, dialect_version=dialect_version, limit=limit)
        return [(row["account_id"], row["invoice_id"]) for row in rows]

    def stale_count(self, provider_id: int, *, dialect_version: int) -> int:
        """How many there are."""
        row = self._driver.one("stale_listings_count", provider_id=provider_id, dialect_version=dialect_version)
        return 0 if row is None else int(row["documents"])


class ServingRows:
    """See `faktura.ledger.ports.ServingStore`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def owner_of_token(self, token_hash: bytes) -> tuple[int, int] | None:
        """Which provider and account a token belongs to, whatever has become of it."""
        row = self._driver.one("token_owner", token_hash=token_hash)
        return None if row is None else (row[0], row[1])

    def manager(self, token_hash: bytes, *, now_us: int) -> Token | None:
        """The token, if it is good and acts for a provider."""
        row = self._driver.one("serve_manager", token_hash=token_hash, now_us=now_us)
        return None if row is None else to_token(row)

    def page(self, token_hash: bytes, *, now_us: int, skip: int, size: int) -> ServedPage | None:
        """So many documents after the newest `skip`, and the exact total; None without a valid token."""
        rows = self._driver.all("serve_list", token_hash=token_hash, now_us=now_us, skip=min(skip, _SKIP_MAX), size=size)
        if not rows:
            return None
        provider_id, account_id, first_ordinal, last_ordinal, revision = rows[0][:5]
        return ServedPage(
            provider_id=provider_id,
            account_id=account_id,
            revision=revision,
            total=last_ordinal - first_ordinal + 1,
            rows=[(row[5], row[6], row[7]) for row in sorted(rows, key=itemgetter(8), reverse=True)] if rows[0][8] is not None else [],
        )

    def search(self, token_hash: bytes, *, now_us: int, text: str, skip: int, size: int) -> ServedPage | None:
        """Documents whose number contains the text, in any case; LIKE's own signs are only themselves."""
        pattern = "%" + "".join(f"\\{sign}" if sign in "%_\\" else sign for sign in text.casefold()) + "%"
        rows = self._driver.all("serve_search", token_hash=token_hash, now_us=now_us, pattern=pattern, skip=min(skip, _SKIP_MAX), size=size)
        if not rows:
            return None
        provider_id, account_id, revision = rows[0][:3]
        return ServedPage(
            provider_id=provider_id,
            account_id=account_id,
            revision=revision,
            total=rows[0][6] or 0,
            rows=[(row[3], row[4], row[5]) for row in rows if row[5] is not None],
        )

    def single(self, token_hash: bytes, *, now_us: int, wire_id: int) -> ServedPage | None:
        """The account's listed document of that wire id, if there is one; None without a valid token."""
        rows = self._driver.all("serve_single", token_hash=token_hash, now_us=now_us, wire_id=wire_id)
        if not rows:
            return None
        provider_id, account_id, revision, version, single, invoice_id = rows[0]
        found = [] if invoice_id is None or single is None else [(version, single, invoice_id)]
        return ServedPage(provider_id=provider_id, account_id=account_id, revision=revision, total=len(found), rows=found)
