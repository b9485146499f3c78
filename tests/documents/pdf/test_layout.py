"""Where things stand on the page: within its margins, beside each other, whatever they are."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pypdf
import pytest
from PIL import Image, ImageChops
from tests.documents.pdf.samples import CREDIT, GERMAN, REVERSE, S19, SELLER, document, line, long

from faktura.documents.pdf import Look, render_pdf, render_png
from faktura.domain.errors import SettingError
from faktura.domain.invoice import Invoice

PLAIN = Look()


def ink(invoice: Invoice, look: Look = PLAIN, language: str = "de") -> list[tuple[int, int, int, int]]:
    """Where each page has ink: left, top, right, bottom in points."""
    pages = [Image.open(io.BytesIO(page)).convert("L").point(lambda shade: 255 * (shade < 250)) for page in render_png(invoice, language=language, look=look)]
    return [box for page in pages if (box := page.getbbox())]


CODE = "04011000-1234512345-35"
WIDE = {
    "codes of digits": replace(GERMAN, buyer=replace(GERMAN.buyer, buyer_reference="-".join([CODE] * 8), name="-".join(["1234567"] * 12))),
    "an item's code": replace(GERMAN, lines=(line("-".join(["1234567"] * 12), "1", "1249", REVERSE),)),
    "blanks that do not break": replace(GERMAN, note="\u00a0".join(["nicht"] * 60), lines=(line("\u00a0".join(["nicht"] * 30), "1", "1249", REVERSE),)),
    "orders": replace(GERMAN, order_ids=tuple(range(10**9, 10**9 + 60))),
    "gross amounts": replace(CREDIT, lines=(line("x" * 60, "1234567.125", "98765.4321", S19), *CREDIT.lines)),
    "amounts": replace(GERMAN, lines=(line("x", "1234567.125", "98765.4321", REVERSE),)),
}


@pytest.mark.parametrize("name", WIDE)
def test_nothing_reaches_into_the_margins(name: str) -> None:
    """Codes, blanks that do not break, many orders, large amounts: all of it within 22 mm at the left and 20 mm at the right."""
    for left, _, right, _ in ink(document(WIDE[name])):
        assert left >= 62
        assert right <= 595 - 56


def test_large_amounts_stand_beside_their_words() -> None:
    """Below the sums by rate where there is no room beside them."""
    placed: dict[str, tuple[float, float]] = {}

    def visit(text: str, place: list[float], _: Any, __: Any, size: float) -> None:
        placed.setdefault(text.strip(), (place[4], size))

    pypdf.PdfReader(io.BytesIO(render_pdf(document(WIDE["amounts"]), language="de"))).pages[0].extract_text(visitor_text=visit)
    words, amount = placed["Rechnungsbetrag"], next(value for text, value in placed.items() if text.endswith("€") and value[1] > 12)
    assert amount[0] > words[0] + len("Rechnungsbetrag") * words[1] * 0.5


def test_a_long_footer_stays_on_the_paper() -> None:
    """However it is broken, 8 mm are left below it, and the page's text ends above it."""
    for footer in ("Wort " * 100, "\n".join("abcdefgh"), "\n".join(["Wort " * 12] * 8), "x" * 500):
        for _, _, _, bottom in ink(document(replace(GERMAN, note="Text. " * 600)), Look(footer=footer[:500].strip())):
            assert bottom <= 842 - 22
    with pytest.raises(SettingError, match="more than 8 lines"):
        Look(footer="\n".join("abcdefghi"))


@pytest.mark.parametrize(("size", "drawn"), [((400, 40), (170, 17)), ((40, 400), (5, 51)), ((100, 100), (51, 51)), ((333, 100), (170, 51)), ((1, 1), (51, 51))])
def test_a_logo_stands_at_the_left_as_large_as_there_is_room(size: tuple[int, int], drawn: tuple[int, int]) -> None:
    """60 x 18 mm hold it, whatever its shape, and what follows it comes as close as after any other."""
    out = io.BytesIO()
    Image.new("RGB", size, "#ff0000").save(out, "PNG")
    page = Image.open(io.BytesIO(render_png(document(GERMAN), look=Look(logo=out.getvalue()))[0])).convert("RGB")
    red = Image.eval(page.getchannel("G"), lambda shade: 255 * (shade < 40))
    red = ImageChops.multiply(red, Image.eval(page.getchannel("R"), lambda shade: 255 * (shade > 200)))
    left, top, right, bottom = red.getbbox() or (0, 0, 0, 0)
    assert left in (62, 63)
    assert top in (68, 69)
    assert abs(right - left - drawn[0]) <= 1
    assert abs(bottom - top - drawn[1]) <= 1
    text_top = page.convert("L").crop((0, bottom + 2, page.width, page.height)).point(lambda shade: 255 * (shade < 200)).getbbox()
    assert text_top
    assert text_top[1] < 40


def test_the_head_of_later_pages_is_one_line() -> None:
    """Whatever the number and the seller's name."""
    seller = replace(SELLER, name="Международно сдружение за електронни услуги и инфраструктурни решения")
    draft = replace(long(60), buyer=replace(GERMAN.buyer, name="x"))
    tops = [ink(replace(document(draft), number=number, seller=seller), language="bg")[1][1] for number in ("1", "ОФ-2026-София-Център-0000000000123456789")]
    assert tops[0] == tops[1]
