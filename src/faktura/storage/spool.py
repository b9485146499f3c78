"""A place on disk to group a file's rows by document, so that memory does not grow with the input."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from faktura.domain.errors import LedgerFullError
from faktura.storage.scratch import Scratch

Item = tuple[str, str, int, str, str | None, str]
"""What is kept of a row for the document: quantity, unit price, total, name, item id, all fields."""
Row = tuple[int, str, str, int, str, str, int, str, str | None, str]
"""Line, number, account, creation instant, and the item."""

_ROWS_WAITING_MAX = 1000
_SCHEMA = (
    """CREATE TABLE item (file INTEGER, line INTEGER, number TEXT, account TEXT, created_at_us INTEGER,
      quantity TEXT, unit_price TEXT, total_minor INTEGER, name TEXT, item_id TEXT, fields TEXT)""",
    "CREATE TABLE held (number TEXT PRIMARY KEY) WITHOUT ROWID",
)
_NUMBERS = """
SELECT number, MIN(created_at_us) AS created_at_us FROM item WHERE number NOT IN (SELECT number FROM held) GROUP BY number ORDER BY 2, 1
"""
_ITEMS = "SELECT account, file, line, quantity, unit_price, total_minor, name, item_id, fields FROM item WHERE number = ? ORDER BY file, line"


@dataclass(slots=True)
class Group:
    """All rows of one document number."""

    number: str
    account: str
    created_at_us: int
    file: int
    """Number of the last file that has rows of it."""
    rows: list[Item]
    odd: tuple[str, int, int] | None = None
    """A row that names another account: (account, file, line)."""


class Spool(Scratch):
    """Rows of one import, in a temporary database. A context manager: leaving it removes the rows."""

    def __init__(self, folder: Path | None) -> None:
        super().__init__(folder, _SCHEMA)
        self._waiting: list[tuple[int, int, str, str, int, str, str, int, str, str | None, str]] = []

    def add(self, file: int, row: Row) -> None:
        """Keep a row of a file until all are read; LedgerFullError when there is no room."""
        self._waiting.append((file, *row))
        if len(self._waiting) >= _ROWS_WAITING_MAX:
            self._write()

    def _write(self) -> None:
        try:
            self._connection.executemany("INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", self._waiting)
        except sqlite3.OperationalError as error:
            message = f"no room to group the rows of the import ({error}); nothing was recorded"
            raise LedgerFullError(message) from error
        self._waiting.clear()

    def hold(self, number: str) -> None:
        """Give out no document of this number: one of its rows is bad."""
        self._connection.execute("INSERT OR IGNORE INTO held VALUES (?)", (number,))

    def hold_prefix(self, prefix: str) -> None:
        """Give out no document whose number begins so."""
        self._write()
        self._connection.execute("INSERT OR IGNORE INTO held SELECT DISTINCT number FROM item WHERE SUBSTR(number, 1, LENGTH(?1)) = ?1", (prefix,))

    def held(self) -> int:
        """How many documents are held back."""
        return int(self._connection.execute("SELECT COUNT(*) FROM held").fetchone()[0])

    def groups(self) -> Iterator[Group]:
        """Documents by creation and number, so that the order of the rows decides nothing; their rows as they stood."""
        self._write()
        self._connection.execute("CREATE INDEX item_number ON item (number, file, line, created_at_us)")
        for number, created_at_us in self._connection.execute(_NUMBERS):
            rows = self._connection.execute(_ITEMS, (number,)).fetchall()
            account = rows[0][0]
            odd = None if len({row[0] for row in rows}) == 1 else next(row[:3] for row in rows if row[0] != account)
            yield Group(number, account, created_at_us, rows[-1][1], [row[3:] for row in rows], odd)
