"""How balances are printed."""

from __future__ import annotations

from collections.abc import Sequence

from faktura.cli.output import print_table
from faktura.ledger.balance import Balance


def balance_json(item: Balance) -> dict[str, object]:
    """A balance for programs."""
    money = item.currency
    return {
        "currency": money.code,
        "invoiced": money.to_decimal(item.invoiced_minor),
        "credited": money.to_decimal(item.credited_minor),
        "paid": money.to_decimal(item.paid_minor),
        "paid_elsewhere": money.to_decimal(item.paid_elsewhere_minor),
        "refunded": money.to_decimal(item.refunded_minor),
        "due": money.to_decimal(item.due_minor),
        "overdue": money.to_decimal(item.overdue_minor),
        "credit": {"credit_notes": money.to_decimal(item.credit_notes_minor), "payments": money.to_decimal(item.payments_minor)},
        "unknown": item.unknown_count,
    }


def print_balances(found: Sequence[Balance]) -> None:
    """Balances for people, a currency a line."""
    columns = ["invoiced", "credited", "paid", "paid elsewhere", "refunded", "due", "overdue", "credit", "unknown"]
    names = [f"{column.replace(' ', '_')}_minor" for column in columns[:-1]]
    print_table(columns, [[*(item.currency.format(getattr(item, name)) for name in names), item.unknown_count] for item in found], right=frozenset(columns))
