"""Proofs of VAT ids: kept, journalled, and without a say in what is issued."""

from __future__ import annotations

from typing import Any

import pytest
from tests.database import dump

from faktura.domain.errors import InvalidDocumentError, NotFoundError
from faktura.domain.party import Party
from faktura.domain.vat import VatCategory
from faktura.ledger.accounts import add_account
from faktura.ledger.billing import BillingItem, run_billing
from faktura.ledger.queries import get_invoice, read_journal
from faktura.ledger.vat_checks import record_vat_check, vat_checks
from faktura.ledger.verification import verify

GERMAN = Party(name="Domains GmbH", country="DE", vat_id="DE136695976")


@pytest.fixture
def account(ledger: Any) -> Any:
    """A German business of a Bulgarian provider."""
    ledger.provider("vpsbg")
    return add_account(ledger.books, provider="vpsbg", reference="gmbh", buyer=GERMAN)


def test_a_proof_is_kept_as_it_was_given(ledger: Any, account: Any) -> None:
    """Each check is a fact with its journal entry, oldest first, and the ledger is whole."""
    first = record_vat_check(
        ledger.books, account_id=account.id, vat_id="DE136695976", is_valid=True, consultation="WAPI1", name="Domains GmbH", address="Bonn"
    )
    second = record_vat_check(ledger.books, account_id=account.id, vat_id="DE136695976", is_valid=False, checked_at_us=ledger.clock() - 1)
    assert vat_checks(ledger.books, account_id=account.id) == [first, second]
    assert (first.checked_at_us, second.checked_at_us) == (ledger.clock(), ledger.clock() - 1)
    told = [entry.subject_id for entry in read_journal(ledger.books, provider="vpsbg", limit=99) if entry.event == "vat-id.checked"]
    assert told == [first.check_id, second.check_id]
    assert list(verify(ledger.books)) == []


def test_a_check_never_decides(ledger: Any, account: Any) -> None:
    """A buyer whose id VIES calls invalid is still invoiced by its check digits: the answer may be late, or wrong."""
    record_vat_check(ledger.books, account_id=account.id, vat_id="DE136695976", is_valid=False)
    item = BillingItem(position=1, data={"account": "gmbh", "period": "2024-08", "product": "VPS", "lines": [{"name": "VPS", "unit_price": "1"}]})
    (report,) = run_billing(ledger.books, provider="vpsbg", read=lambda: [item])
    invoice = get_invoice(ledger.books, invoice_id=report.invoice_id or 0).invoice
    assert invoice.vat_breakdown[0].category is VatCategory.REVERSE_CHARGE


def test_all_mistakes_of_a_check_at_once(ledger: Any, account: Any) -> None:
    """Blank or endless texts and an instant to come are faults, and nothing is written."""
    before = dump(ledger.books)
    given: dict[str, Any] = {"vat_id": " ", "consultation": "", "name": "x" * 1001, "address": "a\x00", "checked_at_us": ledger.clock() + 1}
    with pytest.raises(InvalidDocumentError) as refused:
        record_vat_check(ledger.books, account_id=account.id, is_valid=True, **given)
    assert [found.path for found in refused.value.faults] == ["vat_id", "consultation", "name", "address", "checked_at"]
    with pytest.raises(NotFoundError):
        record_vat_check(ledger.books, account_id=5, vat_id="DE136695976", is_valid=True)
    assert dump(ledger.books) == before
