"""JSON from users: exact numbers, and no key twice, of which one would be lost."""

from __future__ import annotations

import json
from decimal import Decimal


def loads(text: bytes) -> object:
    """The value of a JSON text, numbers with a point as Decimal; NaN and Infinity too, for whoever reads the field to refuse. ValueError or RecursionError where it is none."""
    return json.loads(text, parse_float=Decimal, object_pairs_hook=_no_repeats, parse_constant=Decimal)


def _no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object names a key twice")
    return found
