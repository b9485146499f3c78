"""Credit of an account: what is left of its payments and credit notes, to settle documents with or to give back."""

from __future__ import annotations

from dataclasses import dataclass

from faktura.domain.errors import ConflictError, InvalidDocumentError, NotFoundError, fault
from faktura.domain.invoice import Invoice, Origin, TypeCode
from faktura.domain.money import Currency
from faktura.domain.payment import Payment
from faktura.domain.provider import Provider
from faktura.ledger.commands import get_document
from faktura.ledger.ports import Transaction
from faktura.ledger.standing import current_standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """A payment or a credit note, and what is left of it: neither allocated nor refunded."""

    source: Payment | Invoice
    left_minor: int

    @property
    def payment(self) -> Payment | None:
        """The payment, if it is one."""
        return self.source if isinstance(self.source, Payment) else None

    @property
    def credit_note(self) -> Invoice | None:
        """The credit note, if it is one."""
        return self.source if isinstance(self.source, Invoice) else None

    @property
    def currency(self) -> Currency:
        """Of the source; money of it settles documents of this currency only."""
        return self.source.currency

    @property
    def label(self) -> str:
        """The words for people."""
        return f"payment {self.source.id}" if isinstance(self.source, Payment) else f"credit note {self.source.number}"


def find_credit(tx: Transaction, provider: Provider, *, account_id: int, payment_id: int | None, credit_note_id: int | None) -> Credit:
    """The account's credit from a payment or a credit note: exactly one is named.

    NotFoundError where there is none, ConflictError for a payment that was reversed and for what is no credit note of ours.
    """
    if (payment_id is None) == (credit_note_id is None):
        raise InvalidDocumentError([fault("PAYMENT", "payment_id", "name a payment or a credit note, one of the two")])
    if payment_id is not None:
        payment = get_payment(tx, account_id, payment_id)
        used_minor = tx.payments.allocated_minor(account_id, payment_id) + tx.payments.refunded_minor(account_id, payment_id)
        return Credit(source=payment, left_minor=payment.amount_minor - used_minor)
    note = get_document(tx, account_id, credit_note_id or 0)
    if note.type_code is not TypeCode.CREDIT_NOTE or note.origin is not Origin.ISSUED:
        message = f"document {note.number} is not a credit note issued here"
        raise ConflictError(message)
    return Credit(source=note, left_minor=current_standing(tx, note, provider).due_minor or 0)


def get_payment(tx: Transaction, account_id: int, payment_id: int) -> Payment:
    """The account's payment; NotFoundError where there is none, ConflictError where it was reversed."""
    payment = tx.payments.get(account_id, payment_id)
    if payment is None:
        message = f"there is no payment {payment_id} in this account"
        raise NotFoundError(message)
    reversal = tx.payments.reversal(account_id, payment_id)
    if reversal is not None:
        message = f"payment {payment_id} was reversed on {reversal.reversed_on}: {reversal.reason}"
        raise ConflictError(message)
    return payment
