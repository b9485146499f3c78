"""Money that goes back: refunds and reversals."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from faktura.domain.draft import parse_draft
from faktura.domain.errors import ConflictError, InvalidDocumentError, NotFoundError
from faktura.domain.invoice import Invoice
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.provider import Account
from faktura.ledger.commands import credit, issue
from faktura.ledger.payments import allocate_credit, pay
from faktura.ledger.queries import get_invoice
from faktura.ledger.refunds import refund, reverse_payment
from faktura.ledger.verification import verify

EUR = Currency("EUR")


@pytest.fixture
def account(ledger: Any) -> Account:
    """An account of a VPSBG provider."""
    ledger.provider("vpsbg")
    found: Account = ledger.account("vpsbg")
    return found


def invoice(ledger: Any, account: Account) -> Invoice:
    """An invoice of 120.00."""
    document = {"lines": [{"name": "VPS", "unit_price": "100", "vat_rate": 20}]}
    return issue(ledger.books, account_id=account.id, draft=parse_draft(document, currency=EUR, buyer=Party(name="B", country="BG")))


def stands(ledger: Any, document: Invoice) -> tuple[int | None, int | None]:
    """Paid and due."""
    standing = get_invoice(ledger.books, invoice_id=document.id).standing
    return standing.paid_minor, standing.due_minor


def credits_of(ledger: Any, account: Account) -> list[int]:
    """What is left of each payment and credit note that is not used up."""
    with ledger.books.storage.reading() as tx:
        return [item.credit_minor for item in tx.payments.credit(account.id)]


def test_what_is_left_of_a_payment_goes_back(ledger: Any, account: Account) -> None:
    """In parts or whole, but never more than is left, and then it settles nothing more."""
    target, other = invoice(ledger, account), invoice(ledger, account)
    payment = pay(ledger.books, account_id=account.id, amount_minor=20_000, currency=EUR, invoice_ids=[target.id]).payment
    with pytest.raises(ConflictError, match=r"80\.00 EUR left, not 80\.01 EUR"):
        refund(ledger.books, account_id=account.id, payment_id=payment.id, amount_minor=8_001)
    first = refund(ledger.books, account_id=account.id, payment_id=payment.id, amount_minor=3_000, reference="R 1")
    assert (first.payment_id, first.credit_note_id, first.refunded_on, first.reference) == (payment.id, None, date(2024, 8, 1), "R 1")
    assert credits_of(ledger, account) == [5_000]
    assert allocate_credit(ledger.books, account_id=account.id, payment_id=payment.id, shares_minor={other.id: 1_000}).credit_minor == 4_000
    assert refund(ledger.books, account_id=account.id, payment_id=payment.id).amount_minor == 4_000
    with pytest.raises(ConflictError, match="used up"):
        refund(ledger.books, account_id=account.id, payment_id=payment.id)
    with pytest.raises(ConflictError, match="used up"):
        allocate_credit(ledger.books, account_id=account.id, payment_id=payment.id, invoice_ids=[other.id])
    assert (stands(ledger, target), stands(ledger, other), credits_of(ledger, account)) == ((12_000, 0), (1_000, 11_000), [])
    assert list(verify(ledger.books)) == []


def test_what_is_left_of_a_credit_note_goes_back(ledger: Any, account: Account) -> None:
    """What is owed to the buyer falls by what was given back."""
    target = invoice(ledger, account)
    pay(ledger.books, account_id=account.id, amount_minor=11_000, currency=EUR, invoice_ids=[target.id])
    note = credit(ledger.books, account_id=account.id, invoice_id=target.id)
    refund(ledger.books, account_id=account.id, credit_note_id=note.id, amount_minor=4_000, refunded_on=date(2024, 7, 30))
    standing = get_invoice(ledger.books, invoice_id=note.id).standing
    assert standing.settlements is not None
    assert (standing.paid_minor, standing.due_minor, [item.amount_minor for item in standing.settlements]) == (5_000, 7_000, [1_000, 4_000])
    with pytest.raises(ConflictError, match=r"70\.00 EUR left"):
        refund(ledger.books, account_id=account.id, credit_note_id=note.id, amount_minor=7_001)
    refund(ledger.books, account_id=account.id, credit_note_id=note.id)
    assert (stands(ledger, note), stands(ledger, target)) == ((12_000, 0), (12_000, 0))
    assert list(verify(ledger.books)) == []


def test_a_repeated_refund_is_refused_unless_meant(ledger: Any, account: Account) -> None:
    """The same reference, amount and date once more is a script that ran twice."""
    payment = pay(ledger.books, account_id=account.id, amount_minor=1_000, currency=EUR).payment
    key: dict[str, Any] = {"account_id": account.id, "payment_id": payment.id, "reference": "R 1", "amount_minor": 100}
    refund(ledger.books, **key)
    with pytest.raises(ConflictError, match="recorded already"):
        refund(ledger.books, **key)
    refund(ledger.books, is_repeated=True, **key)
    assert credits_of(ledger, account) == [800]


def test_all_faults_of_a_refund_are_named_at_once(ledger: Any, account: Account) -> None:
    """No amount, a day to come, an empty reference; a day before the payment; neither source, or both; what is not there."""
    payment = pay(ledger.books, account_id=account.id, amount_minor=1_000, currency=EUR).payment
    with pytest.raises(InvalidDocumentError) as caught:
        refund(ledger.books, account_id=account.id, payment_id=payment.id, amount_minor=0, refunded_on=date(2030, 1, 1), reference="")
    assert [item.path for item in caught.value.faults] == ["amount", "refunded_on", "reference"]
    with pytest.raises(InvalidDocumentError, match="before the payment came"):
        refund(ledger.books, account_id=account.id, payment_id=payment.id, refunded_on=date(2024, 7, 31))
    both: dict[str, Any] = {"payment_id": 1, "credit_note_id": 1}
    for named in ({}, both):
        with pytest.raises(InvalidDocumentError, match="one of the two"):
            refund(ledger.books, account_id=account.id, **named)
    with pytest.raises(NotFoundError):
        refund(ledger.books, account_id=ledger.account("vpsbg", "other").id, payment_id=payment.id)


def test_a_reversed_payment_counts_no_more(ledger: Any, account: Account) -> None:
    """What it settled is due again, what was left is no credit, its facts stay; and it may come once more under its reference."""
    first, second = invoice(ledger, account), invoice(ledger, account)
    terms: dict[str, Any] = {"account_id": account.id, "amount_minor": 20_000, "currency": EUR, "invoice_ids": [first.id], "reference": "SEPA 1"}
    payment = pay(ledger.books, **terms).payment
    allocate_credit(ledger.books, account_id=account.id, payment_id=payment.id, shares_minor={second.id: 5_000})
    reversal = reverse_payment(ledger.books, account_id=account.id, payment_id=payment.id, reason="insufficient funds")
    assert (reversal.payment_id, reversal.reversed_on) == (payment.id, date(2024, 8, 1))
    assert (stands(ledger, first), stands(ledger, second), credits_of(ledger, account)) == ((0, 12_000), (0, 12_000), [])
    with ledger.books.storage.reading() as tx:
        assert (tx.payments.get(account.id, payment.id), tx.payments.allocated_minor(account.id, payment.id)) == (payment, 17_000)
    assert list(verify(ledger.books)) == []
    with pytest.raises(ConflictError, match="insufficient funds"):
        allocate_credit(ledger.books, account_id=account.id, payment_id=payment.id, invoice_ids=[first.id])
    with pytest.raises(ConflictError, match="insufficient funds"):
        refund(ledger.books, account_id=account.id, payment_id=payment.id)
    with pytest.raises(ConflictError, match="was reversed on 2024-08-01"):
        reverse_payment(ledger.books, account_id=account.id, payment_id=payment.id, reason="again")
    assert pay(ledger.books, **terms).credit_minor == 8_000
    assert stands(ledger, first) == (12_000, 0)
    assert list(verify(ledger.books)) == []


def test_a_refunded_payment_is_not_reversed(ledger: Any, account: Account) -> None:
    """Money that went back by refund does not go back a second time; and nobody reverses without a reason, or before the money came."""
    payment = pay(ledger.books, account_id=account.id, amount_minor=1_000, currency=EUR).payment
    with pytest.raises(InvalidDocumentError) as caught:
        reverse_payment(ledger.books, account_id=account.id, payment_id=payment.id, reason="", reversed_on=date(2024, 7, 31))
    assert [item.path for item in caught.value.faults] == ["reason", "reversed_on"]
    refund(ledger.books, account_id=account.id, payment_id=payment.id, amount_minor=1)
    with pytest.raises(ConflictError, match=r"0\.01 EUR of payment .* went back already"):
        reverse_payment(ledger.books, account_id=account.id, payment_id=payment.id, reason="bounced")


def test_a_credited_invoice_may_lose_its_payment(ledger: Any, account: Account) -> None:
    """The payment of a credited invoice bounces: the invoice is due again, and its own credit note settles it."""
    target = invoice(ledger, account)
    payment = pay(ledger.books, account_id=account.id, amount_minor=12_000, currency=EUR, invoice_ids=[target.id]).payment
    note = credit(ledger.books, account_id=account.id, invoice_id=target.id)
    reverse_payment(ledger.books, account_id=account.id, payment_id=payment.id, reason="charged back")
    assert (stands(ledger, target), stands(ledger, note)) == ((0, 12_000), (0, 12_000))
    allocate_credit(ledger.books, account_id=account.id, credit_note_id=note.id, invoice_ids=[target.id])
    assert (stands(ledger, target), stands(ledger, note)) == ((12_000, 0), (12_000, 0))
    assert list(verify(ledger.books)) == []
