"""Most facts are proven many at a time; and what a journal digests is one text, whoever writes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from tests.database import database_at

from faktura.bootstrap.books import open_books
from faktura.bootstrap.demo import fill_demo
from faktura.bootstrap.imports import Report, import_line_items
from faktura.config import Settings
from faktura.documents.line_items import online_retail_layout
from faktura.domain.draft import parse_draft
from faktura.domain.invoice import AllowanceCharge, InvoiceLine, Period
from faktura.domain.money import Currency, canonical
from faktura.domain.party import Party
from faktura.domain.vat import VatCategory, VatKey
from faktura.ledger.accounts import find_account, find_provider
from faktura.ledger.billing import BillingItem, run_billing
from faktura.ledger.commands import credit, issue
from faktura.ledger.journal import digest
from faktura.ledger.payments import pay
from faktura.ledger.plain_facts import find_whole
from faktura.ledger.ports import Books, JournalEntry
from faktura.ledger.verification import verify

EUR = Currency("EUR")
LINES = """InvoiceNo,InvoiceDate,Quantity,UnitPrice,Description,StockCode,CustomerID,Country
1,2010-12-01 08:26:00,6,2.55,"A ""quoted"" lantern, white\t\u2028\x1f",85123A,17850.0,United Kingdom
1,2010-12-01 08:26:00,2,0.125,,71053,17850.0,United Kingdom
C2,2010-12-01 09:00:00,-1,10,Postage,POST,,France
"""


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    """The demo, which has documents that were heard of in lists and singles, pro-formas and payments."""
    with open_books(Settings(database=database_at(str(tmp_path / "ledger.db"))), create=True) as opened:
        fill_demo(opened)
        yield opened


def looked_at(books: Books, provider: str) -> tuple[list[JournalEntry], list[JournalEntry]]:
    """Entries about facts that are proven together, and those that are left to a closer look."""
    with books.storage.reading() as tx:
        owner = find_provider(tx, provider)
        entries = list(tx.audit.journal(owner.id))
        whole = find_whole(tx, books, owner, entries)
    told = [entry for entry in entries if entry.event.startswith(("invoice.", "payment."))]
    return [entry for entry in told if entry.sequence in whole], [entry for entry in told if entry.sequence not in whole]


def test_plain_documents_and_payments_are_proven_together(books: Books, tmp_path: Path) -> None:
    """What billing runs, imports of line items and payments write needs no closer look, so that verification stays quick."""
    path = tmp_path / "lines.csv"
    path.write_text(LINES, encoding="utf-8")
    report = Report(lambda _: None)
    settings = Settings(database=database_at(str(tmp_path / "ledger.db")))
    for provider in ("vpsbg", "checkdomain"):
        import_line_items(books, settings, provider=provider, layout=online_retail_layout(), files=[path], report=report, advance=lambda _: None)
        line = {"name": "VPS", "quantity": "2.5", "unit_price": "10.005", "vat_rate": 20, "period": {"start": "2024-01-01"}, "order_id": 4}
        data: dict[str, Any] = {"account": "demo", "period": "2026-10", "product": "VPS", "lines": [line, {"name": "x", "unit_price": "1", "vat_rate": 9}]}
        data |= {"order_ids": [4, 5], "override_reason": "books", "note": "Thanks, Мария", "buyer": {"name": "Primer", "country": "BG", "city": "София"}}
        (billed,) = run_billing(books, provider=provider, read=lambda data=data: [BillingItem(position=1, data=data)])  # type: ignore[misc]
        with books.storage.reading() as tx:
            account = find_account(tx, find_provider(tx, provider), "demo")
        assert billed.invoice_id is not None, billed
        pay(books, account_id=account.id, amount_minor=1000, currency=EUR, invoice_ids=[billed.invoice_id], reference="SEPA")
        pay(books, account_id=account.id, amount_minor=5, currency=EUR)
    assert report.is_clean
    assert list(verify(books)) == []
    together, alone = looked_at(books, "vpsbg")
    assert {entry.event for entry in together} == {"invoice.issued", "invoice.recorded", "payment.recorded", "payment.allocated"}
    assert alone == []
    together, alone = looked_at(books, "checkdomain")
    assert {entry.event for entry in together} == {"invoice.issued", "invoice.recorded", "payment.recorded", "payment.allocated"}
    assert {entry.event for entry in alone} <= {"invoice.recorded"}  # the demo's, of which its source said more later


def test_what_is_not_plain_is_left_to_a_closer_look(books: Books) -> None:
    """An invoice with an allowance, one that was credited in part, and the credit note that settled it."""
    with books.storage.reading() as tx:
        account = find_account(tx, find_provider(tx, "vpsbg"), "demo")
    document: dict[str, Any] = {"lines": [{"name": "VPS", "unit_price": "10", "quantity": 2, "vat_rate": 20}]}
    reduced = {"allowances_charges": [{"amount": "1", "reason": "loyal", "vat_rate": 20}]}
    buyer = Party(name="B", country="BG")
    first = issue(books, account_id=account.id, draft=parse_draft(document | reduced, currency=EUR, buyer=buyer))
    second = issue(books, account_id=account.id, draft=parse_draft(document, currency=EUR, buyer=buyer))
    note = credit(books, account_id=account.id, invoice_id=second.id)
    together, alone = looked_at(books, "vpsbg")
    assert {first.id, note.id} <= {entry.subject_id for entry in alone}
    assert second.id in {entry.subject_id for entry in together}
    assert list(verify(books)) == []


def told(value: object) -> object:
    """What canonical JSON says of a value, made as its definition reads."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: told(known) for field in fields(value) if (known := getattr(value, field.name)) is not None}
    if isinstance(value, (list, tuple)):
        return [told(item) for item in value]
    return canonical(value) if isinstance(value, Decimal) else value.isoformat() if isinstance(value, date) else value


OPTIONAL: dict[str, list[Any]] = {
    "net_amount_minor": [None, 0, -5],
    "vat": [None, VatKey(None, Decimal("20.50")), VatKey(VatCategory.STANDARD, Decimal(20))],
    "item_id": [None, 'A"1\\'],
    "period": [None, Period(end=date(2024, 1, 31))],
    "order_id": [None, 7],
    "allowances_charges": [(), (AllowanceCharge(is_charge=True, amount_minor=5, reason="\x1f\u2028ж"),)],
}


def test_a_line_is_digested_as_any_value_is() -> None:
    """Lines are written out by hand, for speed: their text is what the definition gives, whatever they say, and no field is left out."""
    always: dict[str, Any] = {"name": 'VPS "M"\n', "quantity": Decimal("-0.0"), "unit_price": Decimal("1E+2"), "line_total_minor": -1, "unit_code": "HUR"}
    assert {*always, *OPTIONAL} == {field.name for field in fields(InvoiceLine)}
    for values in product(*OPTIONAL.values()):
        line = InvoiceLine(**always, **dict(zip(OPTIONAL, values, strict=True)))
        text = json.dumps(told(line), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        assert digest(line) == hashlib.sha256(text.encode()).digest()
