"""The rules a draft must keep before it may take a number. Each is a row of `RULES`, with the standard's id where it has one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from faktura.domain.countries import unknown_country
from faktura.domain.errors import Fault, fault
from faktura.domain.invoice import AllowanceCharge, Draft, Period, Totals, TypeCode
from faktura.domain.money import AMOUNT_MINOR_MAX, canonical
from faktura.domain.party import Party
from faktura.domain.vat import VatCategory, VatKey
from faktura.domain.vat_decision import Supply, VatDecision, find_decision

_OF_BUSINESSES = frozenset({VatCategory.REVERSE_CHARGE, VatCategory.INTRA_COMMUNITY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a rule looks at: the draft, its seller and its computed totals."""

    draft: Draft
    seller: Party
    totals: Totals
    issue_date: date | None
    """The draft's own, or the day on which it would be issued."""
    vat_keys: Sequence[tuple[str, VatKey]]
    """Every category and rate named, with its path."""
    categories: frozenset[VatCategory | None]
    """Those that are named."""


Check = Callable[[Subject], Iterator[tuple[str, str]]]


def _lines_present(subject: Subject) -> Iterator[tuple[str, str]]:
    if not subject.draft.lines:
        yield "lines", "a document needs at least one line"


def _line_names(subject: Subject) -> Iterator[tuple[str, str]]:
    for index, line in enumerate(subject.draft.lines):
        if not line.name.strip():
            yield f"lines[{index}].name", "a line needs the name of what was sold"


def _prices(subject: Subject) -> Iterator[tuple[str, str]]:
    for index, line in enumerate(subject.draft.lines):
        if line.unit_price < 0:
            yield f"lines[{index}].unit_price", "a price cannot be negative; use a negative quantity or an allowance"


def _rates(subject: Subject) -> Iterator[tuple[str, str]]:
    for path, vat in subject.vat_keys:
        if vat.category is VatCategory.STANDARD and vat.rate <= 0:
            yield f"{path}.vat_rate", "category S needs a rate above 0"


def _untaxed_rates(subject: Subject) -> Iterator[tuple[str, str]]:
    for path, vat in subject.vat_keys:
        if vat.category is not VatCategory.STANDARD and vat.rate != 0:
            yield f"{path}.vat_rate", f"category {vat.category} has rate 0, not {vat.rate}"


def _reasons(subject: Subject) -> Iterator[tuple[str, str]]:
    reasons = dict(subject.draft.exemption_reasons)
    for category in sorted(category for category in subject.categories if category):
        if category.needs_reason and not reasons.get(category, "").strip():
            yield f"exemption_reasons.{category}", f"category {category} needs the reason why no VAT is charged"
        if not category.needs_reason and category in reasons:
            yield f"exemption_reasons.{category}", f"category {category} has no exemption reason"


def _outside_scope_alone(subject: Subject) -> Iterator[tuple[str, str]]:
    if VatCategory.OUTSIDE_SCOPE in subject.categories and len(subject.categories) > 1:
        yield "lines", "category O cannot stand beside another category"


def _vat_ids(subject: Subject) -> Iterator[tuple[str, str]]:
    if not subject.categories.isdisjoint(_OF_BUSINESSES):
        if not subject.seller.vat_id:
            yield "seller.vat_id", "reverse charge and intra-Community supply need the seller's VAT id"
        if not subject.draft.buyer.vat_id:
            yield "buyer.vat_id", "reverse charge and intra-Community supply need the buyer's VAT id"


def _seller_tax_id(subject: Subject) -> Iterator[tuple[str, str]]:
    if VatCategory.STANDARD in subject.categories and not (subject.seller.vat_id or subject.seller.tax_number):
        yield "seller.vat_id", "a seller who charges VAT needs a VAT id or tax number"


def _countries(subject: Subject) -> Iterator[tuple[str, str]]:
    if not subject.seller.country:
        yield "seller.country", "the seller's country is missing (set it with the provider)"


def _buyer_country(subject: Subject) -> Iterator[tuple[str, str]]:
    if not subject.draft.buyer.country:
        yield "buyer.country", "the buyer's country is missing"


def _country_codes(subject: Subject) -> Iterator[tuple[str, str]]:
    codes = {"seller.country": subject.seller.country, "buyer.country": subject.draft.buyer.country, "tax_country": subject.draft.tax_country}
    for path, code in codes.items():
        unknown = unknown_country(code) if code else None
        if unknown:
            yield path, f"{code} {unknown}"


def _periods(subject: Subject) -> Iterator[tuple[str, str]]:
    for path, period in _all_periods(subject.draft):
        if period.start and period.end and period.end < period.start:
            yield path, f"ends on {period.end}, before it starts on {period.start}"


def _periods_filled(subject: Subject) -> Iterator[tuple[str, str]]:
    for path, period in _all_periods(subject.draft):
        if not period.start and not period.end:
            yield path, "needs its first day, its last day, or both"


def _all_periods(draft: Draft) -> Iterator[tuple[str, Period]]:
    if draft.period:
        yield "period", draft.period
    for index, line in enumerate(draft.lines):
        if line.period:
            yield f"lines[{index}].period", line.period


def _due_date(subject: Subject) -> Iterator[tuple[str, str]]:
    draft = subject.draft
    if draft.due_date and subject.issue_date and draft.due_date < subject.issue_date:
        yield "due_date", f"{draft.due_date} is before the issue date {subject.issue_date}"


def _preceding(subject: Subject) -> Iterator[tuple[str, str]]:
    draft = subject.draft
    if draft.type_code in {TypeCode.CREDIT_NOTE, TypeCode.DEBIT_NOTE} and draft.preceding_invoice is None and not draft.override_reason:
        yield "preceding_invoice", "a credit or debit note names the invoice that it corrects; where none is known, give an override_reason"


def _vat_as_decided(subject: Subject) -> Iterator[tuple[str, str]]:
    draft = subject.draft
    day = draft.tax_point_date or subject.issue_date
    if draft.override_reason or draft.type_code is TypeCode.CREDIT_NOTE or day is None:
        return
    decision = find_decision(Supply(seller=subject.seller, buyer=draft.buyer, day=day))
    if decision is None:
        return
    for path, vat in subject.vat_keys:
        if vat is not decision.vat and vat != decision.vat:
            yield f"{path}.vat_rate", f"{_shown(vat)} is named, {_decided(decision, day)}"
    if draft.tax_country not in {None, decision.tax_country}:
        yield "tax_country", f"{draft.tax_country} is named, {_decided(decision, day)}"


def _decided(decision: VatDecision, day: date) -> str:
    return f"{decision.rule} decides {_shown(decision.vat)} of {decision.tax_country} on {day}; to charge otherwise, give an override_reason"


def _shown(vat: VatKey) -> str:
    return f"category {vat.category} at {canonical(vat.rate)} %"


def _adjustments(subject: Subject) -> Iterator[tuple[str, str]]:
    for path, item in _all_adjustments(subject.draft):
        if item.amount_minor < 0:
            yield f"{path}.amount", "must not be negative; allowance and charge say the direction"
        if not item.reason.strip():
            yield f"{path}.reason", "an allowance or charge needs a reason"


def _all_adjustments(draft: Draft) -> Iterator[tuple[str, AllowanceCharge]]:
    for index, item in enumerate(draft.allowances_charges):
        yield f"allowances_charges[{index}]", item
    for number, line in enumerate(draft.lines):
        for index, item in enumerate(line.allowances_charges):
            yield f"lines[{number}].allowances_charges[{index}]", item


def _totals_in_bounds(subject: Subject) -> Iterator[tuple[str, str]]:
    draft, totals = subject.draft, subject.totals
    parts = [(f"lines[{index}]", line.line_total_minor) for index, line in enumerate(draft.lines)]
    parts += [(path, item.amount_minor) for path, item in _all_adjustments(draft)]
    sums = [("allowances_charges", totals.allowance_total_minor), ("allowances_charges", totals.charge_total_minor), ("lines", totals.line_total_minor)]
    sums += [("vat_breakdown", value or 0) for group in totals.vat_breakdown for value in (group.taxable_amount_minor, group.tax_amount_minor)]
    ends = [("total_without_vat", totals.total_without_vat_minor), ("total_with_vat", totals.total_with_vat_minor)]
    for amounts in (parts, sums, ends):  # a part that is too large makes its sums so: only the part is the user's mistake
        found = dict.fromkeys(path for path, amount in amounts if abs(amount) > AMOUNT_MINOR_MAX)
        yield from ((path, "is larger than any amount faktura keeps") for path in found)
        if found:
            return


def _not_negative(subject: Subject) -> Iterator[tuple[str, str]]:
    if subject.totals.total_with_vat_minor < 0:
        yield "total_with_vat", "is negative; what is owed to the buyer is a credit note"


RULES: tuple[tuple[str, Check], ...] = (
    ("BR-16", _lines_present),
    ("BR-25", _line_names),
    ("BR-27", _prices),
    ("BR-S-5", _rates),
    ("BR-VAT-0", _untaxed_rates),  # ours, for BR-Z-5, BR-E-5, BR-AE-5, BR-IC-5, BR-G-5, BR-O-5 at once
    ("BR-VAT-10", _reasons),  # ours, for BR-E-10, BR-AE-10, BR-IC-10, BR-G-10, BR-O-10, BR-S-10, BR-Z-10
    ("BR-O-11", _outside_scope_alone),
    ("BR-AE-2", _vat_ids),  # and BR-IC-2
    ("BR-S-2", _seller_tax_id),
    ("BR-9", _countries),
    ("BR-11", _buyer_country),
    ("BR-CL-14", _country_codes),
    ("BR-29", _periods),  # and BR-30
    ("BR-CO-19", _periods_filled),  # and BR-CO-20
    ("DUE-DATE", _due_date),
    ("BR-55", _preceding),
    ("VAT-OVERRIDE", _vat_as_decided),  # ours: the VAT of electronic services, see VAT_RULES
    ("BR-33", _adjustments),  # and BR-38, BR-42, BR-44
    ("AMOUNT-MAX", _totals_in_bounds),
    ("NOT-NEGATIVE", _not_negative),
)


def check(draft: Draft, *, seller: Party, totals: Totals, issue_date: date | None = None) -> list[Fault]:
    """All rules that the draft breaks, in the table's order; `issue_date` is the day of one that names none."""
    vat_keys = [(f"lines[{index}]", line.vat) for index, line in enumerate(draft.lines) if line.vat]
    vat_keys += [(f"allowances_charges[{index}]", item.vat) for index, item in enumerate(draft.allowances_charges) if item.vat]
    subject = Subject(
        draft=draft,
        seller=seller,
        totals=totals,
        issue_date=draft.issue_date or issue_date,
        vat_keys=vat_keys,
        categories=frozenset([vat.category for _, vat in vat_keys]),
    )
    return [fault(rule, path, message) for rule, look in RULES for path, message in look(subject)]
