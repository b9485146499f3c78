"""Money before, after and beyond documents."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from tests.database import sqlite_only

from faktura.domain.calendar import midnight
from faktura.domain.draft import parse_draft
from faktura.domain.errors import ConflictError, InvalidDocumentError, NotFoundError
from faktura.domain.invoice import Invoice
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.provider import Account
from faktura.ledger.accounts import set_series
from faktura.ledger.commands import credit, issue
from faktura.ledger.payments import allocate_credit, pay
from faktura.ledger.queries import get_invoice
from faktura.ledger.verification import verify
from faktura.storage.statement import load_statements

EUR = Currency("EUR")


@pytest.fixture
def account(ledger: Any) -> Account:
    """An account of a VPSBG provider."""
    ledger.provider("vpsbg")
    found: Account = ledger.account("vpsbg")
    return found


def invoice(ledger: Any, account: Account, **terms: Any) -> Invoice:
    """An invoice of 120.00."""
    document = {"lines": [{"name": "VPS", "unit_price": "100", "vat_rate": 20}]} | terms
    return issue(ledger.books, account_id=account.id, draft=parse_draft(document, currency=EUR, buyer=Party(name="B", country="BG")))


def test_a_payment_may_come_before_the_invoice(ledger: Any, account: Account) -> None:
    """A deposit is credit of the account; it settles invoices later, in parts, until it is used up; the ledger stays whole."""
    deposit = pay(ledger.books, account_id=account.id, amount_minor=20_000, currency=EUR)
    assert deposit.credit_minor == 20_000
    first, second = invoice(ledger, account), invoice(ledger, account)
    result = allocate_credit(ledger.books, account_id=account.id, payment_id=deposit.payment.id, invoice_ids=[first.id])
    assert result.credit_minor == 8_000
    result = allocate_credit(ledger.books, account_id=account.id, payment_id=deposit.payment.id, invoice_ids=[first.id, second.id])
    assert [(item.invoice_id, item.amount_minor) for item in result.allocations] == [(second.id, 8_000)]
    standing = get_invoice(ledger.books, invoice_id=second.id).standing
    assert (standing.paid_minor, standing.due_minor) == (8_000, 4_000)
    with pytest.raises(ConflictError, match="used up"):
        allocate_credit(ledger.books, account_id=account.id, payment_id=deposit.payment.id, invoice_ids=[second.id])
    with ledger.books.storage.reading() as tx:
        assert tx.payments.credit(account.id) == []
    assert list(verify(ledger.books)) == []


def test_anothers_payment_settles_nothing(ledger: Any, account: Account) -> None:
    """A payment of another account is not there."""
    other = ledger.account("vpsbg", "other")
    deposit = pay(ledger.books, account_id=other.id, amount_minor=20_000, currency=EUR)
    with pytest.raises(NotFoundError, match="no payment"):
        allocate_credit(ledger.books, account_id=account.id, payment_id=deposit.payment.id, invoice_ids=[invoice(ledger, account).id])


def test_a_repeated_payment_is_refused_unless_meant(ledger: Any, account: Account) -> None:
    """The same reference, amount and date once more is a script that ran twice; another amount or day is another payment."""
    target = invoice(ledger, account)
    key: dict[str, Any] = {"account_id": account.id, "currency": EUR, "reference": "SEPA 1", "invoice_ids": [target.id]}
    pay(ledger.books, amount_minor=100, **key)
    with pytest.raises(ConflictError, match="recorded already"):
        pay(ledger.books, amount_minor=100, **key)
    pay(ledger.books, amount_minor=101, **key)
    pay(ledger.books, amount_minor=100, paid_on=date(2024, 7, 31), **key)
    pay(ledger.books, amount_minor=100, is_repeated=True, **key)
    assert get_invoice(ledger.books, invoice_id=target.id).standing.paid_minor == 401


def test_a_credit_note_has_its_invoices_currency(ledger: Any, account: Account) -> None:
    """A credit note in another currency settles nothing: it is refused."""
    number = invoice(ledger, account).number
    with pytest.raises(InvalidDocumentError, match="USD"):
        invoice(ledger, account, type_code=381, currency="USD", preceding_invoice=number)


def test_parts_can_be_credited_to_the_end(ledger: Any, account: Account) -> None:
    """Three parts of three pieces at 0.335 round to more than the whole: the last is no mistake, and due never falls below 0."""
    target = invoice(ledger, account, lines=[{"name": "x", "quantity": "3", "unit_price": "0.335", "vat_rate": 20}])
    for _ in range(3):
        credit(ledger.books, account_id=account.id, invoice_id=target.id, quantities={1: Decimal(1)})
    standing = get_invoice(ledger.books, invoice_id=target.id).standing
    assert (standing.paid_minor, standing.due_minor) == (121, 0)
    with pytest.raises(ConflictError, match="left to credit"):
        credit(ledger.books, account_id=account.id, invoice_id=target.id, quantities={1: Decimal(1)})
    assert list(verify(ledger.books)) == []


def test_no_number_is_given_out_twice(ledger: Any, account: Account) -> None:
    """Whatever templates make of counters, and whoever orders: a number of a series is given out once, over all accounts."""
    other = ledger.account("vpsbg", "other")
    set_series(ledger.books, provider="vpsbg", name="invoice", next_number=15, template="1{seq}")
    assert invoice(ledger, account).number == "115"
    set_series(ledger.books, provider="vpsbg", name="invoice", next_number=115, template="{seq}")
    with pytest.raises(InvalidDocumentError, match="115 already"):
        invoice(ledger, other)
    assert invoice(ledger, account, type_code=325, order_ids=[7391]).number == "0000007391"
    for holder in (account, other):
        with pytest.raises(InvalidDocumentError, match="0000007391 already"):
            invoice(ledger, holder, type_code=325, order_ids=[7391])
    set_series(ledger.books, provider="vpsbg", name="invoice", next_number=116)
    assert invoice(ledger, other).number == "116"
    assert list(verify(ledger.books)) == []


@sqlite_only
def test_documents_are_found_by_number_along_an_index(ledger: Any) -> None:
    """Neither the number nor the source's id of a document makes the ledger look through the whole account."""
    connection = ledger.books.storage._connect()
    for name, index in (("invoice_by_number", "invoice_number"), ("invoice_by_source_wire_id", "invoice_source_wire_id")):
        parameters = {"account_id": 1, "number": "1", "wire_id": 1}
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {load_statements()[name]}", parameters))
        assert index in plan, plan


def test_a_midnight_among_many_writers_keeps_dates_rising(ledger: Any, account: Account) -> None:
    """While the clock passes midnight in Sofia, and a third of the documents are refused: numbers are dense and dates never fall."""
    ledger.clock.now_us = midnight(date(2025, 1, 1), "Europe/Sofia") - 1_000_000
    ledger.clock.step_us = 10_000
    books = ledger.books

    def work(turn: int) -> Invoice | None:
        document = {"lines": [{"name": "x", "unit_price": "-1" if turn % 3 == 0 else "1", "vat_rate": 20}]}
        try:
            return issue(books, account_id=account.id, draft=parse_draft(document, currency=EUR, buyer=Party(name="B", country="BG")))
        except InvalidDocumentError:
            return None

    with ThreadPoolExecutor(32) as pool:
        issued = sorted((found for found in pool.map(work, range(200)) if found), key=lambda found: found.number)
    assert [found.series_sequence for found in issued] == list(range(1, len(issued) + 1))
    days = [found.issue_date for found in issued]
    assert days == sorted(days)
    assert set(days) == {date(2024, 12, 31), date(2025, 1, 1)}
    assert list(verify(ledger.books)) == []


def test_shares_are_fixed_and_the_rest_goes_in_order(ledger: Any, account: Account) -> None:
    """A document with a share gets that and no more; the others are settled in their order with what is left."""
    first, second, third = (invoice(ledger, account) for _ in range(3))
    terms: dict[str, Any] = {
        "account_id": account.id,
        "currency": EUR,
        "invoice_ids": [third.id, first.id],
        "shares_minor": {first.id: 1_000, second.id: 12_000},
    }
    result = pay(ledger.books, amount_minor=26_000, **terms)
    assert {item.invoice_id: item.amount_minor for item in result.allocations} == {first.id: 1_000, second.id: 12_000, third.id: 12_000}
    assert result.credit_minor == 1_000
    left = allocate_credit(ledger.books, account_id=account.id, payment_id=result.payment.id, shares_minor={first.id: 1})
    assert (left.credit_minor, left.payment) == (999, result.payment)
    assert [get_invoice(ledger.books, invoice_id=found.id).standing.due_minor for found in (first, second, third)] == [10_999, 0, 0]
    assert list(verify(ledger.books)) == []


def test_all_faults_of_shares_are_named_at_once(ledger: Any, account: Account) -> None:
    """A share above what is due, one of nothing, one on a credit note, more than there is, and the other faults of the payment."""
    first, second = invoice(ledger, account), invoice(ledger, account)
    note = credit(ledger.books, account_id=account.id, invoice_id=second.id)
    shares = {first.id: 12_001, second.id: 0, note.id: 5}
    with pytest.raises(InvalidDocumentError) as caught:
        pay(ledger.books, account_id=account.id, amount_minor=100, currency=EUR, paid_on=date(2030, 1, 1), shares_minor=shares, reference="")
    assert [item.path for item in caught.value.faults] == ["paid_on", "reference", f"shares[{first.id}]", f"shares[{second.id}]", "invoice", "shares"]
    deposit = pay(ledger.books, account_id=account.id, amount_minor=100, currency=EUR)
    with pytest.raises(InvalidDocumentError, match=r"the shares make 1\.01 EUR, and there is 1\.00 EUR"):
        allocate_credit(ledger.books, account_id=account.id, payment_id=deposit.payment.id, shares_minor={first.id: 101})
    with pytest.raises(InvalidDocumentError, match="at least one document"):
        allocate_credit(ledger.books, account_id=account.id, payment_id=deposit.payment.id)
    assert list(verify(ledger.books)) == []


def test_a_credit_note_settles_other_documents_too(ledger: Any, account: Account) -> None:
    """What its own invoice did not need of it is credit of the account, settles others until it is used up, and is listed as such."""
    paid, other, third = (invoice(ledger, account) for _ in range(3))
    pay(ledger.books, account_id=account.id, amount_minor=10_000, currency=EUR, invoice_ids=[paid.id])
    note = credit(ledger.books, account_id=account.id, invoice_id=paid.id)
    with ledger.books.storage.reading() as tx:
        (left,) = tx.payments.credit(account.id)
    assert (left.credit_note_id, left.payment_id, left.credit_minor, left.paid_on) == (note.id, None, 10_000, note.issue_date)
    result = allocate_credit(ledger.books, account_id=account.id, credit_note_id=note.id, shares_minor={other.id: 4_000})
    assert (result.credit_minor, result.credit_note, result.payment) == (6_000, note, None)
    result = allocate_credit(ledger.books, account_id=account.id, credit_note_id=note.id, invoice_ids=[third.id])
    assert result.credit_minor == 0
    standings = [get_invoice(ledger.books, invoice_id=found.id).standing for found in (paid, other, third, note)]
    assert [(item.paid_minor, item.due_minor) for item in standings] == [(12_000, 0), (4_000, 8_000), (6_000, 6_000), (12_000, 0)]
    with pytest.raises(ConflictError, match=f"credit note {note.number} is used up"):
        allocate_credit(ledger.books, account_id=account.id, credit_note_id=note.id, invoice_ids=[other.id])
    assert list(verify(ledger.books)) == []


def test_credit_names_one_source(ledger: Any, account: Account) -> None:
    """Neither both nor none, no invoice, and no credit note of another account."""
    target = invoice(ledger, account)
    both: dict[str, Any] = {"payment_id": 1, "credit_note_id": 1}
    for named in ({}, both):
        with pytest.raises(InvalidDocumentError, match="one of the two"):
            allocate_credit(ledger.books, account_id=account.id, invoice_ids=[target.id], **named)
    with pytest.raises(ConflictError, match="not a credit note"):
        allocate_credit(ledger.books, account_id=account.id, credit_note_id=target.id, invoice_ids=[target.id])
    note = credit(ledger.books, account_id=account.id, invoice_id=target.id)
    with pytest.raises(NotFoundError):
        allocate_credit(ledger.books, account_id=ledger.account("vpsbg", "other").id, credit_note_id=note.id, invoice_ids=[target.id])


def test_what_a_credit_note_settles_at_issue_is_told_apart(ledger: Any, account: Account) -> None:
    """A credit note that settles nothing keeps the id after its own free, so what it settles next is never taken for its issue."""
    paid, other = invoice(ledger, account), invoice(ledger, account)
    pay(ledger.books, account_id=account.id, amount_minor=12_000, currency=EUR, invoice_ids=[paid.id])
    note = credit(ledger.books, account_id=account.id, invoice_id=paid.id)
    (allocation,) = allocate_credit(ledger.books, account_id=account.id, credit_note_id=note.id, invoice_ids=[other.id]).allocations
    assert allocation.id > note.id + 1
    assert list(verify(ledger.books)) == []
