"""PostgreSQL: the same statements and tables as SQLite, over psycopg, with bounded connections, waits and statements."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from typing import Any, TypeVar

import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict

from faktura.domain.errors import (
    LedgerBusyError,
    LedgerError,
    LedgerFullError,
    LedgerInterruptedError,
    LedgerReadOnlyError,
    LedgerUncertainError,
    SchemaError,
    SettingError,
)
from faktura.ledger.listing_ports import Ask
from faktura.storage import postgresql_schema as schema
from faktura.storage.driver import Row
from faktura.storage.facts import MESSAGE
from faktura.storage.migration import Migration
from faktura.storage.pool import Connection, Pool
from faktura.storage.postgresql_lines import STALE, LineLostError, Lines
from faktura.storage.searching import SearchTotals
from faktura.storage.statement import PARAMETER, in_order, load_statements
from faktura.storage.store import Store
from faktura.storage.turns import Turns, Watcher

BUSY_SECONDS = 60
"""How long a writer waits for its turn, and for a row that another holds."""
CONNECTIONS_MAX = 20
CONNECT_SECONDS = 3
LEDGER_STATEMENT_SECONDS = 300
SERVING_STATEMENT_SECONDS = 15
_NETWORK: dict[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "application_name": "faktura",
}
"""A network that does not answer for some ten seconds has lost the connection: also while nothing is sent and an answer is waited for."""
_BATCH = 500
_T = TypeVar("_T")
_CURSORS = count()

_BEGIN_WRITING = f"BEGIN; SELECT pg_advisory_xact_lock({schema.WRITERS_TURN})"
_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"

_ERRORS: tuple[tuple[type[psycopg.Error], type[LedgerError]], ...] = (
    (pg.LockNotAvailable, LedgerBusyError),
    (pg.QueryCanceled, LedgerBusyError),
    (pg.DeadlockDetected, LedgerInterruptedError),
    (pg.SerializationFailure, LedgerInterruptedError),
    (pg.DiskFull, LedgerFullError),
    (pg.ReadOnlySqlTransaction, LedgerReadOnlyError),
)


@contextmanager
def errors() -> Iterator[None]:
    """The driver's errors in the ledger's words."""
    try:
        yield
    except psycopg.Error as error:
        raise _translate(error) from error


def _translate(error: psycopg.Error) -> Exception:
    """The error in the ledger's words; a mistake of ours stays what it is."""
    for kind, ours in _ERRORS:
        if isinstance(error, kind):
            return ours()
    said = str(error).strip().partition("\n")[0]
    if isinstance(error, pg.RaiseException) and MESSAGE in said:
        return LedgerError(said)
    if isinstance(error, pg.InsufficientPrivilege):
        return LedgerReadOnlyError(f"the database's role may not do this ({said}); nothing was changed")
    if isinstance(error, psycopg.OperationalError):
        return LedgerInterruptedError(f"the database broke this step off ({said}); nothing of it was kept")
    return error


class _ResultRow(tuple[Any, ...]):
    """A row whose values have names, like SQLite's."""

    __slots__ = ()
    places: Mapping[str, int] = {}

    def __getitem__(self, key: Any) -> Any:  # noqa: ANN401 - a name, a place or a slice
        return tuple.__getitem__(self, self.places[key] if isinstance(key, str) else key)

    def keys(self) -> list[str]:
        """The columns' names."""
        return list(self.places)


@cache
def _row_class(names: tuple[str, ...]) -> type[_ResultRow]:
    return type("ResultRow", (_ResultRow,), {"__slots__": (), "places": {name: place for place, name in enumerate(names)}})


def _rows(cursor: psycopg.Cursor[Any]) -> Any:  # noqa: ANN401 - psycopg's row factory
    return _row_class(tuple(column.name for column in cursor.description or ()))


@cache
def _statement(text: str) -> str:
    """A statement in psycopg's words: `:name` becomes `%(name)s`."""
    return PARAMETER.sub(r"%(\1)s", text.replace("%", "%%"))


@contextmanager
def _told(connection: Connection) -> Iterator[None]:
    """A connection's errors in the ledger's words. One whose prepared statements no longer fit the schema is of no more use."""
    try:
        yield
    except STALE as error:
        connection.close()
        raise LedgerInterruptedError("the ledger's schema was changed meanwhile; nothing of this step was kept") from error
    except psycopg.Error as error:
        raise _translate(error) from error


class _Session:
    """Named statements on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._statements = load_statements("postgresql")

    def all(self, name: str, /, **parameters: object) -> list[Row]:
        with _told(self._connection):
            return self._connection.execute(_statement(self._statements[name]), parameters, binary=True).fetchall()

    def one(self, name: str, /, **parameters: object) -> Row | None:
        with _told(self._connection):
            return self._connection.execute(_statement(self._statements[name]), parameters, binary=True).fetchone()

    def run(self, name: str, /, **parameters: object) -> int:
        with _told(self._connection):
            return self._connection.execute(_statement(self._statements[name]), parameters).rowcount

    def many(self, name: str, rows: Iterable[Mapping[str, object] | Sequence[object]]) -> None:
        listed = list(rows)
        if listed:
            text = self._statements[name]
            with _told(self._connection), self._connection.cursor() as cursor:
                cursor.executemany(_statement(text) if isinstance(listed[0], Mapping) else in_order(text.replace("%", "%%"), "%s"), listed)

    def each(self, name: str, rows: Iterable[Mapping[str, object]]) -> list[Row]:
        found: list[Row] = []
        with _told(self._connection), self._connection.cursor(binary=True) as cursor:
            cursor.executemany(_statement(self._statements[name]), rows, returning=True)
            while True:
                if cursor.description is not None:  # none where there was nothing to run
                    found += cursor.fetchall()
                if not cursor.nextset():
                    return found

    def assemble(self, names: Iterable[str], **parameters: object) -> Iterable[Row]:
        text = _statement("\n".join(self._statements[name] for name in names))
        with _told(self._connection):
            return self._connection.execute(text, parameters, binary=True).fetchall()

    def stream(self, *names: str, **parameters: object) -> Iterable[Row]:
        with _told(self._connection), self._connection.cursor(name=f"ledger_{next(_CURSORS)}") as cursor:
            cursor.itersize = _BATCH
            cursor.execute(_statement("\n".join(self._statements[name] for name in names)), parameters, binary=True)
            yield from cursor


class _Served:
    """Single statements, each its own transaction, which sees the rows of its token's account only."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._statements = load_statements("postgresql")

    def all(self, name: str, /, **parameters: object) -> list[Row]:
        """Token and statement go in one round trip. A lost connection is tried once more: nothing was written."""
        text, token = _statement(self._statements[name]), parameters.get("token_hash", b"")
        mark = token.hex() if isinstance(token, bytes) else ""
        for is_last in (False, True):
            with self._pool.connection() as connection:
                try:
                    with connection.pipeline():
                        connection.execute("SELECT set_config('faktura.token', %s, true)", [mark])
                        cursor = connection.execute(text, parameters, binary=True)
                    return cursor.fetchall()  # after the pipeline: within it, rows and its end would be waited for one after the other
                except psycopg.Error as error:
                    is_stale = connection.closed or isinstance(error, STALE)
                    connection.close()  # after an error in a pipeline, what it has prepared is not what it believes
                    if is_last or not is_stale:
                        raise _translate(error) from error
            self._pool.forget()
        raise AssertionError("the second try returns or raises")

    def one(self, name: str, /, **parameters: object) -> Row | None:
        rows = self.all(name, **parameters)
        return rows[0] if rows else None

    def run(self, name: str, /, **_: object) -> int:
        raise TypeError(name)

    def many(self, name: str, _: Iterable[Mapping[str, object] | Sequence[object]]) -> None:
        raise TypeError(name)

    def each(self, name: str, _: Iterable[Mapping[str, object]]) -> list[Row]:
        raise TypeError(name)

    def assemble(self, names: Iterable[str], **_: object) -> Iterable[Row]:
        raise TypeError(", ".join(names))

    def stream(self, *names: str, **_: object) -> Iterable[Row]:
        raise TypeError(", ".join(names))


class _Writing:
    """The transaction that writes. Its turn is held against other processes too."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connection = _begin(pool, _BEGIN_WRITING)
        self.driver = _Session(self._connection)

    def run(self, sql: str) -> None:
        was_open = self.is_open()
        try:
            done = self._connection.execute(sql).statusmessage
        except psycopg.Error as error:
            if sql == "COMMIT" and was_open and self._connection.closed:
                raise LedgerUncertainError from error
            raise _translate(error) from error
        if sql == "COMMIT" and done != sql:  # a transaction that met an error is rolled back, and the server calls that no error
            raise LedgerInterruptedError

    def is_open(self) -> bool:
        return not self._connection.closed

    def close(self) -> None:
        if self._connection.closed:
            self._pool.forget()
        self._pool.give_back(self._connection)


def _begin(pool: Pool, sql: str) -> Connection:
    """A connection with a transaction begun. One that was lost before is tried once more: nothing was asked of it yet."""
    for is_last in (False, True):
        connection = pool.take()
        try:
            connection.execute(sql, prepare=False)
        except BaseException as error:
            is_lost = connection.closed
            pool.give_back(connection)
            if is_lost:
                pool.forget()
            if isinstance(error, psycopg.Error) and (is_last or not is_lost):
                raise _translate(error) from error
            if not isinstance(error, psycopg.Error):
                raise
        else:
            return connection
    raise AssertionError("the second try returns or raises")


class PostgresqlStorage:
    """A ledger in a PostgreSQL database. Safe for threads and for several servers."""

    is_remote = True
    """Even a single statement waits for the network: never where others wait."""

    def __init__(self, url: str, *, migration_url: str | None = None) -> None:
        """`migration_url` is where the schema is changed, by a role that may."""
        self._url = url
        self._migration_url = migration_url or url
        self._ledger = Pool(lambda: _connect(url, LEDGER_STATEMENT_SECONDS), size=CONNECTIONS_MAX, seconds=BUSY_SECONDS)
        self._serving = Pool(lambda: _connect(url, SERVING_STATEMENT_SECONDS, role=schema.READER), size=CONNECTIONS_MAX, seconds=SERVING_STATEMENT_SECONDS)
        self._turns = Turns(lambda: _Writing(self._ledger), seconds=BUSY_SECONDS)
        self._served = Store(_Served(self._serving), SearchTotals())
        self._lines = Lines(self._serving)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection with the server's rights, in autocommit."""
        with errors(), self._ledger.connection() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self._lines.close()
        self._ledger.forget()
        self._serving.forget()

    def watch(self, watcher: Watcher) -> None:
        """Tell somebody how writers fare."""
        self._turns.watcher = watcher

    @contextmanager
    def writing(self, *, bulk: bool = False) -> Iterator[Store]:
        """A transaction that writes: rolled back unless its block ends well, durable when this returns.

        Writers take turns, as on SQLite, and those that wait share a commit; `bulk` marks long work, which shares none.
        LedgerUncertainError where the connection was lost while it committed.
        """
        with errors(), self._turns.transaction(bulk=bulk) as driver:
            yield Store(driver)

    @contextmanager
    def reading(self) -> Iterator[Store]:
        """A transaction that reads one consistent state, and waits for nobody."""
        connection = _begin(self._ledger, _BEGIN_READING)
        try:
            with errors():
                yield Store(_Session(connection))
        finally:
            try:
                with suppress(psycopg.Error):  # lost meanwhile: what was read is right all the same
                    connection.rollback()
            finally:
                self._ledger.give_back(connection)

    def serving(self) -> Store:
        """Single statements that read what a token may see, each its own transaction."""
        return self._served

    async def fetch(self, ask: Ask[_T]) -> _T:
        """What a single statement reads that starts from a token. A lost connection is tried once more: nothing was written."""
        for is_last in (False, True):
            try:
                return ask.read(await self._lines.fetch(ask))
            except LineLostError as error:
                self._serving.forget()
                if is_last:
                    raise LedgerInterruptedError("the database broke this step off; nothing of it was kept") from error
            except psycopg.Error as error:
                raise _translate(error) from error
        raise AssertionError("the second try returns or raises")

    def version(self) -> int:
        """The newest migration; 0 for an empty database. SchemaError for another program's."""
        with self.connection() as connection:
            return schema.read_version(connection)

    def migrate(self) -> list[Migration]:
        """Bring the schema to this release, in one transaction; returns what was applied."""
        server, owner = _user(self._url), _user(self._migration_url)
        pool = Pool(lambda: _connect(self._migration_url, LEDGER_STATEMENT_SECONDS), size=1, seconds=0)
        try:
            with errors(), pool.connection() as connection:
                self._check_same(connection)
                return schema.migrate(connection, server_role=None if server == owner else server)
        finally:
            pool.forget()

    def _check_same(self, owners: Connection) -> None:
        """SettingError where the two URLs lead to two databases: the one that is served would never be migrated."""
        with self._ledger.connection() as connection:
            served, migrated = schema.identify(connection), schema.identify(owners)
        if served != migrated:
            message = f"FAKTURA_MIGRATION_DATABASE leads to another database ({migrated[0]}) than FAKTURA_DATABASE ({served[0]}); nothing was changed"
            raise SettingError(message)


def _connect(url: str, statement_seconds: int, *, role: str | None = None) -> Connection:
    """A connection in autocommit, with its bounds. What the URL says of the network goes before what is said here."""
    connection = psycopg.connect(**_NETWORK | conninfo_to_dict(url), autocommit=True, row_factory=_rows)
    bounds = {"lock_timeout": BUSY_SECONDS, "statement_timeout": statement_seconds, "idle_in_transaction_session_timeout": LEDGER_STATEMENT_SECONDS}
    settings = [f"SET {name} = '{seconds}s'" for name, seconds in bounds.items()]
    try:
        connection.execute("; ".join([*settings, "SET TIME ZONE 'UTC'", "SET default_transaction_isolation = 'read committed'", _DURABLE]))
        if role is not None:
            # What is served is looked up along indexes, a few rows of one account, whatever the planner guesses of its size.
            connection.execute(f"SET ROLE {role}; SET enable_hashjoin = off; SET enable_mergejoin = off")
    except (pg.InsufficientPrivilege, pg.UndefinedObject, pg.InvalidParameterValue) as error:
        connection.close()
        message = f"the database's walls are not up ({str(error).strip()}): run `faktura migrate`, or as an administrator GRANT {schema.READER} TO the role"
        raise SchemaError(message) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _user(url: str) -> str:
    """Who connects: as the URL or libpq's own defaults say."""
    return str(conninfo_to_dict(url).get("user") or os.environ.get("PGUSER") or getpass.getuser())
