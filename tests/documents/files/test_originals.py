"""Which of the files that came is a document's original."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import pytest
from tests.conftest import Ledger, open_ledger
from tests.documents.files.conftest import furnish

from faktura.documents.handing_out import LackingError, hand_out_as, hand_out_original
from faktura.domain.document_file import Form
from faktura.domain.invoice import Invoice, Origin, TypeCode
from faktura.domain.money import Currency
from faktura.domain.payment import Standing
from faktura.domain.recorded import Change, Heard, Outcome, SourceKind
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


def test_what_contradicts_is_never_the_original_however_often_it_comes(ledger: Ledger) -> None:
    """The same file again, at the same time or another: written once, a conflict each time."""
    ledger.provider("vpsbg")
    account = ledger.account("vpsbg", "a")

    def hear(heard: Heard) -> Change:
        (change,) = record(ledger.books, provider="vpsbg", documents=[("a", heard)])
        return change

    known = hear(Heard(invoice=SAID, standing=Standing(), kind=SourceKind.SINGLE, body=b"{}", seen_at_us=5))
    other = Heard(
        invoice=replace(SAID, total_with_vat_minor=5), standing=Standing(), kind=SourceKind.DOCUMENT, body=b"<Invoice>of another</Invoice>", seen_at_us=5
    )
    assert [hear(replace(other, seen_at_us=seen)).outcome for seen in (5, 5, 6, 6)] == [Outcome.CONFLICT] * 4
    with pytest.raises(LackingError, match="may be another document"):
        hand_out_original(ledger.books, account_id=account.id, invoice_id=known.invoice_id or 0)
    assert list(verify(ledger.books)) == []


@pytest.mark.parametrize("total_minor", [1200, 5], ids=["agrees", "contradicts"])
def test_what_was_handed_out_stays_when_an_original_comes(ledger: Ledger, total_minor: int) -> None:
    """An e-invoice made here of a recorded document is served for good, whatever comes of it later; what was not made before is refused where an original is."""
    invoice = furnish(ledger)["invoice"]
    said = replace(invoice, id=0, wire_id=0, origin=Origin.RECORDED, number="R-1", recorded_at_us=0, series=None, series_sequence=None)
    said = replace(said, total_with_vat_minor=invoice.total_with_vat_minor)
    (known,) = record(ledger.books, provider="vpsbg", documents=[("a", Heard(invoice=said, standing=Standing(), kind=SourceKind.SINGLE, body=b"{}"))])
    hand = partial(hand_out_as, ledger.books, account_id=invoice.account_id, invoice_id=known.invoice_id or 0)
    first = hand(form=Form.UBL)
    told = said if total_minor == 1200 else replace(said, total_with_vat_minor=total_minor)
    list(
        record(
            ledger.books,
            provider="vpsbg",
            documents=[("a", Heard(invoice=told, standing=Standing(), kind=SourceKind.DOCUMENT, body=b"<Invoice/>", seen_at_us=5))],
        )
    )
    assert hand(form=Form.UBL) == first
    if told is said:
        with pytest.raises(LackingError, match="ask for its original"):
            hand(form=Form.CII)
        assert hand_out_original(ledger.books, account_id=invoice.account_id, invoice_id=known.invoice_id or 0).body == b"<Invoice/>"
    else:
        assert hand(form=Form.CII).body
