"""From pro-forma to invoice, and the money that comes before it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from tests.database import sqlite_only

from faktura.bootstrap.books import DIALECTS
from faktura.dialects.base import encoder
from faktura.domain.calendar import midnight
from faktura.domain.draft import parse_draft
from faktura.domain.errors import ConflictError, InvalidDocumentError, NotFoundError
from faktura.domain.invoice import Invoice, TypeCode
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.provider import Account, hash_token
from faktura.ledger.commands import credit, issue
from faktura.ledger.importing import record
from faktura.ledger.payments import allocate_credit, pay
from faktura.ledger.pro_forma import invoice_pro_forma
from faktura.ledger.queries import get_invoice
from faktura.ledger.refunds import refund, reverse_payment
from faktura.ledger.verification import verify
from faktura.storage.statement import load_statements

EUR = Currency("EUR")
BUYER = Party(name="Primer EOOD", country="BG")


@pytest.fixture
def account(ledger: Any) -> Account:
    """An account of a VPSBG provider."""
    ledger.provider("vpsbg")
    found: Account = ledger.account("vpsbg")
    return found


def document(ledger: Any, account: Account, type_code: int = 325, **terms: Any) -> Invoice:
    """A pro-forma of 120.00 for order 7398."""
    data = {"type_code": type_code, "lines": [{"name": "VPS", "unit_price": "100", "vat_rate": 20}], "order_ids": [7398], "note": "Thanks"} | terms
    return issue(ledger.books, account_id=account.id, draft=parse_draft(data, currency=EUR, buyer=BUYER))


def stands(ledger: Any, found: Invoice) -> tuple[int | None, int | None]:
    """Paid and due."""
    standing = get_invoice(ledger.books, invoice_id=found.id).standing
    return standing.paid_minor, standing.due_minor


def listed(ledger: Any, found: Invoice) -> tuple[int, int]:
    """Paid and due as the list keeps them."""
    with ledger.books.storage.reading() as tx:
        row = tx.audit.listing(found.account_id, found.id)
        return row.paid_minor, row.due_minor


def test_an_invoice_from_a_pro_forma_is_a_new_document(ledger: Any, account: Account) -> None:
    """It has its own number, series and dates, what the pro-forma sold to the buyer named there, and names the pro-forma; only once."""
    charge = {"charge": True, "amount": "2", "reason": "setup", "vat_rate": 20}
    pro_forma = document(ledger, account, allowances_charges=[charge], period={"start": "2024-08-01", "end": "2024-08-31"}, due_date="2024-08-09")
    ledger.clock.now_us = midnight(date(2024, 8, 20), "Europe/Sofia")
    invoice = invoice_pro_forma(ledger.books, account_id=account.id, pro_forma_id=pro_forma.id, due_date=date(2024, 9, 1))
    assert (invoice.type_code, invoice.number, invoice.series) == (TypeCode.INVOICE, "0000000001", "invoice")
    assert (invoice.issue_date, invoice.due_date, invoice.pro_forma_id) == (date(2024, 8, 20), date(2024, 9, 1), pro_forma.id)
    for name in "lines allowances_charges vat_breakdown total_with_vat_minor buyer note order_ids period price_basis currency".split():
        assert getattr(invoice, name) == getattr(pro_forma, name), name
    with pytest.raises(ConflictError, match=f"invoiced already: invoice 0000000001 .{invoice.id}."):
        invoice_pro_forma(ledger.books, account_id=account.id, pro_forma_id=pro_forma.id)
    with pytest.raises(ConflictError, match="not a pro-forma"):
        invoice_pro_forma(ledger.books, account_id=account.id, pro_forma_id=invoice.id)
    with pytest.raises(NotFoundError):
        invoice_pro_forma(ledger.books, account_id=ledger.account("vpsbg", "other").id, pro_forma_id=pro_forma.id)
    assert get_invoice(ledger.books, invoice_id=invoice.id).invoice == invoice
    assert list(verify(ledger.books)) == []


def test_a_prepayment_shows_on_the_pro_forma_and_settles_its_invoice(ledger: Any, account: Account) -> None:
    """Money for a pro-forma is credit meant for it; the invoice takes it, oldest first, and the rest stays credit."""
    pro_forma = document(ledger, account)
    for amount_minor, day in ((5_000, date(2024, 7, 30)), (9_000, date(2024, 7, 31))):
        result = pay(ledger.books, account_id=account.id, amount_minor=amount_minor, currency=EUR, invoice_ids=[pro_forma.id], paid_on=day)
        assert (result.payment.pro_forma_id, result.allocations, result.credit_minor) == (pro_forma.id, (), amount_minor)
    standing = get_invoice(ledger.books, invoice_id=pro_forma.id).standing
    assert (standing.paid_minor, standing.due_minor, [item.amount_minor for item in standing.settlements or ()]) == (12_000, 0, [5_000, 7_000])
    assert listed(ledger, pro_forma) == (12_000, 0)
    assert list(verify(ledger.books)) == []
    invoice = invoice_pro_forma(ledger.books, account_id=account.id, pro_forma_id=pro_forma.id)
    made = get_invoice(ledger.books, invoice_id=invoice.id).standing
    assert made == standing
    assert (listed(ledger, invoice), listed(ledger, pro_forma)) == ((12_000, 0), (12_000, 0))
    with ledger.books.storage.reading() as tx:
        assert [item.credit_minor for item in tx.payments.credit(account.id)] == [2_000]
        events = [entry.event for entry in tx.audit.journal(account.provider_id)][-3:]
    assert events == ["invoice.issued", "payment.allocated", "payment.allocated"]
    assert list(verify(ledger.books)) == []


def test_the_new_invoice_is_paid_on_the_wire_at_once(ledger: Any) -> None:
    """The provider's API shows the prepaid amount with the invoice's first appearance."""
    ledger.provider("checkdomain")
    account = ledger.account("checkdomain")
    token_hash = hash_token(ledger.token("checkdomain")) or b""
    pro_forma = document(ledger, account)
    pay(ledger.books, account_id=account.id, amount_minor=2_000, currency=EUR, invoice_ids=[pro_forma.id])
    invoice_pro_forma(ledger.books, account_id=account.id, pro_forma_id=pro_forma.id)
    (row,) = ledger.books.storage.serving().serving.page(token_hash, now_us=ledger.clock.now_us, skip=0, size=9).rows
    shown = json.loads(row[1], parse_float=Decimal)
    assert (shown["amount_total"], shown["amount_payed"], shown["amount_open"]) == (120, 20, 100)


def test_money_for_a_pro_forma_stays_credit(ledger: Any, account: Account) -> None:
    """It can settle something else, go back, or bounce, and the pro-forma's standing follows; what is left settles the invoice."""
    pro_forma, other = document(ledger, account), document(ledger, account, 380)
    terms: dict[str, Any] = {"account_id": account.id, "currency": EUR, "invoice_ids": [pro_forma.id]}
    first = pay(ledger.books, amount_minor=6_000, **terms).payment
    second = pay(ledger.books, amount_minor=3_000, **terms).payment
    allocate_credit(ledger.books, account_id=account.id, payment_id=first.id, shares_minor={other.id: 1_000})
    assert (stands(ledger, pro_forma), listed(ledger, pro_forma)) == ((8_000, 4_000), (8_000, 4_000))
    refund(ledger.books, account_id=account.id, payment_id=first.id, amount_minor=500)
    assert (stands(ledger, pro_forma), listed(ledger, pro_forma)) == ((7_500, 4_500), (7_500, 4_500))
    reverse_payment(ledger.books, account_id=account.id, payment_id=second.id, reason="bounced")
    assert (stands(ledger, pro_forma), listed(ledger, pro_forma)) == ((4_500, 7_500), (4_500, 7_500))
    invoice = invoice_pro_forma(ledger.books, account_id=account.id, pro_forma_id=pro_forma.id)
    assert stands(ledger, invoice) == (4_500, 7_500)
    assert list(verify(ledger.books)) == []


def test_an_invoiced_pro_forma_stands_as_its_invoice(ledger: Any, account: Account) -> None:
    """The money is asked for once: who pays the pro-forma is told the invoice; what settles the invoice, or no longer does, shows on both."""
    pro_forma = document(ledger, account)
    invoice = invoice_pro_forma(ledger.books, account_id=account.id, pro_forma_id=pro_forma.id)
    with pytest.raises(ConflictError, match=f"invoiced already: pay invoice {invoice.number} .{invoice.id}."):
        pay(ledger.books, account_id=account.id, amount_minor=1, currency=EUR, invoice_ids=[pro_forma.id])
    payment = pay(ledger.books, account_id=account.id, amount_minor=5_000, currency=EUR, invoice_ids=[invoice.id]).payment
    assert (stands(ledger, pro_forma), listed(ledger, pro_forma)) == ((5_000, 7_000), (5_000, 7_000))
    credit(ledger.books, account_id=account.id, invoice_id=invoice.id)
    assert (stands(ledger, pro_forma), listed(ledger, pro_forma)) == ((12_000, 0), (12_000, 0))
    reverse_payment(ledger.books, account_id=account.id, payment_id=payment.id, reason="bounced")
    assert (stands(ledger, pro_forma), listed(ledger, pro_forma)) == ((7_000, 5_000), (7_000, 5_000))
    assert list(verify(ledger.books)) == []


def test_two_who_invoice_or_pay_at_once_make_one_invoice(ledger: Any, account: Account) -> None:
    """Among many threads one makes the invoice; every payment is either meant for the pro-forma in time, and settles it, or refused."""
    pro_forma = document(ledger, account)

    def work(turn: int) -> int:
        try:
            if turn % 2:
                invoice_pro_forma(ledger.books, account_id=account.id, pro_forma_id=pro_forma.id)
            else:
                pay(ledger.books, account_id=account.id, amount_minor=100, currency=EUR, invoice_ids=[pro_forma.id])
        except ConflictError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(work, range(24)))
    assert sum(done[1::2]) == 1
    assert stands(ledger, pro_forma) == (100 * sum(done[::2]), 12_000 - 100 * sum(done[::2]))
    assert list(verify(ledger.books)) == []


def test_a_changed_rate_is_refused(ledger: Any) -> None:
    """In July 2020 the German rate fell: a pro-forma of June with 19 % makes no invoice in July, unless its tax point is in June."""
    ledger.provider("checkdomain", seller=Party(name="Domains GmbH", country="DE", vat_id="DE136695976"))
    account = ledger.account("checkdomain")
    buyer = Party(name="Anna", country="DE")
    ledger.clock.now_us = midnight(date(2020, 6, 30), "Europe/Berlin")
    lines = [{"name": "Domain", "unit_price": "10", "vat_rate": 19}, {"name": "Book", "unit_price": "10", "vat_rate": 7}]

    def pro_forma(**terms: Any) -> Invoice:
        return issue(
            ledger.books,
            account_id=account.id,
            draft=parse_draft({"type_code": 325, "lines": lines, "override_reason": "books, reduced rate"} | terms, currency=EUR, buyer=buyer),
        )

    plain, fixed, late = pro_forma(), pro_forma(tax_point_date="2020-06-30"), pro_forma()
    assert invoice_pro_forma(ledger.books, account_id=account.id, pro_forma_id=late.id).issue_date == date(2020, 6, 30)
    ledger.clock.now_us = midnight(date(2020, 7, 1), "Europe/Berlin")
    with pytest.raises(InvalidDocumentError) as caught:
        invoice_pro_forma(ledger.books, account_id=account.id, pro_forma_id=plain.id, due_date=date(2020, 6, 1))
    assert [(item.rule, item.path) for item in caught.value.faults] == [("VAT", "lines[0].vat_rate"), ("DUE-DATE", "due_date")]
    assert "S 19 % was right on 2020-06-30; on 2020-07-01 it is S 16 %" in str(caught.value)
    assert invoice_pro_forma(ledger.books, account_id=account.id, pro_forma_id=fixed.id).tax_point_date == date(2020, 6, 30)
    assert list(verify(ledger.books)) == []


def test_a_pro_forma_of_elsewhere_keeps_no_money(ledger: Any, account: Account) -> None:
    """No invoice is made here of it, so no money is kept for it; nor in another currency than a pro-forma's own."""
    item = {"id": 9, "invoice_number": "0000009999", "created_at": "2024-08-27T21:00:00.000000Z", "amount": 1, "amount_with_vat": 1}
    body = encoder.encode({"data": [item | {"type": "proform", "order_ids": []}]})
    with ledger.books.storage.reading() as tx:
        provider = tx.providers.get(account.provider_id)
    heard = DIALECTS["vpsbg"].parse_answer(body, provider=provider).documents
    (change,) = record(ledger.books, provider="vpsbg", documents=[("demo", found) for found in heard])
    with pytest.raises(ConflictError, match="recorded from elsewhere"):
        pay(ledger.books, account_id=account.id, amount_minor=1, currency=EUR, invoice_ids=[change.invoice_id])
    with pytest.raises(ConflictError, match="not a pro-forma issued here"):
        invoice_pro_forma(ledger.books, account_id=account.id, pro_forma_id=change.invoice_id)
    pro_forma = document(ledger, account)
    with pytest.raises(InvalidDocumentError, match="is in EUR"):
        pay(ledger.books, account_id=account.id, amount_minor=1, currency=Currency("USD"), invoice_ids=[pro_forma.id])


@sqlite_only
def test_money_is_found_along_indexes(ledger: Any) -> None:
    """What stands behind a standing never makes the ledger look through a whole table, or through all payments of an account."""
    connection = ledger.books.storage._connect()
    statements = load_statements()
    left = "\n".join(statements[name] for name in ("payment_left", "payment_left_for_pro_forma", "left_order"))
    parts = ["allocation_of_invoice", "allocation_now", "allocation_of_credit_note", "refund_of_credit_note"]
    settled = "\n".join(statements[name] for name in parts)
    parameters = {"account_id": 1, "pro_forma_id": 1, "invoice_id": 1, "payment_id": 1, "as_of_us": 1, "on_date": "2024-01-01"}
    for sql, index in (
        (left, "payment_pro_forma"),
        (settled, "allocation_invoice"),
        (settled, "allocation_credit_note"),
        (settled, "refund_credit_note"),
        (statements["payment_used"], "refund_payment"),
        (statements["payment_settled"], "allocation_payment"),
        (statements["invoice_of_pro_forma"], "invoice_pro_forma"),
        (statements["payment_account"], "payment_by_id"),
    ):
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters))
        assert index in plan, plan
        assert "SCAN" not in plan.replace("SCAN CONSTANT ROW", ""), plan
