"""Gathers the documents of one source into a ledger, by the fewest requests that show what is new, changed or gone.

Nothing is remembered but what the ledger keeps, so a pull that was broken off anywhere goes on with the next.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from faktura.client.errors import NotFoundError, ThrottledError
from faktura.client.results import Page
from faktura.client.session import Client
from faktura.dialects.base import WireDialect
from faktura.domain.errors import FakturaError
from faktura.domain.provider import Provider
from faktura.domain.recorded import Change, Heard, Outcome
from faktura.ledger.collecting import (
    Absence,
    Collection,
    due_places,
    hear,
    mark_absent,
    missing,
    open_collection,
    shown_count,
    without_single,
    without_single_count,
)
from faktura.ledger.collecting_ports import CollectedDocument
from faktura.ledger.ports import Books
from faktura.ledger.reconcile import LISTED, PRESENCE

WALKS_MAX = 3
"""How often a list that changes while it is read is read again from its beginning."""
_SINGLES_TOGETHER = 50
"""Single answers that share a commit: what a crash loses of them is asked again."""
_NOT_FOUND = 404
_FEW = 10
"""So many documents may be gone at once; more than half of a longer list is taken for a mistake of the source."""


@dataclass(slots=True)
class PullReport:
    """What a pull of one source came to."""

    source: str
    requests: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    """Documents by what became of them; what details add is not counted again."""
    singles: int = 0
    """Documents whose details came."""
    singles_left: int = 0
    """Documents whose details the next pull will ask for."""
    vanished: int = 0
    """Documents that the source does not show any more, and still did when it was last asked."""
    returned: int = 0
    """Documents that it shows again."""
    total: int | None = None
    """How many the source says it has."""
    known: int = 0
    """How many of them the ledger has."""
    faults: list[str] = field(default_factory=list)
    """What could not be read or made sure of."""
    failure: FakturaError | None = None
    """Why the pull ended before it was done."""

    @property
    def is_complete(self) -> bool:
        """The ledger has all that the source shows, details apart that its rate limit put off."""
        return self.failure is None and not self.faults and self.total in {None, self.known}

    @property
    def is_calm(self) -> bool:
        """Nothing contradicts what the ledger keeps."""
        return not self.outcomes[Outcome.CONFLICT] and not self.vanished and not self.returned


class Listener(Protocol):
    """Hears of a pull as it goes on."""

    def heard(self, source: str, changes: Sequence[Change]) -> None:
        """Documents came in, and this became of them."""

    def moved(self, what: str, done: int, total: int | None) -> None:
        """So many of the source's documents, or of their details, were looked at."""


@dataclass(slots=True)
class _Walk:
    """What one reading of the list showed, from its beginning on."""

    seen: set[int] = field(default_factory=set)
    """The source's ids."""
    unread: int = 0
    """Items that could not be read."""
    first_total: int | None = None
    total: int | None = None
    is_whole: bool = False
    """It was read to its end."""

    def add(self, page: Page) -> None:
        """Take in one more page."""
        self.seen.update(heard.invoice.wire_id for heard in page.heard)
        self.unread += len(page.faults)
        self.first_total = page.total if self.first_total is None else self.first_total
        self.total = page.total

    @property
    def is_sure(self) -> bool:
        """Whatever was not seen is not there: the list stood still, and all of it was seen."""
        count = len(self.seen) + self.unread
        return self.is_whole and self.total in {None, count} and self.first_total == self.total


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
        """Gather what is new or changed; `is_full` compares every document of the list. What went wrong stands in the report."""
        try:
            walk = self._read_list(is_full=is_full)
            if not walk.is_whole:
                self._read_due(walk)
            self._read_singles()
        except FakturaError as error:
            self.report.failure = error
        self.report.requests = self.client.requests
        if self._opened is not None:
            self.report.known = shown_count(self.books, self._opened)
            self.report.singles_left = without_single_count(self.books, self._opened) if self.dialect.has_single else 0
        return self.report

    def _read_list(self, *, is_full: bool) -> _Walk:
        """From the newest until a page is known and unchanged; all of it where the counts do not agree then."""
        walk = self._walk(is_full=is_full)
        for _ in range(WALKS_MAX):
            if self._agrees(walk):
                break
            has_grown = walk.first_total is not None and (walk.total or 0) > walk.first_total
            walk = self._walk(is_full=is_full or walk.is_whole or not has_grown)
        if not self._agrees(walk):
            self.report.faults.append("the list went on changing while it was read; the next pull looks again")
        if walk.is_sure:
            self._miss(walk)
        return walk

    def _agrees(self, walk: _Walk) -> bool:
        return walk.is_sure or (not walk.is_whole and walk.total in {None, shown_count(self.books, self.collection)})

    def _walk(self, *, is_full: bool) -> _Walk:
        walk = _Walk()
        try:
            for page in self.client.invoices.pages():
                walk.add(page)
                changes = self._take(page)
                self.listener.moved(self.report.source, len(walk.seen), page.total)
                if not is_full and page.heard and not page.faults and not any(change.is_written for change in changes):
                    return walk
        except NotFoundError:
            if walk.first_total is None:
                raise
            # The list became shorter than this page while it was read: its end, and no proof of anything.
            walk.first_total = None
        walk.is_whole = True
        return walk

    def _take(self, page: Page) -> list[Change]:
        """Record a page."""
        self.report.total = page.total
        for fault in page.faults:
            message = f"page {page.number}, item {fault.position}: {fault.message}"
            if message not in self.report.faults:
                self.report.faults.append(message)
        return self._hear(page.heard)

    def _hear(self, documents: Iterable[Heard], *, are_singles: bool = False) -> list[Change]:
        seen_at_us = self.books.clock()
        changes = hear(self.books, self.collection, [replace(heard, seen_at_us=seen_at_us) for heard in documents])
        written = [change for change in changes if change.is_written]
        for change in written:
            if not are_singles or change.outcome is Outcome.CONFLICT:  # what else its details add, its list item told of
                self.report.outcomes[change.outcome] += 1
            self.report.returned += any(item.term == PRESENCE and item.heard == LISTED for item in change.differences)
        self.listener.heard(self.report.source, written)
        return changes

    def _read_due(self, walk: _Walk) -> None:
        """Look again at every known document with an amount due: at the pages of the list that have them."""
        due = [(place, item) for place, item in due_places(self.books, self.collection) if item.wire_id not in walk.seen]
        for number in sorted({place // self.dialect.limit_max + 1 for place, _ in due}):
            try:
                page = self.client.invoices.page(number)
            except NotFoundError:  # the list became shorter meanwhile
                break
            walk.seen.update(heard.invoice.wire_id for heard in page.heard)
            self._take(page)
            self.listener.moved(self.report.source, len(walk.seen), page.total)
        unseen = [item for _, item in due if item.wire_id not in walk.seen]
        if unseen and not self.dialect.has_single:
            self._miss(self._walk(is_full=True))
        elif unseen:
            gone = [Absence(document=item, proof=_proof(item, status=_NOT_FOUND)) for item in self._read_each(unseen)]
            self._mark(gone)

    def _read_singles(self) -> None:
        """Ask for the details of documents that have none, or whose list item changed, as far as the rate limit allows."""
        if self.dialect.has_single:
            try:
                for item in self._read_each(without_single(self.books, self.collection)):
                    self.report.faults.append(f"document {item.wire_id} is in the list, and not to be had alone")
            except ThrottledError:
                return  # the report says how many are left

    def _read_each(self, documents: Iterable[CollectedDocument]) -> list[CollectedDocument]:
        """Ask for documents alone, until the rate limit is used up; those that the source says it has not."""
        waiting: list[Heard] = []
        missed: list[CollectedDocument] = []
        total = without_single_count(self.books, self.collection)
        try:
            for item in documents:
                self.listener.moved(f"{self.report.source}, details", self.report.singles + len(waiting), total)
                limit = self.client.limit
                if limit is not None and limit.remaining <= 0:
                    break
                try:
                    waiting.append(self.client.invoices.get(item.wire_id).heard)
                except NotFoundError:
                    missed.append(item)
                if len(waiting) >= _SINGLES_TOGETHER:
                    self._keep_singles(waiting)
        finally:
            self._keep_singles(waiting)
        return missed

    def _keep_singles(self, waiting: list[Heard]) -> None:
        self.report.singles += len(waiting)
        documents, waiting[:] = list(waiting), []
        self._hear(documents, are_singles=True)

    def _miss(self, walk: _Walk) -> None:
        """Write down which known documents a whole reading of the list did not show."""
        if not walk.is_sure or walk.unread:
            return
        gone = missing(self.books, self.collection, walk.seen)
        if len(gone) > max(_FEW, len(walk.seen)) and not self.accepts_vanished:
            message = f"the source shows {len(walk.seen)} documents and not {len(gone)} others that it showed before: taken for its mistake (--accept-vanished writes them down)"
            self.report.faults.append(message)
            return
        self._mark([Absence(document=item, proof=_proof(item, seen=len(walk.seen), total=walk.total)) for item in gone])

    def _mark(self, gone: Sequence[Absence]) -> None:
        if gone:
            changes = mark_absent(self.books, self.collection, gone, seen_at_us=self.books.clock())
            self.report.vanished += len(changes)
            self.listener.heard(self.report.source, changes)


def _proof(document: CollectedDocument, **said: int | None) -> bytes:
    """What tells that a document is gone, as JSON."""
    return json.dumps({"id": document.wire_id, "absent": said}, separators=(",", ":")).encode()
