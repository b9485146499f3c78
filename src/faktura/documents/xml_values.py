"""Values of business terms as XML text, and back. One `Dialect` for each syntax."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from faktura.documents.xml_layout import Node
from faktura.domain.calendar import parse_date
from faktura.domain.text import shown

_DECIMAL = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})\Z", re.ASCII)
_SPECIAL = re.compile('[&<>"\r\n\t]')
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Za-z0-9]{10,30}\Z", re.ASCII)

AMOUNTS = frozenset({"amount", "price"})
NUMBERS = AMOUNTS | {"percentage", "quantity"}
_IDENTIFIERS = frozenset(
    """
BT-1 BT-11 BT-12 BT-13 BT-14 BT-15 BT-16 BT-17 BT-23 BT-24 BT-25 BT-31 BT-32 BT-48 BT-63 BT-83 BT-84 BT-86 BT-87 BT-89 BT-90 BT-91 BT-126 BT-132
BT-155 BT-156
""".split()
)
"""Texts of the table that identify: space around them, as of XML that was indented, is no part of them."""

CONDITIONS: dict[str, Callable[[Any], bool]] = {
    "scheme": lambda value: value.scheme is not None,
    "noscheme": lambda value: value.scheme is None,
    "iban": lambda value: _IBAN.match(value) is not None,
    "noiban": lambda value: _IBAN.match(value) is None,
}
"""`if=` of a layout."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How a value is written, and read; ValueError for a text that is none."""

    write: Callable[[Any], str]
    read: Callable[[str], Any]
    is_of_group: bool = False
    """Of all terms of the repeated group around: what it reads are the group's terms by attribute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a syntax has beside its layout."""

    namespaces: Mapping[str, str]
    """By prefix."""
    layout: Node
    declared: str
    """The namespace attributes of the document's element."""
    days: Codec
    currency_path: str
    """Where BT-5 stands: amounts are read in it."""
    amount_currency: str | None = None
    """The attribute that each amount names its currency in."""
    codecs: Mapping[str, Codec]
    """`as=` of the layout."""
    conditions: Mapping[str, Callable[[Any, str], bool]] = field(default_factory=dict)
    """`when=` of the layout, of an element and the document's currency; `own` and `tax` are known everywhere."""


def escaped(text: str, *, is_attribute: bool = False) -> str:
    """Text for XML that reads back as it was, line ends too."""
    if _SPECIAL.search(text) is None:
        return text
    if is_attribute:
        return _SPECIAL.sub(lambda found: _ENTITIES[found[0]], text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _number(text: str) -> Decimal:
    if not _DECIMAL.match(text.strip()):
        message = f"{shown(text)} is not a decimal number"
        raise ValueError(message)
    return Decimal(text.strip())


def _write_number(value: Decimal) -> str:
    text = f"{value:f}"
    return text[1:] if value == 0 and text.startswith("-") else text


def _file(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not Base64") from None


def _compact_day(text: str) -> date:
    given = text.strip()
    if len(given) != len("20240131") or not given.isascii() or not given.isdigit():
        message = f"{shown(text)} is not a date such as 20240131"
        raise ValueError(message)
    return parse_date(f"{given[:4]}-{given[4:6]}-{given[6:]}")


ISO_DAYS = Codec(date.isoformat, lambda text: parse_date(text.strip()))
COMPACT_DAYS = Codec(lambda day: f"{day.year:04}{day.month:02}{day.day:02}", _compact_day)
TEXT = Codec(str, str)
CODE = Codec(str, str.strip)
_NUMBER = Codec(_write_number, _number)
_FILE = Codec(lambda content: base64.b64encode(content).decode(), _file)


def codec_of(dialect: Dialect, node: Node) -> Codec:
    """How the text of an element is written and read."""
    if "as" in node.options:
        return dialect.codecs[node.options["as"]]
    if node.binding is None:
        return TEXT
    datatype = node.binding.term.datatype
    if node.binding.part is None and datatype in NUMBERS:
        return _NUMBER
    if datatype == "file" and node.binding.part is None:
        return _FILE
    if datatype == "identifier" or node.binding.term.id in _IDENTIFIERS:
        return CODE
    return {"date": dialect.days, "code": CODE}.get(datatype, TEXT)
