"""Money that goes back: refunds of what is left of a payment or credit note, and payments that are reversed."""

from __future__ import annotations

from datetime import date

from faktura.domain.calendar import legal_date
from faktura.domain.errors import ConflictError, fault
from faktura.domain.payment import Refund, Reversal
from faktura.ledger.commands import get_document, lock_account, refuse
from faktura.ledger.credit import find_credit, get_payment
from faktura.ledger.journal import Event, write
from faktura.ledger.payments import refresh_source, refuse_used_up, value_faults
from faktura.ledger.ports import Books
from faktura.ledger.standing import refresh, refresh_pro_forma


def refund(
    books: Books,
    *,
    account_id: int,
    payment_id: int | None = None,
    credit_note_id: int | None = None,
    amount_minor: int | None = None,
    refunded_on: date | None = None,
    reference: str | None = None,
    is_repeated: bool = False,
) -> Refund:
    """Record money given back from what is left of a payment or of a credit note: all of it, or an amount.

    ConflictError beyond what is left; and for a reference, amount and date that are recorded already, unless `is_repeated`
    says that this is meant.
    """
    with books.storage.writing() as tx:
        account = lock_account(tx, account_id)
        provider = tx.providers.get(account.provider_id)
        now_us = books.clock()
        credit = find_credit(tx, provider, account_id=account_id, payment_id=payment_id, credit_note_id=credit_note_id)
        today = legal_date(now_us, provider.zone)
        day = refunded_on or today
        amount = credit.left_minor if amount_minor is None else amount_minor
        faults = value_faults(1 if amount_minor is None else amount, day, today, text=reference, day_path="refunded_on", text_path="reference")
        if credit.payment and day < credit.payment.paid_on:
            faults.append(fault("PAYMENT", "refunded_on", f"{day} is before the payment came, on {credit.payment.paid_on}"))
        refuse(faults)
        if reference and not is_repeated and tx.payments.is_refund_repeated(account_id, reference=reference, amount_minor=amount, refunded_on=day):
            message = f"a refund of {credit.currency.format(amount)} on {day} with the reference {reference!r} is recorded already"
            raise ConflictError(message)
        refuse_used_up(credit)
        if amount > credit.left_minor:
            message = f"{credit.label} has {credit.currency.format(credit.left_minor)} left, not {credit.currency.format(amount)}"
            raise ConflictError(message)
        taken = tx.providers.take(provider.id, ids=1, entries=1)
        made = Refund(
            id=taken.first_id,
            account_id=account.id,
            amount_minor=amount,
            payment_id=payment_id,
            credit_note_id=credit_note_id,
            refunded_on=day,
            reference=reference,
            recorded_at_us=now_us,
        )
        tx.payments.refund(made)
        refresh_source(tx, books, provider, credit.source)
        event = Event(name=f"{'payment' if credit.payment else 'credit'}.refunded", payload=made, account_id=account.id, subject_id=made.id)
        write(tx, provider_id=provider.id, taken=taken, events=[event], actor=books.actor, now_us=now_us)
    return made


def reverse_payment(books: Books, *, account_id: int, payment_id: int, reversed_on: date | None = None, reason: str) -> Reversal:
    """Record that a payment bounced or was charged back: it counts no more, and all that it settled is due again.

    The payment and its allocations stay as facts. ConflictError where it was refunded, or reversed before.
    """
    with books.storage.writing() as tx:
        account = lock_account(tx, account_id)
        provider = tx.providers.get(account.provider_id)
        now_us = books.clock()
        payment = get_payment(tx, account_id, payment_id)
        today = legal_date(now_us, provider.zone)
        day = reversed_on or today
        faults = value_faults(payment.amount_minor, day, today, text=reason, day_path="reversed_on", text_path="reason")
        if day < payment.paid_on:
            faults.append(fault("PAYMENT", "reversed_on", f"{day} is before the payment came, on {payment.paid_on}"))
        refuse(faults)
        refunded_minor = tx.payments.refunded_minor(account_id, payment_id)
        if refunded_minor:
            message = f"{payment.currency.format(refunded_minor)} of payment {payment_id} went back already: it cannot be reversed"
            raise ConflictError(message)
        taken = tx.providers.take(provider.id, ids=1, entries=1)
        made = Reversal(id=taken.first_id, account_id=account.id, payment_id=payment_id, reversed_on=day, reason=reason, recorded_at_us=now_us)
        tx.payments.reverse(made)
        for invoice_id in tx.payments.settled(account_id, payment_id):
            refresh(tx, books, provider, get_document(tx, account_id, invoice_id))
        refresh_pro_forma(tx, books, provider, account_id, payment.pro_forma_id)
        event = Event(name="payment.reversed", payload=made, account_id=account.id, subject_id=made.id)
        write(tx, provider_id=provider.id, taken=taken, events=[event], actor=books.actor, now_us=now_us)
    return made
