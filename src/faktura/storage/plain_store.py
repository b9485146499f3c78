"""Facts of many journal entries, read with a few statements and digested as they are read.

The journal's digest is one of canonical JSON: fields in the order of their names, unknown ones left out, decimals and dates as
their texts. Rows that are as the ledger writes them hold these very texts, so their JSON is made straight from them. Whatever
is not plainly so is left out here: verification looks at it one by one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from faktura.domain.errors import FakturaError
from faktura.domain.invoice import Invoice, InvoiceLine, Origin, Period, PrecedingInvoice, TypeCode
from faktura.domain.money import Currency, canonical
from faktura.domain.party import Party
from faktura.domain.payment import Allocation, Payment, Settlement, Standing
from faktura.domain.recorded import SourceKind, SourceWord
from faktura.domain.vat import PriceBasis, VatBreakdown, VatCategory, VatKey
from faktura.ledger.listing_ports import ListingRow
from faktura.ledger.plain_ports import PlainDocument, PlainMoney
from faktura.ledger.ports import BillingKey, MovedIn
from faktura.storage.document_rows import INVOICE_COLUMNS
from faktura.storage.driver import Driver, Row
from faktura.storage.rows import party_text, to_party, to_settlements

_REMEMBERED = 16_384
"""Texts whose values are remembered: prices, quantities and dates come again and again."""
_PARTIES = 1024
_UNREADABLE = (FakturaError, ValueError, KeyError, TypeError, ArithmeticError)

_json = msgspec.json.Encoder().encode
_sorted_json = msgspec.json.Encoder(order="sorted").encode


def _canonical(kind: type) -> Any:  # noqa: ANN401 - a class that is made here
    """Makes what a value of a dataclass is in canonical JSON."""
    names = sorted(field.name for field in fields(kind))
    return msgspec.defstruct(kind.__name__, [(name, Any, None) for name in names], omit_defaults=True)


_INVOICE, _LINE, _PERIOD, _PRECEDING = map(_canonical, (Invoice, InvoiceLine, Period, PrecedingInvoice))
_VAT, _BREAKDOWN, _CURRENCY, _STANDING, _SETTLEMENT = map(_canonical, (VatKey, VatBreakdown, Currency, Standing, Settlement))
_WORD, _KEY, _MOVED, _PAYMENT, _ALLOCATION = map(_canonical, (SourceWord, BillingKey, MovedIn, Payment, Allocation))

_LISTED = ("ordinal", "created_at_us", "wire_id", "number_folded", "paid_minor", "due_minor", "dialect_version", "item", "single")
_INVOICE_WIDTH = 1 + len(INVOICE_COLUMNS)
_TEXTS = "source_type series number note payment_terms override_reason tax_country".split()
_NUMBERS = (
    "account_id wire_id source_wire_id series_sequence created_at_us line_total_minor allowance_total_minor charge_total_minor "
    "total_without_vat_minor vat_total_minor total_with_vat_minor pro_forma_id recorded_at_us"
).split()


def read_plain(driver: Driver, provider_id: int, *, first: int, last: int) -> Iterator[PlainDocument | PlainMoney]:
    """See `faktura.ledger.ports.AuditStore.plain`. Memory holds the rows of one document at a time."""
    key = {"provider_id": provider_id, "first": first, "last": last}
    odd = {row[0] for row in driver.all("plain_odd", **key)}
    yield from _read_money(driver, key, odd)
    lines, groups, sources, settled = (
        _Groups(driver.stream(name, **key)) for name in ("plain_lines", "plain_breakdowns", "plain_sources", "plain_settlements")
    )
    for row in driver.stream("plain_documents", **key):
        sequence = row[0]
        if sequence not in odd:
            try:
                found = _document(row, lines.of(sequence), groups.of(sequence), sources.of(sequence), settled.of(sequence))
            except _UNREADABLE:
                continue
            yield found


def _read_money(driver: Driver, key: dict[str, int], odd: set[int]) -> Iterator[PlainMoney]:
    for table, name, say in (("payment", "plain_payments", _payment), ("allocation", "plain_allocations", _allocation)):
        for row in driver.all(name, **key):
            if row["sequence"] not in odd:
                try:
                    digest = _digest(say(row))
                except _UNREADABLE:
                    continue
                yield PlainMoney(sequence=row["sequence"], digest=digest, table=table, is_overdrawn=row["left_minor"] < 0)


class _Groups:
    """Rows that come in the order of the entries that they belong to, an entry's at a time."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._groups = groupby(rows, itemgetter(0))
        self._sequence: int = 0
        self._rows: Iterable[Row] = ()

    def of(self, sequence: int) -> list[Row]:
        """The rows of an entry; entries are asked for in their order, each once."""
        while self._sequence < sequence:
            self._sequence, self._rows = next(self._groups, _END)
        return list(self._rows) if self._sequence == sequence else []


_END: tuple[int, Iterable[Row]] = (2**63, ())


def _document(row: Row, line_rows: Sequence[Row], group_rows: Sequence[Row], sources: Sequence[Row], settled: Sequence[Row]) -> PlainDocument:
    """A document with the digest of what its rows say; an error where they are not plainly as the ledger writes them."""
    invoice, said = _invoice(row, line_rows, group_rows)
    *listed, period, product, billed_at_us, missing_from, payment_count, moved_at_us, used_number = row[_INVOICE_WIDTH:]
    counts = {"invoice": 1, "listing": 1, "invoice_line": len(line_rows), "vat_breakdown": len(group_rows)}
    observed = None
    if invoice.origin is Origin.RECORDED:
        (source,) = sources
        observed, word = _word(source)
        said = [said, word]
        counts |= {"source": 1, "observation": int(observed is not None)}
    elif moved_at_us is not None and period is not None:
        raise _not_plain()
    elif moved_at_us is not None:
        said = [said, _MOVED(missing_from=missing_from, payment_count=payment_count, recorded_at_us=moved_at_us)]
        counts |= {"issued": 1, "moved_in": 1}
    elif period is not None:
        said = [said, _KEY(period=_text(period), product=_text(product), recorded_at_us=billed_at_us)]
        counts |= {"issued": 1, "billing_item": 1}
    else:
        counts["issued"] = 1
    return PlainDocument(
        sequence=row[0],
        digest=_digest(said),
        rows=counts,
        invoice=invoice,
        is_moved_in=moved_at_us is not None,
        is_number_used=used_number is not None,
        observed=observed,
        settled=[(amount, _date(day)) for _, _, amount, day in sorted(settled, key=itemgetter(1))],
        listing=ListingRow(account_id=invoice.account_id, invoice_id=invoice.id, **dict(zip(_LISTED, listed, strict=True))),
    )


def _invoice(row: Row, line_rows: Sequence[Row], group_rows: Sequence[Row]) -> tuple[Invoice, object]:
    """The document of rows, and what it is in canonical JSON; an error where writing it would make other rows."""
    column: dict[str, Any] = dict(zip(INVOICE_COLUMNS, row[1:_INVOICE_WIDTH], strict=True))
    if len(line_rows) != (column["line_count"] or 0) or len(group_rows) != column["breakdown_count"]:
        raise _not_plain()
    same = {name: column[name] for name in _NUMBERS} | {name: _text(column[name]) for name in _TEXTS}
    same |= {"id": column["invoice_id"], "order_ids": _order_ids(column["order_ids"])}
    made: dict[str, tuple[Any, object]] = {
        "currency": _currency(column["currency"]),
        "seller": _party(column["seller"]),
        "buyer": _party(column["buyer"]),
        "period": _period(column["period_start"], column["period_end"]),
        "preceding_invoice": _preceding(column["preceding_number"], column["preceding_issue_date"], column["preceding_invoice_id"]),
        "lines": (None, None) if column["line_count"] is None else _lines(line_rows),
        "vat_breakdown": _breakdowns(group_rows),
    }
    read = {name: value(column[name]) for name, value in _READ.items()}
    invoice = Invoice(**same, **read, **{name: value for name, (value, _) in made.items()})
    said = {name: text for name, (_, text) in made.items()}
    return invoice, _INVOICE(**same, **{name: column[name] for name in _READ}, **said, allowances_charges=())


def _lines(rows: Sequence[Row]) -> tuple[tuple[InvoiceLine, ...], list[object]]:
    """The lines of rows, and what they are in canonical JSON."""
    lines, said = [], []
    for place, row in enumerate(rows, 1):
        _, number, name, quantity, unit_code, unit_price, total, net, category, rate, item_id, start, end, order_id = row
        if number != place:
            raise _not_plain()
        vat, said_vat = _vat(category, rate)
        period, said_period = _period(start, end)
        line = InvoiceLine(
            name=_text(name),
            quantity=_decimal(quantity),
            unit_code=_text(unit_code),
            unit_price=_decimal(unit_price),
            line_total_minor=total,
            net_amount_minor=net,
            vat=vat,
            item_id=_text(item_id),
            period=period,
            order_id=order_id,
        )
        lines.append(line)
        said.append(_LINE((), item_id, total, name, net, order_id, said_period, quantity, unit_code, unit_price, said_vat))
    return tuple(lines), said


def _breakdowns(rows: Sequence[Row]) -> tuple[tuple[VatBreakdown, ...], list[object]]:
    """The VAT groups of rows, and what they are in canonical JSON."""
    groups, said = [], []
    for place, (_, position, category, rate, taxable, tax, reason) in enumerate(rows, 1):
        vat, _ = _vat(category, rate)
        if position != place or vat is None:
            raise _not_plain()
        amounts = {"taxable_amount_minor": taxable, "tax_amount_minor": tax, "exemption_reason": _text(reason)}
        groups.append(VatBreakdown(category=vat.category, rate=vat.rate, **amounts))
        said.append(_BREAKDOWN(category=category, rate=rate, **amounts))
    return tuple(groups), said


def _word(row: Row) -> tuple[Standing | None, object]:
    """What a document's only source showed as paid and due, and its word in canonical JSON."""
    _, told_at_us, source_id, kind, digest, body, seen_at_us, recorded_at_us, observer_id, observed_seen_at_us, observed_at_us, paid, due, settlements = row
    is_whole = recorded_at_us == told_at_us and hashlib.sha256(body).digest() == digest
    if not is_whole or (observer_id is not None and (observer_id, observed_seen_at_us, observed_at_us) != (source_id, seen_at_us, told_at_us)):
        raise _not_plain()
    observed = None if observer_id is None else Standing(paid_minor=paid, due_minor=due, settlements=to_settlements(settlements))
    said = None if observed is None else _standing(observed)
    return observed, _WORD(kind=SourceKind(kind).value, seen_at_us=seen_at_us, digest=digest.hex(), observed=said, added=(), differences=())


def _standing(observed: Standing) -> object:
    settlements = observed.settlements
    said = None if settlements is None else [_SETTLEMENT(amount_minor=item.amount_minor, paid_at_us=item.paid_at_us) for item in settlements]
    return _STANDING(paid_minor=observed.paid_minor, due_minor=observed.due_minor, settlements=said)


def _payment(row: Row) -> object:
    return _PAYMENT(
        id=row["payment_id"],
        account_id=row["account_id"],
        amount_minor=row["amount_minor"],
        currency=_CURRENCY(code=_text(row["currency"])),
        paid_on=_text(row["paid_on"]),
        recorded_at_us=row["recorded_at_us"],
        reference=_text(row["reference"]),
        pro_forma_id=row["pro_forma_id"],
    )


def _allocation(row: Row) -> object:
    return _ALLOCATION(
        id=row["allocation_id"],
        account_id=row["account_id"],
        invoice_id=row["invoice_id"],
        amount_minor=row["amount_minor"],
        payment_id=row["payment_id"],
        credit_note_id=row["credit_note_id"],
        allocated_on=_text(row["allocated_on"]),
        recorded_at_us=row["recorded_at_us"],
    )


def _preceding(number: str | None, issue_date: str | None, invoice_id: int | None) -> tuple[PrecedingInvoice | None, object]:
    if number is None:
        if issue_date is not None or invoice_id is not None:
            raise _not_plain()
        return None, None
    preceding = PrecedingInvoice(number=_text(number), issue_date=_day(issue_date), invoice_id=invoice_id)
    return preceding, _PRECEDING(number=number, issue_date=issue_date, invoice_id=invoice_id)


def _text(value: Any) -> Any:  # noqa: ANN401 - it is handed back as it is
    """A text as it is; an error for bytes, which JSON would take for one."""
    if value is not None and type(value) is not str:
        raise _not_plain()
    return value


@lru_cache(maxsize=_REMEMBERED)
def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if canonical(value) != text:
        raise _not_plain()
    return value


@lru_cache(maxsize=_REMEMBERED)
def _vat(category: str | None, rate: str | None) -> tuple[VatKey | None, object]:
    if rate is None:
        if category is not None:
            raise _not_plain()
        return None, None
    key = VatKey(None if category is None else VatCategory(category), _decimal(rate))
    return key, _VAT(category=category, rate=rate)


@lru_cache(maxsize=_REMEMBERED)
def _date(text: str) -> date:
    day = date.fromisoformat(text)
    if day.isoformat() != text:
        raise _not_plain()
    return day


def _day(text: str | None) -> date | None:
    return None if text is None else _date(text)


@lru_cache(maxsize=_REMEMBERED)
def _period(start: str | None, end: str | None) -> tuple[Period | None, object]:
    if start is None and end is None:
        return None, None
    return Period(start=_day(start), end=_day(end)), _PERIOD(start=start, end=end)


@lru_cache(maxsize=_REMEMBERED)
def _currency(code: str) -> tuple[Currency, object]:
    return Currency(code), _CURRENCY(code=code)


@lru_cache(maxsize=_PARTIES)
def _party(text: str | None) -> tuple[Party | None, object]:
    party = to_party(text)
    if party_text(party) != text:
        raise _not_plain()
    return party, None if text is None else msgspec.Raw(_sorted_json(msgspec.json.decode(text)))


@lru_cache(maxsize=_REMEMBERED)
def _order_ids(text: str | None) -> tuple[int, ...] | None:
    ids = None if text is None else tuple(json.loads(text))
    if ids is not None and json.dumps(ids) != text:
        raise _not_plain()
    return ids


def _rate(text: str | None) -> Decimal | None:
    return None if text is None else _decimal(text)


_TYPE_CODES: dict[int | None, TypeCode | None] = {None: None, **{code.value: code for code in TypeCode}}
_PRICE_BASES: dict[str | None, PriceBasis | None] = {None: None, **{basis.value: basis for basis in PriceBasis}}
_READ: dict[str, Callable[[Any], Any]] = {
    "origin": {origin.value: origin for origin in Origin}.__getitem__,
    "type_code": _TYPE_CODES.__getitem__,
    "price_basis": _PRICE_BASES.__getitem__,
    "issue_date": _date,
    "due_date": _day,
    "tax_point_date": _day,
    "vat_rate": _rate,
}
"""Terms whose JSON is what their columns hold, and what reads them."""


def _digest(said: object) -> bytes:
    return hashlib.sha256(_json(said)).digest()


def _not_plain() -> ValueError:
    return ValueError("its rows are not plainly as the ledger writes them")
