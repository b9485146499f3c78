"""The database below a ledger, whichever engine it is: for tests that look or reach past the ledger."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from typing import Any

import pytest

from faktura.ledger.ports import Books
from faktura.storage.facts import drop_wall
from faktura.storage.postgresql import PostgresqlStorage, lower_wall
from faktura.storage.sqlite import SqliteStorage

ON_POSTGRESQL = os.environ.get("FAKTURA_TEST_ENGINE") == "postgresql"
sqlite_plans = pytest.mark.skipif(ON_POSTGRESQL, reason="reads the plans of SQLite; PostgreSQL plans by what is in the tables")


def execute(books: Books, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
    """Run SQL with `?` for values, past the ledger, and commit; its rows."""
    storage = books.storage
    if isinstance(storage, PostgresqlStorage):
        with storage.connection() as connection:
            cursor = connection.execute(sql.replace("?", "%s"), tuple(values))
            return [dict(zip(row.keys(), row, strict=True)) for row in cursor.fetchall()] if cursor.description else []
    assert isinstance(storage, SqliteStorage)
    with storage.writing() as tx:
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
        with storage.connection() as connection:
            lower_wall(connection)
        return
    assert isinstance(storage, SqliteStorage)
    for statement in drop_wall():
        execute(books, statement)


def is_forbidden(error: Exception) -> bool:
    """Whether a constraint of the schema forbids a change already."""
    return isinstance(error, sqlite3.IntegrityError) or type(error).__module__.startswith("psycopg.errors") or "constraint" in str(error)
