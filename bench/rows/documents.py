"""A PDF of one page against typst alone, given the same template and the texts; and memory over many of them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median

import typst
from lxml import etree

from bench.harness import SAMPLES, Context, Goal, Row, compare, pinned
from faktura.documents.e_invoice import to_e_invoice
from faktura.documents.en16931 import Profile, Syntax
from faktura.documents.pdf import Look, render_pdf
from faktura.documents.pdf_compiler import STANDARD, TEMPLATES
from faktura.documents.pdf_content import content
from faktura.documents.pdf_glyphs import FONTS
from faktura.documents.xml_invoice import render
from faktura.domain.invoice import Invoice, InvoiceLine, Origin, Period, TypeCode
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.totals import compute
from faktura.domain.vat import PriceBasis, VatCategory, VatKey

PAGES, FEW, MANY = 50, 100, 1000
_NUMBERS = count(1)


def rows(context: Context) -> Iterator[Row]:
    """Each document is another, since typst remembers what it has set."""
    pages, samples = (5, 1) if context.is_quick else (PAGES, SAMPLES)
    with pinned(0):
        yield compare(
            "a PDF/A-3 of one page, three lines",
            "bare typst, given the same template and its texts",
            Goal(at_most=1.5),
            ours=lambda: _ours(pages),
            theirs=lambda: _theirs(pages),
            samples=samples,
            note="ours also writes the texts (CLDR), and packs the file to half its size",
        )
        for syntax in Syntax:
            row = compare(
                f"e-invoice XML of three lines ({syntax.value.upper()}), from the ledger's document to bytes",
                "lxml, making the same elements and bytes",
                Goal(at_least=0.3),
                ours=partial(_our_xml, syntax, 20 * pages),
                theirs=partial(_their_xml, syntax, 20 * pages),
                samples=samples,
            )
            ours, theirs = (1 / median(pair[side] for pair in row.samples) for side in (0, 1))
            yield replace(row, note=f"{ours:,.0f} a second against {theirs:,.0f}: lxml's own limit for these elements")
    few, many = (10, 50) if context.is_quick else (FEW, MANY)
    yield compare(
        f"peak memory of {many} PDFs in one process",
        f"of {few}",
        Goal(at_most=1.1),
        ours=lambda: _peak_megabytes(many),
        theirs=lambda: _peak_megabytes(few),
        samples=1,
    )


def _ours(pages: int) -> float:
    made = [_invoice() for _ in range(pages)]
    began = time.perf_counter()
    for invoice in made:
        render_pdf(invoice, language="de")
    return (time.perf_counter() - began) / pages


def _our_xml(syntax: Syntax, count: int) -> float:
    made = [_invoice() for _ in range(count)]
    began = time.perf_counter()
    for invoice in made:
        render(to_e_invoice(invoice, profile=Profile.EN16931), syntax=syntax)
    return (time.perf_counter() - began) / count


def _their_xml(syntax: Syntax, count: int) -> float:
    """The elements of one document, again and again, by lxml alone."""
    root = etree.fromstring(render(to_e_invoice(_invoice(), profile=Profile.EN16931), syntax=syntax))

    def copy(element: etree._Element, parent: etree._Element | None) -> etree._Element:
        made = etree.Element(element.tag, nsmap=root.nsmap) if parent is None else etree.SubElement(parent, element.tag)
        made.text = element.text
        for name, value in element.attrib.items():
            made.set(name, value)
        for child in element:
            copy(child, made)
        return made

    began = time.perf_counter()
    for _ in range(count):
        etree.tostring(copy(root, None), encoding="UTF-8", xml_declaration=True)
    return (time.perf_counter() - began) / count


def _theirs(pages: int) -> float:
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)])
    compiler = typst.Compiler(str(TEMPLATES / "invoice.typ"), root=str(TEMPLATES), font_paths=fonts)
    texts = [json.dumps(content(_invoice(), language="de", look=Look(), is_test=False)) for _ in range(pages)]
    began = time.perf_counter()
    for text in texts:
        compiler.compile(sys_inputs={"content": text}, format="pdf", pdf_standards=STANDARD, timestamp=datetime(2026, 10, 31, tzinfo=UTC))
    return (time.perf_counter() - began) / pages


def _invoice() -> Invoice:
    """One that was not there before: number, names and amounts are its own."""
    number = next(_NUMBERS)
    month = Period(start=date(2026, 10, 1), end=date(2026, 10, 31))
    lines = tuple(
        InvoiceLine(
            name=f"Virtueller Server {number}-{index}",
            quantity=Decimal(1),
            unit_price=Decimal(1000 + number + index).scaleb(-2),
            line_total_minor=1000 + number + index,
            net_amount_minor=None,
            vat=VatKey(VatCategory.STANDARD, Decimal(19)),
            unit_code="MON",
            period=month,
        )
        for index in range(3)
    )
    done, _, totals = compute(lines=lines, allowances_charges=(), price_basis=PriceBasis.NET)
    seller = Party(name="Hosting OOD", street="Vitosha 15", city="Sofia", post_code="1000", country="BG", vat_id="BG123456789", registration_id="123456789")
    return Invoice(
        id=number,
        account_id=1,
        wire_id=number,
        origin=Origin.ISSUED,
        type_code=TypeCode.INVOICE,
        number=f"{number:010}",
        series="invoice",
        created_at_us=0,
        recorded_at_us=0,
        issue_date=date(2026, 10, 31),
        due_date=date(2026, 11, 14),
        currency=Currency("EUR"),
        price_basis=PriceBasis.NET,
        seller=seller,
        buyer=replace(seller, name="Musterfirma GmbH & Co. KG", country="DE", vat_id="DE123456789"),
        lines=done,
        line_total_minor=totals.line_total_minor,
        allowance_total_minor=totals.allowance_total_minor,
        charge_total_minor=totals.charge_total_minor,
        total_without_vat_minor=totals.total_without_vat_minor,
        vat_total_minor=totals.vat_total_minor,
        total_with_vat_minor=totals.total_with_vat_minor,
        vat_breakdown=totals.vat_breakdown,
    )


def _peak_megabytes(pages: int) -> float:
    """Of a process of its own."""
    return float(subprocess.run([sys.executable, "-m", "bench.rows.documents", str(pages)], check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    _ours(int(sys.argv[1]))
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(int(status.partition("VmHWM:")[2].split()[0]) // 1024)
