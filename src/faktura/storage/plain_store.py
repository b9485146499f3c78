"""Facts of many journal entries, read with a few statements and digested as they are read.

The journal's digest is one of canonical JSON: fields in the order of their names, unknown ones left out, decimals and dates as
their texts. Rows that are as the ledger writes them hold these very texts, so their JSON is made straight from them. Whatever
is not plainly so is left out here: verification looks at it one by one.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import date
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec

from faktura.domain.errors import FakturaError
from faktura.domain.invoice import Invoice, InvoiceLine, Origin, Period, PrecedingInvoice
from faktura.domain.money import Currency, canonical
from faktura.domain.payment import Allocation, Payment, Settlement, Standing
from faktura.domain.recorded import SourceKind, SourceWord
from faktura.domain.vat import VatBreakdown, VatCategory, VatKey
from faktura.ledger.listing_ports import ListingRow
from faktura.ledger.plain_ports import PlainDocument, PlainMoney
from faktura.ledger.ports import BillingKey, MovedIn
from faktura.storage.document_rows import invoice_row
from faktura.storage.driver import Driver, Row
from faktura.storage.rows import to_invoice, to_standing

_LINES_MAX = 10_000
"""Lines that are in memory at once, but for a document that has more."""
_REMEMBERED = 16_384
"""Texts whose values are remembered: prices, quantities and dates come again and again."""
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

_TEXTS = ("series", "number", "source_type", "note", "payment_terms", "override_reason", "tax_country")
_NESTED = {"id", "currency", "buyer", "seller", "period", "preceding_invoice", "order_ids", "lines", "allowances_charges", "vat_breakdown"}
_SAME = [field.name for field in fields(Invoice) if field.name not in _NESTED and field.name not in _TEXTS]
"""Terms of a document whose JSON is what their columns hold."""


def read_plain(driver: Driver, provider_id: int, *, first: int, last: int) -> Iterator[PlainDocument | PlainMoney]:
    """See `faktura.ledger.ports.AuditStore.plain`."""
    seen = driver.all("plain_look", provider_id=provider_id, first=first, last=last)
    odd = {sequence for sequence, _, is_odd in seen if is_odd}
    yield from _read_money(driver, {"provider_id": provider_id, "first": first, "last": last}, odd)
    for start, end in _ranges(seen):
        yield from _read_documents(driver, {"provider_id": provider_id, "first": start, "last": end}, odd)


def _read_money(driver: Driver, key: dict[str, int], odd: set[int]) -> Iterator[PlainMoney]:
    for table, name, say in (("payment", "plain_payments", _payment), ("allocation", "plain_allocations", _allocation)):
        for row in driver.all(name, **key):
            if row["sequence"] not in odd:
                try:
                    digest = _digest(say(row))
                except _UNREADABLE:
                    continue
                yield PlainMoney(sequence=row["sequence"], digest=digest, table=table, is_overdrawn=row["left_minor"] < 0)


def _read_documents(driver: Driver, key: dict[str, int], odd: set[int]) -> Iterator[PlainDocument]:
    rows = driver.all("plain_documents", **key)
    lines, groups, sources, settled = (_grouped(driver.all(name, **key)) for name in ("plain_lines", "plain_breakdowns", "plain_sources", "plain_settlements"))
    names = rows[0].keys() if rows else []
    often = Counter(row["sequence"] for row in rows)  # a document that is billed twice has two rows
    for row in rows:
        at = row["sequence"]
        if at not in odd and often[at] == 1:
            try:
                found = _document(dict(zip(names, row, strict=True)), lines[at], groups[at], sources[at], settled[at])
            except _UNREADABLE:
                continue
            yield found


def _ranges(seen: Sequence[Row]) -> Iterator[tuple[int, int]]:
    """Entries in ranges of not too many lines, at least one each."""
    first, previous, lines = None, 0, 0
    for sequence, line_count, _ in seen:
        if first is None or lines + (line_count or 0) > _LINES_MAX:
            if first is not None:
                yield first, previous
            first, lines = sequence, 0
        lines += line_count or 0
        previous = sequence
    if first is not None:
        yield first, previous


def _grouped(rows: Iterable[Row]) -> dict[int, list[Row]]:
    groups: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[0]].append(row)
    return groups


def _document(row: dict[str, Any], line_rows: Sequence[Row], group_rows: Sequence[Row], sources: Sequence[Row], settled: Sequence[Row]) -> PlainDocument:
    """A document with the digest of what its rows say; an error where they are not plainly as the ledger writes them."""
    lines = [_line(place, line) for place, line in enumerate(line_rows, 1)]
    groups = [_breakdown(place, group) for place, group in enumerate(group_rows, 1)]
    invoice = to_invoice(row, lines=tuple(line for line, _ in lines), allowances_charges=(), vat_breakdown=tuple(group for group, _ in groups))
    made = invoice_row(invoice)
    if not made.items() <= row.items() or len(lines) != (row["line_count"] or 0):
        raise _not_plain()
    said: object = _INVOICE(
        **{name: row[name] for name in _SAME},
        **{name: _text(row[name]) for name in _TEXTS},
        id=row["invoice_id"],
        currency=_CURRENCY(code=row["currency"]),
        buyer=_party(row["buyer"]),
        seller=_party(row["seller"]),
        period=_period(row["period_start"], row["period_end"])[1],
        preceding_invoice=_preceding(row),
        order_ids=invoice.order_ids,
        lines=None if row["line_count"] is None else [line for _, line in lines],
        allowances_charges=(),
        vat_breakdown=[group for _, group in groups],
    )
    counts = {"invoice": 1, "listing": 1, "invoice_line": len(lines), "vat_breakdown": len(groups)}
    observed = None
    if invoice.origin is Origin.RECORDED:
        (source,) = sources
        observed, word = _word(source)
        said = [said, word]
        counts |= {"source": 1, "observation": int(observed is not None)}
    else:
        more = _billed_or_moved(row)
        said = [said, more] if more else said
        counts |= {"issued": 1, "billing_item": int(row["period"] is not None), "moved_in": int(row["moved_at_us"] is not None)}
    return PlainDocument(
        sequence=row["sequence"],
        digest=_digest(said),
        rows=counts,
        invoice=invoice,
        is_moved_in=row["moved_at_us"] is not None,
        is_number_used=row["used_number"] is not None,
        observed=observed,
        settled=[(amount, date.fromisoformat(day)) for _, _, amount, day in sorted(settled, key=itemgetter(1))],
        listing=_listing(row),
    )


def _line(place: int, row: Row) -> tuple[InvoiceLine, object]:
    """The line of a row, and what it is in canonical JSON."""
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
    return line, _LINE((), item_id, total, name, net, order_id, said_period, quantity, unit_code, unit_price, said_vat)


def _breakdown(place: int, row: Row) -> tuple[VatBreakdown, object]:
    """The VAT group of a row, and what it is in canonical JSON."""
    _, position, category, rate, taxable, tax, reason = row
    vat, _ = _vat(category, rate)
    if position != place or vat is None:
        raise _not_plain()
    group = VatBreakdown(category=vat.category, rate=vat.rate, taxable_amount_minor=taxable, tax_amount_minor=tax, exemption_reason=_text(reason))
    return group, _BREAKDOWN(category=category, rate=rate, taxable_amount_minor=taxable, tax_amount_minor=tax, exemption_reason=reason)


def _word(row: Row) -> tuple[Standing | None, object]:
    """What a document's only source showed as paid and due, and its word in canonical JSON."""
    is_observed = row["observed_by"] is not None
    instants = {row["told_at_us"], row["recorded_at_us"], row["observed_at_us"] if is_observed else row["told_at_us"]}
    is_other = is_observed and (row["observed_by"], row["observed_seen_at_us"]) != (row["source_id"], row["seen_at_us"])
    if len(instants) != 1 or is_other or hashlib.sha256(row["body"]).digest() != row["digest"]:
        raise _not_plain()
    observed = to_standing(row) if is_observed else None
    word = _WORD(
        kind=SourceKind(row["kind"]).value,
        seen_at_us=row["seen_at_us"],
        digest=row["digest"].hex(),
        observed=None if observed is None else _standing(observed),
        added=(),
        differences=(),
    )
    return observed, word


def _standing(observed: Standing) -> object:
    settlements = observed.settlements
    said = None if settlements is None else [_SETTLEMENT(amount_minor=item.amount_minor, paid_at_us=item.paid_at_us) for item in settlements]
    return _STANDING(paid_minor=observed.paid_minor, due_minor=observed.due_minor, settlements=said)


def _billed_or_moved(row: Mapping[str, Any]) -> object:
    """What the journal's digest of an issued document covers beside it; None where that is nothing."""
    if row["moved_at_us"] is not None:
        if row["period"] is not None:
            raise _not_plain()
        return _MOVED(missing_from=row["missing_from"], payment_count=row["payment_count"], recorded_at_us=row["moved_at_us"])
    if row["period"] is not None:
        return _KEY(period=_text(row["period"]), product=_text(row["product"]), recorded_at_us=row["billed_at_us"])
    return None


def _listing(row: Mapping[str, Any]) -> ListingRow:
    return ListingRow(
        account_id=row["account_id"],
        invoice_id=row["invoice_id"],
        ordinal=row["ordinal"],
        created_at_us=row["listed_at_us"],
        wire_id=row["listed_wire_id"],
        number_folded=row["number_folded"],
        paid_minor=row["paid_minor"],
        due_minor=row["due_minor"],
        dialect_version=row["dialect_version"],
        item=row["item"],
        single=row["single"],
    )


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


def _preceding(row: Mapping[str, Any]) -> object:
    if row["preceding_number"] is None:
        return None
    return _PRECEDING(number=_text(row["preceding_number"]), issue_date=row["preceding_issue_date"], invoice_id=row["preceding_invoice_id"])


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
def _period(start: str | None, end: str | None) -> tuple[Period | None, object]:
    if start is None and end is None:
        return None, None
    days = [None if text is None else date.fromisoformat(text) for text in (start, end)]
    if any(day is not None and day.isoformat() != text for day, text in zip(days, (start, end), strict=True)):
        raise _not_plain()
    return Period(start=days[0], end=days[1]), _PERIOD(start=start, end=end)


@lru_cache(maxsize=_REMEMBERED)
def _party(text: str | None) -> object:
    return None if text is None else msgspec.Raw(_sorted_json(msgspec.json.decode(text)))


def _digest(said: object) -> bytes:
    return hashlib.sha256(_json(said)).digest()


def _not_plain() -> ValueError:
    return ValueError("its rows are not plainly as the ledger writes them")
