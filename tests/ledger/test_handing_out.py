"""What was handed out once is handed out for good."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from tests.conftest import BUYER, Ledger
from tests.database import execute

from faktura.domain.draft import parse_draft
from faktura.domain.errors import FakturaError, NotFoundError
from faktura.domain.invoice import Invoice
from faktura.domain.money import Currency
from faktura.ledger.commands import issue
from faktura.ledger.handing_out import hand_out
from faktura.ledger.queries import read_journal
from faktura.ledger.verification import verify

UBL, PDF = "ubl.xml", "pdf.de"


@pytest.fixture
def invoice(engine: str, ledger: Ledger) -> Invoice:
    """An issued invoice."""
    ledger.provider("vpsbg")
    account = ledger.account("vpsbg")
    draft = parse_draft({"lines": [{"name": "VPS", "unit_price": "10", "vat_rate": 20}]}, currency=Currency("EUR"), buyer=BUYER)
    return issue(ledger.books, account_id=account.id, draft=draft)


def test_the_first_xml_is_kept(ledger: Ledger, invoice: Invoice) -> None:
    """Whatever a later release would make, the bytes that were handed out first are handed out again, and nothing is written then."""
    first = hand_out(ledger.books, account_id=invoice.account_id, invoice_id=invoice.id, form=UBL, make=lambda: b"<first/>")
    again = hand_out(ledger.books, account_id=invoice.account_id, invoice_id=invoice.id, form=UBL, make=lambda: b"<second/>")
    assert again == first
    assert first.sha256 == hashlib.sha256(b"<first/>").digest()
    assert [entry.event for entry in read_journal(ledger.books, provider="vpsbg", limit=99)].count("document.handed-out") == 1


def test_each_pdf_is_written_down_once(ledger: Ledger, invoice: Invoice) -> None:
    """A PDF is made again, and its digest journalled where it is another; its bytes are not kept."""
    for body in (b"%PDF one", b"%PDF one", b"%PDF two", b"%PDF one"):
        assert hand_out(ledger.books, account_id=invoice.account_id, invoice_id=invoice.id, form=PDF, make=lambda body=body: body).body == body  # type: ignore[misc]
    rows = execute(ledger.books, "SELECT sha256, body FROM document_file ORDER BY file_id")
    assert [bytes(row["sha256"]) for row in rows] == [hashlib.sha256(body).digest() for body in (b"%PDF one", b"%PDF two")]
    assert {row["body"] for row in rows} == {None}
    assert list(verify(ledger.books)) == []


def test_of_two_at_once_one_wins(ledger: Ledger, invoice: Invoice) -> None:
    """Two that make different bytes at the same time both hand out those of whoever writes first."""
    both = Barrier(2)

    def ask(name: bytes) -> bytes | None:
        def make() -> bytes:
            both.wait(10)
            return name

        return hand_out(ledger.books, account_id=invoice.account_id, invoice_id=invoice.id, form=UBL, make=make).body

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(ask, (b"<one/>", b"<two/>")))
    assert len(set(answers)) == 1
    assert len(execute(ledger.books, "SELECT file_id FROM document_file")) == 1
    assert list(verify(ledger.books)) == []


def test_what_cannot_be_made_leaves_no_trace(ledger: Ledger, invoice: Invoice) -> None:
    """A refusal, and a document of another account: nothing is written."""

    def refuse() -> bytes:
        raise FakturaError("no")

    with pytest.raises(FakturaError, match="no"):
        hand_out(ledger.books, account_id=invoice.account_id, invoice_id=invoice.id, form=UBL, make=refuse)
    other = ledger.account("vpsbg", "other")
    with pytest.raises(NotFoundError):
        hand_out(ledger.books, account_id=other.id, invoice_id=invoice.id, form=UBL, make=lambda: b"<x/>")
    assert execute(ledger.books, "SELECT * FROM document_file") == []


def test_who_handed_it_out_is_told(ledger: Ledger, invoice: Invoice) -> None:
    """The journal names the actor."""
    hand_out(replace(ledger.books, actor="somebody"), account_id=invoice.account_id, invoice_id=invoice.id, form=UBL, make=lambda: b"<x/>")
    assert read_journal(ledger.books, provider="vpsbg", limit=99)[-1].actor == "somebody"
