"""Rows as CSV (RFC 4180), plain or as a German or Bulgarian Excel opens it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from faktura.documents.table import Cell

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
"""What a spreadsheet may run, perhaps behind apostrophes that were put before it already."""


class CsvEncoder:
    """Turns rows into bytes: UTF-8, comma, CRLF; for `excel` with a byte order mark, semicolon and decimal comma.

    A text that a spreadsheet might take for a formula gets an apostrophe in front; so does one that has apostrophes there
    already, and thus whoever takes one apostrophe away has the ledger's text again. Numbers and dates are never touched.
    """

    def __init__(self, *, excel: bool = False) -> None:
        self._text = io.StringIO(newline="")
        self._writer = csv.writer(self._text, delimiter=";" if excel else ",", lineterminator="\r\n")
        self._excel = excel

    def head(self, names: Sequence[str]) -> bytes:
        """What a file begins with."""
        return (BYTE_ORDER_MARK if self._excel else b"") + self.row(names)

    def row(self, cells: Sequence[Cell]) -> bytes:
        """One row."""
        self._writer.writerow([self._shown(cell) for cell in cells])
        made = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return made.encode()

    def _shown(self, cell: Cell) -> str:
        if cell is None:
            return ""
        if isinstance(cell, str):
            return f"'{cell}" if _FORMULA.match(cell) else cell
        if isinstance(cell, Decimal):
            return f"{cell:f}".replace(".", ",") if self._excel else f"{cell:f}"
        return cell.isoformat() if isinstance(cell, date) else str(cell)
