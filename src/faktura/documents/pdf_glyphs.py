"""Text that the shipped fonts can set: what they lack is shown as a mark, what would mislead is left out."""

from __future__ import annotations

import re
import struct
import unicodedata
from functools import cache, lru_cache
from pathlib import Path

FONTS = Path(__file__).parent / "fonts"
MISSING = "\ufffd"
"""Stands for a character that no shipped font has; PDF/A forbids text without a glyph."""

WORD_LENGTH_MAX = 28
_BREAK = "\u200b"
_SEGMENTS, _GROUPS = 4, 12  # formats of a cmap: the basic plane, and all of Unicode
_VARIATION_SELECTORS = range(0xFE00, 0xFE10)


@cache
def coverage() -> frozenset[int]:
    """The code points that the shipped fonts have glyphs for."""
    found: set[int] = set()
    for path in sorted(FONTS.iterdir()):
        if path.suffix in {".otf", ".ttf"}:
            found |= _code_points(path.read_bytes())
    return frozenset(found)


def _code_points(font: bytes) -> set[int]:
    """The mapped code points of an OpenType font: its `cmap` in format 12 or 4."""
    tables = {font[at : at + 4]: struct.unpack(">II", font[at + 8 : at + 16]) for at in range(12, 12 + 16 * int.from_bytes(font[4:6]), 16)}
    start, length = tables[b"cmap"]
    cmap = font[start : start + length]
    found: set[int] = set()
    for index in range(int.from_bytes(cmap[2:4])):
        offset = int.from_bytes(cmap[8 + 8 * index : 12 + 8 * index])
        form = int.from_bytes(cmap[offset : offset + 2])
        if form == _GROUPS:
            for group in range(int.from_bytes(cmap[offset + 12 : offset + 16])):
                first, last, glyph = struct.unpack_from(">III", cmap, offset + 16 + 12 * group)
                found.update(range(first if glyph else first + 1, last + 1))
        elif form == _SEGMENTS:
            found |= _of_segments(cmap[offset : offset + int.from_bytes(cmap[offset + 2 : offset + 4])])
    return found


def _of_segments(table: bytes) -> set[int]:
    """Of a format 4: a segment may have code points without a glyph, which are those of glyph 0."""
    words = struct.unpack(f">{len(table) // 2}H", table[: len(table) // 2 * 2])
    count = words[3] // 2
    lasts, firsts, deltas, offsets = (7, 8 + count, 8 + 2 * count, 8 + 3 * count)
    found: set[int] = set()
    for segment in range(count):
        first, last, delta, at = (words[start + segment] for start in (firsts, lasts, deltas, offsets))
        for code in range(first, min(last, 0xFFFE) + 1):
            place = offsets + segment + at // 2 + code - first
            glyph = code if not at else words[place] if place < len(words) else 0
            if (glyph + delta) & 0xFFFF and (glyph or not at):
                found.add(code)
    return found


def printable(text: str, *, word_max: int = WORD_LENGTH_MAX) -> str:
    """A text as the page shows it.

    Composed; control characters are spaces, line breaks stay; invisible characters, which may turn the order of what is read, are left
    out; what no font has is U+FFFD; words longer than `word_max`, which may not fit a column, may be broken anywhere.
    """
    if text.isascii() and text.isprintable() and len(text) <= word_max:
        return text
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    whole, part = _long_words(word_max)
    return whole.sub(lambda word: part.sub(lambda found: _BREAK.join(found.group()), _HYPHEN.sub("-" + _BREAK, word.group())), "".join(map(_shown, composed)))


_HYPHEN = re.compile(r"-(?=\d)")
"""Where Unicode's rules do not break a line (UAX 14, LB25), and a long code must be."""


@cache
def _long_words(length: int) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Words between blanks that break, and what of them no hyphen parts."""
    return re.compile(rf"[^ \n]{{{length + 1},}}"), re.compile(rf"[^{_BREAK}-]{{{length + 1},}}")


@lru_cache(maxsize=4096)
def _shown(character: str) -> str:
    category = unicodedata.category(character)
    if character == "\n":
        return character
    if category in {"Cc", "Zl", "Zp"}:
        return " "
    if category == "Cf" or ord(character) in _VARIATION_SELECTORS:
        return ""
    if category == "Zs":
        return "\u00a0" if character in "\u00a0\u202f\u2007" else " "
    is_private = category == "Co"  # whoever listens to the page would hear nothing: PDF/A-3a forbids it
    return character if ord(character) in coverage() and not is_private else MISSING
