"""The database below a ledger, whichever engine it is: for tests that look or reach past the ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests import postgresql

from faktura.config import DatabaseUrl
from faktura.ledger.ports import Books
from faktura.storage.facts import drop_wall
from faktura.storage.postgresql import PostgresqlStorage, _rows
from faktura.storage.postgresql_schema import lower_wall
from faktura.storage.sqlite import SqliteStorage

sqlite_only = pytest.mark.only("sqlite")
"""For tests that look at plans or files of SQLite."""
_engine = "sqlite"


def choose_engine(name: str) -> None:
    """Databases made from now on are this engine's."""
    global _engine  # noqa: PLW0603 - one test runs at a time
    _engine = name


def database_at(path: Path | str) -> DatabaseUrl:
    """The database that stands for a path: the file itself, or a PostgreSQL database of the path's own."""
    return DatabaseUrl(path=str(path)) if _engine == "sqlite" else postgresql.database_at(str(path))


def database_environment(path: Path | str) -> dict[str, str]:
    """What tells a faktura of its own which database that is."""
    at = database_at(path)
    return {"FAKTURA_DATABASE": at.url or f"sqlite:///{path}", "FAKTURA_MIGRATION_DATABASE": at.migration_url or ""}


def execute(books: Books, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
    """Run SQL with `?` for values, past the ledger, and commit; its rows."""
    storage, is_read = books.storage, sql.startswith("SELECT")
    if isinstance(storage, PostgresqlStorage):  # the owner connects anew for each statement
        opened = storage.connection() if is_read else psycopg.connect(storage._migration_url, autocommit=True, row_factory=_rows)
        with opened as connection:
            cursor = connection.execute(sql.replace("?", "%s"), tuple(values))
            return [dict(zip(row.keys(), row, strict=True)) for row in cursor.fetchall()] if cursor.description else []
    assert isinstance(storage, SqliteStorage)
    with storage.reading() if is_read else storage.writing() as tx:
        connection = tx.listings._driver._connection  # type: ignore[attr-defined]
        return [dict(row) for row in connection.execute(sql, values).fetchall()]


def tables(books: Books) -> list[str]:
    """Every table."""
    if isinstance(books.storage, PostgresqlStorage):
        found = execute(books, "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY 1")
    else:
        found = execute(books, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")
    return [row["name"] for row in found]


def dump(books: Books, *, but: Sequence[str] = ()) -> list[str]:
    """Everything stored, to show that nothing changed."""
    return sorted(f"{table} {row}" for table in tables(books) if table not in but for row in execute(books, f"SELECT * FROM {table}"))


def unguard(books: Books) -> None:
    """Take the second wall down, for tests that change facts behind the ledger's back."""
    storage = books.storage
    if isinstance(storage, PostgresqlStorage):
        with psycopg.connect(storage._migration_url, autocommit=True) as connection:
            lower_wall(connection)
        return
    assert isinstance(storage, SqliteStorage)
    for statement in drop_wall():
        execute(books, statement)


@contextmanager
def past_the_walls(books: Books) -> Iterator[tuple[Any, Any]]:
    """A transaction that may change facts, once they are unguarded, and the connection below it; rolled back at the end."""
    storage: Any = books.storage
    owned = PostgresqlStorage(storage._migration_url) if isinstance(storage, PostgresqlStorage) else storage
    with suppress(_RollBackError), owned.writing() as tx:
        yield tx, tx.listings._driver._connection  # type: ignore[union-attr]
        raise _RollBackError
    if owned is not storage:
        owned.close()


class _RollBackError(Exception):
    """Ends a transaction."""


def is_forbidden(error: Exception) -> bool:
    """Whether a constraint of the schema forbids a change already."""
    return isinstance(error, sqlite3.IntegrityError) or type(error).__module__.startswith("psycopg.errors") or "constraint" in str(error)
