"""A ledger with documents of every kind that can, or cannot, be handed out; and a server of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.cli.terminal import Terminal
from tests.conftest import Ledger, open_ledger, serving
from tests.database import make_blank
from tests.management.site import Api, Wire

from faktura.domain.draft import parse_draft
from faktura.domain.invoice import Invoice, Origin, TypeCode
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.payment import Standing
from faktura.domain.recorded import Heard, SourceKind
from faktura.ledger.accounts import add_account, create_token
from faktura.ledger.commands import issue
from faktura.ledger.importing import record
from faktura.ledger.queries import get_invoice

EUR = Currency("EUR")
TODAY = date(2024, 8, 1)
SENDER = Party(
    name="Hosting OOD",
    street="bul. Vitosha 1",
    city="Sofia",
    post_code="1000",
    country="BG",
    vat_id="BG175074752",
    electronic_address="9926:BG175074752",
    contact_name="Billing",
    phone="+359 2 1234567",
    email="billing@example.com",
    iban="BG80BNBG96611020345678",
)
RECEIVER = Party(
    name="Amt für Ämter",
    street="Platz 1",
    city="Berlin",
    post_code="10115",
    country="DE",
    electronic_address="0204:991-33333TEST-33",
    buyer_reference="04011000-12345-34",
)
CAME = {"came": b"\xef\xbb\xbf<?xml version='1.0'?>\r\n<Invoice/>\r\n", "came as PDF": b"%PDF-1.7\n\0\xff%%EOF"}
"""Files by the documents that came as them."""
LINE = {"name": "VPS", "unit_price": "10", "period": {"start": "2024-07-01", "end": "2024-07-31"}}


@pytest.fixture(autouse=True, scope="session")
def each_engine(engine: str) -> str:
    """Every test here runs on each engine."""
    return engine


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A ledger with a supplier that has no API, and our account there."""
    make_blank(tmp_path / "ledger.db")
    found = Terminal(tmp_path / "ledger.db")
    found.ok("provider", "add", "supplier", "--dialect", "vpsbg", "--seller-name", "Supplier", "--seller-country", "DE")
    found.ok("account", "add", "supplier", "us")
    return found


def furnish(ledger: Ledger) -> dict[str, Invoice]:
    """A provider `vpsbg` with the accounts `a` and `b`, and documents by name."""
    ledger.provider("vpsbg", seller=SENDER)
    accounts = {name: add_account(ledger.books, provider="vpsbg", reference=name, buyer=RECEIVER) for name in "ab"}

    def made(account: str, **fields: Any) -> Invoice:
        draft = parse_draft({"lines": [LINE], "payment_terms": "14 days", **fields}, currency=EUR, buyer=RECEIVER, seller=SENDER, today=TODAY)
        return issue(ledger.books, account_id=accounts[account].id, draft=draft)

    documents = {
        "invoice": made("a"),
        "fresh": made("a", order_ids=[2]),
        "fresher": made("a", order_ids=[3]),
        "other": made("b"),
        "pro-forma": made("a", type_code=325, order_ids=[1]),
        "incomplete": issue(
            ledger.books,
            account_id=accounts["a"].id,
            draft=parse_draft({"lines": [LINE]}, currency=EUR, buyer=Party(name="Nobody", country="BG"), seller=SENDER, today=TODAY),
        ),
    }
    said = Invoice(
        id=0,
        account_id=0,
        wire_id=0,
        origin=Origin.RECORDED,
        type_code=TypeCode.INVOICE,
        number="Ä/7",
        created_at_us=ledger.clock.now_us,
        issue_date=documents["invoice"].issue_date,
        currency=EUR,
        recorded_at_us=0,
        total_with_vat_minor=1200,
    )
    own = documents["invoice"]
    heard = {
        "recorded": Heard(invoice=said, standing=Standing(), kind=SourceKind.LINES, body=b"x"),
        "came": Heard(invoice=replace(said, number="Ä/8"), standing=Standing(), kind=SourceKind.DOCUMENT, body=CAME["came"]),
        "came as PDF": Heard(invoice=replace(said, number="9"), standing=Standing(), kind=SourceKind.DOCUMENT, body=CAME["came as PDF"]),
        # Somebody sends an e-invoice under the number of one that was issued here.
        "invoice": Heard(invoice=replace(said, number=own.number), standing=Standing(), kind=SourceKind.DOCUMENT, body=b"<Invoice>forged</Invoice>"),
    }
    changes = {change.number: change for change in record(ledger.books, provider="vpsbg", documents=[("a", item) for item in heard.values()])}
    found = {name: get_invoice(ledger.books, invoice_id=changes[item.invoice.number].invoice_id).invoice for name, item in heard.items()}
    return documents | found


@dataclass(frozen=True)
class Office:
    """A server, its ledger's place, its documents, and those who ask."""

    path: Path
    documents: dict[str, Invoice]
    manager: Api
    customer: Api
    """Account `a`."""
    stranger: Api


@pytest.fixture(scope="session")
def office(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A running server."""
    path = tmp_path_factory.mktemp("office") / "ledger.db"
    with open_ledger(path) as ledger:
        documents = furnish(ledger)
        manager = create_token(ledger.books, provider="vpsbg", reference=None, scopes=("invoices:read",))[0]
        customer = ledger.token("vpsbg", "a")
    with serving(path, FAKTURA_ACCESS_LOG="off") as served, closing(Wire(served.host)) as wire:
        yield Office(path, documents, Api(wire, manager), Api(wire, customer), Api(wire, None))
