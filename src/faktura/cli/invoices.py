"""Commands on documents: issue, list, show, pay, credit."""

from __future__ import annotations

import sys
import tomllib
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from faktura.cli.filters import (
    From,
    InCurrency,
    InMonth,
    InState,
    IsOpen,
    OfAccount,
    OfNumber,
    OfOrder,
    OfProvider,
    OfType,
    Sort,
    SumBy,
    To,
    document_filter,
    print_sums,
    tell_contradicted,
    tell_left_out,
)
from faktura.cli.output import ID_MAX, AsOf, JsonOption, On, books, moment, print_json, print_table, shown
from faktura.cli.rendering import invoice_render
from faktura.documents import strict_json
from faktura.documents.invoice_json import invoice_body, invoice_head
from faktura.documents.sum_table import sum_json
from faktura.domain.calendar import legal_date, parse_date
from faktura.domain.draft import parse_draft
from faktura.domain.errors import InputError, SettingError
from faktura.domain.money import canonical, parse_decimal
from faktura.ledger.accounts import find_account, find_provider
from faktura.ledger.commands import credit, issue
from faktura.ledger.exporting import LeftOut, SumField, Wanted, sum_documents
from faktura.ledger.listing_query import DocumentHead, list_invoices
from faktura.ledger.pro_forma import invoice_pro_forma
from faktura.ledger.queries import Statement, get_invoice

invoices = typer.Typer(no_args_is_help=True, help="Invoices, pro-formas, credit and debit notes.")

LIST_LIMIT = 50


@invoices.command("issue")
def invoice_issue(
    provider: Annotated[str, typer.Argument(help="The provider's name.")],
    account: Annotated[str, typer.Argument(help="The account's reference.")],
    file: Annotated[Path, typer.Argument(help="The document: JSON, or TOML with the ending .toml; - is JSON from standard input.")],
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Issue a document. All its mistakes are named at once, and then nothing is written and no number taken.

    Example: faktura invoice issue vps 17850 invoice.toml
    """
    data = read_document(file)
    with books() as opened:
        with opened.storage.reading() as tx:
            owner = find_provider(tx, provider)
            target = find_account(tx, owner, account)
        draft = parse_draft(data, currency=owner.currency, buyer=target.buyer, seller=owner.seller, today=legal_date(opened.clock(), owner.zone))
        invoice = issue(opened, account_id=target.id, draft=draft)
        _show(get_invoice(opened, invoice_id=invoice.id), as_json=as_json)


@invoices.command("list")
def invoice_list(
    provider: OfProvider = None,
    account: OfAccount = None,
    number: OfNumber = None,
    is_open: IsOpen = False,
    type_code: OfType = None,
    state: InState = None,
    currency: InCurrency = None,
    month: InMonth = None,
    issued_from: From = None,
    issued_to: To = None,
    order_id: OfOrder = None,
    sort: Sort = None,
    as_of: AsOf = None,
    on: On = None,
    limit: Annotated[int | None, typer.Option(min=1, help=f"At most so many; default {LIST_LIMIT}, with --json all.")] = None,
    sum_by: SumBy = None,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """List documents of all providers, newest first. --json prints a document a line.

    --sum adds them up instead, by provider, account, month, currency, state or type, several separated by commas: credit notes
    negative, each currency on its own, the unknown beside. Pro-formas and test providers are left out unless --type or --provider names them.

    Example: faktura invoice list --provider vps --open --type 380 --from 2024-01-01 --to 2024-03-31; faktura invoice list --sum provider,month
    """
    filters = document_filter(
        number=number,
        type_code=type_code,
        state=state,
        currency=currency,
        month=month,
        issued_from=issued_from,
        issued_to=issued_to,
        order_id=order_id,
    )
    when = moment(as_of, on)
    if sum_by:
        if limit is not None or sort is not None:
            raise SettingError("--sum adds up everything that is asked for: leave --limit and --sort out")
        _show_sums(Wanted(provider=provider, account=account, filters=filters, is_open=is_open, sort=None, moment=when), sum_by, as_json=as_json)
        return
    count = min(limit or (ID_MAX if as_json else LIST_LIMIT), ID_MAX)
    with books() as opened, ExitStack() as stack:
        tell_contradicted(opened, provider)
        listed = list_invoices(opened, provider=provider, account=account, filters=filters, is_open=is_open, sort=sort, moment=when, limit=count)
        found = stack.enter_context(closing(listed))
        if as_json:
            for item in found:
                print_json(invoice_head(item.invoice, item.standing, state=item.state, provider=item.provider, is_test=item.is_test, account=item.account))
            return
        columns = ["id", "provider", "account", "type", "number", "issue date", "total", "due"]
        rows = [_row(item) for item in found]
        print_table(columns, rows, right=frozenset({"total", "due"}))
        if limit is None and len(rows) == LIST_LIMIT:
            typer.echo(f"The {'newest' if sort is None else 'first'} {LIST_LIMIT}; --limit shows more.", err=True)


def _show_sums(wanted: Wanted, names: list[str], *, as_json: bool) -> None:
    try:
        by = [SumField(name.strip()) for text in names for name in text.split(",")]
    except ValueError as error:
        message = f"--sum {','.join(names)!r} must name {', '.join(SumField)}"
        raise SettingError(message) from error
    left_out = LeftOut()
    with books() as opened:
        tell_contradicted(opened, wanted.provider)
        sums = sum_documents(opened, wanted, by=by, left_out=left_out)
    rows = sum_json(sums)
    if as_json:
        for row in rows:
            print_json(row)
    else:
        print_sums([column.value for column in sums.columns], rows)
    tell_left_out(left_out)


def _row(item: DocumentHead) -> list[object]:
    return [
        item.invoice.id,
        item.provider,
        item.account,
        item.invoice.type_code.label if item.invoice.type_code else item.invoice.source_type,
        item.invoice.number,
        item.invoice.issue_date,
        shown(item.invoice.total_with_vat_minor, item.invoice.currency),
        shown(item.standing.due_minor, item.invoice.currency),
    ]


@invoices.command("show")
def invoice_show(
    invoice_id: Annotated[int, typer.Argument(min=1, max=ID_MAX, help="The ledger id, from `invoice list`.")],
    as_of: AsOf = None,
    on: On = None,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Show a document whole, now or as it stood earlier.

    Example: faktura invoice show 10000000027 --as-of 2024-09-24T21:00:00Z --json
    """
    when = moment(as_of, on)
    with books() as opened:
        _show(get_invoice(opened, invoice_id=invoice_id, moment=when), as_json=as_json)


@invoices.command("from-pro-forma")
def invoice_from_pro_forma(
    pro_forma_id: Annotated[int, typer.Argument(min=1, max=ID_MAX, help="The ledger id of the pro-forma.")],
    issued_on: Annotated[str | None, typer.Option("--date", help="Issue date (BT-2); default today.")] = None,
    due: Annotated[str | None, typer.Option("--due", help="Due date (BT-9); default none.")] = None,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Issue the invoice for a pro-forma: a new document, settled by the payments that came for the pro-forma.

    Example: faktura invoice from-pro-forma 10000000027 --due 2024-09-15
    """
    try:
        issue_date, due_date = (parse_date(text) if text else None for text in (issued_on, due))
    except ValueError as error:
        raise SettingError(str(error)) from error
    with books() as opened:
        target = get_invoice(opened, invoice_id=pro_forma_id)
        invoice = invoice_pro_forma(opened, account_id=target.account.id, pro_forma_id=pro_forma_id, issue_date=issue_date, due_date=due_date)
        _show(get_invoice(opened, invoice_id=invoice.id), as_json=as_json)


invoices.command("render")(invoice_render)


def credit_command(
    invoice_id: Annotated[int, typer.Argument(min=1, max=ID_MAX, help="The ledger id of the invoice to credit.")],
    line: Annotated[list[str] | None, typer.Option("--line", help="Credit only this much of a line: NUMBER=QUANTITY, counted from 1; repeatable.")] = None,
    note: Annotated[str | None, typer.Option(help="Why; shown on the credit note.")] = None,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Issue a credit note for an invoice, or for parts of its lines.

    Example: faktura credit 10000000027 --line 2=1 --note "one month too much"
    """
    with books() as opened:
        target = get_invoice(opened, invoice_id=invoice_id)
        quantities = _quantities(line) if line else None
        invoice = credit(opened, account_id=target.account.id, invoice_id=invoice_id, quantities=quantities, note=note)
        _show(get_invoice(opened, invoice_id=invoice.id), as_json=as_json)


def _quantities(options: list[str]) -> dict[int, Decimal]:
    quantities = {}
    for option in options:
        number, _, quantity = option.partition("=")
        try:
            position, part = int(number), parse_decimal(quantity)
        except ValueError as error:
            message = f"--line {option!r} must be NUMBER=QUANTITY, such as 2=1"
            raise SettingError(message) from error
        if position in quantities:
            message = f"--line names line {position} twice"
            raise SettingError(message)
        quantities[position] = part
    return quantities


def read_document(file: Path) -> object:
    """What a JSON or TOML file says; `-` is JSON from standard input. Raises InputError."""
    try:
        text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        if file.suffix == ".toml":
            return tomllib.loads(text.decode(), parse_float=Decimal)
        return strict_json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        message = f"{file}: {error}"
        raise InputError(message) from error


def _show(statement: Statement, *, as_json: bool) -> None:
    invoice, standing, owner = statement.invoice, statement.standing, statement.provider
    if as_json:
        head = invoice_head(invoice, standing, state=statement.state, provider=owner.name, is_test=owner.is_test, account=statement.account.reference)
        print_json(head | invoice_body(invoice, standing))
        return
    money = invoice.currency
    label = invoice.type_code.label if invoice.type_code else invoice.source_type
    typer.echo(f"{label} {invoice.number} of {invoice.issue_date} ({owner.name}, account {statement.account.reference}, id {invoice.id})")
    if statement.state:
        typer.echo(f"state: {statement.state}")
    if invoice.buyer:
        typer.echo(f"buyer: {invoice.buyer.name}")
    if invoice.lines:
        rows = [[line.name, canonical(line.quantity), canonical(line.unit_price), shown(line.line_total_minor, money)] for line in invoice.lines]
        print_table(["line", "quantity", "unit price", "total"], rows, right=frozenset({"quantity", "unit price", "total"}))
    _show_totals(statement)


def _show_totals(statement: Statement) -> None:
    invoice, standing = statement.invoice, statement.standing
    terms = {
        "without VAT": invoice.total_without_vat_minor,
        "VAT": invoice.vat_total_minor,
        "with VAT": invoice.total_with_vat_minor,
        "paid": standing.paid_minor,
        "due": standing.due_minor,
    }
    print_table(["", "amount"], [[name, shown(value, invoice.currency)] for name, value in terms.items()], right=frozenset({"amount"}))
