"""Commands for accounts: the customers of a provider."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faktura.cli.output import AsOf, JsonOption, On, books, moment, print_json, print_table
from faktura.cli.parties import read_party
from faktura.domain.errors import SettingError
from faktura.domain.party import Party
from faktura.domain.provider import Account
from faktura.ledger.accounts import (
    add_account,
    find_account,
    find_provider,
)
from faktura.ledger.balance import Balance, balance

accounts = typer.Typer(no_args_is_help=True, help="Accounts: the customers of a provider.")


@accounts.command("add")
def account_add(
    provider: Annotated[str, typer.Argument(help="The provider's name.")],
    reference: Annotated[str, typer.Argument(help="The provider's own name for the customer.")],
    name: Annotated[str | None, typer.Option(help="The buyer's name (BT-44); without it documents must bring their buyer.")] = None,
    country: Annotated[str | None, typer.Option(help="ISO 3166-1 code (BT-55).")] = None,
    vat_id: Annotated[str | None, typer.Option(help="With country prefix (BT-48).")] = None,
    registration_id: Annotated[str | None, typer.Option(help="Company register number, such as the EIK (BT-47).")] = None,
    street: Annotated[str | None, typer.Option()] = None,
    city: Annotated[str | None, typer.Option()] = None,
    post_code: Annotated[str | None, typer.Option()] = None,
    email: Annotated[str | None, typer.Option()] = None,
    buyer_file: Annotated[Path | None, typer.Option("--buyer", help="The buyer as JSON or TOML, with all terms, in place of the options above.")] = None,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Add an account.

    Example: faktura account add vps 17850 --name "Primer EOOD" --country BG
    """
    details = {"country": country, "vat_id": vat_id, "registration_id": registration_id, "street": street, "city": city}
    details |= {"post_code": post_code, "email": email}
    if buyer_file and (name or any(details.values())):
        raise SettingError("a buyer is a file or options, not both")
    if name is None and any(details.values()):
        raise SettingError("a buyer needs a --name")
    buyer = read_party(buyer_file, "buyer") if buyer_file else Party(name=name, **details) if name else None
    with books() as opened:
        account = add_account(opened, provider=provider, reference=reference, buyer=buyer)
    _show_accounts([account], as_json=as_json)


@accounts.command("list")
def account_list(provider: Annotated[str, typer.Argument(help="The provider's name.")], as_json: Annotated[bool, JsonOption] = False) -> None:
    """List a provider's accounts, with how many documents each one's API list has.

    Example: faktura account list vps
    """
    with books() as opened, opened.storage.reading() as tx:
        found = tx.accounts.all(find_provider(tx, provider).id)
    _show_accounts(found, as_json=as_json)


@accounts.command("show")
def account_show(
    provider: Annotated[str, typer.Argument(help="The provider's name.")],
    reference: Annotated[str, typer.Argument(help="The account's reference.")],
    as_of: AsOf = None,
    on: On = None,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Show an account, its balance in each currency, and what is left of its payments and credit notes: its credit; now or as they stood earlier.

    Example: faktura account show vps 17850 --on 2024-12-31
    """
    when = moment(as_of, on)
    with books() as opened:
        with opened.storage.reading() as tx:
            account = find_account(tx, find_provider(tx, provider), reference)
            credit = tx.payments.credit(account.id, when)
        balances = balance(opened, account_id=account.id, moment=when)
    if as_json:
        payments = [
            {
                "id": item.payment_id or item.credit_note_id,
                "kind": "payment" if item.payment_id else "credit note",
                "pro_forma_id": item.pro_forma_id,
                "paid_on": item.paid_on.isoformat(),
                "currency": item.currency.code,
                "credit": item.currency.to_decimal(item.credit_minor),
            }
            for item in credit
        ]
        buyer = account.buyer.to_mapping() if account.buyer else None
        balanced = [_balance_json(item) for item in balances]
        head = {"id": account.id, "reference": account.reference, "listed": account.listed_total, "buyer": buyer}
        print_json(head | {"balances": balanced, "credit": payments})
        return
    _show_accounts([account], as_json=False)
    if balances:
        columns = ["invoiced", "credited", "paid", "refunded", "paid elsewhere", "due", "overdue", "credit", "unknown"]
        names = ("invoiced_minor", "credited_minor", "paid_minor", "refunded_minor", "paid_elsewhere_minor", "due_minor", "overdue_minor", "credit_minor")
        table = [[*(item.currency.format(getattr(item, name)) for name in names), item.unknown_count] for item in balances]
        print_table(columns, table, right=frozenset(columns))
    if credit:
        rows = [
            [
                item.payment_id or item.credit_note_id,
                "payment" if item.payment_id else "credit note",
                item.pro_forma_id,
                item.paid_on,
                item.currency.format(item.credit_minor),
            ]
            for item in credit
        ]
        print_table(["id", "kind", "for pro-forma", "since", "credit"], rows, right=frozenset({"credit"}))


def _balance_json(item: Balance) -> dict[str, object]:
    money = item.currency
    return {
        "currency": money.code,
        "invoiced": money.to_decimal(item.invoiced_minor),
        "credited": money.to_decimal(item.credited_minor),
        "paid": money.to_decimal(item.paid_minor),
        "refunded": money.to_decimal(item.refunded_minor),
        "paid_elsewhere": money.to_decimal(item.paid_elsewhere_minor),
        "due": money.to_decimal(item.due_minor),
        "overdue": money.to_decimal(item.overdue_minor),
        "credit": {"credit_notes": money.to_decimal(item.credit_notes_minor), "payments": money.to_decimal(item.payments_minor)},
        "unknown": item.unknown_count,
    }


def _show_accounts(found: list[Account], *, as_json: bool) -> None:
    rows = [
        {"id": item.id, "reference": item.reference, "listed": item.listed_total, "buyer": item.buyer.to_mapping() if item.buyer else None} for item in found
    ]
    if as_json:
        print_json(rows)
        return
    columns = ["id", "reference", "listed", "buyer"]
    print_table(columns, [[item.id, item.reference, item.listed_total, item.buyer.name if item.buyer else None] for item in found])
