"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from faktura.bootstrap.books import open_books
from faktura.config import read_settings
from faktura.domain.calendar import parse_date, parse_instant
from faktura.domain.errors import SettingError
from faktura.domain.moment import Moment
from faktura.domain.money import Currency
from faktura.ledger.ports import Books

EXIT_INCOMPLETE = 3
"""An import or a billing run left something out, or was contradicted; everything else went in."""

ID_MAX = 2**63 - 1
"""No id, count or number of a ledger is larger: BIGINT."""

JsonOption = typer.Option("--json", help="Print JSON for programs.")
AsOf = Annotated[str | None, typer.Option("--as-of", help="As the ledger was at this instant, such as 2024-09-24T21:00:00Z.")]
On = Annotated[str | None, typer.Option("--on", help="By value date: only what was issued and paid by this date.")]

_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def books(*, create: bool = False) -> AbstractContextManager[Books]:
    """The ledger that the environment names."""
    return open_books(read_settings(os.environ), create=create)


def moment(as_of: str | None, on: str | None) -> Moment:
    """The moment that --as-of and --on name; SettingError where they name none."""
    try:
        return Moment(as_of_us=None if as_of is None else parse_instant(as_of), on=day(on))
    except ValueError as error:
        raise SettingError(str(error)) from error


def day(text: str | None) -> date | None:
    """The date that an option names; SettingError where it names none."""
    try:
        return None if text is None else parse_date(text)
    except ValueError as error:
        raise SettingError(str(error)) from error


def progress() -> Progress:
    """A bar for people: only where standard error is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def print_json(value: object) -> None:
    """One JSON document on a line of its own."""
    sys.stdout.write(_encoder.encode(value).decode() + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: frozenset[str] = frozenset()) -> None:
    """A table as wide as its content: piped output is never cut."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else _harmless(str(cell)) for cell in row))
    wide = None if sys.stdout.isatty() else 10_000
    Console(markup=False, highlight=False, width=wide).print(table)


def _harmless(text: str) -> str:
    """Text of a source as a terminal may show it: control characters are written as escapes."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def shown(amount_minor: int | None, currency: Currency) -> str:
    """An amount for people; unknown is not zero."""
    return "unknown" if amount_minor is None else currency.format(amount_minor)


def instant(at_us: int | None) -> str | None:
    """An instant as ISO 8601 in UTC."""
    return None if at_us is None else f"{to_datetime(at_us):%Y-%m-%dT%H:%M:%S.%fZ}"


def invoice_json(invoice: Invoice, standing: Standing, *, state: State | None, provider: str, is_test: bool, account: str, whole: bool) -> dict[str, Any]:
    """A document with the names of EN 16931; `whole` adds parties, lines and VAT breakdown."""
    money = invoice.currency
    head: dict[str, Any] = {
        "id": invoice.id,
        "provider": provider,
        "is_test": is_test,
        "account": account,
        "wire_id": invoice.wire_id,
        "origin": invoice.origin.value,
        "type_code": invoice.type_code.value if invoice.type_code else None,
        "number": invoice.number,
        "issue_date": invoice.issue_date.isoformat(),
        "created_at": instant(invoice.created_at_us),
        "currency": money.code,
        "total_without_vat": amount(invoice.total_without_vat_minor, money),
        "vat_total": amount(invoice.vat_total_minor, money),
        "total_with_vat": amount(invoice.total_with_vat_minor, money),
        "paid_amount": amount(standing.paid_minor, money),
        "amount_due": amount(standing.due_minor, money),
        "state": state,
        "order_ids": invoice.order_ids,
    }
    if not whole:
        return head
    preceding = invoice.preceding_invoice
    return head | {
        "series": invoice.series,
        "source_type": invoice.source_type,
        "price_basis": invoice.price_basis,
        "seller": invoice.seller.to_mapping() if invoice.seller else None,
        "buyer": invoice.buyer.to_mapping() if invoice.buyer else None,
        "due_date": _day(invoice.due_date),
        "tax_point_date": _day(invoice.tax_point_date),
        "preceding_invoice": {"number": preceding.number, "issue_date": _day(preceding.issue_date), "id": preceding.invoice_id} if preceding else None,
        "pro_forma_id": invoice.pro_forma_id,
        "note": invoice.note,
        "payment_terms": invoice.payment_terms,
        "override_reason": invoice.override_reason,
        "tax_country": invoice.tax_country,
        "vat_rate": invoice.vat_rate,
        "lines": None if invoice.lines is None else [_line_json(line, money) for line in invoice.lines],
        "allowances_charges": [_adjustment_json(item, money) for item in invoice.allowances_charges],
        "vat_breakdown": [_breakdown_json(group, money) for group in invoice.vat_breakdown],
        "payments": None
        if standing.settlements is None
        else [{"amount": amount(item.amount_minor, money), "paid_at": instant(item.paid_at_us)} for item in standing.settlements],
    }


def _line_json(line: InvoiceLine, money: Currency) -> dict[str, Any]:
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
        "allowances_charges": [_adjustment_json(item, money) for item in line.allowances_charges],
    }


def _adjustment_json(item: AllowanceCharge, money: Currency) -> dict[str, Any]:
    return {"charge": item.is_charge, "amount": amount(item.amount_minor, money), "reason": item.reason}


def _breakdown_json(group: VatBreakdown, money: Currency) -> dict[str, Any]:
    return {
        "vat_category": group.category,
        "vat_rate": group.rate,
        "taxable_amount": amount(group.taxable_amount_minor, money),
        "tax_amount": amount(group.tax_amount_minor, money),
        "exemption_reason": group.exemption_reason,
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
