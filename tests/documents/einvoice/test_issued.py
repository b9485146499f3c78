"""What the ledger issues, as e-invoices: lawful in each profile, and read back as they were written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from tests.documents.einvoice.official import complaints
from tests.documents.einvoice.sample import BUYER, SELLER, as_document, documents, has_thousandths, long_document
from tests.domain.sample import ALLOWANCE, CHARGE, DRAFT

from faktura.documents import xml_invoice
from faktura.documents.arithmetic import arithmetic_faults
from faktura.documents.e_invoice import to_e_invoice
from faktura.documents.en16931 import EInvoice, Profile, Syntax
from faktura.documents.heard_invoice import to_invoice
from faktura.documents.requirements import required_faults
from faktura.domain.invoice import Invoice, TypeCode
from faktura.domain.party import Party
from faktura.domain.payment import settle

AMOUNTS = tuple(f"{name}_minor" for name in "line_total allowance_total charge_total total_without_vat vat_total total_with_vat".split())
WAYS = [(profile, syntax) for profile in Profile for syntax in profile.syntaxes]
EXPECTED_WARNINGS = {
    "BR-DE-17",  # a debit note (383) is none of the types that XRechnung prefers
    "PEPPOL-EN16931-R008",  # CII's schema wants its delivery element, which is empty where periods say when it was supplied
    "BR-DE-21",  # a Peppol invoice does not call itself an XRechnung
}
_CHECKS = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def told_before(document: Invoice) -> set[str]:
    """What no e-invoice can say: thousandths of a currency, VAT of rates that the official rules round to none, and VAT that is off by a whole yen."""
    tiny = [group for group in document.vat_breakdown if 0 < group.rate < Decimal("0.5")]
    units = 10**document.currency.digits
    has_tax = any(not -units <= 2 * (group.tax_amount_minor or 0) < units for group in tiny)
    is_off = any(abs((group.tax_amount_minor or 0) - (group.taxable_amount_minor or 0) * group.rate / 100) >= units for group in document.vat_breakdown)
    return ({"BR-DEC"} if has_thousandths(document) else set()) | ({"BR-CO-17"} if has_tax or is_off else set())


def rendered(document: Invoice) -> Iterator[tuple[Profile, Syntax, EInvoice, bytes]]:
    """The document in each syntax of each profile."""
    for profile, syntax in WAYS:
        terms = to_e_invoice(document, profile=profile)
        yield profile, syntax, terms, xml_invoice.render(terms, syntax=syntax)


def assert_lawful(document: Invoice) -> None:
    """Schema and official rules accept it, in each way; what they only warn of is expected."""
    for profile, syntax, terms, body in rendered(document):
        assert required_faults(terms, profile) == []
        errors, warnings = complaints(body, syntax, profile)
        assert errors == [], (profile, syntax, body.decode())
        assert {said.split(" ", 1)[0] for said in warnings} <= EXPECTED_WARNINGS, (profile, syntax)


@given(document=documents())
@settings(max_examples=40, deadline=None, suppress_health_check=_CHECKS, derandomize=True, phases=[Phase.generate])
def test_official_rules(document: Invoice) -> None:
    """Whatever the ledger issues is valid under the schema and the official rules of each profile, but for what we tell before."""
    refused = told_before(document)
    assert {found.rule for found in arithmetic_faults(to_e_invoice(document, profile=Profile.EN16931))} == refused
    if not refused:
        assert_lawful(document)


@given(document=documents())
@settings(max_examples=150, deadline=None, suppress_health_check=_CHECKS)
def test_read_back(document: Invoice) -> None:
    """Both syntaxes read back as the terms that were written, nothing left out; the same bytes each time; our own arithmetic agrees."""
    for profile, syntax, terms, body in rendered(document):
        parsed = xml_invoice.parse(body)
        assert parsed.document == terms
        assert (parsed.syntax, parsed.left_out, parsed.specification_id) == (syntax, (), profile.specification_id)
        assert xml_invoice.render(parsed.document, syntax=syntax) == body
        assert {found.rule for found in arithmetic_faults(terms)} == told_before(document)


@pytest.mark.parametrize("count", [1, 1114])
def test_long_documents(count: int) -> None:
    """One line or 1,114, of cents that include VAT: lawful, and read back."""
    document = long_document(count)
    for profile, syntax, terms, body in rendered(document):
        assert arithmetic_faults(terms) == []
        assert xml_invoice.parse(body).document == terms
        if (profile, syntax) in {(Profile.XRECHNUNG, Syntax.UBL), (Profile.FACTURX, Syntax.CII)}:
            assert complaints(body, syntax, profile)[0] == []


@given(document=documents())
@settings(max_examples=60, deadline=None, suppress_health_check=_CHECKS)
def test_heard_again(document: Invoice) -> None:
    """An e-invoice that comes in is a recorded document of the same amounts, dates and parties, and can be written again."""
    for profile, _, terms, body in rendered(document):
        heard = to_invoice(xml_invoice.parse(body).document)
        for name in ("number", "type_code", "issue_date", "due_date", "tax_point_date", "period", "currency", "vat_breakdown", "note", *AMOUNTS):
            assert getattr(heard.invoice, name) == getattr(document, name), name
        assert heard.invoice.order_ids == (document.order_ids or None)
        assert not any(said.startswith("BT-14 ") for said in heard.not_kept)
        assert [line.net_amount_minor for line in heard.invoice.lines or ()] == [line.net_amount_minor for line in document.lines or ()]
        assert heard.standing.due_minor == document.total_with_vat_minor
        if terms.vat_breakdown[0].category != "O":  # that names no VAT ids
            assert heard.invoice.seller == replace(SELLER, iban=heard.invoice.seller.iban if heard.invoice.seller else None, **_unpaid(heard.invoice))  # type: ignore[arg-type]
            assert heard.invoice.buyer == BUYER
        assert to_e_invoice(heard.invoice, profile=profile).totals == terms.totals


def _unpaid(document: Invoice) -> dict[str, None]:
    """A credit note says no account to pay to."""
    return {"bic": None, "account_name": None} if document.type_code is TypeCode.CREDIT_NOTE else {}


@pytest.mark.parametrize("role", ["seller", "buyer"])
@pytest.mark.parametrize("name", [field.name for field in fields(Party) if field.name != "name"])
def test_whatever_a_party_lacks(role: str, name: str) -> None:
    """What the official rules miss in a party we told before, and what we tell they miss, but for Peppol's own rules, which no package ships."""
    parties = {"seller": SELLER, "buyer": BUYER}
    parties[role] = replace(parties[role], **{name: None})  # type: ignore[arg-type]
    document = as_document(DRAFT, **parties)
    for profile, syntax, terms, body in rendered(document):
        told = {found.rule for found in required_faults(terms, profile)}
        errors = {said.split(" ", 1)[0] for said in complaints(body, syntax, profile)[0]}
        errors = {rule for rule in errors if rule != "XSD" and not rule.startswith("FX-SCH-A-")}  # the same again, of Factur-X's schema
        assert errors <= told, (profile, syntax)
        if profile is not Profile.PEPPOL:
            assert bool(told) == bool(errors), (profile, syntax)


def test_amounts_of_the_ledger() -> None:
    """Totals are those of the document; what was paid since is told where a standing is given."""
    document = as_document(replace(DRAFT, allowances_charges=(ALLOWANCE, CHARGE)))
    money = document.currency
    totals = to_e_invoice(document, profile=Profile.EN16931).totals
    assert totals.total_with_vat == totals.payable == money.to_decimal(document.total_with_vat_minor or 0)
    assert (totals.line_total, totals.allowance_total, totals.charge_total) == (Decimal(100), Decimal(5), Decimal(3))
    assert totals.prepaid is None
    later = to_e_invoice(document, profile=Profile.EN16931, standing=replace(settle(document.total_with_vat_minor or 0, ()), paid_minor=1000)).totals
    assert (later.prepaid, later.payable) == (Decimal(10), (totals.total_with_vat or 0) - Decimal(10))


def test_credit_notes_are_ubl_credit_notes() -> None:
    """A 381 is a CreditNote in UBL, its amounts positive."""
    document = replace(as_document(DRAFT), type_code=TypeCode.CREDIT_NOTE)
    body = xml_invoice.render(to_e_invoice(document, profile=Profile.EN16931), syntax=Syntax.UBL)
    assert b"<CreditNote " in body
    assert b">-" not in body


@pytest.mark.parametrize("type_code", [TypeCode.INVOICE, TypeCode.DEBIT_NOTE, TypeCode.CREDIT_NOTE])
def test_what_no_terms_mean(type_code: TypeCode) -> None:
    """An invoice is payable on receipt, a credit note is not to be paid; a day or terms of the document's own stand alone, and nothing needs no words."""
    document = replace(as_document(DRAFT), type_code=type_code)
    said = "Credited to the buyer, nothing to pay" if type_code is TypeCode.CREDIT_NOTE else "Payable on receipt"
    for profile in Profile:
        assert to_e_invoice(document, profile=profile).payment_terms == said
        assert to_e_invoice(replace(document, due_date=document.issue_date), profile=profile).payment_terms is None
        assert to_e_invoice(replace(document, payment_terms="Refunded"), profile=profile).payment_terms == "Refunded"
        paid = replace(settle(document.total_with_vat_minor or 0, ()), paid_minor=document.total_with_vat_minor)
        assert to_e_invoice(document, profile=profile, standing=paid).payment_terms is None


@pytest.mark.parametrize("type_code", ["380", "383", "381", "261"])
def test_only_what_is_paid_needs_terms(type_code: str) -> None:
    """BR-CO-25, as UBL's official rules ask it of invoices alone."""
    document = replace(to_e_invoice(as_document(DRAFT), profile=Profile.EN16931), type_code=type_code, due_date=None, payment_terms=None)
    assert ({found.rule for found in required_faults(document, Profile.EN16931)} == {"BR-CO-25"}) is (type_code in {"380", "383"})


@pytest.mark.parametrize(("order_ids", "said"), [((4711,), b"4711"), ((1043, 7, 1042), b"1043, 7, 1042")])
def test_order_numbers_are_the_sales_order(order_ids: tuple[int, ...], said: bytes) -> None:
    """BT-14 in both syntaxes, also of a credit note; UBL's mandatory number of the buyer's own order, which is none, stays NA and nobody's reference."""
    for type_code in (TypeCode.INVOICE, TypeCode.CREDIT_NOTE):
        document = replace(as_document(replace(DRAFT, type_code=type_code, order_ids=order_ids)), buyer=replace(BUYER, buyer_reference=None))
        terms = to_e_invoice(document, profile=Profile.PEPPOL)
        assert (terms.order, terms.sales_order) == (None, said.decode())
        assert "PEPPOL-EN16931-R003" in {found.rule for found in required_faults(terms, Profile.PEPPOL)}
        ubl, cii = (xml_invoice.render(terms, syntax=syntax) for syntax in Syntax)
        assert b"<cac:OrderReference><cbc:ID>NA</cbc:ID><cbc:SalesOrderID>" + said + b"</cbc:SalesOrderID></cac:OrderReference>" in ubl
        assert b"<ram:SellerOrderReferencedDocument><ram:IssuerAssignedID>" + said + b"<" in cii
        assert xml_invoice.parse(ubl).document == xml_invoice.parse(cii).document == terms


def test_missing_terms_are_told_at_once() -> None:
    """What a profile requires of the parties is told together, by the form's field names."""
    bare = as_document(DRAFT, seller=replace(DRAFT.buyer, name="S", country="BG", vat_id="BG175074752"), buyer=replace(BUYER, city=None, buyer_reference=None))
    found = {(item.rule, item.path) for item in required_faults(to_e_invoice(bare, profile=Profile.XRECHNUNG), Profile.XRECHNUNG)}
    assert found == {
        ("BR-DE-15", "buyer.buyer_reference"),
        ("BR-DE-5", "seller.contact_name"),
        ("BR-DE-6", "seller.phone"),
        ("BR-DE-7", "seller.email"),
        ("BR-DE-3", "seller.city"),
        ("BR-DE-4", "seller.post_code"),
        ("BR-DE-8", "buyer.city"),
        ("PEPPOL-EN16931-R020", "seller.electronic_address"),
    }
