"""`faktura copy`: a ledger moves between engines, and one digest says that nothing was lost or changed on the way."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from tests import postgresql
from tests.cli.terminal import Terminal
from tests.conftest import SHARED, Ledger, open_ledger, serving
from tests.database import tables
from tests.imports.desk import Desk
from tests.operations.office import NEWEST, empty_database, empty_target, fill, numbers, select, settings, sqlite_url, writers

from faktura.bootstrap.backups import add_up, copy
from faktura.bootstrap.books import open_books
from faktura.config import DatabaseUrl, parse_database_url
from faktura.domain.errors import ConflictError, LedgerError, LedgerFullError, SchemaError
from faktura.ledger.verification import verify
from faktura.storage.copying import layout, make_schema
from faktura.storage.facts import FACTS, OTHERS, drop_wall
from faktura.storage.postgresql_schema import lower_wall

ENGINES = ("sqlite", "postgresql")
ODD_TEXTS = (
    "",
    "A",
    "Z",
    "a",
    "z",
    "ä",
    "Ä",
    "ß",
    "é",
    "e\u0301",
    "я",
    "a b",
    "a\tb",
    "a\nb",
    "\\N",
    "\\.",
    "\ue000",
    "\ufffd",
    "\U00010000",
    "\U0001f9fe",
    "%s",
    "'",
)
"""Texts that locales, UTF-16 and text formats order or write in ways of their own."""


@pytest.fixture(scope="module")
def demo_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's ledger in a SQLite file."""
    path = tmp_path_factory.mktemp("demo") / "ledger.db"
    with open_books(settings(sqlite_url(path)), create=True) as books:
        fill(books)
    return path


def go_round(path: Path, folder: Path) -> list[str]:
    """SQLite to PostgreSQL to SQLite, and once more from the file that came back: the digest that each copy prints."""
    back, again = folder / "back.db", folder / "again.db"
    terminal = Terminal(path)
    with empty_database() as database:
        steps = [(sqlite_url(path), database.migration_url), (database.migration_url, sqlite_url(back)), (sqlite_url(back), sqlite_url(again))]
        said = [terminal.ok("copy", source, target, "--json").json() for source, target in steps]
        assert numbers(str(database.migration_url)) == numbers(sqlite_url(back)) == numbers(sqlite_url(path))
    assert said[0] == said[1] == said[2]
    return [each["digest"] for each in said]


def test_the_demo_goes_round_with_one_digest(demo_ledger: Path, tmp_path: Path) -> None:
    """SQLite -> PostgreSQL -> SQLite prints the same digest three times, for people too, and each ledger is whole."""
    digests = go_round(demo_ledger, tmp_path)
    assert len(set(digests)) == 1
    said = Terminal(demo_ledger).ok("copy", sqlite_url(demo_ledger), sqlite_url(tmp_path / "more.db"))
    assert said.out.splitlines()[1] == f"digest {digests[0]}"


@pytest.mark.shared
def test_online_retail_goes_round_with_one_digest(tmp_path: Path) -> None:
    """2,025 real invoices with 42,481 lines: the same digest three times, and all of them arrive."""
    files = sorted((SHARED / "data" / "online-retail").glob("*.csv"))
    with open_ledger(tmp_path / "ledger.db") as ledger:
        ledger.provider("vpsbg")
        assert Desk(ledger, tmp_path).lines(*files, provider="vpsbg", options=("--preset", "online-retail")).outcomes == {"new": 2025}
    assert len(set(go_round(tmp_path / "ledger.db", tmp_path))) == 1
    assert select(tmp_path / "again.db", "SELECT COUNT(*) FROM invoice_line") == [(42_481,)]


def test_the_layout_is_the_whole_schema(ledger: Ledger) -> None:
    """Every table is copied, with every column and in the order of a key; nothing is left out but when migrations were applied."""
    found = {table.name: table for table in layout(NEWEST)}
    assert set(found) == set(tables(ledger.books)) <= {*FACTS, *OTHERS}
    for name, table in found.items():
        columns = {row[1]: row[2] for row in select(ledger.path, f"PRAGMA table_info({name})")}
        if name == "schema_migration":
            del columns["applied_at_us"]
        assert dict(zip(table.columns, table.kinds, strict=True)) == columns
        assert table.key
        assert set(table.kinds) <= {"BIGINT", "TEXT", "BLOB"}


def full(path: Path) -> None:
    """A ledger whose tables all have rows, whatever they mean."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        make_schema(connection, NEWEST)
        for table in layout(NEWEST):
            texts = {"method": "counter", "origin": "issued"}
            kinds = dict(zip(table.columns, table.kinds, strict=True))
            values = [
                texts.get(name, "x" if kind == "TEXT" else b"x" if kind == "BLOB" else None if name == "credit_note_id" else 1) for name, kind in kinds.items()
            ]
            if table.name != "schema_migration":
                connection.execute(f"INSERT INTO {table.name} ({', '.join(kinds)}) VALUES ({', '.join('?' * len(values))})", values)


def test_odd_values_go_round(tmp_path: Path) -> None:
    """Texts of any script, blobs of any bytes, integers of 64 bits and NULLs keep their digest over both engines."""
    path = tmp_path / "ledger.db"
    full(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for place, text in enumerate(ODD_TEXTS):
            connection.execute("INSERT INTO issued_number VALUES (?, ?, ?)", (-(2**63), text, "1"))
            connection.execute("INSERT INTO account_reference VALUES (?, ?, ?)", (2**63 - 1, text, -1))
            blob = bytes(range(256)) + text.encode()
            connection.execute("INSERT INTO idempotency VALUES (?, ?, ?, NULL, NULL, ?, 0)", (7, text, blob, blob[::-1]))
            token = (blob[place:], place + 100, 2**63 - 1, None, text, text, text, 0, None, None, None)
            connection.execute(f"INSERT INTO token VALUES ({', '.join('?' * 11)})", token)
        for blob in (b"", b"\x00", b"\x00\x00", b"\xff", b"\x80"):
            connection.execute("INSERT INTO token VALUES (?, ?, 1, NULL, '', '', '', 0, NULL, NULL, NULL)", (blob, 1000 + len(blob) + sum(blob)))
    digests = []
    with empty_database() as database:
        hops = [sqlite_url(path), str(database.migration_url), sqlite_url(tmp_path / "back.db")]
        for source, target in pairwise(hops):
            digests.append(copy(parse_database_url(source), parse_database_url(target)))
    assert digests[0] == digests[1] == add_up(DatabaseUrl(path=str(path)))
    assert digests[0].rows > 4 * len(ODD_TEXTS)


def test_every_changed_value_is_another_digest(tmp_path: Path) -> None:
    """Whatever column of whatever table is changed, also to NULL, and whatever row goes or comes: the digest is another one."""
    path = tmp_path / "ledger.db"
    full(path)
    seen = {add_up(DatabaseUrl(path=str(path))).digest}
    tried = 0
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in drop_wall():
            connection.execute(statement)
        changes = {"BIGINT": "77", "TEXT": "'y'", "BLOB": "x'79'"}
        for table in layout(NEWEST):
            sets = [f"UPDATE {table.name} SET {column} = {changes[kind]}" for column, kind in zip(table.columns, table.kinds, strict=True)]
            for sql in (*sets, f"DELETE FROM {table.name}"):
                connection.execute("BEGIN")
                before = connection.total_changes
                try:
                    where = " WHERE version = (SELECT MAX(version) FROM schema_migration)" if table.name == "schema_migration" else ""
                    connection.execute(sql + where)
                except sqlite3.IntegrityError:  # the schema forbids this value already
                    connection.execute("ROLLBACK")
                    continue
                assert connection.total_changes > before
                connection.execute("COMMIT")
                seen.add(digest_of(path))
                tried += 1
    assert len(seen) == tried + 1
    assert tried > 200


def digest_of(path: Path) -> str:
    """A file's digest as its tables stand, without asking for its version."""
    from faktura.storage import copying  # noqa: PLC0415 - the one test that looks below the bootstrap

    with copying.reading(str(path)) as read:
        return copying.add_up(read, layout(NEWEST)).digest


def test_a_changed_byte_in_the_target_is_another_digest(demo_ledger: Path) -> None:
    """One byte of one rendered document, changed in PostgreSQL after the copy, shows in the digest; undone, it is the old one."""
    with empty_database() as database:
        owner = parse_database_url(str(database.migration_url))
        digest = copy(DatabaseUrl(path=str(demo_ledger)), owner).digest
        with psycopg.connect(str(owner.url), autocommit=True) as connection:
            lower_wall(connection)
            change = "UPDATE listing SET item = set_byte(item, 3, get_byte(item, 3) # 1) WHERE invoice_id = (SELECT MIN(invoice_id) FROM listing)"
            connection.execute(change)
            assert add_up(owner).digest != digest
            connection.execute(change)
        assert add_up(owner).digest == digest


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_written_over_a_ledger(demo_ledger: Path, tmp_path: Path, engine: str) -> None:
    """A target that has a provider is refused in a line, and holds what it held; so is a ledger as its own target."""
    with empty_target(engine, tmp_path) as target:
        terminal = Terminal(demo_ledger)
        terminal.ok("copy", sqlite_url(demo_ledger), target)
        before = add_up(parse_database_url(target))
        assert "holds a ledger already" in terminal("copy", sqlite_url(demo_ledger), target).refused()
        assert "holds a ledger already" in terminal("copy", target, target).refused()
        assert add_up(parse_database_url(target)) == before


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_without_a_provider_are_a_ledger_too(demo_ledger: Path, tmp_path: Path, engine: str) -> None:
    """Whatever row a target has, it is refused where the rows are written."""
    with empty_target(engine, tmp_path) as target:
        path = tmp_path / "some.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            make_schema(connection, NEWEST)
            connection.execute("INSERT INTO issued_number VALUES (1, 'invoice', '1')")
        copy(DatabaseUrl(path=str(path)), parse_database_url(target))
        with pytest.raises(ConflictError, match="its table issued_number has rows"):
            copy(DatabaseUrl(path=str(demo_ledger)), parse_database_url(target))


def test_another_schema_is_told_to_migrate(tmp_path: Path) -> None:
    """A source of an older release is refused and names the command; of a newer one, the newer release; no source, that there is none."""
    older, newer, none, target = (tmp_path / name for name in ("older.db", "newer.db", "none.db", "target.db"))
    for path, version in ((older, NEWEST - 1), (newer, NEWEST)):
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            make_schema(connection, version)
    with closing(sqlite3.connect(newer, isolation_level=None)) as connection:
        connection.execute("INSERT INTO schema_migration VALUES (99, 'future', 0)")
    none.touch()
    with pytest.raises(SchemaError, match="run `faktura migrate`"):
        copy(DatabaseUrl(path=str(older)), DatabaseUrl(path=str(target)))
    with pytest.raises(SchemaError, match="use a newer faktura"):
        copy(DatabaseUrl(path=str(newer)), DatabaseUrl(path=str(target)))
    with pytest.raises(SchemaError, match="there is no ledger in"):
        copy(DatabaseUrl(path=str(none)), DatabaseUrl(path=str(target)))
    assert not target.exists()
    assert "there is no ledger at" in Terminal(target)("copy", sqlite_url(tmp_path / "absent.db"), sqlite_url(target)).refused()


def test_columns_that_the_schema_does_not_have_are_not_lost_in_silence(tmp_path: Path) -> None:
    """A source with a column of another program is refused rather than copied without it."""
    path = tmp_path / "ledger.db"
    full(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ALTER TABLE draft ADD COLUMN theirs TEXT")
    with pytest.raises(LedgerError, match="draft does not have the columns of this schema: theirs"):
        copy(DatabaseUrl(path=str(path)), DatabaseUrl(path=str(tmp_path / "target.db")))


@pytest.mark.parametrize(("column", "value"), [("label", "a\x00b"), ("label", b"\xff"), ("token_id", "text")])
def test_what_postgresql_cannot_keep_is_told(tmp_path: Path, column: str, value: object) -> None:
    """A text with NUL, bytes or text where others belong, written past the ledger: refused in a line, and the target is empty."""
    path = tmp_path / "ledger.db"
    full(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"UPDATE token SET {column} = ?", (value,))
    with empty_database() as database:
        said = Terminal(path)("copy", sqlite_url(path), database.migration_url)
        assert re.search("cannot be read or written|not of its column's kind", said.refused())
        assert_empty(str(database.migration_url))


def assert_empty(url: str) -> None:
    """No row in any table."""
    found = add_up(parse_database_url(url)).tables
    assert {name: table.rows for name, table in found.items() if table.rows} == {"schema_migration": NEWEST}


KILLED = """
import os, signal, sys
from faktura.config import parse_database_url
from faktura.bootstrap.backups import copy
from faktura.storage import copying

left = int(sys.argv[3])
over = copying.Tally.over

def dying(self, rows):
    global left
    for row in over(self, rows):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        yield row

copying.Tally.over = dying
copy(parse_database_url(sys.argv[1]), parse_database_url(sys.argv[2]))
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_copy_leaves_the_target_empty(demo_ledger: Path, tmp_path: Path, engine: str) -> None:
    """SIGKILL at the first row, in the middle, at the last row and while the target is read again: it is empty, and the copy can be run again."""
    rows = add_up(DatabaseUrl(path=str(demo_ledger))).rows
    with empty_target(engine, tmp_path) as target:
        for left in (1, rows // 2, rows, rows + rows // 2, 2 * rows):
            done = subprocess.run([sys.executable, "-c", KILLED, sqlite_url(demo_ledger), target, str(left)], check=False)
            assert done.returncode == -signal.SIGKILL
            assert_empty(target)
        assert copy(DatabaseUrl(path=str(demo_ledger)), parse_database_url(target)).rows == rows


@pytest.mark.parametrize("lacking", [1, 3, 5])
def test_a_full_target_stays_empty(demo_ledger: Path, tmp_path: Path, lacking: int) -> None:
    """Where the target has no room for all of it, that is told, and nothing of it is kept."""
    copy(DatabaseUrl(path=str(demo_ledger)), DatabaseUrl(path=str(tmp_path / "large.db")))
    pages = (tmp_path / "large.db").stat().st_size // 4096 - lacking
    target = f"{sqlite_url(tmp_path / 'target.db')}?page_count_max={pages}"
    with pytest.raises(LedgerFullError):
        copy(DatabaseUrl(path=str(demo_ledger)), parse_database_url(target))
    assert_empty(sqlite_url(tmp_path / "target.db"))


@pytest.mark.parametrize("to", ENGINES)
def test_a_copy_is_one_state_while_others_write(ledger: Ledger, engine: str, tmp_path: Path, to: str) -> None:
    """While four writers issue and pay, the copy is whole, and has all that was acknowledged before it began."""
    ledger.provider("vpsbg")
    accounts = [ledger.account("vpsbg", f"a{place}") for place in range(4)]
    with empty_target(to, tmp_path) as target:
        with writers(ledger.books, accounts) as busy:
            before = set(busy.acknowledged)
            copy(parse_database_url(ledger.url), parse_database_url(target))
            after = len(busy.acknowledged)
            busy.some.wait()
        assert before <= numbers(target)
        assert len(numbers(target)) <= after + 2 * len(accounts)


def test_the_servers_role_fills_and_serves_the_target(demo_ledger: Path) -> None:
    """Where TARGET is what FAKTURA_DATABASE names, the owner's URL makes the schema and the server's role is ready to serve it."""
    with empty_database() as database:
        environment = {"FAKTURA_DATABASE": str(database.url), "FAKTURA_MIGRATION_DATABASE": str(database.migration_url)}
        said = Terminal(demo_ledger).ok("copy", sqlite_url(demo_ledger), database.url, "--json", **environment)
        with open_books(settings(str(database.url))) as books:
            assert list(verify(books)) == []
        assert add_up(parse_database_url(str(database.url))).digest == said.json()["digest"]


def test_a_role_that_is_not_shown_all_rows_copies_nothing(demo_ledger: Path, tmp_path: Path) -> None:
    """Row-level security would hide accounts from a role that may only read: refused, since nothing else would say that rows are missing."""
    with empty_database() as database:
        copy(DatabaseUrl(path=str(demo_ledger)), parse_database_url(str(database.migration_url)))
        with psycopg.connect(str(database.migration_url), autocommit=True) as connection:
            role = f"reader_{connection.info.dbname}"
            connection.execute(f"CREATE ROLE {role} LOGIN")
            connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
            url = str(database.migration_url).replace(f"user={postgresql.OWNER}", f"user={role}")
            try:
                with pytest.raises(LedgerError, match="is not shown all rows of account, document_file, invoice, listing, number_part, token"):
                    copy(parse_database_url(url), DatabaseUrl(path=str(tmp_path / "target.db")))
            finally:
                connection.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}")
                connection.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize("to", ENGINES)
def test_a_copy_serves(demo_ledger: Path, tmp_path: Path, to: str) -> None:
    """A copied ledger is served as it is."""
    with empty_target(to, tmp_path) as target:
        copy(DatabaseUrl(path=str(demo_ledger)), parse_database_url(target))
        with serving(tmp_path / "unused.db", FAKTURA_DATABASE=target, FAKTURA_MIGRATION_DATABASE="") as served:
            assert served.process.poll() is None
