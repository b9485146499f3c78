"""Lines: what many requests ask of PostgreSQL at once over a few connections, each answered with what it asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import psycopg
import pytest
from tests import postgresql
from tests.conftest import Ledger, open_ledger
from tests.database import choose_engine, database_at, execute
from tests.server.wire import record_answer, vpsbg_items

from faktura.bootstrap.books import DIALECTS
from faktura.domain.errors import LedgerAwayError, LedgerBusyError, LedgerInterruptedError
from faktura.domain.provider import hash_token
from faktura.ledger.listing_ports import Ask, ServedItems
from faktura.storage import postgresql_lines
from faktura.storage.pool import Pool
from faktura.storage.postgresql import CONNECTIONS_MAX, PostgresqlStorage

ACCOUNTS = {"anna": 3, "boris": 65, "none": 0}
T = TypeVar("T")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Accounts of several sizes."""
    choose_engine("postgresql")
    with open_ledger(tmp_path / "ledger.db") as opened:
        provider = opened.provider("vpsbg")
        for place, (reference, count) in enumerate(ACCOUNTS.items()):
            opened.account("vpsbg", reference)
            record_answer(opened.books, DIALECTS["vpsbg"], provider, reference, {"data": vpsbg_items(count, first_id=1000 * place + 1)})
        yield opened


def storage_of(ledger: Ledger) -> PostgresqlStorage:
    """Its storage."""
    return cast("PostgresqlStorage", ledger.books.storage)


def cut(ledger: Ledger) -> None:
    """End every connection to the ledger's database."""
    name = psycopg.conninfo.conninfo_to_dict(ledger.url)["dbname"]
    with psycopg.connect(postgresql.server(), autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])


def asking(ledger: Ledger) -> Callable[..., Ask[ServedItems | None]]:
    """How to ask for a page of an account."""
    tokens = {reference: hash_token(ledger.token("vpsbg", reference)) or b"" for reference in ACCOUNTS} | {"nobody": b"x" * 32}
    serving = ledger.books.storage.serving().serving

    def ask(reference: str, *, skip: int = 0, size: int = 30) -> Ask[ServedItems | None]:
        return serving.ask_items(tokens[reference], now_us=ledger.clock(), skip=skip, size=size, dialect_version=1)

    return ask


def wait_for(work: Callable[[], Awaitable[T]]) -> T:
    """Run it in a loop of its own."""

    async def run() -> T:
        return await work()

    return asyncio.run(run())


def totals(pages: list[ServedItems | None]) -> list[int | None]:
    """How many documents each says there are."""
    return [None if page is None else page.total for page in pages]


def test_each_gets_what_it_asked_for(ledger: Ledger) -> None:
    """A thousand questions of four callers at once, in any order: every answer is the caller's own, as asked one by one."""
    storage, ask = storage_of(ledger), asking(ledger)
    asked = [(("anna", "boris", "none", "nobody")[place * 7 % 4], place % 70) for place in range(1000)]

    async def all_at_once() -> list[ServedItems | None]:
        return list(await asyncio.gather(*(storage.fetch(ask(reference, skip=skip)) for reference, skip in asked)))

    pages = wait_for(all_at_once)
    assert len(storage._lines._lines) == 1, "who comes while a line is opened waits for it"
    assert totals(pages) == [ACCOUNTS.get(reference) for reference, _ in asked]
    for (reference, skip), page in zip(asked, pages, strict=True):
        found = b"" if page is None else page.items or b""
        assert found.count(b'"invoice_number"') == min(30, max(0, ACCOUNTS.get(reference, 0) - skip))


def test_a_lost_line_is_made_again(ledger: Ledger) -> None:
    """After the server was restarted reads go on without an error, whether a line was idle or waited, and no place in the pool is lost."""
    storage, ask = storage_of(ledger), asking(ledger)

    async def live() -> None:
        for _ in range(3):
            assert totals(list(await asyncio.gather(*(storage.fetch(ask("boris")) for _ in range(9))))) == [65] * 9
            await asyncio.to_thread(cut, ledger)
            assert totals([await storage.fetch(ask("anna"))]) == [3]
            cutting = asyncio.create_task(asyncio.to_thread(cut, ledger))
            while not cutting.done():
                said = await asyncio.gather(*(storage.fetch(ask("boris")) for _ in range(9)), return_exceptions=True)
                # A connection that is cut while it is made is a server that is away; what is asked again is cut again now and then.
                assert {65 if isinstance(each, ServedItems) else type(each) for each in said} <= {65, LedgerAwayError, LedgerInterruptedError}
        held = len(storage._lines._lines)
        assert storage._serving._slots._value == CONNECTIONS_MAX - held
        storage._lines.close()
        assert storage._serving._slots._value == CONNECTIONS_MAX

    wait_for(live)


def test_another_loop_has_lines_of_its_own(ledger: Ledger) -> None:
    """What one event loop left behind is no trouble for the next."""
    storage, ask = storage_of(ledger), asking(ledger)
    for _ in range(3):
        assert totals([wait_for(lambda: storage.fetch(ask("boris")))]) == [65]
    assert len(storage._lines._lines) == 1


def test_an_error_is_its_own_askers(ledger: Ledger) -> None:
    """A statement that fails fails for who asked it, with its own words; those beside it on the same line are answered, and so is the next try."""
    storage, ask = storage_of(ledger), asking(ledger)
    good = ask("anna")
    bad = good._replace(parameters=good.parameters | {"skip": "x"})
    single = storage.serving().serving.ask_single(cast("bytes", good.parameters["token_hash"]), now_us=0, wire_id=1)

    async def live() -> None:
        for _ in range(2):
            said: list[Any] = await asyncio.gather(*(storage.fetch(each) for each in (good, bad, good, bad) * 4), return_exceptions=True)
            assert totals(said[::2]) == [3] * 8
            assert {type(each) for each in said[1::2]} == {psycopg.errors.InvalidTextRepresentation}
        execute(ledger.books, "ALTER TABLE invoice RENAME TO hidden")
        with pytest.raises(psycopg.errors.UndefinedTable):
            await storage.fetch(single)
        execute(ledger.books, "ALTER TABLE hidden RENAME TO invoice")
        assert await storage.fetch(single) is not None

    wait_for(live)


def test_a_changed_schema_is_asked_again(ledger: Ledger) -> None:
    """A prepared statement that no longer fits is prepared again, unseen."""
    storage, ask = storage_of(ledger), asking(ledger)

    async def live() -> None:
        assert totals([await storage.fetch(ask("anna"))]) == [3]
        for kind in ("NUMERIC", "BIGINT"):
            execute(ledger.books, f"ALTER TABLE account ALTER COLUMN revision TYPE {kind}")
            with suppress(KeyError):  # NUMERIC is read nowhere; that is told, too
                assert totals([await storage.fetch(ask("anna"))]) == [3]

    wait_for(live)


def test_who_stops_waiting_is_left_out(ledger: Ledger) -> None:
    """A caller who gives up does not disturb those behind."""
    storage, ask = storage_of(ledger), asking(ledger)

    async def live() -> None:
        await storage.fetch(ask("anna"))
        tasks = [asyncio.create_task(storage.fetch(ask("boris"))) for _ in range(40)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        said = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(each, asyncio.CancelledError) for each in said] == [True, False] * 20

    wait_for(live)


def test_too_many_are_told_so(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line keeps only so many waiting: the others are told at once."""
    storage, ask = storage_of(ledger), asking(ledger)
    monkeypatch.setattr(postgresql_lines, "WAITING_MAX", 5)

    async def live() -> list[Any]:
        await asyncio.gather(*(storage.fetch(ask("anna")) for _ in range(4)), return_exceptions=True)
        return await asyncio.gather(*(storage.fetch(ask("anna")) for _ in range(200)), return_exceptions=True)

    said = wait_for(live)
    refused = [each for each in said if isinstance(each, BaseException)]
    assert {type(each) for each in refused} == {LedgerBusyError}
    assert len(said) - len(refused) >= 5


def test_a_server_that_is_away_is_told_at_once(ledger: Ledger) -> None:
    """Nobody waits for lines that cannot be made."""
    storage, ask = storage_of(ledger), asking(ledger)
    away = postgresql_lines.Lines(Pool(lambda: psycopg.connect("host=/nowhere"), size=4, seconds=1))
    storage._lines = away

    async def live() -> list[Any]:
        return await asyncio.gather(*(storage.fetch(ask("anna")) for _ in range(20)), return_exceptions=True)

    assert {type(each) for each in wait_for(live)} == {LedgerAwayError}


def test_where_no_further_line_can_be_made_those_there_serve(ledger: Ledger) -> None:
    """A server that takes no more connections costs nobody an answer."""
    storage, ask = storage_of(ledger), asking(ledger)
    made: list[Any] = []

    def once_only() -> Any:
        if made:
            raise psycopg.OperationalError("sorry, too many clients already")
        made.append(storage._serving._connect())
        return made[0]

    storage._lines = postgresql_lines.Lines(Pool(once_only, size=4, seconds=1))

    async def live() -> None:
        await storage.fetch(ask("anna"))
        for _ in range(5):
            assert totals(list(await asyncio.gather(*(storage.fetch(ask("boris")) for _ in range(20))))) == [65] * 20

    wait_for(live)


def test_who_waits_too_long_is_told(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a lock callers hear after a while that the database is late, also those whose statement has not begun; then it serves again."""
    storage, ask = storage_of(ledger), asking(ledger)
    monkeypatch.setattr(postgresql_lines, "LATE_SECONDS", 0.5)
    monkeypatch.setattr(postgresql_lines, "_LOOK_SECONDS", 0.1)

    async def live() -> None:
        assert totals([await storage.fetch(ask("anna"))]) == [3]
        with psycopg.connect(database_at(ledger.path).migration_url or "") as locker:
            locker.execute("LOCK TABLE listing IN ACCESS EXCLUSIVE MODE")
            said = await asyncio.gather(*(storage.fetch(ask("anna")) for _ in range(12)), return_exceptions=True)
            assert {type(each) for each in said} <= {LedgerBusyError, LedgerInterruptedError}
            locker.rollback()
        assert totals([await storage.fetch(ask("anna"))]) == [3]

    wait_for(live)
