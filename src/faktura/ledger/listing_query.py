"""Lists of documents for those who run the books: filtered, sorted, now or at another moment."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import date

from faktura.domain.errors import InvalidDocumentError, NotFoundError, fault
from faktura.domain.invoice import Invoice, TypeCode
from faktura.domain.moment import NOW, Moment
from faktura.domain.money import Currency
from faktura.domain.payment import Standing
from faktura.domain.provider import Provider
from faktura.domain.state import State, state_of
from faktura.ledger.accounts import IDS_PER_PROVIDER, find_provider
from faktura.ledger.ports import Books, Overview, Transaction
from faktura.ledger.selection import DocumentSort, Place, Selection
from faktura.ledger.standing import current_standing

EXAMINED_MAX = 2000
"""How many documents a page looks at where storage alone cannot tell which belong to it: by state, by order, at another moment."""

_WITH_DUE = {State.OPEN, State.PARTLY_PAID, State.OVERDUE}


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFilter:
    """Which documents a list has; nothing given: all."""

    account_id: int | None = None
    number: str | None = None
    """The whole number, in any case."""
    type_codes: tuple[TypeCode, ...] = ()
    state: State | None = None
    issued_from: date | None = None
    issued_to: date | None = None
    """The last day."""
    order_id: int | None = None
    """Billed by the document or by one of its lines."""
    currency: Currency | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentHead:
    """A document in a list: `invoice` without its lines and VAT breakdown, `standing` without the single payments, unless all was asked for."""

    invoice: Invoice
    standing: Standing
    provider: str
    is_test: bool
    """Of a test provider."""
    account: str
    """The account's reference."""
    credited_minor: int
    """What its credit notes make up."""
    state: State | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentPage:
    """A part of a list, and the document after which it goes on, if it does. A page may be short and yet go on."""

    items: tuple[DocumentHead, ...]
    next_after: int | None


def list_documents(
    books: Books,
    *,
    provider: str,
    filters: DocumentFilter = DocumentFilter(),
    sort: DocumentSort = DocumentSort.NEWEST,
    after: int | None = None,
    limit: int,
    moment: Moment = NOW,
) -> DocumentPage:
    """Up to so many of a provider's documents that come after a document in the list's order.

    What a document is sorted by never changes, so pages neither repeat nor miss any while others are issued. A page looks
    at EXAMINED_MAX documents at most: it may be short, even empty, and still name the one after which the list goes on.

    NotFoundError for another's account; InvalidDocumentError (`cursor`) where `after` is no document of the list's owner.
    """
    with books.storage.reading() as tx:
        owner = find_provider(tx, provider)
        if filters.account_id is not None:
            account = tx.accounts.get(filters.account_id)
            if account is None or account.provider_id != owner.id:
                message = f"provider {provider!r} has no account {filters.account_id}"
                raise NotFoundError(message)
        place = None if after is None else _place(tx, owner, filters, after)
        limit = max(1, min(limit, EXAMINED_MAX))
        is_examined = filters.state is not None or filters.order_id is not None
        examined_max = EXAMINED_MAX if is_examined or not moment.is_now else limit + 1
        selection = replace(select(filters, sort=sort, moment=moment, limit=examined_max), provider_id=owner.id, after=place)
        today = moment.today(books.clock(), owner.zone)
        items: list[DocumentHead] = []
        count, last = 0, None
        for found in tx.invoices.overview(selection):
            head = examine(tx, found, owner, filters, moment=moment, today=today)
            if head is not None and len(items) == limit:
                return DocumentPage(items=tuple(items), next_after=last)
            if head is not None:
                items.append(head)
            count, last = count + 1, found.invoice.id
        return DocumentPage(items=tuple(items), next_after=last if count == examined_max else None)


def list_invoices(
    books: Books,
    *,
    provider: str | None = None,
    account: str | None = None,
    filters: DocumentFilter = DocumentFilter(),
    is_open: bool = False,
    sort: DocumentSort | None = None,
    moment: Moment = NOW,
    limit: int = 2**53,
    is_whole: bool = False,
) -> Generator[DocumentHead]:
    """Documents of all providers and accounts, by creation and newest first unless sorted otherwise; memory does not grow with the ledger.

    `is_open` asks for an amount known to be due and owed, `is_whole` for lines, VAT breakdown and payments too. NotFoundError for a provider or account that is not there.
    Close the iterator, or read it to its end.
    """
    with books.storage.reading() as tx:
        owners = tx.providers.all() if provider is None else [find_provider(tx, provider)]
        if account is not None and all(tx.accounts.find(owner.id, account) is None for owner in owners):
            message = f"there is no account {account!r}"
            raise NotFoundError(message)
        known = {owner.name: owner for owner in owners}
        now_us = books.clock()
        selection = replace(select(filters, sort=sort, moment=moment, limit=2**53), provider=provider, account=account, is_open=is_open and moment.is_now)
        for found in tx.invoices.overview(selection):
            owner = known[found.provider]
            head = examine(tx, found, owner, filters, moment=moment, today=moment.today(now_us, owner.zone))
            if head is None or (is_open and not _is_open(head)):
                continue
            yield _whole(tx, head, owner, moment) if is_whole else head
            limit -= 1
            if not limit:
                return


def select(filters: DocumentFilter, *, sort: DocumentSort | None, moment: Moment, limit: int) -> Selection:
    """What storage selects by filters; what more they ask is for `examine`."""
    return Selection(
        account_id=filters.account_id,
        number_folded=None if filters.number is None else filters.number.casefold(),
        currency=None if filters.currency is None else filters.currency.code,
        type_codes=tuple(dict.fromkeys(filters.type_codes)),
        issued_from=filters.issued_from,
        issued_to=filters.issued_to,
        is_due=moment.is_now and filters.state in _WITH_DUE,
        sort=sort,
        moment=moment,
        limit=limit,
    )


def examine(tx: Transaction, found: Overview, provider: Provider, filters: DocumentFilter, *, moment: Moment, today: date) -> DocumentHead | None:
    """A selected document as it stands at a moment; None where the filters do not want it."""
    invoice = found.invoice
    if filters.order_id is not None and not tx.invoices.bills_order(invoice, filters.order_id):
        return None
    standing = found.standing if moment.is_now else replace(current_standing(tx, invoice, provider, moment), settlements=None)
    credited_minor = tx.invoices.credited_minor(invoice.account_id, invoice.id, moment)
    state = document_state(invoice, standing, credited_minor=credited_minor, today=today)
    if filters.state is not None and state is not filters.state:
        return None
    return DocumentHead(
        invoice=invoice,
        standing=standing,
        provider=provider.name,
        is_test=provider.is_test,
        account=found.account,
        credited_minor=credited_minor,
        state=state,
    )


def document_state(invoice: Invoice, standing: Standing, *, credited_minor: int, today: date) -> State | None:
    """The state of a document that stands so."""
    return state_of(
        type_code=invoice.type_code,
        total_minor=invoice.total_with_vat_minor,
        paid_minor=standing.paid_minor,
        due_minor=standing.due_minor,
        credited_minor=credited_minor,
        due_date=invoice.due_date,
        today=today,
    )


def _place(tx: Transaction, owner: Provider, filters: DocumentFilter, after: int) -> Place:
    place = tx.invoices.place(after) if after // IDS_PER_PROVIDER == owner.id else None
    if place is None or filters.account_id not in {None, place.account_id}:
        raise InvalidDocumentError([fault("cursor", "cursor", "names no document of this list: read it from its beginning")])
    return place


def _whole(tx: Transaction, head: DocumentHead, provider: Provider, moment: Moment) -> DocumentHead:
    invoice = tx.invoices.get(head.invoice.account_id, head.invoice.id, moment)
    if invoice is None:
        raise AssertionError("the list has just shown it")
    return replace(head, invoice=invoice, standing=current_standing(tx, invoice, provider, moment))


def _is_open(head: DocumentHead) -> bool:
    return (head.standing.due_minor or 0) > 0 and head.invoice.type_code not in {None, TypeCode.PRO_FORMA}
