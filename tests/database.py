"""The database below a ledger, whichever engine it is: for tests that look or reach past the ledger."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
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


def make_blank(path: Path) -> None:
    """Let there be no ledger yet: no file, or a PostgreSQL database without a schema."""
    if _engine == "postgresql":
        postgresql.make_blank(str(path))


def make_copy(source: Path, path: Path) -> None:
    """Copy a ledger that nobody has open."""
    if _engine == "sqlite":
        shutil.copyfile(source, path)
    else:
        postgresql.make_copy(str(source), str(path))


Where = Books | Path
"""An open ledger, or the path that its database stands for."""
Row = dict[str, Any]
_TABLES = {
    "sqlite": "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1",
    "postgresql": "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY 1",
}


def _owner_url(where: Where) -> str | None:
    """Where the owner of a PostgreSQL ledger reaches it."""
    return database_at(where).migration_url if isinstance(where, Path) else getattr(where.storage, "_migration_url", None)


@contextmanager
def below(where: Where, *, is_read: bool = False) -> Iterator[Callable[..., list[Row]]]:
    """Runs SQL with `?` for values, past the ledger; its rows. Committed at the end at the latest."""
    if _owner_url(where) is not None:
        with _opened(where, is_read=is_read) as connection:

            def run(sql: str, values: Sequence[object] = ()) -> list[Row]:
                cursor = connection.execute(sql.replace("?", "%s"), tuple(values)) if values else connection.execute(sql)
                return [dict(zip(row.keys(), row, strict=True)) for row in cursor.fetchall()] if cursor.description else []

            yield run
    elif isinstance(where, Path):
        with closing(sqlite3.connect(where)) as file, file:
            file.row_factory = sqlite3.Row
            yield lambda sql, values=(): [dict(row) for row in file.execute(sql, values).fetchall()]
    else:
        with where.storage.reading() if is_read else where.storage.writing() as tx:
            inner = tx.listings._driver._connection  # type: ignore[attr-defined]
            yield lambda sql, values=(): [dict(row) for row in inner.execute(sql, values).fetchall()]


def _opened(where: Where, *, is_read: bool) -> AbstractContextManager[Any]:
    """What a ledger that is open has open already, where only a look is wanted; otherwise the owner connects anew."""
    if is_read and isinstance(where, Books) and isinstance(where.storage, PostgresqlStorage):
        return where.storage.connection()
    return psycopg.connect(str(_owner_url(where)), autocommit=True, row_factory=_rows)


def execute(where: Where, sql: str, values: Sequence[object] = ()) -> list[Row]:
    """Run SQL with `?` for values, past the ledger, and commit; its rows."""
    with below(where, is_read=sql.startswith("SELECT")) as run:
        return run(sql, values)


def tables(where: Where) -> list[str]:
    """Every table."""
    return [row["name"] for row in execute(where, _TABLES["postgresql" if _owner_url(where) else "sqlite"])]


def dump(where: Where, *, but: Sequence[str] = ()) -> list[str]:
    """Everything stored, to show that nothing changed."""
    names = tables(where)
    with below(where, is_read=True) as run:
        return sorted(f"{table} {row}" for table in names if table not in but for row in run(f"SELECT * FROM {table}"))


def unguard(where: Where) -> None:
    """Take the second wall down, for tests that change facts behind the ledger's back."""
    url = _owner_url(where)
    if url is not None:
        with psycopg.connect(url, autocommit=True) as connection:
            lower_wall(connection)
        return
    with below(where) as run:
        for statement in drop_wall():
            run(statement)


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
