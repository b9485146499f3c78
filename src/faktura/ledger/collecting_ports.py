"""What the ledger needs of storage to know how far a source was collected, and what it changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from faktura.domain.invoice import TypeCode
from faktura.domain.recorded import Difference, SourceKind


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedDocument:
    """A document that a source gave, by its ids and its place in the account's list."""

    invoice_id: int
    wire_id: int
    """The source's own id."""
    ordinal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedNumber:
    """A document's number, and what tells it from others."""

    number: str
    type_code: TypeCode | None
    issue_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Double:
    """A number that more than one document of an account and a type bears."""

    account: str
    """The account's reference."""
    number: str
    type_code: TypeCode | None
    count: int
    last_invoice_id: int
    """The newest of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """A source's word that differs from what the ledger keeps, with both sides as they were said."""

    account_id: int
    account: str
    """The account's reference."""
    invoice_id: int
    number: str
    source_id: int
    kind: SourceKind
    seen_at_us: int
    recorded_at_us: int
    differences: tuple[Difference, ...]
    kept_body: bytes
    """The source's first word of the same kind, or else its first: what is in force."""
    heard_body: bytes


class CollectedStore(Protocol):
    """How far a source was collected."""

    def count(self, account_id: int) -> int: ...
    def absent(self, account_id: int) -> list[CollectedDocument]: ...
    def due(self, account_id: int) -> list[CollectedDocument]: ...
    def without_single(self, account_id: int, *, before: int, limit: int) -> list[CollectedDocument]: ...
    def without_single_count(self, account_id: int) -> int: ...
    def all(self, account_id: int, *, before_us: int) -> Iterable[CollectedDocument]: ...
    def numbers(self, account_id: int) -> Iterable[CollectedNumber]: ...
    def doubles(self, account_id: int) -> list[Double]: ...
    def contradicted_count(self, provider_id: int) -> int: ...
    def contradictions(self, provider_id: int, *, since_us: int) -> Iterable[Contradiction]: ...
