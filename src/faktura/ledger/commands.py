"""Issue and credit. Lock order: accounts ascending, series, counter; after the numbers are taken only inserts follow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from faktura.domain.calendar import legal_date
from faktura.domain.credit_note import credit_draft, credited_amount, credited_vat_faults, tax_country_of
from faktura.domain.draft import Read
from faktura.domain.errors import ConflictError, Fault, InvalidDocumentError, NotFoundError, fault
from faktura.domain.invoice import AllowanceCharge, Draft, Invoice, InvoiceLine, Origin, PrecedingInvoice, Totals, TypeCode
from faktura.domain.numbering import NumberMethod, Series, render_number, take
from faktura.domain.payment import Allocation
from faktura.domain.period import locked_faults
from faktura.domain.provider import Account, Provider
from faktura.domain.rules import check
from faktura.domain.totals import compute
from faktura.domain.vat import VatKey
from faktura.domain.vat_decision import Supply, infer_tax_country
from faktura.ledger.journal import Event, issued_payload, write
from faktura.ledger.periods import locked_through
from faktura.ledger.ports import BillingKey, Books, Taken, Transaction
from faktura.ledger.profile_rules import judged
from faktura.ledger.standing import current_standing, new_standing, publish_all, refresh


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A draft that keeps every rule, before it takes a number."""

    draft: Draft
    lines: tuple[InvoiceLine, ...]
    allowances_charges: tuple[AllowanceCharge, ...]
    totals: Totals
    issue_date: date
    """The day for which it was checked; it may be another once the series is locked."""
    tax_country: str | None
    """Whose VAT it charges: as the draft names it, or as it follows."""


def issue(books: Books, *, account_id: int, draft: Draft) -> Invoice:
    """Issue a document: check it, take its number and date together, close it.

    Raises InvalidDocumentError with every fault; then nothing is written and no number is taken.
    """

    def step() -> Invoice:
        with books.storage.writing() as tx:
            account = lock_account(tx, account_id)
            provider = tx.providers.get(account.provider_id)
            return issue_within(tx, books, provider, account, draft)

    return judged(books.profile_rules, step)


def credit(books: Books, *, account_id: int, invoice_id: int, quantities: dict[int, Decimal] | None = None, note: str | None = None) -> Invoice:
    """Issue a credit note for all of an issued document, or for so much of its lines (numbered from 1).

    It settles what the document still has due; what is over is credit of the account. All credit notes of a document
    together stay within its total, but for the cents that rounding parts makes: ConflictError.
    """
    with books.storage.writing() as tx:
        account = lock_account(tx, account_id)
        provider = tx.providers.get(account.provider_id)
        corrected = get_document(tx, account_id, invoice_id)
        return issue_within(tx, books, provider, account, credit_draft(corrected, quantities=quantities, note=note))


def issue_within(
    tx: Transaction,
    books: Books,
    provider: Provider,
    account: Account,
    draft: Draft,
    *,
    prepared: Prepared | None = None,
    key: BillingKey | None = None,
) -> Invoice:
    """Issue inside a running transaction, which holds the account's lock; `key` says what a billing run bills by it.

    `prepared` is what the draft comes to, where that is known.
    """
    draft = resolve_preceding(tx, account, draft)
    prepared = replace(prepared, draft=draft) if prepared else prepare(draft, provider, today=legal_date(books.clock(), provider.zone))
    corrected = _corrected(tx, account, draft)
    if corrected:
        prepared = replace(prepared, tax_country=_corrected_country(corrected, draft) or prepared.tax_country)
    settles_minor = _settled_by_credit(tx, provider, corrected, prepared) if corrected else 0
    series = series_for(tx, provider, draft.type_code)
    seq, number, issue_date, now_us = _take_number(tx, books, provider, series, prepared)
    # A credit note's next id is that of what it settles now, even where that is nothing: no later allocation is taken for it.
    taken = tx.providers.take(provider.id, ids=2 if draft.type_code is TypeCode.CREDIT_NOTE else 1, wire_ids=1, entries=1)
    invoice = close(books, provider, account, prepared, series=series, taken=taken, seq=seq, number=number, issue_date=issue_date, now_us=now_us)
    tx.invoices.insert([invoice])
    allocation = None
    if corrected and settles_minor:
        allocation = Allocation(
            id=taken.first_id + 1,
            account_id=account.id,
            invoice_id=corrected.id,
            amount_minor=settles_minor,
            credit_note_id=invoice.id,
            allocated_on=issue_date,
            recorded_at_us=now_us,
        )
        tx.payments.allocate([allocation])
        refresh(tx, books, provider, corrected)
    standing = current_standing(tx, invoice, provider) if allocation else new_standing(invoice)
    publish_all(tx, books, provider, [(account, [(invoice, standing)])])
    if key:
        key = replace(key, recorded_at_us=now_us)
        tx.invoices.bill([(invoice, key)])
    payload = issued_payload(invoice, [allocation] if allocation else [], key)
    event = Event(name="invoice.issued", payload=payload, account_id=account.id, subject_id=invoice.id)
    write(tx, provider_id=provider.id, taken=taken, events=[event], actor=books.actor, now_us=now_us)
    return invoice


def prepare(draft: Draft, provider: Provider, *, today: date) -> Prepared:
    """Totals of a draft that keeps every rule; InvalidDocumentError with all that it breaks."""
    lines, items, totals = compute(
        lines=draft.lines,
        allowances_charges=draft.allowances_charges,
        price_basis=draft.price_basis,
        exemption_reasons=dict(draft.exemption_reasons),
    )
    refuse(check(draft, seller=provider.seller, totals=totals, issue_date=today))
    return prepared_of(Read(draft, lines, items, totals), provider, today=today)


def prepared_of(read: Read, provider: Provider, *, today: date) -> Prepared:
    """A draft that was read for the provider on this day, and keeps every rule."""
    draft, lines, items, totals = read
    issue_date = draft.issue_date or today
    country = draft.tax_country
    if country is None:
        supply = Supply(seller=provider.seller, buyer=draft.buyer, day=draft.tax_point_date or issue_date)
        country = infer_tax_country(supply, [VatKey(group.category, group.rate) for group in totals.vat_breakdown])
    return Prepared(draft=draft, lines=lines, allowances_charges=items, totals=totals, issue_date=issue_date, tax_country=country)


def late_faults(books: Books, locked_through: date | None, provider: Provider, prepared: Prepared, issue_date: date) -> list[Fault]:
    """What is told right before a number is taken: that the period is open, that the rules still hold if it is another day by now, and the profile's terms.

    A document prepared before midnight and numbered after it must bear the VAT of the new day.
    """
    draft = prepared.draft
    faults = locked_faults(locked_through, issue_date=issue_date, tax_point_date=draft.tax_point_date)
    if issue_date != prepared.issue_date:
        faults += check(replace(draft, issue_date=issue_date), seller=provider.seller, totals=prepared.totals)
    return faults + profile_faults(books, provider, prepared, issue_date)


def profile_faults(books: Books, provider: Provider, prepared: Prepared, issue_date: date) -> list[Fault]:
    """What the provider's e-invoice profile asks for and the document lacks: found before a number is taken.

    Nothing of a pro-forma, which is no invoice; nor of a credit note, whose parties are those of the invoice that it corrects: the law wants the correction.
    """
    profile, draft = provider.e_invoice_profile, prepared.draft
    if profile is None or draft.type_code in {TypeCode.PRO_FORMA, TypeCode.CREDIT_NOTE}:
        return []
    account = Account(id=0, provider_id=provider.id, reference="", buyer=draft.buyer, first_ordinal=0, last_ordinal=0, revision=0)
    series = Series(provider_id=provider.id, name="", type_codes=(draft.type_code,), method=NumberMethod.COUNTER, template="{seq}")
    taken = Taken(0, 0, 0, b"")
    invoice = close(books, provider, account, prepared, series=series, taken=taken, seq=1, number="1", issue_date=issue_date, now_us=books.clock())
    return books.profile_rules.faults(invoice, profile)


def resolve_preceding(tx: Transaction, account: Account, draft: Draft) -> Draft:
    """A correction names its invoice by number; find it in the account."""
    named = draft.preceding_invoice
    if named is None or named.invoice_id is not None:
        return draft
    found = [item for item in tx.invoices.by_number(account.id, named.number) if item.type_code in {TypeCode.INVOICE, TypeCode.DEBIT_NOTE}]
    if len(found) != 1:
        message = f"the account has no invoice {named.number}" if not found else f"the account has several documents {named.number}"
        raise InvalidDocumentError([fault("BR-55", "preceding_invoice", message)])
    return replace(draft, preceding_invoice=PrecedingInvoice(number=named.number, issue_date=found[0].issue_date, invoice_id=found[0].id))


def _corrected(tx: Transaction, account: Account, draft: Draft) -> Invoice | None:
    if draft.type_code is not TypeCode.CREDIT_NOTE or draft.preceding_invoice is None or draft.preceding_invoice.invoice_id is None:
        return None
    corrected = get_document(tx, account.id, draft.preceding_invoice.invoice_id)
    if corrected.currency != draft.currency:
        message = f"{corrected.number} is in {corrected.currency.code}, its credit note in {draft.currency.code}"
        raise InvalidDocumentError([fault("BR-5", "currency", message)])
    if corrected.origin is Origin.RECORDED and tx.sources.observed(corrected.account_id, corrected.id) is not None:
        message = f"document {corrected.number} was recorded with its payments: its source keeps them, and corrects it"
        raise ConflictError(message)
    return corrected


def _corrected_country(corrected: Invoice, draft: Draft) -> str | None:
    """A credit note takes back the VAT of the country that was charged, whatever would be decided today."""
    country = tax_country_of(corrected)
    if country and draft.tax_country not in {None, country}:
        message = f"{corrected.number} charges the VAT of {country}, and so does its credit note; {draft.tax_country} is named"
        raise InvalidDocumentError([fault("TAX-COUNTRY", "tax_country", message)])
    return country


def _settled_by_credit(tx: Transaction, provider: Provider, corrected: Invoice, prepared: Prepared) -> int:
    """How much of what it corrects a credit note settles; ConflictError beyond the document's total, InvalidDocumentError beyond its VAT."""
    if corrected.total_with_vat_minor is None:
        return 0
    totals = prepared.totals
    left = corrected.total_with_vat_minor - tx.invoices.credited_minor(corrected.account_id, corrected.id)
    # Parts are rounded line by line and group by group: together they may make a few cents more than the whole.
    rounding = len(corrected.lines or ()) + len(corrected.vat_breakdown) if totals.total_with_vat_minor < corrected.total_with_vat_minor else 0
    if totals.total_with_vat_minor > left + rounding:
        money = corrected.currency
        message = f"invoice {corrected.number} has {money.format(left)} left to credit, not {money.format(totals.total_with_vat_minor)}"
        raise ConflictError(message)
    if not prepared.draft.override_reason:
        credited: dict[VatKey, int] = defaultdict(int)
        for group in tx.invoices.credited_vat(corrected.account_id, corrected.id):
            credited[VatKey(group.category, group.rate)] += credited_amount(corrected, group)
        refuse(credited_vat_faults(corrected, totals, credited, rounding_minor=rounding))
    due = current_standing(tx, corrected, provider).due_minor
    return max(0, min(totals.total_with_vat_minor, due or 0))


def _take_number(tx: Transaction, books: Books, provider: Provider, series: Series, prepared: Prepared) -> tuple[int, str, date, int]:
    """Place in the series, number and date together, under the series' lock, and the instant of issue.

    The clock is read only once the lock is held, so who waited over midnight gets the day on which the number was taken.
    Whatever is refused is refused before the series moves: a caller who goes on after a refusal leaves no gap.
    """
    order_id = _order_seq(series, prepared.draft)
    locked = tx.series.lock(series)
    now_us = books.clock()
    first, issue_date, after = take(locked, count=0 if order_id else 1, asked=prepared.draft.issue_date, today=legal_date(now_us, provider.zone))
    refuse(late_faults(books, locked_through(tx, provider), provider, prepared, issue_date))
    seq = order_id or first
    number = render_number(locked.template, seq=seq, day=issue_date)
    use_numbers(tx, locked, [number])
    tx.series.set(after)
    return seq, number, issue_date, now_us


def _order_seq(series: Series, draft: Draft) -> int:
    """The number of a document in a series numbered by orders; 0 where the series counts."""
    if series.method is NumberMethod.COUNTER:
        return 0
    if not draft.order_ids:
        raise InvalidDocumentError([fault("ORDER-NUMBER", "order_ids", f"series {series.name} is numbered by orders: name at least one")])
    return min(draft.order_ids)


def close(
    books: Books,
    provider: Provider,
    account: Account,
    prepared: Prepared,
    *,
    series: Series,
    taken: Taken,
    seq: int,
    number: str,
    issue_date: date,
    now_us: int,
) -> Invoice:
    """The issued document: a copy of all it shows."""
    draft, totals = prepared.draft, prepared.totals
    return Invoice(
        id=taken.first_id,
        account_id=account.id,
        wire_id=taken.first_wire_id,
        origin=Origin.ISSUED,
        type_code=draft.type_code,
        number=number,
        series=series.name,
        series_sequence=seq,
        created_at_us=books.dialects[provider.dialect].created_at(now_us, issue_date, provider.zone),
        issue_date=issue_date,
        currency=draft.currency,
        recorded_at_us=now_us,
        price_basis=draft.price_basis,
        seller=provider.seller,
        buyer=draft.buyer,
        due_date=draft.due_date,
        tax_point_date=draft.tax_point_date,
        period=draft.period,
        line_total_minor=totals.line_total_minor,
        allowance_total_minor=totals.allowance_total_minor,
        charge_total_minor=totals.charge_total_minor,
        total_without_vat_minor=totals.total_without_vat_minor,
        vat_total_minor=totals.vat_total_minor,
        total_with_vat_minor=totals.total_with_vat_minor,
        vat_breakdown=totals.vat_breakdown,
        lines=prepared.lines,
        allowances_charges=prepared.allowances_charges,
        preceding_invoice=draft.preceding_invoice,
        order_ids=draft.order_ids,
        note=draft.note,
        payment_terms=draft.payment_terms,
        override_reason=draft.override_reason,
        tax_country=prepared.tax_country,
        pro_forma_id=draft.pro_forma_id,
    )


def use_numbers(tx: Transaction, series: Series, numbers: Sequence[str]) -> None:
    """Give out numbers; InvalidDocumentError for one that the series gave out before: then nothing may be issued."""
    again = tx.series.use(series, numbers)
    if again is not None:
        message = f"series {series.name} has given out the number {again} already; a number is never used twice"
        raise InvalidDocumentError([fault("NUMBER-USED", "number", message)])


def series_for(tx: Transaction, provider: Provider, type_code: TypeCode) -> Series:
    """The provider's series for a type of document."""
    for series in tx.series.all(provider.id):
        if type_code in series.type_codes:
            return series
    message = f"provider {provider.name!r} has no number series for a {type_code.label}"
    raise InvalidDocumentError([fault("SERIES", "type_code", message)])


def lock_account(tx: Transaction, account_id: int) -> Account:
    """The account, locked until the transaction ends; NotFoundError where there is none."""
    account = tx.accounts.lock(account_id)
    if account is None:
        message = f"there is no account {account_id}"
        raise NotFoundError(message)
    return account


def get_document(tx: Transaction, account_id: int, invoice_id: int) -> Invoice:
    """The account's document; NotFoundError where there is none."""
    invoice = tx.invoices.get(account_id, invoice_id)
    if invoice is None:
        message = f"there is no document {invoice_id} in this account"
        raise NotFoundError(message)
    return invoice


def refuse(faults: list[Fault]) -> None:
    """InvalidDocumentError with all faults, if there are any."""
    if faults:
        raise InvalidDocumentError(faults)
