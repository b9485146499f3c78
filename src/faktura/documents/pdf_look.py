"""How a provider's PDFs look: logo, accent colour, footer. Checked when it is read, so that no document fails for it later."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from faktura.domain.errors import SettingError
from faktura.domain.provider import LOGO_BYTES_MAX
from faktura.domain.text import is_text, shown

if TYPE_CHECKING:
    from lxml import etree

ACCENT = "#1d4f91"
LOGO_SIDE_MAX = 4000
LOGO_PIXELS_MAX = 4_000_000
"""A small file may unpack to any size: so much is drawn in a seventh of a second and 60 MiB."""
FOOTER_LENGTH_MAX = 500
FOOTER_LINES_MAX = 8
CONTRAST_MIN_PERCENT = 450
"""WCAG 2 AA for text on white: 4.5 to 1."""

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\Z")
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_PNG_HEAD_LENGTH = 33
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_CMYK = 4
_LINEAR_BELOW = 40_450  # of a million: where the curve of sRGB begins
_SVG = "http://www.w3.org/2000/svg"
_SVG_ELEMENTS = frozenset(
    "svg g defs title desc metadata path rect circle ellipse line polyline polygon linearGradient radialGradient stop clipPath mask".split()
)
"""Shapes, and what colours and cuts them. Patterns, markers, filters and copies could be nested until nobody can draw them."""
_SVG_CUTS = frozenset({"clipPath", "mask"})
_SVG_SHAPES_MAX = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a provider gives its PDFs. SettingError for what cannot be used."""

    logo: bytes | None = None
    """A PNG, JPEG or SVG file."""
    accent: str = ACCENT
    """The colour of title, rules and total, as `#rrggbb`; dark enough to be read on white."""
    footer: str | None = None
    """A line or a few at the foot of every page."""

    def __post_init__(self) -> None:
        if not isinstance(self.accent, str) or not _COLOUR.match(self.accent):
            message = f"accent colour {shown(self.accent)} is not a colour such as #1d4f91"
            raise SettingError(message)
        if contrast_percent(self.accent) < CONTRAST_MIN_PERCENT:
            message = f"accent colour {self.accent} is too light to be read on white: its contrast is below 4.5 to 1"
            raise SettingError(message)
        if self.footer is not None and not is_text(self.footer, length_max=FOOTER_LENGTH_MAX):
            message = f"the footer is not a text of 1 to {FOOTER_LENGTH_MAX} characters"
            raise SettingError(message)
        if self.footer is not None and len(self.footer.splitlines()) > FOOTER_LINES_MAX:
            message = f"the footer has more than {FOOTER_LINES_MAX} lines"
            raise SettingError(message)
        if self.logo is not None:
            logo_format(self.logo)


def contrast_percent(colour: str) -> int:
    """The contrast of a colour with white, in percent of 1 to 1 (WCAG 2), rounded down."""
    red, green, blue = (_linear(int(colour[index : index + 2], 16)) for index in (1, 3, 5))
    luminance = (2126 * red + 7152 * green + 722 * blue) // 10_000
    return 105 * 1_000_000 // (luminance + 50_000)


def _linear(channel: int) -> int:
    """The light of an sRGB channel in millionths."""
    share = channel * 1_000_000 // 255
    if share <= _LINEAR_BELOW:
        return share * 100 // 1292
    return int((Decimal(share + 55_000) / 1_055_000) ** Decimal("2.4") * 1_000_000)


def logo_format(logo: bytes) -> str:
    """`png`, `jpg` or `svg`; SettingError for anything else, and for what is too large or reaches outside itself."""
    if not isinstance(logo, bytes) or not 0 < len(logo) <= LOGO_BYTES_MAX:
        message = f"the logo has more than {LOGO_BYTES_MAX // 1024} KiB, or nothing"
        raise SettingError(message)
    if logo.startswith(_PNG):
        _check_size(_png_size(logo))
        return "png"
    if logo.startswith(_JPEG):
        _check_size(_jpeg_size(logo))
        return "jpg"
    _check_svg(logo)
    return "svg"


def _check_size(size: tuple[int, int]) -> None:
    if not all(0 < side <= LOGO_SIDE_MAX for side in size) or size[0] * size[1] > LOGO_PIXELS_MAX:
        message = f"the logo has {size[0]} x {size[1]} pixels; at most {LOGO_SIDE_MAX} a side and {LOGO_PIXELS_MAX:,} in all are used"
        raise SettingError(message)


def _png_size(logo: bytes) -> tuple[int, int]:
    if len(logo) < _PNG_HEAD_LENGTH or logo[12:16] != b"IHDR":
        raise SettingError("the logo is no whole PNG file")
    width, height = struct.unpack(">II", logo[16:24])
    return width, height


def _jpeg_size(logo: bytes) -> tuple[int, int]:
    """Walks the segments to the frame header, which says height, width and components."""
    at = 2
    while at + 10 <= len(logo) and logo[at : at + 1] == b"\xff":
        marker, length = logo[at + 1], int.from_bytes(logo[at + 2 : at + 4])
        if marker in _JPEG_FRAMES:
            if logo[at + 9] == _CMYK:
                raise SettingError("the logo is a JPEG in CMYK, which PDF/A does not take; save it in RGB")
            height, width = struct.unpack(">HH", logo[at + 5 : at + 9])
            return width, height
        at += 2 + length
    raise SettingError("the logo is no whole JPEG file")


def _check_svg(logo: bytes) -> None:
    """A drawing alone: no document type, no scripts, nothing that is fetched or included."""
    from lxml import etree  # noqa: PLC0415 - only where there is a logo

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(logo, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SettingError("the logo is neither PNG nor JPEG nor SVG") from error
    if root.getroottree().docinfo.internalDTD is not None or etree.QName(root).localname != "svg":
        raise SettingError("the logo is an XML file that is no plain SVG drawing")
    uses = cut = 0
    elements = list(root.iter(etree.Element))
    for element in elements:
        name = etree.QName(element)
        if name.namespace in {_SVG, None} and name.localname not in _SVG_ELEMENTS:
            message = f"the logo's SVG has a <{name.localname}>; only drawn shapes are taken"
            raise SettingError(message)
        for key, value in element.attrib.items():
            if etree.QName(key).localname == "href" and not value.startswith("#"):
                raise SettingError("the logo's SVG refers to another file; only drawn shapes are taken")
        is_inside = any(etree.QName(holder).localname in _SVG_CUTS for holder in (element, *element.iterancestors()))
        is_cut = _is_cut(element)
        if is_inside and is_cut:
            raise SettingError("the logo's SVG cuts what cuts others; only one such step is taken")
        uses, cut = uses + is_cut, cut + is_inside
    if len(elements) + uses * cut > _SVG_SHAPES_MAX:
        message = f"the logo's SVG draws more than {_SVG_SHAPES_MAX} shapes"
        raise SettingError(message)


def _is_cut(element: etree._Element) -> bool:
    """Whether a clip path or a mask cuts the element: each draws all of its own shapes then."""
    from lxml import etree  # noqa: PLC0415 - as above

    style = element.get("style", "").lower()
    named = {str(etree.QName(key).localname) for key in element.attrib} | {part.partition(":")[0].strip() for part in style.split(";")}
    return not named.isdisjoint({"clip-path", "mask"}) or "/*" in style or "\\" in style  # comments and escapes may hide either
