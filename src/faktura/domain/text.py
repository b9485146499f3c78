"""Text from outside: what may be kept, and how to show what may not."""

from __future__ import annotations

import re

_SHOWN_MAX = 40
_NUMBER_LENGTH_MAX = 255
_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")


def is_text(value: object, *, length_max: int) -> bool:
    """A text that is not blank, not too long, and that every database and UTF-8 can hold: no NUL, no lone surrogate."""
    return isinstance(value, str) and bool(value.strip()) and len(value) <= length_max and _UNKEEPABLE.search(value) is None


def is_number_text(value: object) -> bool:
    """A document's number as any source may write it: printable, not blank, at most 255 characters."""
    return isinstance(value, str) and is_text(value, length_max=_NUMBER_LENGTH_MAX) and value.isprintable()


def shown(value: object) -> str:
    """A value for a message: short, whatever was given."""
    if isinstance(value, str):
        return repr(value if len(value) <= _SHOWN_MAX else f"{value[:_SHOWN_MAX]}…")
    if value is None or isinstance(value, (bool, float)):
        return repr(value)
    if isinstance(value, int):
        return repr(value) if abs(value) < 10**_SHOWN_MAX else "a number of very many digits"
    return f"a {type(value).__name__}"
