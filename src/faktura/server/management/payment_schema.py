"""Payments, allocations, refunds, reversals and balances as the management API takes and gives them."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from msgspec import Meta

from faktura.server.management.schema import Amount, Body, CurrencyCode, Id, Number, Page, Resource, Text


class ShareBody(Body, frozen=True, kw_only=True):
    """A document to settle: with an amount, or with what the ones before it leave."""

    invoice_id: Id
    amount: Number | None = None


class PaymentBody(Body, frozen=True, kw_only=True):
    """Money received. Without documents it waits as credit of the account; a pro-forma is named alone."""

    account_id: Id
    amount: Number
    currency: Annotated[CurrencyCode | None, Meta(description="The provider's, where it is left out.")] = None
    paid_on: Annotated[date | None, Meta(description="Value date; today, where it is left out.")] = None
    reference: Text | None = None
    invoices: list[ShareBody] | None = None
    is_repeated: Annotated[bool, Meta(description="A payment of the same reference, amount and date is meant.")] = False


class AllocationBody(Body, frozen=True, kw_only=True):
    """Documents to settle with what is left of a payment or credit note."""

    invoices: Annotated[list[ShareBody], Meta(min_length=1)]


class RefundBody(Body, frozen=True, kw_only=True):
    """Money given back: all that is left, or an amount."""

    amount: Number | None = None
    refunded_on: date | None = None
    reference: Text | None = None
    is_repeated: bool = False


class ReversalBody(Body, frozen=True, kw_only=True):
    """Why a payment counts no more."""

    reason: Annotated[str, Meta(min_length=1, max_length=1000, examples=["direct debit returned"])]
    reversed_on: date | None = None


class AllocationResource(Resource, frozen=True, kw_only=True):
    """A part of a payment or credit note that settles a document."""

    id: int
    invoice_id: int
    amount: Amount
    allocated_on: str


class RefundResource(Resource, frozen=True, kw_only=True):
    """Money that went back."""

    id: int
    amount: Amount
    currency: str
    refunded_on: str
    reference: str | None


class ReversalResource(Resource, frozen=True, kw_only=True):
    """That a payment counts no more, since when and why."""

    id: int
    payment_id: int
    reversed_on: str
    reason: str


class PaymentHead(Resource, frozen=True, kw_only=True):
    """Money received."""

    id: int
    account_id: int
    amount: Amount
    currency: str
    paid_on: str
    reference: str | None
    pro_forma_id: int | None
    recorded_at: str


class PaymentResource(PaymentHead, frozen=True, kw_only=True):
    """Money received, and what became of it. What is left is credit of the account."""

    credit: Amount
    allocations: list[AllocationResource]
    refunds: list[RefundResource]
    reversal: ReversalResource | None


class AllocatedResource(Resource, frozen=True, kw_only=True):
    """What was settled just now, and what is still left of the payment or credit note."""

    allocations: list[AllocationResource]
    credit: Amount
    currency: str


class PaymentPage(Page, frozen=True, kw_only=True):
    """Payments, oldest first."""

    items: list[PaymentHead]


class BalanceResource(Resource, frozen=True, kw_only=True):
    """An account's sums in one currency. Pro-formas are not owed and do not count."""

    currency: str
    invoiced: Amount
    credited: Amount
    paid: Amount
    paid_elsewhere: Annotated[Amount, Meta(description="What sources of recorded documents showed as paid.")]
    refunded: Amount
    due: Amount
    overdue: Amount
    credit: Annotated[Amount, Meta(description="What is left of payments and credit notes.")]
    unknown: Annotated[int, Meta(description="Documents of which nobody said what is due.")]


class CreditResource(Resource, frozen=True, kw_only=True):
    """A payment or credit note that is not used up."""

    id: int
    kind: Annotated[str, Meta(description="payment or credit note.")]
    pro_forma_id: int | None
    currency: str
    since: str
    credit: Amount


class AccountBalance(Resource, frozen=True, kw_only=True):
    """What an account owes and is owed."""

    balances: list[BalanceResource]
    credit: list[CreditResource]
