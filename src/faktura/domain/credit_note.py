"""Credit notes: a new document (381) that takes back all or part of an issued one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from faktura.domain.errors import ConflictError, Fault, InvalidDocumentError, fault
from faktura.domain.invoice import AllowanceCharge, Draft, Invoice, InvoiceLine, Origin, PrecedingInvoice, Totals, TypeCode
from faktura.domain.money import DECIMAL_PLACES_MAX, canonical, round_ratio
from faktura.domain.totals import line_total
from faktura.domain.vat import PriceBasis, VatBreakdown, VatKey
from faktura.domain.vat_decision import Supply, infer_tax_country


def credit_draft(invoice: Invoice, *, quantities: dict[int, Decimal] | None = None, note: str | None = None) -> Draft:
    """The draft of a credit note for an issued invoice: the whole of it, or so much of each line (numbered from 1).

    Raises ConflictError for what cannot be credited, InvalidDocumentError for quantities that the invoice does not have.
    """
    if invoice.origin is not Origin.ISSUED or invoice.type_code not in {TypeCode.INVOICE, TypeCode.DEBIT_NOTE}:
        message = f"document {invoice.number} is not an invoice or debit note issued here; only those can be credited"
        raise ConflictError(message)
    if invoice.lines is None or invoice.buyer is None or invoice.total_with_vat_minor is None:
        message = f"document {invoice.number} is incomplete"
        raise ConflictError(message)
    lines = _credited_lines(invoice, quantities) if quantities is not None else invoice.lines
    return Draft(
        type_code=TypeCode.CREDIT_NOTE,
        currency=invoice.currency,
        price_basis=invoice.price_basis or PriceBasis.NET,
        buyer=invoice.buyer,
        lines=lines,
        allowances_charges=_credited_adjustments(invoice, lines) if quantities is not None else invoice.allowances_charges,
        exemption_reasons=tuple((group.category, group.exemption_reason) for group in invoice.vat_breakdown if group.category and group.exemption_reason),
        tax_point_date=None,
        period=invoice.period,
        preceding_invoice=PrecedingInvoice(number=invoice.number, issue_date=invoice.issue_date, invoice_id=invoice.id),
        order_ids=invoice.order_ids or (),
        note=note,
    )


def credited_vat_faults(invoice: Invoice, totals: Totals, credited: Mapping[VatKey, int], *, rounding_minor: int) -> list[Fault]:
    """What a credit note would take back that its invoice did not charge: VAT of another category or rate, or more of one than is left.

    `credited` is what earlier credit notes took back, in the invoice's price basis. Of a recorded document that does not tell its VAT nothing is said.
    """
    charged = {VatKey(group.category, group.rate): group for group in invoice.vat_breakdown}
    faults = []
    for group in totals.vat_breakdown:
        key = VatKey(group.category, group.rate)
        known = charged.get(key) or charged.get(VatKey(None, key.rate))
        label = f"category {key.category} at {canonical(key.rate)} %"
        if known is None and charged:
            faults.append(fault("VAT-CREDIT", "lines", f"invoice {invoice.number} charges no VAT of {label}; to take back other VAT, give an override_reason"))
        elif known is not None and known.taxable_amount_minor is not None:
            left_minor = credited_amount(invoice, known) - credited.get(key, 0)
            if credited_amount(invoice, group) > max(0, left_minor) + rounding_minor:
                message = (
                    f"invoice {invoice.number} has {invoice.currency.format(left_minor)} of {label} left to credit; to take back more, give an override_reason"
                )
                faults.append(fault("VAT-CREDIT", "lines", message))
    return faults


def credited_amount(invoice: Invoice, group: VatBreakdown) -> int:
    """A group's amount in the price basis of the invoice, in which the parts of a line add up to it."""
    return (group.taxable_amount_minor or 0) + ((group.tax_amount_minor or 0) if invoice.price_basis is PriceBasis.GROSS else 0)


def tax_country_of(invoice: Invoice) -> str | None:
    """The country whose VAT a document charges: as kept with it or, of a document of an older release, as it is inferred."""
    if invoice.tax_country or invoice.seller is None or invoice.buyer is None:
        return invoice.tax_country
    supply = Supply(seller=invoice.seller, buyer=invoice.buyer, day=invoice.tax_point_date or invoice.issue_date)
    return infer_tax_country(supply, [VatKey(group.category, group.rate) for group in invoice.vat_breakdown])


def _part(invoice: Invoice, line: InvoiceLine, quantity: Decimal) -> InvoiceLine:
    """So much of a line, with its share of the line's allowances and charges; never more than the line, never below nothing."""
    shares = [replace(item, amount_minor=_share(item.amount_minor, quantity, line.quantity)) for item in line.allowances_charges]
    total = line_total(quantity=quantity, unit_price=line.unit_price, currency=invoice.currency, adjustments=shares)
    bounded = min(max(total, min(0, line.line_total_minor)), max(0, line.line_total_minor))
    if shares and bounded != total:
        # Price and allowance were rounded apart; the allowance takes the cent.
        difference = (bounded - total) * (1 if shares[0].is_charge else -1)
        shares[0] = replace(shares[0], amount_minor=shares[0].amount_minor + difference)
        total = bounded
    return replace(line, quantity=quantity, line_total_minor=total, allowances_charges=tuple(shares))


def _credited_adjustments(invoice: Invoice, credited: tuple[InvoiceLine, ...]) -> tuple[AllowanceCharge, ...]:
    """The document's allowances and charges, in proportion to what is credited of the lines of their VAT category and rate."""
    shares = []
    for item in invoice.allowances_charges:
        whole = sum(line.line_total_minor for line in invoice.lines or () if line.vat == item.vat)
        part = sum(line.line_total_minor for line in credited if line.vat == item.vat)
        amount = round_ratio(item.amount_minor * part * (1 if whole > 0 else -1), abs(whole)) if whole else 0
        if amount > 0:
            shares.append(replace(item, amount_minor=amount))
    return tuple(shares)


def _share(amount_minor: int, part: Decimal, whole: Decimal) -> int:
    scale = 10**DECIMAL_PLACES_MAX
    return round_ratio(amount_minor * abs(int(part * scale)), abs(int(whole * scale)))


def _credited_lines(invoice: Invoice, quantities: dict[int, Decimal]) -> tuple[InvoiceLine, ...]:
    lines = invoice.lines or ()
    faults = []
    credited = []
    for position, quantity in sorted(quantities.items()):
        if not 1 <= position <= len(lines):
            faults.append(fault("line", f"quantities.{position}", f"invoice {invoice.number} has lines 1 to {len(lines)}"))
            continue
        line = lines[position - 1]
        if quantity == 0 or abs(quantity) > abs(line.quantity) or (quantity > 0) != (line.quantity > 0):
            faults.append(fault("quantity", f"quantities.{position}", f"{quantity} is not a part of the {line.quantity} invoiced"))
            continue
        if quantity == line.quantity:
            credited.append(line)
            continue
        credited.append(_part(invoice, line, quantity))
    if not quantities:
        faults.append(fault("BR-16", "lines", "a credit note needs at least one line"))
    if faults:
        raise InvalidDocumentError(faults)
    return tuple(credited)
