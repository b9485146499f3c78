"""What a page says: an invoice as the texts that its template sets. Every text is made here; the template only places it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from faktura.documents import item_prices
from faktura.documents.en16931 import Price
from faktura.documents.pdf_formats import Formats, formats
from faktura.documents.pdf_glyphs import printable
from faktura.documents.pdf_look import Look, logo_format
from faktura.documents.pdf_payment import payment_block
from faktura.documents.pdf_texts import CATEGORIES, title, unit, words
from faktura.domain.errors import Fault, InvalidDocumentError, fault
from faktura.domain.invoice import AllowanceCharge, Invoice, InvoiceLine, Origin, Period, TypeCode
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.text import shown
from faktura.domain.vat import PriceBasis, VatBreakdown, VatCategory, VatKey

LINES_MAX = 5000
"""Of a PDF: some 150 pages, which take 800 MiB and five seconds while they are set."""
_UNBROKEN = 10_000
_KEPT_TEXT_LINES_MAX = 35
_RUNNING_LENGTH_MAX, _FOOTER_LINE_LENGTH = 80, 90


class Writing(NamedTuple):
    """How this document is written: its language's words and formats, its currency and price basis."""

    language: str
    say: dict[str, str]
    form: Formats
    money: Currency
    is_gross: bool
    marks: Mapping[VatCategory | None, str]
    """What tells several categories without tax apart, beside their rates and before their words."""

    def amount(self, amount_minor: int | None) -> str:
        """An amount in a column."""
        return "" if amount_minor is None else self.form.amount(amount_minor, self.money)


def content(invoice: Invoice, *, language: str, look: Look, is_test: bool) -> dict[str, Any]:
    """All texts of a document, clean of what the fonts cannot set. InvalidDocumentError names every term that is lacking."""
    faults = lacking(invoice)
    if faults:
        raise InvalidDocumentError(faults)
    assert invoice.type_code is not None  # noqa: S101 - `lacking` has seen to it
    assert invoice.seller is not None  # noqa: S101
    assert invoice.buyer is not None  # noqa: S101
    marks = _reference_marks(invoice.vat_breakdown)
    write = Writing(language, words(language), formats(language), invoice.currency, invoice.price_basis is PriceBasis.GROSS, marks)
    is_payable = not is_test and invoice.origin is Origin.ISSUED  # nobody shall pay a test, and what is due of others' documents only they know
    payment, code = payment_block(invoice, write.say, write.form) if is_payable else ([], "")
    page: dict[str, Any] = {
        "lang": language,
        "say": write.say,
        "title": title(invoice.type_code, language),
        "number": invoice.number,
        "currency": invoice.currency.code,
        "seller": _party(invoice.seller, write),
        "buyer": _party(invoice.buyer, write),
        "facts": _facts(invoice, write),
        "marks": _marks(invoice, write, is_test=is_test),
        "is_test": is_test,
        "is_gross": write.is_gross,
        "rows": _rows(invoice.lines or (), write),
        "breakdown": [_group(group, write) for group in invoice.vat_breakdown],
        "reasons": _reasons(invoice.vat_breakdown, write),
        "totals": _totals(invoice, write),
        "payment": payment,
        "terms": _terms(invoice, write),
        "note": invoice.note or "",
        "footer": look.footer or "",
        "footer_lines": _footer_lines(look.footer or ""),
    }
    cleaned: dict[str, Any] = _clean(page)
    head = {"name": f"{page['title']} {invoice.number}", "author": invoice.seller.name, "running": _running(invoice, write, page["title"])}
    whole = {key: printable(text, word_max=_UNBROKEN) for key, text in head.items()}
    return cleaned | whole | {"accent": look.accent, "logo": logo_input(look.logo) if look.logo else None, "qr": code, "is_kept": _fits(page)}


def lacking(invoice: Invoice) -> list[Fault]:
    """The terms without which there is no document to show: an issued one has all, a recorded one what its source said."""
    needed = {
        ("BR-04", "type_code"): invoice.type_code,
        ("BR-06", "seller"): invoice.seller,
        ("BR-07", "buyer"): invoice.buyer,
        ("BR-16", "lines"): invoice.lines or None,
        ("BR-13", "total_without_vat"): invoice.total_without_vat_minor,
        ("BR-CO-14", "vat_total"): invoice.vat_total_minor,
        ("BR-14", "total_with_vat"): invoice.total_with_vat_minor,
        ("BR-CO-18", "vat_breakdown"): invoice.vat_breakdown or None,
    }
    faults = [fault(rule, path, "is not known of this document") for (rule, path), value in needed.items() if value is None]
    if invoice.type_code is None and invoice.source_type:
        faults[0] = fault("BR-04", "type_code", f"is {shown(invoice.source_type)}, for which a page has no words: ask for the document's original")
    if len(invoice.lines or ()) > LINES_MAX:
        faults.append(fault("size", "lines", f"are more than {LINES_MAX}: too many for pages; the e-invoice has them all"))
    for index, line in enumerate(invoice.lines or ()):
        if line.vat is None:
            faults.append(fault("BR-CO-04", f"lines[{index}].vat_rate", "is not known of this document"))
        if line.net_amount_minor is None:
            faults.append(fault("BR-24", f"lines[{index}].net_amount", "is not known of this document"))
    return faults


def _running(invoice: Invoice, write: Writing, title: str) -> str:
    """The head of the second and later pages, after the title: one line."""
    name = invoice.seller.name if invoice.seller else ""
    told = f"{_cut(invoice.number, 40)} · {write.form.day(invoice.issue_date)} · "
    return told + _cut(name, min(50, _RUNNING_LENGTH_MAX - len(title) - len(told)))


def _footer_lines(footer: str) -> int:
    """How many lines a footer takes at most."""
    return sum(1 + len(line) // _FOOTER_LINE_LENGTH for line in footer.splitlines())


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _fits(page: dict[str, Any]) -> bool:
    """Whether sums and the last lines surely have room on one page, and can be kept together: a document may have hundreds of allowances."""
    sums = len(page["totals"]["rows"]) + sum(len(label) // 30 for label, _ in page["totals"]["rows"])
    groups = len(page["breakdown"]) + sum(2 + len(reason) // 40 for reason in page["reasons"])
    last = sum(2 + len(row["name"]) // 25 + sum(2 + len(detail) // 25 for detail in row["details"]) for row in page["rows"][-2:])
    return max(sums, groups) + last <= _KEPT_TEXT_LINES_MAX


def _clean(value: Any) -> Any:  # noqa: ANN401 - a tree of texts
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value


def logo_input(logo: bytes) -> dict[str, Any]:
    """A logo as templates take it."""
    return {"format": logo_format(logo), "bytes": list(logo)}


def _party(party: Party, write: Writing) -> dict[str, Any]:
    place = " ".join(text for text in (party.post_code, party.city) if text)
    country = write.form.country(party.country) if party.country else None
    reached = [text for text in (party.contact_name, party.phone, party.email) if text]
    is_bulgarian = (party.vat_id or party.country or "").startswith("BG")  # whose numbers have names of their own in Bulgarian
    ending = "" if is_bulgarian else "_abroad"
    numbers = {f"registration{ending}": party.registration_id, f"vat_id{ending}": party.vat_id, "tax_number": party.tax_number}
    return {
        "name": party.name,
        "address": [text for text in (party.street, place, country) if text],
        "numbers": [[write.say[key], number] for key, number in numbers.items() if number],
        "contact": reached,
    }


def _facts(invoice: Invoice, write: Writing) -> list[list[str]]:
    say, form = write.say, write.form
    facts = [[say["issue_date"], form.day(invoice.issue_date)]]
    supplied = _supplied_on(invoice)
    if supplied:
        facts.append([say["tax_point"], form.day(supplied)])
    if invoice.period and _is_said(invoice.period):
        facts.append([say["period"], form.period(invoice.period)])
    if invoice.due_date:
        facts.append([say["due_date"], form.day(invoice.due_date)])
    preceding = invoice.preceding_invoice
    if preceding:
        day = f" {say['of']} {form.day(preceding.issue_date)}" if preceding.issue_date else ""
        facts.append([say["corrects"], f"{preceding.number}{day}"])
    if invoice.buyer and invoice.buyer.buyer_reference:
        facts.append([say["buyer_reference"], invoice.buyer.buyer_reference])
    if invoice.order_ids:
        facts.append([say["order"], ", ".join(map(str, invoice.order_ids))])
    return facts


def _supplied_on(invoice: Invoice) -> date | None:
    """The day of supply, which the law wants said: that of the e-invoice (BT-72), so the day of issue where neither a tax point nor periods say another."""
    if invoice.tax_point_date or invoice.type_code not in {TypeCode.INVOICE, TypeCode.DEBIT_NOTE}:
        return invoice.tax_point_date
    periods = [line.period for line in invoice.lines or ()]
    has_period = (invoice.period and _is_said(invoice.period)) or (periods and all(period and _is_said(period) for period in periods))
    return None if has_period else invoice.issue_date


def _is_said(period: Period) -> bool:
    return period.start is not None or period.end is not None


def _marks(invoice: Invoice, write: Writing, *, is_test: bool) -> list[str]:
    """What must be said beside the title."""
    marks = [write.say["test"]] if is_test else []
    if invoice.type_code is TypeCode.PRO_FORMA:
        marks.append(write.say["no_invoice"])
    if invoice.type_code is TypeCode.CREDIT_NOTE and invoice.preceding_invoice:
        marks.append(write.say["credited"])
    return marks


def _rows(lines: Sequence[InvoiceLine], write: Writing) -> list[dict[str, Any]]:
    quantities = _aligned([line.quantity for line in lines], 0, write.form)
    net_prices = [item_prices.price(line, write.money, is_gross=write.is_gross) for line in lines]
    shown = [line.unit_price if write.is_gross else price.net or Decimal(0) for line, price in zip(lines, net_prices, strict=True)]
    prices = _aligned(shown, write.money.digits, write.form)
    return [
        {
            "position": str(number),
            "name": line.name,
            "details": _details(line, write),
            "quantity": quantity,
            "unit": unit(line.unit_code, write.language),
            "price": price,
            "price_more": _price_more(net_price, write),
            "vat": _rate(line.vat, write),
            "net": write.amount(line.net_amount_minor),
            "total": write.amount(line.line_total_minor),
        }
        for number, (line, quantity, price, net_price) in enumerate(zip(lines, quantities, prices, net_prices, strict=True), 1)
    ]


def _aligned(values: Sequence[Decimal], decimals_min: int, form: Formats) -> list[list[str]]:
    """Each number, and what it lacks to the longest fraction: set invisibly behind it, so that decimal marks stand in line."""
    texts = [form.number(value, decimals_min=decimals_min) for value in values]
    fractions = [text.rpartition(form.decimal_mark)[2] if form.decimal_mark in text else "" for text in texts]
    longest = max(map(len, fractions))
    return [
        [text, ("" if fraction or not longest else form.decimal_mark) + "0" * (longest - len(fraction))]
        for text, fraction in zip(texts, fractions, strict=True)
    ]


def _details(line: InvoiceLine, write: Writing) -> list[str]:
    details = []
    if line.item_id:
        details.append(line.item_id)
    if line.period and _is_said(line.period):
        details.append(write.form.period(line.period))
    if line.order_id is not None:
        details.append(f"{write.say['order']}\u00a0{line.order_id}")
    joined = [" · ".join(details)] if details else []
    return joined + [f"{item.reason}: {write.amount(item.signed_minor)}" for item in line.allowances_charges]


def _price_more(price: Price, write: Writing) -> list[str]:
    """Under the price: what it is without VAT (Art. 226 (8)) where it contains it, and how many it is for; as the e-invoice says it (BT-146, BT-149)."""
    said = [f"{write.form.number(price.net or Decimal(0), decimals_min=write.money.digits)} {write.say['price_without']}"] if write.is_gross else []
    if price.base_quantity is not None:
        said.append(f"{write.say['price_for']} {write.form.number(price.base_quantity)} {unit(price.base_unit or '', write.language)}")
    return said


def _rate(vat: VatKey | None, write: Writing) -> str:
    if vat is None:
        return "–"
    rate = "–" if vat.category is VatCategory.OUTSIDE_SCOPE else write.form.percent(vat.rate)
    return f"{rate} {write.marks[vat.category]}" if vat.category in write.marks else rate


def _reference_marks(breakdown: Sequence[VatBreakdown]) -> dict[VatCategory | None, str]:
    """A raised number for each category without tax, where there is more than one."""
    untaxed = list(dict.fromkeys(group.category for group in breakdown if group.category and not group.category.taxed))
    return dict(zip(untaxed, "¹²³⁴⁵⁶", strict=False)) if len(untaxed) > 1 else {}


def _group(group: VatBreakdown, write: Writing) -> list[str]:
    taxable, tax = group.taxable_amount_minor, group.tax_amount_minor
    both = None if taxable is None or tax is None else taxable + tax
    return [_rate(VatKey(group.category, group.rate), write), *map(write.amount, (taxable, tax, both))]


def _reasons(breakdown: Sequence[VatBreakdown], write: Writing) -> list[str]:
    """The words of the law for each category without tax, with the ground that the document gives."""
    found = []
    for group in breakdown:
        if group.category is None or group.category.taxed:
            continue
        label, reason = CATEGORIES[write.language][group.category], group.exemption_reason
        mark = f"{write.marks[group.category]} " if group.category in write.marks else ""
        if reason and reason.casefold().startswith(label.casefold()):
            found.append(mark + reason)
        else:
            found.append(f"{mark}{label}: {reason}" if reason else mark + label)
    return list(dict.fromkeys(found))


def _totals(invoice: Invoice, write: Writing) -> dict[str, Any]:
    say = write.say
    rows = []
    if invoice.allowances_charges:
        amounts = [line.line_total_minor if write.is_gross else line.net_amount_minor or 0 for line in invoice.lines or ()]
        rows.append([say["lines_total_gross" if write.is_gross else "lines_total"], write.amount(sum(amounts))])
        rows += [_adjustment(item, write) for item in invoice.allowances_charges]
    rows.append([say["without_vat"], write.amount(invoice.total_without_vat_minor)])
    rows.append([say["vat_total"], write.amount(invoice.vat_total_minor)])
    return {
        "rows": rows,
        "label": say[f"total_{int(invoice.type_code or TypeCode.INVOICE)}"],
        "amount": write.form.money(invoice.total_with_vat_minor or 0, write.money),
    }


def _terms(invoice: Invoice, write: Writing) -> str:
    """BT-20; of an invoice that names neither terms nor a day, what the law takes it to mean, as its e-invoice says."""
    is_open = invoice.sign > 0 and invoice.due_date is None and (invoice.total_with_vat_minor or 0) > 0
    return invoice.payment_terms or (write.say["on_receipt"] if is_open else "")


def _adjustment(item: AllowanceCharge, write: Writing) -> list[str]:
    rate = f" ({_rate(item.vat, write)})" if item.vat else ""
    return [f"{item.reason}{rate}", write.amount(item.signed_minor)]
