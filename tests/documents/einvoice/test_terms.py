"""The one table, and the page made from it."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

from drafthorse.models.document import Document
from tests.documents.einvoice.sample import as_document
from tests.domain.sample import ALLOWANCE, CHARGE, DRAFT

from faktura.documents import cii, ubl, xml_invoice
from faktura.documents.e_invoice import to_e_invoice
from faktura.documents.en16931 import Profile, Syntax
from faktura.documents.term_page import term_table
from faktura.documents.terms import TERMS, members
from faktura.documents.xml_layout import term_paths

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "einvoice.md"
LINE_VAT = {"vat_category", "vat_rate"}
"""What allowances and charges of a line have from the line."""


def test_every_attribute_is_a_term() -> None:
    """Each attribute of the model is one term of the table, and each term one attribute."""
    for group in TERMS.values():
        if group.is_group:
            own = {field.name for field in fields(group.kind)} - (LINE_VAT if group.id in {"BG-27", "BG-28"} else set())
            assert set(members(group.id)) == own, group.id


def test_every_term_has_a_place_in_each_syntax() -> None:
    """Both syntaxes write every term: UBL in Invoice and CreditNote, CII."""
    terms = {term.id for term in TERMS.values() if not term.is_group}
    for layout in (ubl.layout(), ubl.layout(is_credit_note=True), cii.layout()):
        assert terms - set(term_paths(layout)) == set(), layout.tag


def test_the_page_has_the_table() -> None:
    """docs/reference/einvoice.md shows the table as it is."""
    assert term_table() in PAGE.read_text(encoding="utf-8")


def test_an_independent_reader_agrees() -> None:
    """Drafthorse reads our CII: the same number, dates, parties, totals and lines."""
    terms = to_e_invoice(as_document(replace(DRAFT, allowances_charges=(ALLOWANCE, CHARGE))), profile=Profile.FACTURX)
    read = Document.parse(xml_invoice.render(terms, syntax=Syntax.CII))
    summation = read.trade.settlement.monetary_summation
    assert str(read.header.id) == terms.number
    assert read.header.issue_date_time._value == terms.issue_date
    assert str(read.trade.agreement.seller.name) == (terms.seller.name if terms.seller else None)
    assert str(read.trade.agreement.buyer.name) == (terms.buyer.name if terms.buyer else None)
    assert summation.line_total._value == terms.totals.line_total
    assert summation.charge_total._value == terms.totals.charge_total
    assert summation.allowance_total._value == terms.totals.allowance_total
    assert summation.due_amount._value == terms.totals.payable
    assert len(read.trade.items.children) == len(terms.lines)
