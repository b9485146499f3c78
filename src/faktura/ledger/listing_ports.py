"""What the ledger needs of storage for lists: standings as rows, and the reads of the HTTP edge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from faktura.domain.provider import Token

ListKey = tuple[int, int]
"""What lists are ordered by: (created_at_us, wire_id)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingRow:
    """A document's standing as it is stored."""

    account_id: int
    invoice_id: int
    ordinal: int | None
    created_at_us: int
    wire_id: int
    number_folded: str
    """The number case-folded: what a search looks in."""
    paid_minor: int | None
    due_minor: int | None
    dialect_version: int
    item: bytes
    single: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedPage:
    """What a token may see: rendered documents, newest first. Rows may be stale: `version` tells."""

    provider_id: int
    account_id: int
    revision: int
    total: int
    rows: Sequence[tuple[int, bytes, int]]
    """(dialect version, rendered bytes, invoice id)."""


class ListingStore(Protocol):
    """Standings: what is paid and due, the order of the list, and the rendered forms."""

    def insert(self, rows: Sequence[ListingRow]) -> None: ...
    def refresh(self, row: ListingRow) -> None: ...
    def key_at(self, account_id: int, ordinal: int) -> ListKey | None: ...
    def keys_at(self, places: Iterable[tuple[int, int]]) -> dict[int, ListKey]: ...
    def first_after(self, account_id: int, key: ListKey) -> int | None: ...
    def rekey(self, account_id: int, invoice_id: int, created_at_us: int) -> None: ...
    def renumber(self, account_id: int, *, first_ordinal: int, from_key: ListKey, to_key: ListKey, is_fresh: bool) -> None: ...
    def stale(self, provider_id: int, *, dialect_version: int, limit: int) -> list[tuple[int, int]]: ...
    def stale_count(self, provider_id: int, *, dialect_version: int) -> int: ...


class ServingStore(Protocol):
    """Single-statement reads for the HTTP edge. They start from a token's hash, so no caller passes an account."""

    def owner_of_token(self, token_hash: bytes) -> tuple[int, int] | None: ...
    def manager(self, token_hash: bytes, *, now_us: int) -> Token | None: ...
    def page(self, token_hash: bytes, *, now_us: int, skip: int, size: int) -> ServedPage | None: ...
    def search(self, token_hash: bytes, *, now_us: int, text: str, skip: int, size: int) -> ServedPage | None: ...
    def single(self, token_hash: bytes, *, now_us: int, wire_id: int) -> ServedPage | None: ...
