"""Whether an e-invoice's sums, dates and identifiers agree: stricter than the official rules, and first.

Those accept VAT that is off by a cent or two, line amounts that do not follow from price and quantity, VAT ids with wrong check
digits, and a due date before the issue date.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from decimal import ROUND_HALF_UP, Context, Decimal

from stdnum.eu import vat as eu_vat

from faktura.documents.en16931 import Adjustment, EInvoice, Line
from faktura.domain.countries import COUNTRIES, unknown_country
from faktura.domain.errors import Fault, SettingError, fault
from faktura.domain.money import Currency

Found = Iterator[tuple[str, str, str]]
"""(rule, path, message)."""

DOUBTFUL = {"VAT-ID", "DUE-DATE"}
"""Rules of ours that a lawful document may break: told as warnings, and no reason to keep one back."""
_EXACT = Context(prec=200, rounding=ROUND_HALF_UP)
"""Enough for a product of two numbers of an e-invoice, of 60 digits each, divided by a third."""
_CENT = Decimal("0.01")
_LINE_SLACK = Decimal("0.02")
"""Of PEPPOL-EN16931-R120: prices that were rounded give amounts that are off by so much."""
_ZERO = Decimal(0)
_HALF = Decimal("0.5")
_VAT_PREFIXES = COUNTRIES | {"EL"}
_SUMS_OF_VAT = {"S": "BR-S-08", "Z": "BR-Z-08", "E": "BR-E-08", "AE": "BR-AE-08", "K": "BR-IC-08", "G": "BR-G-08", "O": "BR-O-08"}


def arithmetic_faults(document: EInvoice) -> list[Fault]:
    """Sums that do not add up, VAT that does not follow, check digits and dates that are wrong."""
    return [fault(rule, path, message) for check in _CHECKS for rule, path, message in check(document)]


def _sum(values: Iterable[Decimal | None]) -> Decimal:
    return sum((value for value in values if value is not None), _ZERO)


def _off(rule: str, path: str, stated: Decimal | None, computed: Decimal) -> Found:
    if stated is not None and stated != computed:
        yield rule, path, f"{stated} is stated, {computed} follows"


def _off_or_missing(rule: str, path: str, stated: Decimal | None, computed: Decimal) -> Found:
    """Of a total that may be left out where it is 0."""
    if stated is None and computed != 0:
        yield rule, path, f"is missing, {computed} follows"
    yield from _off(rule, path, stated, computed)


def _totals(document: EInvoice) -> Found:
    totals = document.totals
    if document.lines:  # the levels MINIMUM and BASIC WL of Factur-X have none, and MINIMUM has no groups of VAT
        yield from _off("BR-CO-10", "line_total", totals.line_total, _sum(line.net_amount for line in document.lines))
    yield from _off_or_missing("BR-CO-11", "allowance_total", totals.allowance_total, _sum(item.amount for item in document.allowances))
    yield from _off_or_missing("BR-CO-12", "charge_total", totals.charge_total, _sum(item.amount for item in document.charges))
    line_total = totals.line_total if totals.line_total is not None else _sum(line.net_amount for line in document.lines)
    if document.lines or totals.line_total is not None:
        without_vat = line_total - (totals.allowance_total or _ZERO) + (totals.charge_total or _ZERO)
        yield from _off("BR-CO-13", "total_without_vat", totals.total_without_vat, without_vat)
    if document.vat_breakdown:
        yield from _off_or_missing("BR-CO-14", "vat_total", totals.vat_total, _sum(group.tax_amount for group in document.vat_breakdown))
    if totals.total_without_vat is not None:
        yield from _off("BR-CO-15", "total_with_vat", totals.total_with_vat, totals.total_without_vat + (totals.vat_total or _ZERO))
    if totals.total_with_vat is not None:
        due = totals.total_with_vat - (totals.prepaid or _ZERO) + (totals.rounding or _ZERO)
        yield from _off("BR-CO-16", "payable", totals.payable, due)


def line_amount(line: Line) -> Decimal | None:
    """BT-131 as it follows: quantity x price / base quantity, rounded once, with charges and less allowances; None where a part is missing."""
    price = line.price
    if price is None or price.net is None or line.quantity is None or price.base_quantity == 0:
        return None
    product = _EXACT.divide(_EXACT.multiply(line.quantity, price.net), price.base_quantity or Decimal(1)).quantize(_CENT, context=_EXACT)
    return product + _sum(item.amount for item in line.charges) - _sum(item.amount for item in line.allowances)


def _lines(document: EInvoice) -> Found:
    for index, line in enumerate(document.lines):
        computed = line_amount(line)
        if computed is not None and line.net_amount is not None and abs(computed - line.net_amount) > _LINE_SLACK:
            yield "PEPPOL-EN16931-R120", f"lines[{index}].net_amount", f"{line.net_amount} is stated, quantity and price make {computed}"
        price = line.price
        if price is None:
            continue
        if price.base_quantity is not None and price.base_quantity <= 0:
            yield "PEPPOL-EN16931-R121", f"lines[{index}].price.base_quantity", f"{price.base_quantity} is not above 0"
        for rule, name, value in (("BR-27", "net", price.net), ("BR-28", "gross", price.gross)):
            if value is not None and value < 0:
                yield rule, f"lines[{index}].price.{name}", f"{value} is negative"
        if price.gross is not None and price.net is not None and price.discount is not None and price.gross - price.discount != price.net:
            yield "PEPPOL-EN16931-R046", f"lines[{index}].price.net", f"{price.net} is stated, gross price less discount is {price.gross - price.discount}"


def _vat_sums(document: EInvoice) -> Found:
    """Each category and rate: what its lines, allowances and charges come to, and the VAT of that."""
    sums: dict[tuple[str | None, Decimal], Decimal] = defaultdict(lambda: _ZERO)
    for line in document.lines:
        sums[line.vat_category, line.vat_rate or _ZERO] += line.net_amount or _ZERO
    for sign, items in ((-1, document.allowances), (1, document.charges)):
        for item in items:
            sums[item.vat_category, item.vat_rate or _ZERO] += sign * (item.amount or _ZERO)
    for index, group in enumerate(document.vat_breakdown):
        taxable = sums.pop((group.category, group.rate or _ZERO), _ZERO)
        if document.lines:
            yield from _off(_SUMS_OF_VAT.get(group.category or "", "BR-45"), f"vat_breakdown[{index}].taxable_amount", group.taxable_amount, taxable)
        if group.taxable_amount is not None and group.tax_amount is not None:
            yield from _vat(f"vat_breakdown[{index}].tax_amount", group.taxable_amount, group.rate or _ZERO, group.tax_amount, document.currency)
    for category, rate in sums if document.lines else ():
        yield "BR-CO-18", "vat_breakdown", f"has no group for category {category} at {rate} %"


def _vat(path: str, taxable: Decimal, rate: Decimal, stated: Decimal, currency: str) -> Found:
    """BT-117 is base x rate, rounded; or, where prices include VAT, what a sum of such prices contains.

    A sum with VAT is a round number of the smallest units, so its VAT is within half of one, and the base is what is left:
    base x rate is off from it by less than one unit of the base times the rate.
    """
    if rate < 0:
        yield "BR-CO-17", path, f"{rate} % is no rate of VAT: it is negative"
        return
    unit = _unit(currency)
    if 0 < rate < _HALF and not -_HALF <= stated < _HALF:
        yield "BR-CO-17", path, f"{stated} at {rate} %: the official rules take a rate below 0.5 % for none, and refuse its VAT"
    exact = _EXACT.divide(_EXACT.multiply(taxable, rate), Decimal(100))
    rounded = exact.quantize(unit, context=_EXACT)
    if stated in {rounded, exact.quantize(_CENT, context=_EXACT)}:
        return
    with_vat = taxable + stated
    contained = _EXACT.divide(_EXACT.multiply(with_vat, rate), Decimal(100) + rate).quantize(unit, context=_EXACT)
    if stated == contained and abs(abs(stated) - abs(exact.quantize(_CENT, context=_EXACT))) >= 1:
        yield "BR-CO-17", path, f"{stated} is what prices with VAT contain, and off from {rate} % of {taxable} by 1 or more, which the official rules refuse"
    if stated != contained:
        yield "BR-CO-17", path, f"{stated} is stated, {rate} % of {taxable} is {rounded}"


def _unit(currency: str) -> Decimal:
    """The smallest of a currency; a cent where its code is none, which is told elsewhere."""
    try:
        return Decimal(1).scaleb(-Currency(currency).digits)
    except SettingError:
        return _CENT


def _adjustments(document: EInvoice) -> Found:
    groups: list[tuple[str, tuple[Adjustment, ...], tuple[str, str, str]]] = [
        ("allowances", document.allowances, ("BR-33", "PEPPOL-EN16931-R040", "BR-31")),
        ("charges", document.charges, ("BR-38", "PEPPOL-EN16931-R040", "BR-36")),
    ]
    for index, line in enumerate(document.lines):
        groups.append((f"lines[{index}].allowances", line.allowances, ("BR-42", "PEPPOL-EN16931-R040", "BR-41")))
        groups.append((f"lines[{index}].charges", line.charges, ("BR-44", "PEPPOL-EN16931-R040", "BR-43")))
    for around, items, (no_reason, off, negative) in groups:
        for index, item in enumerate(items):
            path = f"{around}[{index}]"
            if not item.reason and not item.reason_code:
                yield no_reason, f"{path}.reason", "an allowance or charge needs a reason"
            if item.amount is not None and item.amount < 0:
                yield negative, f"{path}.amount", f"{item.amount} is negative; allowance and charge say the direction"
            if item.amount is not None and item.base_amount is not None and item.percentage is not None:
                computed = _EXACT.divide(_EXACT.multiply(item.base_amount, item.percentage), Decimal(100)).quantize(_CENT, context=_EXACT)
                if abs(computed - item.amount) > _LINE_SLACK:
                    yield off, f"{path}.amount", f"{item.amount} is stated, {item.percentage} % of {item.base_amount} is {computed}"


def _decimals(document: EInvoice) -> Found:
    """BR-DEC-1 and so on: amounts have two decimals at most, in every currency."""
    found = [(f"{name}", getattr(document.totals, name)) for name in document.totals.__slots__]
    found += [(f"lines[{index}].net_amount", line.net_amount) for index, line in enumerate(document.lines)]
    for index, group in enumerate(document.vat_breakdown):
        found += [(f"vat_breakdown[{index}].taxable_amount", group.taxable_amount), (f"vat_breakdown[{index}].tax_amount", group.tax_amount)]
    for items, around in ((document.allowances, "allowances"), (document.charges, "charges")):
        found += [(f"{around}[{index}].amount", item.amount) for index, item in enumerate(items)]
    for path, value in found:
        if value is not None and value != value.quantize(_CENT, context=_EXACT):
            yield "BR-DEC", path, f"{value} has more than two decimals, which no amount of an e-invoice has"


def _dates(document: EInvoice) -> Found:
    if document.due_date and document.due_date < document.issue_date:
        yield "DUE-DATE", "due_date", f"{document.due_date} is before the issue date {document.issue_date}"
    periods = [("period", "BR-29", document.period)] + [(f"lines[{index}].period", "BR-30", line.period) for index, line in enumerate(document.lines)]
    for path, rule, period in periods:
        if period and period.start and period.end and period.end < period.start:
            yield rule, path, f"ends on {period.end}, before it starts on {period.start}"
    for index, preceding in enumerate(document.preceding):
        if preceding.issue_date and preceding.issue_date > document.issue_date:
            yield "BT-26", f"preceding[{index}].issue_date", f"{preceding.issue_date} is after the issue date {document.issue_date}"


def _identifiers(document: EInvoice) -> Found:
    """Check digits of VAT ids of the EU, and countries (BR-CO-9, BR-CL-14)."""
    parties = [("seller", document.seller), ("buyer", document.buyer), ("tax_representative", document.tax_representative)]
    for path, party in parties:
        if party is None:
            continue
        vat_id = "".join((party.vat_id or "").split()).upper()
        if vat_id and vat_id[:2] not in _VAT_PREFIXES:
            yield "BR-CO-09", f"{path}.vat_id", f"{vat_id} does not begin with its country, or EL for Greece"
        elif vat_id and vat_id[:2].lower() in {*eu_vat.MEMBER_STATES, "el", "xi"} and not eu_vat.is_valid(vat_id):
            yield "VAT-ID", f"{path}.vat_id", f"{vat_id} has wrong check digits or length"
        country = party.address.country if party.address else None
        unknown = unknown_country(country) if country else None
        if unknown:
            yield "BR-CL-14", f"{path}.country", f"{country} {unknown}"


_CHECKS: tuple[Callable[[EInvoice], Found], ...] = (_totals, _lines, _vat_sums, _adjustments, _decimals, _dates, _identifiers)
