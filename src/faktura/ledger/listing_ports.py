"""What the ledger needs of storage for lists: standings as rows, and the reads of the HTTP edge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from faktura.domain.provider import Token
from faktura.ledger.file_ports import ServedFile

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


_T = TypeVar("_T")


class Ask(NamedTuple, Generic[_T]):
    """A single statement that reads, and what its rows mean: asked for by whoever can wait, in whatever way that is."""

    name: str
    parameters: dict[str, Any]
    read: Callable[[Sequence[Any]], _T]


class ServedItems(NamedTuple):
    """A page of the list as one text."""

    account_id: int
    revision: int
    """How often what the account sees has changed."""
    total: int
    items: bytes | None
    """Rendered documents, newest first, joined by commas; None where there is none. A zero byte stands for one that another release rendered."""


class ListingStore(Protocol):
    """Standings: what is paid and due, the order of the list, and the rendered forms."""

    def insert(self, rows: Sequence[ListingRow]) -> None: ...
    def refresh(self, row: ListingRow) -> None: ...
    def key_at(self, account_id: int, ordinal: int) -> ListKey | None: ...
    def keys_at(self, places: Iterable[tuple[int, int]]) -> dict[int, ListKey]: ...
    def first_after(self, account_id: int, key: ListKey) -> int | None: ...
    def rekey(self, account_id: int, invoice_id: int, created_at_us: int) -> None: ...
    def numbers(self, account_id: int) -> list[tuple[ListKey, str]]: ...
    def insert_parts(self, account_id: int, parts: Sequence[tuple[str, ListKey]]) -> None: ...
    def rekey_parts(self, account_id: int, parts: Sequence[str], *, key: ListKey) -> None: ...
    def part_count(self, account_id: int) -> int: ...
    def audit_parts(self, account_id: int) -> tuple[int, int]: ...
    def renumber(self, account_id: int, *, first_ordinal: int, from_key: ListKey, to_key: ListKey, is_fresh: bool) -> None: ...
    def stale(self, provider_id: int, *, dialect_version: int, limit: int) -> list[tuple[int, int]]: ...
    def stale_count(self, provider_id: int, *, dialect_version: int) -> int: ...


class ServingStore(Protocol):
    """Single-statement reads for the HTTP edge. They start from a token's hash, so no caller passes an account."""

    def owner_of_token(self, token_hash: bytes) -> tuple[int, int] | None: ...
    def manager(self, token_hash: bytes, *, now_us: int) -> Token | None: ...
    def ask_owner(self, token_hash: bytes, *, now_us: int) -> Ask[tuple[int, int] | None]: ...
    def ask_items(self, token_hash: bytes, *, now_us: int, skip: int, size: int, dialect_version: int) -> Ask[ServedItems | None]: ...
    def ask_single(self, token_hash: bytes, *, now_us: int, wire_id: int) -> Ask[ServedPage | None]: ...
    def ask_file(self, token_hash: bytes, *, now_us: int, wire_id: int, form: str) -> Ask[ServedFile | None]: ...
    def page(self, token_hash: bytes, *, now_us: int, skip: int, size: int) -> ServedPage | None: ...
    def search(self, token_hash: bytes, *, now_us: int, text: str, skip: int, size: int) -> ServedPage | None: ...
    def single(self, token_hash: bytes, *, now_us: int, wire_id: int) -> ServedPage | None: ...
