"""Logos: what cannot be drawn is refused when it is set, within bounds of time and memory, and never keeps a document from its reader."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace

import pytest
from PIL import Image
from tests.documents.pdf.samples import GERMAN, SELLER, document

from faktura.documents.handing_out import check_look, make_pdf
from faktura.documents.pdf import render_pdf
from faktura.domain.errors import SettingError
from faktura.domain.money import Currency
from faktura.domain.provider import Provider

NAMESPACE = 'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20"'
ENORMOUS = '<rect width="1e38" height="1e38" stroke="red" stroke-dasharray="1e-9 1e-9"/>'
"""What the typesetter cannot say in a PDF: it ends its process."""
RECT = '<rect width="40" height="20" fill="#123456"/>'


def svg(inside: str) -> bytes:
    """A drawing with that in it."""
    return f"<svg {NAMESPACE}>{inside}</svg>".encode()


def png(width: int, height: int, *, packed: bytes | None = None) -> bytes:
    """A PNG of one colour, or with other packed pixels."""
    pixels = zlib.compress(bytes(1 + width * 3) * height, 9) if packed is None else packed
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks)


def jpeg(*, cut: int = 0) -> bytes:
    """A JPEG, or the beginning of one."""
    out = io.BytesIO()
    Image.new("RGB", (60, 20), "#123456").save(out, "JPEG")
    return out.getvalue()[: len(out.getvalue()) - cut]


@pytest.mark.parametrize(
    "logo",
    [
        png(300, 90),
        png(2000, 2000),
        jpeg(),
        svg(RECT),
        svg('<title>A</title><defs><linearGradient id="g"><stop stop-color="#111"/></linearGradient></defs><path d="M0 0h9v9z" fill="url(#g)"/>'),
        svg(f'<clipPath id="c"><circle r="9"/></clipPath><mask id="m">{RECT}</mask><g clip-path="url(#c)">{RECT}</g><g style="mask:url(#m)">{RECT}</g>'),
        svg(f'<mask id="m" style="mask-type:luminance">{RECT}</mask><g mask="url(#m)">{RECT}</g>'),
        f'<svg {NAMESPACE} xmlns:i="urn:editor"><i:view><i:image href="#x"/></i:view>{RECT}</svg>'.encode(),
    ],
    ids=["png", "large png", "jpeg", "svg", "gradient", "cut once", "masked", "an editor's own words"],
)
def test_what_can_be_drawn_is_taken(logo: bytes) -> None:
    """Pictures, and drawings as editors save them."""
    check_look(logo=logo)


def nested(name: str, reference: str) -> bytes:
    """Ten steps, each of which draws the next ten times: ten thousand million shapes in some kilobytes."""
    steps = [f'<{name} id="n{at}">{f"""<path d="M0 0h9" {reference}="url(#n{at + 1})"/>""" * 10}</{name}>' for at in range(10)]
    return svg("".join(steps) + f'<path d="M0 0h9" {reference}="url(#n0)"/>')


@pytest.mark.parametrize(
    ("logo", "reason"),
    [
        (png(16, 16, packed=b"\0" * 20), "cannot be drawn"),
        (png(16, 16)[:60], "cannot be drawn"),
        (jpeg()[:300], "JPEG|cannot be drawn"),
        (svg("")[:-6] + b"</sv>", "neither PNG"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" width="0" height="0"/>', "cannot be drawn"),
        (png(4000, 4000, packed=b""), "4000 x 4000 pixels"),
        (png(4001, 1, packed=b""), "4001 x 1 pixels"),
        (svg('<style>@import url("http://127.0.0.1:1/x.css");</style>'), "<style>"),
        (svg('<image href="file:///etc/passwd"/>'), "<image>"),
        (svg(f'<a href="http://127.0.0.1:1/">{RECT}</a>'), "<a>"),
        (svg(f'<g xml:base="http://127.0.0.1:1/"><feImage/>{RECT}</g>'), "<feImage>"),
        (svg('<filter id="f"><feTurbulence/></filter>'), "<filter>"),
        (svg(ENORMOUS).replace(b"0 0 40 20", b"0 0 9 9"), "fell over it"),
        (nested("pattern", "fill"), "<pattern>"),
        (nested("marker", "marker-start"), "<marker>"),
        (nested("mask", "mask"), "cuts what cuts"),
        (nested("clipPath", "clip-path"), "cuts what cuts"),
        (nested("mask", "style='mask:none' mask"), "cuts what cuts"),
        (nested("mask", "style='/**/mask: url(#n0)' id"), "cuts what cuts"),
        (nested("mask", "style='fill:red; MASK : url(#n0)' id"), "cuts what cuts"),
        (nested("mask", "xmlns:s='http://www.w3.org/2000/svg' s:mask"), "cuts what cuts"),
        (svg(f'<mask id="m">{"<path/>" * 200}</mask>' + '<path mask="url(#m)"/>' * 200), "more than 5000"),
        (svg("<path/>" * 5001)[: 32 * 1024 + 1], "32 KiB"),
        (svg("<g>" * 2000 + "</g>" * 2000), "SVG"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_what_cannot_be_drawn_is_refused(logo: bytes, reason: str) -> None:
    """Damaged, empty, reaching outside itself, or many times larger than it looks: refused with the reason, before anything is unpacked."""
    with pytest.raises(SettingError, match=reason):
        check_look(logo=logo)


@pytest.mark.parametrize(
    "logo", [png(16, 16, packed=b"\0" * 20), nested("pattern", "fill"), png(4000, 4000, packed=b"")], ids=["damaged", "forbidden", "large"]
)
def test_a_kept_logo_never_keeps_a_document_back(logo: bytes) -> None:
    """One that another release took is left out of the page."""
    provider = Provider(id=1, name="vps", dialect="vpsbg", zone="Europe/Sofia", currency=Currency("EUR"), seller=SELLER, accent="#7a1f3d", logo=logo)
    invoice = document(GERMAN)
    assert make_pdf(invoice, provider, language="de") == make_pdf(invoice, replace(provider, logo=None), language="de") != render_pdf(invoice, language="de")
