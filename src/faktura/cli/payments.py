"""Commands on money: pay, deposit, allocate, refund, reverse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

import typer

from faktura.cli.output import ID_MAX, JsonOption, amount, books, print_json, shown
from faktura.domain.calendar import parse_date
from faktura.domain.errors import ConflictError, SettingError
from faktura.domain.money import Currency, parse_decimal
from faktura.domain.payment import Allocation
from faktura.ledger.accounts import find_account, find_provider
from faktura.ledger.payments import allocate_credit, pay
from faktura.ledger.ports import Books
from faktura.ledger.queries import get_credit, get_invoice
from faktura.ledger.refunds import refund, reverse_payment

Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="Such as 108 or 10.02.")]
Credit = Annotated[int, typer.Argument(min=1, max=ID_MAX, metavar="CREDIT_ID", help="The id of the payment or credit note, from `account show`.")]
Day = Annotated[str | None, typer.Option("--date", help="Value date; default today.")]
Reference = Annotated[str | None, typer.Option(help="The bank's reference.")]
Again = Annotated[bool, typer.Option("--again", help="Meant, although one of this reference, amount and date is recorded already.")]
Shares = Annotated[list[str] | None, typer.Option("--share", help="So much for one document, neither more nor less: ID=AMOUNT; repeatable.")]


def pay_command(
    invoice_id: Annotated[int, typer.Argument(min=1, max=ID_MAX, help="The ledger id of what is paid.")],
    paid: Amount,
    also: Annotated[list[int] | None, typer.Option("--also", min=1, max=ID_MAX, help="Another document that the payment covers; repeatable.")] = None,
    share: Shares = None,
    on: Day = None,
    reference: Reference = None,
    again: Again = False,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Record a payment of documents. What is over becomes credit of the account.

    Documents with a --share get that, the others what is left, in the order given. Money for a pro-forma, named alone, is
    kept for the invoice that will be made from it.

    Example: faktura pay 10000000027 108 --share 10000000035=58 --date 2024-09-01 --reference "SEPA 4711"
    """
    with books() as opened:
        target = get_invoice(opened, invoice_id=invoice_id)
        money = target.invoice.currency
        given = {"invoice_ids": [invoice_id, *(also or ())], "shares_minor": _shares(share, money)}
        _pay(opened, target.account.id, paid, money, on=on, reference=reference, again=again, given=given, as_json=as_json)


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
        _pay(opened, target.id, paid, money, on=on, reference=reference, again=again, given={}, as_json=as_json)


def allocate_command(
    credit_id: Credit,
    invoice_ids: Annotated[list[int] | None, typer.Argument(min=1, max=ID_MAX, help="Ledger ids of what it settles, in this order.")] = None,
    share: Shares = None,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Settle documents with what is left of an earlier payment, or of a credit note.

    Example: faktura allocate 10000000031 10000000035
    """
    with books() as opened:
        found = get_credit(opened, credit_id=credit_id)
        money, shares = found.credit.currency, _shares(share, found.credit.currency)
        named = _named(credit_id, is_payment=found.credit.payment is not None)
        result = allocate_credit(opened, account_id=found.account.id, invoice_ids=invoice_ids or [], shares_minor=shares, **named)
        if as_json:
            print_json({"id": credit_id, "label": found.credit.label} | _settled(result.allocations, result.credit_minor, money))
        else:
            _show(opened, found.credit.label, result.allocations, result.credit_minor, money)


def refund_command(
    credit_id: Credit,
    given_back: Annotated[str | None, typer.Argument(metavar="[AMOUNT]", help="Such as 108 or 10.02; default: all that is left.")] = None,
    on: Day = None,
    reference: Reference = None,
    again: Again = False,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Record money given back to the buyer, from what is left of a payment or of a credit note.

    Example: faktura refund 10000000031 20 --reference "SEPA 4713"
    """
    with books() as opened:
        found = get_credit(opened, credit_id=credit_id)
        money, is_payment = found.credit.currency, found.credit.payment is not None
        made = refund(
            opened,
            account_id=found.account.id,
            amount_minor=None if given_back is None else _minor(given_back, money),
            refunded_on=_date(on),
            reference=reference,
            is_repeated=again,
            **_named(credit_id, is_payment=is_payment),
        )
        if as_json:
            source = {"payment_id": made.payment_id, "credit_note_id": made.credit_note_id}
            print_json({"id": made.id} | source | {"amount": amount(made.amount_minor, money), "refunded_on": made.refunded_on.isoformat()})
        else:
            typer.echo(f"{money.format(made.amount_minor)} of {found.credit.label} given back on {made.refunded_on}")


def reverse_command(
    payment_id: Annotated[int, typer.Argument(min=1, max=ID_MAX, help="The id of the payment.")],
    reason: Annotated[str, typer.Argument(help="Why it counts no more.")],
    on: Day = None,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Record that a payment bounced or was charged back: all that it settled is due again.

    Example: faktura reverse 10000000031 "insufficient funds" --date 2024-09-03
    """
    with books() as opened:
        found = get_credit(opened, credit_id=payment_id)
        payment = found.credit.payment
        if payment is None:
            message = f"{found.credit.label} is not a payment"
            raise ConflictError(message)
        made = reverse_payment(opened, account_id=found.account.id, payment_id=payment_id, reversed_on=_date(on), reason=reason)
        with opened.storage.reading() as tx:
            settled = tx.payments.settled(found.account.id, payment_id)
        if as_json:
            print_json({"id": made.id, "payment_id": payment_id, "reversed_on": made.reversed_on.isoformat(), "reason": reason, "invoice_ids": settled})
            return
        typer.echo(f"payment {payment_id} of {payment.currency.format(payment.amount_minor)} counts no more")
        _show_due(opened, settled)


def _pay(
    opened: Books,
    account_id: int,
    paid: str,
    money: Currency,
    *,
    on: str | None,
    reference: str | None,
    again: bool,
    given: Mapping[str, Any],
    as_json: bool,
) -> None:
    terms: dict[str, Any] = {"paid_on": _date(on), "reference": reference, "is_repeated": again}
    result = pay(opened, account_id=account_id, amount_minor=_minor(paid, money), currency=money, **terms, **given)
    payment = result.payment
    if as_json:
        told = {"id": payment.id, "amount": amount(payment.amount_minor, money), "paid_on": payment.paid_on.isoformat(), "pro_forma_id": payment.pro_forma_id}
        print_json(told | _settled(result.allocations, result.credit_minor, money))
        return
    _show(opened, f"payment {payment.id}", result.allocations, result.credit_minor, money)
    if payment.pro_forma_id:
        _show_due(opened, [payment.pro_forma_id])


def _settled(allocations: Sequence[Allocation], credit_minor: int, money: Currency) -> dict[str, Any]:
    parts = [{"invoice_id": item.invoice_id, "amount": amount(item.amount_minor, money)} for item in allocations]
    return {"allocations": parts, "credit": amount(credit_minor, money)}


def _show(opened: Books, label: str, allocations: Sequence[Allocation], credit_minor: int, money: Currency) -> None:
    for item in allocations:
        settled = get_invoice(opened, invoice_id=item.invoice_id)
        typer.echo(f"{settled.invoice.number}: {money.format(item.amount_minor)} paid, {shown(settled.standing.due_minor, money)} due")
    if credit_minor:
        typer.echo(f"{money.format(credit_minor)} is credit of the account ({label})")


def _show_due(opened: Books, invoice_ids: Sequence[int]) -> None:
    for invoice_id in invoice_ids:
        found = get_invoice(opened, invoice_id=invoice_id)
        typer.echo(f"{found.invoice.number}: {shown(found.standing.due_minor, found.invoice.currency)} due")


def _named(credit_id: int, *, is_payment: bool) -> dict[str, int]:
    return {"payment_id" if is_payment else "credit_note_id": credit_id}


def _shares(options: Sequence[str] | None, money: Currency) -> dict[int, int]:
    shares: dict[int, int] = {}
    for option in options or ():
        number, _, given = option.partition("=")
        if not (number.isascii() and number.isdigit() and given) or int(number) > ID_MAX:
            message = f"--share {option!r} must be ID=AMOUNT, such as 10000000027=50"
            raise SettingError(message)
        if int(number) in shares:
            message = f"--share names document {int(number)} twice"
            raise SettingError(message)
        shares[int(number)] = _minor(given, money)
    return shares


def _minor(text: str, money: Currency) -> int:
    try:
        return money.to_minor(parse_decimal(text))
    except ValueError as error:
        raise SettingError(str(error)) from error


def _date(text: str | None) -> date | None:
    try:
        return parse_date(text) if text else None
    except ValueError as error:
        raise SettingError(str(error)) from error
