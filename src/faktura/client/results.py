"""What a provider's API told, typed. Amounts are exact, in major units with all decimals of the currency; None means: it did not say."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from faktura.dialects.base import ItemFault
from faktura.domain.calendar import to_datetime
from faktura.domain.invoice import InvoiceLine, TypeCode
from faktura.domain.money import Currency
from faktura.domain.recorded import Heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of an invoice. Negative on a credit note, but for the unit price."""

    name: str
    quantity: Decimal
    unit_price: Decimal
    """As the provider prices: whether VAT is in it, its API does not say."""
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment of an invoice."""

    amount: Decimal
    paid_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """A document of a provider's API. Amounts of a credit note are negative, so that sums are right."""

    id: int
    """What the provider calls it; unique in the account."""
    number: str
    type_code: TypeCode | None
    """None for a type that nobody here knows; `type_word` has the provider's word then."""
    type_word: str
    created_at: datetime
    """Aware, in the provider's zone."""
    issue_date: date
    """The legal date: the day in the provider's zone."""
    currency: str
    total_without_vat: Decimal | None
    vat_total: Decimal | None
    total_with_vat: Decimal | None
    paid: Decimal | None
    due: Decimal | None
    is_open: bool | None
    vat_rate: Decimal | None
    """The one rate in percent that the provider names for the document."""
    lines: tuple[Line, ...] | None
    payments: tuple[Payment, ...] | None
    order_ids: tuple[int, ...] | None
    heard: Heard = field(repr=False)
    """The same in minor units, as the ledger takes it."""

    @property
    def raw(self) -> bytes:
        """The provider's own bytes of this document, unchanged."""
        return self.heard.body


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the list."""

    number: int
    """Counted from 1."""
    pages: int | None
    """How many there are, as this page announces."""
    total: int | None
    """How many documents there are, as this page announces."""
    invoices: tuple[Invoice, ...]
    """Without those that a page before had already."""
    repeated: int = 0
    """How many a page before had already: what new documents pushed on while the list was read."""
    changed: tuple[Invoice, ...] = ()
    """Those of them that say otherwise than before."""
    faults: tuple[ItemFault, ...] = ()
    """Items that could not be read."""
    next_number: int | None = None
    """The page that follows, None at the end."""
    raw: bytes = field(repr=False)
    """The answer's body, unchanged."""

    @property
    def heard(self) -> tuple[Heard, ...]:
        """The documents as the ledger takes them, those included that say otherwise than on a page before."""
        return tuple(invoice.heard for invoice in (*self.invoices, *self.changed))


def invoice_of(heard: Heard, *, zone: str) -> Invoice:
    """The typed document."""
    invoice, standing = heard.invoice, heard.standing
    sign, currency = invoice.sign, invoice.currency
    payments = None
    if standing.settlements is not None:
        payments = tuple(
            Payment(amount=currency.to_decimal(sign * item.amount_minor), paid_at=to_datetime(item.paid_at_us, zone)) for item in standing.settlements
        )
    return Invoice(
        id=invoice.wire_id,
        number=invoice.number,
        type_code=invoice.type_code,
        type_word=invoice.source_type or (invoice.type_code.label if invoice.type_code else ""),
        created_at=to_datetime(invoice.created_at_us, zone),
        issue_date=invoice.issue_date,
        currency=currency.code,
        total_without_vat=_signed(invoice.total_without_vat_minor, sign, currency),
        vat_total=_signed(invoice.vat_total_minor, sign, currency),
        total_with_vat=_signed(invoice.total_with_vat_minor, sign, currency),
        paid=_signed(standing.paid_minor, sign, currency),
        due=_signed(standing.due_minor, sign, currency),
        is_open=None if standing.due_minor is None else standing.due_minor != 0,
        vat_rate=invoice.vat_rate,
        lines=None if invoice.lines is None else tuple(_line(line, sign, currency) for line in invoice.lines),
        payments=payments,
        order_ids=invoice.order_ids,
        heard=heard,
    )


def _line(line: InvoiceLine, sign: int, currency: Currency) -> Line:
    return Line(name=line.name, quantity=sign * line.quantity, unit_price=line.unit_price, total=currency.to_decimal(sign * line.line_total_minor))


def _signed(amount_minor: int | None, sign: int, currency: Currency) -> Decimal | None:
    return None if amount_minor is None else currency.to_decimal(sign * amount_minor)
