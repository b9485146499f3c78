"""A billing file -> items: JSON Lines, one document a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from faktura.documents import strict_json
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
        return strict_json.loads(line)
    except (ValueError, RecursionError):
        return None
