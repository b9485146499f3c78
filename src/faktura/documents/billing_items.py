"""What a billing run bills: JSON Lines or CSV, read as it comes, an item at a time.

JSON Lines: an object a line. CSV (RFC 4180, with a header): a row is a line of a document; rows that follow each other with the
same account, period and product make one document. A position is the line in the input where an item begins.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, NoReturn, TypeVar

from faktura.documents import strict_json
from faktura.domain.draft import LINES_MAX
from faktura.domain.errors import InputError

JSON_LINES = "application/jsonl"
CSV = "text/csv"
MEDIA_TYPES = (JSON_LINES, "application/x-ndjson", CSV)
LINE_BYTES_MAX = 8 * 1024 * 1024

_KEY = ("account", "period", "product")
_DOCUMENT = ("currency", "price_basis", "issue_date", "due_date", "tax_point_date", "note", "payment_terms", "preceding_invoice", "override_reason")
_LINE = ("name", "quantity", "unit_price", "unit_code", "vat_category", "vat_rate", "item_id")
_WHOLE = ("type_code", "order_id")
_PERIOD = ("period_start", "period_end")
COLUMNS = (*_KEY, *_DOCUMENT, *_LINE, *_WHOLE, *_PERIOD)

_UNUSABLE = "null"
"""Stands for a line that is no JSON, or none that can be kept: the run refuses it, and names its position."""


T = TypeVar("T")


class Parser(Generic[T]):
    """Takes the input in pieces of any size, gives (position, item) of each, as `give` makes it of its JSON text and value."""

    def __init__(self, media_type: str, give: Callable[[str | None, object], T]) -> None:
        self._give = give
        self._rows = _CsvRows() if media_type == CSV else None
        self._rest = b""
        self._line = 0
        self._text = codecs.getincrementaldecoder("utf-8-sig")("strict")

    def feed(self, piece: bytes) -> Iterator[tuple[int, T]]:
        """Items that are whole now; InputError where it cannot go on."""
        *lines, self._rest = (self._rest + piece).split(b"\n") if b"\n" in piece else [self._rest + piece]
        for line in lines:
            yield from self._read(line)
        if len(self._rest) > LINE_BYTES_MAX:
            message = f"line {self._line + 1} is longer than {LINE_BYTES_MAX} bytes"
            raise InputError(message)

    def close(self) -> Iterator[tuple[int, T]]:
        """What is left at the end of the input."""
        if self._rest:
            yield from self._read(self._rest)
        self._rest = b""
        if self._rows:
            yield from self._given(self._rows.close())

    def _given(self, documents: Iterable[tuple[int, object]]) -> Iterator[tuple[int, T]]:
        for position, document in documents:
            yield position, self._give(None, document)

    def _read(self, line: bytes) -> Iterator[tuple[int, T]]:
        self._line += 1
        if len(line) > LINE_BYTES_MAX:
            message = f"line {self._line} is longer than {LINE_BYTES_MAX} bytes"
            raise InputError(message)
        if self._rows:
            yield from self._given(self._rows.feed(self._line, self._decode(line)))
        elif line.strip():
            yield self._line, self._give(*_json(line))

    def _decode(self, line: bytes) -> str:
        try:
            return self._text.decode(line + b"\n")
        except UnicodeDecodeError as error:
            message = f"line {self._line} is not UTF-8"
            raise InputError(message) from error


def _json(line: bytes) -> tuple[str, object]:
    try:
        text = line.decode("utf-8-sig").strip()
        return text, strict_json.bounded(text)
    except ValueError:
        return _UNUSABLE, None


def _text_of(text: str | None, value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if text is None else text


class ItemParser(Parser[str]):
    """Gives items as JSON text, to be kept."""

    def __init__(self, media_type: str) -> None:
        super().__init__(media_type, _text_of)


class ValueParser(Parser[object]):
    """Gives items as the values that they are, to be billed now; None for what is no JSON, or none that could be kept."""

    def __init__(self, media_type: str) -> None:
        super().__init__(media_type, lambda _, value: value)


class _CsvRows:
    """Rows of a CSV, gathered into documents."""

    def __init__(self) -> None:
        self._header: list[str] | None = None
        self._open: list[str] = []
        """The lines of a record that is not whole yet."""
        self._open_length = 0
        self._is_quoted = False
        self._opened_at = 0
        self._position = 0
        self._key: tuple[str, ...] | None = None
        self._document: dict[str, Any] = {}
        self._length = 0

    def feed(self, number: int, line: str) -> Iterator[tuple[int, object]]:
        """A line of the file; a quoted cell may go on over several."""
        if not self._open:
            self._opened_at, self._open_length = number, 0
        self._open.append(line)
        self._open_length += len(line)
        self._is_quoted ^= bool(line.count('"') % 2)
        if self._is_quoted:
            if self._open_length > LINE_BYTES_MAX:
                self._refuse("a quoted cell does not end")
            return
        record, self._open = "".join(self._open), []
        if not record.strip():
            return
        cells = self._cells(record)
        if self._header is None:
            self._header = _check_header(cells)
            return
        if len(cells) != len(self._header):
            self._refuse(f"has {len(cells)} cells, the header {len(self._header)}")
        yield from self._row({name: cell for name, cell in zip(self._header, cells, strict=True) if cell}, len(record))

    def close(self) -> Iterator[tuple[int, object]]:
        """The last document."""
        if self._open:
            self._refuse("a quoted cell does not end")
        yield from self._close_document()

    def _close_document(self) -> Iterator[tuple[int, object]]:
        if self._key is not None:
            orders = {"order_ids": list(self._document["order_ids"])} if "order_ids" in self._document else {}
            yield self._position, self._document | orders
        self._key, self._length = None, 0

    def _cells(self, record: str) -> list[str]:
        try:
            return [cell.strip() for cell in next(csv.reader([record]))]
        except csv.Error as error:
            self._refuse(f"is not CSV: {error}")

    def _row(self, row: dict[str, str], length: int) -> Iterator[tuple[int, object]]:
        key = tuple(row.get(name, "") for name in _KEY)
        if key != self._key:
            yield from self._close_document()
            self._key, self._position = key, self._opened_at
            self._document = {name: row[name] for name in (*_KEY, *_DOCUMENT) if name in row} | {"lines": []}
            if "type_code" in row:
                self._document["type_code"] = _whole(row["type_code"])
        line: dict[str, Any] = {name: row[name] for name in _LINE if name in row}
        if "order_id" in row:
            line["order_id"] = _whole(row["order_id"])
            self._document.setdefault("order_ids", {})[line["order_id"]] = None
        period = {name.removeprefix("period_"): row[name] for name in _PERIOD if name in row}
        self._document["lines"].append(line | ({"period": period} if period else {}))
        self._length += length
        if self._length > LINE_BYTES_MAX or len(self._document["lines"]) > LINES_MAX:
            self._refuse(f"the document of these rows, which begins in line {self._position}, has more than {LINES_MAX} lines or {LINE_BYTES_MAX} bytes")

    def _refuse(self, what: str) -> NoReturn:
        message = f"line {self._opened_at}: {what}"
        raise InputError(message)


def _check_header(cells: list[str]) -> list[str]:
    unknown = [cell for cell in cells if cell not in COLUMNS]
    missing = [name for name in (*_KEY, "name", "unit_price") if name not in cells]
    if unknown or missing or len(set(cells)) != len(cells):
        message = f"the header must have {', '.join((*_KEY, 'name', 'unit_price'))}, each once, and may have {', '.join(COLUMNS)}"
        raise InputError(message + (f"; unknown: {', '.join(cell[:40] for cell in unknown)}" if unknown else ""))
    return cells


def _whole(text: str) -> object:
    """A whole number; other text stays, and is refused with its document."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 17 else text  # noqa: PLR2004 - 2**53 has 16 digits
