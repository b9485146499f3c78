"""Which of the files that came is a document's original."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from tests.conftest import open_ledger

from faktura.documents.handing_out import LackingError, hand_out_original
from faktura.domain.invoice import Invoice, Origin, TypeCode
from faktura.domain.money import Currency
from faktura.domain.payment import Standing
from faktura.domain.recorded import Heard, SourceKind
from faktura.ledger.importing import record
from faktura.ledger.verification import verify

SAID = Invoice(
    id=0,
    account_id=0,
    wire_id=0,
    origin=Origin.RECORDED,
    type_code=TypeCode.INVOICE,
    number="7",
    created_at_us=0,
    issue_date=date(2024, 7, 1),
    currency=Currency("EUR"),
    recorded_at_us=0,
    total_with_vat_minor=1200,
)


def test_what_may_be_another_document_is_not_its_original(tmp_path: Path) -> None:
    """A file with another total is kept, and handed out for nothing; the first that agrees is the original, and one after that is a conflict."""
    with open_ledger(tmp_path / "ledger.db") as ledger:
        ledger.provider("vpsbg")
        account = ledger.account("vpsbg", "a")

        def hear(kind: SourceKind, body: bytes, total_minor: int = 1200) -> tuple[int, list[str]]:
            invoice = replace(SAID, total_with_vat_minor=total_minor)
            heard = Heard(invoice=invoice, standing=Standing(), kind=kind, body=body)
            (change,) = record(ledger.books, provider="vpsbg", documents=[("a", heard)])
            return change.invoice_id, [item.term for item in change.differences]

        invoice_id, _ = hear(SourceKind.LINES, b"rows")
        assert hear(SourceKind.DOCUMENT, b"other", 1300) == (invoice_id, ["total_with_vat"])
        with pytest.raises(LackingError, match="may be another document"):
            hand_out_original(ledger.books, account_id=account.id, invoice_id=invoice_id)
        assert hear(SourceKind.DOCUMENT, b"right") == (invoice_id, [])
        assert hear(SourceKind.DOCUMENT, b"later") == (invoice_id, ["original"])
        assert hand_out_original(ledger.books, account_id=account.id, invoice_id=invoice_id).body == b"right"
        assert list(verify(ledger.books)) == []
