"""Documents gathered from a source that is asked again and again: what is known of it, and what it no longer shows."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from faktura.domain.errors import ConflictError
from faktura.domain.provider import Provider
from faktura.domain.recorded import Change, Difference, Heard, Outcome, SourceKind, SourceWord
from faktura.ledger.accounts import add_account, add_provider, find_provider
from faktura.ledger.collecting_ports import CollectedDocument, Contradiction, Double
from faktura.ledger.importing import record
from faktura.ledger.journal import Event, write
from faktura.ledger.number_gaps import NumberGap, find_gaps
from faktura.ledger.ports import Books, Transaction
from faktura.ledger.reconcile import ABSENT, LISTED, PRESENCE, is_absent
from faktura.ledger.standing import FIRST_ORDINAL

_BEYOND_ALL = 2 * FIRST_ORDINAL
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One customer's documents at one provider, as they are gathered."""

    provider: Provider
    """Whose settings say what amounts and dates on the wire mean."""
    account_id: int
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """A document that the source does not show any more."""

    document: CollectedDocument
    proof: bytes
    """The answer that said so, or what was counted."""


def open_collection(books: Books, *, provider: Provider, reference: str) -> Collection:
    """The collection of that provider's name and account, made where it is not there.

    ConflictError where the ledger has a provider of that name with another dialect, currency or zone, since its documents would change their meaning;
    with another account; and where it issues documents of its own.
    """
    known = _provider(books, provider)
    for term in ("dialect", "currency", "zone"):
        if getattr(known, term) != getattr(provider, term):
            message = f"the ledger keeps {provider.name!r} with {term} {_text(getattr(known, term))}, not {_text(getattr(provider, term))}: give the source another name"
            raise ConflictError(message)
    with books.storage.reading() as tx:
        if tx.series.all(known.id):
            message = f"{provider.name!r} issues documents in this ledger, and nobody else's may be among them: give the source another name"
            raise ConflictError(message)
        others = [account.reference for account in tx.accounts.page(known.id, after=0, limit=2)]
    if others and reference not in others:
        message = f"the ledger keeps {provider.name!r} with the account {others[0]!r}, not {reference!r}: give the source another name"
        raise ConflictError(message)
    return Collection(provider=known, account_id=_account_id(books, known, reference), reference=reference)


def _provider(books: Books, provider: Provider) -> Provider:
    for _ in range(_TRIES):
        with books.storage.reading() as tx:
            known = tx.providers.find(provider.name)
        if known is not None:
            return known
        with suppress(ConflictError):  # somebody else may begin with the same source
            return add_provider(books, provider=provider, series=())
    raise ConflictError


def _account_id(books: Books, provider: Provider, reference: str) -> int:
    for _ in range(_TRIES):
        with books.storage.reading() as tx:
            account = tx.accounts.find(provider.id, reference)
        if account is not None:
            return account.id
        with suppress(ConflictError):
            return add_account(books, provider=provider.name, reference=reference, buyer=None).id
    raise ConflictError


def _text(value: object) -> str:
    return str(getattr(value, "code", value))


def hear(books: Books, collection: Collection, documents: Sequence[Heard]) -> list[Change]:
    """Record what an answer of the source had; what the ledger has so already is not written again."""
    pairs = ((collection.reference, heard) for heard in documents)
    return list(record(books, provider=collection.provider.name, documents=pairs, is_polled=True))


def shown_count(books: Books, collection: Collection) -> int:
    """How many documents the source must show, if it has neither new ones nor removed any."""
    with books.storage.reading() as tx:
        return tx.collected.count(collection.account_id) - len(tx.collected.absent(collection.account_id))


def due_places(books: Books, collection: Collection) -> list[tuple[int, CollectedDocument]]:
    """The known documents with an amount due and their places in the source's list, counted from 0, newest first."""
    with books.storage.reading() as tx:
        account = tx.accounts.get(collection.account_id)
        absent = sorted(item.ordinal for item in tx.collected.absent(collection.account_id))
        found = tx.collected.due(collection.account_id)
    newest, gone = account.last_ordinal if account else 0, set(absent)
    return [(newest - item.ordinal - len(absent) + bisect_right(absent, item.ordinal), item) for item in found if item.ordinal not in gone]


def without_single(books: Books, collection: Collection, *, batch_size: int = 200) -> Iterator[CollectedDocument]:
    """Documents that the source's list said something new of since it was asked for them alone, newest first."""
    before = _BEYOND_ALL
    while True:
        with books.storage.reading() as tx:
            found = tx.collected.without_single(collection.account_id, before=before, limit=batch_size)
        yield from found
        if len(found) < batch_size:
            return
        before = found[-1].ordinal


def without_single_count(books: Books, collection: Collection) -> int:
    """How many documents these are."""
    with books.storage.reading() as tx:
        return tx.collected.without_single_count(collection.account_id)


def documents(books: Books, collection: Collection, *, before_us: int) -> list[CollectedDocument]:
    """The documents recorded before an instant that the source showed when it was last asked, by the source's id."""
    with books.storage.reading() as tx:
        known_absent = {item.invoice_id for item in tx.collected.absent(collection.account_id)}
        return [item for item in tx.collected.all(collection.account_id, before_us=before_us) if item.invoice_id not in known_absent]


def mark_absent(books: Books, collection: Collection, absences: Iterable[Absence], *, seen_at_us: int) -> list[Change]:
    """Write down that the source does not show documents any more. They stay as they are; what was written before is not written again."""
    changes = []
    with books.storage.writing() as tx:
        tx.accounts.lock(collection.account_id)
        for absence in absences:
            invoice_id = absence.document.invoice_id
            if not is_absent(tx.sources.known(collection.account_id, invoice_id), seen_at_us=seen_at_us + 1):
                changes.append(_write_absence(tx, books, collection, absence, seen_at_us))
    return changes


def _write_absence(tx: Transaction, books: Books, collection: Collection, absence: Absence, seen_at_us: int) -> Change:
    now_us, invoice_id = books.clock(), absence.document.invoice_id
    difference = Difference(term=PRESENCE, kept=LISTED, heard=ABSENT)
    word = SourceWord(kind=SourceKind.ABSENT, seen_at_us=seen_at_us, digest=hashlib.sha256(absence.proof).digest(), differences=(difference,))
    taken = tx.providers.take(collection.provider.id, ids=1, entries=1)
    tx.sources.insert(word, absence.proof, account_id=collection.account_id, invoice_id=invoice_id, source_id=taken.first_id, recorded_at_us=now_us)
    event = Event(name="source.heard", payload=word, account_id=collection.account_id, subject_id=taken.first_id)
    write(tx, provider_id=collection.provider.id, taken=taken, events=[event], actor=books.actor, now_us=now_us)
    invoice = tx.invoices.get(collection.account_id, invoice_id)
    return Change(outcome=Outcome.CONFLICT, invoice_id=invoice_id, number=invoice.number if invoice else "", differences=(difference,))


def list_contradictions(books: Books, *, provider: str | None = None, since_us: int = 0) -> Iterator[tuple[Provider, Contradiction]]:
    """What sources said otherwise than the ledger keeps, a provider after the other, oldest first; also what they no longer show."""
    with books.storage.reading() as tx:
        providers = [find_provider(tx, provider)] if provider else tx.providers.all()
    for owner in providers:
        with books.storage.reading() as tx:
            for found in tx.collected.contradictions(owner.id, since_us=since_us):
                yield owner, found


def list_doubles(books: Books, *, provider: str | None = None) -> Iterator[tuple[Provider, Double]]:
    """Numbers that more than one document of a type bears, of those that sources gave."""
    with books.storage.reading() as tx:
        providers = [find_provider(tx, provider)] if provider else tx.providers.all()
    for owner in providers:
        with books.storage.reading() as tx:
            for account in tx.accounts.all(owner.id):
                for found in tx.collected.doubles(account.id):
                    yield owner, found


def contradicted_count(books: Books, *, provider: str | None = None) -> int:
    """How many documents their sources contradicted, or do not show any more."""
    with books.storage.reading() as tx:
        providers = [find_provider(tx, provider)] if provider else tx.providers.all()
        return sum(tx.collected.contradicted_count(owner.id) for owner in providers)


def list_gaps(books: Books, *, provider: str | None = None) -> Iterator[tuple[Provider, str, NumberGap]]:
    """Numbers that are missing between those that sources showed, by provider and account: see `find_gaps`."""
    with books.storage.reading() as tx:
        providers = [find_provider(tx, provider)] if provider else tx.providers.all()
    for owner in providers:
        with books.storage.reading() as tx:
            for account in tx.accounts.all(owner.id):
                for gap in find_gaps(tx.collected.numbers(account.id)):
                    yield owner, account.reference, gap
