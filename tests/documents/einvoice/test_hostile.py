"""What is no e-invoice, or means harm, is refused in one clear sentence with its line."""

from __future__ import annotations

import re

import pytest
from lxml import etree
from tests.documents.einvoice.sample import as_document
from tests.domain.sample import DRAFT

from faktura.documents import xml_invoice
from faktura.documents.e_invoice import to_e_invoice
from faktura.documents.en16931 import Profile, Syntax
from faktura.documents.xml_reader import SIZE_MAX
from faktura.domain.errors import InputError, InvalidDocumentError

TERMS = to_e_invoice(as_document(DRAFT), profile=Profile.EN16931)
UBL = xml_invoice.render(TERMS, syntax=Syntax.UBL)
CII = xml_invoice.render(TERMS, syntax=Syntax.CII)
LAUGHS = "".join(f'<!ENTITY l{number} "{f"&l{number - 1};" * 10}">' for number in range(1, 10))


def changed(body: bytes, old: str, new: str) -> bytes:
    """The document with something else in one place."""
    assert old.encode() in body
    return body.replace(old.encode(), new.encode(), 1)


def with_dtd(dtd: str, text: str) -> bytes:
    """An invoice that declares entities, and uses one as its number."""
    head, _, rest = UBL.decode().partition("\n")
    return f"{head}\n<!DOCTYPE Invoice [{dtd}]>\n{rest}".replace(">0000000007<", f">{text}<", 1).encode()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "is not XML"),
        (b"%PDF-1.7", "is not XML"),
        (b"<Invoice/>", "line 1: Invoice is no e-invoice"),
        (b"<Invoice", "is not XML: "),
        (changed(UBL, "Invoice-2", "Invoice-3"), "Invoice-3}Invoice is no e-invoice"),
        (changed(CII, "CrossIndustryInvoice:100", "CrossIndustryInvoice:1"), "is no e-invoice"),
        (with_dtd('<!ENTITY l0 "ha">' + LAUGHS, "&l9;"), "(DTD)|amplification"),
        (with_dtd('<!ENTITY x SYSTEM "file:///etc/passwd">', "&x;"), "(DTD)"),
        (with_dtd("", "1"), "(DTD)"),
        (b"<Invoice xmlns='" + b"x" * SIZE_MAX + b"'/>", "is larger than 20 MB"),
        (b"<a>" * 100_000, "line 1: its elements are nested deeper than 255"),
        (changed(UBL, "<cbc:ID>0000000007</cbc:ID>", ""), "line 2: the invoice lacks BT-1 (Invoice number)"),
        (changed(UBL, "2024-09-25", "2024-02-30"), "line 2: /Invoice/cbc:IssueDate: "),
        (changed(UBL, "2024-09-25", "25.09.2024"), "line 2: /Invoice/cbc:IssueDate: "),
        (changed(CII, "20240925", "2024-09-25"), "is not a date such as 20240131"),
        (changed(CII, 'format="102"', 'format="203"'), "format='203' is written, only 102 is known"),
        (changed(UBL, ">120.00<", ">1e2<"), "'1e2' is not a decimal number"),
        (changed(UBL, ">120.00<", ">120,00<"), "'120,00' is not a decimal number"),
        (changed(UBL, ">120.00<", f">{'9' * 99}<"), "is not a decimal number"),
        (changed(UBL, 'currencyID="EUR">120.00', 'currencyID="USD">120.00'), "the amount is in 'USD', the invoice in 'EUR'"),
        (changed(UBL, "</cbc:IssueDate>", "</cbc:IssueDate><cbc:IssueDate>2024-09-25</cbc:IssueDate>"), "BT-2 (Invoice issue date) stands twice"),
        (
            changed(CII, "<ram:TypeCode>380</ram:TypeCode>", "<ram:TypeCode>380</ram:TypeCode><ram:TypeCode>381</ram:TypeCode>"),
            "BT-3 (Invoice type code) stands twice",
        ),
    ],
)
def test_refused(body: bytes, reason: str) -> None:
    """Not one of them is read, and the reason says what and where."""
    with pytest.raises(InputError) as caught:
        xml_invoice.parse(body)
    assert any(part in str(caught.value) for part in reason.split("|")), str(caught.value)
    assert len(str(caught.value)) < 500


def test_the_unknown_is_told() -> None:
    """Elements and attributes that nobody here knows are told by path; comments and processing instructions say nothing."""
    body = changed(UBL, "<cbc:ID>", "<!-- note --><?pi x?><cbc:UUID>1</cbc:UUID><cbc:ID schemeID='x'>")
    body = changed(body, "<cac:Price>", "stray<cac:Price><x:y xmlns:x='urn:x'><z/></x:y>")
    parsed = xml_invoice.parse(body)
    assert parsed.document == TERMS
    assert sorted(parsed.left_out) == [
        "/Invoice/cac:InvoiceLine/cac:Price/{urn:x}y",
        "/Invoice/cac:InvoiceLine/text()",
        "/Invoice/cbc:ID/@schemeID",
        "/Invoice/cbc:UUID",
    ]


@pytest.mark.only("sqlite")
def test_paths_are_counted_within_bounds() -> None:
    """By number at the head of many lines, by their line of the file after that: counting through all, for each, would take minutes."""
    line = "<cac:InvoiceLine><cbc:ID>1</cbc:ID><x/></cac:InvoiceLine>\n"
    head, _, rest = changed(UBL, "<cac:InvoiceLine>", "<mark/><cac:InvoiceLine>").decode().partition("<mark/>")
    left_out = xml_invoice.parse((head + "\n" + line * 1010 + rest).encode()).left_out
    assert left_out[0] == "/Invoice/cac:InvoiceLine[1]/x"
    assert left_out[500] == "/Invoice/cac:InvoiceLine[501]/x"
    place = re.fullmatch(r"/Invoice/cac:InvoiceLine\[line ([0-9]+)\]/x", left_out[999])
    assert place
    assert int(place[1]) - 999 == (head + "\n").count("\n") + 1


def test_attributes_of_what_is_empty_are_told() -> None:
    """A unit without its quantity, a scheme without its address."""
    parsed = xml_invoice.parse(changed(UBL, "</cbc:IssueDate>", "</cbc:IssueDate><cbc:DueDate x='1'/>"))
    assert "/Invoice/cbc:DueDate/@x" in parsed.left_out
    body = UBL.decode()
    empty = re.sub(r"<cbc:InvoicedQuantity unitCode=\"(\w+)\">[^<]*</cbc:InvoicedQuantity>", r'<cbc:InvoicedQuantity unitCode="\1"/>', body)
    assert empty != body
    assert xml_invoice.parse(empty.encode()).left_out == ("/Invoice/cac:InvoiceLine/cbc:InvoicedQuantity/@unitCode",)


@pytest.mark.parametrize("body", [UBL, CII], ids=["ubl", "cii"])
def test_indented_text_reads_as_it_means(body: bytes) -> None:
    """Space and line ends around identifiers, codes, dates and numbers are no part of them; of free text they are."""
    free = {"Name", "StreetName", "CityName", "LineOne", "PostalZone", "PostcodeCode", "Note", "Content", "RegistrationName", "AllowanceChargeReason", "Reason"}
    free |= {
        "TaxExemptionReason",
        "ExemptionReason",
        "PersonName",
        "Telephone",
        "CompleteNumber",
        "ElectronicMail",
        "BuyerReference",
        "AccountName",
        "Description",
    }
    root = etree.fromstring(body)
    for element in root.iter():
        name = etree.QName(element).localname
        if not len(element) and element.text and name not in free and element.getparent().tag.rpartition("}")[2] != "EmailURIUniversalCommunication":
            element.text = f"\n    {element.text}\t\n"
    parsed = xml_invoice.parse(etree.tostring(root))
    assert parsed.document == TERMS
    assert parsed.profile is Profile.EN16931
    spaced = xml_invoice.parse(changed(UBL, f">{TERMS.lines[0].item.name}<" if TERMS.lines[0].item else "", "> a  b \n<"))
    assert spaced.document.lines[0].item
    assert spaced.document.lines[0].item.name == " a  b \n"


def test_many_unknown_elements_are_bounded() -> None:
    """A hundred thousand unknown elements are a thousand reports and a count."""
    parsed = xml_invoice.parse(changed(UBL, "<cbc:IssueDate>", "<cbc:UUID/>" * 100_000 + "<cbc:IssueDate>"))
    assert len(parsed.left_out) == 1001
    assert parsed.left_out[-1] == "and 99000 more"


def test_control_characters_are_refused() -> None:
    """Text that XML cannot carry is refused when it is written."""
    broken = to_e_invoice(as_document(DRAFT, seller=type(DRAFT.buyer)(name="a\x0bb", country="BG")), profile=Profile.EN16931)
    with pytest.raises(InvalidDocumentError, match="control character"):
        xml_invoice.render(broken, syntax=Syntax.CII)
