"""What a source says now against what the ledger keeps of it: enrichment, observation or conflict."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from faktura.domain.calendar import to_datetime
from faktura.domain.invoice import Invoice, InvoiceLine, Period
from faktura.domain.money import Currency, canonical
from faktura.domain.party import Party, is_same_by_id, is_same_name
from faktura.domain.payment import Standing
from faktura.domain.recorded import Difference, Heard, KnownSource, Outcome, SourceKind
from faktura.domain.vat import VatBreakdown

_TERMS = (
    "number issue_date currency price_basis line_total_minor allowance_total_minor charge_total_minor "
    "total_without_vat_minor vat_total_minor total_with_vat_minor vat_rate order_ids seller buyer due_date period note"
).split()
"""Facts: what a source may add to when it was unknown, and must not change once it was said."""

_LINES_SHOWN_MAX = 20
PRESENCE, LISTED, ABSENT = "presence", "listed", "absent"
"""The term, and its two values, of a document that its source no longer shows, or shows again."""
SELLER = "seller"
"""The term, where the whole seller is another one; what differs of one seller is told field by field."""
_IDENTITY = {"number", "type_code", "total_with_vat", SELLER}
"""Whoever contradicts one of these may be speaking of another document. The statements `source_of_invoice` and `source_original` know them, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What to do about a heard document that is known already."""

    enriched: Invoice
    """The known document with what was added."""
    terms: tuple[str, ...] = ()
    """Names of the added terms."""
    observed: bool = False
    """It speaks of paid or open amounts, or payments."""
    changes_standing: bool = False
    """They differ from those in force, and nothing newer was seen."""
    moved: bool = False
    """Its creation instant, by which lists are ordered, was corrected."""
    differences: tuple[Difference, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The gravest of what was found."""
        if self.differences:
            return Outcome.CONFLICT
        if self.terms:
            return Outcome.ENRICHED
        return Outcome.OBSERVED if self.changes_standing else Outcome.UNCHANGED


def compare(known: Invoice, standing: Standing, heard: Heard, *, sources: list[KnownSource]) -> Comparison:
    """Set a heard document against the known one and its standing. Pure: nothing is written."""
    seen_at_us = max((source.seen_at_us for source in sources), default=0)
    added: dict[str, object] = {}
    differences = [] if _type(heard.invoice) in {None, _type(known)} else [_difference(known, "type_code", _type(known), _type(heard.invoice))]
    for term in _TERMS:
        before, now = getattr(known, term), getattr(heard.invoice, term)
        if now is None or before == now:
            continue
        if before is None:
            added[term] = now
        else:
            differences += _differences(known, term, before, now)
    differences += _other_seller(known.seller, heard.invoice.seller)
    if is_absent(sources, seen_at_us=heard.seen_at_us):
        differences.append(Difference(term=PRESENCE, kept=ABSENT, heard=LISTED))
    _compare_parts(known, heard.invoice, added, differences)
    differences += _other_original(heard, sources)
    moved = _corrects_created(known, heard, sources)
    if moved:
        added["created_at_us"] = heard.invoice.created_at_us
    elif _contradicts_created(known, heard, sources):
        before, now = (f"{to_datetime(item.created_at_us).isoformat()}" for item in (known, heard.invoice))
        differences.append(_difference(known, "created_at", before, now))
    if {difference.term for difference in differences} & _IDENTITY:
        # This may be another document altogether: it neither adds to this one nor pays it.
        return Comparison(enriched=known, differences=tuple(differences))
    return Comparison(
        enriched=replace(known, **added),  # type: ignore[arg-type]
        terms=tuple(added),
        observed=heard.standing != Standing(),
        changes_standing=_says_more(standing, heard.standing) and heard.seen_at_us >= seen_at_us,
        moved=moved,
        differences=tuple(differences),
    )


def is_absent(sources: list[KnownSource], *, seen_at_us: int) -> bool:
    """Whether its source, when it was last asked before an instant, did not show the document any more; never where it was asked after that instant."""
    last = max(sources, key=lambda source: source.seen_at_us, default=None)
    return last is not None and last.kind is SourceKind.ABSENT and last.seen_at_us < seen_at_us


def _other_seller(kept: Party | None, heard: Party | None) -> list[Difference]:
    """Two sellers may give one number. Without an identifier that both name, they are two if their names are."""
    if kept is None or heard is None:
        return []
    is_same = is_same_by_id(kept, heard)
    if is_same or (is_same is None and is_same_name(kept, heard)):
        return []
    return [Difference(term=SELLER, kept=_who(kept), heard=_who(heard))]


def _who(party: Party) -> str:
    ids = ", ".join(filter(None, (party.vat_id, party.registration_id, party.tax_number)))
    return f"{party.name} ({ids or 'no identifier'})"


def _other_original(heard: Heard, sources: list[KnownSource]) -> list[Difference]:
    """A document is one file: where another came first under its number, that one is the original."""
    first = next((source.digest for source in sources if source.kind is SourceKind.DOCUMENT and not source.is_other), None)
    if heard.kind is not SourceKind.DOCUMENT or first is None:
        return []
    digest = hashlib.sha256(heard.body).digest()
    return [] if digest == first else [Difference(term="original", kept=f"sha256 {first.hex()}", heard=f"sha256 {digest.hex()}")]


def _compare_parts(known: Invoice, heard: Invoice, added: dict[str, object], differences: list[Difference]) -> None:
    if heard.lines is not None:
        if known.lines is None:
            added["lines"] = heard.lines
        elif _said(known.lines) != _said(heard.lines):
            differences.append(Difference(term="lines", kept=_lines_text(known.lines), heard=_lines_text(heard.lines)))
    if heard.vat_breakdown:
        if not known.vat_breakdown:
            added["vat_breakdown"] = heard.vat_breakdown
        elif set(known.vat_breakdown) != set(heard.vat_breakdown):
            kept, said = (_breakdown_text(item.vat_breakdown, known.currency) for item in (known, heard))
            differences.append(Difference(term="vat_breakdown", kept=kept, heard=said))


def _corrects_created(known: Invoice, heard: Heard, sources: list[KnownSource]) -> bool:
    """Lists and single answers may give two instants of one day; the list's is in force, whichever came first."""
    return (
        heard.invoice.created_at_us != known.created_at_us
        and heard.invoice.issue_date == known.issue_date
        and heard.kind is SourceKind.LIST
        and all(source.kind is not SourceKind.LIST for source in sources)
    )


def _contradicts_created(known: Invoice, heard: Heard, sources: list[KnownSource]) -> bool:
    """A single answer may differ from a list within the day; a list from an earlier list, or rows from rows, may not."""
    if heard.invoice.created_at_us == known.created_at_us or heard.invoice.issue_date != known.issue_date:
        return False
    kinds = {source.kind for source in sources}
    return heard.kind in kinds and not (heard.kind is SourceKind.SINGLE and SourceKind.LIST in kinds)


def _says_more(before: Standing, now: Standing) -> bool:
    names = ("paid_minor", "due_minor", "settlements")
    return any(getattr(now, name) is not None and getattr(now, name) != getattr(before, name) for name in names)


def _type(invoice: Invoice) -> str | None:
    """The document's type, also where only its source knows what it is."""
    return invoice.type_code.label if invoice.type_code else invoice.source_type


def _said(lines: tuple[InvoiceLine, ...]) -> Counter[InvoiceLine]:
    """What a source says in lines: rows of a file may come in any order, and net amounts of gross prices depend on it."""
    return Counter(replace(line, net_amount_minor=None) for line in lines)


def _differences(known: Invoice, term: str, before: object, now: object) -> Iterator[Difference]:
    """Of parties and periods each field by itself."""
    if not isinstance(before, (Party, Period)):
        yield _difference(known, term, before, now)
        return
    for name in (field.name for field in fields(before)):
        kept, heard = getattr(before, name), getattr(now, name)
        if kept != heard:
            yield _difference(known, f"{term}.{name}", "unknown" if kept is None else kept, "unknown" if heard is None else heard)


def _difference(known: Invoice, term: str, before: object, now: object) -> Difference:
    if term.endswith("_minor") and isinstance(before, int) and isinstance(now, int):
        return Difference(term=term.removesuffix("_minor"), kept=known.currency.format(before), heard=known.currency.format(now))
    return Difference(term=term, kept=_shown(before), heard=_shown(now))


def _shown(value: object) -> str:
    return value.code if isinstance(value, Currency) else str(value)


def _breakdown_text(groups: tuple[VatBreakdown, ...], currency: Currency) -> str:
    return "; ".join(
        f"{canonical(group.rate)} % of {'unknown' if group.taxable_amount_minor is None else currency.format(group.taxable_amount_minor)}" for group in groups
    )


def _lines_text(lines: tuple[InvoiceLine, ...]) -> str:
    shown = "; ".join(_line_text(line) for line in lines[:_LINES_SHOWN_MAX])
    return shown if len(lines) <= _LINES_SHOWN_MAX else f"{len(lines)} lines: {shown}; …"


def _line_text(line: InvoiceLine) -> str:
    rate = f" at {canonical(line.vat.rate)} %" if line.vat else ""
    return f"{canonical(line.quantity)} x {canonical(line.unit_price)} {line.name}{rate}"
