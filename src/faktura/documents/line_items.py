"""Line-item CSV: one row a line, many rows an invoice, in any order."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from faktura.domain.calendar import legal_date, midnight, parse_date, parse_instant
from faktura.domain.errors import InputError
from faktura.domain.invoice import Invoice, InvoiceLine, Origin, TypeCode
from faktura.domain.money import Currency, parse_decimal
from faktura.domain.payment import Standing
from faktura.domain.recorded import Heard, SourceKind
from faktura.domain.text import shown
from faktura.domain.totals import compute, line_total
from faktura.domain.vat import PriceBasis, VatCategory, VatKey, scaled_rate

FIELDS = ("number", "date", "quantity", "unit_price", "name", "item_id", "account")
"""What a column can be; the first four must be there."""
_REQUIRED = FIELDS[:4]
TEXT_LENGTH_MAX = 4000


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

    def __post_init__(self) -> None:
        unknown = sorted(set(self.columns) - set(FIELDS))
        if unknown:
            message = f"{', '.join(unknown)}: not a field of a line item; fields: {', '.join(FIELDS)}"
            raise InputError(message)
        scaled_rate(self.vat_rate)
        if not 0 <= self.vat_rate <= 100:  # noqa: PLR2004 - percent
            message = f"a VAT rate is 0 to 100 percent, not {self.vat_rate}"
            raise InputError(message)
        try:
            codecs.lookup(self.encoding)
        except (LookupError, ValueError) as error:
            message = f"{shown(self.encoding)} is not an encoding that Python knows"
            raise InputError(message) from error


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """One readable row."""

    line: int
    """Line of the file on which the row ends."""
    number: str
    account: str
    created_at_us: int
    fields: str
    """All cells of the row, as a JSON object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFault:
    """A row that cannot be read; its invoice is held back, if the row still tells its number."""

    line: int
    message: str
    number: str | None = None


def read_rows(path: Path, layout: Layout) -> Iterator[ItemRow | RowFault]:
    """The rows of a file, one at a time. InputError when the file has no usable header."""
    with path.open(encoding=layout.encoding, errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
        except csv.Error as error:
            message = f"{path}: {error}"
            raise InputError(message) from error
        missing = [column for field in layout.columns if (column := layout.columns[field]) not in header]
        missing += [field for field in _REQUIRED if field not in layout.columns]
        if missing or len(set(header)) != len(header):
            what = f"lacks {', '.join(missing)}" if missing else "names a column twice"
            message = f"{path}: the header {what}; it has: {', '.join(header) or 'nothing'}"
            raise InputError(message)
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield RowFault(line=reader.line_num, message=f"not CSV: {error}")
                continue
            if cells is None:
                return
            if cells:
                yield _read_row(cells, header, layout, reader.line_num)


def _read_row(cells: Sequence[str], header: Sequence[str], layout: Layout, line: int) -> ItemRow | RowFault:
    row = dict(zip(header, cells, strict=False))
    number = row.get(layout.columns["number"], "").strip()
    try:
        if len(cells) != len(header):
            message = f"{len(cells)} cells where the header has {len(header)}; is the file cut off?"
            raise ValueError(message)
        fields = json.dumps(row, ensure_ascii=False)
        fields.encode()  # raises UnicodeEncodeError, a ValueError, for bytes that are not text in this encoding
        if not 0 < len(number) <= TEXT_LENGTH_MAX or "\x00" in fields:
            raise ValueError("the row has no usable invoice number")
        parse_line(row, layout, sign=1)
        return ItemRow(line=line, number=number, account=_account(row, layout), created_at_us=_instant(row[layout.columns["date"]], layout.zone), fields=fields)
    except UnicodeEncodeError:
        return RowFault(line=line, message=f"bytes that are not {layout.encoding.removesuffix('-sig')}", number=number or None)
    except ValueError as error:
        return RowFault(line=line, message=str(error), number=number or None)


def parse_line(row: Mapping[str, str], layout: Layout, *, sign: int) -> InvoiceLine:
    """The invoice line of a row. A row without a description takes its item id as the name."""
    values = {field: row[column].strip() for field, column in layout.columns.items()}
    quantity = sign * parse_decimal(values["quantity"])
    unit_price = parse_decimal(values["unit_price"])
    item_id = values.get("item_id") or None
    return InvoiceLine(
        name=values.get("name") or item_id or "",
        quantity=quantity,
        unit_price=unit_price,
        line_total_minor=line_total(quantity=quantity, unit_price=unit_price, currency=layout.currency),
        net_amount_minor=None,
        vat=VatKey(VatCategory.STANDARD if layout.vat_rate else None, layout.vat_rate),
        item_id=item_id,
    )


def to_heard(rows: Sequence[str], *, number: str, created_at_us: int, layout: Layout, seen_at_us: int) -> Heard:
    """The recorded document of all rows (JSON objects) of one number."""
    is_credit = bool(layout.credit_prefix) and number.startswith(layout.credit_prefix or "")
    type_code = TypeCode.CREDIT_NOTE if is_credit else TypeCode.INVOICE
    read = tuple(parse_line(json.loads(row), layout, sign=type_code.sign) for row in rows)
    lines, _, totals = compute(lines=read, allowances_charges=(), price_basis=layout.price_basis)
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
    body = f"[{','.join(rows)}]".encode()
    return Heard(invoice=invoice, standing=Standing(), kind=SourceKind.LINES, body=body, seen_at_us=seen_at_us)


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


def _account(row: Mapping[str, str], layout: Layout) -> str:
    if "account" not in layout.columns:
        if layout.account is None:
            raise ValueError("neither a column nor an option says whose the row is")
        return layout.account
    account = row[layout.columns["account"]].strip()
    if layout.whole_number_accounts:
        account = account.removesuffix(".0")
    account = account or layout.missing_account or ""
    if not account:
        message = f"the column {layout.columns['account']} is empty, and no account is named for such rows"
        raise ValueError(message)
    return account


def _instant(text: str, zone: str) -> int:
    text = text.strip()
    try:
        return midnight(parse_date(text), zone)
    except ValueError:
        return parse_instant(text, zone)
