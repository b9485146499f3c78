"""Moving in, before anything is written: what would become of each line of a provider's history, with all its faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from faktura.domain.calendar import midnight
from faktura.domain.errors import Fault, InvalidDocumentError, fault
from faktura.domain.invoice import Invoice, Origin, TypeCode
from faktura.domain.money import Currency
from faktura.domain.numbering import NumberMethod, Series, period
from faktura.domain.past import PastDocument, PastPayment, parse_past
from faktura.domain.provider import REFERENCE_LENGTH_MAX, Account, Provider
from faktura.domain.text import is_number_text, is_text, shown
from faktura.domain.vat import VatKey
from faktura.domain.vat_decision import Supply, infer_tax_country
from faktura.ledger.commands import Prepared, close
from faktura.ledger.periods import period_faults
from faktura.ledger.ports import Books, Taken, Transaction

CORRECTED = frozenset({TypeCode.INVOICE, TypeCode.DEBIT_NOTE})

Place = tuple[int, int]
"""(year, or 0 where the series never starts again; number in it): what the places of a series are ordered by."""


class PastOutcome(StrEnum):
    """What became of a line."""

    MOVED_IN = "moved-in"
    VALID = "valid"
    """Nothing is wrong with it, and nothing was written."""
    KNOWN = "known"
    """The ledger has this very document."""
    DUPLICATE = "duplicate"
    """An earlier line is the same."""
    CONFLICT = "conflict"
    """The ledger has another document of that number; it stays as it is."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastLine:
    """One document of history as its user wrote it."""

    source: int
    """Which file."""
    position: int
    """Line of the file."""
    data: object


@dataclass(frozen=True, slots=True, kw_only=True)
class PastReport:
    """What became of one line."""

    source: int
    position: int
    outcome: PastOutcome
    number: str | None = None
    invoice_id: int | None = None
    faults: tuple[Fault, ...] = ()
    differences: tuple[str, ...] = ()
    """Terms that contradict the known document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A line's report and, where it can be moved in, its document."""

    report: PastReport
    document: PastDocument | None = None
    corrects: bool = False
    """It names an invoice that the ledger has not: it must come in before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the lines of an import are examined against, besides the ledger."""

    series: Mapping[str, Series]
    own: Mapping[str, Place | None]
    """By series: the first place that was given out here."""
    create_accounts: bool
    pending: MutableMapping[tuple[str, str], Currency] | None = None
    """Invoices of the batch that is being written, (account, number); None where lines are only examined."""


def place_of(document: PastDocument) -> Place:
    """Where a document stands in its series."""
    return period(document.series, document.issue_date), document.seq


def open_history(tx: Transaction, provider: Provider, *, create_accounts: bool) -> History:
    """The provider's series as they are now."""
    series = {item.name: item for item in tx.series.all(provider.id)}
    return History(series=series, own={name: first_own(tx, item) for name, item in series.items()}, create_accounts=create_accounts)


def examine(tx: Transaction, books: Books, provider: Provider, history: History, line: PastLine) -> Examined:
    """What would become of a line, with all its faults; nothing is written."""
    data = line.data if isinstance(line.data, Mapping) else {}
    number = str(data["number"]) if is_number_text(data.get("number")) else None
    reference = reference_of(line)
    account = None if reference is None else tx.accounts.find(provider.id, reference)
    found = tx.invoices.by_number(account.id, number) if account and number else []
    kept = {item.series: item for item in found if item.origin is Origin.ISSUED}
    likely = next(iter(kept.values()), None)
    buyer = (likely.buyer if likely else None) or (account.buyer if account else None)
    seller = (likely.seller if likely else None) or provider.seller
    try:
        document = parse_past(line.data, provider=provider, series=list(history.series.values()), buyer=buyer, seller=seller, now_us=books.clock())
    except InvalidDocumentError as error:
        if account is not None or history.create_accounts or reference is None:
            return _refused(line, error.faults, number)
        # Of an account that is not there nobody knows the buyer: that is no other mistake.
        return _refused(line, [_no_account(provider, reference), *(found for found in error.faults if found.rule != "BR-7")], number)
    known = kept.get(document.series.name)
    if known is not None:
        differences = tuple(_differences(tx, books, provider, known, document))
        outcome = PastOutcome.CONFLICT if differences else PastOutcome.KNOWN
        return Examined(report=to_report(line, outcome, document.number, known.id, differences=differences))
    if tx.series.is_used(provider.id, document.series.name, document.number):
        return Examined(report=to_report(line, PastOutcome.CONFLICT, document.number, differences=("account",)))
    faults, corrects = _ledger_faults(tx, provider, history, account, document)
    if faults:
        return _refused(line, faults, number)
    return Examined(report=to_report(line, PastOutcome.VALID, document.number), document=document, corrects=corrects)


def _ledger_faults(tx: Transaction, provider: Provider, history: History, account: Account | None, document: PastDocument) -> tuple[list[Fault], bool]:
    """What the ledger has against a new document, and whether it corrects an invoice that is not there yet."""
    faults = period_faults(tx, provider, issue_date=document.issue_date, tax_point_date=document.draft.tax_point_date)
    if account is None and not history.create_accounts:
        faults.append(_no_account(provider, document.account))
    first = history.own.get(document.series.name)
    if document.series.method is NumberMethod.COUNTER and first is not None and place_of(document) >= first:
        message = f"series {document.series.name} has issued documents here from {first[1]} on: only numbers before that can still move in"
        faults.append(fault("SERIES", "number", message))
    if account and document.wire_id is not None:
        other = tx.invoices.by_wire_id(account.id, document.wire_id)
        if other is not None:
            faults.append(fault("WIRE-ID", "wire_id", f"document {other.number} has the id {document.wire_id}"))
    named = document.draft.preceding_invoice
    if named is None:
        return faults, False
    found = find_corrected(tx, account, named.number) if account else []
    currencies = [item.currency for item in found]
    if history.pending is not None and (document.account, named.number) in history.pending:
        currencies.append(history.pending[document.account, named.number])
    if not currencies and history.pending is None:
        return faults, True
    has_reason = document.draft.override_reason is not None
    return faults + preceding_faults(named.number, document.draft.currency, currencies, has_reason=has_reason), False


def _no_account(provider: Provider, reference: str) -> Fault:
    return fault("account", "account", f"provider {provider.name!r} has no account {shown(reference)} (--create-accounts makes it)")


def preceding_faults(number: str, currency: Currency, found: Sequence[Currency], *, has_reason: bool) -> list[Fault]:
    """What is wrong with the invoice that a correction names; `found` are the currencies of the invoices of that number before it."""
    if len(found) > 1:
        return [fault("BR-55", "preceding_invoice", f"the account has several documents {number}")]
    if not found and not has_reason:
        message = f"the account has no invoice {number} before this one; where it is not to be found, give an override_reason"
        return [fault("BR-55", "preceding_invoice", message)]
    if found and found[0] != currency:
        return [fault("BR-5", "currency", f"{number} is in {found[0].code}, what corrects it in {currency.code}")]
    return []


def find_corrected(tx: Transaction, account: Account, number: str) -> list[Invoice]:
    """The issued invoices and debit notes of a number: what a correction can name."""
    return [item for item in tx.invoices.by_number(account.id, number) if item.origin is Origin.ISSUED and item.type_code in CORRECTED]


def _differences(tx: Transaction, books: Books, provider: Provider, known: Invoice, document: PastDocument) -> Iterator[str]:
    """The terms in which a line contradicts the document that the ledger has. What the line leaves open is no contradiction."""
    moved = tx.invoices.moved_in(known.account_id, known.id)
    account = tx.accounts.get(known.account_id)
    if account is None:
        raise AssertionError("the document's account is there")
    made = close_past(books, provider, account, document, taken=Taken(known.id, known.wire_id, 0, b""), now_us=known.recorded_at_us)
    if document.created_at_us is None:
        made = replace(made, created_at_us=known.created_at_us)
    if document.draft.tax_country is None:
        made = replace(made, tax_country=known.tax_country)
    made = replace(made, preceding_invoice=known.preceding_invoice, pro_forma_id=known.pro_forma_id)
    yield from (item.name for item in fields(Invoice) if getattr(made, item.name) != getattr(known, item.name))
    named, kept = document.draft.preceding_invoice, known.preceding_invoice
    if (named.number if named else None) != (kept.number if kept else None):
        yield "preceding_invoice"
    if moved is not None and _payments_of(tx, known, moved.payment_count) != document.payments:
        yield "payments"


def _payments_of(tx: Transaction, invoice: Invoice, count: int) -> tuple[PastPayment, ...]:
    found = [tx.payments.get(invoice.account_id, invoice.id + place) for place in range(1, count + 1)]
    return tuple(PastPayment(amount_minor=item.amount_minor, paid_on=item.paid_on, reference=item.reference) for item in found if item)


def close_past(books: Books, provider: Provider, account: Account, document: PastDocument, *, taken: Taken, now_us: int) -> Invoice:
    """The closed document: as if it had been issued here on its day, but for what it brings itself."""
    draft = document.draft
    supply = Supply(seller=document.seller, buyer=draft.buyer, day=draft.tax_point_date or document.issue_date)
    prepared = Prepared(
        draft=draft,
        lines=document.lines,
        allowances_charges=document.allowances_charges,
        totals=document.totals,
        issue_date=document.issue_date,
        tax_country=draft.tax_country or infer_tax_country(supply, [VatKey(group.category, group.rate) for group in document.totals.vat_breakdown]),
    )
    invoice = close(
        books,
        provider,
        account,
        prepared,
        series=document.series,
        taken=taken,
        seq=document.seq,
        number=document.number,
        issue_date=document.issue_date,
        now_us=now_us,
    )
    created_at_us = document.created_at_us
    if created_at_us is None:
        created_at_us = books.dialects[provider.dialect].created_at(midnight(document.issue_date, provider.zone), document.issue_date, provider.zone)
    return replace(invoice, seller=document.seller, wire_id=document.wire_id or taken.first_wire_id, created_at_us=created_at_us)


def first_own(tx: Transaction, series: Series) -> Place | None:
    """The first place of a series that was given out here."""
    found = tx.series.first_own(series)
    return None if found is None else (period(series, found[1]), found[0])


def to_report(
    line: PastLine, outcome: PastOutcome, number: str | None = None, invoice_id: int | None = None, *, differences: tuple[str, ...] = ()
) -> PastReport:
    """What became of a line, without faults."""
    return PastReport(source=line.source, position=line.position, outcome=outcome, number=number, invoice_id=invoice_id, differences=differences)


def reference_of(line: PastLine) -> str | None:
    """The account that a line names; None where it names none that could be."""
    reference = line.data.get("account") if isinstance(line.data, Mapping) else None
    return str(reference) if is_text(reference, length_max=REFERENCE_LENGTH_MAX) else None


def _refused(line: PastLine, faults: Sequence[Fault], number: str | None) -> Examined:
    return Examined(report=replace(to_report(line, PastOutcome.REFUSED, number), faults=tuple(faults)))
