"""Documents as rows of a table, for CSV and spreadsheets: a row a document, or a row a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum

from faktura.documents.invoice_json import amount
from faktura.domain.calendar import instant_text
from faktura.domain.invoice import InvoiceLine
from faktura.domain.money import canonical
from faktura.domain.party import Party
from faktura.ledger.listing_query import DocumentHead

Cell = str | int | Decimal | date | None
"""None is unknown, and an empty cell: never a zero."""


class Kind(Enum):
    """What a column holds."""

    TEXT = "text"
    WHOLE = "whole"
    """An integer: an id or a code."""
    AMOUNT = "amount"
    """Money with all the decimals of its currency."""
    DECIMAL = "decimal"
    """A quantity, price or rate."""
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, what it holds, and how wide a spreadsheet shows it."""

    name: str
    kind: Kind
    width: int


def _columns(text: str, kind: Kind, width: int) -> tuple[Column, ...]:
    return tuple(Column(name, kind, width) for name in text.split())


_SAME = (
    *_columns("id", Kind.WHOLE, 14),
    *_columns("provider account", Kind.TEXT, 16),
    *_columns("type_code", Kind.WHOLE, 9),
    *_columns("type number", Kind.TEXT, 16),
    *_columns("issue_date", Kind.DATE, 11),
    *_columns("currency", Kind.TEXT, 9),
)
DOCUMENT_COLUMNS = (
    *_SAME,
    *_columns("due_date", Kind.DATE, 11),
    *_columns("state", Kind.TEXT, 12),
    *_columns("total_without_vat vat_total total_with_vat paid_amount amount_due", Kind.AMOUNT, 16),
    *_columns("vat_rate", Kind.DECIMAL, 9),
    *_columns("seller_name", Kind.TEXT, 28),
    *_columns("seller_vat_id seller_country", Kind.TEXT, 15),
    *_columns("buyer_name", Kind.TEXT, 28),
    *_columns("buyer_vat_id buyer_country", Kind.TEXT, 15),
    *_columns("tax_country price_basis", Kind.TEXT, 11),
    *_columns("tax_point_date", Kind.DATE, 13),
    *_columns("preceding_number order_ids", Kind.TEXT, 16),
    *_columns("origin", Kind.TEXT, 10),
    *_columns("is_test wire_id", Kind.WHOLE, 10),
    *_columns("created_at recorded_at", Kind.TEXT, 27),
)
LINE_COLUMNS = (
    *_SAME,
    *_columns("line_number", Kind.WHOLE, 11),
    *_columns("name", Kind.TEXT, 40),
    *_columns("item_id", Kind.TEXT, 14),
    *_columns("quantity", Kind.DECIMAL, 10),
    *_columns("unit_code", Kind.TEXT, 9),
    *_columns("unit_price", Kind.DECIMAL, 12),
    *_columns("line_total net_amount", Kind.AMOUNT, 16),
    *_columns("vat_category", Kind.TEXT, 12),
    *_columns("vat_rate", Kind.DECIMAL, 9),
    *_columns("period_start period_end", Kind.DATE, 12),
    *_columns("order_id", Kind.WHOLE, 12),
)


def document_row(head: DocumentHead) -> tuple[Cell, ...]:
    """A document as DOCUMENT_COLUMNS has it. Amounts of a credit note are negative, so that a column adds up."""
    invoice, standing, money = head.invoice, head.standing, head.invoice.currency
    given = (invoice.total_without_vat_minor, invoice.vat_total_minor, invoice.total_with_vat_minor, standing.paid_minor, standing.due_minor)
    return (
        *_same(head),
        invoice.due_date,
        None if head.state is None else head.state.value,
        *(amount(None if value is None else invoice.sign * value, money) for value in given),
        None if invoice.vat_rate is None else Decimal(canonical(invoice.vat_rate)),
        *_party(invoice.seller),
        *_party(invoice.buyer),
        invoice.tax_country,
        None if invoice.price_basis is None else invoice.price_basis.value,
        invoice.tax_point_date,
        None if invoice.preceding_invoice is None else invoice.preceding_invoice.number,
        None if invoice.order_ids is None else " ".join(map(str, invoice.order_ids)),
        invoice.origin.value,
        int(head.is_test),
        invoice.wire_id,
        instant_text(invoice.created_at_us),
        instant_text(invoice.recorded_at_us),
    )


def line_rows(head: DocumentHead) -> Iterator[tuple[Cell, ...]]:
    """The lines of a whole document as LINE_COLUMNS has them; one row without a line where its lines are unknown, or it has none."""
    same = _same(head)
    for number, line in enumerate(head.invoice.lines or (), 1):
        yield (*same, number, *_line(head, line))
    if not head.invoice.lines:
        yield (*same, *(None for _ in LINE_COLUMNS[len(same) :]))


def _same(head: DocumentHead) -> tuple[Cell, ...]:
    invoice = head.invoice
    return (
        invoice.id,
        head.provider,
        head.account,
        None if invoice.type_code is None else invoice.type_code.value,
        invoice.source_type if invoice.type_code is None else invoice.type_code.label,
        invoice.number,
        invoice.issue_date,
        invoice.currency.code,
    )


def _line(head: DocumentHead, line: InvoiceLine) -> tuple[Cell, ...]:
    sign, money = head.invoice.sign, head.invoice.currency
    return (
        line.name,
        line.item_id,
        Decimal(canonical(line.quantity)),
        line.unit_code,
        Decimal(canonical(line.unit_price)),
        amount(sign * line.line_total_minor, money),
        amount(None if line.net_amount_minor is None else sign * line.net_amount_minor, money),
        line.vat.category.value if line.vat and line.vat.category else None,
        Decimal(canonical(line.vat.rate)) if line.vat else None,
        line.period.start if line.period else None,
        line.period.end if line.period else None,
        line.order_id,
    )


def _party(party: Party | None) -> tuple[Cell, ...]:
    return (None, None, None) if party is None else (party.name, party.vat_id, party.country)
