"""Closing a period: once its VAT is declared, no document may change what was declared."""

from __future__ import annotations

from datetime import date

from faktura.domain.calendar import legal_date
from faktura.domain.errors import ConflictError, Fault, InvalidDocumentError, fault
from faktura.domain.period import PeriodLock, locked_faults
from faktura.domain.provider import Provider
from faktura.ledger.accounts import find_provider
from faktura.ledger.journal import Event, write
from faktura.ledger.ports import Books, Transaction


def lock_period(books: Books, *, provider: str, through: date) -> PeriodLock:
    """Lock a provider's books through a day that is over; the lock in force, also where it was so before and nothing is written.

    No document that is being issued runs past it: all series of the provider are held while it is written.
    Raises InvalidDocumentError for a day that is not over in the provider's zone, ConflictError for one before the present lock.
    """
    with books.storage.writing() as tx:
        owner = find_provider(tx, provider)
        for series in tx.series.all(owner.id):  # by name, as all who lock several do
            tx.series.lock(series)
        now_us = books.clock()
        today = legal_date(now_us, owner.zone)
        if through >= today:
            message = f"{through} is not over; where the books are kept it is {today}"
            raise InvalidDocumentError([fault("PERIOD-OPEN", "through", message)])
        present = tx.vat.last_lock(owner.id)
        if present and present.locked_through > through:
            message = f"the books of {provider!r} are locked through {present.locked_through} already; a lock never goes back"
            raise ConflictError(message)
        if present and present.locked_through == through:
            return present
        taken = tx.providers.take(owner.id, ids=1, entries=1)
        lock = PeriodLock(id=taken.first_id, provider_id=owner.id, locked_through=through, actor=books.actor, recorded_at_us=now_us)
        tx.vat.insert_lock(lock)
        event = Event(name="period.locked", payload=lock, subject_id=lock.id)
        write(tx, provider_id=owner.id, taken=taken, events=[event], actor=books.actor, now_us=now_us)
    return lock


def period_faults(tx: Transaction, provider: Provider, *, issue_date: date, tax_point_date: date | None) -> list[Fault]:
    """The dates of a document that fall into a locked period. Only under the series' lock is the answer final."""
    return locked_faults(locked_through(tx, provider), issue_date=issue_date, tax_point_date=tax_point_date)


def locked_through(tx: Transaction, provider: Provider) -> date | None:
    """The last day of a provider's closed books. Only under the series' lock is the answer final."""
    lock = tx.vat.last_lock(provider.id)
    return lock.locked_through if lock else None
