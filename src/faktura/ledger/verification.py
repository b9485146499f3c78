"""`faktura verify`: everything that can be recomputed is, and held against what is stored."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice

from faktura.domain.document_file import is_made_again
from faktura.domain.errors import FakturaError
from faktura.domain.invoice import Invoice, Origin, TypeCode
from faktura.domain.numbering import NumberMethod, Reset, Series
from faktura.domain.provider import Account, Provider
from faktura.ledger.accounts import IDS_PER_PROVIDER
from faktura.ledger.handing_out import file_payload
from faktura.ledger.journal import digest, issued_payload, link
from faktura.ledger.number_parts import find_fault
from faktura.ledger.plain_facts import arithmetic_faults, count_rows, find_whole
from faktura.ledger.ports import Books, Dialect, JournalEntry, SeriesPlace, Transaction
from faktura.ledger.standing import current_standing, render

_DERIVED = ("created_at_us", "wire_id", "number_folded", "paid_minor", "due_minor", "dialect_version", "item", "single")
"""Columns of a standing that follow from the facts, but for its ordinal."""

_BATCH = 500
"""Journal entries that are looked at together."""

_PROVIDER = 0
"""Stands for an account where facts are counted that belong to the provider itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something stored that is not what follows from the rest."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def verify(books: Books) -> Iterator[Finding]:
    """All findings of a ledger, in one consistent state of it; none means that it is whole.

    Recomputed are: the journal's sequence and chain, the digest of every fact it tells of and that it tells of all of
    them, totals of issued documents, continuity of every counted series, counters, and every standing with its place and bytes.
    """
    with books.storage.reading() as tx:
        foreign = tx.audit.foreign_account()
        if foreign is not None:
            yield Finding(where=f"account {foreign}", message="rows name it, but it is not there")
        unknown = tx.audit.foreign_provider()
        if unknown is not None:
            yield Finding(where=f"provider {unknown}", message="rows name it, but it is not there")
        for provider in tx.providers.all():
            accounted: dict[int, Counter[str]] = {}
            yield from _verify_journal(tx, books, provider, accounted)
            for series in tx.series.all(provider.id):
                yield from _readable(f"series {series.name} of {provider.name}", _verify_series(tx, provider, series))
            issued = sum(rows["issued"] for rows in accounted.values())
            if tx.series.used_count(provider.id) != issued:
                yield Finding(where=f"numbers of {provider.name}", message=f"{tx.series.used_count(provider.id)} were given out, {issued} documents bear one")
            yield from _verify_provider(tx, provider, accounted.get(_PROVIDER, Counter()))
            for account in tx.accounts.all(provider.id):
                yield from _verify_account(tx, account, accounted.get(account.id, Counter()))


def _verify_provider(tx: Transaction, provider: Provider, told: Counter[str]) -> Iterator[Finding]:
    """Facts of the provider itself, and what it counts on with."""
    kept = {"period_lock": tx.vat.lock_count(provider.id), "series_jump": len(tx.series.jumps(provider.id))}
    for table, count in kept.items():
        if count != told[table]:
            yield Finding(where=f"provider {provider.name}", message=f"has {count} rows of {table}; the journal tells of {told[table]}")
    low = provider.id * IDS_PER_PROVIDER
    next_id, next_wire_id, last_id, last_wire_id = tx.audit.ids(provider.id, low=low, high=low + IDS_PER_PROVIDER - 1)
    if next_id <= last_id or next_wire_id <= last_wire_id:
        yield Finding(where=f"counters of {provider.name}", message=f"go on with {next_id} and {next_wire_id}; {last_id} and {last_wire_id} are given out")


def _readable(where: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """The findings; a value that cannot even be read is one."""
    try:
        yield from findings
    except (FakturaError, ValueError, KeyError, TypeError, ArithmeticError) as error:
        yield Finding(where=where, message=f"something stored cannot be read: {error}")


def _verify_journal(tx: Transaction, books: Books, provider: Provider, accounted: dict[int, Counter[str]]) -> Iterator[Finding]:
    expected, chain = 1, bytes(32)
    entries = iter(tx.audit.journal(provider.id))
    while batch := list(islice(entries, _BATCH)):
        whole = find_whole(tx, books, provider, batch)
        for entry in batch:
            where = f"journal of {provider.name}, entry {entry.sequence}"
            if entry.sequence != expected:
                yield Finding(where=where, message=f"entry {expected} should come here")
            chain = link(chain, entry)
            if chain != entry.chain:
                yield Finding(where=where, message="its chain does not follow from the entry before and what it says")
                chain = entry.chain
            expected = entry.sequence + 1
            if entry.sequence in whole:
                count_rows(accounted.setdefault(entry.account_id or _PROVIDER, Counter()), whole[entry.sequence])
            else:
                yield from _readable(where, _verify_entry(tx, books, provider, entry, accounted))
    count, head = tx.audit.journal_head(provider.id)
    if (expected - 1, chain) != (count, head):
        yield Finding(where=f"journal of {provider.name}", message=f"ends with entry {expected - 1}; {count} were written")


def _verify_entry(tx: Transaction, books: Books, provider: Provider, entry: JournalEntry, accounted: dict[int, Counter[str]]) -> Iterator[Finding]:
    read = _READERS.get(entry.event)
    if read is None:
        return
    account_id, subject_id = _PROVIDER if entry.account_id is None else entry.account_id, entry.subject_id or 0
    rows = accounted.setdefault(account_id, Counter())
    where = f"entry {entry.sequence} of {provider.name} ({entry.event} {subject_id})"
    payload, problems = read(tx, provider, entry, rows)
    for problem in problems:
        yield Finding(where=where, message=problem)
    if payload is not None and digest(payload) != entry.digest:
        yield Finding(where=where, message="the rows it tells of are not those that were written")
    if entry.event.startswith("invoice."):
        if not tx.audit.is_canonical(account_id, subject_id):
            yield Finding(where=where, message="its rows are not as the ledger writes them")
        yield from _verify_standing(tx, books.dialects[provider.dialect], provider, account_id, subject_id)


def _issued(tx: Transaction, provider: Provider, entry: JournalEntry, rows: Counter[str]) -> tuple[object, list[str]]:
    account_id, invoice_id = entry.account_id or 0, entry.subject_id or 0
    invoice = tx.audit.written_invoice(account_id, invoice_id)
    if invoice is None:
        return None, ["the document is missing"]
    # What a credit note settled when it was issued has the id after its own; later allocations have entries of their own.
    first = tx.audit.allocation(account_id, invoice_id + 1) if invoice.type_code is TypeCode.CREDIT_NOTE else None
    allocations = [first] if first and first.credit_note_id == invoice_id else []
    _count_parts(invoice, rows)
    key, moved = tx.audit.billing_key(account_id, invoice_id), tx.invoices.moved_in(account_id, invoice_id)
    rows.update(invoice=1, issued=1, allocation=len(allocations), billing_item=int(key is not None), listing=1, moved_in=int(moved is not None))
    problems = arithmetic_faults(invoice)
    if not tx.series.is_used(provider.id, invoice.series or "", invoice.number):
        problems.append("its number is not among those given out")
    if (entry.event == "invoice.moved-in") is not (moved is not None) or (moved and key):
        problems.append("it was issued here and is kept as moved in, or the other way round")
    return issued_payload(invoice, allocations, moved or key), problems


def _recorded(tx: Transaction, provider: Provider, entry: JournalEntry, rows: Counter[str]) -> tuple[object, list[str]]:
    account_id, invoice_id = entry.account_id or 0, entry.subject_id or 0
    invoice = tx.audit.written_invoice(account_id, invoice_id)
    source_id = tx.audit.first_source(account_id, invoice_id)
    if invoice is None or source_id is None:
        return None, ["the document or its source is missing"]
    word, problems = _heard(tx, provider, replace(entry, subject_id=source_id), rows)
    _count_parts(invoice, rows)
    rows.update(invoice=1, listing=1)
    return [invoice, word], problems


def _heard(tx: Transaction, _: Provider, entry: JournalEntry, rows: Counter[str]) -> tuple[object, list[str]]:
    written = tx.audit.written_word(entry.account_id or 0, entry.subject_id or 0)
    if written is None:
        return None, ["the source is missing"]
    word, problems = written.word, []
    if hashlib.sha256(written.body).digest() != word.digest:
        problems.append("the source's bytes are not those that were heard")
    if written.recorded_at_us != (entry.recorded_at_us,):
        problems.append("its rows do not bear the instant of the entry")
    if written.observed_seen_at_us not in {None, word.seen_at_us}:
        problems.append("the observation was not seen when its source was")
    rows.update(source=1, observation=int(word.observed is not None), enrichment=len(word.added), conflict=len(word.differences))
    rows.update(invoice_line=len(word.lines or ()), vat_breakdown=len(word.vat_breakdown or ()))
    return word, problems


def _paid(tx: Transaction, _: Provider, entry: JournalEntry, rows: Counter[str]) -> tuple[object, list[str]]:
    account_id, payment_id = entry.account_id or 0, entry.subject_id or 0
    payment = tx.payments.get(account_id, payment_id)
    if payment is None:
        return None, ["the payment is missing"]
    rows.update(payment=1)
    refunded_minor = tx.payments.refunded_minor(account_id, payment_id)
    problems = []
    if tx.payments.allocated_minor(account_id, payment_id) + refunded_minor > payment.amount_minor:
        problems.append("more is allocated and refunded than was paid")
    if refunded_minor and tx.payments.reversal(account_id, payment_id):
        problems.append("it was refunded, and reversed too")
    return payment, problems


def _allocated(tx: Transaction, _: Provider, entry: JournalEntry, rows: Counter[str]) -> tuple[object, list[str]]:
    allocation = tx.audit.allocation(entry.account_id or 0, entry.subject_id or 0)
    rows.update(allocation=1)
    return allocation, [] if allocation else ["the allocation is missing"]


def _checked(tx: Transaction, _: Provider, entry: JournalEntry, rows: Counter[str]) -> tuple[object, list[str]]:
    check = tx.vat.check(entry.account_id or 0, entry.subject_id or 0)
    rows.update(vat_id_check=1)
    return check, [] if check else ["the check of a VAT id is missing"]


def _handed_out(tx: Transaction, _: Provider, entry: JournalEntry, rows: Counter[str]) -> tuple[object, list[str]]:
    file = tx.files.get(entry.account_id or 0, entry.subject_id or 0)
    if file is None:
        return None, ["the file that was handed out is missing"]
    rows.update(document_file=1)
    problems = []
    if is_made_again(file.form) is not (file.body is None) or (file.body is not None and hashlib.sha256(file.body).digest() != file.sha256):
        problems.append("the file's bytes are not those that were handed out")
    if tx.files.kept(file.account_id, file.invoice_id, file.form) != file and not is_made_again(file.form):
        problems.append("another file was handed out before it")
    return file_payload(file), problems


def _locked(tx: Transaction, provider: Provider, entry: JournalEntry, rows: Counter[str]) -> tuple[object, list[str]]:
    lock = tx.vat.lock(provider.id, entry.subject_id or 0)
    rows.update(period_lock=1)
    return lock, [] if lock else ["the period's lock is missing"]


def _jumped(tx: Transaction, provider: Provider, entry: JournalEntry, rows: Counter[str]) -> tuple[object, list[str]]:
    rows.update(series_jump=1)
    jump = next((jump for jump in tx.series.jumps(provider.id) if digest(jump) == entry.digest), None)
    return jump, [] if jump else ["the numbers left out are not those that were told"]


def _refunded(tx: Transaction, _: Provider, entry: JournalEntry, rows: Counter[str]) -> tuple[object, list[str]]:
    refund = tx.audit.refund(entry.account_id or 0, entry.subject_id or 0)
    rows.update(refund=1)
    return refund, [] if refund else ["the refund is missing"]


def _reversed(tx: Transaction, _: Provider, entry: JournalEntry, rows: Counter[str]) -> tuple[object, list[str]]:
    reversal = tx.audit.reversal(entry.account_id or 0, entry.subject_id or 0)
    rows.update(reversal=1)
    return reversal, [] if reversal else ["the reversal is missing"]


_READERS = {
    "invoice.issued": _issued,
    "invoice.moved-in": _issued,
    "invoice.recorded": _recorded,
    "source.heard": _heard,
    "payment.recorded": _paid,
    "payment.allocated": _allocated,
    "vat-id.checked": _checked,
    "period.locked": _locked,
    "document.handed-out": _handed_out,
    "series.jumped": _jumped,
    "payment.refunded": _refunded,
    "payment.reversed": _reversed,
    "credit.allocated": _allocated,
    "credit.refunded": _refunded,
}
"""How the payload of each event about facts is made again: (payload, what is wrong with its rows)."""


def _count_parts(invoice: Invoice, rows: Counter[str]) -> None:
    lines = invoice.lines or ()
    rows.update(invoice_line=len(lines), vat_breakdown=len(invoice.vat_breakdown))
    rows.update(allowance_charge=len(invoice.allowances_charges) + sum(len(line.allowances_charges) for line in lines))


def _verify_standing(tx: Transaction, dialect: Dialect, provider: Provider, account_id: int, invoice_id: int) -> Iterator[Finding]:
    where = f"standing of document {invoice_id}"
    stored, invoice = tx.audit.listing(account_id, invoice_id), tx.invoices.get(account_id, invoice_id)
    if stored is None or invoice is None:
        yield Finding(where=where, message="is missing")
        return
    standing = current_standing(tx, invoice, provider)
    fresh = render(dialect, invoice, standing, provider, ordinal=stored.ordinal)
    for name in _DERIVED:
        if getattr(stored, name) != getattr(fresh, name):
            yield Finding(where=where, message=f"{name} does not follow from the facts (`faktura migrate` renders what an older release made)")
    if (stored.ordinal is None) == dialect.lists(invoice.type_code):
        yield Finding(where=where, message="is listed and should not be, or should be and is not")
    if invoice.origin is Origin.ISSUED and standing.due_minor is not None and standing.due_minor < 0:
        yield Finding(where=where, message="more is settled than the document's total")


def _verify_series(tx: Transaction, provider: Provider, series: Series) -> Iterator[Finding]:
    """Counted numbers rise by one from the first, but for jumps that an operator made and numbers that history lacks; dates of what was issued here never fall."""
    if series.method is not NumberMethod.COUNTER:
        return
    where = f"series {series.name} of {provider.name}"
    jumps = [(jump.from_number, jump.to_number) for jump in tx.series.jumps(provider.id) if jump.name == series.name]
    expected, year, own_date, last_date = 1, date.min.year, date.min, date.min
    for place in tx.audit.series_numbers(series):
        reached = _skip(expected, place.sequence, jumps, place.missing_from)
        if reached != place.sequence and series.reset is Reset.YEAR and place.issue_date.year > year:  # or it went on, before it was set to start again
            reached = _skip(1, place.sequence, jumps, place.missing_from)
        expected = reached
        if place.sequence != expected:
            yield Finding(where=where, message=f"number {expected} should come where {place.sequence} is")
        if not place.is_moved_in and place.issue_date < own_date:
            yield Finding(where=where, message=f"number {place.sequence} bears {place.issue_date}, the one before it {own_date}")
        if not place.is_moved_in and _is_left_out(place, jumps if series.reset is Reset.NEVER else ()):  # a jump does not say its year
            yield Finding(where=where, message=f"number {place.sequence} is kept as left out, and was issued here")
        own_date = own_date if place.is_moved_in else place.issue_date
        expected, year, last_date = place.sequence + 1, place.issue_date.year, max(last_date, place.issue_date)
    expected = _skip(expected, series.next_number, jumps, None)
    if expected != series.next_number:
        yield Finding(where=where, message=f"its next number is {series.next_number}; {expected} follows from its documents")
    if (series.last_date or date.min) != last_date:
        yield Finding(where=where, message=f"its last date is {series.last_date}; its documents end with {last_date}")


def _skip(expected: int, sequence: int, jumps: Sequence[tuple[int, int]], missing_from: int | None) -> int:
    """The next number that must be there, from `expected` to `sequence`: past jumps, and past what history lacks before `sequence`."""
    while expected < sequence:
        jumped = next((end for start, end in jumps if start <= expected < end), None)
        if jumped is not None:
            expected = min(jumped, sequence)
        elif missing_from is not None and missing_from <= expected:
            expected = sequence
        else:
            break
    return expected


def _is_left_out(place: SeriesPlace, jumps: Sequence[tuple[int, int]]) -> bool:
    """Whether a number is one of those that are told not to be used."""
    jumped = any(start <= place.sequence < end for start, end in jumps)
    return jumped or (place.missing_from is not None and place.missing_from <= place.sequence)


def _verify_account(tx: Transaction, account: Account, accounted: Counter[str]) -> Iterator[Finding]:
    where = f"account {account.reference}"
    stored = tx.audit.counts(account.id)
    for table, count in stored.items():
        if count != accounted[table]:
            yield Finding(where=where, message=f"has {count} rows of {table}; the journal tells of {accounted[table]}")
    listed, first, last = tx.audit.ordinals(account.id)
    empty = listed == 0 and account.listed_total == 0
    if not empty and (listed, first, last) != (account.listed_total, account.first_ordinal, account.last_ordinal):
        yield Finding(where=where, message="its list has a hole, or its ends are not those of its documents")
    disorder = tx.audit.disorder(account.id)
    if disorder is not None:
        yield Finding(where=where, message=f"document {disorder} is listed before an older one")
    fault = find_fault(tx, account)
    if fault is not None:
        yield Finding(where=where, message=fault)
