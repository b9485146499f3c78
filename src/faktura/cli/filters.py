"""The options by which commands choose documents, and what they mean."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

import typer

from faktura.cli.output import ID_MAX, day, print_table
from faktura.domain.errors import SettingError
from faktura.domain.invoice import TypeCode
from faktura.domain.money import Currency
from faktura.domain.state import State
from faktura.ledger.collecting import contradicted_count
from faktura.ledger.exporting import AMOUNTS, LeftOut
from faktura.ledger.listing_query import DocumentFilter
from faktura.ledger.ports import Books
from faktura.ledger.selection import DocumentSort

OfProvider = Annotated[str | None, typer.Option("--provider", help="Only of this provider.")]
OfAccount = Annotated[str | None, typer.Option("--account", help="Only of accounts with this reference.")]
OfNumber = Annotated[str | None, typer.Option("--number", help="Only this number, in any case.")]
IsOpen = Annotated[bool, typer.Option("--open", help="Only with an amount known to be due.")]
OfType = Annotated[list[int] | None, typer.Option("--type", help="Only of this type, such as 380 or 381; repeatable.")]
InState = Annotated[State | None, typer.Option("--state", help="Only in this state.")]
InCurrency = Annotated[str | None, typer.Option("--currency", help="Only in this currency, such as EUR.")]
InMonth = Annotated[str | None, typer.Option("--month", help="Only issued in this month, such as 2026-10.")]
From = Annotated[str | None, typer.Option("--from", help="Only issued on this date or later.")]
To = Annotated[str | None, typer.Option("--to", help="Only issued on this date or earlier.")]
OfOrder = Annotated[int | None, typer.Option("--order-id", min=1, max=ID_MAX, help="Only what bills this order.")]
Sort = Annotated[DocumentSort | None, typer.Option("--sort", help="By what, a minus is descending; default: by creation, newest first.")]
_TITLES = dict(zip(AMOUNTS, ("without VAT", "VAT", "with VAT", "paid", "due"), strict=True))
SumBy = Annotated[list[str] | None, typer.Option("--sum", help="Add up by provider, account, month, currency, state or type; repeatable, or with commas.")]


def document_filter(
    *,
    number: str | None,
    type_code: list[int] | None,
    state: State | None,
    currency: str | None,
    month: str | None,
    issued_from: str | None,
    issued_to: str | None,
    order_id: int | None,
) -> DocumentFilter:
    """The filter that the options make; SettingError for what they cannot mean."""
    if month is not None and (issued_from or issued_to):
        raise SettingError("--month names the days already: leave --from and --to out")
    first, last = (day(issued_from), day(issued_to)) if month is None else month_days(month)
    return DocumentFilter(
        number=number,
        type_codes=_type_codes(type_code),
        state=state,
        issued_from=first,
        issued_to=last,
        order_id=order_id,
        currency=None if currency is None else Currency(currency.upper()),
    )


def month_days(text: str) -> tuple[date, date]:
    """The first and last day of a month such as 2026-10; SettingError for what is none."""
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError as error:
        message = f"--month {text!r} must be a month such as 2026-10"
        raise SettingError(message) from error
    return first, first.replace(day=monthrange(first.year, first.month)[1])


def tell_contradicted(opened: Books, provider: str | None) -> None:
    """Say where documents are listed, or added up, that their sources contradicted or took back: they are as they were first said."""
    count = contradicted_count(opened, provider=provider)
    if count:
        typer.echo(
            f"Documents that their sources changed or do not show any more: {count}, here as they were first said; `faktura changes` lists them.", err=True
        )


def tell_left_out(left_out: LeftOut, *, can_have_pro_formas: bool = True) -> None:
    """Say on standard error what was left out, because nobody asked for it by name."""
    if left_out.pro_formas:
        how = "--type 325 asks for them" if can_have_pro_formas else "there is no e-invoice of them"
        typer.echo(f"Left out: pro-formas ({left_out.pro_formas}), which are no invoices; {how}.", err=True)
    if left_out.of_test_providers:
        typer.echo(f"Left out: documents of test providers ({left_out.of_test_providers}); --provider asks for them.", err=True)


def print_sums(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    """Groups as a table for people: beside each amount, of how many documents it is unknown."""
    heads = {**dict.fromkeys(columns), "currency": None, "count": None}
    titles = [*heads, *(part for title in _TITLES.values() for part in (title, f"{title} unknown"))]
    table = []
    for row in rows:
        cells = ["unknown" if row[name] is None else row[name] for name in heads]
        for name in _TITLES:
            cells += ["unknown" if row[name] is None else f"{row[name]:f}", row[f"{name}_unknown"] or ""]
        table.append(cells)
    print_table(titles, table, right=frozenset(titles) - frozenset(columns) - {"currency"})


def _type_codes(codes: list[int] | None) -> tuple[TypeCode, ...]:
    try:
        return tuple(TypeCode(code) for code in codes or ())
    except ValueError as error:
        message = f"--type must be one of {', '.join(f'{code.value} ({code.label})' for code in TypeCode)}"
        raise SettingError(message) from error
