"""PostgreSQL: the walls in the database, lost connections, and what is tried again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from tests import postgresql
from tests.conftest import BUYER, Ledger, open_ledger
from tests.database import choose_engine, execute

from faktura.domain.draft import parse_draft
from faktura.domain.errors import (
    LedgerAwayError,
    LedgerBusyError,
    LedgerError,
    LedgerInterruptedError,
    LedgerReadOnlyError,
    LedgerUncertainError,
    SchemaError,
    SettingError,
)
from faktura.domain.money import Currency
from faktura.domain.provider import hash_token
from faktura.ledger.commands import issue
from faktura.ledger.exactly_once import once
from faktura.ledger.management_ports import Answer
from faktura.ledger.ports import Books
from faktura.ledger.verification import verify
from faktura.storage import postgresql_schema
from faktura.storage.facts import FACTS, OTHERS, WORK
from faktura.storage.pool import Pool
from faktura.storage.postgresql import CONNECTIONS_MAX, PostgresqlStorage, _connect, _statement
from faktura.storage.statement import load_statements

EUR = Currency("EUR")
DOCUMENT = {"lines": [{"name": "VPS", "unit_price": "10", "vat_rate": 20}]}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger of two accounts with a document each."""
    choose_engine("postgresql")
    with open_ledger(tmp_path / "ledger.db") as opened:
        opened.provider("vpsbg")
        for reference in ("anna", "boris"):
            account = opened.account("vpsbg", reference)
            issue(opened.books, account_id=account.id, draft=parse_draft(DOCUMENT, currency=EUR, buyer=account.buyer))
        yield opened


def storage_of(ledger: Ledger) -> PostgresqlStorage:
    """Its storage."""
    assert isinstance(ledger.books.storage, PostgresqlStorage)
    return ledger.books.storage


def cut(ledger: Ledger) -> None:
    """End every connection to the ledger's database, as a restart of the server would."""
    name = psycopg.conninfo.conninfo_to_dict(ledger.url)["dbname"]
    with psycopg.connect(postgresql.server(), autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])


def read_as(ledger: Ledger, token: str | None, sql: str) -> list[Any]:
    """What a statement of the provider API would see."""
    storage = storage_of(ledger)
    with storage._serving.connection() as connection, connection.transaction():
        connection.execute("SELECT set_config('faktura.token', %s, true)", [(hash_token(token) or b"").hex() if token else ""])
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize("table", ["account", "listing", "invoice", "number_part"])
def test_a_forgotten_filter_shows_one_account(ledger: Ledger, table: str) -> None:
    """The database shows the rows of the token's account, whatever the statement asks for, and without a token none."""
    execute(ledger.books, "INSERT INTO number_part SELECT account_id, number_folded, created_at_us, wire_id FROM listing")
    for place, reference in enumerate(("anna", "boris")):
        token = ledger.token("vpsbg", reference)
        rows = read_as(ledger, token, f"SELECT account_id FROM {table}")
        (account,) = execute(ledger.books, "SELECT account_id FROM account WHERE reference = ?", [reference])
        assert [row[0] for row in rows] == [account["account_id"]], place
    for nobody in (None, "unknown"):
        assert read_as(ledger, nobody, f"SELECT * FROM {table}") == []
        assert read_as(ledger, nobody, "SELECT * FROM token") == []


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("skip", [0, 20_000, 39_970])
def test_a_page_is_found_below_the_wall(ledger: Ledger, mode: str, skip: int) -> None:
    """Of a long list among many short ones a page reads its own rows and no others, at any depth, however the statement is planned."""
    token = ledger.token("vpsbg", "anna")
    (anna,) = execute(ledger.books, "SELECT account_id FROM account WHERE reference = 'anna'")
    execute(ledger.books, LONG_LIST, [anna["account_id"]])
    execute(ledger.books, "UPDATE account SET first_ordinal = 1, last_ordinal = 40001 WHERE account_id = ?", [anna["account_id"]])
    execute(ledger.books, SHORT_LISTS)
    for table in ("listing", "account", "token"):
        execute(ledger.books, f"ANALYZE {table}")
    given = {"token_hash": hash_token(token), "now_us": ledger.clock(), "skip": skip, "size": 30}
    storage = storage_of(ledger)
    with storage._serving.connection() as connection, connection.transaction():
        connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
        connection.execute("SELECT set_config('faktura.token', %s, true)", [(hash_token(token) or b"").hex()])
        ((plan,),) = connection.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + _statement(load_statements()["serve_list"]), given).fetchall()
    (walked,) = [step for step in steps_of(plan[0]["Plan"]) if step.get("Relation Name") == "listing"]
    assert (walked["Actual Rows"], walked.get("Rows Removed by Filter", 0)) == (30, 0)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize(
    ("name", "asked", "walks"),
    [
        ("serve_single", {"wire_id": 1}, {"invoice": 1, "listing": 1}),
        # 14 of the numbers to 40,001 contain it; no others are looked at, and none of other accounts.
        (
            "serve_search",
            {"text": "1234", "text_end": "1234\U0010ffff", "again": "_%1234%", "pattern": "%1234%", "hits_max": 1000},
            {"number_part": 14, "listing": 14},
        ),
        # Each tenth number: the page ends where it is full.
        ("serve_search_whole", {"pattern": "%7", "is_counting": 0, "oldest_us": -1}, {"listing": 330}),
    ],
)
def test_rows_are_found_below_the_wall(ledger: Ledger, mode: str, name: str, asked: dict[str, object], walks: dict[str, int]) -> None:
    """A single invoice and a search look at rows of their own account, as many as they show, and sort no list, however they are planned."""
    token = ledger.token("vpsbg", "anna")
    for reference in ("anna", "boris"):
        (account,) = execute(ledger.books, "SELECT account_id FROM account WHERE reference = ?", [reference])
        execute(ledger.books, LONG_LIST, [account["account_id"]])
        execute(ledger.books, "UPDATE account SET first_ordinal = 1, last_ordinal = 40001 WHERE account_id = ?", [account["account_id"]])
    execute(ledger.books, SHORT_LISTS)
    execute(ledger.books, PARTS)
    for table in ("listing", "number_part", "account", "token", "invoice"):
        execute(ledger.books, f"ANALYZE {table}")
    given = {"token_hash": hash_token(token), "now_us": ledger.clock(), "skip": 0, "size": 30} | asked
    storage = storage_of(ledger)
    with storage._serving.connection() as connection, connection.transaction():
        connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
        connection.execute("SELECT set_config('faktura.token', %s, true)", [(hash_token(token) or b"").hex()])
        ((plan,),) = connection.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + _statement(load_statements()[name]), given).fetchall()
    walked: dict[str, float] = {}
    for step in steps_of(plan[0]["Plan"]):
        if step.get("Relation Name") in {"invoice", "listing", "number_part"}:
            rows = (step["Actual Rows"] + step.get("Rows Removed by Filter", 0)) * step["Actual Loops"]
            walked[step["Relation Name"]] = walked.get(step["Relation Name"], 0) + rows
        assert step["Node Type"] != "Sort" or step["Actual Rows"] <= 30, step
    assert set(walked) == set(walks)
    assert all(walked[table] <= most for table, most in walks.items()), walked


LONG_LIST = """INSERT INTO listing (account_id, invoice_id, ordinal, created_at_us, wire_id, number_folded, dialect_version, item)
SELECT ?, 20000000000 + n, n, n, n, n::text, 1, 'x'::bytea FROM generate_series(2, 40001) n"""
SHORT_LISTS = """INSERT INTO listing (account_id, invoice_id, ordinal, created_at_us, wire_id, number_folded, dialect_version, item)
SELECT 30000000000 + a, 30000000000 + a * 10 + n, n, n, n, n::text, 1, 'x'::bytea FROM generate_series(1, 2000) a, generate_series(1, 3) n"""


PARTS = """INSERT INTO number_part (account_id, part, created_at_us, wire_id) SELECT account_id, substr(number_folded, n), created_at_us, wire_id
FROM listing, generate_series(1, 3) n WHERE n <= length(number_folded) - 2 AND invoice_id < 30000000000"""


def steps_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan's steps, each with those below it."""
    yield plan
    for below in plan.get("Plans", []):
        yield from steps_of(below)


def test_the_provider_api_reads_nothing_else(ledger: Ledger) -> None:
    """What it never needs it may not read; and it writes nothing."""
    for table in sorted({*FACTS, *OTHERS} - {"account", "listing", "invoice", "number_part", "token", "provider", "document_file"}):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            read_as(ledger, None, f"SELECT 1 FROM {table}")
    for table in ("account", "listing", "invoice", "number_part", "token", "provider", "document_file"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            read_as(ledger, None, f"DELETE FROM {table}")


def test_the_servers_role_may_not_change_facts(ledger: Ledger) -> None:
    """It is neither owner nor superuser, inserts facts, and has no right to update or delete them; only work is ever deleted."""
    with storage_of(ledger).connection() as connection:
        ((role, is_super),) = connection.execute("SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user").fetchall()
        owners = {row[0] for row in connection.execute("SELECT tableowner FROM pg_tables WHERE schemaname = current_schema()")}
        rights = {
            table: {row[0] for row in connection.execute("SELECT r FROM unnest(%s::text[]) r WHERE has_table_privilege(%s, r)", [VERBS, table])}
            for table in (*FACTS, *OTHERS)
        }
    assert (role, is_super) == (postgresql.SERVER, False)
    assert role not in owners
    for table, found in rights.items():
        expected = {"SELECT", "INSERT"} if table in FACTS else {"SELECT", "INSERT", "UPDATE"}
        expected |= {"DELETE"} if table in WORK else set()
        assert found == ({"SELECT"} if table == "schema_migration" else expected), table
    with pytest.raises(LedgerReadOnlyError, match="permission denied for table invoice"), storage_of(ledger).writing() as tx:
        cast("Any", tx.listings._driver)._connection.execute("UPDATE invoice SET number = 'x'")


VERBS = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"]


@pytest.mark.parametrize("verb", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "TRUNCATE {0}"])
def test_even_the_owner_is_refused(ledger: Ledger, verb: str) -> None:
    """Triggers guard the facts against those who have every right."""
    for table in FACTS:
        (column, *_) = [row["column_name"] for row in execute(ledger.books, "SELECT column_name FROM information_schema.columns WHERE table_name = ?", [table])]
        with pytest.raises(psycopg.errors.RaiseException, match=f"only ever inserted: {table}"):
            execute(ledger.books, verb.format(table, column))


def test_a_database_whose_walls_are_down_is_not_served(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has not migrated with this release is told to."""
    monkeypatch.setattr(postgresql_schema, "READER", "nobody_here")
    with closing(PostgresqlStorage(ledger.url)) as storage, pytest.raises(SchemaError, match="faktura migrate"):
        storage.serving().providers.all()


def test_who_may_not_make_the_reader_is_told_the_statements(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The administrator's part is said word by word."""
    monkeypatch.setattr(postgresql_schema, "READER", "faktura_other")
    with (
        storage_of(ledger).connection() as connection,
        pytest.raises(SettingError, match="CREATE ROLE faktura_other NOLOGIN; GRANT faktura_other TO faktura_server"),
    ):
        postgresql_schema._make_reader(connection, None)


def test_two_urls_of_two_databases_are_refused(ledger: Ledger, tmp_path: Path) -> None:
    """The owner's URL leads to the database that is served, or nothing is migrated."""
    other = postgresql.database_at(str(tmp_path / "other.db"))
    with closing(PostgresqlStorage(ledger.url, migration_url=other.migration_url)) as storage, pytest.raises(SettingError, match="another database"):
        storage.migrate()


def test_another_programs_database_is_left_alone(ledger: Ledger) -> None:
    """Tables that are not ours: no migration."""
    execute(ledger.books, "DROP TABLE schema_migration")
    with pytest.raises(SchemaError, match="another program"):
        storage_of(ledger).version()
    with pytest.raises(SchemaError, match="another program"):
        storage_of(ledger).migrate()


def test_lost_connections_are_made_again(ledger: Ledger) -> None:
    """After the server was restarted reads and writes go on, without an error, whatever was kept open."""
    token = hash_token(ledger.token("vpsbg", "anna")) or b""
    for _ in range(3):
        storage = storage_of(ledger)
        with storage.reading(), storage.reading():
            storage.serving().providers.all()
        cut(ledger)
        page = storage.serving().serving.page(token, now_us=ledger.clock(), skip=0, size=10)
        assert page is not None
        assert page.total == 1
        cut(ledger)
        with storage.reading() as tx:
            assert tx.providers.find("vpsbg")
        cut(ledger)
        with storage.writing() as tx:
            tx.answers.claim(1, "k", fingerprint=b"f", now_us=1)


def test_a_reader_whose_connection_was_lost_gives_its_place_back(ledger: Ledger) -> None:
    """A connection that is lost after the last statement: what was read counts, and no place in the pool is lost for good."""
    storage = storage_of(ledger)
    for _ in range(3):
        with storage.reading() as tx:
            assert tx.providers.find("vpsbg")
            cut(ledger)
    assert storage._ledger._slots._value == CONNECTIONS_MAX


def test_a_commit_that_the_server_made_a_rollback_is_no_success(ledger: Ledger) -> None:
    """Where an error was passed over inside a transaction, PostgreSQL answers COMMIT with ROLLBACK, and with no error: nobody may take that for durable."""

    def act() -> None:
        with storage_of(ledger).writing() as tx:
            tx.answers.claim(1, "k", fingerprint=b"f", now_us=1)
            with suppress(psycopg.Error):
                tx.answers._driver.run("token_used", last_used_at_us="x", token_hash=b"x")

    with pytest.raises(LedgerInterruptedError):
        act()
    assert execute(ledger.books, "SELECT 1 FROM idempotency") == []


def test_a_page_is_one_round_trip(ledger: Ledger, tmp_path: Path) -> None:
    """Token, statement and the end of both are sent before anything is waited for."""
    storage, token = storage_of(ledger), hash_token(ledger.token("vpsbg", "anna")) or b""

    def look() -> None:
        assert storage.serving().serving.page(token, now_us=ledger.clock(), skip=0, size=10) is not None

    for _ in range(8):
        look()
    (connection,) = storage._serving._idle
    with (tmp_path / "trace").open("w+") as file:
        connection.pgconn.trace(file.fileno())
        look()
        connection.pgconn.untrace()
        file.seek(0)
        directions = [line.split("\t")[1] for line in file]
    assert directions == sorted(directions, reverse=True), "F is to the server, B is back"
    assert len(set(directions)) == 2


def test_a_silent_network_is_noticed_while_an_answer_is_waited_for(ledger: Ledger) -> None:
    """The system's own two hours would hold the writers' turn; what a URL says goes before."""
    with closing(_connect(ledger.url, 5)) as connection:
        said = connection.info.get_parameters()
    assert (said["keepalives_idle"], said["keepalives_interval"], said["keepalives_count"], said["tcp_user_timeout"]) == ("5", "2", "3", "10000")
    with closing(_connect(f"{ledger.url}&keepalives_idle=60", 5)) as connection:
        assert connection.info.get_parameters()["keepalives_idle"] == "60"


def test_who_makes_the_reader_may_act_as_it(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that may make roles is a member of what it makes, but from PostgreSQL 16 on cannot be it before that is granted."""
    name = f"reader_{psycopg.conninfo.conninfo_to_dict(ledger.url)['dbname']}"
    monkeypatch.setattr(postgresql_schema, "READER", name)
    owner_url = storage_of(ledger)._migration_url
    with closing(PostgresqlStorage(owner_url)) as storage:
        storage.migrate()
        assert storage.serving().providers.all()
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_a_migration_with_nothing_to_do_waits_for_no_reader(ledger: Ledger) -> None:
    """A backup reads for hours: a server that starts meanwhile migrates first, and must neither wait for it nor let pages wait. Walls that are down are raised."""
    storage = storage_of(ledger)
    owner_url = f"{storage._migration_url}&options=-c%20lock_timeout%3D1"
    with storage.reading(), storage.connection() as connection, psycopg.connect(owner_url, autocommit=True) as owner:
        connection.execute("BEGIN")
        for table in (*FACTS, *OTHERS):
            connection.execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE")
        assert postgresql_schema.migrate(owner, server_role="faktura_server") == []
        connection.execute("ROLLBACK")
        for change in (
            "ALTER POLICY served ON invoice USING (true)",
            "ALTER POLICY kept ON account TO faktura_owner",
            "ALTER TABLE token DISABLE ROW LEVEL SECURITY",
        ):
            owner.execute(change)
        owner.execute("ALTER TABLE payment DISABLE TRIGGER ALL; DROP TRIGGER fact_journal ON journal; DROP POLICY served ON listing")
    walls = "SELECT tablename, policyname, roles, cmd, qual FROM pg_policies ORDER BY 1, 2"
    assert len(execute(ledger.books, walls)) == 2 * len(postgresql_schema.SERVED) - 1
    storage.migrate()
    assert len(execute(ledger.books, walls)) == 2 * len(postgresql_schema.SERVED)
    for table in ("invoice", "account", "listing"):
        assert len(read_as(ledger, ledger.token("vpsbg", "anna"), f"SELECT 1 FROM {table}")) == 1
    for table in FACTS:
        (column, *_) = [row["column_name"] for row in execute(ledger.books, "SELECT column_name FROM information_schema.columns WHERE table_name = ?", [table])]
        with pytest.raises(psycopg.errors.RaiseException, match=f"only ever inserted: {table}"):
            execute(ledger.books, f"UPDATE {table} SET {column} = {column}")
    assert len(execute(ledger.books, "SELECT 1 FROM account")) == 2


def test_a_migration_below_a_running_server_is_lived_through(ledger: Ledger) -> None:
    """Statements that were prepared before a table changed are prepared anew: reads go on, and a step that met them may be tried again."""
    storage, token = storage_of(ledger), hash_token(ledger.token("vpsbg", "anna")) or b""
    (account,) = execute(ledger.books, "SELECT account_id FROM account WHERE reference = 'anna'")

    def look() -> None:
        page = storage.serving().serving.page(token, now_us=ledger.clock(), skip=0, size=10)
        assert page is not None
        with storage.reading() as tx:
            assert tx.accounts.get(account["account_id"])

    for change in ("ADD COLUMN later BIGINT", "DROP COLUMN later"):
        for _ in range(8):
            look()
        execute(ledger.books, f"ALTER TABLE account {change}")
        with suppress(LedgerInterruptedError):
            look()
    execute(ledger.books, "ALTER TABLE account RENAME TO gone")
    for _ in range(8):
        with pytest.raises(psycopg.errors.UndefinedTable):
            look()
    execute(ledger.books, "ALTER TABLE gone RENAME TO account")
    for _ in range(8):
        look()


def bill(ledger: Ledger, moments: dict[int, Any], counted: list[int]) -> Any:
    """Issue a document, with something happening before or after in the same transaction."""
    (account,) = execute(ledger.books, "SELECT account_id FROM account WHERE reference = 'anna'")

    def act(books: Books) -> Answer:
        counted.append(1)
        invoice = issue(books, account_id=account["account_id"], draft=parse_draft(DOCUMENT, currency=EUR, buyer=BUYER))
        if len(counted) in moments:
            moments[len(counted)](books)
        return Answer(status=201, headers=(), body=invoice.number.encode())

    return act


@pytest.mark.parametrize("key", ["k", None])
def test_a_step_that_was_broken_off_is_tried_again(ledger: Ledger, key: str | None) -> None:
    """Nothing of it was kept, so it may be; twice broken off, it is told."""
    counted: list[int] = []
    answer, _ = once(ledger.books, provider_id=1, key=key, fingerprint=b"f", act=bill(ledger, {1: partial(break_off, ledger)}, counted))
    assert (answer.body, len(counted)) == (b"0000000003", 2)
    counted.clear()
    with pytest.raises(LedgerInterruptedError):
        once(ledger.books, provider_id=1, key=key and "other", fingerprint=b"f", act=bill(ledger, dict.fromkeys((1, 2), partial(break_off, ledger)), counted))
    assert len(counted) == 2
    assert list(verify(ledger.books)) == []


def break_off(ledger: Ledger, books: Books) -> None:
    """Lose the connection in the middle of a step."""
    cut(ledger)
    with books.storage.reading() as tx:
        tx.providers.all()


@pytest.mark.parametrize("is_kept", [True, False])
def test_what_became_of_a_lost_commit_is_found_by_its_key(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, *, is_kept: bool) -> None:
    """Whether the commit arrived or not, there is one document and the caller gets it; without a key he is told that nobody knows."""
    lose_commits(ledger, monkeypatch, times=1, is_kept=is_kept)
    counted: list[int] = []
    answer, was_there = once(ledger.books, provider_id=1, key="k", fingerprint=b"f", act=bill(ledger, {}, counted))
    assert (answer.body, was_there, len(counted)) == (b"0000000003", is_kept, 1 if is_kept else 2)
    lose_commits(ledger, monkeypatch, times=1, is_kept=is_kept)
    with pytest.raises(LedgerUncertainError):
        once(ledger.books, provider_id=1, key=None, fingerprint=b"f", act=bill(ledger, {}, counted))
    numbers = [row["number"] for row in execute(ledger.books, "SELECT number FROM invoice ORDER BY number")]
    assert numbers == [f"{place:010d}" for place in range(1, 5 if is_kept else 4)]
    assert list(verify(ledger.books)) == []


def lose_commits(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, *, times: int, is_kept: bool) -> None:
    """The next commits are carried out, or not, and the connection is gone before their answer."""
    storage, left = storage_of(ledger), [times]
    plain = storage._turns._begin

    def begin() -> Any:
        transaction = cast("Any", plain())
        run = transaction.run

        def lost(sql: str) -> None:
            if sql == "COMMIT" and left[0]:
                left[0] -= 1
                if is_kept:
                    run(sql)
                    transaction._connection.close()
                    raise LedgerUncertainError
                cut(ledger)
            run(sql)

        transaction.run = lost
        return transaction

    monkeypatch.setattr(storage._turns, "_begin", begin)


def test_connections_are_bounded(ledger: Ledger) -> None:
    """Who finds none free is told after a while, and served when there is one."""
    pool = Pool(lambda: _connect(ledger.url, 5), size=2, seconds=0)
    with pool.connection(), pool.connection(), pytest.raises(LedgerBusyError, match="in use"):
        pool.take()
    with pool.connection() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    pool.forget()


def test_a_server_that_is_away_is_told_of_at_once() -> None:
    """Nobody waits for a server that does not listen; nothing of its URL's password is said."""
    storage = PostgresqlStorage("postgresql://u:secret@127.0.0.1:1/x")
    for act in (storage.version, storage.serving().providers.all, lambda: storage.writing().__enter__(), lambda: storage.reading().__enter__()):
        with pytest.raises(LedgerAwayError, match="cannot be reached") as told:
            act()
        assert "secret" not in str(told.value)
        assert isinstance(told.value, LedgerError)
