"""What another system said of a document, and what becomes of it here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from faktura.domain.invoice import Invoice, InvoiceLine
from faktura.domain.payment import Standing
from faktura.domain.vat import VatBreakdown


class SourceKind(StrEnum):
    """In what kind of answer a document was heard of."""

    LIST = "list"
    SINGLE = "single"
    LINES = "lines"
    """Rows of a line-item file."""
    DOCUMENT = "document"
    """An e-invoice: the file that was received, XML or PDF."""
    ABSENT = "absent"
    """An answer that no longer had the document: what is kept with it is the proof."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A document as a source gave it. Ids that the source does not give are 0 in `invoice`."""

    invoice: Invoice
    standing: Standing
    kind: SourceKind
    body: bytes
    """The source's own bytes, kept unchanged."""
    seen_at_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One term that a source now says otherwise."""

    term: str
    kept: str
    heard: str

    def __str__(self) -> str:
        if self.term == "presence":
            return f"{'gone: its source does not show it any more' if self.heard == 'absent' else 'back: its source shows it again'}"
        return f"{self.term} was {self.kept}, now {self.heard}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceWord:
    """What the ledger wrote down of one answer about one document: what the journal's digest of it covers."""

    kind: SourceKind
    seen_at_us: int
    digest: bytes
    """SHA-256 of the source's own bytes."""
    observed: Standing | None = None
    """Paid and open amounts, where it said any that were new."""
    added: tuple[tuple[str, str], ...] = ()
    """(term, value as JSON) that were unknown before, by term."""
    lines: tuple[InvoiceLine, ...] | None = None
    vat_breakdown: tuple[VatBreakdown, ...] | None = None
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSource:
    """Where something was heard before."""

    kind: SourceKind
    digest: bytes
    seen_at_us: int
    contradicts: bool
    """It said otherwise than what is kept: that is told every time it is heard."""
    is_other: bool
    """It contradicts what tells a document from others, and may be of another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWord:
    """The word by which a document came to be known, and where it is kept."""

    word: SourceWord
    body: bytes
    account_id: int
    invoice_id: int
    source_id: int


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
class Change:
    """The outcome for one heard document."""

    outcome: Outcome
    invoice_id: int
    number: str
    differences: tuple[Difference, ...] = ()
    is_written: bool = True
    """Something was written down; otherwise all of it had been heard before."""
