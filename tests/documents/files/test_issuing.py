"""Issuing for a profile: what an e-invoice would lack is told before a number is taken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.conftest import Ledger
from tests.database import dump
from tests.documents.files.conftest import EUR, LINE, RECEIVER, SENDER, TODAY

from faktura.domain.draft import parse_draft
from faktura.domain.errors import InvalidDocumentError, SettingError
from faktura.domain.invoice import Draft
from faktura.domain.party import Party
from faktura.ledger.accounts import add_account, set_provider
from faktura.ledger.billing import BillingItem, run_billing, validate_item
from faktura.ledger.commands import credit, issue


@pytest.fixture
def account(ledger: Ledger) -> Any:
    """An account of a provider that issues for XRechnung."""
    ledger.provider("vpsbg", seller=SENDER, e_invoice_profile="xrechnung")
    return add_account(ledger.books, provider="vpsbg", reference="a", buyer=RECEIVER)


def draft(buyer: Party, **fields: Any) -> Draft:
    """A document for a buyer."""
    return parse_draft({"lines": [LINE], "payment_terms": "14 days", **fields}, currency=EUR, buyer=buyer, seller=SENDER, today=TODAY)


def test_what_the_profile_lacks_takes_no_number(ledger: Ledger, account: Any) -> None:
    """All missing terms at once, nothing is written; a complete document and its credit note are issued, and so is a pro-forma."""
    before = dump(ledger.books)
    with pytest.raises(InvalidDocumentError) as refused:
        issue(ledger.books, account_id=account.id, draft=draft(replace(RECEIVER, buyer_reference=None, electronic_address=None)))
    assert {"BR-DE-15"} <= {item.rule for item in refused.value.faults}
    assert dump(ledger.books) == before
    invoice = issue(ledger.books, account_id=account.id, draft=draft(RECEIVER))
    assert invoice.series_sequence == 1
    credit(ledger.books, account_id=account.id, invoice_id=invoice.id)
    issue(ledger.books, account_id=account.id, draft=draft(Party(name="B", country="BG"), type_code=325, order_ids=[1]))


def test_a_correction_is_issued_whatever_its_invoice_lacked(ledger: Ledger, account: Any) -> None:
    """An invoice of before the profile was asked for can be credited: the law wants that, and the buyer is the invoice's own."""
    set_provider(ledger.books, name="vpsbg", change=lambda provider: replace(provider, e_invoice_profile=None))
    invoice = issue(ledger.books, account_id=account.id, draft=draft(replace(RECEIVER, buyer_reference=None, electronic_address=None)))
    set_provider(ledger.books, name="vpsbg", change=lambda provider: replace(provider, e_invoice_profile="xrechnung"))
    assert credit(ledger.books, account_id=account.id, invoice_id=invoice.id).type_code == 381


def test_billing_runs_ask_for_it_too(ledger: Ledger, account: Any) -> None:
    """An item that lacks terms is refused, in the check and in the run; the others are issued."""
    lines = [{"name": "VPS", "unit_price": "1"}]
    good = BillingItem(position=1, data={"account": "a", "period": "2024-08", "product": "p", "payment_terms": "14 days", "lines": [LINE]})
    bad = BillingItem(position=2, data={"account": "a", "period": "2024-08", "product": "q", "buyer": {"name": "B", "country": "BG"}, "lines": lines})
    assert [validate_item(ledger.books, "vpsbg", item).outcome for item in (good, bad)] == ["valid", "refused"]
    reports = sorted(run_billing(ledger.books, provider="vpsbg", read=lambda: [good, bad]), key=lambda report: report.position)
    assert [report.outcome for report in reports] == ["issued", "refused"]


def test_the_setting_is_a_profile(ledger: Ledger, account: Any) -> None:
    """Another word is refused; none asks for nothing."""
    with pytest.raises(SettingError, match="en16931, xrechnung, peppol, facturx"):
        set_provider(ledger.books, name="vpsbg", change=lambda provider: replace(provider, e_invoice_profile="x"))
    set_provider(ledger.books, name="vpsbg", change=lambda provider: replace(provider, e_invoice_profile=None))
    issue(ledger.books, account_id=account.id, draft=draft(Party(name="B", country="BG")))
