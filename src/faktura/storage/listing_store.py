"""Standings and the reads of the HTTP edge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter

from faktura.domain.provider import Token
from faktura.ledger.file_ports import ServedFile
from faktura.ledger.listing_ports import Ask, ListingRow, ListKey, ServedItems, ServedPage
from faktura.storage.driver import Driver, Row
from faktura.storage.rows import flat_values, to_token
from faktura.storage.searching import SearchTotals, search

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

    def numbers(self, account_id: int) -> list[tuple[ListKey, str]]:
        """Keys and case-folded numbers of all listed documents, in list order."""
        rows = self._driver.all("listing_numbers", account_id=account_id)
        return [((row["created_at_us"], row["wire_id"]), row["number_folded"]) for row in rows]

    def insert_parts(self, account_id: int, parts: Sequence[tuple[str, ListKey]]) -> None:
        """Write parts of numbers, each with the key of its document; in the order of the parts they are quickest."""
        rows = [{"account_id": account_id, "part": part, "created_at_us": created_at_us, "wire_id": wire_id} for part, (created_at_us, wire_id) in parts]
        if rows:
            self._driver.many("number_part_insert", rows)

    def rekey_parts(self, account_id: int, parts: Sequence[str], *, key: ListKey) -> None:
        """Change by what a document is ordered in its parts, if it has any."""
        rows = [{"account_id": account_id, "part": part, "created_at_us": key[0], "wire_id": key[1]} for part in parts]
        if rows:
            self._driver.many("number_part_rekey", rows)

    def part_count(self, account_id: int) -> int:
        """How many parts an account has."""
        row = self._driver.one("number_part_count", account_id=account_id)
        return 0 if row is None else int(row["parts"])

    def audit_parts(self, account_id: int) -> tuple[int, int]:
        """How many parts an account's numbers make, and how many of those that it has are such parts."""
        row = self._driver.one("number_part_audit", account_id=account_id)
        return (0, 0) if row is None else (row["made"], row["fitting"])

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

    def __init__(self, driver: Driver, totals: SearchTotals) -> None:
        self._driver = driver
        self._totals = totals

    def owner_of_token(self, token_hash: bytes) -> tuple[int, int] | None:
        """Which provider and account a token belongs to, whatever has become of it."""
        row = self._driver.one("token_owner", token_hash=token_hash)
        return None if row is None else (row[0], row[1])

    def manager(self, token_hash: bytes, *, now_us: int) -> Token | None:
        """The token, if it is good and acts for a provider."""
        row = self._driver.one("serve_manager", token_hash=token_hash, now_us=now_us)
        return None if row is None else to_token(row)

    def ask_owner(self, token_hash: bytes, *, now_us: int) -> Ask[tuple[int, int] | None]:
        """The account of a token, and its revision; None without a valid token."""
        return Ask("serve_owner", {"token_hash": token_hash, "now_us": now_us}, _to_owner)

    def ask_items(self, token_hash: bytes, *, now_us: int, skip: int, size: int, dialect_version: int) -> Ask[ServedItems | None]:
        """So many documents after the newest `skip`, as one text, and the exact total; None without a valid token."""
        given = {"token_hash": token_hash, "now_us": now_us, "skip": min(skip, _SKIP_MAX), "size": size, "dialect_version": dialect_version}
        return Ask("serve_page", given, _to_items)

    def page(self, token_hash: bytes, *, now_us: int, skip: int, size: int) -> ServedPage | None:
        """The same, a document each, whatever release rendered it."""
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
        return search(self._driver, self._totals, token_hash, now_us=now_us, text=text, skip=min(skip, _SKIP_MAX), size=size)

    def single(self, token_hash: bytes, *, now_us: int, wire_id: int) -> ServedPage | None:
        """The account's listed document of that wire id, if there is one; None without a valid token."""
        ask = self.ask_single(token_hash, now_us=now_us, wire_id=wire_id)
        return ask.read(self._driver.all(ask.name, **ask.parameters))

    def ask_single(self, token_hash: bytes, *, now_us: int, wire_id: int) -> Ask[ServedPage | None]:
        """The same, for whoever waits elsewhere."""
        return Ask("serve_single", {"token_hash": token_hash, "now_us": now_us, "wire_id": wire_id}, _to_single)

    def ask_file(self, token_hash: bytes, *, now_us: int, wire_id: int, form: str) -> Ask[ServedFile | None]:
        """The account's listed document of that wire id, and the bytes that are kept of its file; None without a valid token."""
        return Ask("serve_file", {"token_hash": token_hash, "now_us": now_us, "wire_id": wire_id, "form": form}, _to_served_file)


def _to_served_file(rows: Sequence[Row]) -> ServedFile | None:
    if not rows:
        return None
    provider_id, account_id, invoice_id, number, sha256, body = rows[0]
    return ServedFile(
        provider_id=provider_id,
        account_id=account_id,
        invoice_id=invoice_id,
        number=number or "",
        sha256=None if body is None else bytes(sha256),
        body=None if body is None else bytes(body),
    )


def _to_owner(rows: Sequence[Row]) -> tuple[int, int] | None:
    return (rows[0][0], rows[0][1]) if rows else None


def _to_items(rows: Sequence[Row]) -> ServedItems | None:
    return ServedItems(*rows[0]) if rows else None


def _to_single(rows: Sequence[Row]) -> ServedPage | None:
    if not rows:
        return None
    provider_id, account_id, revision, version, single, invoice_id = rows[0]
    found = [] if invoice_id is None or single is None else [(version, single, invoice_id)]
    return ServedPage(provider_id=provider_id, account_id=account_id, revision=revision, total=len(found), rows=found)
