"""One document, however it is handed out: both e-invoices, the page and both providers' JSON carry equal amounts, dates and numbers."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pypdf
import pytest
from hypothesis import HealthCheck, given, settings
from tests.documents.pdf.samples import BULGARIAN, CREDIT, EUR, GERMAN, S19, document, line, long
from tests.domain.sample import drafts

from faktura.dialects.base import WireDialect
from faktura.dialects.known import DIALECTS
from faktura.documents import cii, ubl
from faktura.documents.e_invoice import to_e_invoice
from faktura.documents.en16931 import Profile
from faktura.documents.pdf import render_pdf
from faktura.documents.pdf_content import content
from faktura.documents.pdf_look import Look
from faktura.documents.pdf_texts import unit
from faktura.domain.calendar import legal_date, midnight, parse_instant
from faktura.domain.invoice import Draft, Invoice
from faktura.domain.party import Party
from faktura.domain.payment import settle
from faktura.domain.provider import Provider
from faktura.domain.vat import PriceBasis


def wire(dialect: WireDialect, invoice: Invoice) -> dict[str, Any]:
    """What the provider's API says of the document alone, or else in its list."""
    defaults = dialect.defaults
    provider = Provider(id=1, name="p", dialect=dialect.name, zone=defaults.zone, currency=EUR, seller=Party(name="S"))
    issued = replace(invoice, created_at_us=midnight(invoice.issue_date, defaults.zone), order_ids=invoice.order_ids or ())
    standing = settle(invoice.total_with_vat_minor or 0, ())
    body = dialect.render_single(issued, standing, provider) or dialect.render_item(issued, standing, provider)
    said: dict[str, Any] = json.loads(body, parse_float=Decimal)
    return said


def truths(invoice: Invoice) -> dict[str, tuple[str, date, Decimal]]:
    """Number, legal date and signed total with VAT, as each form says them."""
    e_invoice = to_e_invoice(invoice, profile=Profile.EN16931)
    found = {}
    for name, syntax in (("ubl", ubl), ("cii", cii)):
        read = syntax.parse(syntax.render(e_invoice, profile=Profile.EN16931)).document
        assert read.totals
        assert read.number
        assert read.issue_date
        assert read.totals.total_with_vat is not None
        found[name] = (read.number, read.issue_date, invoice.sign * read.totals.total_with_vat)
    vpsbg, checkdomain = (wire(DIALECTS[name], invoice) for name in ("vpsbg", "checkdomain"))
    found["vpsbg"] = (vpsbg["invoice_number"], legal_date(parse_instant(vpsbg["created_at"]), "Europe/Sofia"), Decimal(vpsbg["amount_with_vat"]))
    day = legal_date(parse_instant(checkdomain["created"]), "Europe/Berlin")
    found["checkdomain"] = (checkdomain["invoice_number"], day, Decimal(checkdomain["amount_total"]))
    assert sum(Decimal(detail["price"]) for detail in checkdomain["details"]) == found["checkdomain"][2]
    net = e_invoice.totals.total_without_vat if e_invoice.totals else None
    assert net is not None
    assert Decimal(vpsbg["amount"]) == invoice.sign * net
    return found


def page_says(invoice: Invoice) -> bool:
    """Whether the English page has the number, the date and the total."""
    pages = pypdf.PdfReader(io.BytesIO(render_pdf(invoice, language="en"))).pages
    said = re.sub(r"\s+", "", "".join(page.extract_text() for page in pages).replace("\u200b", ""))
    day, total = invoice.issue_date, Decimal(invoice.total_with_vat_minor or 0) / 100
    texts = (invoice.number, f"{day.day} {'Sept' if day.month == 9 else day.strftime('%b')} {day.year}", f"{total:,.2f}")
    return all(re.sub(r"\s+", "", text) in said for text in texts)


def page_prices(invoice: Invoice) -> list[tuple[Decimal, Decimal]]:
    """The price without VAT of each line, and how many it is for, as the English page says them."""
    found = []
    for row in content(invoice, language="en", look=Look(), is_test=False)["rows"]:
        said = " ".join([row["price"][0], *row["price_more"]] if invoice.price_basis is PriceBasis.NET else row["price_more"])
        match = re.fullmatch(r"([\d,.]+)(?: excl\. VAT)?(?: for ([\d,.]+) \w+)?", said)
        assert match, said
        found.append((Decimal(match[1].replace(",", "")), Decimal((match[2] or "1").replace(",", ""))))
    return found


def assert_prices(invoice: Invoice) -> None:
    """Page and both syntaxes count lines alike and name one price for each; times the quantity it visibly is the line's amount before allowances and charges."""
    e_invoice, said = to_e_invoice(invoice, profile=Profile.EN16931), page_prices(invoice)
    positions = [row["position"] for row in content(invoice, language="en", look=Look(), is_test=False)["rows"]]
    assert positions == [item.id for item in e_invoice.lines]
    for syntax in (ubl, cii):
        read = syntax.parse(syntax.render(e_invoice, profile=Profile.EN16931)).document.lines
        assert said == [(line.price.net, line.price.base_quantity or 1) for line in read if line.price]
        for found, (price, base) in zip(read, said, strict=True):
            assert found.quantity is not None
            assert found.net_amount is not None
            before = found.net_amount + sum(item.amount or 0 for item in found.allowances) - sum(item.amount or 0 for item in found.charges)
            assert (found.quantity * price / base).quantize(Decimal("0.01"), ROUND_HALF_UP) == before


@pytest.mark.parametrize("draft", [BULGARIAN, GERMAN, CREDIT, long(1), long(30)], ids=["net", "reverse", "gross credit", "1 line", "30 lines"])
def test_every_form_says_the_same(draft: Draft) -> None:
    """Net and gross prices, reverse charge, credit notes, one line and many."""
    invoice = document(draft)
    assert set(truths(invoice).values()) == {(invoice.number, invoice.issue_date, invoice.sign * Decimal(invoice.total_with_vat_minor or 0) / 100)}
    assert page_says(invoice)
    assert_prices(invoice)


@pytest.mark.parametrize(
    ("quantity", "gross", "net"),
    [
        ("1", "29.90", "25.13"),
        ("12.5", "0.0125", "0.0105"),  # not 0.01, which would give the amount, too
        ("3", "9.99", "8.393"),  # neither 8.39 nor 8.395 gives 25.18
        ("1000", "1", "0.84034"),
        ("0", "1.19", "1.00"),
        ("-2", "11.90", "10.00"),
    ],
)
def test_the_net_price_of_a_gross_one_is_as_near_as_gives_the_amount(quantity: str, gross: str, net: str) -> None:
    """With no fewer decimals than the gross price has, and no more than it takes."""
    invoice = document(replace(CREDIT, lines=(line("Server", quantity, gross, S19),)))
    assert page_prices(invoice) == [(Decimal(net), Decimal(1))]
    assert_prices(invoice)


def test_a_price_that_no_decimal_gives_names_its_quantity() -> None:
    """Page and XML say the amount as the price of all the quantity (BT-149), in each language; half cents do not go apart (8.325 and 8.323)."""
    many = line("Mails", "123456789.5", "0.0001", S19, unit_code="C62")
    invoice = document(replace(CREDIT, lines=(many, line("Server", "100", "9.9045", S19))))
    assert_prices(invoice)
    assert [base for _, base in page_prices(invoice)] == [Decimal("123456789.5"), 1]
    words = {
        "bg": ["10\u00a0374,52 без ДДС", "за 123\u00a0456\u00a0789,5 " + unit("C62", "bg")],
        "de": ["10.374,52 netto", "für 123.456.789,5 Stk."],
    }
    for language, wanted in words.items():
        assert content(invoice, language=language, look=Look(), is_test=False)["rows"][0]["price_more"] == wanted


@given(draft=drafts())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_document_says_the_same_in_every_form(draft: Any) -> None:
    """Random lines, rates, allowances, both price bases."""
    invoice = document(replace(draft, currency=EUR, lines=tuple(replace(line, period=None) for line in draft.lines)))
    assert set(truths(invoice).values()) == {(invoice.number, invoice.issue_date, invoice.sign * Decimal(invoice.total_with_vat_minor or 0) / 100)}
    assert_prices(invoice)
