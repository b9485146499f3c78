"""Documents that a stand-in makes up: changed ones, on the wire alone, and new ones, in the ledger."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import msgspec

from faktura.dialects.base import ListQuery, WireDialect, amount, encoder, plain
from faktura.domain.calendar import legal_date, midnight, parse_instant, to_datetime
from faktura.domain.errors import NotFoundError
from faktura.domain.invoice import Invoice, InvoiceLine, Origin, TypeCode
from faktura.domain.payment import Standing
from faktura.domain.provider import Provider
from faktura.domain.recorded import Heard, SourceKind
from faktura.ledger.importing import record
from faktura.ledger.ports import Books

_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=Decimal)
_UNIT_PRICE_STEP = Decimal("0.0001")
_HALF_UP = Context(rounding=ROUND_HALF_UP)
_DIGITS = re.compile(r"(.*?)([0-9]+)\Z", re.DOTALL)
_VAT_RATE = 20
_CHANGE_MAX = 9


@dataclass(frozen=True, slots=True)
class Change:
    """What a document says otherwise from then on: so much more in total, or a date so many days earlier."""

    amount: int = 0
    """In whole units of the currency; of a credit note, so much more to give back."""
    days: int = 0


def draw_change(dice: random.Random) -> Change:
    """A change of the total or of the date."""
    size = dice.randint(1, _CHANGE_MAX)
    return Change(amount=size) if dice.random() < 1 / 2 else Change(days=size)


def can_change(dialect: WireDialect) -> bool:
    """Whether documents of this dialect can be changed on the wire."""
    return dialect.name in _CHANGES


def changed(dialect: WireDialect, document: bytes, change: Change, zone: str) -> bytes:
    """A rendered document, in whichever form, with the change; all that it does not concern stays as it is."""
    fields = _decoder.decode(document)
    _CHANGES[dialect.name](fields, change, zone)
    return encoder.encode(fields)


def _change_vpsbg(fields: dict[str, Any], change: Change, zone: str) -> None:
    """Both amounts by as much, so that the VAT stays; another midnight where the books are kept (fact 7 of docs/reference/wire.md)."""
    if change.days:
        day = legal_date(parse_instant(fields["created_at"]), zone) - timedelta(days=change.days)
        fields["created_at"] = f"{to_datetime(midnight(day, zone)):%Y-%m-%dT%H:%M:%S.%fZ}"
    else:
        is_credit = (fields["amount_with_vat"] or 0) < 0
        for name in ("amount", "amount_with_vat"):
            fields[name] = _more(fields[name], -change.amount if is_credit else change.amount)


def _change_checkdomain(fields: dict[str, Any], change: Change, zone: str) -> None:
    """Nothing more was paid, so as much more is open; the first detail is dearer, so that details add up to the total (fact 28)."""
    if change.days:
        created = to_datetime(parse_instant(fields["created"]), zone) - timedelta(days=change.days)
        fields["created"] = f"{created:%Y-%m-%dT%H:%M:%S%z}"
        return
    more = -change.amount if (fields["amount_total"] or 0) < 0 else change.amount
    fields["amount_total"] = _more(fields["amount_total"], more)
    if fields["amount_open"] is not None:
        fields["amount_open"] = _more(fields["amount_open"], more)
        fields["is_open"], fields["is_payed"] = fields["amount_open"] != 0, fields["amount_open"] == 0
    for detail in (fields.get("details") or [])[:1]:
        detail["price"] = _more(detail["price"], more)
        if detail["quantity"]:
            detail["unit_price"] = plain(_HALF_UP.quantize(abs(detail["price"] / Decimal(detail["quantity"])), _UNIT_PRICE_STEP))


_CHANGES: dict[str, Callable[[dict[str, Any], Change, str], None]] = {"vpsbg": _change_vpsbg, "checkdomain": _change_checkdomain}


def _more(value: Decimal | int | None, more: int) -> Decimal:
    return plain(Decimal(value or 0) + more)


def newest_of(dialect: WireDialect, provider: Provider, items: bytes) -> Invoice | None:
    """The newest invoice, or else the newest document, of rendered items; None where there is none."""
    page = dialect.render_list(ListQuery(limit=1), total=1, items=items, origin="http://localhost")
    invoices = [heard.invoice for heard in dialect.parse_answer(page, provider=provider).documents] if isinstance(page, bytes) else []
    return next((invoice for invoice in invoices if invoice.type_code is TypeCode.INVOICE), invoices[0] if invoices else None)


def record_new(books: Books, dialect: WireDialect, provider: Provider, account_id: int, *, newest: Invoice | None, price: int) -> int:
    """Record an invoice that stands before all others of the account, with the number after the newest one's; its wire id.

    It is no document of the provider's own: no series moves.
    """
    with books.storage.reading() as tx:
        account = tx.accounts.get(account_id)
        if account is None:
            message = f"there is no account {account_id}"
            raise NotFoundError(message)
        number = _next_number(newest.number if newest else "0000000000")
        while tx.invoices.known_numbers([(account_id, number)]):
            number = _next_number(number)
    now_us = books.clock()
    day = legal_date(now_us, provider.zone)
    created_at_us = dialect.created_at(now_us, max(day, newest.issue_date) if newest else day, provider.zone)
    heard = _made_up(provider, number, max(created_at_us, newest.created_at_us) if newest else created_at_us, price)
    (change,) = record(books, provider=provider.name, documents=[(account.reference, heard)])
    with books.storage.reading() as tx:
        recorded = tx.invoices.get(account_id, change.invoice_id)
        if recorded is None:
            message = f"there is no invoice {number}"
            raise NotFoundError(message)
        return recorded.wire_id


def _made_up(provider: Provider, number: str, created_at_us: int, price: int) -> Heard:
    """An open invoice of one line, as a source that says everything would tell of it."""
    net = provider.currency.to_minor(price)
    gross = net * (100 + _VAT_RATE) // 100
    line = InvoiceLine(
        name="Made up by the stand-in",
        quantity=Decimal(1),
        unit_price=amount(gross, provider.currency.digits),
        line_total_minor=gross,
        net_amount_minor=None,
        vat=None,
    )
    invoice = Invoice(
        id=0,
        account_id=0,
        wire_id=0,  # the provider's next
        origin=Origin.RECORDED,
        type_code=TypeCode.INVOICE,
        number=number,
        created_at_us=created_at_us,
        issue_date=legal_date(created_at_us, provider.zone),
        currency=provider.currency,
        recorded_at_us=0,
        total_without_vat_minor=net,
        vat_total_minor=gross - net,
        total_with_vat_minor=gross,
        vat_rate=Decimal(_VAT_RATE),
        lines=(line,),
        order_ids=(),
    )
    return Heard(invoice=invoice, standing=Standing(paid_minor=0, due_minor=gross, settlements=()), kind=SourceKind.SINGLE, body=b'{"made_up":true}')


def _next_number(number: str) -> str:
    """The number after this one; one without digits at its end gets some."""
    found = _DIGITS.match(number)
    return f"{found.group(1)}{int(found.group(2)) + 1:0{len(found.group(2))}}" if found else f"{number}-1"
