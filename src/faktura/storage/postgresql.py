"""PostgreSQL: the same statements and tables as SQLite, over psycopg, with bounded pools, waits and statements."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg_pool import ConnectionPool, PoolTimeout

from faktura.domain.errors import LedgerBusyError, LedgerError, LedgerFullError, LedgerReadOnlyError, SchemaError
from faktura.storage.driver import Row
from faktura.storage.facts import FACTS, MESSAGE
from faktura.storage.migration import Migration, check_version, load_migrations
from faktura.storage.statement import load_statements
from faktura.storage.store import Store

BUSY_SECONDS = 60
"""How long a writer waits for its turn, and for a row that another holds."""
STATEMENT_SECONDS = 300
CONNECTIONS_MAX = 20
CONNECT_SECONDS = 10

_WRITERS_TURN = 0x66616B74  # "fakt"
_BATCH = 500

_ERRORS: tuple[tuple[type[psycopg.Error], type[LedgerError]], ...] = (
    (pg.LockNotAvailable, LedgerBusyError),
    (pg.QueryCanceled, LedgerBusyError),
    (pg.DeadlockDetected, LedgerBusyError),
    (pg.SerializationFailure, LedgerBusyError),
    (PoolTimeout, LedgerBusyError),
    (pg.DiskFull, LedgerFullError),
    (pg.ReadOnlySqlTransaction, LedgerReadOnlyError),
    (pg.InsufficientPrivilege, LedgerReadOnlyError),
)


@contextmanager
def errors() -> Iterator[None]:
    """The driver's errors in the ledger's words."""
    try:
        yield
    except psycopg.Error as error:
        raise _translate(error) from error


def _translate(error: psycopg.Error) -> Exception:
    for kind, ours in _ERRORS:
        if isinstance(error, kind):
            return ours()
    if isinstance(error, psycopg.OperationalError):
        return LedgerError(f"the database is away or refuses ({str(error).strip()}); nothing of this step was kept, unless it was acknowledged")
    if isinstance(error, pg.RaiseException) and MESSAGE in str(error):
        return LedgerError(str(error).splitlines()[0])
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
    return re.sub(r"(?<![:\w]):([a-z]\w*)", r"%(\1)s", text.replace("%", "%%"))


class _Session:
    """Named statements on one connection."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._statements = load_statements()

    def all(self, name: str, /, **parameters: object) -> list[Row]:
        return self._connection.execute(_statement(self._statements[name]), parameters).fetchall()

    def one(self, name: str, /, **parameters: object) -> Row | None:
        return self._connection.execute(_statement(self._statements[name]), parameters).fetchone()

    def run(self, name: str, /, **parameters: object) -> int:
        return self._connection.execute(_statement(self._statements[name]), parameters).rowcount

    def many(self, name: str, rows: Iterable[Mapping[str, object]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(_statement(self._statements[name]), list(rows))

    def assemble(self, names: Iterable[str], **parameters: object) -> Iterable[Row]:
        text = _statement("\n".join(self._statements[name] for name in names))
        with self._connection.cursor(name="ledger") as cursor:
            cursor.itersize = _BATCH
            cursor.execute(text, parameters)
            yield from cursor


class _Single:
    """Single statements, each on a connection of its own."""

    def __init__(self, storage: PostgresqlStorage) -> None:
        self._storage = storage

    def all(self, name: str, /, **parameters: object) -> list[Row]:
        with self._storage.connection() as connection:
            return _Session(connection).all(name, **parameters)

    def one(self, name: str, /, **parameters: object) -> Row | None:
        with self._storage.connection() as connection:
            return _Session(connection).one(name, **parameters)

    def run(self, name: str, /, **parameters: object) -> int:
        with self._storage.connection() as connection:
            return _Session(connection).run(name, **parameters)

    def many(self, name: str, rows: Iterable[Mapping[str, object]]) -> None:
        with self._storage.connection() as connection:
            _Session(connection).many(name, rows)

    def assemble(self, names: Iterable[str], **parameters: object) -> Iterable[Row]:
        with self._storage.connection() as connection, connection.transaction():
            return list(_Session(connection).assemble(names, **parameters))


class PostgresqlStorage:
    """A ledger in a PostgreSQL database. Safe for threads and for several servers."""

    def __init__(self, url: str) -> None:
        self._pool = ConnectionPool(
            url,
            min_size=1,
            max_size=CONNECTIONS_MAX,
            timeout=CONNECT_SECONDS,
            kwargs={"autocommit": True, "row_factory": _rows, "connect_timeout": CONNECT_SECONDS},
            configure=_configure,
            open=False,
        )

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection of the pool, in autocommit."""
        with errors():
            if self._pool.closed:
                self._pool.open()
            with self._pool.connection() as connection:
                yield connection

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    @contextmanager
    def writing(self) -> Iterator[Store]:
        """A transaction that writes: rolled back unless its block ends well, durable when this returns.

        Writers take turns, as on SQLite: a provider's counter would make them wait for each other anyway.
        """
        with self.connection() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_WRITERS_TURN,))
            yield Store(_Session(connection))

    @contextmanager
    def reading(self) -> Iterator[Store]:
        """A transaction that reads one consistent state, and waits for nobody."""
        with self.connection() as connection, connection.transaction(force_rollback=True):
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield Store(_Session(connection))

    def serving(self) -> Store:
        """Single statements, each its own transaction."""
        return Store(_Single(self))

    def version(self) -> int:
        """The newest migration; 0 for an empty database. SchemaError for another program's."""
        with self.connection() as connection:
            return _version(connection)

    def migrate(self) -> list[Migration]:
        """Bring the schema to this release, in one transaction; returns what was applied."""
        applied = []
        with self.connection() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_WRITERS_TURN,))
            version = _version(connection)
            check_version(version)
            if version == 0:
                connection.execute("CREATE TABLE schema_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at_us BIGINT NOT NULL)")
            lower_wall(connection)
            for migration in load_migrations():
                if migration.version > version:
                    for statement in migration.statements:
                        connection.execute(_definition(statement))
                    row = (migration.version, migration.name, time.time_ns() // 1000)
                    connection.execute("INSERT INTO schema_migration VALUES (%s, %s, %s)", row)
                    applied.append(migration)
            _raise_wall(connection)
        return applied


def _configure(connection: psycopg.Connection[Any]) -> None:
    settings = {"lock_timeout": BUSY_SECONDS, "statement_timeout": STATEMENT_SECONDS, "idle_in_transaction_session_timeout": STATEMENT_SECONDS}
    for name, seconds in settings.items():
        connection.execute(f"SET {name} = '{seconds}s'")
    connection.execute("SET TIME ZONE 'UTC'")


def _version(connection: psycopg.Connection[Any]) -> int:
    tables = _tables(connection)
    if "schema_migration" in tables:
        return int(connection.execute("SELECT COALESCE(MAX(version), 0) FROM schema_migration").fetchone()[0])  # type: ignore[index] - an aggregate has a row
    if tables:
        raise SchemaError("the database's schema has tables of another program")
    return 0


def _tables(connection: psycopg.Connection[Any]) -> Sequence[str]:
    rows = connection.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()").fetchall()
    return [row[0] for row in rows]


def _definition(statement: str) -> str:
    """A migration's statement with this engine's types. Text sorts by code point, as on SQLite, whatever the database's locale."""
    return re.sub(r"\bBLOB\b", "BYTEA", re.sub(r"\bTEXT\b", 'TEXT COLLATE "C"', statement))


def _raise_wall(connection: psycopg.Connection[Any]) -> None:
    """The second wall: the database itself refuses to change or delete a fact."""
    connection.execute(
        f"CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{MESSAGE}: % refuses to %', TG_TABLE_NAME, lower(TG_OP); END $$"
    )
    for table in set(FACTS) & set(_tables(connection)):
        connection.execute(f"DROP TRIGGER IF EXISTS fact_{table} ON {table}")
        connection.execute(f"CREATE TRIGGER fact_{table} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()")


def lower_wall(connection: psycopg.Connection[Any]) -> None:
    """Let a migration reach the facts; the wall is raised again in the same transaction."""
    for table in set(FACTS) & set(_tables(connection)):
        connection.execute(f"DROP TRIGGER IF EXISTS fact_{table} ON {table}")
