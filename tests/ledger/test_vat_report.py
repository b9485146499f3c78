"""The VAT report: every cent of every issued document, in the period of its tax point, once."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import asdict, fields, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.database import execute, unguard

from faktura.domain.calendar import midnight
from faktura.domain.draft import parse_draft
from faktura.domain.errors import InvalidDocumentError, NotFoundError
from faktura.domain.invoice import Draft, Invoice
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.vat import VatCategory
from faktura.ledger.accounts import add_account, set_provider
from faktura.ledger.commands import credit, issue
from faktura.ledger.journal import digest
from faktura.ledger.listing_query import list_invoices
from faktura.ledger.vat_report import sales_ledger, vat_report
from faktura.ledger.verification import verify

BG = Party(name="Hosting OOD", country="BG", vat_id="BG175074752")
BUYERS = {
    "home": Party(name="Primer EOOD", country="BG"),
    "german": Party(name="Domains GmbH", country="DE", vat_id="DE136695976"),
    "greek": Party(name="Ellas AE", country="GR", vat_id="el 094 259 216"),
    "anna": Party(name="Anna", country="DE"),
    "marie": Party(name="Marie", country="FR"),
    "john": Party(name="John", country="GB"),
}
FIRST = date(2024, 8, 1)


@pytest.fixture
def shop(ledger: Any) -> Any:
    """A Bulgarian provider with a customer of every kind."""
    ledger.provider("vpsbg", seller=BG)
    for reference, buyer in BUYERS.items():
        add_account(ledger.books, provider="vpsbg", reference=reference, buyer=buyer)
    return ledger


def parsed(shop: Any, reference: str, **document: Any) -> Draft:
    """The draft of a document for a customer, as the command line and a billing run read it."""
    today = FIRST + timedelta(days=(shop.clock() - midnight(FIRST, "Europe/Sofia")) // 86_400_000_000)
    document = {"lines": [{"name": "VPS", "unit_price": "10"}]} | document
    return parse_draft(document, currency=Currency("EUR"), buyer=BUYERS[reference], seller=BG, today=today)


def issued(shop: Any, reference: str, **document: Any) -> Invoice:
    """An issued document of a customer."""
    with shop.books.storage.reading() as tx:
        account = tx.accounts.find(1, reference)
    return issue(shop.books, account_id=account.id, draft=parsed(shop, reference, **document))


def august(shop: Any) -> Any:
    """The report of August 2024."""
    return vat_report(shop.books, provider="vpsbg", start=FIRST, end=date(2024, 8, 31))


@pytest.mark.parametrize(
    ("reference", "document", "country"),
    [
        ("home", {}, "BG"),
        ("german", {}, "DE"),
        ("anna", {}, "DE"),
        ("marie", {}, "FR"),  # France's 20 %, although Bulgaria's is the same
        ("john", {}, "GB"),
        ("anna", {"lines": [{"name": "VPS", "unit_price": "1", "vat_rate": 19}]}, "DE"),
        ("anna", {"lines": [{"name": "VPS", "unit_price": "1", "vat_rate": 20}], "override_reason": "Art. 59c"}, "BG"),
        ("marie", {"tax_country": "BG", "override_reason": "Art. 59c"}, "BG"),
        ("anna", {"lines": [{"name": "Book", "unit_price": "1", "vat_rate": 7}], "override_reason": "a book"}, "BG"),
        ("anna", {"lines": [{"name": "Book", "unit_price": "1", "vat_rate": 7}], "tax_country": "DE", "override_reason": "a book"}, "DE"),
        ("anna", {"lines": [{"name": n, "unit_price": "1", "vat_rate": r} for n, r in (("Book", 7), ("VPS", 19))], "override_reason": "a book"}, "DE"),
        (
            "john",
            {
                "lines": [{"name": "Box", "unit_price": "1", "vat_rate": 0, "vat_category": "G"}],
                "override_reason": "goods",
                "exemption_reasons": {"G": "Export"},
            },
            "BG",
        ),
    ],
)
def test_a_document_keeps_whose_vat_it_charges(shop: Any, reference: str, document: dict[str, Any], country: str) -> None:
    """The place of supply: as it is decided, as it is named, or as it follows from the VAT that is named."""
    invoice = issued(shop, reference, **document)
    assert invoice.tax_country == country
    assert credit(shop.books, account_id=invoice.account_id, invoice_id=invoice.id).tax_country == country
    assert [row.tax_country for row in august(shop).summary] == [country] * len(invoice.vat_breakdown)
    assert list(verify(shop.books)) == []


def test_a_credit_note_takes_the_country_of_what_it_corrects(shop: Any) -> None:
    """Also where it is written by hand and its VAT would be decided otherwise; naming another country is a fault."""
    invoice = issued(shop, "marie", tax_country="BG", override_reason="Art. 59c")
    assert issued(shop, "marie", type_code=381, preceding_invoice=invoice.number).tax_country == "BG"
    with pytest.raises(InvalidDocumentError) as refused:
        issued(shop, "marie", type_code=381, preceding_invoice=invoice.number, tax_country="FR")
    assert [(found.rule, found.path) for found in refused.value.faults] == [("TAX-COUNTRY", "tax_country")]
    assert issued(shop, "marie", type_code=381, override_reason="the invoice is not known here").tax_country == "FR"


@pytest.mark.parametrize("value", ["de", "DEU", "", 7, ["DE"], "D1"])
def test_a_tax_country_is_a_country(shop: Any, value: object) -> None:
    """It is an ISO 3166-1 code, or a fault at its place."""
    with pytest.raises(InvalidDocumentError) as refused:
        parsed(shop, "anna", tax_country=value)
    assert [(found.rule, found.path) for found in refused.value.faults] == [("value", "tax_country")]


def test_a_draft_that_nobody_parsed_is_held_to_the_decided_vat(shop: Any) -> None:
    """Whatever makes a Draft, issuing it asks for the reason of other VAT; with one it is issued and the reason kept."""
    draft = replace(parsed(shop, "anna", lines=[{"name": "Book", "unit_price": "1", "vat_rate": 7}], override_reason="a book"), override_reason=None)
    with shop.books.storage.reading() as tx:
        account = tx.accounts.find(1, "anna")
    with pytest.raises(InvalidDocumentError) as refused:
        issue(shop.books, account_id=account.id, draft=draft)
    assert [(found.rule, found.path) for found in refused.value.faults] == [("VAT-OVERRIDE", "lines[0].vat_rate")]
    assert issue(shop.books, account_id=account.id, draft=replace(draft, override_reason="a book")).override_reason == "a book"


def test_documents_of_older_releases_are_reported_with_the_inferred_country(shop: Any) -> None:
    """A row that does not say its country is reported as a new document without one would be, and credited so."""
    for reference in BUYERS:
        issued(shop, reference)
    before = august(shop)
    unguard(shop.books)
    execute(shop.books, "UPDATE invoice SET tax_country = NULL")
    assert august(shop) == before
    with shop.books.storage.reading() as tx:
        anna = tx.accounts.find(1, "anna")
    (invoice,) = list_invoices(shop.books, account="anna")
    assert credit(shop.books, account_id=anna.id, invoice_id=invoice.invoice.id).tax_country == "DE"


def test_the_period_is_that_of_the_tax_point(shop: Any) -> None:
    """BT-7 decides, else the issue date; both ends are included; a pro-forma and another provider's documents never count."""
    issued(shop, "home", tax_point_date="2024-07-31")
    issued(shop, "home", tax_point_date="2024-08-31")
    issued(shop, "home")
    issued(shop, "home", type_code=325, order_ids=[1])
    shop.provider("checkdomain", seller=BG)
    other = add_account(shop.books, provider="checkdomain", reference="home", buyer=BUYERS["home"])
    issue(shop.books, account_id=other.id, draft=parsed(shop, "home"))
    (row,) = august(shop).summary
    assert (row.taxable_minor, row.tax_minor, row.document_count) == (2000, 400, 2)
    (row,) = vat_report(shop.books, provider="vpsbg", start=date(2024, 7, 31), end=date(2024, 7, 31)).summary
    assert row.document_count == 1
    assert vat_report(shop.books, provider="vpsbg", start=date(2024, 9, 1), end=date(2024, 9, 30)).summary == ()


def test_an_absurd_period_is_refused(shop: Any) -> None:
    """A period that ends before it begins, and a provider that is not there."""
    for call in (vat_report, lambda *args, **terms: list(sales_ledger(*args, **terms))):
        with pytest.raises(InvalidDocumentError, match="is before"):
            call(shop.books, provider="vpsbg", start=FIRST, end=date(2024, 7, 31))
        with pytest.raises(NotFoundError):
            call(shop.books, provider="nobody", start=FIRST, end=FIRST)


def test_statements_list_what_belongs_on_them(shop: Any) -> None:
    """The one-stop shop: taxed supplies in other member states. The recapitulative statement: reverse charge, by VAT id however it was written."""
    for reference in BUYERS:
        issued(shop, reference)
    spelled = replace(BUYERS["greek"], vat_id="EL094259216")
    with shop.books.storage.reading() as tx:
        account = tx.accounts.find(1, "greek")
    issue(shop.books, account_id=account.id, draft=replace(parsed(shop, "greek"), buyer=spelled))
    issued(shop, "home", lines=[{"name": "Scrap", "unit_price": "5", "vat_rate": 0, "vat_category": "AE"}], override_reason="Art. 199",
           exemption_reasons={"AE": "Art. 199"}, buyer=BG.to_mapping())  # fmt: skip
    report = august(shop)
    assert [(row.tax_country, row.rate, row.taxable_minor, row.tax_minor) for row in report.oss] == [("DE", 19, 1000, 190), ("FR", 20, 1000, 200)]
    assert [(row.vat_id, row.category, row.taxable_minor) for row in report.recapitulative] == [("DE136695976", "AE", 1000), ("EL094259216", "AE", 2000)]


def test_a_report_keeps_the_seller_that_the_documents_show(shop: Any) -> None:
    """Where the seller moves, what was issued before is at home where it was."""
    issued(shop, "home")
    set_provider(shop.books, name="vpsbg", change=lambda provider: replace(provider, seller=replace(BG, country="DE", vat_id="DE136695976")))
    assert august(shop).oss == ()


DOCUMENTS: list[tuple[str, dict[str, Any]]] = [
    *((reference, {}) for reference in BUYERS),
    ("anna", {"lines": [{"name": "VPS", "unit_price": "33.333", "vat_rate": 19}, {"name": "Book", "unit_price": "1.07", "vat_rate": 7}], "tax_country": "DE"}),
    ("home", {"price_basis": "gross", "lines": [{"name": "VPS", "unit_price": "0.99"}, {"name": "VPS", "unit_price": "11.01"}]}),
    ("home", {"lines": [{"name": "Travel", "unit_price": "7", "vat_rate": 9}, {"name": "VPS", "unit_price": "3", "vat_rate": 20}]}),
    ("john", {"lines": [{"name": "Box", "unit_price": "9.99", "vat_rate": 0, "vat_category": "G"}], "exemption_reasons": {"G": "Export"}}),
    ("german", {"lines": [{"name": "Box", "unit_price": "5", "vat_rate": 0, "vat_category": "K"}], "exemption_reasons": {"K": "Art. 138"}}),
    ("home", {"currency": "BGN"}),
]


@pytest.mark.parametrize("seed", range(4))
def test_the_report_is_the_sum_of_the_documents(shop: Any, seed: int) -> None:
    """Random documents, credit notes, debit notes and tax points: each row is the sum of the breakdowns, added up here document by document."""
    chance = random.Random(seed)
    made: list[Invoice] = []
    credited: set[int] = set()
    for _ in range(60):
        shop.clock.now_us += chance.choice([0, 0, 20, 40]) * 3_600_000_000
        creditable = [item for item in made if item.type_code != 381 and item.id not in credited]
        if creditable and chance.random() < 0.3:
            corrected = chance.choice(creditable)
            credited.add(corrected.id)
            made.append(credit(shop.books, account_id=corrected.account_id, invoice_id=corrected.id))
            continue
        reference, document = chance.choice(DOCUMENTS)
        more: dict[str, Any] = {"override_reason": "goods and other rates"} if "lines" in document else {}
        if chance.random() < 0.4:
            more["tax_point_date"] = str(FIRST + timedelta(days=chance.randrange(-10, 40)))
        if chance.random() < 0.2 and not (more.keys() & {"override_reason"}):
            more |= {"type_code": 383, "override_reason": "no invoice is known"}
        made.append(issued(shop, reference, **document, **more))
        issued(shop, reference, **document | more | {"type_code": 325, "order_ids": [len(made)]})
    start, end = date(2024, 8, 3), date(2024, 8, 28)
    sums: dict[Any, Counter[str]] = defaultdict(Counter)
    for invoice in made:
        if not start <= (invoice.tax_point_date or invoice.issue_date) <= end:
            continue
        for group in invoice.vat_breakdown:
            sign = -1 if invoice.type_code == 381 else 1
            key = (invoice.tax_country, group.category, group.rate, invoice.currency.code)
            sums[key].update({"taxable": sign * (group.taxable_amount_minor or 0), "tax": sign * (group.tax_amount_minor or 0), "count": 1})
    report = vat_report(shop.books, provider="vpsbg", start=start, end=end)
    found = {(row.tax_country, row.category, row.rate, row.currency.code): row for row in report.summary}
    assert len(found) == len(report.summary)
    assert {key: (row.taxable_minor, row.tax_minor, row.document_count) for key, row in found.items()} == {
        key: (total["taxable"], total["tax"], total["count"]) for key, total in sums.items()
    }
    rows = list(sales_ledger(shop.books, provider="vpsbg", start=start, end=end))
    assert sum(row.tax_minor for row in rows) == sum(row.tax_minor for row in report.summary)
    assert [row.number for row in rows] == sorted(row.number for row in rows)
    taxed = [row for row in rows if row.category is VatCategory.STANDARD and row.tax_country != "BG"]
    assert sum(row.tax_minor for row in report.oss) == sum(row.tax_minor for row in taxed)
    stated = [row for row in rows if row.category in {VatCategory.REVERSE_CHARGE, VatCategory.INTRA_COMMUNITY}]
    assert sum(row.taxable_minor for row in report.recapitulative) == sum(row.taxable_minor for row in stated)


def test_the_sales_ledger_names_each_document(shop: Any) -> None:
    """One row for each document, category and rate, with the buyer as the document shows it; credit notes are negative."""
    invoice = issued(shop, "german", tax_point_date="2024-08-05")
    credit(shop.books, account_id=invoice.account_id, invoice_id=invoice.id)
    first, second = (asdict(row) for row in sales_ledger(shop.books, provider="vpsbg", start=FIRST, end=date(2024, 8, 31)))
    assert first == {
        "invoice_id": invoice.id,
        "number": "0000000001",
        "issue_date": FIRST,
        "tax_point_date": date(2024, 8, 5),
        "type_code": 380,
        "buyer_name": "Domains GmbH",
        "buyer_country": "DE",
        "buyer_vat_id": "DE136695976",
        "seller_country": "BG",
        "tax_country": "DE",
        "category": "AE",
        "rate": Decimal(0),
        "currency": {"code": "EUR"},
        "taxable_minor": 1000,
        "tax_minor": 0,
    }
    assert (second["type_code"], second["tax_point_date"], second["taxable_minor"]) == (381, FIRST, -1000)


def test_a_term_that_is_not_known_changes_no_old_digest(shop: Any) -> None:
    """The journal's digest of a document without a tax country is what it was before documents had one."""
    old = replace(issued(shop, "home"), tax_country=None)
    terms = {field.name: value for field in fields(old) if (value := getattr(old, field.name)) is not None}
    assert "tax_country" not in terms
    assert digest(old) == digest(terms)
    assert digest(old) != digest(replace(old, tax_country="BG"))


def test_monaco_is_reported_as_france(shop: Any) -> None:
    """A consumer there is on France's row of the one-stop shop, a business on the recapitulative statement by its French VAT id."""
    for vat_id in (None, "FR83404833048"):
        issued(shop, "marie", buyer={"name": "Monaco", "country": "MC"} | ({"vat_id": vat_id} if vat_id else {}))
    issued(shop, "marie")
    report = august(shop)
    assert [(row.tax_country, row.taxable_minor, row.tax_minor) for row in report.oss] == [("FR", 2000, 400)]
    assert [(row.vat_id, row.category, row.taxable_minor) for row in report.recapitulative] == [("FR83404833048", VatCategory.REVERSE_CHARGE, 1000)]
