"""Read-only use cases for operators."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from faktura.domain.errors import NotFoundError
from faktura.domain.invoice import Invoice
from faktura.domain.moment import NOW, Moment
from faktura.domain.payment import Standing
from faktura.domain.provider import Account, Provider
from faktura.domain.state import State
from faktura.ledger.accounts import find_provider
from faktura.ledger.credit import Credit, find_credit
from faktura.ledger.listing_query import document_state
from faktura.ledger.ports import Books, JournalEntry
from faktura.ledger.standing import current_standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A document with whose it is and how it stands."""

    invoice: Invoice
    standing: Standing
    provider: Provider
    account: Account
    credited_minor: int
    """What its credit notes make up."""
    state: State | None
    """On the day of the question, in the provider's zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditStatement:
    """A payment or credit note with what is left of it, and whose it is."""

    credit: Credit
    provider: Provider
    account: Account


def get_invoice(books: Books, *, invoice_id: int, moment: Moment = NOW) -> Statement:
    """The document of a ledger id, now or at another moment; NotFoundError otherwise, also for one that did not count then."""
    with books.storage.reading() as tx:
        account_id = tx.invoices.account_of(invoice_id)
        invoice = None if account_id is None else tx.invoices.get(account_id, invoice_id, moment)
        account = None if account_id is None else tx.accounts.get(account_id)
        if invoice is None or account is None:
            message = f"there is no document with the ledger id {invoice_id}" + ("" if moment.is_now else " at that moment")
            raise NotFoundError(message)
        provider = tx.providers.get(account.provider_id)
        standing = current_standing(tx, invoice, provider, moment)
        credited_minor = tx.invoices.credited_minor(account.id, invoice.id, moment)
        state = document_state(invoice, standing, credited_minor=credited_minor, today=moment.today(books.clock(), provider.zone))
        return Statement(invoice=invoice, standing=standing, provider=provider, account=account, credited_minor=credited_minor, state=state)


def get_credit(books: Books, *, credit_id: int) -> CreditStatement:
    """The payment or credit note of a ledger id; NotFoundError otherwise, ConflictError where neither can be used any more."""
    with books.storage.reading() as tx:
        payment_of, document_of = tx.payments.account_of(credit_id), tx.invoices.account_of(credit_id)
        account = tx.accounts.get(payment_of or document_of or 0)
        if account is None:
            message = f"there is no payment and no credit note with the ledger id {credit_id}"
            raise NotFoundError(message)
        provider = tx.providers.get(account.provider_id)
        named = {"payment_id": credit_id if payment_of else None, "credit_note_id": None if payment_of else credit_id}
        return CreditStatement(credit=find_credit(tx, provider, account_id=account.id, **named), provider=provider, account=account)


def read_journal(books: Books, *, provider: str, after: int = 0, limit: int) -> list[JournalEntry]:
    """What happened after a journal number, oldest first. Numbers have no gap, so a reader goes on after the last it has seen."""
    with books.storage.reading() as tx:
        provider_id = find_provider(tx, provider).id
    return journal_after(books, provider_id=provider_id, after=after, limit=limit)


def journal_after(books: Books, *, provider_id: int, after: int, limit: int) -> list[JournalEntry]:
    """The same by the provider's id."""
    with books.storage.reading() as tx:
        return list(islice(tx.audit.journal(provider_id, after=after), limit))
