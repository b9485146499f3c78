"""SQLite: schema versions, full disks, several processes, and what the statements may do."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import open_ledger
from tests.database import choose_engine, execute

from faktura.bootstrap.books import DIALECTS, migrate, open_books
from faktura.config import DatabaseUrl, Settings
from faktura.dialects.base import encoder
from faktura.domain.draft import parse_draft
from faktura.domain.errors import InvalidDocumentError, LedgerError, LedgerFullError, LedgerReadOnlyError, SchemaError, SettingError
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.provider import Provider, hash_token
from faktura.ledger.accounts import add_account, add_provider
from faktura.ledger.commands import issue
from faktura.ledger.importing import record
from faktura.storage.facts import FACTS, OTHERS
from faktura.storage.migration import load_migrations
from faktura.storage.sqlite import SqliteStorage
from faktura.storage.statement import load_statements

EUR = Currency("EUR")


def settings(path: Path, **options: Any) -> Settings:
    """Settings that name a ledger."""
    return Settings(database=DatabaseUrl(path=str(path), **options))


def documents(provider: Any, numbers: range) -> list[Any]:
    """Recorded VPSBG documents."""
    found = [
        {
            "id": n,
            "invoice_number": f"{n:010d}",
            "created_at": "2024-08-27T21:00:00.000000Z",
            "amount": 1,
            "amount_with_vat": 1,
            "type": "original",
            "order_ids": [],
        }
        for n in numbers
    ]
    return list(DIALECTS["vpsbg"].parse_answer(encoder.encode({"data": found}), provider=provider).documents)


def tables_of(ledger: Any) -> set[str]:
    """Every table of the ledger's schema."""
    return {row[0] for row in ledger.books.storage._connect().execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_facts_are_only_ever_inserted() -> None:
    """No statement of ours updates, replaces or deletes a fact, wherever in the statement it would."""
    writes = re.compile(
        r"\b(?:UPDATE(?:\s+OR\s+\w+)?|DELETE\s+FROM|(?:INSERT\s+OR\s+)?REPLACE(?:\s+INTO)?|TRUNCATE|ALTER\s+TABLE|DROP\s+TABLE)\s+(\w+)", re.IGNORECASE
    )
    for name, text in load_statements().items():
        assert not set(writes.findall(text)) & set(FACTS), name
        inserted = re.findall(r"\bINSERT\s+INTO\s+(\w+)", text, re.IGNORECASE)
        assert not (set(inserted) & set(FACTS) and re.search(r"\bDO\s+UPDATE\b", text, re.IGNORECASE)), name


def test_every_table_is_a_fact_or_is_not(ledger: Any) -> None:
    """Who adds a table says whether its rows are facts: the schema has no table that neither list names, and none is on both."""
    assert not set(FACTS) & set(OTHERS)
    assert tables_of(ledger) <= set(FACTS) | set(OTHERS)
    assert set(OTHERS) <= tables_of(ledger)


@pytest.fixture
def full(ledger: Any) -> sqlite3.Connection:
    """A ledger whose fact tables have a row each, as another program opens it."""
    connection = sqlite3.connect(ledger.path)
    for table in sorted(set(FACTS) & tables_of(ledger)):
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        texts = {"method": "counter", "origin": "issued"}
        values = [
            texts.get(name, "x" if kind == "TEXT" else b"x" if kind == "BLOB" else None if name == "credit_note_id" else 1) for _, name, kind, *_ in columns
        ]
        connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
    connection.commit()
    return connection


def test_the_file_itself_refuses_to_change_or_delete_facts(ledger: Any, full: sqlite3.Connection) -> None:
    """Raw SQL of any program that updates or deletes a fact, in every fact table, column by column, is refused; the row stays."""
    facts = sorted(set(FACTS) & tables_of(ledger))
    for table in facts:
        for _, column, *_ in full.execute(f"PRAGMA table_info({table})").fetchall():
            with pytest.raises(sqlite3.IntegrityError, match=f"only ever inserted: {table}"):
                full.execute(f"UPDATE {table} SET {column} = {column}")
        with pytest.raises(sqlite3.IntegrityError, match=f"only ever inserted: {table}"):
            full.execute(f"DELETE FROM {table}")
        assert full.execute(f"SELECT COUNT(*) FROM {table}").fetchone() == (1,)
    assert len(facts) >= 14
    full.close()


def test_our_own_connections_say_it_plainly(ledger: Any, full: sqlite3.Connection) -> None:
    """Inside the ledger the refusal is an error of the ledger with one sentence; a REPLACE deletes no fact either."""
    full.close()
    for sql in ("UPDATE invoice SET number = 'y'", "DELETE FROM journal", "INSERT OR REPLACE INTO issued_number SELECT * FROM issued_number"):
        with pytest.raises(LedgerError, match=r"^facts of a ledger are only ever inserted: "), ledger.books.storage.writing() as tx:
            tx.listings._driver._connection.execute(sql)


def test_a_ledger_from_before_gets_its_wall(tmp_path: Path) -> None:
    """Migrating a ledger that has no wall, or lost part of it, raises it; what is there already stays."""
    path = tmp_path / "ledger.db"
    migrate(settings(path))
    with sqlite3.connect(path) as connection:
        whole = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name").fetchall()
        for name, _ in whole[::2]:
            connection.execute(f"DROP TRIGGER {name}")
    assert migrate(settings(path)) == []
    assert connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name").fetchall() == whole
    connection.close()
    assert len(whole) >= 28


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """A ledger of a later release is not touched, and the message says what to do."""
    path = tmp_path / "ledger.db"
    migrate(settings(path))
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO schema_migration VALUES (9999, 'later', 0)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(SchemaError, match=r"9999.*newer faktura"), open_books(settings(path)):
        pass
    with pytest.raises(SchemaError, match="9999"):
        migrate(settings(path))
    assert path.read_bytes() == before


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    """A SQLite file of another program, and a file that is none, are left as they are."""
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(SchemaError, match="another program"):
        migrate(settings(other))
    text = tmp_path / "text.db"
    text.write_text("these are not the pages you are looking for" * 100)
    with pytest.raises(LedgerError, match="not a faktura ledger"), open_books(settings(text), create=True):
        pass
    with pytest.raises(SettingError, match="no ledger"), open_books(settings(tmp_path / "missing.db")):
        pass


def test_a_ledger_that_was_a_backup_is_logged_again(tmp_path: Path) -> None:
    """Whoever writes a file that has no write-ahead log gives it one: readers never wait for a writer."""
    path = tmp_path / "ledger.db"
    migrate(settings(path))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    with open_books(settings(path)) as books, books.storage.writing() as tx:
        tx.answers.claim(1, "k", fingerprint=b"f", now_us=1)
        with books.storage.reading() as other:
            assert other.providers.all() == []
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_new_ledger_is_its_owners_alone(tmp_path: Path) -> None:
    """Whatever the umask: it holds names and addresses. A mode that somebody gave it stays."""
    path = tmp_path / "ledger.db"
    with open_books(settings(path), create=True) as books, books.storage.writing():
        assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    path.chmod(0o640)
    with open_books(settings(path)) as books, books.storage.reading():
        assert path.stat().st_mode & 0o777 == 0o640


def test_migrating_twice_does_nothing(tmp_path: Path) -> None:
    """The second run applies nothing; an empty file becomes a ledger."""
    path = tmp_path / "ledger.db"
    path.touch()
    assert migrate(settings(path)) == [f"{step.version:04} {step.name}" for step in load_migrations()]
    assert migrate(settings(path)) == []


def test_a_full_disk_while_importing_loses_nothing(tmp_path: Path) -> None:
    """When the file may not grow, the import stops with a clear error; whole batches are kept, and with room it goes on."""
    path = tmp_path / "ledger.db"
    with open_books(settings(path), create=True) as books:
        provider = _provider(books)
        found = documents(provider, range(1, 3001))
    pairs = [("demo", document) for document in found]
    done: list[object] = []
    with open_books(settings(path, page_count_max=300)) as books, pytest.raises(LedgerFullError, match="no room"):
        done.extend(record(books, provider="vpsbg", documents=pairs, batch_size=200))
    with open_books(settings(path)) as books:
        with books.storage.reading() as tx:
            account = tx.accounts.all(provider.id)[0]
        assert account.listed_total % 200 == 0
        assert 0 < account.listed_total < 3000
        changes = list(record(books, provider="vpsbg", documents=pairs, batch_size=200))
        assert sum(change.outcome == "new" for change in changes) == 3000 - account.listed_total
        with books.storage.reading() as tx:
            assert tx.accounts.all(provider.id)[0].listed_total == 3000
            connection = books.storage._connect()  # type: ignore[attr-defined]
            assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_read_only_ledger_says_so(tmp_path: Path) -> None:
    """A file in a place that nobody may write gives one clear error, not a crash."""
    path = tmp_path / "ledger.db"
    with open_books(settings(path), create=True) as books:
        _provider(books)
    with open_books(settings(path)) as books:
        connection = books.storage._connect()  # type: ignore[attr-defined]
        connection.execute("PRAGMA query_only = ON")
        books.storage._writer = connection  # type: ignore[attr-defined]
        with pytest.raises(LedgerReadOnlyError, match="cannot be written"), books.storage.writing() as tx:
            tx.providers.raise_wire_id(1, 5)


WRITER = """
import sys
from pathlib import Path
from faktura.bootstrap.books import open_books, DIALECTS
from faktura.config import DatabaseUrl, Settings
from faktura.dialects.base import encoder
from faktura.ledger.accounts import find_provider
from faktura.ledger.importing import record
with open_books(Settings(database=DatabaseUrl(path=sys.argv[1]))) as books:
    with books.storage.reading() as tx:
        provider = find_provider(tx, "vpsbg")
    for n in range(int(sys.argv[2]), int(sys.argv[2]) + 150):
        item = {"id": n, "invoice_number": str(n), "created_at": "2024-08-27T21:00:00Z", "amount": 1, "amount_with_vat": 1, "type": "original", "order_ids": []}
        heard = DIALECTS["vpsbg"].parse_answer(encoder.encode({"data": [item]}), provider=provider).documents[0]
        list(record(books, provider="vpsbg", documents=[("demo", heard)]))
"""


def test_several_processes_write_and_read_one_file(ledger: Any) -> None:
    """Two importers and a reader at once: nobody hears of a lock, nothing is lost, every page read is whole."""
    ledger.provider("vpsbg")
    account = ledger.account("vpsbg")
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(ledger.path), str(start)], stderr=subprocess.PIPE, text=True) for start in (1, 1001)]
    totals = []
    while any(writer.poll() is None for writer in writers):
        with ledger.books.storage.reading() as tx:
            seen = tx.accounts.get(account.id)
            assert seen is not None
            newest = tx.listings.key_at(account.id, seen.last_ordinal)
            assert (newest is None) == (seen.listed_total == 0)
            totals.append(seen.listed_total)
    assert [writer.communicate()[1] for writer in writers] == ["", ""]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert totals == sorted(totals)
    with ledger.books.storage.reading() as tx:
        found = tx.accounts.get(account.id)
        assert found is not None
        assert found.listed_total == 300


def test_threads_issue_without_gap_or_duplicate(ledger: Any) -> None:
    """Sixteen threads issue into one series while every third document is refused: numbers are dense, dates never fall."""
    ledger.provider("vpsbg")
    account = ledger.account("vpsbg")
    started = threading.Barrier(16)

    def work(thread: int) -> list[str]:
        started.wait()
        numbers = []
        for turn in range(9):
            price = "-1" if turn % 3 == 2 else "10"
            draft = parse_draft({"lines": [{"name": f"{thread}", "unit_price": price, "vat_rate": 20}]}, currency=EUR, buyer=Party(name="B", country="BG"))
            try:
                numbers.append(issue(ledger.books, account_id=account.id, draft=draft).number)
            except InvalidDocumentError:
                assert price == "-1"
        return numbers

    with ThreadPoolExecutor(16) as pool:
        numbers = [number for result in pool.map(work, range(16)) for number in result]
    assert sorted(numbers) == [f"{seq:010d}" for seq in range(1, 97)]


def test_a_crashed_transaction_leaves_nothing(ledger: Any) -> None:
    """Whatever fails inside a transaction, all of it is gone, and the next one works."""
    provider = ledger.provider("vpsbg")

    def fail_halfway() -> None:
        with ledger.books.storage.writing() as tx:
            tx.providers.insert(replace(provider, id=7, name="seven"), created_at_us=0, first_id=1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    with ledger.books.storage.reading() as tx:
        assert tx.providers.find("seven") is None
    ledger.account("vpsbg")


def _provider(books: Any) -> Any:
    provider = Provider(id=0, name="vpsbg", dialect="vpsbg", zone="Europe/Sofia", currency=EUR, seller=Party(name="S", country="BG"))
    provider = add_provider(books, provider=provider, series=())
    add_account(books, provider="vpsbg", reference="demo", buyer=None)
    return provider


def test_reads_of_one_turn_of_a_loop_share_a_snapshot(tmp_path: Path) -> None:
    """What was asked for together sees one state; what is asked for after a commit sees it; and no snapshot is kept, so the log can be folded."""
    choose_engine("sqlite")
    with open_ledger(tmp_path / "ledger.db") as ledger:
        ledger.provider("vpsbg")
        ledger.account("vpsbg")
        token = hash_token(ledger.token("vpsbg")) or b""
        storage = ledger.books.storage
        assert isinstance(storage, SqliteStorage)
        ask = storage.serving().serving.ask_owner(token, now_us=ledger.clock())

        def revise() -> None:
            execute(ledger.books, "UPDATE account SET revision = revision + 1")

        async def live() -> None:
            before = ((await storage.fetch(ask)) or (0, 0))[1]
            for turn in range(1, 4):
                await asyncio.sleep(0)
                seen = [await storage.fetch(ask), await storage.fetch(ask)]
                revise()  # while the loop does not turn
                seen += [await storage.fetch(ask), await storage.fetch(ask)]
                assert [found and found[1] for found in seen] == [before + turn - 1] * 4
                await asyncio.sleep(0)
                assert ((await storage.fetch(ask)) or (0, 0))[1] == before + turn
            await asyncio.sleep(0)
            assert not storage._served()._connection.in_transaction

        asyncio.run(live())
