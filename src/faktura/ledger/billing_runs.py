"""Billing runs that the ledger keeps: received whole, then worked off by whoever holds the lease, resumed where one stopped.

Each batch commits its documents together with what became of its items: after a crash every item is either issued and
known to be, or still waiting.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from faktura.domain.errors import FAULTS_SHOWN_MAX, ConflictError, FakturaError, Fault, LedgerError, NotFoundError, fault
from faktura.ledger.billing import BATCH_SIZE, BillingItem, BillingOutcome, ItemReport, issue_batch, validate_item
from faktura.ledger.exactly_once import joined
from faktura.ledger.journal import Event, write
from faktura.ledger.management_ports import BillingRun, ItemOutcome, RunItem, RunState
from faktura.ledger.ports import Books, Transaction
from faktura.ledger.profile_rules import UnjudgedError

BATCH_LENGTH_MAX = 8 * 1024 * 1024
"""How many characters of items a batch has: beyond it, large items come in smaller batches."""
LEASE_US = 60_000_000
"""How long others leave a run alone after its holder last made progress."""
RECEIVING_LEASE_US = 3_600_000_000
"""How long an upload may pause before what came in of it is removed."""

_OUTCOMES = {
    BillingOutcome.VALID: ItemOutcome.VALID,
    BillingOutcome.REFUSED: ItemOutcome.REFUSED,
    BillingOutcome.BILLED_BEFORE: ItemOutcome.BILLED_BEFORE,
    BillingOutcome.ISSUED: ItemOutcome.ISSUED,
}


@dataclass(frozen=True, slots=True)
class Lease:
    """Who works on a run, and for how long others leave it alone after each progress."""

    holder: str
    length_us: int = LEASE_US


class LeaseLostError(FakturaError):
    """Somebody else works on this billing run now."""


class UploadLostError(ConflictError):
    """The upload took too long, and what came in of it was removed; nothing was billed. Send it again."""


def begin_run(books: Books, *, provider_id: int, is_dry_run: bool) -> BillingRun:
    """A run whose input will come in parts; nobody sees it before `accept_run`."""
    with books.storage.writing() as tx:
        now_us = books.clock()
        run = BillingRun(
            provider_id=provider_id,
            id=tx.providers.take(provider_id, ids=1).first_id,
            state=RunState.RECEIVING,
            is_dry_run=is_dry_run,
            actor=books.actor,
            item_count=0,
            holder=None,
            leased_until_us=now_us + RECEIVING_LEASE_US,
            created_at_us=now_us,
            updated_at_us=now_us,
        )
        tx.runs.insert(run)
    return run


def receive_items(books: Books, run: BillingRun, items: Sequence[tuple[int, str]]) -> BillingRun:
    """Keep a part of a run's input: (position, JSON text). UploadLostError where what came before is gone."""
    with books.storage.writing(bulk=True) as tx:
        now_us = books.clock()
        current = _receiving(tx, run)
        received = replace(current, item_count=current.item_count + len(items), leased_until_us=now_us + RECEIVING_LEASE_US, updated_at_us=now_us)
        tx.runs.insert_items(received, items)
        tx.runs.set(received)
    return received


def accept_run(books: Books, run: BillingRun) -> BillingRun:
    """The input is whole: from now on the run is worked off, through any crash. UploadLostError where it is gone."""
    with books.storage.writing() as tx:
        accepted = replace(_receiving(tx, run), state=RunState.QUEUED, leased_until_us=0, updated_at_us=books.clock())
        tx.runs.set(accepted)
        _journal(tx, books, accepted, "billing-run.accepted")
    return accepted


def drop_run(books: Books, run: BillingRun) -> None:
    """Remove a run whose input did not come in whole, or came in before. One that was accepted stays: whoever gave up waiting may not know."""
    with books.storage.writing() as tx:
        current = tx.runs.get(run.provider_id, run.id)
        if current is not None and current.state is RunState.RECEIVING:
            tx.runs.delete(run)


def _receiving(tx: Transaction, run: BillingRun) -> BillingRun:
    current = tx.runs.get(run.provider_id, run.id)
    if current is None or current.state is not RunState.RECEIVING:
        raise UploadLostError
    return current


def find_run(tx: Transaction, provider_id: int, run_id: int) -> BillingRun:
    """The provider's run, or NotFoundError."""
    run = tx.runs.get(provider_id, run_id)
    if run is None or run.state is RunState.RECEIVING:
        message = f"there is no billing run {run_id}"
        raise NotFoundError(message)
    return run


def work_waiting(books: Books, *, holder: str, is_stopping: Callable[[], bool], lease_us: int = LEASE_US, began: Callable[[int], None] = lambda _: None) -> int:
    """Work off every run that waits, one after the other; how many were finished. Stops between two batches when asked to.

    `began` is told each run's id: whoever logs an error can say which run met it.
    """
    with books.storage.reading() as tx:
        waiting = tx.runs.waiting(books.clock())
    finished = 0
    for run in waiting:
        if is_stopping():
            break
        began(run.id)
        if run.state is RunState.RECEIVING:
            drop_run(books, run)  # its sender went away long ago
            continue
        try:
            finished += work_off(books, run, lease=Lease(holder, lease_us), is_stopping=is_stopping)
        except LeaseLostError:
            continue
    return finished


def work_off(books: Books, run: BillingRun, *, lease: Lease, is_stopping: Callable[[], bool]) -> bool:
    """Check all items of a run, then issue those that are valid; whether it is done. LeaseLostError when another holds it."""
    run_books = replace(books, actor=run.actor)
    run = _take_lease(books, run, lease)
    with books.storage.reading() as tx:
        provider = tx.providers.get(run.provider_id).name
    while True:
        if items := _next_items(books, run, ItemOutcome.WAITING):
            if is_stopping():
                return _release(books, run, lease.holder)
            reports = _validate_some(books, provider, items, until_us=books.clock() + lease.length_us // 3, is_stopping=is_stopping)
            with books.storage.writing() as tx:
                run = _advance(tx, books, run, lease, RunState.CHECKING)
                tx.runs.set_items(run, _outcomes(items[: len(reports)], reports))
        elif not run.is_dry_run and (items := _next_items(books, run, ItemOutcome.VALID)):
            if is_stopping():
                return _release(books, run, lease.holder)
            _issue(run_books, run, lease, provider, items)
        else:
            break
    with books.storage.writing() as tx:
        done = replace(_advance(tx, books, run, lease, RunState.DONE), holder=None, leased_until_us=0)
        tx.runs.set(done)
        _journal(tx, run_books, done, "billing-run.done")
    return True


def _validate_some(books: Books, provider: str, items: Sequence[RunItem], *, until_us: int, is_stopping: Callable[[], bool]) -> list[ItemReport]:
    """What would become of the first items: of as many as can be looked at while the run is surely held, since official rules may take a second for one."""
    reports = []
    for item in items:
        reports.append(_validate(books, provider, item))
        if books.clock() > until_us or is_stopping():
            break
    return reports


def _validate(books: Books, provider: str, item: RunItem) -> ItemReport:
    """What would become of an item; one that breaks us is refused, or the run would stop at it for ever."""
    try:
        return validate_item(books, provider, _to_billing(item))
    except LedgerError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever one item does, the others go on, and it is told
        return ItemReport(position=item.position, outcome=BillingOutcome.REFUSED, faults=(_failure(error),))


def _failure(error: Exception) -> Fault:
    if isinstance(error, FakturaError):
        return fault("LEDGER", "", str(error))
    return fault("INTERNAL", "", f"faktura failed on this item: {type(error).__name__}")


def _issue(books: Books, run: BillingRun, lease: Lease, provider: str, items: Sequence[RunItem]) -> None:
    """A batch in one transaction; where that fails, each item on its own, so that one cannot stop the others, or the run, for ever."""
    try:
        _issue_together(books, run, lease, provider, items)
    except UnjudgedError:  # official rules looked at them in another process, or on another day: they do again, while the run is held
        with books.storage.writing() as tx:
            tx.runs.set_items(_advance(tx, books, run, lease, RunState.CHECKING), [replace(item, outcome=ItemOutcome.WAITING) for item in items])
    except (LedgerError, LeaseLostError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever one item does, the others go on, and it is told
        if len(items) > 1:
            for item in items:
                _issue(books, run, lease, provider, [item])
            return
        report = ItemReport(position=items[0].position, outcome=BillingOutcome.REFUSED, faults=(_failure(error),))
        with books.storage.writing() as tx:
            tx.runs.set_items(_advance(tx, books, run, lease, RunState.ISSUING), _outcomes(items, [report]))


def _issue_together(books: Books, run: BillingRun, lease: Lease, provider: str, items: Sequence[RunItem]) -> None:
    with books.storage.writing(bulk=True) as tx:
        current = _advance(tx, books, run, lease, RunState.ISSUING)
        reports = issue_batch(joined(books, tx), provider, [_to_billing(item) for item in items])
        tx.runs.set_items(current, _outcomes(items, reports))


def _outcomes(items: Sequence[RunItem], reports: Sequence[ItemReport]) -> list[RunItem]:
    by_position = {report.position: report for report in reports}
    outcomes = []
    for item in items:
        report = by_position[item.position]
        faults = tuple((found.rule, found.path, found.message) for found in report.faults[:FAULTS_SHOWN_MAX])
        outcomes.append(replace(item, outcome=_OUTCOMES[report.outcome], invoice_id=report.invoice_id, number=report.number, faults=faults))
    return outcomes


def _to_billing(item: RunItem) -> BillingItem:
    return BillingItem(position=item.position, data=json.loads(item.body, parse_float=Decimal))


def _next_items(books: Books, run: BillingRun, outcome: ItemOutcome) -> list[RunItem]:
    with books.storage.reading() as tx:
        return tx.runs.batch(run, outcome=outcome, count_max=BATCH_SIZE, length_max=BATCH_LENGTH_MAX)


def is_leased(run: BillingRun, now_us: int) -> bool:
    """Whether others leave a run alone: its lease has not ended, and was not given by a clock that has gone back since.

    That it was shows where it was given later than now by more than its length; less may be two machines' clocks.
    """
    length_us = run.leased_until_us - run.updated_at_us
    return run.updated_at_us - length_us <= now_us <= run.leased_until_us


def _take_lease(books: Books, run: BillingRun, lease: Lease) -> BillingRun:
    with books.storage.writing() as tx:
        now_us = books.clock()
        current = tx.runs.get(run.provider_id, run.id)
        if current is None or current.state is RunState.DONE or (current.holder != lease.holder and is_leased(current, now_us)):
            raise LeaseLostError
        held = replace(current, holder=lease.holder, leased_until_us=now_us + lease.length_us, updated_at_us=now_us)
        tx.runs.set(held)
    return held


def _advance(tx: Transaction, books: Books, run: BillingRun, lease: Lease, state: RunState) -> BillingRun:
    """Hold the run for longer, inside the transaction that makes progress; LeaseLostError rolls that back."""
    now_us = books.clock()
    current = tx.runs.get(run.provider_id, run.id)
    if current is None or current.holder != lease.holder:
        raise LeaseLostError
    held = replace(current, state=state, leased_until_us=now_us + lease.length_us, updated_at_us=now_us)
    tx.runs.set(held)
    return held


def _release(books: Books, run: BillingRun, holder: str) -> bool:
    with books.storage.writing() as tx:
        current = tx.runs.get(run.provider_id, run.id)
        if current is not None and current.holder == holder:
            tx.runs.set(replace(current, holder=None, leased_until_us=0))
    return False


def _journal(tx: Transaction, books: Books, run: BillingRun, name: str) -> None:
    taken = tx.providers.take(run.provider_id, entries=1)
    event = Event(name=name, payload=[run.id, run.item_count, run.is_dry_run], subject_id=run.id)
    write(tx, provider_id=run.provider_id, taken=taken, events=[event], actor=books.actor, now_us=books.clock())
