"""Writers take turns, share commits, and none is told of a commit that was not."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from tests.database import database_at, execute

from faktura.bootstrap.books import open_books
from faktura.config import Settings
from faktura.domain.errors import LedgerBusyError, LedgerFullError, LedgerInterruptedError
from faktura.ledger.ports import Books
from faktura.storage import turns
from faktura.storage.sqlite import SqliteStorage

THREADS = 8


@pytest.fixture
def books(engine: str, tmp_path: Path) -> Any:
    """An empty ledger."""
    with open_books(Settings(database=database_at(tmp_path / "ledger.db")), create=True) as opened:
        yield opened


class Watch:
    """What happens to the transactions of a storage."""

    def __init__(self, books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
        self.storage = cast("Any", books.storage)
        self.said: list[str] = []
        plain_begin = self.storage._turns._begin

        def begin() -> Any:
            transaction = plain_begin()
            plain_run = transaction.run

            def run(sql: str) -> None:
                self.said.append(sql.partition(" ")[0])
                plain_run(sql)

            transaction.run = run
            self.said.append("BEGIN")
            return transaction

        monkeypatch.setattr(self.storage._turns, "_begin", begin)

    def waiting(self) -> int:
        """How many writers wait for their turn."""
        return len(self.storage._turns._queue)


def claim(books: Books, key: str) -> None:
    """Write one row."""
    with books.storage.writing() as tx:
        tx.answers.claim(1, key, fingerprint=b"f", now_us=1)


def fail(books: Books) -> None:
    """Write one row, and then something goes wrong."""
    with books.storage.writing() as tx:
        tx.answers.claim(1, "bad", fingerprint=b"f", now_us=1)
        raise KeyError("bad")


def claimed(books: Books) -> set[str]:
    """The rows that are there."""
    return {row["idempotency_key"] for row in execute(books, "SELECT idempotency_key FROM idempotency")}


def together(watch: Watch, acts: list[Callable[[], None]], monkeypatch: pytest.MonkeyPatch, *, holder_fails: bool = False) -> list[BaseException | None]:
    """Run all in threads of their own, all waiting before the first goes on; what each raised."""
    monkeypatch.setattr(turns, "GROUP_NS_MAX", 60_000_000_000)
    gate, is_first = threading.Event(), threading.Lock()

    def act(run: Callable[[], None]) -> BaseException | None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001 - told to the test
            return error
        return None

    def hold() -> None:
        with is_first, watch.storage.writing():
            gate.wait(20)

    with ThreadPoolExecutor(len(acts) + 1) as pool:
        holding = pool.submit(hold)
        while not watch.said:
            time.sleep(0.001)
        found = []
        for place, run in enumerate(acts):
            found.append(pool.submit(act, run))
            while watch.waiting() <= place:
                time.sleep(0.001)
        gate.set()
        if holder_fails:
            assert isinstance(holding.exception(), LedgerInterruptedError)
        else:
            holding.result()
        return [future.result() for future in found]


def test_writers_that_wait_share_one_commit(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each goes on in the transaction of the one before, in a savepoint; one commit makes all durable."""
    watch = Watch(books, monkeypatch)
    assert together(watch, [lambda key=f"k{n}": claim(books, key) for n in range(THREADS)], monkeypatch) == [None] * THREADS  # type: ignore[misc]
    assert watch.said == ["BEGIN", *["SAVEPOINT", "RELEASE"] * THREADS, "COMMIT"]
    assert claimed(books) == {f"k{n}" for n in range(THREADS)}


def test_one_that_fails_takes_nobody_along(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own rows are rolled back, and only they."""
    watch = Watch(books, monkeypatch)

    acts = [lambda: claim(books, "a"), lambda: fail(books), lambda: claim(books, "b"), lambda: fail(books)]
    found = together(watch, acts, monkeypatch)
    assert [type(error) for error in found] == [type(None), KeyError, type(None), KeyError]
    assert claimed(books) == {"a", "b"}
    assert watch.said.count("COMMIT") == 1


def test_a_first_that_fails_is_rolled_back_whole(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next begins anew."""
    watch = Watch(books, monkeypatch)
    with pytest.raises(KeyError):
        fail(books)
    claim(books, "good")
    assert claimed(books) == {"good"}
    assert watch.said == ["BEGIN", "ROLLBACK", "BEGIN", "COMMIT"]


def test_a_commit_that_fails_is_told_to_all(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody whose rows are not kept is told that they are; the next writer is served."""
    watch = Watch(books, monkeypatch)
    plain = watch.storage._turns._commit

    def commit(group: Any) -> None:
        run = group.transaction.run

        def full(sql: str) -> None:
            if sql == "COMMIT":
                raise LedgerFullError
            run(sql)

        group.transaction.run = full
        plain(group)

    with monkeypatch.context() as patched:
        patched.setattr(watch.storage._turns, "_commit", commit)

        def act() -> list[BaseException | None]:
            return together(watch, [lambda key=f"k{n}": claim(books, key) for n in range(3)], monkeypatch)  # type: ignore[misc]

        with pytest.raises(LedgerFullError):
            act()
    assert claimed(books) == set()
    claim(books, "after")
    assert claimed(books) == {"after"}


def test_a_transaction_that_is_lost_between_members_is_told_as_broken_off(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who were done and the next are told that nothing was kept, not somebody's own mistake; who comes after begins anew."""
    watch = Watch(books, monkeypatch)
    gone = []

    def lose() -> None:
        with books.storage.writing():
            group = watch.storage._turns._group
            monkeypatch.setattr(group.transaction, "run", broken(group.transaction))
            gone.append(group)
            raise KeyError("mine")

    def broken(transaction: Any) -> Callable[[str], None]:
        plain = transaction.run

        def run(sql: str) -> None:
            if sql.startswith("ROLLBACK TO"):
                raise LedgerInterruptedError
            plain(sql)

        return run

    found = together(watch, [lambda: claim(books, "a"), lose, lambda: claim(books, "b")], monkeypatch, holder_fails=True)
    assert [type(error) for error in found] == [LedgerInterruptedError, KeyError, type(None)]
    assert claimed(books) == {"b"}


def test_a_savepoint_that_fails_ends_the_group(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who were done are told at once that nothing was kept, and the next in the queue gets a transaction of its own."""
    watch = Watch(books, monkeypatch)
    left = [1]

    def act() -> None:
        with books.storage.writing() as tx:
            tx.answers.claim(1, "a", fingerprint=b"f", now_us=1)
            transaction = watch.storage._turns._group.transaction
            plain = transaction.run

            def run(sql: str) -> None:
                if sql.startswith("SAVEPOINT") and left[0]:
                    left[0] -= 1
                    plain("ROLLBACK")
                    raise LedgerInterruptedError
                plain(sql)

            transaction.run = run

    found = together(watch, [act, lambda: claim(books, "b"), lambda: claim(books, "c")], monkeypatch, holder_fails=True)
    assert [type(error) for error in found] == [LedgerInterruptedError, LedgerInterruptedError, type(None)]
    assert claimed(books) == {"c"}


def test_an_interrupted_wait_or_commit_keeps_no_turn(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C may come at any moment; whoever writes next is served."""
    watch = Watch(books, monkeypatch)
    turns_ = watch.storage._turns

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            super().wait(timeout)
            raise KeyboardInterrupt

    def commit(group: Any) -> None:
        plain = group.transaction.run

        def run(sql: str) -> None:
            if sql == "COMMIT":
                raise KeyboardInterrupt
            plain(sql)

        group.transaction.run = run
        type(turns_)._commit(turns_, group)

    with monkeypatch.context() as patched:
        patched.setattr(turns_, "_commit", commit)
        with pytest.raises(KeyboardInterrupt):
            claim(books, "a")
    assert turns_._holder is None
    with monkeypatch.context() as patched:
        patched.setattr(turns, "_Waiter", lambda is_bulk: _waiter(is_bulk=is_bulk, turn=Interrupted()))
        (error,) = together(watch, [lambda: claim(books, "b")], patched)
    assert isinstance(error, KeyboardInterrupt)
    assert turns_._holder is None
    claim(books, "after")
    assert claimed(books) == {"after"}


_waiter = turns._Waiter


def test_long_work_shares_with_nobody(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits before it is told before it begins; who waits after it begins anew."""
    watch = Watch(books, monkeypatch)

    def long() -> None:
        with books.storage.writing(bulk=True) as tx:
            tx.answers.claim(1, "long", fingerprint=b"f", now_us=1)

    assert together(watch, [lambda: claim(books, "a"), long, lambda: claim(books, "b")], monkeypatch) == [None] * 3
    assert watch.said == ["BEGIN", "SAVEPOINT", "RELEASE", "COMMIT", "BEGIN", "COMMIT", "BEGIN", "COMMIT"]
    assert claimed(books) == {"a", "long", "b"}


def test_who_waits_too_long_is_told_and_forgotten(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn never goes to somebody who left, and a group is not left open for him."""
    watch = Watch(books, monkeypatch)
    monkeypatch.setattr(watch.storage._turns, "_seconds", 0)
    with books.storage.writing() as tx:
        tx.answers.claim(1, "a", fingerprint=b"f", now_us=1)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(claim, books, "b")
            with pytest.raises(LedgerBusyError):
                waiting.result(20)
    claim(books, "c")
    assert claimed(books) == {"a", "c"}


def test_a_transaction_inside_another_is_a_mistake(books: Books) -> None:
    """It is said at once: it would wait for itself."""
    with pytest.raises(RuntimeError, match="inside another"), books.storage.writing():
        claim(books, "a")
    claim(books, "b")
    assert claimed(books) == {"b"}


def test_what_was_acknowledged_is_durable(tmp_path: Path) -> None:
    """With many writers at once, each sees its row from another connection as soon as it is told."""
    with open_books(Settings(database=database_at(tmp_path / "ledger.db")), create=True) as books:
        assert isinstance(books.storage, SqliteStorage)

        def act(key: str) -> bool:
            claim(books, key)
            with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
                return other.execute("SELECT 1 FROM idempotency WHERE idempotency_key = ?", [key]).fetchall() == [(1,)]

        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(act, [f"k{n}" for n in range(300)]))
