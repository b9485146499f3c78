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
from faktura.ledger.listing_query import document_state
from faktura.ledger.ports import Books, JournalEntry
from faktura.ledger.standing import current_standing, render


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


def read_journal(books: Books, *, provider: str, after: int = 0, limit: int) -> list[JournalEntry]:
    """What happened after a journal number, oldest first. Numbers have no gap, so a reader goes on after the last it has seen."""
    with books.storage.reading() as tx:
        return list(islice(tx.audit.journal(find_provider(tx, provider).id, after=after), limit))


def render_now(books: Books, *, account_id: int, invoice_id: int, single: bool) -> bytes:
    """A document's wire form by this release's dialect, for a standing that an older one rendered."""
    with books.storage.reading() as tx:
        invoice = tx.invoices.get(account_id, invoice_id)
        account = tx.accounts.get(account_id)
        if invoice is None or account is None:
            raise NotFoundError
        provider = tx.providers.get(account.provider_id)
        row = render(books.dialects[provider.dialect], invoice, current_standing(tx, invoice, provider), provider)
    return row.item if not single else row.single or b""
