"""What comes in is kept with its meaning, refused, or told: never kept as something else, nor dropped unsaid."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.documents.einvoice.sample import as_document
from tests.domain.sample import ALLOWANCE, CHARGE, DRAFT

from faktura.documents.e_invoice import to_e_invoice
from faktura.documents.en16931 import CREDIT_NOTE_TYPES, CreditTransfer, EInvoice, Identifier, PaymentInstructions, Profile
from faktura.documents.heard_invoice import to_invoice
from faktura.domain.errors import InvalidDocumentError
from faktura.domain.invoice import TypeCode

GOOD = to_e_invoice(as_document(replace(DRAFT, allowances_charges=(ALLOWANCE, CHARGE))), profile=Profile.XRECHNUNG)
LINE = GOOD.lines[0]


def refused(document: EInvoice) -> set[tuple[str, str]]:
    """Rules and paths of the refusal."""
    with pytest.raises(InvalidDocumentError) as caught:
        to_invoice(document)
    return {(item.rule, item.path) for item in caught.value.faults}


def priced(**price: Any) -> EInvoice:
    """The document with another price in its line."""
    assert LINE.price
    return replace(GOOD, lines=(replace(LINE, price=replace(LINE.price, **price)),))


@pytest.mark.parametrize("code", sorted(CREDIT_NOTE_TYPES))
def test_credit_notes_of_every_kind_take_away(code: str) -> None:
    """Its sign is a credit note's; a code that the ledger does not keep is told; a negative total, which would add, is refused."""
    heard = to_invoice(replace(GOOD, type_code=code))
    assert heard.invoice.type_code is TypeCode.CREDIT_NOTE
    assert any(code in said for said in heard.not_kept if said.startswith("BT-3 ")) is (code != "381")
    negative = replace(GOOD, type_code=code, totals=replace(GOOD.totals, total_with_vat=Decimal(-5)))
    assert ("value", "total_with_vat") in refused(negative)
    unsaid = replace(GOOD, type_code=code, totals=replace(GOOD.totals, total_with_vat=None, payable=Decimal(-5)))
    assert ("value", "total_with_vat") in refused(unsaid)


def test_other_types_stay_unknown() -> None:
    """A code that is no credit note's keeps its own word."""
    invoice = to_invoice(replace(GOOD, type_code="384")).invoice
    assert (invoice.type_code, invoice.source_type) == (None, "384")


def test_numbers_that_are_none() -> None:
    """A price beyond all bounds, a negative base quantity, a negative rate: refused by field."""
    assert ("value", "lines[0].unit_price") in refused(priced(net=Decimal("9" * 30), base_quantity=Decimal("1E-30")))
    assert refused(priced(base_quantity=Decimal(-1))) == {("PEPPOL-EN16931-R121", "lines[0].price.base_quantity")}
    negative = replace(GOOD, lines=(replace(LINE, vat_rate=Decimal(-7)),), vat_breakdown=(replace(GOOD.vat_breakdown[0], rate=Decimal(-7)),))
    assert refused(negative) == {("value", "lines[0].vat_rate"), ("value", "vat_breakdown[0].rate")}


def test_what_does_not_fit_is_told() -> None:
    """Terms that have a place here, with values that do not go there."""
    assert GOOD.seller
    assert GOOD.buyer
    odd = replace(
        GOOD,
        seller=replace(GOOD.seller, electronic_address=Identifier(value="a b", scheme="0088"), registration_id=Identifier(value="1", scheme="0204")),
        buyer=replace(GOOD.buyer, electronic_address=Identifier(value="a@b.example"), registration_id=Identifier(value="2", scheme="0002")),
        payment=PaymentInstructions(means_code="30", remittance="RF18", credit_transfers=(CreditTransfer(account="12-345", bic="?", account_name="A"),)),
        totals=replace(GOOD.totals, prepaid=Decimal(1), payable=None),
        vat_breakdown=(replace(GOOD.vat_breakdown[0], category="L"),),
    )
    heard = to_invoice(odd)
    told = {said.split(" ", 1)[0] for said in heard.not_kept}
    assert {"BT-34", "BT-30", "BT-49", "BT-47", "BT-84", "BT-86", "BT-81", "BT-83", "BT-113", "BT-118"} <= told
    assert "BT-85" not in told
    assert heard.invoice.seller
    assert heard.invoice.seller.account_name == "A"


def test_nothing_is_told_of_what_is_kept() -> None:
    """Of a document of the ledger's own, what only the XML says."""
    told = {said.split(" ", 1)[0] for said in to_invoice(GOOD).not_kept}
    assert not told & {"BT-30", "BT-34", "BT-47", "BT-49", "BT-84", "BT-86", "BT-113"}


@pytest.mark.parametrize(
    ("reason", "code", "kept"),
    [
        ("Rebate", "95", "Rebate"),
        (None, "95", "allowance of reason code 95"),
        (None, None, "allowance without a reason"),
        (" ", None, "allowance without a reason"),
    ],
)
def test_reasons(reason: str | None, code: str | None, kept: str) -> None:
    """An allowance is kept with words that say no more than the document does."""
    document = replace(GOOD, allowances=(replace(GOOD.allowances[0], reason=reason, reason_code=code),))
    assert next(item.reason for item in to_invoice(document).invoice.allowances_charges if not item.is_charge) == kept


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        *(("4711", (4711,)), ("7, 1042", (7, 1042)), ("9223372036854775807", None)),
        *((text, None) for text in ("0815", "SO-7", "7;8", "7,8", "7, ", "0", "-7", "\u0667", "7\n", "1" * 30, "1" * 5000, ", ".join("7" * 99_999))),
        (", ".join("7" * 9999), (7,) * 9999),
    ],
)
def test_a_sales_order_of_plain_numbers_is_the_order(said: str, kept: tuple[int, ...] | None) -> None:
    """As we write them ourselves; every other is told."""
    heard = to_invoice(replace(GOOD, sales_order=said))
    assert heard.invoice.order_ids == kept
    assert ("BT-14 Sales order reference" in heard.not_kept) is (kept is None)


def test_a_party_without_a_name_is_told() -> None:
    """The ledger keeps no party without one."""
    document = replace(GOOD, buyer=replace(GOOD.buyer, name=None) if GOOD.buyer else None)
    assert any(said.startswith("BG-7 Buyer") for said in to_invoice(document).not_kept)
