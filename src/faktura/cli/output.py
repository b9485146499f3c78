"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from faktura.bootstrap.books import open_books
from faktura.config import read_settings
from faktura.domain.calendar import parse_date, parse_instant
from faktura.domain.errors import SettingError
from faktura.domain.moment import Moment
from faktura.domain.money import Currency
from faktura.ledger.ports import Books

if TYPE_CHECKING:
    from rich.progress import Progress

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


def progress(*, counts: bool = False) -> Progress:
    """A bar for people, of bytes or counts of things: only where standard error is a terminal."""
    from rich.console import Console  # noqa: PLC0415 - for people; a server that starts does without
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn() if counts else DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def print_json(value: object) -> None:
    """One JSON document on a line of its own."""
    sys.stdout.write(_encoder.encode(value).decode() + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: frozenset[str] = frozenset()) -> None:
    """A table as wide as its content: piped output is never cut."""
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else harmless(str(cell)) for cell in row))
    wide = None if sys.stdout.isatty() else 10_000
    Console(markup=False, highlight=False, width=wide).print(table)


def harmless(text: str) -> str:
    """Text of a source as a terminal may show it: control characters are written as escapes."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def shown(amount_minor: int | None, currency: Currency) -> str:
    """An amount for people; unknown is not zero."""
    return "unknown" if amount_minor is None else currency.format(amount_minor)
