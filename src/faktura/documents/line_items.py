"""Line-item CSV: one row a line, many rows an invoice, in any order."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring as _quoted
from operator import itemgetter
from pathlib import Path
from typing import TextIO

from faktura.domain.calendar import legal_date, midnight, parse_date, parse_instant
from faktura.domain.calendar import zone as check_zone
from faktura.domain.errors import InputError, SettingError
from faktura.domain.invoice import Invoice, InvoiceLine, Origin, TypeCode
from faktura.domain.money import AMOUNT_MINOR_MAX, Currency, canonical, parse_decimal
from faktura.domain.payment import Standing
from faktura.domain.provider import check_reference
from faktura.domain.recorded import Heard, SourceKind
from faktura.domain.text import is_text, shown
from faktura.domain.totals import compute, line_total
from faktura.domain.vat import PriceBasis, VatCategory, VatKey, scaled_rate

FIELDS = ("number", "date", "quantity", "unit_price", "name", "item_id", "account")
"""What a column can be; the first four must be there."""
_REQUIRED = FIELDS[:4]
TEXT_LENGTH_MAX = 4000
_LINE_LENGTH_MAX = 1024 * 1024
_REMEMBERED = 8192
"""Cells whose meaning is remembered, of each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How to read a file: which column is what, and what the file does not say itself."""

    columns: Mapping[str, str]
    """Field -> the header of its column."""
    currency: Currency
    zone: str
    price_basis: PriceBasis = PriceBasis.NET
    vat_rate: Decimal = Decimal(0)
    account: str | None = None
    """The account of every row, where no column says it."""
    missing_account: str | None = None
    """The account of rows whose account column is empty; None makes them faults."""
    credit_prefix: str | None = None
    """Numbers that begin with it are credit notes, and their quantities are negative in the file."""
    whole_number_accounts: bool = False
    """Accounts were exported as decimals: 17850.0 means 17850."""
    encoding: str = "utf-8-sig"
    read_as: str = field(init=False, repr=False)
    """How rows are understood, as JSON: kept with them, since the same rows could mean other amounts and dates."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.columns) - set(FIELDS))
        if unknown:
            message = f"{', '.join(unknown)}: not a field of a line item; fields: {', '.join(FIELDS)}"
            raise InputError(message)
        check_zone(self.zone)
        scaled_rate(self.vat_rate)
        if not 0 <= self.vat_rate <= 100:  # noqa: PLR2004 - percent
            message = f"a VAT rate is 0 to 100 percent, not {self.vat_rate}"
            raise InputError(message)
        try:
            codecs.lookup(self.encoding)
        except (LookupError, ValueError) as error:
            message = f"{shown(self.encoding)} is not an encoding that Python knows"
            raise InputError(message) from error
        read_as = {
            "columns": dict(self.columns),
            "currency": self.currency.code,
            "zone": self.zone,
            "prices": self.price_basis.value,
            "vat_rate": canonical(self.vat_rate),
            "credit_prefix": self.credit_prefix,
        }
        object.__setattr__(self, "read_as", json.dumps(read_as))


ONLINE_RETAIL = {
    "number": "InvoiceNo",
    "date": "InvoiceDate",
    "quantity": "Quantity",
    "unit_price": "UnitPrice",
    "name": "Description",
    "item_id": "StockCode",
    "account": "CustomerID",
}
"""The columns of the UCI data set "Online Retail"."""


Item = tuple[str, str, int, str, str | None, str]
"""What a row says of its line: quantity, unit price, their product rounded to minor units, name, item id; and all its cells as a JSON object."""
ItemRow = tuple[int, str, str, int, str, str, int, str, str | None, str]
"""A readable row: the line of the file on which it ends, number, account, creation instant, and its item. There are many: plain tuples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFault:
    """A row, or what should have been one, that cannot be read."""

    line: int
    message: str
    numbers: tuple[str, ...] = ()
    """The invoices that it may belong to: they are held back."""
    prefix: str | None = None
    """The file ends within a number: every invoice whose number begins so may lack this row."""


class _Lines:
    """A file's lines, remembering those that the record being read is made of."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.since_record: list[str] = []

    def __iter__(self) -> Iterator[str]:
        # A bound, or one line without an end would fill the memory; its pieces are faults.
        while text := self._file.readline(_LINE_LENGTH_MAX):
            self.since_record.append(text)
            yield text


def read_rows(path: Path, layout: Layout) -> Iterator[ItemRow | RowFault]:
    """The rows of a file, one at a time. InputError when the file has no usable header."""
    with path.open(encoding=layout.encoding, errors="surrogateescape", newline="") as file:
        lines = _Lines(file)
        reader = csv.reader(lines, strict=True)
        rows = _Rows(_read_header(reader, path, layout), layout)
        while True:
            lines.since_record.clear()
            try:
                cells = next(reader, None)
            except csv.Error as error:
                numbers = tuple(dict.fromkeys(rows.number_in(text) for text in lines.since_record))
                yield RowFault(line=reader.line_num, message=f"not CSV: {error}", numbers=tuple(filter(None, numbers)))
                continue
            if cells is None:
                return
            if cells:
                yield rows.read(cells, reader.line_num)


def _read_header(reader: Iterator[list[str]], path: Path, layout: Layout) -> list[str]:
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        message = f"{path}: {error}"
        raise InputError(message) from error
    missing = [column for column in layout.columns.values() if column not in header]
    missing += [field for field in _REQUIRED if field not in layout.columns]
    if missing or len(set(header)) != len(header):
        what = f"lacks {', '.join(missing)}" if missing else "names a column twice"
        message = f"{path}: the header {what}; it has: {', '.join(header) or 'nothing'}"
        raise InputError(message)
    return header


class _Rows:
    """How the rows of one file are read. What cells mean is remembered: numbers, dates, customers and prices come again and again."""

    def __init__(self, header: Sequence[str], layout: Layout) -> None:
        self._layout = layout
        self._width = len(header)
        self._fields = f"{{{', '.join([_quoted(name).replace('%', '%%') + ': %s' for name in header])}}}"  # as json.dumps writes an object
        places = {field: header.index(column) for field, column in layout.columns.items()}
        self._number_at, self._date_at, self._quantity_at, self._price_at = (places[field] for field in _REQUIRED)
        self._name_at, self._item_at, self._account_at = (places.get(field) for field in FIELDS[len(_REQUIRED) :])
        remembered = lru_cache(maxsize=_REMEMBERED)
        self._number, self._account, self._instant = remembered(_number), remembered(self._read_account), remembered(self._read_instant)
        self._decimal, self._priced = remembered(_decimal), remembered(self._read_priced)

    def read(self, cells: Sequence[str], line: int) -> ItemRow | RowFault:
        """The row, or the first thing that is wrong with it."""
        try:
            if len(cells) != self._width:
                message = f"{len(cells)} cells where the header has {self._width}; is the file cut off?"
                raise ValueError(message)
            fields = self._fields % tuple(map(_quoted, cells))
            if "\\u0000" in fields and any("\x00" in cell for cell in cells):
                raise ValueError("the row has a NUL, which no text may have")
            fields.encode()  # raises UnicodeEncodeError, a ValueError, for bytes that are not text in this encoding
            number = self._number(cells[self._number_at])
            if number is None:
                raise ValueError("the row has no usable invoice number")
            quantity, unit_price, total_minor = self._priced(cells[self._quantity_at], cells[self._price_at])
            item_id = None if self._item_at is None else cells[self._item_at].strip() or None
            name = ("" if self._name_at is None else cells[self._name_at].strip()) or item_id or ""
            account = self._account(None if self._account_at is None else cells[self._account_at])
            return line, number, account, self._instant(cells[self._date_at]), quantity, unit_price, total_minor, name, item_id, fields
        except UnicodeEncodeError:
            return self._fault(cells, line, f"bytes that are not {self._layout.encoding.removesuffix('-sig')}")
        except (ValueError, SettingError) as error:
            return self._fault(cells, line, str(error))

    def number_in(self, text: str) -> str | None:
        """The invoice number that a line of a broken record seems to have."""
        cells = text.strip("\r\n").split(",")
        return _number(cells[self._number_at].strip().strip('"')) if self._number_at < len(cells) else None

    def _fault(self, cells: Sequence[str], line: int, message: str) -> RowFault:
        """With the invoice that is held back; or all whose number begins so, where the row ends within its number."""
        known = _number(cells[self._number_at]) if self._number_at < len(cells) else None
        is_cut = len(cells) < self._width and self._number_at == len(cells) - 1
        return RowFault(line=line, message=message, numbers=(known,) if known else (), prefix=known if is_cut else None)

    def _read_priced(self, quantity_cell: str, price_cell: str) -> tuple[str, str, int]:
        quantity, unit_price = self._decimal(quantity_cell), self._decimal(price_cell)
        total = line_total(quantity=quantity, unit_price=unit_price, currency=self._layout.currency)
        if abs(total) > AMOUNT_MINOR_MAX:
            raise ValueError("quantity x price is larger than any amount faktura keeps")
        return str(quantity), str(unit_price), total

    def _read_account(self, cell: str | None) -> str:
        return _account(cell, self._layout)

    def _read_instant(self, cell: str) -> int:
        return _instant(cell, self._layout.zone)


def _number(cell: str) -> str | None:
    number = cell.strip()
    return number if is_text(number, length_max=TEXT_LENGTH_MAX) else None


def _decimal(cell: str) -> Decimal:
    return parse_decimal(cell.strip())


def to_heard(items: Sequence[Item], *, number: str, created_at_us: int, layout: Layout, seen_at_us: int) -> Heard:
    """The recorded document of all rows of one number; ValueError when they add up to more than can be kept."""
    is_credit = bool(layout.credit_prefix) and number.startswith(layout.credit_prefix or "")
    type_code = TypeCode.CREDIT_NOTE if is_credit else TypeCode.INVOICE
    lines, _, totals = compute(lines=_lines(items, layout, type_code.sign), allowances_charges=(), price_basis=layout.price_basis)
    if max(abs(totals.total_with_vat_minor), abs(totals.total_without_vat_minor)) > AMOUNT_MINOR_MAX:
        raise ValueError("its lines add up to more than any amount faktura keeps")
    invoice = Invoice(
        id=0,
        account_id=0,
        wire_id=0,
        origin=Origin.RECORDED,
        type_code=type_code,
        number=number,
        created_at_us=created_at_us,
        issue_date=legal_date(created_at_us, layout.zone),
        currency=layout.currency,
        recorded_at_us=0,
        price_basis=layout.price_basis,
        lines=lines,
        line_total_minor=totals.line_total_minor,
        allowance_total_minor=0,
        charge_total_minor=0,
        total_without_vat_minor=totals.total_without_vat_minor,
        vat_total_minor=totals.vat_total_minor,
        total_with_vat_minor=totals.total_with_vat_minor,
        vat_breakdown=totals.vat_breakdown,
        order_ids=(),
    )
    body = f'{{"read_as":{layout.read_as},"rows":[{",".join(map(_fields_of, items))}]}}'.encode()
    return Heard(invoice=invoice, standing=Standing(), kind=SourceKind.LINES, body=body, seen_at_us=seen_at_us)


def _lines(items: Sequence[Item], layout: Layout, sign: int) -> tuple[InvoiceLine, ...]:
    """The lines of rows. A row without a description took its item id as the name."""
    vat = VatKey(VatCategory.STANDARD if layout.vat_rate else None, layout.vat_rate)
    is_net = layout.price_basis is PriceBasis.NET
    return tuple(
        [
            InvoiceLine(
                name=name,
                quantity=sign * _value(quantity),
                unit_price=_value(unit_price),
                line_total_minor=sign * total_minor,
                net_amount_minor=sign * total_minor if is_net else None,
                vat=vat,
                item_id=item_id,
            )
            for quantity, unit_price, total_minor, name, item_id, _ in items
        ]
    )


_fields_of = itemgetter(-1)
_value = lru_cache(maxsize=_REMEMBERED)(Decimal)


def online_retail_layout() -> Layout:
    """The preset for the UCI data set: pounds, net, rate 0; `C` numbers are credit notes; rows without a customer are walk-ins."""
    return Layout(
        columns=ONLINE_RETAIL,
        currency=Currency("GBP"),
        zone="Europe/London",
        credit_prefix="C",
        missing_account="walk-in",
        whole_number_accounts=True,
    )


def with_account(layout: Layout, account: str) -> Layout:
    """The layout with every row in one account."""
    columns = {field: column for field, column in layout.columns.items() if field != "account"}
    return replace(layout, account=account, columns=columns)


def _account(cell: str | None, layout: Layout) -> str:
    if cell is None:
        if layout.account is None:
            raise ValueError("neither a column nor an option says whose the row is")
        return layout.account
    account = cell.strip()
    if layout.whole_number_accounts:
        account = account.removesuffix(".0")
    account = account or layout.missing_account or ""
    if not account:
        message = f"the column {layout.columns['account']} is empty, and no account is named for such rows"
        raise ValueError(message)
    check_reference(account)
    return account


def _instant(text: str, zone: str) -> int:
    text = text.strip()
    try:
        return midnight(parse_date(text), zone)
    except ValueError:
        return parse_instant(text, zone)
