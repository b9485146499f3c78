"""`faktura import`: saved API answers and line-item CSV."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from faktura.bootstrap.document_imports import SUFFIXES, import_documents
from faktura.bootstrap.imports import Fault, Notice, Report, import_answers, import_line_items
from faktura.cli.moving_in import move_in_files
from faktura.cli.output import EXIT_INCOMPLETE, JsonOption, books, harmless, print_json, progress
from faktura.config import read_settings
from faktura.documents.line_items import Layout, online_retail_layout, with_account
from faktura.domain.errors import SettingError
from faktura.domain.money import Currency, parse_decimal
from faktura.domain.provider import Provider
from faktura.domain.recorded import Change, Outcome
from faktura.domain.vat import PriceBasis
from faktura.ledger.accounts import find_provider
from faktura.ledger.ports import Books


def import_command(
    files: Annotated[list[Path], typer.Argument(help="Saved answers (.json), line items (.csv) or e-invoices (.xml, .pdf); a folder stands for its files.")],
    provider: Annotated[str | None, typer.Option(help="Whose documents; needed when the ledger has several providers.")] = None,
    account: Annotated[str | None, typer.Option(help="The account they belong to.")] = None,
    preset: Annotated[str | None, typer.Option(help="A known layout of line items: online-retail.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="FIELD=HEADER, repeatable. Fields: number, date, quantity, unit_price, name, item_id, account.")
    ] = None,
    missing_account: Annotated[str | None, typer.Option(help="The account of rows whose account column is empty; otherwise they are faults.")] = None,
    credit_prefix: Annotated[str | None, typer.Option(help="Numbers that begin so are credit notes.")] = None,
    vat_rate: Annotated[str | None, typer.Option(help="Percent, for line items; default 0.")] = None,
    prices: Annotated[PriceBasis | None, typer.Option(help="Whether prices exclude or include VAT; default net.")] = None,
    currency: Annotated[str | None, typer.Option(help="Of line items; default the provider's.")] = None,
    zone: Annotated[str | None, typer.Option(help="Time zone of dates in line items; default the provider's.")] = None,
    encoding: Annotated[str, typer.Option(help="Of line items.")] = "utf-8-sig",
    as_issued: Annotated[bool, typer.Option("--as-issued", help="The provider's own past documents (.jsonl): closed, with their numbers.")] = False,
    create_accounts: Annotated[bool, typer.Option("--create-accounts", help="With --as-issued: make accounts that are missing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --as-issued: validate everything, write nothing.")] = False,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Record documents of other systems. A second run changes nothing. Exit code 3: something was left out, or contradicts what is kept.

    With --as-issued a provider moves in with its own documents; then nothing is written while any line has a fault (exit code 1).

    Examples: faktura import page1.json page2.json --provider vps --account 17850;
    faktura import lines.csv --provider vps --column account=CustomerID --column number=InvoiceNo --column date=Date --column quantity=Qty
    --column unit_price=Price --vat-rate 20 --prices net; faktura import *.csv --provider vps --preset online-retail;
    faktura import rechnung.xml rechnung.pdf --provider hoster --account 17850;
    faktura import history.jsonl --provider vps --as-issued --create-accounts --dry-run
    """
    foreign = [account, preset, column, missing_account, credit_prefix, vat_rate, prices, currency, zone]
    if as_issued:
        if any(option is not None for option in foreign):
            raise SettingError("--as-issued takes only --provider, --create-accounts, --dry-run and --json: each line says everything else")
        move_in_files(files, provider=provider, create_accounts=create_accounts, dry_run=dry_run, as_json=as_json)
        return
    if create_accounts or dry_run:
        raise SettingError("--create-accounts and --dry-run belong to --as-issued")
    paths = _expand(files)
    settings = read_settings(os.environ)
    report = Report(tell=_teller(as_json=as_json))
    is_csv = _is_csv(paths, preset=preset, column=column)
    with books() as opened, progress() as bar:
        owner = _provider(opened, provider)
        task = bar.add_task("reading", total=sum(_size(path) for path in paths))
        if is_csv:
            layout = _layout(owner, preset, column, vat_rate=vat_rate, prices=prices, currency=currency, zone=zone)
            layout = replace(layout, encoding=encoding)
            layout = replace(layout, missing_account=missing_account) if missing_account else layout
            layout = replace(layout, credit_prefix=credit_prefix) if credit_prefix else layout
            layout = with_account(layout, account) if account else layout
            import_line_items(opened, settings, provider=owner.name, layout=layout, files=paths, report=report, advance=lambda size: bar.advance(task, size))
        else:
            if account is None:
                raise SettingError("saved answers and e-invoices do not say whose they are: name the --account")
            take_in = import_documents if _are_documents(paths) else import_answers
            take_in(opened, provider=owner.name, account=account, files=paths, report=report, advance=lambda size: bar.advance(task, size))
    _summarize(report, as_json=as_json)
    if not report.is_clean:
        raise typer.Exit(EXIT_INCOMPLETE)


def _layout(
    owner: Provider,
    preset: str | None,
    column: list[str] | None,
    *,
    vat_rate: str | None,
    prices: PriceBasis | None,
    currency: str | None,
    zone: str | None,
) -> Layout:
    if preset not in {None, "online-retail"}:
        message = f"there is no preset {preset!r}; known: online-retail"
        raise SettingError(message)
    base = online_retail_layout() if preset else Layout(columns={}, currency=owner.currency, zone=owner.zone)
    columns = dict(base.columns)
    for option in column or ():
        field, separator, header = option.partition("=")
        if not separator or not header:
            message = f"--column {option!r} must be FIELD=HEADER, such as number=InvoiceNo"
            raise SettingError(message)
        columns[field] = header
    try:
        rate = base.vat_rate if vat_rate is None else parse_decimal(vat_rate)
        return replace(
            base,
            columns=columns,
            vat_rate=rate,
            price_basis=prices or base.price_basis,
            currency=Currency(currency) if currency else base.currency,
            zone=zone or base.zone,
        )
    except ValueError as error:
        raise SettingError(str(error)) from error


def _provider(opened: Books, name: str | None) -> Provider:
    with opened.storage.reading() as tx:
        if name is not None:
            return find_provider(tx, name)
        known = tx.providers.all()
    if len(known) != 1:
        message = f"name the --provider: {', '.join(item.name for item in known) or 'there is none yet'}"
        raise SettingError(message)
    return known[0]


def _expand(files: list[Path]) -> list[Path]:
    paths: list[Path] = []
    for file in files:
        if not os.path.isdir(file):  # noqa: PTH112 - False also where nobody may look: reading it says so
            paths.append(file)
            continue
        found = sorted(item for item in file.iterdir() if item.suffix.lower() in {".json", ".csv", *SUFFIXES})
        if not found:
            message = f"the folder {file} has no .json, .csv, .xml or .pdf files"
            raise SettingError(message)
        paths += found
    return paths


def _size(path: Path) -> int:
    """For the progress; reading the file says what is wrong with it."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _is_csv(paths: list[Path], *, preset: str | None, column: list[str] | None) -> bool:
    if preset or column:
        return True
    kinds = {path.suffix.lower() == ".csv" for path in paths}
    if len(kinds) > 1:
        raise SettingError("import saved answers and line items in two commands")
    return kinds == {True}


def _are_documents(paths: list[Path]) -> bool:
    kinds = {path.suffix.lower() in SUFFIXES for path in paths}
    if len(kinds) > 1:
        raise SettingError("import e-invoices and anything else in two commands")
    return kinds == {True}


class _teller:  # noqa: N801 - used as a function
    """Tells of faults and conflicts as they come; with --json of every document, a line each."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def __call__(self, event: Change | Fault | Notice) -> None:
        if isinstance(event, (Fault, Notice)):
            print(f"faktura: {harmless(event.message)}", file=sys.stderr)
            if self._as_json:
                print_json({type(event).__name__.lower(): event.message})
        elif self._as_json:
            differences = [{"term": item.term, "kept": item.kept, "heard": item.heard} for item in event.differences]
            print_json({"id": event.invoice_id, "number": event.number, "outcome": event.outcome.value, "differences": differences})
        elif event.outcome is Outcome.CONFLICT:
            print(harmless(f"faktura: conflict in {event.number} (id {event.invoice_id}): {'; '.join(map(str, event.differences))}"), file=sys.stderr)


def _summarize(report: Report, *, as_json: bool) -> None:
    counts = {outcome.value: report.outcomes[outcome] for outcome in Outcome}
    if as_json:
        print_json({"summary": counts | {"faults": report.fault_count, "held_back": report.held_count}})
        return
    changed = sum(report.outcomes.values()) - report.outcomes[Outcome.UNCHANGED]
    parts = [f"{count} {name}" for name, count in counts.items() if count]
    typer.echo(f"{', '.join(parts) or 'no documents'}{'' if changed else '; nothing changed'}")
    if report.fault_count:
        held = f"; invoices held back: {report.held_count}" if report.held_count else ""
        typer.echo(f"faults: {report.fault_count}{held}; see above", err=True)
