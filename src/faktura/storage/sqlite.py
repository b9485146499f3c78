"""SQLite: one file, WAL, every commit synced; one writer at a time, readers never wait."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

from faktura.domain.errors import LedgerBusyError, LedgerError, LedgerFullError, LedgerReadOnlyError, LedgerUncertainError, SchemaError
from faktura.ledger.listing_ports import Ask
from faktura.storage.driver import Row
from faktura.storage.facts import MESSAGE, drop_wall, raise_wall
from faktura.storage.migration import Migration, check_version, load_migrations
from faktura.storage.searching import SearchTotals
from faktura.storage.statement import in_order, load_statements
from faktura.storage.store import Store
from faktura.storage.turns import Turns, Watcher

BUSY_SECONDS = 60
"""How long a writer waits for another process's transaction before it gives up."""

APPLICATION_ID = 0x66616B74  # "fakt": tells our files from other SQLite databases
_VERSION_MIN = (3, 35)
_T = TypeVar("_T")


_ERRORS: dict[int, type[LedgerError]] = {
    sqlite3.SQLITE_BUSY: LedgerBusyError,
    sqlite3.SQLITE_LOCKED: LedgerBusyError,
    sqlite3.SQLITE_FULL: LedgerFullError,
    sqlite3.SQLITE_READONLY: LedgerReadOnlyError,
    sqlite3.SQLITE_CANTOPEN: LedgerReadOnlyError,
}


@contextmanager
def errors() -> Iterator[None]:
    """The driver's errors in the ledger's words."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise translate(error) from error


def translate(error: sqlite3.DatabaseError) -> Exception:
    """The error in the ledger's words; a mistake of ours stays what it is."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _ERRORS:
        return _ERRORS[code]()
    if code == sqlite3.SQLITE_IOERR:
        return LedgerError(f"the disk refused to read or write the ledger ({error}); nothing of this step was kept")
    if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        return LedgerError(f"the file is not a faktura ledger, or is damaged ({error})")
    if str(error).startswith(MESSAGE):
        return LedgerError(str(error))
    return error


class _Session:
    """Named statements on one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._statements = load_statements()

    def all(self, name: str, /, **parameters: object) -> list[Row]:
        try:
            return self._connection.execute(self._statements[name], parameters).fetchall()
        except sqlite3.DatabaseError as error:
            raise translate(error) from error

    def one(self, name: str, /, **parameters: object) -> Row | None:
        rows = self.all(name, **parameters)
        return rows[0] if rows else None

    def run(self, name: str, /, **parameters: object) -> int:
        return self._connection.execute(self._statements[name], parameters).rowcount

    def many(self, name: str, rows: Iterable[Mapping[str, object] | Sequence[object]]) -> None:
        listed = list(rows)
        if listed:
            text = self._statements[name]
            self._connection.executemany(text if isinstance(listed[0], Mapping) else in_order(text, "?"), listed)

    def each(self, name: str, rows: Iterable[Mapping[str, object]]) -> list[Row]:
        execute, text = self._connection.execute, self._statements[name]
        return [found for row in rows for found in execute(text, row).fetchall()]

    def assemble(self, names: Iterable[str], **parameters: object) -> Iterable[Row]:
        return self._connection.execute("\n".join(self._statements[name] for name in names), parameters)

    def begin(self) -> None:
        """Take a snapshot for the statements that follow."""
        self._connection.execute("BEGIN")

    def end(self) -> None:
        """Let the snapshot go, if there is one."""
        with suppress(sqlite3.ProgrammingError):  # closed meanwhile
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")

    def stream(self, *names: str, **parameters: object) -> Iterable[Row]:
        return self.assemble(names, **parameters)


class _LoopTurn:
    """One turn of an event loop. Its reads after the first share a snapshot: all were asked for before it was taken, and locks cost more than rows."""

    def __init__(self) -> None:
        self.reads = 0

    def end_soon(self, session: _Session) -> None:
        """Let the snapshot go before the loop hears of further requests."""
        asyncio.get_running_loop().call_soon(self._end, session)

    def _end(self, session: _Session) -> None:
        self.reads = 0
        session.end()


class _Writing:
    """The transaction that writes, on the one connection that does."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        with errors():
            connection.execute("BEGIN IMMEDIATE")
        self._connection = connection
        self.driver = _Session(connection)

    def run(self, sql: str) -> None:
        try:
            self._connection.execute(sql)
        except sqlite3.DatabaseError as error:
            if sql == "COMMIT" and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR:
                raise LedgerUncertainError from error  # what a failed sync left on the disk, nobody knows
            raise translate(error) from error

    def is_open(self) -> bool:
        return self._connection.in_transaction

    def close(self) -> None:
        """The connection stays for the next."""


class SqliteStorage:
    """A ledger in one SQLite file. Safe for threads and for several processes."""

    def __init__(self, path: str, *, page_count_max: int | None = None) -> None:
        if sqlite3.sqlite_version_info < _VERSION_MIN:
            message = f"SQLite 3.35 or newer is needed, this is {sqlite3.sqlite_version}"
            raise LedgerError(message)
        self.path = path
        self._page_count_max = page_count_max
        self._turns = Turns(self._begin, seconds=BUSY_SECONDS)
        self._writer: sqlite3.Connection | None = None
        self._idle: list[sqlite3.Connection] = []
        self._local = threading.local()
        self._turn = _LoopTurn()
        self._opened: list[sqlite3.Connection] = []
        # An in-memory ledger lives in one connection, which everybody shares in turn.
        self._in_memory = path == ":memory:"
        self._is_logged = False
        self._totals = SearchTotals()

    is_remote = False
    """Single statements take microseconds: they may run where others wait."""

    def _connect(self) -> sqlite3.Connection:
        if not self._in_memory:
            self._make_private()
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA cache_size = -16000")
            connection.execute("PRAGMA recursive_triggers = ON")  # or a REPLACE would delete a fact unseen
            if self._page_count_max:
                connection.execute(f"PRAGMA max_page_count = {int(self._page_count_max)}")
        except BaseException:
            connection.close()
            raise
        self._opened.append(connection)
        return connection

    def _make_private(self) -> None:
        """A file that is made here is its owner's alone: it holds names and addresses. SQLite's own files beside it follow its mode."""
        with suppress(OSError):  # it is there, or SQLite says better why it cannot be
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    def close(self) -> None:
        """Close every connection; the last one folds the write-ahead log into the file."""
        for connection in self._opened:
            connection.close()
        self._opened.clear()
        self._idle.clear()
        self._writer = None
        self._local = threading.local()

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own, as those that read and write are, in autocommit."""
        with errors():
            connection = self._kept()
            try:
                yield connection
            finally:
                self._idle.append(connection)

    def _kept(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:  # another thread may take the last
            return self._connect()

    def watch(self, watcher: Watcher) -> None:
        """Tell somebody how writers fare."""
        self._turns.watcher = watcher

    @contextmanager
    def writing(self, *, bulk: bool = False) -> Iterator[Store]:
        """A transaction that writes: rolled back unless its block ends well, durable when this returns.

        Writers that wait share a commit; `bulk` marks long work, which shares none. LedgerBusyError after waiting too long.
        """
        with errors(), self._turns.transaction(bulk=bulk) as driver:
            yield Store(driver)

    def _begin(self) -> _Writing:
        connection = self._writing_connection()
        if not self._in_memory and not self._is_logged:  # a file that was a backup has no write-ahead log yet
            with errors():
                connection.execute("PRAGMA journal_mode = WAL")
            self._is_logged = True
        return _Writing(connection)

    def _writing_connection(self) -> sqlite3.Connection:
        if self._writer is None:
            self._writer = self._connect()
        return self._writer

    @contextmanager
    def reading(self) -> Iterator[Store]:
        """A transaction that reads one consistent state, and waits for nobody."""
        if self._in_memory:
            with self.writing() as store:
                yield store
            return
        with errors():
            connection = self._kept()
            try:
                connection.execute("BEGIN")
                yield Store(_Session(connection))
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._idle.append(connection)

    def serving(self) -> Store:
        """Single statements, each its own read transaction, on a connection that belongs to the calling thread."""
        store: Store | None = getattr(self._local, "store", None)
        if store is None:
            store = self._local.store = Store(self._served(), self._totals)
        return store

    def _served(self) -> _Session:
        session: _Session | None = getattr(self._local, "session", None)
        if session is None:
            with errors():  # a thread's first look may be at a file that is damaged by now
                session = self._local.session = _Session(self._writing_connection() if self._in_memory else self._connect())
        return session

    async def fetch(self, ask: Ask[_T]) -> _T:
        """What a single statement reads. It takes microseconds, so that nobody waits for it elsewhere."""
        session, turn = self._served(), self._turn
        if turn.reads == 0:
            turn.end_soon(session)
        elif turn.reads == 1 and not self._in_memory:
            session.begin()
        turn.reads += 1
        return ask.read(session.all(ask.name, **ask.parameters))

    def version(self) -> int:
        """The newest migration in the file; 0 for an empty one. SchemaError for somebody else's database."""
        with self.connection() as connection:
            return self._version(connection)

    def _version(self, connection: sqlite3.Connection) -> int:
        application_id = connection.execute("PRAGMA application_id").fetchone()[0]
        if application_id == APPLICATION_ID:
            return int(connection.execute("SELECT COALESCE(MAX(version), 0) FROM schema_migration").fetchone()[0])
        if connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()[0]:
            message = f"{self.path} is a database of another program"
            raise SchemaError(message)
        return 0

    def migrate(self) -> list[Migration]:
        """Bring the schema to this release, in one transaction; returns what was applied."""
        applied = []
        with errors():
            connection = self._writing_connection()
            check_version(self._version(connection))  # before anything is changed in what may be another program's file
            with self._turns.transaction(bulk=True):
                version = self._version(connection)
                check_version(version)
                if version == 0:
                    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    connection.execute("CREATE TABLE schema_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at_us BIGINT NOT NULL)")
                for migration in load_migrations():
                    if migration.version > version:
                        apply_migration(connection, migration)
                        applied.append(migration)
                tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
                for statement in raise_wall(tables):
                    connection.execute(statement)
        return applied


def apply_migration(connection: sqlite3.Connection, migration: Migration) -> None:
    """One step of the schema, which may reach facts: the wall is raised again before the transaction ends."""
    for statement in (*drop_wall(), *migration.statements):
        connection.execute(statement)
    connection.execute("INSERT INTO schema_migration VALUES (?, ?, ?)", (migration.version, migration.name, time.time_ns() // 1000))
