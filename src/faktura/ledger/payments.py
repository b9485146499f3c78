"""Payments: money comes from an account, settles documents now or later, and what is over is the account's credit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from faktura.domain.calendar import legal_date
from faktura.domain.errors import ConflictError, Fault, NotFoundError, fault
from faktura.domain.invoice import Invoice, Origin
from faktura.domain.money import AMOUNT_MINOR_MAX, Currency
from faktura.domain.payment import Allocation, Payment, allocate
from faktura.domain.provider import Provider
from faktura.domain.text import is_text
from faktura.ledger.commands import get_document, lock_account, refuse
from faktura.ledger.journal import Event, write
from faktura.ledger.ports import Books, Transaction
from faktura.ledger.standing import current_standing, is_owed, refresh

REFERENCE_LENGTH_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentResult:
    """A payment, what it settled just now, and what of it is credit of the account."""

    payment: Payment
    allocations: tuple[Allocation, ...]
    credit_minor: int


def pay(
    books: Books,
    *,
    account_id: int,
    amount_minor: int,
    currency: Currency,
    paid_on: date | None = None,
    invoice_ids: Sequence[int] = (),
    reference: str | None = None,
    is_repeated: bool = False,
) -> PaymentResult:
    """Take a payment and settle documents with it, in the order given; without documents it waits as credit.

    ConflictError for a reference, amount and date that are recorded already, unless `is_repeated` says that this is meant:
    a script that runs twice must not pay twice.
    """
    with books.storage.writing() as tx:
        account = lock_account(tx, account_id)
        provider = tx.providers.get(account.provider_id)
        now_us = books.clock()
        today = legal_date(now_us, provider.zone)
        day = paid_on or today
        invoices = [get_document(tx, account_id, invoice_id) for invoice_id in dict.fromkeys(invoice_ids)]
        refuse(_payment_faults(amount_minor, day, today, reference) + _target_faults(currency, invoices))
        if reference and not is_repeated and tx.payments.is_repeated(account_id, reference=reference, amount_minor=amount_minor, paid_on=day):
            message = f"a payment of {currency.format(amount_minor)} on {day} with the reference {reference!r} is recorded already"
            raise ConflictError(message)
        parts = _parts(tx, provider, amount_minor, invoices)
        taken = tx.providers.take(provider.id, ids=1 + len(parts), entries=1 + len(parts))
        payment = Payment(
            id=taken.first_id,
            account_id=account.id,
            amount_minor=amount_minor,
            currency=currency,
            paid_on=day,
            reference=reference,
            recorded_at_us=now_us,
        )
        tx.payments.insert(payment)
        allocations = _allocate(tx, books, provider, payment, parts, first_id=taken.first_id + 1, day=day, now_us=now_us)
        events = [Event(name="payment.recorded", payload=payment, account_id=account.id, subject_id=payment.id), *_allocated(allocations)]
        write(tx, provider_id=provider.id, taken=taken, events=events, actor=books.actor, now_us=now_us)
    return PaymentResult(payment=payment, allocations=allocations, credit_minor=amount_minor - sum(part for _, part in parts))


def allocate_credit(books: Books, *, account_id: int, payment_id: int, invoice_ids: Sequence[int]) -> PaymentResult:
    """Settle documents with what is left of an earlier payment; ConflictError when nothing is."""
    with books.storage.writing() as tx:
        account = lock_account(tx, account_id)
        provider = tx.providers.get(account.provider_id)
        now_us = books.clock()
        payment = tx.payments.get(account_id, payment_id)
        if payment is None:
            message = f"there is no payment {payment_id} in this account"
            raise NotFoundError(message)
        left = payment.amount_minor - tx.payments.allocated_minor(account_id, payment_id)
        invoices = [get_document(tx, account_id, invoice_id) for invoice_id in dict.fromkeys(invoice_ids)]
        refuse(_target_faults(payment.currency, invoices))
        if not left:
            message = f"payment {payment_id} is used up"
            raise ConflictError(message)
        parts = _parts(tx, provider, left, invoices)
        taken = tx.providers.take(provider.id, ids=len(parts), entries=len(parts))
        day = legal_date(now_us, provider.zone)
        allocations = _allocate(tx, books, provider, payment, parts, first_id=taken.first_id, day=day, now_us=now_us)
        write(tx, provider_id=provider.id, taken=taken, events=_allocated(allocations), actor=books.actor, now_us=now_us)
    return PaymentResult(payment=payment, allocations=allocations, credit_minor=left - sum(part for _, part in parts))


def _parts(tx: Transaction, provider: Provider, available_minor: int, invoices: Sequence[Invoice]) -> list[tuple[Invoice, int]]:
    """What of an amount settles which document; ConflictError when documents are named and none is due."""
    shares = allocate(available_minor, [_due(tx, provider, invoice) for invoice in invoices])
    parts = [(invoice, share) for invoice, share in zip(invoices, shares, strict=True) if share]
    if invoices and not parts:
        message = f"{', '.join(invoice.number for invoice in invoices)}: nothing is due"
        raise ConflictError(message)
    return parts


def _allocate(
    tx: Transaction,
    books: Books,
    provider: Provider,
    payment: Payment,
    parts: Sequence[tuple[Invoice, int]],
    *,
    first_id: int,
    day: date,
    now_us: int,
) -> tuple[Allocation, ...]:
    allocations = tuple(
        Allocation(
            id=first_id + place,
            account_id=payment.account_id,
            invoice_id=invoice.id,
            amount_minor=share,
            payment_id=payment.id,
            allocated_on=day,
            recorded_at_us=now_us,
        )
        for place, (invoice, share) in enumerate(parts)
    )
    tx.payments.allocate(allocations)
    for invoice, _ in parts:
        refresh(tx, books, provider, invoice)
    return allocations


def _allocated(allocations: Sequence[Allocation]) -> list[Event]:
    return [Event(name="payment.allocated", payload=item, account_id=item.account_id, subject_id=item.id) for item in allocations]


def _payment_faults(amount_minor: int, day: date, today: date, reference: str | None) -> list[Fault]:
    faults = []
    if not 0 < amount_minor <= AMOUNT_MINOR_MAX:
        faults.append(fault("PAYMENT", "amount", "a payment is more than nothing, and no larger than any amount faktura keeps"))
    if day > today:
        faults.append(fault("PAYMENT", "paid_on", f"{day} is in the future, today is {today}"))
    if reference is not None and not is_text(reference, length_max=REFERENCE_LENGTH_MAX):
        faults.append(fault("PAYMENT", "reference", f"must be a text of 1 to {REFERENCE_LENGTH_MAX} characters"))
    return faults


def _target_faults(currency: Currency, invoices: Sequence[Invoice]) -> list[Fault]:
    faults = []
    for invoice in invoices:
        if invoice.currency != currency:
            faults.append(fault("PAYMENT", "currency", f"{invoice.number} is in {invoice.currency.code}, the payment in {currency.code}"))
        if not is_owed(invoice.type_code) or invoice.sign < 0:
            label = invoice.type_code.label if invoice.type_code else "document"
            faults.append(fault("PAYMENT", "invoice", f"{invoice.number} is a {label}, on which nothing is owed"))
    return faults


def _due(tx: Transaction, provider: Provider, invoice: Invoice) -> int:
    """What a payment may settle of a document; ConflictError where its source keeps the payments."""
    if invoice.origin is Origin.RECORDED and tx.sources.observed(invoice.account_id, invoice.id) is not None:
        message = f"document {invoice.number} was recorded with its payments: its source keeps them"
        raise ConflictError(message)
    due = current_standing(tx, invoice, provider).due_minor
    return (invoice.total_with_vat_minor or 0) if due is None else due
