"""A place on disk to sort a provider's history by number, so that memory does not grow with it. Lines stay in their files; where they begin is kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from faktura.domain.errors import LedgerFullError
from faktura.storage.scratch import Scratch

# Rows stand in the order in which lines were read: the first of several is the one with the lowest rowid.
_LINE = """
CREATE TABLE line (
  source INTEGER, position INTEGER, start INTEGER, size INTEGER, rank INTEGER, series TEXT, is_counted INTEGER, year INTEGER, seq INTEGER, number TEXT,
  issue_date TEXT, account TEXT, wire_id INTEGER, currency TEXT, is_corrected INTEGER, preceding TEXT, has_reason INTEGER, digest BLOB, is_left INTEGER DEFAULT 0
)
"""
_SCHEMA = (_LINE, "CREATE TABLE kept (series TEXT, year INTEGER, seq INTEGER, issue_date TEXT)")
_ADD = """
INSERT INTO line VALUES (:source, :position, :start, :size, :rank, :series, :is_counted, :year, :seq, :number,
  :issue_date, :account, :wire_id, :currency, :is_corrected, :preceding, :has_reason, :digest, 0)
"""
_INDEXES = (
    "CREATE INDEX line_number ON line (series, number)",
    "CREATE INDEX line_place ON line (rank, series, year, seq)",
    "CREATE INDEX line_account ON line (account, number)",
    "CREATE INDEX kept_place ON kept (series, year, seq)",
)
_LEAVE_REPEATED = "UPDATE line SET is_left = 1 WHERE rowid NOT IN (SELECT MIN(rowid) FROM line GROUP BY series, number)"
_REPEATED = """
SELECT a.source, a.position, a.number, b.source, b.position, a.digest = b.digest
FROM line a JOIN line b ON b.series = a.series AND b.number = a.number AND NOT b.is_left WHERE a.is_left ORDER BY a.rowid
"""
_PLACE_TAKEN = """
SELECT a.source, a.position, a.number, a.series, b.number
FROM (SELECT MIN(rowid) AS first, series, year, seq FROM line WHERE is_counted AND NOT is_left GROUP BY series, year, seq HAVING COUNT(*) > 1) g
JOIN line a ON a.series = g.series AND a.year = g.year AND a.seq = g.seq AND a.rowid <> g.first AND NOT a.is_left
JOIN line b ON b.rowid = g.first
UNION ALL
SELECT a.source, a.position, a.number, a.series, NULL
FROM line a JOIN kept k ON k.series = a.series AND k.year = a.year AND k.seq = a.seq WHERE a.is_counted AND NOT a.is_left
"""
_WIRE_ID_TAKEN = """
SELECT a.source, a.position, a.number, a.wire_id, b.number
FROM (SELECT MIN(rowid) AS first, account, wire_id FROM line WHERE wire_id IS NOT NULL AND NOT is_left GROUP BY account, wire_id HAVING COUNT(*) > 1) g
JOIN line a ON a.account = g.account AND a.wire_id = g.wire_id AND a.rowid <> g.first AND NOT a.is_left
JOIN line b ON b.rowid = g.first
"""
_CORRECTIONS = """
SELECT a.source, a.position, a.number, a.preceding, a.currency, a.has_reason, COUNT(b.number), MIN(b.currency)
FROM line a LEFT JOIN line b ON b.account = a.account AND b.number = a.preceding AND b.is_corrected AND NOT b.is_left
  AND (b.rank, b.series, b.year, b.seq) < (a.rank, a.series, a.year, a.seq)
WHERE a.preceding IS NOT NULL AND NOT a.is_left GROUP BY a.rowid ORDER BY a.rowid
"""
_ORDERED = "SELECT source, position, start, size, number FROM line WHERE NOT is_left ORDER BY rank, series, year, seq, number"
_PLACES = """
SELECT series, year, seq, issue_date FROM kept UNION ALL SELECT series, year, seq, issue_date FROM line WHERE is_counted AND NOT is_left
ORDER BY series, year, seq
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledLine:
    """What is needed of a line to sort it and to hold it against the others."""

    source: int
    """Which file."""
    position: int
    """Line of the file."""
    start: int
    """Where in the file it begins, in bytes."""
    size: int
    rank: int
    """Series of a higher rank come in later."""
    series: str
    is_counted: bool
    year: int
    """0 where the series never starts again."""
    seq: int
    number: str
    issue_date: str
    account: str
    wire_id: int | None
    currency: str
    is_corrected: bool
    """Others may correct it."""
    preceding: str | None
    """What it corrects, where the ledger has not that."""
    has_reason: bool
    digest: bytes
    """Of all that it says."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a line stands."""

    source: int
    position: int
    start: int
    size: int
    number: str


class HistorySpool(Scratch):
    """Lines of one import, in a temporary database. A context manager: leaving it removes them."""

    def __init__(self, folder: Path | None) -> None:
        super().__init__(folder, _SCHEMA)

    def keep(self, places: Iterable[tuple[str, int, int, str]]) -> None:
        """Places that the ledger has: (series, year, number in it, date)."""
        self._connection.executemany("INSERT INTO kept VALUES (?, ?, ?, ?)", places)

    def add(self, line: SpooledLine) -> None:
        """Keep a line until all are read; LedgerFullError when there is no room."""
        try:
            self._connection.execute(_ADD, asdict(line))
        except sqlite3.OperationalError as error:
            message = f"no room to sort the lines of the import ({error}); nothing was moved in"
            raise LedgerFullError(message) from error

    def index(self) -> None:
        """After the last line: leave all but the first of lines with one number."""
        for statement in (*_INDEXES, _LEAVE_REPEATED):
            self._connection.execute(statement)

    def repeated(self) -> Iterator[tuple[int, int, str, int, int, bool]]:
        """Lines whose number an earlier one has: (file, line, number, the earlier one's file and line, whether they say the same)."""
        yield from self._connection.execute(_REPEATED)

    def places_taken(self) -> Iterator[tuple[int, int, str, str, str | None]]:
        """Lines whose place another number has: (file, line, number, series, the other number or None for one in the ledger)."""
        yield from self._connection.execute(_PLACE_TAKEN)

    def wire_ids_taken(self) -> Iterator[tuple[int, int, str, int, str]]:
        """Lines whose wire id an earlier one of the account has: (file, line, number, wire id, the other number)."""
        yield from self._connection.execute(_WIRE_ID_TAKEN)

    def corrections(self) -> Iterator[tuple[int, int, str, str, str, bool, int, str | None]]:
        """Lines that correct others: (file, line, number, named number, currency, gives a reason, how many such come before, a currency of those)."""
        yield from self._connection.execute(_CORRECTIONS)

    def wire_id_max(self) -> int:
        """The highest wire id that a line brings; 0 where none does."""
        return int(self._connection.execute("SELECT COALESCE(MAX(wire_id), 0) FROM line").fetchone()[0])

    def ordered(self) -> Iterator[Stored]:
        """The lines to write, in the order of their numbers."""
        for row in self._connection.execute(_ORDERED):
            yield Stored(*row)

    def places(self) -> Iterator[tuple[str, int, int, str]]:
        """All places of counted series, of the ledger and of the lines, in order: (series, year, number in it, date)."""
        yield from self._connection.execute(_PLACES)
