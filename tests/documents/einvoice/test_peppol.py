"""What Peppol asks beyond EN 16931, by scheme and by country: told before a document is sent, and nothing told of one that is lawful there."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from tests.documents.einvoice.sample import BUYER, SELLER, as_document
from tests.domain.sample import DRAFT

from faktura.documents import xml_invoice
from faktura.documents.e_invoice import to_e_invoice
from faktura.documents.en16931 import Address, Adjustment, EInvoice, Identifier, Note, PaymentInstructions, Profile, Syntax
from faktura.documents.requirements import required_faults
from faktura.documents.validation import official_faults
from faktura.domain.invoice import Invoice, PrecedingInvoice, TypeCode
from faktura.domain.money import Currency
from faktura.domain.vat import VatCategory, VatKey

PARTIES: dict[str, dict[str, Any]] = {
    "BG": {},
    "DE": {"vat_id": "DE136695976", "registration_id": "HRB 4711", "electronic_address": "9930:DE136695976"},
    "DK": {"vat_id": "DK13585628", "registration_id": "DK13585628", "electronic_address": "0184:DK13585628"},
    "GR": {"vat_id": "EL094259216", "electronic_address": "9933:094259216"},
    "IS": {"vat_id": "IS12345", "registration_id": "4710080280", "electronic_address": "0196:4710080280"},
    "IT": {"vat_id": "IT00743110157", "tax_number": "RSSMRA85T10A562S", "electronic_address": "0211:IT00743110157"},
    "NL": {"vat_id": "NL4495445B01", "registration_id": "12345678", "electronic_address": "0106:12345678"},
    "NO": {"vat_id": "NO995525828MVA", "registration_id": "995525828", "electronic_address": "0192:995525828"},
    "SE": {"vat_id": "SE202100548901", "registration_id": "2021005489", "electronic_address": "0007:2021005489"},
}
"""What is lawful of a party in each country; of Greek sellers nothing that we write is."""
RATE = VatKey(VatCategory.STANDARD, Decimal(25))


def document(countries: str, *, seller: dict[str, Any] | None = None, buyer: dict[str, Any] | None = None, **more: Any) -> Invoice:
    """Sold from a country to another, with what is lawful there but for what is given."""
    sold_from, sold_to = countries.split(">")
    draft = replace(DRAFT, lines=(replace(DRAFT.lines[0], vat=RATE),))
    return replace(
        as_document(
            draft,
            seller=replace(SELLER, country=sold_from, **PARTIES[sold_from] | (seller or {})),
            buyer=replace(BUYER, country=sold_to, **PARTIES[sold_to] | (buyer or {})),
        ),
        **more,
    )


def told(invoice: Invoice | EInvoice) -> set[tuple[str, str]]:
    """Rules and fields."""
    terms = invoice if isinstance(invoice, EInvoice) else to_e_invoice(invoice, profile=Profile.PEPPOL)
    return {(found.rule, found.path) for found in required_faults(terms, Profile.PEPPOL)}


def credit(countries: str) -> Invoice:
    """A credit note of an invoice five days before."""
    return replace(document(countries), type_code=TypeCode.CREDIT_NOTE, preceding_invoice=PrecedingInvoice(number="1", issue_date=date(2024, 9, 20)))


LAWFUL = [
    *(document(f"{seller}>{buyer}") for seller in PARTIES if seller != "GR" for buyer in PARTIES),
    *(credit(f"{country}>{country}") for country in PARTIES if country != "GR"),
    document("NL>DE", seller={"iban": None, "bic": None, "account_name": None}),
    document("SE>SE", seller={"tax_number": "Godkänd för F-skatt"}),
    document("BG>DE", buyer={"post_code": None}),
    document("DE>BG", seller={"phone": None, "contact_name": None, "email": None}),
    document("DK>DK", seller={"iban": None, "bic": None, "account_name": None}),
]
"""What Peppol carries."""


@pytest.mark.parametrize("invoice", LAWFUL, ids=lambda item: f"{item.seller.country}-{item.buyer.country}-{int(item.type_code)}")
def test_what_is_lawful_is_not_kept_back(invoice: Invoice) -> None:
    """In each country and between any two of them; and it is read back as it was written."""
    assert told(invoice) == set()
    terms = to_e_invoice(invoice, profile=Profile.PEPPOL)
    assert xml_invoice.parse(xml_invoice.render(terms, syntax=Syntax.UBL)).document == terms


@pytest.mark.parametrize(
    "invoice", [item for item in LAWFUL if (item.seller and item.seller.country in {"DE", "NL"}) or item.type_code is not TypeCode.INVOICE]
)
def test_peppol_takes_it(invoice: Invoice) -> None:
    """Peppol's own rules find nothing, but for what they have stricter than today: that is no error when they are run here."""
    body = xml_invoice.render(to_e_invoice(invoice, profile=Profile.PEPPOL), syntax=Syntax.UBL)
    assert official_faults(body, Profile.PEPPOL) == []


GERMAN_TERMS = {
    "DE-R-003": ("seller", "city"),
    "DE-R-004": ("seller", "post_code"),
    "DE-R-005": ("seller", "contact_name"),
    "DE-R-006": ("seller", "phone"),
    "DE-R-007": ("seller", "email"),
    "DE-R-008": ("buyer", "city"),
    "DE-R-009": ("buyer", "post_code"),
    "DE-R-015": ("buyer", "buyer_reference"),
}


@pytest.mark.parametrize("rule", GERMAN_TERMS)
def test_between_german_parties_peppol_asks_what_xrechnung_asks(rule: str) -> None:
    """Each term that lacks, under Peppol's own number; of no other pair of countries."""
    role, field = GERMAN_TERMS[rule]
    found = told(document("DE>DE", **{role: {field: None}}))
    also = {("PEPPOL-EN16931-R003", "buyer.buyer_reference")} if field == "buyer_reference" else set()
    assert found == {(rule, f"{role}.{field}")} | also
    for countries in ("DE>BG", "BG>DE"):
        assert told(document(countries, **{role: {field: None}})) == also
    xrechnung = to_e_invoice(document("DE>DE", **{role: {field: None}}), profile=Profile.XRECHNUNG)
    assert f"BR-DE-{int(rule[-3:])}" in {item.rule for item in required_faults(xrechnung, Profile.XRECHNUNG)}


def test_the_rest_of_the_german_rules() -> None:
    """Payment, delivery, rates, the seller's tax number, cash discounts, telephone and mail."""
    terms = to_e_invoice(document("DE>DE"), profile=Profile.PEPPOL)
    assert terms.seller
    assert terms.seller.contact
    assert terms.delivery
    assert told(replace(terms, payment=None)) == {("DE-R-001", "payment")}
    bare = replace(terms, delivery=replace(terms.delivery, address=Address(country="DE")))
    assert {rule for rule, _ in told(bare)} == {"DE-R-010", "DE-R-011"}
    assert ("DE-R-014", "vat_breakdown") in told(replace(terms, vat_breakdown=(replace(terms.vat_breakdown[0], rate=None),)))
    assert ("DE-R-016", "seller.vat_id") in told(replace(terms, seller=replace(terms.seller, vat_id=None)))
    assert told(replace(terms, payment_terms="#SKONTO#TAGE=14#PROZENT=2.00#")) == {("DE-R-018", "payment_terms")}
    assert told(replace(terms, payment_terms="#SKONTO#TAGE=14#PROZENT=2.00#\n")) == set()
    odd = replace(terms.seller, contact=replace(terms.seller.contact, phone="12", email="nobody"))
    assert told(replace(terms, seller=odd)) == {("DE-R-027", "seller.phone"), ("DE-R-028", "seller.email")}
    assert told(replace(terms, notes=(Note(text="a"), Note(text="b")))) == set()
    assert told(replace(terms, type_code="384")) == set()


NUMBERS = [
    ("0007", "PEPPOL-COMMON-R049", "2021005489", ("2021005488", "202100548", "202100548x")),
    ("0088", "PEPPOL-COMMON-R040", "4035811991021", ("4035811991022", "403581199102x", "x", "4")),
    ("0096", "PEPPOL-COMMON-R052", "1234567890", ("123456789", "123456789x")),
    ("0151", "PEPPOL-COMMON-R050", "51824753556", ("51824753557", "5182475355")),
    ("0184", "PEPPOL-COMMON-R042", "DK13585628", ("13585628", "DK1358562", "dk13585628")),
    ("0192", "PEPPOL-COMMON-R041", "995525828", ("995525829", "99552582", "000000000")),
    ("0198", "PEPPOL-COMMON-R053", "DK13585628", ("13585628",)),
    ("0208", "PEPPOL-COMMON-R043", "0428759497", ("0428759498", "428759497", "BE0428759497")),
]


@pytest.mark.parametrize(("scheme", "rule", "right", "wrong"), NUMBERS, ids=[row[0] for row in NUMBERS])
def test_addresses_are_of_their_scheme(scheme: str, rule: str, right: str, wrong: tuple[str, ...]) -> None:
    """Form and check digits, of either party's address and of other identifiers that name the scheme."""
    assert told(document("BG>DE", buyer={"electronic_address": f"{scheme}:{right}"})) == set()
    for value in wrong:
        for role in ("seller", "buyer"):
            assert told(document("BG>DE", **{role: {"electronic_address": f"{scheme}:{value}"}})) == {(rule, f"{role}.electronic_address")}
        terms = to_e_invoice(document("BG>DE"), profile=Profile.PEPPOL)
        assert terms.seller
        assert terms.buyer
        of_scheme = Identifier(value=value, scheme=scheme)
        assert told(replace(terms, seller=replace(terms.seller, ids=(of_scheme,)))) == {(rule, "seller.ids[0]")}
        assert told(replace(terms, buyer=replace(terms.buyer, registration_id=of_scheme))) == {(rule, "buyer.registration_id")}


def test_addresses_that_peppol_does_not_deliver_to() -> None:
    """Mail is a scheme of the EU's list and none of Peppol's; what is in neither is told once."""
    mail = document("BG>DE", buyer={"electronic_address": "EM:a@b.example"})
    assert told(mail) == {("PEPPOL-EN16931-CL008", "buyer.electronic_address")}
    assert required_faults(to_e_invoice(mail, profile=Profile.EN16931), Profile.EN16931) == []
    assert told(document("BG>DE", buyer={"electronic_address": "9999:1"})) == {
        ("BR-CL-25", "buyer.electronic_address"),
        ("PEPPOL-EN16931-CL008", "buyer.electronic_address"),
    }


NO_ACCOUNT = {"iban": None, "bic": None, "account_name": None}
UNLAWFUL: list[tuple[Invoice, set[tuple[str, str]]]] = [
    (document("NO>BG", seller={"vat_id": "NO995525829MVA"}), {("NO-R-001", "seller.vat_id")}),
    (document("NO>BG", seller={"vat_id": "NO995525828"}), {("NO-R-001", "seller.vat_id")}),
    (document("DK>BG", seller={"registration_id": None}), {("DK-R-002", "seller.registration_id")}),
    (document("DK>BG", seller={"registration_id": "13585628"}), {("PEPPOL-COMMON-R042", "seller.registration_id")}),
    (document("DK>DK", currency=Currency("DKK")), {("DK-R-005", "payment.means_code")}),
    (document("IS>BG", seller={"registration_id": None}), {("IS-R-002", "seller.registration_id")}),
    (document("IS>IS", buyer={"registration_id": None}), {("IS-R-004", "buyer.registration_id")}),
    (document("IS>BG", seller={"street": None, "post_code": None}), {("IS-R-003", "seller.street"), ("IS-R-003", "seller.post_code")}),
    (document("IS>IS", buyer={"street": None}), {("IS-R-005", "buyer.street")}),
    (document("SE>BG", seller={"vat_id": "SE20210054890"}), {("SE-R-001", "seller.vat_id")}),
    (document("SE>BG", seller={"registration_id": "202100-5489"}), {("SE-R-004", "seller.registration_id")}),
    (document("SE>BG", seller={"registration_id": "2021005488"}), {("SE-R-013", "seller.registration_id")}),
    (document("SE>BG", seller={"tax_number": "4711"}), {("SE-R-005", "seller.tax_number")}),
    (as_document(DRAFT, seller=replace(SELLER, country="SE", **PARTIES["SE"]), buyer=BUYER), {("SE-R-006", "vat_rate")}),
    (document("IT>BG", seller={"tax_number": "12/3"}), {("IT-R-001", "seller.tax_number")}),
    (document("IT>BG", seller={"street": None}), {("IT-R-002", "seller.street")}),
    (document("IT>BG", seller={"city": None}), {("IT-R-003", "seller.city")}),
    (document("IT>BG", seller={"post_code": None}), {("IT-R-004", "seller.post_code")}),
    (replace(credit("NL>BG"), preceding_invoice=None), {("NL-R-001", "preceding")}),
    (document("NL>BG", seller={"street": None}), {("NL-R-002", "seller.street")}),
    (document("NL>NL", buyer={"city": None}), {("NL-R-004", "buyer.city")}),
    (document("NL>NL", seller=NO_ACCOUNT), {("NL-R-007", "seller.iban")}),
    (
        document("GR>BG"),
        {
            ("GR-R-001-1", "number"),
            ("GR-R-002", "seller.trading_name"),
            ("GR-R-005", "buyer.trading_name"),
            ("GR-R-004-1", "supporting_documents"),
        },
    ),
]


@pytest.mark.parametrize(("invoice", "faults"), UNLAWFUL, ids=[min(faults)[0] for _, faults in UNLAWFUL])
def test_what_a_sellers_country_asks_is_told(invoice: Invoice, faults: set[tuple[str, str]]) -> None:
    """By the rule's id and the form's field, and nothing else."""
    assert told(invoice) == faults


def test_registers_are_named_among_their_own() -> None:
    """A Danish, Dutch or Icelandic number says its register in Peppol, of the buyer too where both are there; elsewhere it stands as it is."""
    for countries, seller, buyer in (
        ("DK>DK", "0184", "0184"),
        ("NL>NL", "0106", "0106"),
        ("IS>BG", "0196", None),
        ("DE>NL", None, None),
        ("BG>BG", None, None),
    ):
        terms = to_e_invoice(document(countries, buyer={"registration_id": "1"}), profile=Profile.PEPPOL)
        assert terms.seller
        assert terms.seller.registration_id
        assert terms.buyer
        assert terms.buyer.registration_id
        assert (terms.seller.registration_id.scheme, terms.buyer.registration_id.scheme) == (seller, buyer)
        plain = to_e_invoice(document(countries), profile=Profile.EN16931).seller
        assert plain
        assert plain.registration_id
        assert plain.registration_id.scheme is None
    assert to_e_invoice(credit("NL>NL"), profile=Profile.PEPPOL).payment is None


def test_what_comes_in_is_held_against_peppol() -> None:
    """Types, currencies, notes, percentages and direct debits, which we do not write ourselves."""
    terms = to_e_invoice(document("BG>DE"), profile=Profile.PEPPOL)
    assert told(replace(terms, type_code="384")) == {("PEPPOL-EN16931-P0100", "type_code")}
    assert told(replace(terms, type_code="261")) == {("PEPPOL-EN16931-P0101", "type_code")}
    assert told(replace(terms, tax_currency=terms.currency)) == {("PEPPOL-EN16931-R005", "tax_currency")}
    assert told(replace(terms, currency="XYZ")) == {("PEPPOL-EN16931-CL007", "currency")}
    assert told(replace(terms, notes=(Note(text="a"), Note(text="b")))) == {("PEPPOL-EN16931-R002", "note")}
    assert told(replace(terms, payment=PaymentInstructions(means_code="59"))) == {("PEPPOL-EN16931-R061", "payment.direct_debit.mandate")}
    half = Adjustment(amount=Decimal(1), vat_category="S", vat_rate=Decimal(25), reason="x")
    assert told(replace(terms, allowances=(replace(half, percentage=Decimal(5)),))) == {("PEPPOL-EN16931-R041", "allowances[0].base_amount")}
    line = replace(terms.lines[0], charges=(replace(half, base_amount=Decimal(5)),))
    assert told(replace(terms, lines=(line,))) == {("PEPPOL-EN16931-R042", "lines[0].charges[0].percentage")}
