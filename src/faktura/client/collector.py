"""Gathers the documents of one source into a ledger, by the fewest requests that show what is new, changed or gone.

Nothing is remembered but what the ledger keeps, so a pull that was broken off anywhere goes on with the next.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from faktura.client.errors import CallError, ConnectError, NotFoundError, ThrottledError, UnauthenticatedError
from faktura.client.pull_report import Listener, PullReport
from faktura.client.results import Page
from faktura.client.session import Client
from faktura.client.walk import Walk
from faktura.dialects.base import WireDialect
from faktura.domain.errors import FakturaError, WireError
from faktura.domain.provider import Provider
from faktura.domain.recorded import Change, Heard, Outcome
from faktura.ledger.collecting import (
    Absence,
    Collection,
    documents,
    due_places,
    hear,
    mark_absent,
    open_collection,
    shown_count,
    without_single,
    without_single_count,
)
from faktura.ledger.collecting_ports import CollectedDocument
from faktura.ledger.ports import Books
from faktura.ledger.reconcile import PRESENCE

WALKS_MAX = 3
"""How often a list that changes while it is read is read again from its beginning."""
_SINGLES_TOGETHER = 50
"""Single answers that share a commit: what a crash loses of them is asked again."""
_FAILURES_MAX = 3
"""So many single answers in a row that fail end a pull: then it is not the document."""
_FEW = 10
"""So many documents may be gone at once; more than half of a longer list is taken for a mistake of the source."""
_NOT_FOUND = 404
_OF_THE_SOURCE = (UnauthenticatedError, ThrottledError, ConnectError)
"""Errors that the next document would meet, too."""


@dataclass(slots=True)
class _Asked:
    """What became of documents that were asked for alone."""

    missed: list[CollectedDocument] = field(default_factory=list)
    """The source says that it has them not."""
    left: int = 0
    """Nobody asked for them: the rate limit was used up."""


@dataclass(slots=True)
class Collector:
    """Pulls one source."""

    books: Books
    client: Client
    provider: Provider
    """What the documents are kept under. It is written with the first answer: a source that never answers leaves nothing behind."""
    account: str
    listener: Listener
    accepts_vanished: bool = False
    """Also where most of the list is gone."""
    report: PullReport = field(init=False)
    _opened: Collection | None = None
    _asked: set[int] = field(default_factory=set)
    """The source's ids of documents whose details came in this pull."""
    _contradicted: set[int] = field(default_factory=set)
    """Ids of documents that were told to be in conflict in this pull."""

    def __post_init__(self) -> None:
        self.report = PullReport(source=self.provider.name)

    @property
    def dialect(self) -> WireDialect:
        """The source's API."""
        return self.client.dialect

    @property
    def collection(self) -> Collection:
        """Where in the ledger the documents are."""
        if self._opened is None:
            self._opened = open_collection(self.books, provider=self.provider, reference=self.account)
        return self._opened

    def pull(self, *, is_full: bool = False) -> PullReport:
        """Gather what is new or changed; `is_full` compares every document, details too. What went wrong stands in the report."""
        try:
            walk = self._read_list(is_full=is_full)
            if not walk.is_whole:
                self._read_due(walk)
                if self.report.total not in {None, shown_count(self.books, self.collection)}:  # what is new hid how many are gone
                    self._read_list(is_full=True)
            if self.dialect.has_single:
                self._read_singles(is_full=is_full)
        except FakturaError as error:
            self.report.failure = error
            if self._opened is not None and self.dialect.has_single:
                self.report.singles_left = without_single_count(self.books, self._opened)
        self.report.requests = self.client.requests
        if self._opened is not None:
            self.report.known = shown_count(self.books, self._opened)
        return self.report

    def _read_list(self, *, is_full: bool) -> Walk:
        """From the newest until a page is known and unchanged; all of it where the counts do not agree then."""
        walk = self._walk(is_full=is_full)
        for _ in range(WALKS_MAX):
            if self._agrees(walk):
                break
            before, walk = walk, self._walk(is_full=is_full or walk.is_whole or not walk.has_grown)
            if walk.repeats(before) and not walk.is_sure:
                self.report.fault(f"the list announces {walk.total} documents, and shows {walk.count}")
                return walk
        if not self._agrees(walk):
            self.report.fault("the list went on changing while it was read; the next pull looks again")
        self._miss(walk)
        return walk

    def _agrees(self, walk: Walk) -> bool:
        return walk.is_sure or (not walk.is_whole and walk.total in {None, shown_count(self.books, self.collection)})

    def _walk(self, *, is_full: bool) -> Walk:
        walk = Walk(began_us=self.books.clock())
        try:
            for page in self.client.invoices.pages():
                walk.add(page)
                changes = self._take(page)
                self.listener.moved(self.report.source, len(walk.seen), page.total)
                if not is_full and page.heard and not page.faults and not any(change.is_written for change in changes):
                    return walk
        except NotFoundError:
            if not walk.totals:
                raise
            walk.is_cut = True
        walk.is_whole = True
        return walk

    def _take(self, page: Page) -> list[Change]:
        """Record a page."""
        self.report.total = page.total
        for fault in page.faults:
            self.report.fault(f"page {page.number}, item {fault.position}: {fault.message}")
        seen_at_us = self.books.clock()
        return self._hear([replace(heard, seen_at_us=seen_at_us) for heard in page.heard])

    def _hear(self, answers: Sequence[Heard], *, are_singles: bool = False) -> list[Change]:
        changes = hear(self.books, self.collection, answers)
        written = [change for change in changes if change.is_written]
        for change in written:
            self._count(change, are_singles=are_singles)
        self.listener.heard(self.report.source, written)
        return changes

    def _count(self, change: Change, *, are_singles: bool) -> None:
        """Count what became of a document, once: what its details add, its list item told of."""
        if any(item.term == PRESENCE for item in change.differences):
            self.report.returned += 1
        if change.outcome is not Outcome.CONFLICT:
            if not are_singles:
                self.report.outcomes[change.outcome] += 1
        elif change.invoice_id not in self._contradicted and any(item.term != PRESENCE for item in change.differences):
            self._contradicted.add(change.invoice_id)
            self.report.outcomes[Outcome.CONFLICT] += 1

    def _read_due(self, walk: Walk) -> None:
        """Look again at every known document with an amount due: at the pages of the list that have them."""
        due = [(place, item) for place, item in due_places(self.books, self.collection) if item.wire_id not in walk.seen]
        for number in sorted({place // self.dialect.limit_max + 1 for place, _ in due}):
            try:
                page = self.client.invoices.page(number)
            except NotFoundError:  # the list became shorter meanwhile
                break
            walk.add(page)
            self._take(page)
            self.listener.moved(self.report.source, len(walk.seen), page.total)
        unseen = [item for _, item in due if item.wire_id not in walk.seen]
        if unseen and not self.dialect.has_single:
            self._miss(self._walk(is_full=True))
        elif unseen:
            asked = self._ask_each(unseen)
            self._mark([Absence(document=item, proof=_proof(item, status=_NOT_FOUND)) for item in asked.missed])
            if asked.left:
                self.report.fault(f"open documents that nobody could look at, since the rate limit is used up: {asked.left}")

    def _read_singles(self, *, is_full: bool) -> None:
        """Ask for the details of documents that have none, or whose list item changed; of all documents for a full pull. As far as the rate limit allows."""
        wanted: Iterable[CollectedDocument] = without_single(self.books, self.collection)
        first = next(iter(wanted), None)
        if first is None and not is_full:
            return
        wanted = [] if first is None else chain([first], wanted)
        count = without_single_count(self.books, self.collection)
        if is_full:
            wanted = self._others(list(wanted))
            count = len(wanted)
        try:
            for item in self._ask_each(wanted, total=count).missed:
                self.report.fault(f"document {item.wire_id} is in the list, and not to be had alone")
        except ThrottledError:
            pass  # the report says how many are left
        self.report.singles_left = max(0, count - self.report.singles)

    def _others(self, lacking: list[CollectedDocument]) -> list[CollectedDocument]:
        """First those that lack details, then all others from anywhere on: where the rate limit ends each pull early, all have their turn in time."""
        done = self._asked | {item.wire_id for item in lacking}
        others = [item for item in documents(self.books, self.collection, before_us=self.books.clock() + 1) if item.wire_id not in done]
        start = random.randrange(len(others)) if others else 0  # noqa: S311 - to spread, not to hide
        return lacking + others[start:] + others[:start]

    def _ask_each(self, wanted: Iterable[CollectedDocument], *, total: int | None = None) -> _Asked:
        """Ask for documents alone, until the rate limit is used up. One that cannot be read is a fault, and the others go on."""
        asked, waiting, failures = _Asked(), list[Heard](), 0
        try:
            for item in wanted:
                if asked.left or self._is_exhausted():
                    asked.left += 1
                    continue
                self.listener.moved(f"{self.report.source}, details", self.report.singles + len(waiting), total)
                try:
                    heard = self.client.invoices.get(item.wire_id).heard
                except NotFoundError:
                    asked.missed.append(item)
                except (WireError, CallError) as error:
                    failures += 1
                    if failures == _FAILURES_MAX or isinstance(error, _OF_THE_SOURCE):
                        raise
                    self.report.fault(f"document {item.wire_id}: {error}")
                else:
                    failures = 0
                    waiting.append(replace(heard, seen_at_us=self.books.clock()))
                    self._asked.add(item.wire_id)
                if len(waiting) >= _SINGLES_TOGETHER:
                    self._keep_singles(waiting)
        finally:
            self._keep_singles(waiting)
        return asked

    def _is_exhausted(self) -> bool:
        limit = self.client.limit
        return limit is not None and limit.remaining <= 0

    def _keep_singles(self, waiting: list[Heard]) -> None:
        self.report.singles += len(waiting)
        answers, waiting[:] = list(waiting), []
        self._hear(answers, are_singles=True)

    def _miss(self, walk: Walk) -> None:
        """Write down which known documents a whole reading of the list did not show, and a second look did not find either."""
        if not walk.is_sure:
            return
        known = documents(self.books, self.collection, before_us=walk.began_us)
        gone = [item for item in known if item.wire_id not in walk.seen]
        if not gone:
            return
        if walk.unnamed:
            self.report.fault(f"{len(gone)} known documents are not in the list; some may be among its items that cannot be read: {walk.unnamed}")
            return
        kept = len(known) - len(gone)
        if (not walk.seen or len(gone) > max(_FEW, kept)) and not self.accepts_vanished:
            self.report.fault(
                f"of the documents that the source showed before, it shows {kept}, and {len(gone)} no more: "
                "taken for its mistake, or another account (--accept-vanished writes them down)"
            )
            return
        if self.dialect.has_single:
            asked = self._ask_each(gone)
            self._mark([Absence(document=item, proof=_proof(item, status=_NOT_FOUND)) for item in asked.missed])
            if asked.left:
                self.report.fault(f"documents that are not in the list, and that nobody could ask for, since the rate limit is used up: {asked.left}")
            return
        again = self._walk(is_full=True)  # what moved while the list was read may have been passed by
        if not again.is_sure:
            self.report.fault("the list went on changing while it was read; the next pull looks again")
            return
        proofs = {item.wire_id: _proof(item, seen=len(again.seen), total=again.total) for item in gone if item.wire_id not in again.seen}
        self._mark([Absence(document=item, proof=proofs[item.wire_id]) for item in gone if item.wire_id in proofs])

    def _mark(self, gone: Sequence[Absence]) -> None:
        if gone:
            changes = mark_absent(self.books, self.collection, gone, seen_at_us=self.books.clock())
            self.report.vanished += len(changes)
            self.listener.heard(self.report.source, changes)


def _proof(document: CollectedDocument, **said: int | None) -> bytes:
    """What tells that a document is gone, as JSON."""
    return json.dumps({"id": document.wire_id, "absent": said}, separators=(",", ":")).encode()
