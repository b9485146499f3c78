"""`faktura validate`: real files hold, and what is broken in them is found by the rule that it breaks."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from tests.cli.terminal import Terminal
from tests.conftest import SHARED

from faktura.documents import official_rules, validation
from faktura.documents.validation import Verdict, validate

FILES = SHARED / "data" / "einvoice"
STANDARD = FILES / "xrechnung-testsuite/business-cases/standard"
UBL, CII = STANDARD / "01.01a-INVOICE_ubl.xml", STANDARD / "01.01a-INVOICE_uncefact.xml"
HYBRID = FILES / "facturx-pdf/EN16931_Betriebskostenabrechnung.pdf"

pytestmark = [pytest.mark.shared, pytest.mark.only("sqlite")]


def broken(file: Path, name: str, value: str | None, *, parent: str = "*") -> bytes:
    """The file with its first element of a name, below one of another, gone or saying something else."""
    tree = etree.fromstring(file.read_bytes())
    found = tree.xpath(f"(//*[local-name()='{parent}' or '{parent}'='*']/*[local-name()='{name}'])[1]")[0]
    if value is None:
        found.getparent().remove(found)
    else:
        found.text = value
    body: bytes = etree.tostring(tree, encoding="utf-8", xml_declaration=True)
    return body


def rules(verdict: Verdict) -> set[str]:
    """Of all errors."""
    return {item.rule for item in verdict.findings if item.is_error}


@pytest.mark.parametrize("file", [UBL, CII, HYBRID], ids=["ubl", "cii", "pdf"])
def test_real_files_hold(file: Path) -> None:
    """No error, all checks made; and twice the same verdict."""
    verdict = validate(file.read_bytes())
    assert verdict.is_valid, verdict.findings
    assert {"reading", "arithmetic", "XSD", "EN 16931"} <= set(verdict.done)
    assert verdict.not_done == ()
    assert all(item.rule == "VAT-ID" for item in verdict.findings if item.check == "arithmetic")  # the samples have made-up numbers
    assert validate(file.read_bytes()) == verdict
    assert ("XRechnung" in verdict.done) is (file is not HYBRID)
    assert ("Factur-X EN16931" in verdict.done) is (file is HYBRID)


BROKEN: dict[str, tuple[Path, dict[str, Any], str]] = {
    "no number": (UBL, {"name": "ID", "value": None, "parent": "Invoice"}, "BR-02"),
    "a currency that is none": (UBL, {"name": "DocumentCurrencyCode", "value": "EUX"}, "BR-CL-04"),
    "a total that does not follow": (UBL, {"name": "TaxInclusiveAmount", "value": "1.00"}, "BR-CO-15"),
    "no buyer reference": (UBL, {"name": "BuyerReference", "value": None}, "BR-DE-15"),
    "no seller name": (UBL, {"name": "RegistrationName", "value": None}, "BR-06"),
    "a type that is none": (CII, {"name": "TypeCode", "value": "1", "parent": "ExchangedDocument"}, "BR-CL-01"),
    "a sum of lines that does not follow": (
        CII,
        {"name": "LineTotalAmount", "value": "1.00", "parent": "SpecifiedTradeSettlementHeaderMonetarySummation"},
        "BR-CO-10",
    ),
    "no contact": (CII, {"name": "DefinedTradeContact", "value": None, "parent": "SellerTradeParty"}, "BR-DE-2"),
}


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN)
def test_the_broken_rule_is_named(case: tuple[Path, dict[str, Any], str]) -> None:
    """With its id, its check, and the line where it is known."""
    file, change, rule = case
    verdict = validate(broken(file, **change))
    assert not verdict.is_valid
    assert rule in rules(verdict), verdict.findings
    assert any(item.line for item in verdict.findings if item.rule == rule) or any(item.path for item in verdict.findings if item.rule == rule)


def test_what_the_schema_forbids() -> None:
    """An element that is none of the syntax is an error of the schema, with its line."""
    body = UBL.read_bytes().replace(b"</cbc:DocumentCurrencyCode>", b"</cbc:DocumentCurrencyCode><cbc:Nonsense>1</cbc:Nonsense>", 1)
    found = [item for item in validate(body).findings if item.check == "XSD"]
    assert found
    assert all(item.line for item in found)


def test_vat_that_is_off_by_a_cent_is_found() -> None:
    """The official rules take it; our own arithmetic does not."""
    tree = etree.fromstring(CII.read_bytes())
    (group,) = tree.xpath("//*[local-name()='ApplicableHeaderTradeSettlement']/*[local-name()='ApplicableTradeTax']")
    names = {
        "group": group.xpath("*[local-name()='CalculatedAmount']"),
        "total": tree.xpath("//*[local-name()='TaxTotalAmount']"),
        "grand": tree.xpath("//*[local-name()='GrandTotalAmount']"),
        "due": tree.xpath("//*[local-name()='DuePayableAmount']"),
    }
    for (element,) in names.values():
        element.text = f"{float(element.text) + 0.01:.2f}"
    verdict = validate(etree.tostring(tree))
    assert not verdict.is_valid
    assert {item.check for item in verdict.findings if item.is_error} == {"arithmetic"}, verdict.findings


def test_without_the_extra_it_says_what_was_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Own checks are made; the others are named with what they need."""
    monkeypatch.setattr(validation, "schema_folder", lambda: None)
    monkeypatch.setattr(official_rules, "rules_folder", lambda: None)
    verdict = validate(UBL.read_bytes())
    assert verdict.is_valid
    assert verdict.done == ("reading", "arithmetic", "required terms")
    assert [reason.partition(":")[0] for reason in verdict.not_done] == ["XSD", "EN 16931", "XRechnung"]
    assert all("faktura[validate]" in reason for reason in verdict.not_done)


def test_the_command(tmp_path: Path) -> None:
    """0 where all hold, 3 where one does not, 1 where one is no e-invoice; JSON has all of the verdict."""
    terminal = Terminal(tmp_path / "nowhere.db")
    bad = tmp_path / "bad.xml"
    bad.write_bytes(broken(UBL, "BuyerReference", None))
    none = tmp_path / "none.xml"
    none.write_bytes(b"<a/>")
    assert terminal("validate", UBL, HYBRID).code == 0
    said = terminal("validate", UBL, bad, "--json")
    assert said.code == 3
    good, refused = said.lines()
    assert (good["is_valid"], refused["is_valid"]) == (True, False)
    found = next(item for item in refused["findings"] if item["rule"] == "BR-DE-15")
    assert (found["severity"], found["terms"]) == ("error", ["BT-10"])
    assert found["path"] == "buyer_reference"
    shown = terminal("validate", bad)
    assert "[BR-DE-15]" in shown.out
    assert terminal("validate", none, UBL).code == 1
    assert terminal("validate", tmp_path / "absent.xml").code == 1


def test_the_line_of_a_code_is_told() -> None:
    """A unit that no list has, in the second line: its field, with the line's place, and its term, which the rule does not name."""
    tree = etree.fromstring(UBL.read_bytes())
    tree.xpath("(//*[local-name()='InvoicedQuantity'])[2]")[0].set("unitCode", "QQQ")
    (found,) = [item for item in validate(etree.tostring(tree)).findings if item.is_error]
    assert (found.rule, found.path, found.terms) == ("BR-CL-23", "lines[1].unit", ("BT-130",))


def test_a_level_below_the_standard() -> None:
    """BT-24 names the rules: those of Factur-X MINIMUM and BASIC WL ask for less than EN 16931."""
    minimum = "urn:factur-x.eu:1p0:minimum"
    assert official_rules.level_of(minimum, is_hybrid=True) == "MINIMUM"
    assert [rules.name for rules in official_rules.rule_sets("CrossIndustryInvoice", minimum, "MINIMUM")] == ["Factur-X MINIMUM"]


def test_every_place_of_a_rule_is_told() -> None:
    """Twenty lines without a name, all on one line of the XML, are twenty findings, whether or not two sets of rules find each."""
    for file, line, name in ((UBL, "InvoiceLine", "Item/Name"), (CII, "IncludedSupplyChainTradeLineItem", "SpecifiedTradeProduct/Name")):
        tree = etree.fromstring(file.read_bytes(), etree.XMLParser(remove_blank_text=True))
        first = tree.xpath(f"(//*[local-name()='{line}'])[1]")[0]
        parent, child = name.split("/")
        for element in first.xpath(f"*[local-name()='{parent}']/*[local-name()='{child}']"):
            element.getparent().remove(element)
        for _ in range(19):
            first.addnext(deepcopy(first))
        found = [item for item in validate(etree.tostring(tree)).findings if item.rule == "BR-25"]
        assert len(found) == 20, file
        assert {item.path for item in found} == {f"lines[{place}].item.name" for place in range(20)}


@pytest.mark.parametrize("file", [UBL, CII], ids=["ubl", "cii"])
@pytest.mark.parametrize("party", ["seller", "buyer"])
def test_the_field_is_that_of_the_place(file: Path, party: str) -> None:
    """A rule of several terms names the one that is wrong: VAT ids of a seller or a buyer without their country (BR-CO-09)."""
    tree = etree.fromstring(file.read_bytes())
    seller, buyer = ("SellerTradeParty", "BuyerTradeParty") if file is CII else ("AccountingSupplierParty", "AccountingCustomerParty")
    inside = "SpecifiedTaxRegistration" if file is CII else "PartyTaxScheme"
    known = tree.xpath(f"//*[local-name()='{seller}']//*[local-name()='{inside}'][*[@schemeID='VA'] or .//*[local-name()='ID']='VAT']")[0]
    if party == "buyer":
        around = tree.xpath(f"//*[local-name()='{buyer}']")[0]
        known = deepcopy(known)
        (around if file is CII else around[0]).append(known)
    found = known.xpath("*[local-name()='CompanyID' or local-name()='ID']")
    found[0].text = "00123"
    paths = {item.path for item in validate(etree.tostring(tree)).findings if item.rule == "BR-CO-09"}
    assert paths == {f"{party}.vat_id"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<cbc:Percent>[^<]*<", "<cbc:Percent>-100<"),
        ("<cbc:Percent>[^<]*<", "<cbc:Percent>many<"),
        ("EUR", "ÄÖÜ"),
        ('(Amount currencyID="EUR">)[^<]*<', rf"\g<1>{'9' * 30}.{'9' * 30}<"),
        ('(PriceAmount currencyID="EUR">)[^<]*(</cbc:PriceAmount>)', rf"\g<1>{'9' * 30}\2<cbc:BaseQuantity>0.{'0' * 29}1</cbc:BaseQuantity>"),
    ],
    ids=["rate", "no number", "currency", "amounts", "price"],
)
def test_values_at_the_edge(old: str, new: str) -> None:
    """Whatever stands where a number or a code should, the verdict is that the document is not valid."""
    body = UBL.read_text("utf-8")
    changed = re.sub(old, new, body)
    assert changed != body
    assert not validate(changed.encode()).is_valid
