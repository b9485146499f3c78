"""Random commands against a tiny model: after every step the API shows what the model knows, and the ledger is whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from faktura.bootstrap.books import DIALECTS, default_series, open_books
from faktura.config import DatabaseUrl, Settings
from faktura.dialects.base import encoder
from faktura.domain.calendar import midnight
from faktura.domain.draft import parse_draft
from faktura.domain.errors import ConflictError, InvalidDocumentError
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.provider import Provider, hash_token
from faktura.ledger.accounts import add_account, add_provider, create_token
from faktura.ledger.billing import BillingItem, run_billing
from faktura.ledger.commands import credit, issue
from faktura.ledger.importing import record
from faktura.ledger.payments import pay
from faktura.ledger.queries import get_invoice
from faktura.ledger.verification import verify

EUR = Currency("EUR")
SELLER = Party(name="Domains GmbH", country="DE", vat_id="DE136695976")
BUYER = Party(name="Anna", country="DE")
START = date(2024, 12, 28)


@dataclass
class Modelled:
    """What the model knows of a document, in cents; a credit note's total is what it takes away."""

    id: int
    number: str
    total: int
    is_credit: bool = False
    paid: int = 0
    credited: int = 0
    sequence: int = field(default=0)


class LedgerMachine(RuleBasedStateMachine):
    """Issues, pays, credits, bills and records at random, while the days go by and the clock sometimes jumps back."""

    def __init__(self) -> None:
        super().__init__()
        self._context = open_books(Settings(database=DatabaseUrl(path=":memory:")), create=True)
        opened = self._context.__enter__()
        self.day, self.now_us = START, 0
        self.books = type(opened)(storage=opened.storage, dialects=opened.dialects, clock=lambda: self.now_us)
        self.issued: list[Modelled] = []
        self.recorded: dict[int, int] = {}
        self.keys: set[str] = set()
        self.closed: dict[int, Any] = {}

    @initialize()
    def furnish(self) -> None:
        """A checkdomain provider with one account and a token."""
        self.tick(0)
        defaults = DIALECTS["checkdomain"].defaults
        provider = Provider(id=0, name="p", dialect="checkdomain", zone=defaults.zone, currency=EUR, seller=SELLER)
        self.provider = add_provider(self.books, provider=provider, series=default_series(DIALECTS["checkdomain"]))
        self.account = add_account(self.books, provider="p", reference="a", buyer=BUYER)
        self.token_hash = hash_token(create_token(self.books, provider="p", reference="a")[0]) or b""

    @rule(days=st.integers(0, 3))
    def tick(self, days: int) -> None:
        """Days go by, over a year's end."""
        self.day += timedelta(days=days)
        self.now_us = max(self.now_us, midnight(self.day, "Europe/Berlin")) + 1_000_000

    @rule(quantity=st.integers(1, 9), cents=st.integers(0, 99_999), basis=st.sampled_from(["net", "gross"]))
    def issue(self, quantity: int, cents: int, basis: str) -> None:
        """An invoice."""
        document = {"price_basis": basis, "lines": [{"name": "x", "quantity": quantity, "unit_price": str(Decimal(cents) / 100)}]}
        draft = parse_draft(document, currency=EUR, buyer=BUYER, seller=SELLER, today=self.day)
        self.remember(issue(self.books, account_id=self.account.id, draft=draft))

    @rule()
    def issue_what_is_refused(self) -> None:
        """A document that breaks rules takes no number."""
        draft = parse_draft({"lines": [{"name": "x", "unit_price": "-1", "vat_rate": 19}]}, currency=EUR, buyer=BUYER)
        try:
            issue(self.books, account_id=self.account.id, draft=draft)
        except InvalidDocumentError:
            return
        raise AssertionError("a negative price was issued")

    @precondition(lambda self: self.issued)
    @rule(place=st.integers(0, 99), cents=st.integers(1, 200_000))
    def pay(self, place: int, cents: int) -> None:
        """A payment of one document: it settles what is due, the rest is the account's."""
        target = self.issued[place % len(self.issued)]
        due = target.total - target.paid
        try:
            result = pay(self.books, account_id=self.account.id, amount_minor=cents, currency=EUR, invoice_ids=[target.id])
        except (ConflictError, InvalidDocumentError):
            assert target.is_credit or due == 0
            return
        assert result.credit_minor == max(0, cents - due)
        target.paid += min(cents, due)

    @precondition(lambda self: self.issued)
    @rule(place=st.integers(0, 99))
    def credit(self, place: int) -> None:
        """A credit note for a whole invoice: once at most, and it settles what is due."""
        target = self.issued[place % len(self.issued)]
        try:
            note = credit(self.books, account_id=self.account.id, invoice_id=target.id)
        except ConflictError:
            assert target.is_credit or target.credited
            return
        assert note.total_with_vat_minor == target.total
        settled = target.total - target.paid
        target.paid, target.credited = target.total, target.total or 1
        self.remember(note, is_credit=True, paid=settled)
        if not target.total:
            target.credited = 0

    @rule(numbers=st.lists(st.integers(1, 6), min_size=1, max_size=4))
    def bill(self, numbers: list[int]) -> None:
        """A billing run over keys of which some were billed before."""
        items = [
            BillingItem(position=place, data={"account": "a", "period": "x", "product": str(number), "lines": [{"name": "x", "unit_price": "1"}]})
            for place, number in enumerate(numbers, 1)
        ]
        for report in run_billing(self.books, provider="p", read=lambda: items):
            product = str(numbers[report.position - 1])
            assert (report.number is not None) == (product not in self.keys)
            if report.invoice_id and report.number:
                self.keys.add(product)
                self.remember(get_invoice(self.books, invoice_id=report.invoice_id).invoice)

    @rule(wire_id=st.integers(10_001, 10_006), cents=st.integers(0, 9_999), days_ago=st.integers(-900, 2))
    def record(self, wire_id: int, cents: int, days_ago: int) -> None:
        """A document of elsewhere, older or newer; the first word about an id stays in force."""
        created = f"{START + timedelta(days=days_ago)}T10:00:00+0000"
        item = {"id": wire_id, "invoice_number": f"R{wire_id}", "created": created, "amount_total": Decimal(cents) / 100}
        heard = DIALECTS["checkdomain"].parse_answer(encoder.encode(item), provider=self.provider).documents
        list(record(self.books, provider="p", documents=[("a", document) for document in heard]))
        self.recorded.setdefault(wire_id, cents)

    def remember(self, invoice: Any, *, is_credit: bool = False, paid: int = 0) -> None:
        """Keep what was issued, to compare with what is shown later."""
        self.issued.append(Modelled(invoice.id, invoice.number, invoice.total_with_vat_minor, is_credit, paid, 0, invoice.series_sequence))
        self.closed[invoice.id] = invoice

    @invariant()
    def numbers_are_dense(self) -> None:
        """Issued numbers are 1 to n in the order of issue."""
        assert [item.sequence for item in self.issued] == list(range(1, len(self.issued) + 1))

    @invariant()
    def the_api_shows_the_model(self) -> None:
        """Total, order, paid and open amounts of every document, and closed documents never change."""
        if not hasattr(self, "token_hash"):
            return
        page = self.books.storage.serving().serving.page(self.token_hash, now_us=self.now_us, skip=0, size=10_000)
        assert page is not None
        shown = {item["invoice_number"]: item for item in (json.loads(row[1], parse_float=Decimal) for row in page.rows)}
        assert page.total == len(page.rows) == len(shown) == len(self.issued) + len(self.recorded)
        for item in self.issued:
            sign = -1 if item.is_credit else 1
            amounts = [int(Decimal(shown[item.number][key]) * 100) * sign for key in ("amount_total", "amount_payed", "amount_open")]
            assert amounts == [item.total, item.paid, item.total - item.paid], item
        for wire_id, cents in self.recorded.items():
            assert shown[f"R{wire_id}"]["amount_total"] * 100 == cents
        assert all(get_invoice(self.books, invoice_id=found).invoice == invoice for found, invoice in self.closed.items())

    def teardown(self) -> None:
        """The ledger is whole at the end of every run."""
        found = list(verify(self.books))
        self._context.__exit__(None, None, None)
        assert found == []


LedgerMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestLedger = LedgerMachine.TestCase
