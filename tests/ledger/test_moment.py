"""Balances, documents and lists as of an instant or on a date: what was read then is read again, and equals a plain computation."""

from __future__ import annotations

import json
from collections import defaultdict
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from tests.database import database_at, execute

from faktura.bootstrap.books import DIALECTS, default_series, open_books
from faktura.config import Settings
from faktura.dialects.base import encoder
from faktura.domain.calendar import legal_date, midnight
from faktura.domain.draft import parse_draft
from faktura.domain.errors import ConflictError, InvalidDocumentError, NotFoundError
from faktura.domain.moment import Moment
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.provider import Provider
from faktura.ledger.accounts import add_account, add_provider
from faktura.ledger.balance import Balance, balance
from faktura.ledger.commands import credit, issue
from faktura.ledger.importing import record
from faktura.ledger.listing_query import list_documents, list_invoices
from faktura.ledger.payments import allocate_credit, pay
from faktura.ledger.pro_forma import invoice_pro_forma
from faktura.ledger.queries import get_invoice
from faktura.ledger.refunds import refund, reverse_payment

ZONE = "Europe/Berlin"
START = date(2024, 12, 20)
SELLER = Party(name="Domains GmbH", country="DE", vat_id="DE136695976")
BUYER = Party(name="Anna", country="DE")
EUR, USD = Currency("EUR"), Currency("USD")
TABLES = ("invoice", "payment", "allocation", "enrichment", "refund", "reversal")
TERMS = "invoiced_minor credited_minor paid_minor paid_elsewhere_minor refunded_minor due_minor overdue_minor credit_notes_minor payments_minor unknown_count".split()


class Story:
    """A ledger with one account in which random things happen, and what was read after each of them."""

    def __init__(self, books: Any) -> None:
        self.now_us = midnight(START, ZONE)
        self.books = type(books)(storage=books.storage, dialects=books.dialects, clock=lambda: self.now_us)
        provider = Provider(id=0, name="p", dialect="checkdomain", zone=ZONE, currency=EUR, seller=SELLER)
        self.provider = add_provider(self.books, provider=provider, series=default_series(DIALECTS["checkdomain"]))
        self.account = add_account(self.books, provider="p", reference="a", buyer=BUYER)
        self.invoice_ids: list[int] = []
        self.payment_ids: list[int] = []

    @property
    def today(self) -> date:
        """The day in the provider's zone."""
        return legal_date(self.now_us, ZONE)

    def tell(self, draw: Any) -> None:
        """One thing happens; what the ledger refuses did not happen."""
        self.now_us += draw(st.sampled_from([1, 1000, 9 * 3_600_000_000, 40 * 3_600_000_000]))
        happening = draw(
            st.sampled_from(
                [
                    self.issue,
                    self.issue,
                    self.pay,
                    self.deposit,
                    self.allocate,
                    self.credit,
                    self.record,
                    self.record,
                    self.refund,
                    self.reverse,
                    self.invoice_pro_forma,
                ]
            )
        )
        with suppress(ConflictError, InvalidDocumentError, NotFoundError):
            happening(draw)

    def issue(self, draw: Any) -> None:
        """An invoice, debit note, pro-forma or credit note of nothing known, perhaps dated back, perhaps due soon."""
        type_code = draw(st.sampled_from([380, 380, 380, 383, 325, 381]))
        issued_on = self.today - timedelta(days=draw(st.sampled_from([0, 0, 1, 3])))
        document = {"lines": [{"name": "x", "unit_price": str(Decimal(draw(st.integers(0, 50_000))) / 100)}], "type_code": type_code}
        document |= {"issue_date": issued_on.isoformat(), "order_ids": [len(self.invoice_ids) + 1], "currency": draw(st.sampled_from(["EUR", "EUR", "USD"]))}
        if type_code in {381, 383}:
            document["override_reason"] = "old books"
        if draw(st.booleans()):
            document["due_date"] = (issued_on + timedelta(days=draw(st.integers(0, 3)))).isoformat()
        draft = parse_draft(document, currency=EUR, buyer=BUYER, seller=SELLER, today=self.today)
        self.invoice_ids.append(issue(self.books, account_id=self.account.id, draft=draft).id)

    def pay(self, draw: Any) -> None:
        """A payment of one or two documents, perhaps with an earlier value date, perhaps of more than is due."""
        targets = [self.some(draw, self.invoice_ids) for _ in range(draw(st.integers(1, 2)))]
        self.paid(draw, [target for target in targets if target])

    def deposit(self, draw: Any) -> None:
        """A payment that settles nothing yet."""
        self.paid(draw, [])

    def paid(self, draw: Any, targets: list[int]) -> None:
        """Money comes in."""
        found = pay(
            self.books,
            account_id=self.account.id,
            amount_minor=draw(st.integers(1, 60_000)),
            currency=draw(st.sampled_from([EUR, EUR, USD])),
            paid_on=self.today - timedelta(days=draw(st.sampled_from([0, 1, 5]))),
            invoice_ids=targets,
        )
        self.payment_ids.append(found.payment.id)

    def allocate(self, draw: Any) -> None:
        """What is left of a payment or credit note settles a document later."""
        source, invoice_id = self.credit_source(draw), self.some(draw, self.invoice_ids)
        if invoice_id:
            allocate_credit(self.books, account_id=self.account.id, **source, invoice_ids=[invoice_id])

    def credit(self, draw: Any) -> None:
        """A credit note for all of a document."""
        invoice_id = self.some(draw, self.invoice_ids)
        if invoice_id:
            self.invoice_ids.append(credit(self.books, account_id=self.account.id, invoice_id=invoice_id).id)

    def refund(self, draw: Any) -> None:
        """What is left of a payment or credit note goes back, or a part of it, perhaps with an earlier value date."""
        amount, days = draw(st.sampled_from([None, 1, 500])), draw(st.sampled_from([0, 0, 2]))
        refund(self.books, account_id=self.account.id, **self.credit_source(draw), amount_minor=amount, refunded_on=self.today - timedelta(days=days))

    def reverse(self, draw: Any) -> None:
        """A payment bounces, perhaps days ago."""
        payment_id, days = self.some(draw, self.payment_ids), draw(st.sampled_from([0, 0, 2]))
        if payment_id:
            reverse_payment(self.books, account_id=self.account.id, payment_id=payment_id, reversed_on=self.today - timedelta(days=days), reason="bounced")

    def invoice_pro_forma(self, draw: Any) -> None:
        """A pro-forma becomes an invoice, settled by what was paid for it."""
        invoice_id = self.some(draw, self.invoice_ids)
        if invoice_id:
            self.invoice_ids.append(invoice_pro_forma(self.books, account_id=self.account.id, pro_forma_id=invoice_id).id)

    def credit_source(self, draw: Any) -> dict[str, Any]:
        """A payment, or what may be a credit note."""
        if draw(st.booleans()):
            return {"payment_id": self.some(draw, self.payment_ids)}
        return {"credit_note_id": self.some(draw, self.invoice_ids)}

    def record(self, draw: Any) -> None:
        """A source says something of one of its three documents: in a list or alone, with or without amounts and payments, new or old."""
        wire_id = draw(st.integers(90_001, 90_003))
        total, paid = wire_id - 80_000, draw(st.sampled_from([None, 0, 4_000]))
        item: dict[str, Any] = {"id": wire_id, "invoice_number": f"R{wire_id}", "created": f"{START + timedelta(days=wire_id % 3)}T10:00:00+0100"}
        item["amount_total"] = Decimal(total if wire_id != 90_002 or draw(st.booleans()) else -total) / 100
        if paid is not None:
            item |= {"amount_payed": Decimal(paid) / 100, "amount_open": Decimal(total - paid) / 100}
        if draw(st.booleans()):
            item |= {"tax": 19, "details": [{"quantity": 1, "unit_price": item["amount_total"], "price": item["amount_total"], "remark": "x"}], "payments": []}
            if paid:
                days = (START + timedelta(days=draw(st.integers(0, 4))) for _ in range(2))
                item["payments"] = [{"amount": Decimal(paid) / 200, "date": f"{day}T00:00:00+0100"} for day in days]
        seen_at_us = self.now_us - draw(st.sampled_from([0, 0, 86_400_000_000]))
        heard = DIALECTS["checkdomain"].parse_answer(encoder.encode(item), provider=self.provider).documents
        changes = list(record(self.books, provider="p", documents=[("a", replace_seen(document, seen_at_us)) for document in heard]))
        self.invoice_ids += [change.invoice_id for change in changes if change.invoice_id not in self.invoice_ids]

    def some(self, draw: Any, ids: list[int]) -> int | None:
        """One of them, if there are any."""
        return draw(st.sampled_from(ids)) if ids else None

    def read(self, moment: Moment = Moment()) -> Any:  # noqa: B008 - frozen
        """All that can be read of the account at a moment."""
        page = list_documents(self.books, provider="p", limit=500, moment=moment)
        documents = {item.invoice.id: get_invoice(self.books, invoice_id=item.invoice.id, moment=moment) for item in page.items}
        assert [replace_invoice(item) for item in page.items] == [
            (found.invoice.number, found.standing.paid_minor, found.standing.due_minor, found.credited_minor, found.state) for found in documents.values()
        ]
        with self.books.storage.reading() as tx:
            credit_left = tx.payments.credit(self.account.id, moment)
        documents_seen = [(found.invoice, found.standing, found.credited_minor, found.state) for found in documents.values()]
        return balance(self.books, account_id=self.account.id, moment=moment), documents_seen, credit_left


def replace_seen(heard: Any, seen_at_us: int) -> Any:
    """The word as seen at an instant."""
    return type(heard)(invoice=heard.invoice, standing=heard.standing, kind=heard.kind, body=heard.body, seen_at_us=seen_at_us)


def replace_invoice(item: Any) -> tuple[object, ...]:
    """What a list says of a document."""
    return (item.invoice.number, item.standing.paid_minor, item.standing.due_minor, item.credited_minor, item.state)


def test_what_was_read_then_is_read_again(engine: str) -> None:
    """As of each earlier instant, balance, documents, list and credit are those that were read at that instant; and they add up."""
    settings(max_examples=100 if engine == "sqlite" else 8, deadline=None)(given(data=st.data())(check_story))()


def check_story(data: Any) -> None:
    """A story of draws, read as it goes on and again afterwards."""
    with open_books(Settings(database=database_at(":memory:")), create=True) as books:
        story = Story(books)
        read = {}
        for _ in range(data.draw(st.integers(1, 12))):
            story.tell(data.draw)
            read[story.now_us] = story.read()
        story.now_us += 50 * 86_400_000_000
        for then_us, found in read.items():
            assert story.read(Moment(as_of_us=then_us)) == found
        connection = SimpleNamespace(execute=partial(execute, books))
        days = [START + timedelta(days=offset) for offset in range(-6, 30, 2)]
        moments = [Moment(), *(Moment(as_of_us=then_us) for then_us in read), *(Moment(on=day) for day in days)]
        moments += [Moment(as_of_us=then_us, on=day) for then_us, day in zip(read, reversed(days), strict=False)]
        for moment in moments:
            balances, documents, _ = story.read(moment)
            assert amounts(balances) == by_hand(connection, story, moment), moment
            assert {found[0].id: found[2] for found in documents} == credited_by_hand(connection, moment), moment


def amounts(found: list[Balance]) -> dict[str, dict[str, int]]:
    """A balance by currency, without what is nothing."""
    return {item.currency.code: {term: value for term in TERMS if (value := getattr(item, term))} for item in found}


def by_hand(connection: Any, story: Story, moment: Moment) -> dict[str, dict[str, int]]:
    """A balance computed plainly from all rows: which count, what each document has due, and the sums."""
    as_of_us = moment.as_of_us if moment.as_of_us is not None else 2**62
    on = str(moment.on) if moment.on else "9999"
    rows = {table: [dict(row) for row in connection.execute(f"SELECT * FROM {table}")] for table in TABLES}
    invoices = {row["invoice_id"]: row for row in rows["invoice"] if row["recorded_at_us"] <= as_of_us and row["issue_date"] <= on}
    reversed_ids = {row["payment_id"] for row in rows["reversal"] if row["recorded_at_us"] <= as_of_us and row["reversed_on"] <= on}
    payments = {row["payment_id"]: row for row in rows["payment"] if row["recorded_at_us"] <= as_of_us and row["paid_on"] <= on}
    payments = {payment_id: row for payment_id, row in payments.items() if payment_id not in reversed_ids}
    for row in rows["enrichment"]:
        if row["invoice_id"] in invoices and row["recorded_at_us"] <= as_of_us:
            invoices[row["invoice_id"]][row["term"]] = json.loads(row["value"])
    counted = [
        row
        for row in rows["allocation"]
        if row["recorded_at_us"] <= as_of_us
        and row["invoice_id"] in invoices
        and (row["payment_id"] in payments or (row["credit_note_id"] in invoices and row["allocated_on"] <= on))
    ]
    refunds = [row for row in rows["refund"] if row["recorded_at_us"] <= as_of_us and row["refunded_on"] <= on]
    today = str(moment.on or legal_date(story.now_us if moment.as_of_us is None else moment.as_of_us, ZONE))
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in invoices.values():
        if row["type_code"] == 325:
            continue
        add, total = sums[row["currency"]], row["total_with_vat_minor"]
        settled = [item["amount_minor"] for item in counted if row["invoice_id"] in (item["invoice_id"], item["credit_note_id"])]
        settled += [item["amount_minor"] for item in refunds if item["credit_note_id"] == row["invoice_id"]]
        is_observed, paid, due = observed(connection, row["invoice_id"], as_of_us, moment.on) if row["origin"] == "recorded" else (False, None, None)
        if not is_observed and (row["origin"] == "issued" or settled):
            due = total - sum(settled)
        add["unknown_count"] += due is None
        if row["type_code"] == 381:
            add["credited_minor"] += total or 0
            add["credit_notes_minor"] += due or 0
        else:
            add["invoiced_minor"] += total or 0
            add["paid_elsewhere_minor"] += paid or 0
            add["due_minor"] += due or 0
            add["overdue_minor"] += due if due and due > 0 and row["due_date"] and row["due_date"] < today else 0
    add_money(sums, invoices, payments, counted, refunds)
    return {currency: {term: value for term in TERMS if (value := found.get(term))} for currency, found in sums.items()}


def add_money(sums: Any, invoices: Any, payments: Any, counted: Any, refunds: Any) -> None:
    """What payments settled, what is left of them, and what went back."""
    for payment_id, row in payments.items():
        used = sum(item["amount_minor"] for item in counted if item["payment_id"] == payment_id)
        back = sum(item["amount_minor"] for item in refunds if item["payment_id"] == payment_id)
        if used:
            sums[row["currency"]]["paid_minor"] += used
        if row["amount_minor"] > used + back:
            sums[row["currency"]]["payments_minor"] += row["amount_minor"] - used - back
    for row in refunds:
        source = payments.get(row["payment_id"]) or invoices.get(row["credit_note_id"])
        if source:
            sums[source["currency"]]["refunded_minor"] += row["amount_minor"]


def credited_by_hand(connection: Any, moment: Moment) -> dict[int, int]:
    """What the credit notes of each document make up, of those that count."""
    counted = [dict(row) for row in connection.execute("SELECT * FROM invoice") if moment.counts(row["recorded_at_us"], date.fromisoformat(row["issue_date"]))]
    notes = [row for row in counted if row["type_code"] == 381 and row["origin"] == "issued"]
    return {row["invoice_id"]: sum(note["total_with_vat_minor"] for note in notes if note["preceding_invoice_id"] == row["invoice_id"]) for row in counted}


def observed(connection: Any, invoice_id: int, as_of_us: int, on: date | None) -> tuple[bool, int | None, int | None]:
    """Whether the source said anything by then, and what it showed as paid and due."""
    query = "SELECT o.*, s.digest FROM observation o JOIN source s USING (source_id) WHERE o.invoice_id = ? AND o.recorded_at_us <= ?"
    said = sorted(map(dict, connection.execute(query, (invoice_id, as_of_us))), key=lambda row: (row["seen_at_us"], row["digest"]))

    def last(term: str, among: list[dict[str, Any]]) -> Any:
        return next((row[term] for row in reversed(among) if row[term] is not None), None)

    dated = last("settlements", said)
    if on is None or dated is not None:
        later = sum(amount for amount, at_us in json.loads(dated) if on and legal_date(at_us, ZONE) > on) if dated is not None else 0
        paid, due = last("paid_minor", said), last("due_minor", said)
        return bool(said), None if paid is None else paid - later, None if due is None else due + later
    seen = [row for row in said if legal_date(row["seen_at_us"], ZONE) <= on]
    return bool(seen), last("paid_minor", seen), last("due_minor", seen)


def test_a_later_word_does_not_show_earlier() -> None:
    """Lines, terms and payments that a source told later are not there as of before; a document is not there before it was recorded or issued."""
    with open_books(Settings(database=database_at(":memory:")), create=True) as books:
        story = Story(books)
        item: dict[str, Any] = {"id": 7, "invoice_number": "R7", "created": "2024-12-10T10:00:00+0100", "amount_total": 12}
        more = {
            "tax": 19,
            "details": [{"quantity": 1, "unit_price": 12, "price": 12, "remark": "x"}],
            "payments": [{"amount": 10, "date": "2024-12-12T00:00:00+0100"}],
        }
        (known,) = DIALECTS["checkdomain"].parse_answer(encoder.encode(item), provider=story.provider).documents
        (told,) = DIALECTS["checkdomain"].parse_answer(encoder.encode(item | more | {"amount_payed": 10, "amount_open": 2}), provider=story.provider).documents
        (change,) = record(story.books, provider="p", documents=[("a", replace_seen(known, story.now_us))])
        before_us = story.now_us
        story.now_us += 1
        list(record(story.books, provider="p", documents=[("a", replace_seen(told, story.now_us))]))
        before = get_invoice(story.books, invoice_id=change.invoice_id, moment=Moment(as_of_us=before_us))
        assert (before.invoice.lines, before.invoice.vat_rate, before.standing.due_minor, before.state) == (None, None, None, None)
        after = get_invoice(story.books, invoice_id=change.invoice_id, moment=Moment(as_of_us=before_us + 1))
        assert after.invoice.lines is not None
        assert (after.standing.paid_minor, after.standing.due_minor, after.state) == (1000, 200, "partly-paid")
        on = get_invoice(story.books, invoice_id=change.invoice_id, moment=Moment(on=date(2024, 12, 11)))
        assert (on.standing.paid_minor, on.standing.due_minor, on.state) == (0, 1200, "open")
        for moment in (Moment(as_of_us=before_us - 1), Moment(on=date(2024, 12, 9))):
            with pytest.raises(NotFoundError, match="at that moment"):
                get_invoice(story.books, invoice_id=change.invoice_id, moment=moment)
            assert list(list_invoices(story.books, moment=moment)) == []
