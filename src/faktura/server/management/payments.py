"""Payments: money comes in, settles documents now or later, goes back, or turns out never to have come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Annotated, Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from faktura.domain.calendar import instant_text
from faktura.domain.errors import InvalidDocumentError, NotFoundError, fault
from faktura.domain.money import Currency
from faktura.domain.payment import Allocation, Payment, Refund, Reversal
from faktura.ledger.accounts import IDS_PER_PROVIDER
from faktura.ledger.management_ports import Answer
from faktura.ledger.payments import AllocationResult, allocate_credit, pay
from faktura.ledger.ports import Books, Transaction
from faktura.ledger.refunds import refund, reverse_payment
from faktura.server.management.body import Checked
from faktura.server.management.call import ID_MAX, Call, answer, respond
from faktura.server.management.page import Cursor, Limit, after_id, next_after
from faktura.server.management.payment_schema import (
    AllocatedResource,
    AllocationBody,
    AllocationResource,
    PaymentBody,
    PaymentHead,
    PaymentPage,
    PaymentResource,
    RefundBody,
    RefundResource,
    ReversalBody,
    ReversalResource,
    ShareBody,
)


class Payments(Controller):
    """Money of accounts."""

    path = "/payments"
    tags = ("Payments",)

    @get("/", opt={"scope": "invoices:read"}, sync_to_thread=True, operation_id="listPayments", summary="Payments")
    def list_payments(
        self,
        call: NamedDependency[Call],
        limit: Limit = 30,
        cursor: Cursor = None,
        account_id: Annotated[int | None, QueryParameter(name="account_id", ge=1, le=ID_MAX, description="Only of this account.")] = None,
    ) -> Response[PaymentPage]:
        """Oldest first, reversed ones too."""
        first = call.provider_id * IDS_PER_PROVIDER
        with call.books.storage.reading() as tx:
            if account_id is not None:
                call.account(tx, account_id)
            found = tx.payments.page(account_id=account_id, after=max(first, after_id(cursor)), before=first + IDS_PER_PROVIDER, limit=limit + 1)
        return respond(answer(PaymentPage(items=[PaymentHead(**_head(item)) for item in found[:limit]], next=next_after(found, limit))))

    @post(
        "/",
        opt={"scope": "payments:write"},
        sync_to_thread=True,
        dto=Checked[PaymentBody],
        return_dto=None,
        operation_id="recordPayment",
        summary="Record a payment",
    )
    def record_payment(self, call: NamedDependency[Call], data: JSONBody[PaymentBody]) -> Response[PaymentResource]:
        """It settles the documents named; what is over, or comes before its invoice, is credit of the account."""

        def act(books: Books) -> Answer:
            with books.storage.writing() as tx, naming(data.invoices or []):
                account = call.account(tx, data.account_id)
                currency = Currency(data.currency) if data.currency else call.provider(tx).currency
                shares, invoice_ids = to_shares(data.invoices or [], currency)
                result = pay(
                    books,
                    account_id=account.id,
                    amount_minor=to_minor(data.amount, currency, "amount"),
                    currency=currency,
                    paid_on=data.paid_on,
                    invoice_ids=invoice_ids,
                    shares_minor=shares,
                    reference=data.reference,
                    is_repeated=data.is_repeated,
                )
                return answer(_payment(tx, result.payment), status=201, location=f"/payments/{result.payment.id}")

        return call.once(act)

    @get("/{payment_id:int}", opt={"scope": "invoices:read"}, sync_to_thread=True, operation_id="getPayment", summary="A payment")
    def get_payment(self, call: NamedDependency[Call], payment_id: FromPath[int]) -> Response[PaymentResource]:
        """With what it settled, what went back of it, and what is left."""
        with call.books.storage.reading() as tx:
            return respond(answer(_payment(tx, _find(call, tx, payment_id))))

    @post(
        "/{payment_id:int}/allocations",
        opt={"scope": "payments:write"},
        sync_to_thread=True,
        dto=Checked[AllocationBody],
        return_dto=None,
        operation_id="allocatePayment",
        summary="Settle documents with what is left of a payment",
    )
    def allocate_payment(self, call: NamedDependency[Call], payment_id: FromPath[int], data: JSONBody[AllocationBody]) -> Response[AllocatedResource]:
        """409 where nothing is left, or nothing is due."""

        def act(books: Books) -> Answer:
            with books.storage.writing() as tx, naming(data.invoices):
                payment = _find(call, tx, payment_id)
                shares, invoice_ids = to_shares(data.invoices, payment.currency)
                result = allocate_credit(books, account_id=payment.account_id, payment_id=payment.id, invoice_ids=invoice_ids, shares_minor=shares)
                return answer(allocated(result), status=201, location=f"/payments/{payment.id}")

        return call.once(act)

    @post(
        "/{payment_id:int}/refunds",
        opt={"scope": "payments:write"},
        sync_to_thread=True,
        dto=Checked[RefundBody],
        return_dto=None,
        operation_id="refundPayment",
        summary="Give back what is left of a payment",
    )
    def refund_payment(self, call: NamedDependency[Call], payment_id: FromPath[int], data: JSONBody[RefundBody]) -> Response[RefundResource]:
        """All that is left, or an amount of it: never more."""

        def act(books: Books) -> Answer:
            with books.storage.writing() as tx:
                payment = _find(call, tx, payment_id)
                made = refund_of(books, data, account_id=payment.account_id, currency=payment.currency, payment_id=payment.id)
                return answer(refund_resource(made, payment.currency), status=201, location=f"/payments/{payment.id}")

        return call.once(act)

    @post(
        "/{payment_id:int}/reversal",
        opt={"scope": "payments:write"},
        sync_to_thread=True,
        dto=Checked[ReversalBody],
        return_dto=None,
        operation_id="reversePayment",
        summary="A payment bounced",
    )
    def reverse_payment(self, call: NamedDependency[Call], payment_id: FromPath[int], data: JSONBody[ReversalBody]) -> Response[ReversalResource]:
        """It settles nothing any more: what it had settled is due again. The payment itself stays on record."""

        def act(books: Books) -> Answer:
            with books.storage.writing() as tx:
                payment = _find(call, tx, payment_id)
                made = reverse_payment(books, account_id=payment.account_id, payment_id=payment.id, reversed_on=data.reversed_on, reason=data.reason)
                return answer(_reversal(made), status=201, location=f"/payments/{payment.id}")

        return call.once(act)


def to_minor(amount: Decimal, currency: Currency, path: str) -> int:
    """The amount in minor units; InvalidDocumentError where it has more decimals than the currency."""
    try:
        return currency.to_minor(amount)
    except ValueError as error:
        raise InvalidDocumentError([fault("value", path, str(error))]) from error


def to_shares(bodies: Sequence[ShareBody], currency: Currency) -> tuple[dict[int, int], list[int]]:
    """Fixed shares by document, and the documents that take what those leave."""
    if len({body.invoice_id for body in bodies}) != len(bodies):
        raise InvalidDocumentError([fault("PAYMENT", "invoices", "names a document twice")])
    shares = {body.invoice_id: to_minor(body.amount, currency, f"invoices[{index}].amount") for index, body in enumerate(bodies) if body.amount is not None}
    return shares, [body.invoice_id for body in bodies if body.amount is None]


@contextmanager
def naming(bodies: Sequence[ShareBody]) -> Iterator[None]:
    """Faults of shares have the paths of the body, where the ledger names documents by their ids."""
    try:
        yield
    except InvalidDocumentError as error:
        paths = {f"shares[{body.invoice_id}]": f"invoices[{index}].amount" for index, body in enumerate(bodies)}
        paths |= {"shares": "invoices", "invoice": "invoices"}
        raise InvalidDocumentError([fault(item.rule, paths.get(item.path, item.path), item.message) for item in error.faults]) from error


def refund_of(
    books: Books, data: RefundBody, *, account_id: int, currency: Currency, payment_id: int | None = None, credit_note_id: int | None = None
) -> Refund:
    """Give back what a body asks for."""
    return refund(
        books,
        account_id=account_id,
        payment_id=payment_id,
        credit_note_id=credit_note_id,
        amount_minor=None if data.amount is None else to_minor(data.amount, currency, "amount"),
        refunded_on=data.refunded_on,
        reference=data.reference,
        is_repeated=data.is_repeated,
    )


def allocated(result: AllocationResult) -> AllocatedResource:
    """What was settled just now."""
    items = [_allocation(item, result.currency) for item in result.allocations]
    return AllocatedResource(allocations=items, credit=str(result.currency.to_decimal(result.credit_minor)), currency=result.currency.code)


def refund_resource(made: Refund, currency: Currency) -> RefundResource:
    """What went back."""
    return RefundResource(
        id=made.id,
        amount=str(currency.to_decimal(made.amount_minor)),
        currency=currency.code,
        refunded_on=made.refunded_on.isoformat(),
        reference=made.reference,
    )


def _find(call: Call, tx: Transaction, payment_id: int) -> Payment:
    account_id = tx.payments.account_of(payment_id) if 0 < payment_id <= ID_MAX else None
    payment = None if account_id is None else tx.payments.get(call.account(tx, account_id).id, payment_id)
    if payment is None:
        raise NotFoundError
    return payment


def _head(payment: Payment) -> dict[str, Any]:
    return {
        "id": payment.id,
        "account_id": payment.account_id,
        "amount": str(payment.currency.to_decimal(payment.amount_minor)),
        "currency": payment.currency.code,
        "paid_on": payment.paid_on.isoformat(),
        "reference": payment.reference,
        "pro_forma_id": payment.pro_forma_id,
        "recorded_at": instant_text(payment.recorded_at_us),
    }


def _payment(tx: Transaction, payment: Payment) -> PaymentResource:
    money = payment.currency
    allocations, refunds = tx.payments.allocations(payment.account_id, payment.id), tx.payments.refunds(payment.account_id, payment.id)
    reversal = tx.payments.reversal(payment.account_id, payment.id)
    used_minor = sum(item.amount_minor for item in allocations) + sum(item.amount_minor for item in refunds)
    return PaymentResource(
        **_head(payment),
        credit=str(money.to_decimal(0 if reversal else payment.amount_minor - used_minor)),
        allocations=[_allocation(item, money) for item in allocations],
        refunds=[refund_resource(item, money) for item in refunds],
        reversal=None if reversal is None else _reversal(reversal),
    )


def _allocation(item: Allocation, money: Currency) -> AllocationResource:
    amount = str(money.to_decimal(item.amount_minor))
    return AllocationResource(id=item.id, invoice_id=item.invoice_id, amount=amount, allocated_on=item.allocated_on.isoformat())


def _reversal(made: Reversal) -> ReversalResource:
    return ReversalResource(id=made.id, payment_id=made.payment_id, reversed_on=made.reversed_on.isoformat(), reason=made.reason)
