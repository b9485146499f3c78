"""A ledger's rows from one database to another, and the digest that proves two ledgers equal whichever engine keeps them.

The digest reads every table of the schema in the order of its primary key. A row counts as the MessagePack array of its values
(integers, text, bytes, nothing; each in its shortest form), its columns in the order of their names; texts sort by code point.
Left out is only when migrations were applied, which is the database's own history.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import msgspec

from faktura.domain.errors import ConflictError, FakturaError, LedgerError
from faktura.storage.facts import raise_wall
from faktura.storage.migration import load_migrations
from faktura.storage.sqlite import APPLICATION_ID, BUSY_SECONDS, apply_migration, translate

Values = tuple[Any, ...]

_MADE = "schema_migration"
"""The one table that a copy does not fill: the target made its schema itself."""
_OWN = {(_MADE, "applied_at_us")}
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as the migrations make it. Columns stand in the order of their names, kinds beside them."""

    name: str
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    """BIGINT, TEXT or BLOB."""
    key: tuple[str, ...]
    """The primary key's columns, in the key's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSum:
    """How many rows a table has, and the SHA-256 over them."""

    rows: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSum:
    """What a whole ledger holds, in one number."""

    tables: Mapping[str, TableSum]

    @property
    def digest(self) -> str:
        """The same for two ledgers that hold the same, and for no others."""
        return hashlib.sha256(_encode([[name, found.rows, found.digest] for name, found in sorted(self.tables.items())])).hexdigest()

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(found.rows for found in self.tables.values())


class Readable(Protocol):
    """One consistent state of a ledger."""

    def columns(self, table: Table) -> set[str]:
        """What the table really has."""

    def rows(self, table: Table) -> Iterator[Values]:
        """All rows in key order, a few at a time in memory."""


class Writable(Readable, Protocol):
    """The transaction that fills a ledger."""

    def is_empty(self, table: Table) -> bool:
        """Whether it has no row."""

    def fill(self, table: Table, rows: Iterable[Values]) -> None:
        """Insert all."""

    def settle(self, tables: Sequence[Table]) -> None:
        """All tables are filled: they will be read."""


class Tally:
    """Counts and digests the rows of a table as they pass."""

    def __init__(self, table: Table) -> None:
        self._rows = 0
        self._digest = hashlib.sha256(_encode([table.name, table.columns]))

    def over(self, rows: Iterable[Values]) -> Iterator[Values]:
        """The same rows."""
        for row in rows:
            self._digest.update(_encode(row))
            self._rows += 1
            yield row

    def sum(self) -> TableSum:
        """Of the rows that have passed."""
        return TableSum(rows=self._rows, digest=self._digest.digest())


def make_schema(connection: sqlite3.Connection, version: int) -> None:
    """An empty ledger of this or an older schema, in a connection that is in autocommit."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("CREATE TABLE schema_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at_us BIGINT NOT NULL)")
    for migration in load_migrations():
        if migration.version <= version:
            apply_migration(connection, migration)
    for statement in raise_wall(_names(connection)):
        connection.execute(statement)


@cache
def layout(version: int) -> tuple[Table, ...]:
    """The tables of a schema, by name; their rows are the ledger."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        make_schema(connection, version)
        return tuple(_table(connection, name) for name in _names(connection))


def _names(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]


def _table(connection: sqlite3.Connection, name: str) -> Table:
    found = sorted((column, kind, place) for _, column, kind, _, _, place in connection.execute(f"PRAGMA table_info({name})") if (name, column) not in _OWN)
    return Table(
        name=name,
        columns=tuple(column for column, _, _ in found),
        kinds=tuple(kind for _, kind, _ in found),
        key=tuple(column for place, column in sorted((place, column) for column, _, place in found) if place),
    )


def add_up(ledger: Readable, tables: Sequence[Table]) -> LedgerSum:
    """Read a whole ledger. LedgerError where its tables are not those of the schema."""
    sums = {}
    for table in tables:
        _check_columns(ledger, table)
        tally = Tally(table)
        deque(tally.over(ledger.rows(table)), maxlen=0)
        sums[table.name] = tally.sum()
    return LedgerSum(tables=sums)


def copy(source: Readable, target: Writable, tables: Sequence[Table]) -> LedgerSum:
    """Copy all rows, read them back from the target and hold both against each other; the caller commits.

    ConflictError where the target holds anything already; LedgerError where it does not give back what was read from the source.
    """
    check_empty(target, tables)
    sums = {}
    for table in tables:
        _check_columns(source, table)
        tally = Tally(table)
        rows = tally.over(source.rows(table))
        if table.name == _MADE:
            deque(rows, maxlen=0)
        else:
            target.fill(table, rows)
        sums[table.name] = tally.sum()
    target.settle(tables)
    written = add_up(target, tables)
    different = [name for name, found in sums.items() if found != written.tables[name]]
    if different:
        message = f"what was written and read again is not what was read at first, in {', '.join(different)}; nothing was kept"
        raise LedgerError(message)
    return LedgerSum(tables=sums)


def check_empty(target: Writable, tables: Sequence[Table]) -> None:
    """ConflictError where the ledger holds anything."""
    filled = next((table.name for table in tables if table.name != _MADE and not target.is_empty(table)), None)
    if filled is not None:
        message = f"the target holds a ledger already (its table {filled} has rows); nothing is ever written over one: name a new, empty database"
        raise ConflictError(message)


def _check_columns(ledger: Readable, table: Table) -> None:
    found = {column for column in ledger.columns(table) if (table.name, column) not in _OWN}
    if found != set(table.columns):
        odd = ", ".join(sorted(found ^ set(table.columns)))
        message = f"the table {table.name} does not have the columns of this schema: {odd}"
        raise LedgerError(message)


def selection(table: Table, *, order: Sequence[str]) -> str:
    """SQL for all rows of a table."""
    return f"SELECT {', '.join(table.columns)} FROM {table.name} ORDER BY {', '.join(order)}"  # noqa: S608 - our own schema's names


class SqliteEnd:
    """A ledger in a file, in the transaction that a connection has open."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def columns(self, table: Table) -> set[str]:
        """What the table really has."""
        return {row[1] for row in self._connection.execute(f"PRAGMA table_info({table.name})")}

    def rows(self, table: Table) -> Iterator[Values]:
        """All rows in key order; an index has it, so nothing is sorted."""
        return self._connection.execute(selection(table, order=table.key))

    def is_empty(self, table: Table) -> bool:
        """Whether it has no row."""
        return self._connection.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchone() is None  # noqa: S608 - as above

    def fill(self, table: Table, rows: Iterable[Values]) -> None:
        """Insert all, one at a time in memory."""
        places = ", ".join("?" * len(table.columns))
        self._connection.executemany(f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({places})", rows)  # noqa: S608 - as above

    def settle(self, tables: Sequence[Table]) -> None:
        """SQLite is ready."""


@contextmanager
def readable_errors() -> Iterator[None]:
    """The driver's errors in the ledger's words: also those of a database that is not as ours are."""
    try:
        yield
    except sqlite3.Error as error:
        ours = translate(error) if isinstance(error, sqlite3.DatabaseError) else error
        if isinstance(ours, FakturaError):
            raise ours from error
        message = f"the ledger's rows cannot be read or written ({error}); nothing of this step was kept"
        raise LedgerError(message) from error


@contextmanager
def connected(path: str, *, seconds: int = BUSY_SECONDS) -> Iterator[sqlite3.Connection]:
    """A connection of its own, in autocommit."""
    with readable_errors(), closing(sqlite3.connect(path, timeout=seconds, isolation_level=None)) as connection:
        yield connection


@contextmanager
def reading(path: str) -> Iterator[SqliteEnd]:
    """One consistent state of a ledger's file; others go on writing."""
    with connected(path) as connection:
        connection.execute("BEGIN")
        yield SqliteEnd(connection)


@contextmanager
def writing(path: str, *, page_count_max: int | None = None) -> Iterator[SqliteEnd]:
    """A transaction that fills a ledger's file: all of it is kept and durable when the block ends well, otherwise nothing."""
    with connected(path) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -16000")
        if page_count_max:
            connection.execute(f"PRAGMA max_page_count = {int(page_count_max)}")
        connection.execute("BEGIN IMMEDIATE")
        yield SqliteEnd(connection)
        connection.execute("COMMIT")
