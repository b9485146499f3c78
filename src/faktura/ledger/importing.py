"""Record documents of other systems, in batches: new ones, and what known ones say anew."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from faktura.domain.invoice import Invoice, Origin
from faktura.domain.payment import Standing
from faktura.domain.provider import Provider
from faktura.domain.recorded import Change, Heard, NewWord, Outcome, SourceKind, SourceWord
from faktura.ledger.accounts import find_account, find_provider, insert_accounts
from faktura.ledger.journal import Event, write
from faktura.ledger.ports import Books, Transaction
from faktura.ledger.reconcile import Comparison, compare, is_absent
from faktura.ledger.standing import current_standing, publish_all, refresh, replace_key

BATCH_SIZE = 2000
"""Documents a transaction: large enough to share a commit, small enough that other writers hardly wait."""
WIRE_ID_FOLLOWED_MAX = 2**53
"""Our own ids go on after those of sources, but not after absurd ones, which would use the counter up."""
BATCH_BYTES_MAX = 4 * 1024 * 1024
"""What the sources of a batch may weigh: bounds the memory for documents of many lines."""


@dataclass(frozen=True, slots=True)
class _Again:
    """A known document that was heard of again."""

    known: Invoice
    heard: Heard
    digest: bytes
    comparison: Comparison
    is_new_word: bool = True
    """The source never said exactly this before."""
    is_new_sight: bool = True
    """It was not seen to say this at this instant before, and that is worth keeping."""
    is_awaited: bool = False
    """The ledger wants this word even if it says nothing new."""


def record(
    books: Books,
    *,
    provider: str,
    documents: Iterable[tuple[str, Heard]],
    create_accounts: bool = False,
    batch_size: int = BATCH_SIZE,
    is_polled: bool = False,
) -> Iterator[Change]:
    """Record (account reference, document) pairs; yields what became of each, after its batch is durable.

    Doing it twice changes nothing. NotFoundError for an unknown account, unless accounts are to be created.
    Of a source that `is_polled`, asked again and again, only what it says otherwise is kept; of others also when
    it was seen to say the same again, since what they said in between may be imported later.
    """
    waiting: list[tuple[str, Heard]] = []
    waiting_bytes = 0
    for pair in documents:
        waiting.append(pair)
        waiting_bytes += len(pair[1].body)
        if len(waiting) >= batch_size or waiting_bytes >= BATCH_BYTES_MAX:
            yield from _record_batch(books, provider, waiting, create_accounts=create_accounts, is_polled=is_polled)
            waiting, waiting_bytes = [], 0
    if waiting:
        yield from _record_batch(books, provider, waiting, create_accounts=create_accounts, is_polled=is_polled)


def _record_batch(books: Books, provider_name: str, pairs: Sequence[tuple[str, Heard]], *, create_accounts: bool, is_polled: bool) -> list[Change]:
    references = list(dict.fromkeys(reference for reference, _ in pairs))
    if create_accounts:
        _create_accounts(books, provider_name, references)
    with books.storage.writing(bulk=True) as tx:
        provider = find_provider(tx, provider_name)
        ids = tx.accounts.find_all(provider.id, references)
        for reference in references:
            if reference not in ids:
                find_account(tx, provider, reference)  # says so
        by_account: dict[int, list[Heard]] = defaultdict(list)
        for reference, heard in pairs:
            by_account[ids[reference]].append(heard)
        tx.accounts.lock_all(by_account)
        batch = _Batch(tx, books, provider, is_polled=is_polled)
        batch.look_up(by_account)
        for account_id in sorted(by_account):
            # A document that a batch brings twice is written once before its second word is compared with it.
            for documents in _rounds(by_account[account_id]):
                batch.record(account_id, documents)
        return batch.changes()


def _create_accounts(books: Books, provider_name: str, references: Sequence[str]) -> None:
    """Accounts that are missing, in a transaction of their own: they take the counter, which comes after all account locks."""
    with books.storage.reading() as tx:
        provider = find_provider(tx, provider_name)
        known = tx.accounts.find_all(provider.id, references)
    if len(known) < len(references):
        with books.storage.writing() as tx:
            known = tx.accounts.find_all(provider.id, references)
            insert_accounts(tx, books, provider, [reference for reference in references if reference not in known])


def _rounds(documents: Sequence[Heard]) -> Iterator[list[Heard]]:
    rest = list(documents)
    while rest:
        first: dict[tuple[object, ...], Heard] = {}
        repeated = []
        for heard in rest:
            key = (heard.invoice.wire_id,) if heard.invoice.wire_id else (heard.invoice.number, heard.invoice.type_code)
            if key in first:
                repeated.append(heard)
            else:
                first[key] = heard
        yield list(first.values())
        rest = repeated


@dataclass(slots=True)
class _Batch:
    """The documents of one transaction. New ones of accounts that follow each other are written together, before anything else is."""

    tx: Transaction
    books: Books
    provider: Provider
    is_polled: bool
    known: set[tuple[int, str]] = field(default_factory=set)
    """Numbers, by account, that the ledger had before."""
    written: set[int] = field(default_factory=set)
    """Accounts that have new documents in this batch."""
    waiting: list[tuple[int, list[Heard], list[Change]]] = field(default_factory=list)
    """New documents of accounts, and where it is told what became of them."""
    told: list[list[Change]] = field(default_factory=list)

    def look_up(self, by_account: Mapping[int, Sequence[Heard]]) -> None:
        """Ask once which numbers are there already, for documents that only their number tells."""
        asked = [(account_id, heard.invoice.number) for account_id, documents in by_account.items() for heard in documents if not heard.invoice.wire_id]
        self.known = self.tx.invoices.known_numbers(asked)

    def record(self, account_id: int, documents: Sequence[Heard]) -> None:
        """Take in documents of one account, each another one."""
        new: list[Heard] = []
        again: list[_Again] = []
        if account_id in self.written:  # a further round: what the first brought must be there
            self.write_waiting()
        for heard in documents:
            known = self._find(account_id, heard.invoice)
            if known is None:
                new.append(heard)
            else:
                again.append(_look_again(self.tx, self.books, self.provider, known, heard, is_polled=self.is_polled))
        if new:
            changes: list[Change] = []
            self.told.append(changes)
            self.waiting.append((account_id, new, changes))
            self.written.add(account_id)
        if again or any(heard.invoice.wire_id for heard in new):  # ids that a source gave move the counter before others take from it
            self.write_waiting()
        self.told.append([_write_again(self.tx, self.books, self.provider, item) for item in again])

    def changes(self) -> list[Change]:
        """Write what is still waiting; what became of each document."""
        self.write_waiting()
        return [change for changes in self.told for change in changes]

    def write_waiting(self) -> None:
        """Write the new documents."""
        if self.waiting:
            _write_new(self.tx, self.books, self.provider, self.waiting)
            self.waiting = []

    def _find(self, account_id: int, invoice: Invoice) -> Invoice | None:
        if not invoice.wire_id and account_id not in self.written and (account_id, invoice.number) not in self.known:
            return None
        return _find_known(self.tx, account_id, invoice)


def _find_known(tx: Transaction, account_id: int, invoice: Invoice) -> Invoice | None:
    """By the source's own id, or where it gives none, by number and type."""
    if invoice.wire_id:
        known = tx.invoices.by_source_wire_id(account_id, invoice.wire_id)
        if known is None:  # our own document, come back to us
            ours = tx.invoices.by_wire_id(account_id, invoice.wire_id)
            known = ours if ours and ours.source_wire_id is None and (ours.number, ours.type_code) == (invoice.number, invoice.type_code) else None
        return known
    return next((item for item in tx.invoices.by_number(account_id, invoice.number) if item.type_code == invoice.type_code), None)


def _look_again(tx: Transaction, books: Books, provider: Provider, known: Invoice, heard: Heard, *, is_polled: bool) -> _Again:
    digest = hashlib.sha256(heard.body).digest()
    sources = tx.sources.known(known.account_id, known.id)
    seen_last_us = max((source.seen_at_us for source in sources), default=0)
    if is_polled and seen_last_us > books.clock():  # the clock was ahead when that was written; what is said now is newer all the same
        heard = replace(heard, seen_at_us=seen_last_us + 1)
    if any(source.digest == digest and source.seen_at_us == heard.seen_at_us and not source.contradicts for source in sources):
        return _Again(known, heard, digest, Comparison(enriched=known), is_new_word=False, is_new_sight=False)
    comparison = compare(known, current_standing(tx, known, provider), heard, sources=sources)
    if known.origin is Origin.ISSUED:  # closed, and its payments are ours: others can only agree or disagree
        comparison = Comparison(enriched=known, differences=comparison.differences)
    seen = [source.seen_at_us for source in sources if source.digest == digest]
    is_new_sight = comparison.changes_standing if is_polled else heard.seen_at_us not in seen
    # A single answer tells more than a list: until one came after what the list last said, it would be asked for again.
    is_awaited = is_polled and heard.kind is SourceKind.SINGLE and bool(sources) and sources[-1].kind is not SourceKind.SINGLE
    if heard.kind is SourceKind.DOCUMENT and known.origin is Origin.RECORDED:  # its original is kept, even if it tells nothing new
        is_awaited = not seen and all(source.kind is not SourceKind.DOCUMENT or source.is_other for source in sources)
    is_new_word = not seen or is_absent(sources, seen_at_us=heard.seen_at_us)
    return _Again(known, heard, digest, comparison, is_new_word=is_new_word, is_new_sight=is_new_sight, is_awaited=is_awaited)


def _write_new(tx: Transaction, books: Books, provider: Provider, groups: Sequence[tuple[int, Sequence[Heard], list[Change]]]) -> None:
    """Write new documents, by account; what became of them is added to the list beside them. Of ids an account's documents take the first, then their sources."""
    now_us = books.clock()
    documents = [heard for _, group, _ in groups for heard in group]
    known_ids = [heard.invoice.wire_id for heard in documents if heard.invoice.wire_id <= WIRE_ID_FOLLOWED_MAX]
    tx.providers.raise_wire_id(provider.id, 1 + max(known_ids, default=0))
    # A source's id is taken over, unless a document of ours has it: then this one gets an id of ours, too.
    given = [(account_id, heard.invoice.wire_id) for account_id, group, _ in groups for heard in group]
    kept = [wire_id if wire_id and tx.invoices.by_wire_id(account_id, wire_id) is None else 0 for account_id, wire_id in given]
    taken = tx.providers.take(provider.id, ids=2 * len(documents), wire_ids=kept.count(0), entries=len(documents))
    next_id, next_wire_id, wire_ids = taken.first_id, count(taken.first_wire_id), iter(kept)
    invoices: list[Invoice] = []
    words: list[NewWord] = []
    published = []
    accounts = tx.accounts.get_all(account_id for account_id, _, _ in groups)
    for account_id, group, changes in groups:
        entries = []
        for place, heard in enumerate(group):
            given_id = heard.invoice.wire_id
            invoice = replace(
                heard.invoice,
                id=next_id + place,
                account_id=account_id,
                wire_id=next(wire_ids) or next(next_wire_id),
                source_wire_id=given_id or None,
                recorded_at_us=now_us,
            )
            word = _word(heard, observed=heard.standing != Standing())
            words.append(NewWord(word=word, body=heard.body, account_id=account_id, invoice_id=invoice.id, source_id=next_id + len(group) + place))
            entries.append((invoice, heard.standing))
            changes.append(Change(outcome=Outcome.NEW, invoice_id=invoice.id, number=invoice.number))
        next_id += 2 * len(group)
        invoices += [invoice for invoice, _ in entries]
        published.append((accounts[account_id], entries))
    tx.invoices.insert(invoices)
    tx.sources.insert_all(words, recorded_at_us=now_us)
    publish_all(tx, books, provider, published)
    events = [
        Event(name="invoice.recorded", payload=[invoice, new.word], account_id=invoice.account_id, subject_id=invoice.id)
        for invoice, new in zip(invoices, words, strict=True)
    ]
    write(tx, provider_id=provider.id, taken=taken, events=events, actor=books.actor, now_us=now_us)


def _write_again(tx: Transaction, books: Books, provider: Provider, item: _Again) -> Change:
    known, comparison = item.known, item.comparison
    change = Change(outcome=comparison.outcome, invoice_id=known.id, number=known.number, differences=comparison.differences)
    says_anew = item.is_new_word and change.outcome is not Outcome.UNCHANGED
    if not (says_anew or item.is_awaited or (comparison.observed and item.is_new_sight)):
        return replace(change, is_written=False)  # a contradiction heard before is told again, and kept once
    now_us = books.clock()
    taken = tx.providers.take(provider.id, ids=1, entries=1)
    word = replace(
        _word(item.heard, observed=comparison.observed),
        added=tx.sources.added(known, comparison.enriched),
        lines=comparison.enriched.lines if known.lines is None else None,
        vat_breakdown=comparison.enriched.vat_breakdown if not known.vat_breakdown and comparison.enriched.vat_breakdown else None,
        differences=tuple(sorted(comparison.differences, key=lambda item: item.term)) if item.is_new_word else (),
    )
    tx.sources.insert(word, item.heard.body, account_id=known.account_id, invoice_id=known.id, source_id=taken.first_id, recorded_at_us=now_us)
    tx.sources.insert_parts(known, word)
    if comparison.moved:
        account = tx.accounts.get(known.account_id)
        if account is not None:
            replace_key(tx, account, comparison.enriched)
    refresh(tx, books, provider, comparison.enriched)
    event = Event(name="source.heard", payload=word, account_id=known.account_id, subject_id=taken.first_id)
    write(tx, provider_id=provider.id, taken=taken, events=[event], actor=books.actor, now_us=now_us)
    return change


def _word(heard: Heard, *, observed: bool) -> SourceWord:
    digest = hashlib.sha256(heard.body).digest()
    return SourceWord(kind=heard.kind, seen_at_us=heard.seen_at_us, digest=digest, observed=heard.standing if observed else None)
