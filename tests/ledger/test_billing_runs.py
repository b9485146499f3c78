"""Billing runs that the ledger keeps: whole, resumable, never stuck on one item."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

import pytest
from tests.conftest import Ledger
from tests.database import sqlite_only

from faktura.domain.errors import LedgerBusyError, LedgerFullError
from faktura.ledger import billing, billing_runs
from faktura.ledger.billing_runs import (
    LEASE_US,
    RECEIVING_LEASE_US,
    Lease,
    LeaseLostError,
    UploadLostError,
    accept_run,
    begin_run,
    drop_run,
    receive_items,
    work_off,
    work_waiting,
)
from faktura.ledger.management_ports import BillingRun, ItemOutcome, RunItem, RunState
from faktura.ledger.ports import Books, Storage, Transaction
from faktura.ledger.selection import Selection
from faktura.ledger.verification import verify
from faktura.storage.sqlite import SqliteStorage


def never() -> bool:
    """Nobody stops the work."""
    return False


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three items a batch, so that a short run has many."""
    monkeypatch.setattr(billing, "BATCH_SIZE", 3)
    monkeypatch.setattr(billing_runs, "BATCH_SIZE", 3)


@pytest.fixture
def provider_id(ledger: Ledger) -> int:
    """A provider with two accounts."""
    provider = ledger.provider("vpsbg")
    ledger.account("vpsbg", "a")
    ledger.account("vpsbg", "b")
    return provider.id


def item(account: str, product: str, **fields: object) -> str:
    """One item's JSON text."""
    document = {"lines": [{"name": "VPS", "unit_price": "12.5"}]} | fields
    return json.dumps({"account": account, "period": "2024-07", "product": product} | document)


ITEMS = [
    (1, item("a", "p1")),
    (2, item("b", "p1")),
    (4, item("a", "p2", lines=[])),
    (5, "null"),
    (6, item("nobody", "p1")),
    (7, item("b", "p2", type_code=325, order_ids=[7])),
    (8, item("a", "p1")),
    *((place, item("ab"[place % 2], f"q{place}")) for place in range(9, 20)),
]


def started(books: Books, provider_id: int, *, is_dry_run: bool = False) -> BillingRun:
    """A run whose input is in, received in two parts."""
    run = begin_run(books, provider_id=provider_id, is_dry_run=is_dry_run)
    run = receive_items(books, run, ITEMS[:5])
    return accept_run(books, receive_items(books, run, ITEMS[5:]))


def read(books: Books, run: BillingRun) -> tuple[RunState, dict[ItemOutcome, int], list[RunItem]]:
    """State, counts and items of a run."""
    with books.storage.reading() as tx:
        found = tx.runs.get(run.provider_id, run.id)
        assert found is not None
        return found.state, tx.runs.counts(run), tx.runs.items(run, outcome=None, after=0, limit=100)


def documents(books: Books) -> list[tuple[str, str]]:
    """Number and account of every document, by number."""
    with books.storage.reading() as tx:
        found = tx.invoices.overview(Selection(limit=1000))
        return sorted((one.invoice.number, one.account) for one in found)


def test_a_run_issues_what_is_valid_and_says_why_the_rest_is_not(ledger: Ledger, provider_id: int) -> None:
    """Every item comes to something; the faults are those that issuing would give; the ledger is whole."""
    run = started(ledger.books, provider_id)
    assert run.item_count == len(ITEMS)
    assert work_waiting(ledger.books, holder="w", is_stopping=never) == 1
    state, counts, items = read(ledger.books, run)
    assert state is RunState.DONE
    assert counts == {ItemOutcome.ISSUED: 14, ItemOutcome.REFUSED: 3, ItemOutcome.BILLED_BEFORE: 1}
    faults = {one.position: [(rule, path) for rule, path, _ in one.faults] for one in items if one.faults}
    assert faults == {4: [("BR-16", "lines")], 5: [("type", "")], 6: [("account", "account")]}
    assert len(documents(ledger.books)) == 14
    assert {one.number for one in items if one.number} == {number for number, _ in documents(ledger.books)}
    assert not list(verify(ledger.books))


def test_a_dry_run_issues_nothing(ledger: Ledger, provider_id: int) -> None:
    """All is checked, nothing is written but what was found."""
    run = started(ledger.books, provider_id, is_dry_run=True)
    work_waiting(ledger.books, holder="w", is_stopping=never)
    state, counts, _ = read(ledger.books, run)
    assert (state, counts) == (RunState.DONE, {ItemOutcome.VALID: 15, ItemOutcome.REFUSED: 3})
    assert documents(ledger.books) == []


class CrashError(Exception):
    """The machine stops here."""


@dataclass
class Crashing:
    """Storage whose machine stops at its n-th commit, before or after it is durable."""

    storage: Storage
    commits_left: int
    is_after: bool

    @contextmanager
    def writing(self, *, bulk: bool = False) -> Iterator[Transaction]:
        """A transaction that may be the last."""
        self.commits_left -= 1
        if self.commits_left < 0:
            raise CrashError
        with self.storage.writing(bulk=bulk) as tx:
            yield tx
            if self.commits_left == 0 and not self.is_after:
                raise CrashError
        if self.commits_left == 0:
            raise CrashError

    def reading(self) -> object:
        """As ever."""
        return self.storage.reading()


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("commits", range(1, 14))
def test_a_run_goes_on_where_a_crash_stopped_it(ledger: Ledger, provider_id: int, commits: int, is_after: bool) -> None:  # noqa: FBT001
    """Whichever commit the machine stops at: who comes next ends the run with the same documents, none missing, none twice."""
    run = started(ledger.books, provider_id)
    crashing = replace(ledger.books, storage=Crashing(ledger.books.storage, commits, is_after))  # type: ignore[arg-type]
    with pytest.raises(CrashError):
        work_waiting(crashing, holder="dead", is_stopping=never)
    ledger.clock.now_us += LEASE_US + 1
    work_waiting(ledger.books, holder="next", is_stopping=never)
    state, counts, _ = read(ledger.books, run)
    assert state is RunState.DONE
    assert counts == {ItemOutcome.ISSUED: 14, ItemOutcome.REFUSED: 3, ItemOutcome.BILLED_BEFORE: 1}
    assert len(documents(ledger.books)) == 14
    assert not list(verify(ledger.books))


def test_a_held_run_is_left_alone(ledger: Ledger, provider_id: int) -> None:
    """Two workers never work on one run, and who lost the lease can write nothing more."""
    run = started(ledger.books, provider_id)
    assert work_waiting(ledger.books, holder="first", is_stopping=lambda: read(ledger.books, run)[0] is RunState.CHECKING) == 0
    held = read(ledger.books, run)[0]
    assert held is RunState.CHECKING
    with ledger.books.storage.writing() as tx:
        current = tx.runs.get(provider_id, run.id)
        assert current is not None
        tx.runs.set(replace(current, holder="first", leased_until_us=ledger.clock() + LEASE_US))
    assert work_waiting(ledger.books, holder="second", is_stopping=never) == 0
    with pytest.raises(LeaseLostError):
        work_off(ledger.books, run, lease=Lease("second"), is_stopping=never)
    assert documents(ledger.books) == []


def test_an_item_that_breaks_us_is_told_and_the_others_go_on(ledger: Ledger, provider_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of ours in one item neither stops its batch nor makes the run start again for ever."""
    issue_batch = billing.issue_batch

    def breaking(books: Books, provider: str, items: list[billing.BillingItem]) -> list[billing.ItemReport]:
        reports = issue_batch(books, provider, items)
        if any(one.position == 10 for one in items):
            raise ZeroDivisionError
        return reports

    monkeypatch.setattr(billing_runs, "issue_batch", breaking)
    run = started(ledger.books, provider_id)
    work_waiting(ledger.books, holder="w", is_stopping=never)
    state, counts, items = read(ledger.books, run)
    assert (state, counts[ItemOutcome.ISSUED], counts[ItemOutcome.REFUSED]) == (RunState.DONE, 13, 4)
    assert [one.faults[0][0] for one in items if one.position == 10] == ["INTERNAL"]
    assert not list(verify(ledger.books))


def test_a_ledger_that_is_away_is_waited_for(ledger: Ledger, provider_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No item is refused because the ledger was busy or full: the run waits, and ends later."""

    def busy(*_: object) -> None:
        raise LedgerBusyError

    run = started(ledger.books, provider_id)
    with monkeypatch.context() as patched:
        patched.setattr(billing_runs, "issue_batch", busy)
        with pytest.raises(LedgerBusyError):
            work_waiting(ledger.books, holder="w", is_stopping=never)
    assert work_waiting(ledger.books, holder="w", is_stopping=never) == 0
    ledger.clock.now_us += LEASE_US + 1
    assert work_waiting(ledger.books, holder="w", is_stopping=never) == 1
    assert read(ledger.books, run)[1][ItemOutcome.ISSUED] == 14


@sqlite_only
def test_a_full_ledger_is_waited_for(ledger: Ledger, provider_id: int) -> None:
    """Wherever the room ends, no item is refused for it and the books are whole; with room again the run goes on."""
    parts = [(place, item("ab"[place % 2], f"q{place}", note="n" * 3000)) for place in range(1, 61)]
    run = accept_run(ledger.books, receive_items(ledger.books, begin_run(ledger.books, provider_id=provider_id, is_dry_run=False), parts))
    size = ledger.books.storage._connect().execute("PRAGMA page_count").fetchone()[0]  # type: ignore[attr-defined]
    issued = []
    for more in (0, 5, 20, 40):
        small = SqliteStorage(str(ledger.path), page_count_max=size + more)
        with closing(small), pytest.raises(LedgerFullError):
            work_waiting(replace(ledger.books, storage=small), holder="w", is_stopping=never)
        ledger.clock.now_us += LEASE_US + 1
        issued.append(read(ledger.books, run)[1].get(ItemOutcome.ISSUED, 0))
        assert list(verify(ledger.books)) == []
    assert issued == sorted(issued)
    assert 0 < issued[-1] < len(parts)
    work_waiting(ledger.books, holder="w", is_stopping=never)
    assert read(ledger.books, run)[1] == {ItemOutcome.ISSUED: len(parts)}


def test_an_upload_that_never_ended_leaves_nothing(ledger: Ledger, provider_id: int) -> None:
    """Nobody sees its run, and after an hour without a part it is removed."""
    run = receive_items(ledger.books, begin_run(ledger.books, provider_id=provider_id, is_dry_run=False), ITEMS[:5])
    work_waiting(ledger.books, holder="w", is_stopping=never)
    with ledger.books.storage.reading() as tx:
        assert tx.runs.page(provider_id, before=2**53, limit=10) == []
    assert len(read(ledger.books, run)[2]) == 5
    ledger.clock.now_us += RECEIVING_LEASE_US + 1
    work_waiting(ledger.books, holder="w", is_stopping=never)
    with ledger.books.storage.reading() as tx:
        assert tx.runs.get(provider_id, run.id) is None
        assert tx.runs.counts(run) == {}


def test_an_accepted_run_is_never_removed(ledger: Ledger, provider_id: int) -> None:
    """Who was cut off while the run was accepted may try to remove it: it stays, since its sender may have the answer."""
    run = started(ledger.books, provider_id)
    drop_run(ledger.books, run)
    assert read(ledger.books, run)[0] is RunState.QUEUED
    with pytest.raises(UploadLostError):
        accept_run(ledger.books, run)
    assert read(ledger.books, run)[0] is RunState.QUEUED


def test_a_removed_upload_is_never_accepted(ledger: Ledger, provider_id: int) -> None:
    """A sender so slow that its run was removed is told: neither a further part nor the end is taken for a run that is not there."""
    run = receive_items(ledger.books, begin_run(ledger.books, provider_id=provider_id, is_dry_run=False), ITEMS[:5])
    ledger.clock.now_us += RECEIVING_LEASE_US + 1
    work_waiting(ledger.books, holder="w", is_stopping=never)
    with pytest.raises(UploadLostError):
        receive_items(ledger.books, run, ITEMS[5:])
    with pytest.raises(UploadLostError):
        accept_run(ledger.books, run)
    with ledger.books.storage.reading() as tx:
        assert tx.runs.counts(run) == {}
        assert "billing-run.accepted" not in {entry.event for entry in tx.audit.journal(provider_id)}


def test_an_item_that_breaks_the_check_is_told_and_the_others_go_on(ledger: Ledger, provider_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of ours in checking one item does not stop the run for ever."""
    validate_item = billing.validate_item

    def breaking(books: Books, provider: str, one: billing.BillingItem) -> billing.ItemReport:
        if one.position == 10:
            raise ZeroDivisionError
        return validate_item(books, provider, one)

    monkeypatch.setattr(billing_runs, "validate_item", breaking)
    run = started(ledger.books, provider_id)
    work_waiting(ledger.books, holder="w", is_stopping=never)
    state, counts, items = read(ledger.books, run)
    assert (state, counts[ItemOutcome.ISSUED], counts[ItemOutcome.REFUSED]) == (RunState.DONE, 13, 4)
    assert [one.faults[0][0] for one in items if one.position == 10] == ["INTERNAL"]


def test_large_items_come_in_small_batches(ledger: Ledger, provider_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded by characters too, and an item larger than the bound comes alone."""
    monkeypatch.setattr(billing_runs, "BATCH_SIZE", 10)
    monkeypatch.setattr(billing_runs, "BATCH_LENGTH_MAX", 2 * len(ITEMS[0][1]))
    sizes = []
    issue_batch = billing.issue_batch

    def counted(books: Books, provider: str, items: list[billing.BillingItem]) -> list[billing.ItemReport]:
        sizes.append(len(items))
        return issue_batch(books, provider, items)

    monkeypatch.setattr(billing_runs, "issue_batch", counted)
    parts = [(1, item("a", "p1")), (2, item("a", "p2")), (3, item("a", "p3", note="n" * 4000)), (4, item("a", "p4"))]
    accept_run(ledger.books, receive_items(ledger.books, begin_run(ledger.books, provider_id=provider_id, is_dry_run=False), parts))
    work_waiting(ledger.books, holder="w", is_stopping=never)
    assert sizes == [2, 1, 1]
