"""Random commands against a tiny model: after every step the API shows what the model knows, and the ledger is whole."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from tests.database import database_at

from faktura.bootstrap.books import DIALECTS, default_series, open_books
from faktura.config import Settings
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
from faktura.ledger.payments import allocate_credit, pay
from faktura.ledger.pro_forma import invoice_pro_forma
from faktura.ledger.queries import get_invoice
from faktura.ledger.refunds import refund, reverse_payment
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
    sequence: int
    is_credit: bool = False
    is_done: bool = False
    """Credited whole; of a pro-forma, invoiced."""
    pro_forma_id: int | None = None


@dataclass
class Money:
    """A payment, or a credit note: what of it went where."""

    id: int
    amount: int
    is_note: bool = False
    pro_forma_id: int | None = None
    parts: Counter[int] = field(default_factory=Counter)
    refunded: int = 0
    is_reversed: bool = False

    @property
    def left(self) -> int:
        """What is credit of the account."""
        return 0 if self.is_reversed else self.amount - self.parts.total() - self.refunded

    @property
    def named(self) -> dict[str, Any]:
        """How commands name it."""
        return {"credit_note_id" if self.is_note else "payment_id": self.id}


class LedgerMachine(RuleBasedStateMachine):
    """Issues, pays, credits, refunds, reverses, bills and records at random, while the days go by and the clock sometimes jumps back."""

    def __init__(self) -> None:
        super().__init__()
        self._context = open_books(Settings(database=database_at(":memory:")), create=True)
        opened = self._context.__enter__()
        self.day, self.now_us = START, 0
        self.books = type(opened)(storage=opened.storage, dialects=opened.dialects, clock=lambda: self.now_us)
        self.issued: list[Modelled] = []
        self.pro_formas: list[Modelled] = []
        self.money: list[Money] = []
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

    def paid(self, item: Modelled) -> int:
        """What settles a document; of a credit note, what of it is used."""
        if item.is_credit:
            return item.total - next(money.left for money in self.money if money.is_note and money.id == item.id)
        return sum(money.parts[item.id] for money in self.money if not money.is_reversed)

    def prepaid(self, pro_forma: Modelled) -> int:
        """What came in for a pro-forma: as much as its invoice has, or as is meant for it."""
        for item in self.issued:
            if item.pro_forma_id == pro_forma.id:
                return self.paid(item)
        return min(pro_forma.total, sum(money.left for money in self.money if money.pro_forma_id == pro_forma.id))

    def settle(self, money: Money, *targets: Modelled) -> None:
        """Money settles documents in their order, none beyond what it is due."""
        for target in targets:
            money.parts[target.id] += min(money.left, target.total - self.paid(target))

    @precondition(lambda self: self.issued)
    @rule(place=st.integers(0, 99), cents=st.integers(1, 200_000))
    def pay(self, place: int, cents: int) -> None:
        """A payment of one document: it settles what is due, the rest is the account's."""
        target = self.issued[place % len(self.issued)]
        is_due = not target.is_credit and self.paid(target) < target.total
        try:
            result = pay(self.books, account_id=self.account.id, amount_minor=cents, currency=EUR, invoice_ids=[target.id])
        except (ConflictError, InvalidDocumentError):
            assert not is_due
            return
        assert is_due
        self.money.append(Money(result.payment.id, cents))
        self.settle(self.money[-1], target)
        assert result.credit_minor == self.money[-1].left

    @precondition(lambda self: self.issued)
    @rule(wanted=st.dictionaries(st.integers(0, 9), st.integers(0, 30_000), max_size=3), rest=st.integers(0, 9), more=st.integers(-1, 50_000))
    def pay_shares(self, wanted: dict[int, int], rest: int, more: int) -> None:
        """A payment of fixed amounts, and one document that gets what is left; a wrong share makes it none."""
        shares = {self.issued[place % len(self.issued)].id: cents for place, cents in wanted.items()}
        targets = [item for item in self.issued if item.id in shares]
        last = self.issued[rest % len(self.issued)]
        is_right = all(not item.is_credit and 0 < shares[item.id] <= item.total - self.paid(item) for item in targets)
        is_right = is_right and not last.is_credit and (bool(shares) or self.paid(last) < last.total) and more >= 0 and sum(shares.values()) + more > 0
        terms: dict[str, Any] = {"account_id": self.account.id, "currency": EUR, "shares_minor": shares, "invoice_ids": [last.id]}
        try:
            result = pay(self.books, amount_minor=sum(shares.values()) + more, **terms)
        except (ConflictError, InvalidDocumentError):
            assert not is_right
            return
        assert is_right
        self.money.append(Money(result.payment.id, sum(shares.values()) + more, parts=Counter(shares)))
        if last.id not in shares:
            self.settle(self.money[-1], last)
        assert result.credit_minor == self.money[-1].left

    @precondition(lambda self: self.issued and self.money)
    @rule(source=st.integers(0, 99), place=st.integers(0, 99))
    def allocate(self, source: int, place: int) -> None:
        """What is left of a payment or credit note settles a document."""
        money, target = self.money[source % len(self.money)], self.issued[place % len(self.issued)]
        is_right = money.left > 0 and not target.is_credit and self.paid(target) < target.total
        try:
            result = allocate_credit(self.books, account_id=self.account.id, invoice_ids=[target.id], **money.named)
        except (ConflictError, InvalidDocumentError):
            assert not is_right
            return
        assert is_right
        self.settle(money, target)
        assert result.credit_minor == money.left

    @precondition(lambda self: self.money)
    @rule(source=st.integers(0, 99), cents=st.none() | st.integers(1, 50_000))
    def refund(self, source: int, cents: int | None) -> None:
        """What is left goes back, or some of it: never more than is left."""
        money = self.money[source % len(self.money)]
        try:
            made = refund(self.books, account_id=self.account.id, amount_minor=cents, **money.named)
        except ConflictError:
            assert money.left == 0 or (cents or 0) > money.left
            return
        assert 0 < made.amount_minor == (money.left if cents is None else cents)
        money.refunded += made.amount_minor
        assert money.left >= 0

    @precondition(lambda self: any(not money.is_note for money in self.money))
    @rule(source=st.integers(0, 99))
    def reverse(self, source: int) -> None:
        """A payment bounces: once, and not after a refund."""
        payments = [money for money in self.money if not money.is_note]
        money = payments[source % len(payments)]
        try:
            reverse_payment(self.books, account_id=self.account.id, payment_id=money.id, reason="bounced")
        except ConflictError:
            assert money.refunded or money.is_reversed
            return
        assert not money.refunded
        assert not money.is_reversed
        money.is_reversed = True

    @rule(cents=st.integers(0, 99_999))
    def ask(self, cents: int) -> None:
        """A pro-forma."""
        data = {"type_code": 325, "lines": [{"name": "x", "unit_price": str(Decimal(cents) / 100)}]}
        made = issue(self.books, account_id=self.account.id, draft=parse_draft(data, currency=EUR, buyer=BUYER, seller=SELLER, today=self.day))
        self.pro_formas.append(Modelled(made.id, made.number, made.total_with_vat_minor or 0, made.series_sequence or 0))
        self.closed[made.id] = made

    @precondition(lambda self: self.pro_formas)
    @rule(place=st.integers(0, 99), cents=st.integers(1, 200_000))
    def prepay(self, place: int, cents: int) -> None:
        """Money for a pro-forma is credit meant for it, until it is invoiced."""
        pro_forma = self.pro_formas[place % len(self.pro_formas)]
        try:
            result = pay(self.books, account_id=self.account.id, amount_minor=cents, currency=EUR, invoice_ids=[pro_forma.id])
        except ConflictError:
            assert pro_forma.is_done
            return
        assert not pro_forma.is_done
        assert result.credit_minor == cents
        self.money.append(Money(result.payment.id, cents, pro_forma_id=pro_forma.id))

    @precondition(lambda self: self.pro_formas)
    @rule(place=st.integers(0, 99))
    def convert(self, place: int) -> None:
        """The invoice for a pro-forma: once, and the money meant for it settles it."""
        pro_forma = self.pro_formas[place % len(self.pro_formas)]
        try:
            made = invoice_pro_forma(self.books, account_id=self.account.id, pro_forma_id=pro_forma.id)
        except ConflictError:
            assert pro_forma.is_done
            return
        assert not pro_forma.is_done
        pro_forma.is_done = True
        self.remember(made)
        for money in self.money:
            if money.pro_forma_id == pro_forma.id:
                self.settle(money, self.issued[-1])

    @precondition(lambda self: self.issued)
    @rule(place=st.integers(0, 99))
    def credit(self, place: int) -> None:
        """A credit note for a whole invoice: once at most, and it settles what is due."""
        target = self.issued[place % len(self.issued)]
        try:
            note = credit(self.books, account_id=self.account.id, invoice_id=target.id)
        except ConflictError:
            assert target.is_credit or target.is_done
            return
        assert not target.is_credit
        assert not target.is_done
        assert note.total_with_vat_minor == target.total
        target.is_done = target.total > 0
        self.money.append(Money(note.id, target.total, is_note=True))
        self.settle(self.money[-1], target)
        self.remember(note, is_credit=True)

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

    def remember(self, invoice: Any, *, is_credit: bool = False) -> None:
        """Keep what was issued, to compare with what is shown later."""
        total, sequence = invoice.total_with_vat_minor, invoice.series_sequence
        self.issued.append(Modelled(invoice.id, invoice.number, total, sequence, is_credit=is_credit, pro_forma_id=invoice.pro_forma_id))
        self.closed[invoice.id] = invoice

    @invariant()
    def numbers_are_dense(self) -> None:
        """Issued numbers are 1 to n in the order of issue, in each series."""
        for documents in (self.issued, self.pro_formas):
            assert [item.sequence for item in documents] == list(range(1, len(documents) + 1))

    @invariant()
    def the_api_shows_the_model(self) -> None:
        """Total, order, paid and open amounts of every document."""
        if not hasattr(self, "token_hash"):
            return
        page = self.books.storage.serving().serving.page(self.token_hash, now_us=self.now_us, skip=0, size=10_000)
        assert page is not None
        shown = {item["invoice_number"]: item for item in (json.loads(row[1], parse_float=Decimal) for row in page.rows)}
        assert page.total == len(page.rows) == len(shown) == len(self.issued) + len(self.recorded)
        for item in self.issued:
            sign = -1 if item.is_credit else 1
            amounts = [int(Decimal(shown[item.number][key]) * 100) * sign for key in ("amount_total", "amount_payed", "amount_open")]
            assert amounts == [item.total, self.paid(item), item.total - self.paid(item)], item
        for wire_id, cents in self.recorded.items():
            assert shown[f"R{wire_id}"]["amount_total"] * 100 == cents

    @invariant()
    def the_books_agree_with_the_model(self) -> None:
        """Closed documents never change; payments and due make the total; standings are stored as they follow; credit is what is left."""
        paid = {item.id: self.paid(item) for item in self.issued} | {item.id: self.prepaid(item) for item in self.pro_formas}
        for found, invoice in self.closed.items():
            statement = get_invoice(self.books, invoice_id=found)
            assert statement.invoice == invoice
            standing = statement.standing
            assert (standing.paid_minor, standing.due_minor) == (paid[found], invoice.total_with_vat_minor - paid[found])
            assert sum(item.amount_minor for item in standing.settlements or ()) == paid[found]
            with self.books.storage.reading() as tx:
                row = tx.audit.listing(invoice.account_id, found)
            assert row is not None
            assert (row.paid_minor, row.due_minor) == (standing.paid_minor, standing.due_minor)
        if self.money:
            with self.books.storage.reading() as tx:
                left = {item.payment_id or item.credit_note_id: item.credit_minor for item in tx.payments.credit(self.account.id)}
            assert left == {money.id: money.left for money in self.money if money.left}

    def teardown(self) -> None:
        """The ledger is whole at the end of every run."""
        found = list(verify(self.books))
        self._context.__exit__(None, None, None)
        assert found == []


def test_the_ledger_does_what_a_plain_model_does(engine: str) -> None:
    """After every step of any sequence."""
    count = {"sqlite": 60, "postgresql": 12}[engine]
    run_state_machine_as_test(LedgerMachine, settings=settings(max_examples=count, stateful_step_count=30, deadline=None))
