"""Billing runs: many documents, each billed once for its account, period and product, in batches of one transaction each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from faktura.domain.calendar import legal_date
from faktura.domain.draft import parse_draft
from faktura.domain.errors import ConflictError, Fault, InvalidDocumentError, NotFoundError, fault
from faktura.domain.invoice import Draft, Invoice, TypeCode
from faktura.domain.numbering import NumberMethod, render_number, take
from faktura.domain.provider import Account, Provider
from faktura.domain.text import is_text
from faktura.ledger.accounts import find_account, find_provider
from faktura.ledger.commands import close, issue_within, late_faults, lock_account, prepare, refuse, series_for, use_numbers
from faktura.ledger.journal import Event, issued_payload, write
from faktura.ledger.ports import BillingKey, Books, Transaction
from faktura.ledger.standing import current_standing, publish

BATCH_SIZE = 500
"""Documents a transaction: they share a range of numbers, one lock of the series and one commit."""

_KEY_FIELDS = ("account", "period", "product")
_KEY_LENGTH_MAX = 200


class BillingOutcome(StrEnum):
    """What became of an item."""

    ISSUED = "issued"
    BILLED_BEFORE = "billed-before"
    """Its account, period and product have a document already: another run, or this one before it was interrupted."""
    REFUSED = "refused"
    VALID = "valid"
    """Dry run: it would be issued."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingItem:
    """One document to issue: the key fields and those of a document."""

    position: int
    """Line of the input, for reports."""
    data: object
    """The parsed item, as its user wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemReport:
    """What became of one item."""

    position: int
    outcome: BillingOutcome
    invoice_id: int | None = None
    number: str | None = None
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """An item that can be issued."""

    position: int
    account_id: int
    period: str
    product: str
    draft: Draft


def run_billing(books: Books, *, provider: str, read: Callable[[], Iterable[BillingItem]], dry_run: bool = False) -> Generator[ItemReport]:
    """Issue what `read` gives; it is read twice, first to validate everything.

    Items with faults are reported and left out, the others are issued in batches; each report comes after its batch is
    durable. Running the same input again issues only what is missing, so an interrupted run goes on where it stopped.
    """
    refused: set[int] = set()
    for item in read():
        report = validate_item(books, provider, item)
        if report.outcome is BillingOutcome.REFUSED:
            refused.add(item.position)
            yield report
        elif dry_run:
            yield report
    if dry_run:
        return
    batch: list[BillingItem] = []
    for item in read():
        if item.position not in refused:
            batch.append(item)
        if len(batch) >= BATCH_SIZE:
            yield from issue_batch(books, provider, batch)
            batch = []
    if batch:
        yield from issue_batch(books, provider, batch)


def validate_item(books: Books, provider: str, item: BillingItem) -> ItemReport:
    """What would become of an item now; nothing is written. What was billed stays billed, whatever its rules say today."""
    with books.storage.reading() as tx:
        owner = find_provider(tx, provider)
        try:
            account, key = _key_of(tx, owner, item)
            billed = tx.invoices.billed(account.id, key.period, key.product)
            if billed is not None:
                return ItemReport(position=item.position, outcome=BillingOutcome.BILLED_BEFORE, invoice_id=billed)
            ready = _make_ready(books, owner, account, key, item)
            prepared = prepare(ready.draft, owner, today=legal_date(books.clock(), owner.zone))
            refuse(late_faults(tx, owner, prepared, prepared.issue_date))
        except InvalidDocumentError as error:
            return ItemReport(position=item.position, outcome=BillingOutcome.REFUSED, faults=error.faults)
    return ItemReport(position=item.position, outcome=BillingOutcome.VALID)


def _key_of(tx: Transaction, provider: Provider, item: BillingItem) -> tuple[Account, BillingKey]:
    """What an item bills, and to whom; InvalidDocumentError with all faults of that."""
    data: Mapping[str, Any] = item.data if isinstance(item.data, Mapping) else {}
    faults = [] if data else [fault("type", "", "must be an object with account, period, product and a document's fields")]
    faults += [fault("missing", name, "is missing, or no text") for name in _KEY_FIELDS if data and not is_text(data.get(name), length_max=_KEY_LENGTH_MAX)]
    refuse(faults)
    try:
        account = find_account(tx, provider, data["account"])
    except NotFoundError as error:
        raise InvalidDocumentError([fault("account", "account", str(error))]) from error
    return account, BillingKey(period=data["period"], product=data["product"])


def _make_ready(books: Books, provider: Provider, account: Account, key: BillingKey, item: BillingItem) -> _Ready:
    """The item's draft; InvalidDocumentError with all its faults."""
    data: Mapping[str, Any] = item.data if isinstance(item.data, Mapping) else {}
    document = {name: value for name, value in data.items() if name not in _KEY_FIELDS}
    today = legal_date(books.clock(), provider.zone)
    draft = parse_draft(document, currency=provider.currency, buyer=account.buyer, seller=provider.seller, today=today)
    return _Ready(position=item.position, account_id=account.id, period=key.period, product=key.product, draft=draft)


def issue_batch(books: Books, provider_name: str, items: Sequence[BillingItem]) -> list[ItemReport]:
    """One transaction: accounts ascending, then one range of numbers for the plain invoices, then the rest one by one."""
    with books.storage.writing(bulk=True) as tx:
        provider = find_provider(tx, provider_name)
        waiting, reports = _ready_again(tx, books, provider, items)
        accounts = {account_id: lock_account(tx, account_id) for account_id in sorted({item.account_id for item in waiting})}
        kinds = {item.draft.type_code for item in waiting}
        for series in tx.series.all(provider.id):  # by name, as all who lock several do, and before the counter is taken
            if kinds & set(series.type_codes):
                tx.series.lock(series)
        while waiting:  # of items with one key the first that can be issued is
            firsts = {(item.account_id, item.period, item.product): item for item in reversed(waiting)}
            waiting = [item for item in waiting if firsts[item.account_id, item.period, item.product] is not item]
            billed = {key: tx.invoices.billed(*key) for key in firsts}
            reports += [_billed_before(firsts[key], found) for key, found in billed.items() if found is not None]
            reports += _issue_all(tx, books, provider, accounts, [item for key, item in firsts.items() if billed[key] is None])
    return sorted(reports, key=lambda report: report.position)


def _ready_again(tx: Transaction, books: Books, provider: Provider, items: Sequence[BillingItem]) -> tuple[list[_Ready], list[ItemReport]]:
    """The items that still keep every rule, and what became of the others: the day may have changed since they were checked."""
    ready: list[_Ready] = []
    reports: list[ItemReport] = []
    today = legal_date(books.clock(), provider.zone)
    for item in items:
        try:
            account, key = _key_of(tx, provider, item)
            billed = tx.invoices.billed(account.id, key.period, key.product)
            if billed is not None:
                reports.append(_billed_before(item, billed))
                continue
            found = _make_ready(books, provider, account, key, item)
            if found.draft.type_code is TypeCode.INVOICE:
                prepare(found.draft, provider, today=today)
        except InvalidDocumentError as error:
            reports.append(ItemReport(position=item.position, outcome=BillingOutcome.REFUSED, faults=error.faults))
        else:
            ready.append(found)
    return ready, reports


def _issue_all(tx: Transaction, books: Books, provider: Provider, accounts: Mapping[int, Account], items: Sequence[_Ready]) -> list[ItemReport]:
    """Issue items of different keys that nobody billed."""
    items = sorted(items, key=lambda item: item.position)
    reports: list[ItemReport] = []
    plain: dict[date | None, list[_Ready]] = defaultdict(list)
    for item in items:
        if item.draft.type_code is TypeCode.INVOICE:
            plain[item.draft.issue_date].append(item)
    for asked in sorted(plain, key=lambda day: day or date.max):  # dates rise with numbers; without one it is today
        reports += _issue_plain(tx, books, provider, accounts, plain[asked])
    others = [item for item in items if item.draft.type_code is not TypeCode.INVOICE]
    return reports + [_issue_other(tx, books, provider, item) for item in others]


def _billed_before(item: BillingItem | _Ready, invoice_id: int) -> ItemReport:
    return ItemReport(position=item.position, outcome=BillingOutcome.BILLED_BEFORE, invoice_id=invoice_id)


def _issue_plain(tx: Transaction, books: Books, provider: Provider, accounts: Mapping[int, Account], items: Sequence[_Ready]) -> list[ItemReport]:
    """Invoices of one date: one lock of the series, consecutive numbers, inserts in bulk; what is refused is, before the series moves."""
    today = legal_date(books.clock(), provider.zone)
    asked = items[0].draft.issue_date
    drafts = [(item, prepare(item.draft, provider, today=today)) for item in items]
    series = tx.series.lock(series_for(tx, provider, TypeCode.INVOICE))
    if series.method is not NumberMethod.COUNTER:
        raise ConflictError("a billing run needs a counted series for its invoices")
    now_us = books.clock()
    today = legal_date(now_us, provider.zone)
    late = {item.position: late_faults(tx, provider, prepared, asked or today) for item, prepared in drafts}
    refused = [ItemReport(position=position, outcome=BillingOutcome.REFUSED, faults=tuple(faults)) for position, faults in late.items() if faults]
    drafts = [(item, prepared) for item, prepared in drafts if not late[item.position]]
    items = [item for item, _ in drafts]
    if not items:
        return refused
    try:
        first, issue_date, after = take(series, count=len(items), asked=asked, today=today)
        numbers = [render_number(series.template, seq=first + place, day=issue_date) for place in range(len(items))]
        use_numbers(tx, series, numbers)
    except InvalidDocumentError as error:
        return refused + [ItemReport(position=item.position, outcome=BillingOutcome.REFUSED, faults=error.faults) for item in items]
    tx.series.set(after)
    taken = tx.providers.take(provider.id, ids=len(items), wire_ids=len(items), entries=len(items))
    invoices = [
        close(
            books,
            provider,
            accounts[item.account_id],
            prepared,
            series=series,
            taken=taken.at(place),
            seq=first + place,
            number=numbers[place],
            issue_date=issue_date,
            now_us=now_us,
        )
        for place, (item, prepared) in enumerate(drafts)
    ]
    tx.invoices.insert(invoices)
    by_account: dict[int, list[Invoice]] = defaultdict(list)
    for invoice in invoices:
        by_account[invoice.account_id].append(invoice)
    for account_id, issued in by_account.items():
        publish(tx, books, provider, account_id, [(invoice, current_standing(tx, invoice, provider)) for invoice in issued])
    events = []
    for item, invoice in zip(items, invoices, strict=True):
        key = BillingKey(period=item.period, product=item.product, recorded_at_us=now_us)
        tx.invoices.bill(invoice.account_id, invoice.id, key)
        payload = issued_payload(invoice, [], key)
        events.append(Event(name="invoice.issued", payload=payload, account_id=invoice.account_id, subject_id=invoice.id))
    write(tx, provider_id=provider.id, taken=taken, events=events, actor=books.actor, now_us=now_us)
    return refused + [_report(item, invoice) for item, invoice in zip(items, invoices, strict=True)]


def _issue_other(tx: Transaction, books: Books, provider: Provider, item: _Ready) -> ItemReport:
    """A document that concerns another one; what the ledger refuses of it is its own report, the batch goes on."""
    try:
        key = BillingKey(period=item.period, product=item.product)
        invoice = issue_within(tx, books, provider, lock_account(tx, item.account_id), item.draft, key=key)
    except InvalidDocumentError as error:
        return ItemReport(position=item.position, outcome=BillingOutcome.REFUSED, faults=error.faults)
    except ConflictError as error:
        return ItemReport(position=item.position, outcome=BillingOutcome.REFUSED, faults=(fault("LEDGER", "", str(error)),))
    return _report(item, invoice)


def _report(item: _Ready, invoice: Invoice) -> ItemReport:
    return ItemReport(position=item.position, outcome=BillingOutcome.ISSUED, invoice_id=invoice.id, number=invoice.number)
