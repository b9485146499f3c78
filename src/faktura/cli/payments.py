"""Commands on money: pay, deposit, allocate."""

from __future__ import annotations

from typing import Annotated

import typer

from faktura.cli.output import ID_MAX, JsonOption, amount, books, print_json, shown
from faktura.domain.calendar import parse_date
from faktura.domain.errors import SettingError
from faktura.domain.money import Currency, parse_decimal
from faktura.ledger.accounts import find_account, find_provider
from faktura.ledger.payments import PaymentResult, allocate_credit, pay
from faktura.ledger.ports import Books
from faktura.ledger.queries import get_invoice

Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="Such as 108 or 10.02.")]
Day = Annotated[str | None, typer.Option("--date", help="Value date; default today.")]
Reference = Annotated[str | None, typer.Option(help="The bank's reference.")]
Again = Annotated[bool, typer.Option("--again", help="Meant, although a payment of this reference, amount and date is recorded already.")]


def pay_command(
    invoice_id: Annotated[int, typer.Argument(min=1, max=ID_MAX, help="The ledger id of what is paid.")],
    paid: Amount,
    also: Annotated[list[int] | None, typer.Option("--also", min=1, max=ID_MAX, help="Another document that the payment covers; repeatable.")] = None,
    on: Day = None,
    reference: Reference = None,
    again: Again = False,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Record a payment of documents. What is over becomes credit of the account.

    Example: faktura pay 10000000027 108 --date 2024-09-01 --reference "SEPA 4711"
    """
    with books() as opened:
        target = get_invoice(opened, invoice_id=invoice_id)
        money = target.invoice.currency
        invoice_ids = [invoice_id, *(also or ())]
        _pay(opened, target.account.id, paid, money, on=on, reference=reference, again=again, invoice_ids=invoice_ids, as_json=as_json)


def deposit_command(
    provider: Annotated[str, typer.Argument(help="The provider's name.")],
    account: Annotated[str, typer.Argument(help="The account's reference.")],
    paid: Amount,
    currency: Annotated[str | None, typer.Option(help="Default: the provider's.")] = None,
    on: Day = None,
    reference: Reference = None,
    again: Again = False,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Record a payment that no document is named for: credit of the account, to be allocated later.

    Example: faktura deposit vps 17850 50 --reference "SEPA 4712"
    """
    with books() as opened:
        with opened.storage.reading() as tx:
            owner = find_provider(tx, provider)
            target = find_account(tx, owner, account)
        money = Currency(currency) if currency else owner.currency
        _pay(opened, target.id, paid, money, on=on, reference=reference, again=again, invoice_ids=[], as_json=as_json)


def allocate_command(
    payment_id: Annotated[int, typer.Argument(min=1, max=ID_MAX, help="The id of the payment, from `account show`.")],
    invoice_ids: Annotated[list[int], typer.Argument(min=1, max=ID_MAX, help="Ledger ids of what it settles, in this order.")],
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Settle documents with what is left of an earlier payment.

    Example: faktura allocate 10000000031 10000000035
    """
    with books() as opened:
        target = get_invoice(opened, invoice_id=invoice_ids[0])
        result = allocate_credit(opened, account_id=target.account.id, payment_id=payment_id, invoice_ids=invoice_ids)
        _show(opened, result, as_json=as_json)


def _pay(
    opened: Books,
    account_id: int,
    paid: str,
    money: Currency,
    *,
    on: str | None,
    reference: str | None,
    again: bool,
    invoice_ids: list[int],
    as_json: bool,
) -> None:
    try:
        amount_minor, paid_on = money.to_minor(parse_decimal(paid)), parse_date(on) if on else None
    except ValueError as error:
        raise SettingError(str(error)) from error
    result = pay(
        opened,
        account_id=account_id,
        amount_minor=amount_minor,
        currency=money,
        paid_on=paid_on,
        invoice_ids=invoice_ids,
        reference=reference,
        is_repeated=again,
    )
    _show(opened, result, as_json=as_json)


def _show(opened: Books, result: PaymentResult, *, as_json: bool) -> None:
    money = result.payment.currency
    if as_json:
        print_json(
            {
                "id": result.payment.id,
                "amount": amount(result.payment.amount_minor, money),
                "paid_on": result.payment.paid_on.isoformat(),
                "allocations": [{"invoice_id": item.invoice_id, "amount": amount(item.amount_minor, money)} for item in result.allocations],
                "credit": amount(result.credit_minor, money),
            }
        )
        return
    for item in result.allocations:
        settled = get_invoice(opened, invoice_id=item.invoice_id)
        typer.echo(f"{settled.invoice.number}: {money.format(item.amount_minor)} paid, {shown(settled.standing.due_minor, money)} due")
    if result.credit_minor:
        typer.echo(f"{money.format(result.credit_minor)} is credit of the account (payment {result.payment.id})")
