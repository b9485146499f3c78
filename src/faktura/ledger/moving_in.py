"""Moving in: a provider brings documents that it issued elsewhere, with their numbers, as closed documents of this ledger.

They are written in batches in the order of their numbers, each examined again under the locks. What is known already is known again, so
an interrupted import goes on where it stopped; what contradicts a known document is told and changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from faktura.domain.credit_note import tax_country_of
from faktura.domain.invoice import Invoice, PrecedingInvoice, TypeCode
from faktura.domain.numbering import NumberMethod, Series, follow, reached
from faktura.domain.past import PastDocument
from faktura.domain.payment import Allocation, Payment, allocate
from faktura.domain.provider import Account, Provider
from faktura.ledger.accounts import find_provider, insert_account
from faktura.ledger.commands import lock_account, use_numbers
from faktura.ledger.history import (
    CORRECTED,
    Examined,
    History,
    PastLine,
    PastOutcome,
    PastReport,
    Place,
    close_past,
    examine,
    find_corrected,
    first_own,
    open_history,
    reference_of,
    to_report,
)
from faktura.ledger.journal import Event, issued_payload, write
from faktura.ledger.ports import Books, MovedIn, Taken, Transaction
from faktura.ledger.standing import current_standing, publish, refresh

BATCH_SIZE = 500
"""Documents a transaction."""

Memo = MutableMapping[str, tuple[Series, Place | None]]
"""By series: as an import left it, and its first own place, which is not looked for again while the series stays so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A document on its way in."""

    line: PastLine
    document: PastDocument
    account: Account
    missing_from: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What will be written of a document."""

    entry: _Entry
    corrected: Invoice | None
    settles_minor: int
    """What a credit note settles of the invoice that it corrects."""
    shares: Sequence[int]
    """What of each payment settles the document."""

    @property
    def event_count(self) -> int:
        """Itself, its payments, and what they settle."""
        return 1 + len(self.shares) + sum(share > 0 for share in self.shares)

    @property
    def id_count(self) -> int:
        """As many; a credit note's next id is that of what it settles, even where that is nothing."""
        return self.event_count + (self.entry.document.draft.type_code is TypeCode.CREDIT_NOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """A document with all that comes in with it."""

    invoice: Invoice
    moved: MovedIn
    payments: Sequence[Payment]
    paid: Sequence[Allocation]
    """What the payments settle."""
    credited: Sequence[Allocation]
    """What a credit note settles."""


def write_batch(
    books: Books,
    *,
    provider: str,
    lines: Sequence[PastLine],
    create_accounts: bool = False,
    next_wire_id: int = 1,
    memo: Memo | None = None,
) -> list[PastReport]:
    """Move documents in, given in the order of their numbers, in one transaction; a report for each line once it is durable.

    `next_wire_id` is beyond every id that the whole import brings: documents that bring none count up from there.
    """
    memo = {} if memo is None else memo
    if create_accounts:
        _create_accounts(books, provider, lines)
    with books.storage.writing(bulk=True) as tx:
        owner = find_provider(tx, provider)
        accounts = _lock_accounts(tx, owner, lines)
        history = _lock_series(tx, owner, memo)
        examined = [(line, _examine(tx, books, owner, history, line)) for line in lines]
        entries = _take_places(tx, history, memo, [(line, item.document, accounts[item.document.account]) for line, item in examined if item.document])
        tx.providers.raise_wire_id(owner.id, next_wire_id)
        now_us = books.clock()
        written = _write(tx, books, owner, [entry for entry in entries if entry.document.draft.preceding_invoice is None], now_us)
        for entry in entries:
            if entry.document.draft.preceding_invoice is not None:  # one by one: each settles what the one before left due
                written += _write(tx, books, owner, [entry], now_us)
        _publish(tx, books, owner, written)
    ids = {(invoice.series, invoice.number): invoice.id for invoice in written}
    return [_moved(line, item.document, ids) if item.document else item.report for line, item in examined]


def _moved(line: PastLine, document: PastDocument, ids: Mapping[tuple[str | None, str], int]) -> PastReport:
    return to_report(line, PastOutcome.MOVED_IN, document.number, ids[document.series.name, document.number])


def _create_accounts(books: Books, provider_name: str, lines: Sequence[PastLine]) -> None:
    """Accounts that are missing, each with its first document's buyer, in a transaction of their own: they take the counter, the last of all locks."""
    with books.storage.reading() as tx:
        provider = find_provider(tx, provider_name)
        missing = [line for line in lines if (reference := reference_of(line)) is not None and tx.accounts.find(provider.id, reference) is None]
    if not missing:
        return
    with books.storage.writing(bulk=True) as tx:
        history = open_history(tx, provider, create_accounts=True)
        for line in missing:
            document = examine(tx, books, provider, history, line).document
            if document is not None and tx.accounts.find(provider.id, document.account) is None:
                insert_account(tx, books, provider, reference=document.account, buyer=document.draft.buyer)


def _lock_accounts(tx: Transaction, provider: Provider, lines: Sequence[PastLine]) -> dict[str, Account]:
    references = {reference for line in lines if (reference := reference_of(line)) is not None}
    found = [account for reference in references if (account := tx.accounts.find(provider.id, reference)) is not None]
    return {account.reference: lock_account(tx, account.id) for account in sorted(found, key=lambda account: account.id)}


def _lock_series(tx: Transaction, provider: Provider, memo: Memo) -> History:
    series = {item.name: tx.series.lock(item) for item in tx.series.all(provider.id)}
    own = {}
    for name, item in series.items():
        left = memo.get(name)
        own[name] = left[1] if left and left[0] == item else first_own(tx, item)
    return History(series=series, own=own, create_accounts=False, pending={})


def _examine(tx: Transaction, books: Books, provider: Provider, history: History, line: PastLine) -> Examined:
    """A line, which may correct an invoice of the lines before it."""
    examined = examine(tx, books, provider, history, line)
    document = examined.document
    if document is not None and document.draft.type_code in CORRECTED and history.pending is not None:
        history.pending[document.account, document.number] = document.draft.currency
    return examined


def _take_places(tx: Transaction, history: History, memo: Memo, fresh: Sequence[tuple[PastLine, PastDocument, Account]]) -> list[_Entry]:
    """Keep the numbers as given out, let each series go on after its highest, and find what history lacks before each document."""
    series = dict(history.series)
    numbers: dict[str, list[str]] = defaultdict(list)
    highs: dict[tuple[str, int], int] = {}
    entries = []
    for line, document, account in fresh:
        name, day = document.series.name, document.issue_date
        high = reached(series[name], day)
        if high is None:
            high = highs.get((name, day.year)) or tx.series.high(series[name], day.year)
            highs[name, day.year] = max(high, document.seq)
        lacks = series[name].method is NumberMethod.COUNTER and document.seq > high + 1
        entries.append(_Entry(line=line, document=document, account=account, missing_from=high + 1 if lacks else None))
        numbers[name].append(document.number)
        series[name] = follow(series[name], seq=document.seq, day=day)
    for name, given in numbers.items():
        use_numbers(tx, series[name], given)
        tx.series.set(series[name])
    memo.update({name: (item, history.own[name]) for name, item in series.items()})
    return entries


def _write(tx: Transaction, books: Books, provider: Provider, entries: Sequence[_Entry], now_us: int) -> list[Invoice]:
    """Write documents with their payments, and what settles what. Of several at once none corrects another."""
    plans = [_plan(tx, provider, entry) for entry in entries]
    taken = tx.providers.take(
        provider.id,
        ids=sum(plan.id_count for plan in plans),
        wire_ids=sum(plan.entry.document.wire_id is None for plan in plans),
        entries=sum(plan.event_count for plan in plans),
    )
    written, place = [], taken
    for plan in plans:
        written.append(_make(books, provider, plan, place, now_us))
        used = plan.entry.document.wire_id is None
        place = replace(place, first_id=place.first_id + plan.id_count, first_wire_id=place.first_wire_id + used)
    tx.invoices.insert([item.invoice for item in written])
    events = []
    for item in written:
        tx.invoices.move_in(item.invoice.account_id, item.invoice.id, item.moved)
        for payment in item.payments:
            tx.payments.insert(payment)
        events += _events(item)
    tx.payments.allocate([allocation for item in written for allocation in (*item.paid, *item.credited)])
    for plan in plans:
        if plan.corrected is not None and plan.settles_minor:
            refresh(tx, books, provider, plan.corrected)
    write(tx, provider_id=provider.id, taken=taken, events=events, actor=books.actor, now_us=now_us)
    return [item.invoice for item in written]


def _plan(tx: Transaction, provider: Provider, entry: _Entry) -> _Plan:
    """What it corrects, if that is here, what it settles of it, and how far its payments settle itself."""
    draft, total_minor = entry.document.draft, entry.document.totals.total_with_vat_minor
    found = find_corrected(tx, entry.account, draft.preceding_invoice.number) if draft.preceding_invoice else []
    corrected = found[0] if found else None
    settles_minor = 0
    if corrected is not None and draft.type_code is TypeCode.CREDIT_NOTE:
        settles_minor = max(0, min(total_minor, current_standing(tx, corrected, provider).due_minor or 0))
    shares, left_minor = [], total_minor
    for payment in entry.document.payments:
        shares += allocate(payment.amount_minor, [left_minor])
        left_minor -= shares[-1]
    return _Plan(entry=entry, corrected=corrected, settles_minor=settles_minor, shares=shares)


def _make(books: Books, provider: Provider, plan: _Plan, taken: Taken, now_us: int) -> _Written:
    """The document takes the first id, its payments the next ones, then what settles what."""
    document = plan.entry.document
    invoice = close_past(books, provider, plan.entry.account, document, taken=taken, now_us=now_us)
    if plan.corrected is not None:
        corrected = plan.corrected
        country = tax_country_of(corrected) if document.draft.type_code is TypeCode.CREDIT_NOTE else None
        invoice = replace(invoice, tax_country=document.draft.tax_country or country or invoice.tax_country)
        invoice = replace(invoice, preceding_invoice=PrecedingInvoice(number=corrected.number, issue_date=corrected.issue_date, invoice_id=corrected.id))
    payments = [
        Payment(
            id=invoice.id + number,
            account_id=invoice.account_id,
            amount_minor=item.amount_minor,
            currency=invoice.currency,
            paid_on=item.paid_on,
            reference=item.reference,
            recorded_at_us=now_us,
        )
        for number, item in enumerate(document.payments, 1)
    ]
    next_id = invoice.id + 1 + len(payments)
    paid = []
    for payment, share in zip(payments, plan.shares, strict=True):
        if share:
            key = {"id": next_id, "account_id": invoice.account_id, "amount_minor": share, "recorded_at_us": now_us}
            paid.append(Allocation(**key, invoice_id=invoice.id, payment_id=payment.id, allocated_on=payment.paid_on))
            next_id += 1
    credited = []
    if plan.corrected is not None and plan.settles_minor:
        key = {"id": next_id, "account_id": invoice.account_id, "amount_minor": plan.settles_minor, "recorded_at_us": now_us}
        credited.append(Allocation(**key, invoice_id=plan.corrected.id, credit_note_id=invoice.id, allocated_on=invoice.issue_date))
    moved = MovedIn(missing_from=plan.entry.missing_from, payment_count=len(payments), recorded_at_us=now_us)
    return _Written(invoice=invoice, moved=moved, payments=payments, paid=paid, credited=credited)


def _events(item: _Written) -> list[Event]:
    invoice = item.invoice
    payload = issued_payload(invoice, item.credited, item.moved)
    events = [Event(name="invoice.moved-in", payload=payload, account_id=invoice.account_id, subject_id=invoice.id)]
    events += [Event(name="payment.recorded", payload=payment, account_id=payment.account_id, subject_id=payment.id) for payment in item.payments]
    return events + [Event(name="payment.allocated", payload=part, account_id=part.account_id, subject_id=part.id) for part in item.paid]


def _publish(tx: Transaction, books: Books, provider: Provider, written: Sequence[Invoice]) -> None:
    """Places in their accounts' lists, once all that settles them is written."""
    by_account: dict[int, list[Invoice]] = defaultdict(list)
    for invoice in written:
        by_account[invoice.account_id].append(invoice)
    for account_id, invoices in by_account.items():
        publish(tx, books, provider, account_id, [(invoice, current_standing(tx, invoice, provider)) for invoice in invoices])


def series_ends(books: Books, *, provider: str) -> list[tuple[str, int, date | None]]:
    """Where each counted series of a provider goes on: name, next number, newest date."""
    with books.storage.reading() as tx:
        series = tx.series.all(find_provider(tx, provider).id)
    return [(item.name, item.next_number, item.last_date) for item in series if item.method is NumberMethod.COUNTER]
