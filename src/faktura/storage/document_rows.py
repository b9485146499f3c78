"""A document -> the rows it is written as. Each value of a billing run passes here, so rows are tuples in the order of their statements."""

from __future__ import annotations

import json

from faktura.domain.invoice import AllowanceCharge, Invoice, InvoiceLine
from faktura.domain.money import canonical
from faktura.domain.vat import VatBreakdown, VatKey
from faktura.storage.rows import date_text, decimal_text, party_text

INVOICE_COLUMNS = (
    "account_id invoice_id wire_id source_wire_id origin type_code source_type series series_sequence number created_at_us issue_date currency "
    "price_basis seller buyer due_date tax_point_date period_start period_end line_total_minor allowance_total_minor charge_total_minor "
    "total_without_vat_minor vat_total_minor total_with_vat_minor vat_rate line_count breakdown_count preceding_number preceding_issue_date "
    "preceding_invoice_id order_ids note payment_terms override_reason tax_country pro_forma_id recorded_at_us"
).split()
"""In the order of `invoice_insert`."""


def invoice_values(invoice: Invoice) -> tuple[object, ...]:
    """The invoice's own row, without what hangs on it, as INVOICE_COLUMNS has them."""
    period, preceding = invoice.period, invoice.preceding_invoice
    return (
        invoice.account_id,
        invoice.id,
        invoice.wire_id,
        invoice.source_wire_id,
        invoice.origin.value,
        invoice.type_code.value if invoice.type_code else None,
        invoice.source_type,
        invoice.series,
        invoice.series_sequence,
        invoice.number,
        invoice.created_at_us,
        date_text(invoice.issue_date),
        invoice.currency.code,
        invoice.price_basis.value if invoice.price_basis else None,
        party_text(invoice.seller),
        party_text(invoice.buyer),
        date_text(invoice.due_date),
        date_text(invoice.tax_point_date),
        date_text(period.start) if period else None,
        date_text(period.end) if period else None,
        invoice.line_total_minor,
        invoice.allowance_total_minor,
        invoice.charge_total_minor,
        invoice.total_without_vat_minor,
        invoice.vat_total_minor,
        invoice.total_with_vat_minor,
        decimal_text(invoice.vat_rate),
        None if invoice.lines is None else len(invoice.lines),
        len(invoice.vat_breakdown),
        preceding.number if preceding else None,
        date_text(preceding.issue_date) if preceding else None,
        preceding.invoice_id if preceding else None,
        None if invoice.order_ids is None else json.dumps(invoice.order_ids) if invoice.order_ids else "[]",
        invoice.note,
        invoice.payment_terms,
        invoice.override_reason,
        invoice.tax_country,
        invoice.pro_forma_id,
        invoice.recorded_at_us,
    )


def invoice_row(invoice: Invoice) -> dict[str, object]:
    """The same by the columns' names."""
    return dict(zip(INVOICE_COLUMNS, invoice_values(invoice), strict=True))


LINE_COLUMNS = (
    "account_id invoice_id line_number name quantity unit_code unit_price line_total_minor net_amount_minor "
    "vat_category vat_rate item_id period_start period_end order_id"
).split()
"""In the order of `line_insert`."""


def line_values(line: InvoiceLine, *, account_id: int, invoice_id: int, line_number: int) -> tuple[object, ...]:
    """One invoice line's row, as LINE_COLUMNS has it; line numbers count from 1."""
    period, vat = line.period, line.vat
    return (
        account_id,
        invoice_id,
        line_number,
        line.name,
        canonical(line.quantity),
        line.unit_code,
        canonical(line.unit_price),
        line.line_total_minor,
        line.net_amount_minor,
        vat.category.value if vat and vat.category else None,
        canonical(vat.rate) if vat else None,
        line.item_id,
        date_text(period.start) if period else None,
        date_text(period.end) if period else None,
        line.order_id,
    )


def allowance_charge_row(item: AllowanceCharge, *, account_id: int, invoice_id: int, line_number: int, position: int) -> dict[str, object]:
    """One allowance or charge; line_number 0 is the document's."""
    return {
        "account_id": account_id,
        "invoice_id": invoice_id,
        "line_number": line_number,
        "position": position,
        "is_charge": int(item.is_charge),
        "amount_minor": item.amount_minor,
        "net_amount_minor": item.net_amount_minor,
        "reason": item.reason,
        "vat_category": _category_text(item.vat),
        "vat_rate": canonical(item.vat.rate) if item.vat else None,
    }


BREAKDOWN_COLUMNS = "account_id invoice_id position category rate taxable_amount_minor tax_amount_minor exemption_reason".split()
"""In the order of `vat_breakdown_insert`."""


def vat_breakdown_values(group: VatBreakdown, *, account_id: int, invoice_id: int, position: int) -> tuple[object, ...]:
    """One group of the VAT breakdown, as BREAKDOWN_COLUMNS has it."""
    return (
        account_id,
        invoice_id,
        position,
        group.category.value if group.category else None,
        canonical(group.rate),
        group.taxable_amount_minor,
        group.tax_amount_minor,
        group.exemption_reason,
    )


def _category_text(vat: VatKey | None) -> str | None:
    return vat.category.value if vat and vat.category else None
