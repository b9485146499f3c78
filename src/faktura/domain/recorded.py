"""What another system said of a document, and what becomes of it here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from faktura.domain.invoice import Invoice
from faktura.domain.payment import Standing


class SourceKind(StrEnum):
    """In what kind of answer a document was heard of."""

    LIST = "list"
    SINGLE = "single"
    LINES = "lines"
    """Rows of a line-item file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A document as a source gave it. Ids that the source does not give are 0 in `invoice`."""

    invoice: Invoice
    standing: Standing
    kind: SourceKind
    body: bytes
    """The source's own bytes, kept unchanged."""
    seen_at_us: int = 0


class Outcome(StrEnum):
    """What a heard document did to the ledger."""

    NEW = "new"
    UNCHANGED = "unchanged"
    ENRICHED = "enriched"
    """Terms that were unknown are known now."""
    OBSERVED = "observed"
    """Paid and open amounts, or payments, differ from what was seen before."""
    CONFLICT = "conflict"
    """It contradicts what is kept; both are kept, the first stays in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One term that a source now says otherwise."""

    term: str
    kept: str
    heard: str

    def __str__(self) -> str:
        return f"{self.term} was {self.kept}, now {self.heard}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The outcome for one heard document."""

    outcome: Outcome
    invoice_id: int
    number: str
    differences: tuple[Difference, ...] = ()
