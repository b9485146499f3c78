"""The pages of a hybrid and the e-invoice inside it say the same."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import facturx
import pypdf
import pytest
from hypothesis import HealthCheck, given, settings
from tests.documents.pdf.samples import BULGARIAN, CREDIT, EUR, GERMAN, document, long
from tests.domain.sample import drafts

from faktura.documents import cii
from faktura.documents.e_invoice import to_e_invoice
from faktura.documents.en16931 import Profile
from faktura.documents.facturx import extract_xml
from faktura.documents.pdf import render_pdf
from faktura.domain.invoice import Draft, Invoice


def hybrid(invoice: Invoice, language: str) -> bytes:
    """The document with its own CII."""
    return render_pdf(invoice, language=language, facturx=cii.render(to_e_invoice(invoice, profile=Profile.FACTURX)))


def differences(pdf: bytes) -> list[str]:
    """What the e-invoice inside says and the English pages do not: number, dates, parties' ids, names, and every amount."""
    printed = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages).replace("\u200b", "")
    said = re.sub(r"\s+", "", printed)
    xml = cii.parse(extract_xml(pdf).data).document
    amounts = [item.net_amount for item in xml.lines]
    amounts += [amount for group in xml.vat_breakdown for amount in (group.taxable_amount, group.tax_amount)]
    amounts += [] if "Unitpriceincl.VAT" in said else [item.amount for item in (*xml.allowances, *xml.charges)]  # gross pages show them gross
    amounts += [xml.totals.total_without_vat, xml.totals.vat_total, xml.totals.total_with_vat, xml.totals.payable]
    assert xml.seller
    assert xml.buyer
    texts = [xml.number, xml.seller.name, xml.buyer.name, *(line.item.name for line in xml.lines if line.item)]
    texts += [shown_day(day) for day in (xml.issue_date, xml.due_date, xml.tax_point_date) if day]
    texts += [shown(amount) for amount in amounts if amount is not None]
    prices = [f"{line.price.net:,}" for line in xml.lines if line.price]
    if "Unitpriceincl.VAT" in said:
        assert re.findall(r"([\d,.]+)\s+excl\. VAT", printed) == prices
    texts += prices
    return [text for text in texts if text is not None and re.sub(r"\s+", "", text) not in said]


def shown(amount: Decimal) -> str:
    """As the English pages write it; the sign may stand before a currency."""
    return f"{abs(amount):,.2f}"


def shown_day(day: date) -> str:
    """As the English pages write it."""
    return f"{day.day} {'Sept' if day.month == 9 else day.strftime('%b')} {day.year}"


@pytest.mark.parametrize("draft", [BULGARIAN, GERMAN, CREDIT, long(1), long(30)], ids=["net", "reverse", "gross credit", "1 line", "30 lines"])
def test_pages_and_xml_say_the_same(draft: Draft) -> None:
    """For documents of every kind; and the library of Factur-X takes the hybrid."""
    made = hybrid(document(draft), "en")
    assert differences(made) == []
    name, xml = facturx.get_xml_from_pdf(made, check_xsd=True)
    assert name == "factur-x.xml"
    assert xml == extract_xml(made).data


@given(draft=drafts())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_document_says_the_same_on_its_pages_and_in_its_xml(draft: Any) -> None:
    """Random lines, rates, allowances, both price bases."""
    lines = tuple(replace(line, period=None) for line in draft.lines)
    assert differences(hybrid(document(replace(draft, currency=EUR, lines=lines)), "en")) == []
