"""VAT for declarations: the report of a period, its lock, and the proofs of VAT ids."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import fields
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import typer

from faktura.cli.output import JsonOption, amount, books, instant, print_json, print_table
from faktura.cli.providers import accounts
from faktura.domain.calendar import parse_date, parse_instant
from faktura.domain.errors import SettingError
from faktura.domain.vat_check import VatIdCheck
from faktura.domain.vat_report import OssRow, RecapitulativeRow, SalesRow, VatSummaryRow
from faktura.ledger.accounts import find_account, find_provider
from faktura.ledger.periods import lock_period
from faktura.ledger.vat_checks import record_vat_check, vat_checks
from faktura.ledger.vat_report import sales_ledger, vat_report

_RIGHT = frozenset({"rate", "taxable", "tax", "documents"})
_AMOUNTS = {"taxable_minor": "taxable", "tax_minor": "tax"}


def vat_report_command(
    provider: Annotated[str, typer.Argument(help="The provider's name.")],
    start: Annotated[str, typer.Option("--from", help="The first day of the period.")],
    end: Annotated[str, typer.Option("--to", help="Its last day.")],
    documents: Annotated[bool, typer.Option("--documents", help="The sales ledger instead: each document; with --json one a line.")] = False,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Sum up the VAT of a period by tax point: for the return, the one-stop shop and the recapitulative statement.

    Example: faktura vat-report vps --from 2026-10-01 --to 2026-10-31
    """
    period: dict[str, Any] = {"provider": provider, "start": _day("--from", start), "end": _day("--to", end)}
    with books() as opened:
        if documents:
            with closing(sales_ledger(opened, **period)) as rows:
                if as_json:
                    for row in rows:
                        print_json(_json(row))
                else:
                    _table([_json(row) for row in rows])
            return
        report = vat_report(opened, **period)
    tables = {
        "summary": [_json(row) for row in report.summary],
        "oss": [_json(row) for row in report.oss],
        "recapitulative": [_json(row) for row in report.recapitulative],
    }
    if as_json:
        head = {"provider": provider, "from": report.start.isoformat(), "to": report.end.isoformat()}
        locked = report.locked_through.isoformat() if report.locked_through else None
        print_json(head | {"locked_through": locked} | tables)
        return
    titles = {"summary": "VAT by country, category and rate", "oss": "One-stop shop", "recapitulative": "Recapitulative statement"}
    for name, found in tables.items():
        typer.echo(f"{titles[name]}:" if found else f"{titles[name]}: nothing")
        _table(found)


def lock_period_command(
    provider: Annotated[str, typer.Argument(help="The provider's name.")],
    through: Annotated[str, typer.Option(help="The last day to lock: it must be over.")],
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Close a provider's books: nothing is issued any more with a date or tax point up to that day. There is no way back.

    Example: faktura lock-period vps --through 2026-10-31
    """
    with books() as opened:
        lock = lock_period(opened, provider=provider, through=_day("--through", through))
    if as_json:
        print_json({"locked_through": lock.locked_through.isoformat(), "actor": lock.actor, "recorded_at": instant(lock.recorded_at_us)})
    else:
        typer.echo(f"{provider} is locked through {lock.locked_through}")


@accounts.command("vat-check")
def account_vat_check(
    provider: Annotated[str, typer.Argument(help="The provider's name.")],
    reference: Annotated[str, typer.Argument(help="The account's reference.")],
    vat_id: Annotated[str, typer.Option(help="The VAT id that was looked up.")],
    is_valid: Annotated[bool, typer.Option("--valid/--invalid", help="What the register answered.")],
    consultation: Annotated[str | None, typer.Option(help="VIES' request identifier.")] = None,
    checked_at: Annotated[str | None, typer.Option(help="When it answered, such as 2026-10-05T09:30:00Z; now by default.")] = None,
    name: Annotated[str | None, typer.Option(help="The name that the register showed.")] = None,
    address: Annotated[str | None, typer.Option(help="The address that it showed.")] = None,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Keep the proof that a buyer's VAT id was looked up, in VIES or a national register. It blocks nothing.

    Example: faktura account vat-check vps 17850 --vat-id DE136695976 --valid --consultation WAPIAAAAW1BYzv4D
    """
    try:
        checked_at_us = None if checked_at is None else parse_instant(checked_at)
    except ValueError as error:
        message = f"--checked-at: {error}"
        raise SettingError(message) from error
    with books() as opened:
        with opened.storage.reading() as tx:
            account = find_account(tx, find_provider(tx, provider), reference)
        given = {"consultation": consultation, "name": name, "address": address}
        check = record_vat_check(opened, account_id=account.id, vat_id=vat_id, is_valid=is_valid, checked_at_us=checked_at_us, **given)
    _show_checks([check], as_json=as_json)


@accounts.command("vat-checks")
def account_vat_checks(
    provider: Annotated[str, typer.Argument(help="The provider's name.")],
    reference: Annotated[str, typer.Argument(help="The account's reference.")],
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """List the proofs that are kept of an account's VAT ids, oldest first.

    Example: faktura account vat-checks vps 17850
    """
    with books() as opened:
        with opened.storage.reading() as tx:
            account = find_account(tx, find_provider(tx, provider), reference)
        found = vat_checks(opened, account_id=account.id)
    _show_checks(found, as_json=as_json)


def _show_checks(found: Sequence[VatIdCheck], *, as_json: bool) -> None:
    rows = [
        {
            "id": item.check_id,
            "vat_id": item.vat_id,
            "valid": item.is_valid,
            "checked_at": instant(item.checked_at_us),
            "consultation": item.consultation,
            "name": item.name,
            "address": item.address,
        }
        for item in found
    ]
    if as_json:
        print_json(rows)
    else:
        columns = ["id", "vat_id", "valid", "checked_at", "consultation", "name", "address"]
        print_table(columns, [[row[column] for column in columns] for row in rows])


def _json(row: VatSummaryRow | OssRow | RecapitulativeRow | SalesRow) -> dict[str, Any]:
    """A row with amounts as decimals, under the names that people see."""
    found: dict[str, Any] = {}
    for field in fields(row):
        value = getattr(row, field.name)
        if field.name in _AMOUNTS:
            found[_AMOUNTS[field.name]] = amount(value, row.currency)
        elif field.name == "currency":
            found["currency"] = value.code
        elif field.name == "document_count":
            found["documents"] = value
        elif field.name != "seller_country":
            found[field.name] = value.isoformat() if isinstance(value, date) else value.value if isinstance(value, Enum) else value
    return found


def _table(rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        print_table(list(rows[0]), [[f"{cell:f}" if isinstance(cell, Decimal) else cell for cell in row.values()] for row in rows], right=_RIGHT)


def _day(option: str, text: str) -> date:
    try:
        return parse_date(text)
    except ValueError as error:
        message = f"{option}: {error}"
        raise SettingError(message) from error
