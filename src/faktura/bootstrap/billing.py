"""A billing file -> items: JSON Lines, one document a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

from faktura.ledger.billing import BillingItem

LINE_BYTES_MAX = 8 * 1024 * 1024


def read_items(path: Path, *, advance: Callable[[int], None]) -> Iterator[BillingItem]:
    """The items of a file, one at a time. A line that is no JSON object is an item that will be refused, with its line number."""
    with path.open("rb") as file:
        position = 0
        while line := file.readline(LINE_BYTES_MAX):
            position += 1
            if line.strip():
                yield BillingItem(position=position, data=_parse(line))
            advance(len(line))


def _parse(line: bytes) -> object:
    try:
        return json.loads(line, parse_float=Decimal, object_pairs_hook=_no_repeats)
    except (ValueError, RecursionError):
        return None


def _no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object names a key twice")
    return found
