"""A billing file -> items: JSON Lines, or CSV where its name ends so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from faktura.documents.billing_items import CSV, JSON_LINES, ValueParser
from faktura.ledger.billing import BillingItem

_PIECE_BYTES = 256 * 1024


def read_items(path: Path, *, advance: Callable[[int], None]) -> Iterator[BillingItem]:
    """The items of a file, one at a time. A line that is no JSON object is an item that will be refused, with its line number."""
    parser = ValueParser(CSV if path.suffix.lower() == ".csv" else JSON_LINES)
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield from _items(parser.feed(piece))
            advance(len(piece))
    yield from _items(parser.close())


def _items(found: Iterator[tuple[int, object]]) -> Iterator[BillingItem]:
    for position, data in found:
        yield BillingItem(position=position, data=data)
