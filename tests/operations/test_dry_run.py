"""`migrate --dry-run` tells what `migrate` would do, and does nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.cli.terminal import Terminal
from tests.conftest import BUYER, Ledger, open_ledger
from tests.database import database_environment, dump, execute
from tests.operations.watched import furnish
from tests.postgresql import OWNER, server

from faktura.domain.draft import parse_draft
from faktura.domain.money import Currency
from faktura.ledger.commands import issue
from faktura.storage.migration import load_migrations

ALL = [f"{migration.version:04} {migration.name}" for migration in load_migrations()]


@pytest.fixture(autouse=True, scope="session")
def each_engine(engine: str) -> str:
    """Every test here runs on each engine."""
    return engine


def dry_run(path: Path, **environment: Any) -> tuple[int, list[str], str]:
    """Exit code, what would be done, and what was complained of."""
    at: dict[str, Any] = database_environment(path) | environment
    said = Terminal(path)("migrate", "--dry-run", "--json", **at)
    return said.code, said.json() if said.out else [], said.err


def test_nothing_to_do(ledger: Ledger) -> None:
    """A ledger of this release needs nothing."""
    assert dry_run(ledger.path) == (0, [], "")


def test_documents_to_render_anew_are_counted_by_provider(ledger: Ledger) -> None:
    """What an older release rendered is told, nothing of it is rendered, and `migrate` then does just that."""
    furnish(ledger)
    with ledger.books.storage.reading() as tx:
        account = tx.accounts.find(tx.providers.all()[0].id, "demo")
    assert account is not None
    for _ in range(2):
        draft = parse_draft({"lines": [{"name": "x", "unit_price": "1", "vat_rate": 20}]}, currency=Currency("EUR"), buyer=BUYER)
        issue(ledger.books, account_id=account.id, draft=draft)
    execute(ledger.books, "UPDATE listing SET dialect_version = 0")
    before = dump(ledger.books)
    assert dry_run(ledger.path)[:2] == (0, ["2 documents of vpsbg rendered anew"])
    assert dump(ledger.books) == before
    at: dict[str, Any] = dict(database_environment(ledger.path))
    assert Terminal(ledger.path).ok("migrate", "--json", **at).json() == ["2 documents of vpsbg rendered anew"]
    assert dry_run(ledger.path)[:2] == (0, [])


def test_a_ledger_that_is_too_new_is_refused_and_left_alone(ledger: Ledger) -> None:
    """A newer release's ledger: exit code 1, one sentence, nothing changed."""
    execute(ledger.books, "INSERT INTO schema_migration VALUES (9999, 'later', 0)")
    before = dump(ledger.books)
    code, todo, said = dry_run(ledger.path)
    assert (code, todo) == (1, [])
    assert "use a newer faktura" in said
    assert dump(ledger.books) == before


@pytest.mark.parametrize("version", range(1, len(ALL)))
@pytest.mark.only("sqlite")
def test_an_older_schema_needs_what_is_newer(tmp_path: Path, version: int) -> None:
    """Of a ledger of each earlier schema, every later migration is told in order, and not a byte of the file changes."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA application_id = {0x66616B74}")
        connection.execute("CREATE TABLE schema_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at_us BIGINT NOT NULL)")
        for migration in load_migrations()[:version]:
            for statement in migration.statements:
                connection.execute(statement)
            connection.execute("INSERT INTO schema_migration VALUES (?, ?, 0)", (migration.version, migration.name))
    before = path.read_bytes()
    code, todo, _ = dry_run(path)
    assert (code, todo[: len(ALL) - version]) == (0, ALL[version:])
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["old.db"]


@pytest.mark.only("sqlite")
def test_a_current_file_is_not_touched(tmp_path: Path) -> None:
    """Not a byte of a ledger changes, and nothing is left beside it."""
    path = tmp_path / "ledger.db"
    with open_ledger(path) as ledger:
        furnish(ledger)
    before = path.read_bytes()
    assert dry_run(path)[:2] == (0, [])
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["ledger.db"]


@pytest.mark.only("sqlite")
def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """A ledger that is to be made needs every migration; the file is not made. Without its folder it cannot be made at all."""
    assert dry_run(tmp_path / "none.db")[:2] == (0, ALL)
    assert list(tmp_path.iterdir()) == []
    assert dry_run(tmp_path / "none" / "none.db")[:2] == (1, [])


@pytest.mark.only("postgresql")
def test_an_empty_database_stays_empty(tmp_path: Path) -> None:
    """An empty PostgreSQL database needs every migration, and has no table afterwards."""
    furnished = database_environment(tmp_path / "any.db")["FAKTURA_MIGRATION_DATABASE"]
    with psycopg.connect(server(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE dry_run_empty OWNER {OWNER}")
    try:
        url = f"postgresql:///dry_run_empty?{furnished.partition('?')[2]}"
        assert dry_run(tmp_path / "any.db", FAKTURA_DATABASE=url, FAKTURA_MIGRATION_DATABASE="")[:2] == (0, ALL)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'public'").fetchone() == (0,)
    finally:
        with psycopg.connect(server(), autocommit=True) as connection:
            connection.execute("DROP DATABASE dry_run_empty")
