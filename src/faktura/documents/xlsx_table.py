"""Rows as a spreadsheet (Office Open XML), row by row. What writes it is loaded with this module, so import it where it is used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from faktura.documents.table import Cell, Column, Kind

ROWS_MAX = 1_048_576
"""What a sheet of Excel holds, with its head."""
DIGITS_MAX = 15
"""Excel keeps so many significant digits; a number of more is written as text, so that what is shown is exact."""
TEXT_LENGTH_MAX = 32_000
"""Excel's limit is 32,767 UTF-16 units a cell; a longer text ends with an ellipsis."""
_DAY_ZERO = date(1899, 12, 30)
_FIRST_DAY = date(1900, 3, 1)
"""Before it Excel counts a 29 February 1900 that never was."""
_CREATED = datetime(2000, 1, 1, tzinfo=UTC)
"""The same rows make the same bytes, whenever they are written."""


class _ExactSheet(Worksheet):  # type: ignore[misc]
    """Writes numbers with the digits they are given with, and no text as markup, whatever it looks like."""

    def _xml_number_element(self, number: object, attributes: Sequence[tuple[str, object]] = ()) -> None:
        given = "".join(f' {name}="{value}"' for name, value in attributes)
        self.fh.write(f"<c{given}><v>{number:f}</v></c>" if isinstance(number, Decimal) else f"<c{given}><v>{number}</v></c>")

    def _xml_rich_inline_string(self, string: str, attributes: Sequence[tuple[str, object]] = ()) -> None:
        self._xml_inline_string(string, True, attributes)  # noqa: FBT003 - the library's own signature


class XlsxTable:
    """A workbook at a path; `scratch` is where its sheets grow meanwhile. Rows beyond a sheet's room go on in a further sheet."""

    def __init__(self, path: Path, columns: Sequence[Column], *, title: str, scratch: Path, rows_max: int = ROWS_MAX) -> None:
        options = {"constant_memory": True, "tmpdir": str(scratch), "use_zip64": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book: Any = Workbook(str(path), options)
        self._book.set_properties({"created": _CREATED})
        self._columns, self._title, self._rows_max = columns, title, rows_max
        self._formats: dict[str, Format] = {}
        self._sheet: Any = None
        self._place = 0
        self._begin()

    def add(self, cells: Sequence[Cell]) -> None:
        """Write one row."""
        if self._place == self._rows_max:
            self._end()
            self._begin()
        for place, (cell, column) in enumerate(zip(cells, self._columns, strict=True)):
            if cell is not None:
                self._write(place, cell, column.kind)
        self._place += 1

    def close(self) -> None:
        """Finish the file. Without it, nothing is at the path."""
        self._end()
        try:
            self._book.close()
        except FileCreateError as error:
            raise error.args[0] from error  # the system's own word

    def abandon(self) -> None:
        """Let go of what was begun."""
        for sheet in self._book.worksheets():
            sheet._opt_close()  # noqa: SLF001 - the library closes these only with a whole file

    def _begin(self) -> None:
        count = len(self._book.worksheets())
        self._sheet = self._book.add_worksheet(f"{self._title} {count + 1}" if count else self._title, worksheet_class=_ExactSheet)
        self._sheet.freeze_panes(1, 0)
        bold = self._format("bold", {"bold": True})
        for place, column in enumerate(self._columns):
            self._sheet.set_column(place, place, column.width)
            self._sheet.write_string(0, place, column.name, bold)
        self._place = 1

    def _end(self) -> None:
        self._sheet.autofilter(0, 0, self._place - 1, len(self._columns) - 1)

    def _write(self, place: int, cell: Cell, kind: Kind) -> None:
        if isinstance(cell, date) and cell >= _FIRST_DAY:
            self._sheet.write_number(self._place, place, (cell - _DAY_ZERO).days, self._format("date", {"num_format": "yyyy-mm-dd"}))
        elif isinstance(cell, int | Decimal) and is_exact(cell):
            self._sheet.write_number(self._place, place, cell, self._number_format(cell, kind))
        else:
            text = f"{cell:f}" if isinstance(cell, Decimal) else str(cell)
            self._sheet.write_string(self._place, place, text if len(text) * 2 <= TEXT_LENGTH_MAX else _cut(text))

    def _number_format(self, cell: int | Decimal, kind: Kind) -> Format | None:
        if kind is Kind.WHOLE:
            return self._format("whole", {"num_format": "0"})
        if kind is Kind.AMOUNT:
            digits = -int(Decimal(cell).as_tuple().exponent)
            return self._format(f"amount {digits}", {"num_format": f"#,##0.{'0' * digits}" if digits else "#,##0"})
        return None

    def _format(self, name: str, properties: dict[str, object]) -> Format:
        if name not in self._formats:
            self._formats[name] = self._book.add_format(properties)
        return self._formats[name]


def is_exact(number: int | Decimal) -> bool:
    """Whether Excel keeps a number as it is."""
    return len(Decimal(number).normalize().as_tuple().digits) <= DIGITS_MAX


def _cut(text: str) -> str:
    """A text that fits, in UTF-16 units, with an ellipsis where something is left out."""
    units = text.encode("utf-16-le")
    return text if len(units) <= 2 * TEXT_LENGTH_MAX else units[: 2 * TEXT_LENGTH_MAX].decode("utf-16-le", "ignore") + "…"
