"""Real e-invoices: KoSIT's XRechnung test suite, CEN's examples, and Factur-X files of FeRD."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import facturx
import pytest
from tests.conftest import SHARED

from faktura.documents import xml_invoice
from faktura.documents.arithmetic import arithmetic_faults
from faktura.documents.en16931 import Parsed
from faktura.documents.heard_invoice import to_invoice

pytestmark = pytest.mark.shared

FOLDER = SHARED / "data" / "einvoice"
FILES = sorted([*FOLDER.rglob("*.xml"), *FOLDER.rglob("*.pdf")])

NOT_THEIR_OWN = {
    # CEN's older examples price another quantity than they bill, or leave the base quantity to the gross price.
    "CII_business_example_01.xml": {"PEPPOL-EN16931-R120", "PEPPOL-EN16931-R046"},
    "CII_business_example_Z.xml": {"PEPPOL-EN16931-R120"},
    "CII_example1.xml": {"PEPPOL-EN16931-R120"},
    "CII_example2.xml": {"PEPPOL-EN16931-R120", "PEPPOL-EN16931-R046"},
    "CII_example5.xml": {"PEPPOL-EN16931-R046"},
    "CII_example8.xml": {"PEPPOL-EN16931-R120"},
    "CII_example9.xml": {"PEPPOL-EN16931-R120"},
    "guide-example1.xml": {"PEPPOL-EN16931-R120"},
    "guide-example2.xml": {"PEPPOL-EN16931-R120", "PEPPOL-EN16931-R046"},
    "guide-example3.xml": {"PEPPOL-EN16931-R120"},
    "ubl-tc434-example1.xml": {"PEPPOL-EN16931-R120"},
    "ubl-tc434-example10.xml": {"PEPPOL-EN16931-R120"},
    "ubl-tc434-example2.xml": {"PEPPOL-EN16931-R120", "PEPPOL-EN16931-R046"},
    "ubl-tc434-example3.xml": {"PEPPOL-EN16931-R120"},
    # Its due date is months before the invoice.
    "CII_business_example_02.xml": {"DUE-DATE"},
    # The rate of a price a square metre is rounded, a charge names a percentage of something else, and it was due before it was written.
    "XRechnung-O.xml": {"PEPPOL-EN16931-R120", "PEPPOL-EN16931-R040", "DUE-DATE"},
    # Amounts in forint without fillér, though prices have them.
    "huf_example_cii.xml": {"PEPPOL-EN16931-R120", "BR-CO-17"},
    # It adds a prepayment that an XRechnung extension writes outside EN 16931 (cac:PrepaidPayment).
    "05.01a-INVOICE_ubl.xml": {"BR-CO-16"},
    # Its line amount was computed with an unrounded price.
    "EN16931_1_Teilrechnung.pdf": {"PEPPOL-EN16931-R120"},
    # The insurers' examples write the line with insurance tax and the price without.
    "EN16931_Kraftfahrversicherung_Bruttopreise.pdf": {"PEPPOL-EN16931-R120"},
    "EN16931_Sachversicherung_berechneter_Steuersatz.pdf": {"PEPPOL-EN16931-R120"},
    # A correction that takes allowances back by negative ones.
    "EN16931_Rechnungskorrektur.pdf": {"BR-31"},
}
"""Where what we compute is not what the file says, by rule; VAT ids aside, which nearly all of them made up."""

LEFT_OUT = Counter(
    {
        "cac:SubInvoiceLine": 8,  # an extension of XRechnung
        "cac:PrepaidPayment": 2,  # likewise
        "cbc:ID": 7,  # BT-32 under another scheme than FC
        "cbc:NetworkID": 3,  # the card's network, which the schema asks for and EN 16931 does not have
        "ram:AdditionalReferencedDocument": 5,  # of a type that EN 16931 does not have
        "cac:DocumentReference": 2,  # likewise
        "cac:PartyTaxScheme": 1,  # a buyer's second tax number
        "ram:SpecifiedTaxRegistration": 1,  # likewise
        "ram:BasisQuantity": 5,  # of a gross price, other than that of the net price
        "ram:ExemptionReason": 1,  # of a line
        "@schemeID": 1,  # of an identifier that is empty
    }
)


@cache
def xml_of(path: Path) -> bytes:
    """The e-invoice in a file."""
    if path.suffix == ".xml":
        return path.read_bytes()
    return bytes(facturx.get_xml_from_pdf(path.read_bytes(), check_xsd=False)[1])


@cache
def parsed(path: Path) -> Parsed:
    """What we read of it."""
    return xml_invoice.parse(xml_of(path))


def test_all_files_are_there() -> None:
    """118 XML files and 26 Factur-X files, of which this module tells."""
    assert Counter(path.suffix for path in FILES) == {".xml": 118, ".pdf": 26}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_read_written_read(path: Path) -> None:
    """Each reads; written in its own syntax it reads as the same, with nothing left out; and it can be kept as a recorded document."""
    first = parsed(path)
    again = xml_invoice.parse(xml_invoice.render(first.document, syntax=first.syntax))
    assert again.document == first.document
    assert again.left_out == ()
    heard = to_invoice(first.document)
    assert heard.invoice.number == first.document.number
    assert heard.invoice.currency.to_decimal(heard.invoice.total_with_vat_minor or 0) == first.document.totals.total_with_vat
    assert heard.standing.due_minor is not None
    assert len(heard.invoice.lines or ()) == len(first.document.lines)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_totals_are_the_files_own(path: Path) -> None:
    """Totals, VAT and line amounts that we compute are those that the file says, but for the exceptions listed, each with its reason."""
    assert {found.rule for found in arithmetic_faults(parsed(path).document)} - {"VAT-ID"} == NOT_THEIR_OWN.get(path.name, set())


def test_what_is_left_out() -> None:
    """What EN 16931 does not have is told by its path: of all files this, and nothing else."""
    found: Counter[str] = Counter()
    for path in FILES:
        if path.suffix == ".xml":
            found.update(re.sub(r"\[\d+\]", "", left.rpartition("/")[2]) for left in parsed(path).left_out)
    assert found == LEFT_OUT
