"""An invoice as JSON, with the names of EN 16931: for the command line and the management API."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from faktura.domain.calendar import instant_text
from faktura.domain.invoice import AllowanceCharge, Invoice, InvoiceLine
from faktura.domain.money import Currency, canonical
from faktura.domain.payment import Standing
from faktura.domain.state import State
from faktura.domain.vat import VatBreakdown


def amount(amount_minor: int | None, currency: Currency) -> Decimal | None:
    """An amount with all its decimals, or null: unknown is not zero."""
    return None if amount_minor is None else currency.to_decimal(amount_minor)


def invoice_head(invoice: Invoice, standing: Standing, *, state: State | None, provider: str, is_test: bool, account: str) -> dict[str, Any]:
    """A document without parties and lines."""
    money = invoice.currency
    return {
        "id": invoice.id,
        "provider": provider,
        "is_test": is_test,
        "account": account,
        "wire_id": invoice.wire_id,
        "origin": invoice.origin.value,
        "type_code": invoice.type_code.value if invoice.type_code else None,
        "number": invoice.number,
        "issue_date": invoice.issue_date.isoformat(),
        "due_date": _day(invoice.due_date),
        "created_at": instant_text(invoice.created_at_us),
        "recorded_at": instant_text(invoice.recorded_at_us),
        "currency": money.code,
        "total_without_vat": amount(invoice.total_without_vat_minor, money),
        "vat_total": amount(invoice.vat_total_minor, money),
        "total_with_vat": amount(invoice.total_with_vat_minor, money),
        "paid_amount": amount(standing.paid_minor, money),
        "amount_due": amount(standing.due_minor, money),
        "state": state,
        "order_ids": invoice.order_ids,
    }


def invoice_body(invoice: Invoice, standing: Standing) -> dict[str, Any]:
    """Parties, lines, VAT breakdown and payments of a document."""
    money, preceding = invoice.currency, invoice.preceding_invoice
    return {
        "series": invoice.series,
        "source_type": invoice.source_type,
        "price_basis": invoice.price_basis,
        "seller": invoice.seller.to_mapping() if invoice.seller else None,
        "buyer": invoice.buyer.to_mapping() if invoice.buyer else None,
        "tax_point_date": _day(invoice.tax_point_date),
        "preceding_invoice": {"number": preceding.number, "issue_date": _day(preceding.issue_date), "id": preceding.invoice_id} if preceding else None,
        "pro_forma_id": invoice.pro_forma_id,
        "note": invoice.note,
        "payment_terms": invoice.payment_terms,
        "override_reason": invoice.override_reason,
        "tax_country": invoice.tax_country,
        "vat_rate": invoice.vat_rate,
        "lines": None if invoice.lines is None else [_line(line, money) for line in invoice.lines],
        "allowances_charges": [
            _adjustment(item, money) | {"vat_category": item.vat.category if item.vat else None, "vat_rate": item.vat.rate if item.vat else None}
            for item in invoice.allowances_charges
        ],
        "vat_breakdown": [_breakdown(group, money) for group in invoice.vat_breakdown],
        "payments": None
        if standing.settlements is None
        else [{"amount": amount(item.amount_minor, money), "paid_at": instant_text(item.paid_at_us)} for item in standing.settlements],
    }


def _line(line: InvoiceLine, money: Currency) -> dict[str, Any]:
    return {
        "name": line.name,
        "item_id": line.item_id,
        "quantity": Decimal(canonical(line.quantity)),
        "unit_code": line.unit_code,
        "unit_price": Decimal(canonical(line.unit_price)),
        "line_total": amount(line.line_total_minor, money),
        "net_amount": amount(line.net_amount_minor, money),
        "vat_category": line.vat.category if line.vat else None,
        "vat_rate": line.vat.rate if line.vat else None,
        "period": {"start": _day(line.period.start), "end": _day(line.period.end)} if line.period else None,
        "order_id": line.order_id,
        "allowances_charges": [_adjustment(item, money) for item in line.allowances_charges],
    }


def _adjustment(item: AllowanceCharge, money: Currency) -> dict[str, Any]:
    return {"charge": item.is_charge, "amount": amount(item.amount_minor, money), "reason": item.reason}


def _breakdown(group: VatBreakdown, money: Currency) -> dict[str, Any]:
    return {
        "vat_category": group.category,
        "vat_rate": group.rate,
        "taxable_amount": amount(group.taxable_amount_minor, money),
        "tax_amount": amount(group.tax_amount_minor, money),
        "exemption_reason": group.exemption_reason,
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
