"""Pages look as they did when somebody last looked at them. `python -m tests.documents.pdf.test_golden` makes the pictures anew: look at them then."""

from __future__ import annotations

import io
from importlib.metadata import version
from pathlib import Path

import pytest
from PIL import Image, ImageChops
from tests.documents.pdf.samples import BULGARIAN, CREDIT, GERMAN, document, long

from faktura.documents.pdf import render_png

GOLDEN = Path(__file__).parents[2] / "golden" / "pdf"
MADE_WITH = GOLDEN / "made-with.txt"
PPI = 80
PAGES = {
    "bg-invoice": (BULGARIAN, "bg", 0),
    "de-reverse-charge": (GERMAN, "de", 0),
    "en-credit-note": (CREDIT, "en", 0),
    "de-long-page-2": (long(50), "de", 1),
}


def versions() -> str:
    """What draws the pages: others may draw them a little differently."""
    return "".join(f"{name} {version(name)}\n" for name in ("typst", "babel", "segno"))


def picture(name: str) -> Image.Image:
    """The page as it is now, in 33 shades a colour, which halves the files."""
    draft, language, page = PAGES[name]
    drawn = render_png(document(draft), language=language, ppi=PPI)[page]
    return Image.open(io.BytesIO(drawn)).convert("RGB").point([min(255, (shade + 4) // 8 * 8) for shade in range(256)] * 3)


@pytest.mark.parametrize("name", PAGES)
def test_pages_look_as_they_did(name: str) -> None:
    """Pixel by pixel, with the same versions of what draws them."""
    if MADE_WITH.read_text(encoding="utf-8") != versions():
        pytest.skip(f"the pictures were made with {', '.join(MADE_WITH.read_text(encoding='utf-8').splitlines())}")
    kept = Image.open(GOLDEN / f"{name}.png")
    now = picture(name)
    assert kept.size == now.size
    assert ImageChops.difference(kept, now).getbbox() is None


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for each in PAGES:
        picture(each).save(GOLDEN / f"{each}.png", optimize=True)
    MADE_WITH.write_text(versions(), encoding="utf-8")
