"""Hybrid PDFs: made so that others read them, and read whoever made them, within bounds."""

from __future__ import annotations

import io
import random
import re
import zlib
from contextlib import suppress
from datetime import date
from pathlib import Path

import pikepdf
import pytest
from lxml import etree
from tests.conftest import SHARED
from tests.documents.pdf.samples import BULGARIAN, CII, CREDIT, document

from faktura.documents import facturx as hybrids
from faktura.documents.facturx import extract_xml, make_hybrid
from faktura.documents.incoming import xml_of
from faktura.documents.pdf import render_pdf
from faktura.domain.errors import InputError

REAL = SHARED / "data" / "einvoice" / "facturx-pdf"


@pytest.fixture(scope="module")
def hybrid() -> bytes:
    """A hybrid of ours."""
    return render_pdf(document(BULGARIAN), language="bg", facturx=CII)


def test_what_is_attached_is_taken_out_unchanged(hybrid: bytes) -> None:
    """Name, bytes and level come back."""
    found = extract_xml(hybrid)
    assert (found.name, found.data, found.conformance_level) == ("factur-x.xml", CII, "EN 16931")


def test_factur_x_reads_ours(hybrid: bytes) -> None:
    """The library of Factur-X finds the file, its level and its flavour, and its schema holds."""
    import facturx  # noqa: PLC0415 - slow to load

    name, xml = facturx.get_xml_from_pdf(hybrid, check_xsd=True)
    assert (name, xml) == ("factur-x.xml", CII)
    tree = etree.fromstring(xml)
    assert facturx.get_flavor(tree) == "factur-x"
    assert facturx.get_level(tree) == "en16931"


def test_metadata_say_what_is_attached(hybrid: bytes) -> None:
    """The four properties are there once, in one bag of schemas; the file is an associated one with its relationship, type and size."""
    with pikepdf.open(io.BytesIO(hybrid)) as opened:
        xmp = opened.Root.Metadata.read_bytes()
        assert xmp.count(b"<pdfaExtension:schemas>") == 1
        for wanted in (b"fx:DocumentType>INVOICE<", b"fx:DocumentFileName>factur-x.xml<", b"fx:Version>1.0<", b"fx:ConformanceLevel>EN 16931<"):
            assert xmp.count(wanted) == 1
        assert b"<pdfaid:part>3<" in xmp
        (spec,) = list(opened.Root.AF)
        assert spec.AFRelationship == "/Alternative"
        assert spec.EF.F.Subtype == "/text/xml"
        assert int(spec.EF.F.Params.Size) == len(CII)
        assert str(spec.EF.F.Params.ModDate) == "D:20261031000000Z"


def test_pages_are_those_of_the_plain_pdf(hybrid: bytes) -> None:
    """Attaching changes no page."""
    plain = render_pdf(document(BULGARIAN), language="bg")
    with pikepdf.open(io.BytesIO(plain)) as first, pikepdf.open(io.BytesIO(hybrid)) as second:
        assert [page.Contents.read_bytes() for page in first.pages] == [page.Contents.read_bytes() for page in second.pages]


def test_the_level_of_a_profile_may_be_named() -> None:
    """The level stands in the metadata as given."""
    made = make_hybrid(render_pdf(document(CREDIT)), cii=CII, issue_date=date(2026, 10, 31), conformance_level="XRECHNUNG")
    assert extract_xml(made).conformance_level == "XRECHNUNG"


@pytest.mark.shared
@pytest.mark.parametrize("path", sorted(REAL.glob("*.pdf")), ids=lambda path: path.stem)
def test_real_hybrids_are_read(path: Path) -> None:
    """Every real file gives its e-invoice, the same bytes as PDF tools find, and its level."""
    pdf = path.read_bytes()
    found = extract_xml(pdf)
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        assert found.data == opened.attachments[found.name].get_file().read_bytes()
    assert etree.QName(etree.fromstring(found.data)).localname == "CrossIndustryInvoice"
    assert found.conformance_level == ("XRECHNUNG" if path.stem.startswith("XRECHNUNG") else "EN 16931")


@pytest.mark.shared
def test_there_are_real_hybrids() -> None:
    """So that the test above is not empty."""
    assert len(list(REAL.glob("*.pdf"))) == 26


def several(*files: tuple[str, bytes], encryption: pikepdf.Encryption | None = None) -> bytes:
    """A small PDF with attachments, of one name or several."""
    opened = pikepdf.new()
    opened.add_blank_page()
    for key, (name, data) in enumerate(files):
        opened.attachments[f"{key}"] = pikepdf.AttachedFileSpec(
            opened, data, filename=name, mime_type="text/xml", description="", creation_date="", mod_date=""
        )
    out = io.BytesIO()
    opened.save(out, encryption=encryption or False)
    return out.getvalue()


def built(name: str = "factur-x.xml", data: bytes = b"<x/>", *, encryption: pikepdf.Encryption | None = None) -> bytes:
    """A small PDF with an attachment."""
    return several((name, data), encryption=encryption)


@pytest.mark.parametrize("name", ["factur-x.xml", "FACTUR-X.XML", "zugferd-invoice.xml", "ZUGFeRD-invoice.xml", "xrechnung.xml"])
def test_every_name_that_the_years_have_used_is_known(name: str) -> None:
    """In either case; metadata may be absent."""
    found = extract_xml(built(name))
    assert (found.name, found.data, found.conformance_level) == (name, b"<x/>", None)


@pytest.mark.parametrize(
    ("pdf", "reason"),
    [
        (b"", "no PDF"),
        (b"%PDF-1.7\n" + b"\x00" * 1000, "no PDF"),
        (b"<?xml version='1.0'?><Invoice/>", "no PDF"),
        (built("invoice.xml"), "no attachment is named factur-x.xml"),
        (built()[:-200], "no PDF"),
        (built(encryption=pikepdf.Encryption(user="secret", owner="secret")), "encrypted"),
    ],
)
def test_what_is_no_hybrid_is_refused_with_the_reason(pdf: bytes, reason: str) -> None:
    """In a sentence, never by another error."""
    with pytest.raises(InputError, match=reason):
        extract_xml(pdf)


@pytest.mark.parametrize(
    ("pdf", "reason"),
    [
        (built()[:-30], "cut off"),
        (built()[:100], "cut off"),
        (b"%PDF-1.7", "cut off"),
        (b"%PDF-1.7\n" + bytes(range(256)) * 20, "cut off"),
        (b"%PDF-1.7\nxref\n0 0\ntrailer\n<<>>\nstartxref\n9\n%%EOF", "trailer dictionary lacks /Size"),
        (built().replace(b"/Root", b"/Roto"), "unable to find /Root"),
        (built().replace(b"/EF ", b"/EG "), "does not fit together"),
        (built(data=b""), "an attachment is (empty|cut off)"),
        (built(data=b"hello"), "attachment factur-x.xml is not XML"),
        (several(), "carries no e-invoice"),
        (several(("factur-x.xml", b"<a/>"), ("zugferd-invoice.xml", b"<b/>")), "does not say which holds: factur-x.xml, zugferd-invoice.xml"),
        (several(("factur-x.xml", b"<a/>"), ("factur-x.xml", b"<b/>")), "does not say which"),
        (several(*[("factur-x.xml", b"<a/>")] * 20), "does not say which"),
    ],
)
@pytest.mark.only("sqlite")
def test_the_reason_is_in_words(pdf: bytes, reason: str) -> None:
    """Never an object of the program, or an address in memory."""
    with pytest.raises(InputError, match=reason) as caught:
        xml_of(pdf)
    assert re.search(r"0x|<|object|attribute|None", str(caught.value)) is None, str(caught.value)


def test_other_attachments_are_named() -> None:
    """Beside the e-invoice, which may be there twice if both say the same."""
    found = extract_xml(several(("a.png", b"x"), ("factur-x.xml", b"<a/>"), ("factur-x.xml", b"<a/>"), ("b.pdf", b"y")))
    assert (found.data, found.others) == (b"<a/>", ("a.png", "factur-x.xml", "b.pdf"))


def test_a_pdf_that_anyone_may_open_is_read_though_encrypted() -> None:
    """Encryption that asks for nothing hides nothing."""
    assert extract_xml(built(encryption=pikepdf.Encryption(user="", owner="secret"))).data == b"<x/>"


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small PDF whose attachment, or whose own tables, unpack to very much costs neither time nor memory."""
    bomb = built(data=b"<x>" + b" " * (hybrids.XML_BYTES_MAX + 1))
    assert len(bomb) < 200_000
    with pytest.raises(InputError, match="unpacks to more than 16 MiB"):
        extract_xml(bomb)
    tables = zlib.compress(b"\x00" * 2**28, 9)
    head = b"%PDF-1.7\n"
    stream = b"1 0 obj\n<</Type/XRef/W[1 1 1]/Size 89478485/Root 2 0 R/Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream\nendobj\n" % (len(tables), tables)
    with pytest.raises(InputError, match="no PDF"):
        extract_xml(head + stream + b"startxref\n%d\n%%%%EOF" % len(head))
    monkeypatch.setattr(hybrids, "PDF_BYTES_MAX", 1000)
    with pytest.raises(InputError, match="MiB"):
        extract_xml(b"%PDF" + b" " * 1000)


def test_damaged_hybrids_never_break_the_reader(hybrid: bytes) -> None:
    """Whatever bytes are changed: an e-invoice, or one sentence."""
    chance = random.Random(7)
    for _ in range(300):
        damaged = bytearray(hybrid)
        for _ in range(chance.randint(1, 20)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        with suppress(InputError):
            extract_xml(bytes(damaged))
