"""Billing runs: many documents, each billed once for its account, period and product, in batches of one transaction each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from faktura.domain.calendar import legal_date
from faktura.domain.draft import read_draft
from faktura.domain.errors import ConflictError, Fault, InvalidDocumentError, fault
from faktura.domain.invoice import Invoice, TypeCode
from faktura.domain.numbering import NumberMethod, render_number, take
from faktura.domain.payment import Standing
from faktura.domain.provider import Account, Provider
from faktura.domain.text import is_text
from faktura.ledger.accounts import find_provider, no_account
from faktura.ledger.commands import Prepared, close, issue_within, late_faults, lock_account, prepared_of, resolve_preceding, series_for, use_numbers
from faktura.ledger.journal import Event, issued_payload, write
from faktura.ledger.periods import locked_through
from faktura.ledger.ports import BillingKey, Books, Taken, Transaction
from faktura.ledger.profile_rules import TURNS_MAX, UnjudgedError, judged
from faktura.ledger.standing import new_standing, publish_all

_T = TypeVar("_T")

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


_Key = tuple[int, str, str]
"""Account, period and product: what is billed once."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """An item that can be issued."""

    position: int
    key: _Key
    prepared: Prepared

    @property
    def type_code(self) -> TypeCode:
        return self.prepared.draft.type_code


def run_billing(books: Books, *, provider: str, read: Callable[[], Iterable[BillingItem]], dry_run: bool = False) -> Generator[ItemReport]:
    """Issue what `read` gives; it is read twice, first to validate everything.

    Items with faults are reported and left out, the others are issued in batches; each report comes after its batch is
    durable. Running the same input again issues only what is missing, so an interrupted run goes on where it stopped.
    """
    refused: set[int] = set()
    for batch in _batches(read()):
        for report in validate_items(books, provider, batch):
            if report.outcome is BillingOutcome.REFUSED:
                refused.add(report.position)
                yield report
            elif dry_run:
                yield report
    if dry_run:
        return
    for batch in _batches(item for item in read() if item.position not in refused):
        yield from judged_batch(books, provider, batch, partial(issue_batch, books, provider, batch))


def judged_batch(books: Books, provider: str, items: Sequence[BillingItem], step: Callable[[], _T]) -> _T:
    """What a step comes to that issues items. Where official rules have not looked at them, they do first, outside of its transaction."""
    try:
        return step()
    except UnjudgedError:
        validate_items(books, provider, items)
    return judged(books.profile_rules, step, turns_max=len(items) + TURNS_MAX)


def _batches(items: Iterable[BillingItem]) -> Iterator[list[BillingItem]]:
    waiting = iter(items)
    while batch := list(islice(waiting, BATCH_SIZE)):
        yield batch
        batch.clear()  # or it would still be held while the next is read


def validate_item(books: Books, provider: str, item: BillingItem) -> ItemReport:
    """What would become of an item now; nothing is written."""
    return validate_items(books, provider, [item])[0]


def validate_items(books: Books, provider: str, items: Sequence[BillingItem]) -> list[ItemReport]:
    """What would become of items now, each by itself; nothing is written. What was billed stays billed, whatever its rules say today."""
    with books.storage.reading() as tx:
        owner = find_provider(tx, provider)
        locked = locked_through(tx, owner)
        ready, reports, accounts = _read(tx, books, owner, items, hold=tx.accounts.get_all)
        ready = [_resolved(tx, accounts[item.key[0]], item) for item in ready]
    for item in ready:
        faults = judged(books.profile_rules, partial(late_faults, books, locked, owner, item.prepared, item.prepared.issue_date))
        outcome = BillingOutcome.REFUSED if faults else BillingOutcome.VALID
        reports.append(ItemReport(position=item.position, outcome=outcome, faults=tuple(faults)))
    return sorted(reports, key=lambda report: report.position)


def _resolved(tx: Transaction, account: Account, item: _Ready) -> _Ready:
    """An item with the invoice that it corrects, as it would be issued; as it is where that is not there yet: issuing it tells."""
    try:
        draft = resolve_preceding(tx, account, item.prepared.draft)
    except InvalidDocumentError:
        return item
    return item if draft is item.prepared.draft else replace(item, prepared=replace(item.prepared, draft=draft))


def _read(
    tx: Transaction,
    books: Books,
    provider: Provider,
    items: Sequence[BillingItem],
    *,
    hold: Callable[[Iterable[int]], dict[int, Account]],
) -> tuple[list[_Ready], list[ItemReport], dict[int, Account]]:
    """The items that keep every rule and nobody billed, what became of the others, and the accounts, as `hold` gets them."""
    reports: list[ItemReport] = []
    keyed = [(item, faults) for item in items for faults in [_key_faults(item.data)]]
    reports += [_refused(item.position, faults) for item, faults in keyed if faults]
    named = [(item, item.data) for item, faults in keyed if not faults and isinstance(item.data, Mapping)]
    known = tx.accounts.find_all(provider.id, dict.fromkeys(data["account"] for _, data in named))
    reports += [
        _refused(item.position, [fault("account", "account", str(no_account(provider, name)))])
        for item, data in named
        if (name := data["account"]) not in known
    ]
    keys = [(item, data, (known[data["account"]], data["period"], data["product"])) for item, data in named if data["account"] in known]
    billed = tx.invoices.billed_all(dict.fromkeys(key for _, _, key in keys))
    reports += [_billed_before(item.position, billed[key]) for item, _, key in keys if key in billed]
    keys = [entry for entry in keys if entry[2] not in billed]
    accounts = hold({account_id for _, _, (account_id, _, _) in keys})
    today = legal_date(books.clock(), provider.zone)
    ready: list[_Ready] = []
    for item, data, key in keys:
        try:
            ready.append(_Ready(item.position, key, _prepare(provider, accounts[key[0]], data, today)))
        except InvalidDocumentError as error:
            reports.append(_refused(item.position, error.faults))
    return ready, reports, accounts


def _key_faults(data: object) -> list[Fault]:
    """Why an item does not say what it bills, and to whom."""
    if not isinstance(data, Mapping) or not data:
        return [fault("type", "", "must be an object with account, period, product and a document's fields")]
    return [fault("missing", name, "is missing, or no text") for name in _KEY_FIELDS if not is_text(data.get(name), length_max=_KEY_LENGTH_MAX)]


def _prepare(provider: Provider, account: Account, data: Mapping[str, Any], today: date) -> Prepared:
    """What an item comes to; InvalidDocumentError with all its faults."""
    document = {name: value for name, value in data.items() if name not in _KEY_FIELDS}
    read = read_draft(document, currency=provider.currency, buyer=account.buyer, seller=provider.seller, today=today)
    return prepared_of(read, provider, today=today)


def issue_batch(books: Books, provider_name: str, items: Sequence[BillingItem]) -> list[ItemReport]:
    """One transaction: accounts ascending, then one range of numbers for the plain invoices, then the rest one by one."""
    with books.storage.writing(bulk=True) as tx:
        provider = find_provider(tx, provider_name)
        waiting, reports, accounts = _read(tx, books, provider, items, hold=tx.accounts.lock_all)
        kinds = {item.type_code for item in waiting}
        for series in tx.series.all(provider.id):  # by name, as all who lock several do, and before the counter is taken
            if kinds & set(series.type_codes):
                tx.series.lock(series)
        billed: dict[_Key, int] = {}
        while waiting:  # of items with one key the first that can be issued is
            firsts = {item.key: item for item in reversed(waiting)}
            waiting = [item for item in waiting if firsts[item.key] is not item]
            key_of = {item.position: key for key, item in firsts.items()}
            made = _issue_all(tx, books, provider, accounts, firsts.values())
            billed |= {key_of[report.position]: report.invoice_id for report in made if report.invoice_id is not None}
            reports += made + [_billed_before(item.position, billed[item.key]) for item in waiting if item.key in billed]
            waiting = [item for item in waiting if item.key not in billed]
    return sorted(reports, key=lambda report: report.position)


def _issue_all(tx: Transaction, books: Books, provider: Provider, accounts: dict[int, Account], items: Iterable[_Ready]) -> list[ItemReport]:
    """Issue items of different keys that nobody billed."""
    items = sorted(items, key=lambda item: item.position)
    reports: list[ItemReport] = []
    plain: dict[date | None, list[_Ready]] = defaultdict(list)
    for item in items:
        if item.type_code is TypeCode.INVOICE:
            plain[item.prepared.draft.issue_date].append(item)
    for asked in sorted(plain, key=lambda day: day or date.max):  # dates rise with numbers; without one it is today
        reports += _issue_plain(tx, books, provider, accounts, plain[asked])
    for item in items:
        if item.type_code is not TypeCode.INVOICE:
            reports.append(_issue_other(tx, books, provider, item))
            accounts[item.key[0]] = lock_account(tx, item.key[0])  # its list may have grown
    return reports


def _refused(position: int, faults: Sequence[Fault]) -> ItemReport:
    return ItemReport(position=position, outcome=BillingOutcome.REFUSED, faults=tuple(faults))


def _billed_before(position: int, invoice_id: int) -> ItemReport:
    return ItemReport(position=position, outcome=BillingOutcome.BILLED_BEFORE, invoice_id=invoice_id)


def _issue_plain(tx: Transaction, books: Books, provider: Provider, accounts: dict[int, Account], items: Sequence[_Ready]) -> list[ItemReport]:
    """Invoices of one date: one lock of the series, consecutive numbers, inserts in bulk; what is refused is, before the series moves."""
    asked = items[0].prepared.draft.issue_date
    series = tx.series.lock(series_for(tx, provider, TypeCode.INVOICE))
    if series.method is not NumberMethod.COUNTER:
        raise ConflictError("a billing run needs a counted series for its invoices")
    now_us = books.clock()
    today = legal_date(now_us, provider.zone)
    locked = locked_through(tx, provider)
    late = {item.position: late_faults(books, locked, provider, item.prepared, asked or today) for item in items}
    refused = [_refused(position, faults) for position, faults in late.items() if faults]
    items = [item for item in items if not late[item.position]]
    if not items:
        return refused
    try:
        first, issue_date, after = take(series, count=len(items), asked=asked, today=today)
        numbers = [render_number(series.template, seq=first + place, day=issue_date) for place in range(len(items))]
        use_numbers(tx, series, numbers)
    except InvalidDocumentError as error:
        return refused + [_refused(item.position, error.faults) for item in items]
    tx.series.set(after)
    taken = tx.providers.take(provider.id, ids=len(items), wire_ids=len(items), entries=len(items))
    invoices = [
        close(
            books,
            provider,
            accounts[item.key[0]],
            item.prepared,
            series=series,
            taken=taken.at(place),
            seq=first + place,
            number=numbers[place],
            issue_date=issue_date,
            now_us=now_us,
        )
        for place, item in enumerate(items)
    ]
    _write(tx, books, provider, accounts, items=items, invoices=invoices, taken=taken, now_us=now_us)
    return refused + [_report(item, invoice) for item, invoice in zip(items, invoices, strict=True)]


def _write(
    tx: Transaction,
    books: Books,
    provider: Provider,
    accounts: dict[int, Account],
    *,
    items: Sequence[_Ready],
    invoices: Sequence[Invoice],
    taken: Taken,
    now_us: int,
) -> None:
    """New invoices with all that follows from them, a kind of row at a time."""
    tx.invoices.insert(invoices)
    by_account: dict[int, list[tuple[Invoice, Standing]]] = defaultdict(list)
    for invoice in invoices:
        by_account[invoice.account_id].append((invoice, new_standing(invoice)))
    grown = publish_all(tx, books, provider, [(accounts[account_id], issued) for account_id, issued in by_account.items()])
    accounts.update({account.id: account for account in grown})
    keys = [BillingKey(period=item.key[1], product=item.key[2], recorded_at_us=now_us) for item in items]
    tx.invoices.bill(zip(invoices, keys, strict=True))
    events = [
        Event(name="invoice.issued", payload=issued_payload(invoice, [], key), account_id=invoice.account_id, subject_id=invoice.id)
        for invoice, key in zip(invoices, keys, strict=True)
    ]
    write(tx, provider_id=provider.id, taken=taken, events=events, actor=books.actor, now_us=now_us)


def _issue_other(tx: Transaction, books: Books, provider: Provider, item: _Ready) -> ItemReport:
    """A document that concerns another one; what the ledger refuses of it is its own report, the batch goes on."""
    account_id, period, product = item.key
    try:
        account = lock_account(tx, account_id)
        prepared = item.prepared
        invoice = issue_within(tx, books, provider, account, prepared.draft, prepared=prepared, key=BillingKey(period=period, product=product))
    except InvalidDocumentError as error:
        return _refused(item.position, error.faults)
    except ConflictError as error:
        return _refused(item.position, [fault("LEDGER", "", str(error))])
    return _report(item, invoice)


def _report(item: _Ready, invoice: Invoice) -> ItemReport:
    return ItemReport(position=item.position, outcome=BillingOutcome.ISSUED, invoice_id=invoice.id, number=invoice.number)
