"""Files that grow document by document, in each format of exports."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Protocol

from faktura.documents.csv_table import CsvEncoder
from faktura.documents.datev import DatevBatch
from faktura.documents.datev_settings import DatevSettings
from faktura.documents.json_lines import document_json, json_line
from faktura.documents.table import DOCUMENT_COLUMNS, LINE_COLUMNS, Cell, Column, document_row, line_rows
from faktura.domain.errors import Fault, SettingError
from faktura.ledger.exporting import Wanted
from faktura.ledger.listing_query import DocumentHead


class Form(StrEnum):
    """A format of exports."""

    CSV = "csv"
    JSONL = "jsonl"
    XLSX = "xlsx"
    DATEV = "datev"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What an export looks like; SettingError for what a format does not know."""

    form: Form
    lines: bool = False
    """A row a line."""
    excel: bool = False
    """As a German or Bulgarian Excel opens it."""
    datev: DatevSettings | None = None

    def __post_init__(self) -> None:
        for is_asked, option, forms in ((self.lines, "--lines", (Form.CSV, Form.XLSX)), (self.excel, "--excel", (Form.CSV,))):
            if is_asked and self.form not in forms:
                message = f"{option} is for {' and '.join(forms)}, not for {self.form}"
                raise SettingError(message)
        if (self.form is Form.DATEV) is not (self.datev is not None):
            message = "datev needs --datev-settings FILE" if self.datev is None else f"--datev-settings is for datev, not for {self.form}"
            raise SettingError(message)

    @property
    def columns(self) -> Sequence[Column]:
        """Of the table."""
        return LINE_COLUMNS if self.lines else DOCUMENT_COLUMNS

    @property
    def is_whole(self) -> bool:
        """Whether it needs documents with their lines, VAT breakdown and payments."""
        return self.lines or self.form in {Form.JSONL, Form.DATEV}

    def rows(self, head: DocumentHead) -> Iterator[tuple[Cell, ...]]:
        """What a document adds to the table."""
        if self.lines:
            yield from line_rows(head)
        else:
            yield document_row(head)


class Growing(Protocol):
    """A file that is being written."""

    def add(self, head: DocumentHead) -> Sequence[Fault]:
        """Write a document; why it cannot be written, if so."""

    def close(self) -> None:
        """Finish the file."""

    def abandon(self) -> None:
        """Let go of it."""


@contextmanager
def growing(shape: Shape, path: Path, wanted: Wanted) -> Iterator[Growing]:
    """A new file at a path in a folder that is its own, whole when the block ends well."""
    if shape.datev is not None:
        made: Growing = _DatevFile(path, shape.datev, wanted)
    elif shape.form is Form.XLSX:
        made = _Sheets(shape, path)
    else:
        made = Streamed(shape, path.open("xb"))
    try:
        yield made
    except BaseException:
        made.abandon()
        raise
    made.close()


class Streamed:
    """CSV or JSON Lines, into whatever takes bytes."""

    def __init__(self, shape: Shape, out: BinaryIO) -> None:
        self._shape, self._out = shape, out
        self._encoder = CsvEncoder(excel=shape.excel)
        if shape.form is Form.CSV:
            out.write(self._encoder.head([column.name for column in shape.columns]))

    def add(self, head: DocumentHead) -> Sequence[Fault]:
        """See `Growing`."""
        if self._shape.form is Form.JSONL:
            self._out.write(json_line(document_json(head)))
        else:
            for cells in self._shape.rows(head):
                self._out.write(self._encoder.row(cells))
        return ()

    def close(self) -> None:
        """See `Growing`."""
        self._out.close()

    abandon = close


class _Sheets:
    def __init__(self, shape: Shape, path: Path) -> None:
        from faktura.documents.xlsx_table import XlsxTable  # noqa: PLC0415 - what writes spreadsheets loads where it is used

        self._shape = shape
        self._table = XlsxTable(path, shape.columns, title="lines" if shape.lines else "documents", scratch=path.parent)

    def add(self, head: DocumentHead) -> Sequence[Fault]:
        for cells in self._shape.rows(head):
            self._table.add(cells)
        return ()

    def close(self) -> None:
        self._table.close()

    def abandon(self) -> None:
        self._table.abandon()


class _DatevFile:
    """Its head tells what the rows are, so they are written aside first."""

    def __init__(self, path: Path, settings: DatevSettings, wanted: Wanted) -> None:
        self._path, self._wanted = path, wanted
        self._batch = DatevBatch(settings=settings)
        self._rows_path = path.with_name(f"{path.name}.rows")
        self._rows = self._rows_path.open("xb")

    def add(self, head: DocumentHead) -> Sequence[Fault]:
        rows, faults = self._batch.rows(head)
        self._rows.writelines(rows)
        return faults

    def close(self) -> None:
        self._rows.close()
        filters = self._wanted.filters
        with self._path.open("xb") as file, self._rows_path.open("rb") as rows:
            file.write(self._batch.head(filters.issued_from, filters.issued_to))
            shutil.copyfileobj(rows, file)
        self._rows_path.unlink()

    def abandon(self) -> None:
        self._rows.close()
