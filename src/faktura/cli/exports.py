"""Exports for bookkeepers: one file, or a month's folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from faktura.bootstrap.export_files import Form, Shape
from faktura.bootstrap.exports import Exported, export_file, export_month, export_stream, read_datev_settings
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
    To,
    document_filter,
    tell_contradicted,
    tell_left_out,
)
from faktura.cli.output import EXIT_INCOMPLETE, AsOf, On, books, harmless, moment
from faktura.config import read_settings
from faktura.domain.errors import SettingError
from faktura.ledger.exporting import Wanted
from faktura.ledger.selection import DocumentSort


def export_command(
    form: Annotated[Form | None, typer.Option("--as", help="The format of FILE.")] = None,
    file: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to; - is standard output, for csv and jsonl.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where a folder of the --month is made, with every format and a summary.")] = None,
    lines: Annotated[bool, typer.Option("--lines", help="csv and xlsx: a row a line instead of a row a document.")] = False,
    excel: Annotated[bool, typer.Option("--excel", help="csv: as a German or Bulgarian Excel opens it.")] = False,
    datev_settings: Annotated[Path | None, typer.Option(help="datev: a TOML file with accounts and tax keys.")] = None,
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
    sort: Sort = DocumentSort.ISSUE_DATE,
    as_of: AsOf = None,
    on: On = None,
) -> None:
    """Export documents to CSV, JSON Lines, XLSX or DATEV, or a month of them to a folder with all of these.

    Pro-formas and test providers' documents are left out unless --type or --provider names them. What DATEV cannot carry is
    reported (exit code 3). A file that is there is replaced when the new one is whole.

    Example: faktura export --as xlsx -o invoices.xlsx --from 2026-01-01 --to 2026-03-31; faktura export --month 2026-10 --folder accountant
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
    wanted = Wanted(provider=provider, account=account, filters=filters, is_open=is_open, sort=sort, moment=moment(as_of, on))
    if folder is not None:
        if month is None or form is not None or file is not None or lines or excel:
            raise SettingError("--folder takes --month, --datev-settings and filters: it has every format already")
        done = _export_folder(wanted, folder, month, datev_settings)
    else:
        if form is None or file is None:
            raise SettingError("name a format and a file (--as csv -o FILE), or a month and a folder (--month 2026-10 --folder DIR)")
        datev = None if datev_settings is None else read_datev_settings(datev_settings)
        done = _export(wanted, Shape(form=form, lines=lines, excel=excel, datev=datev), file)
    tell_left_out(done.left_out)
    if done.fault_count:
        for fault in done.faults:
            typer.echo(f"faktura: {harmless(str(fault))}", err=True)
        typer.echo(f"{done.refused_count} of {done.document_count} documents are not in the DATEV batch, for {done.fault_count} reasons.", err=True)
        raise typer.Exit(EXIT_INCOMPLETE)


def _export(wanted: Wanted, shape: Shape, file: Path) -> Exported:
    with books() as opened:
        tell_contradicted(opened, wanted.provider)
        if str(file) == "-":
            return export_stream(opened, wanted, shape, sys.stdout.buffer)
        done = export_file(opened, wanted, shape, file, database=read_settings(os.environ).database)
    typer.echo(f"{file}: {done.document_count - done.refused_count} documents", err=True)
    return done


def _export_folder(wanted: Wanted, folder: Path, month: str, datev_settings: Path | None) -> Exported:
    datev = None if datev_settings is None else read_datev_settings(datev_settings)
    with books() as opened:
        tell_contradicted(opened, wanted.provider)
        done = export_month(opened, wanted, folder, month, datev=datev, database=read_settings(os.environ).database)
    typer.echo(f"{folder / month}: {done.document_count} documents", err=True)
    if datev is None:
        typer.echo("There is no DATEV batch: --datev-settings FILE makes one.", err=True)
    return done
