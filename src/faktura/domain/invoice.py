"""The document: invoice, pro-forma, credit note, debit note, with the terms of EN 16931."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import IntEnum, StrEnum

from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.vat import PriceBasis, VatBreakdown, VatCategory, VatKey


class TypeCode(IntEnum):
    """BT-3, UNCL 1001."""

    PRO_FORMA = 325
    INVOICE = 380
    CREDIT_NOTE = 381
    DEBIT_NOTE = 383

    @property
    def sign(self) -> int:
        """What the document does to what the buyer owes: a credit note takes away."""
        return -1 if self is TypeCode.CREDIT_NOTE else 1

    @property
    def label(self) -> str:
        """The word for people."""
        return {325: "pro-forma", 380: "invoice", 381: "credit note", 383: "debit note"}[self.value]


class Origin(StrEnum):
    """Whether this ledger issued the document, or keeps what another system said of it."""

    ISSUED = "issued"
    RECORDED = "recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """BG-14 or BG-26: first and last day of a service period."""

    start: date | None = None
    """BT-73 / BT-134."""
    end: date | None = None
    """BT-74 / BT-135."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowanceCharge:
    """BG-20, BG-21 (document) or BG-27, BG-28 (line). The amount is in the document's price basis and positive."""

    is_charge: bool
    amount_minor: int
    """BT-92, BT-99, BT-136, BT-141."""
    reason: str
    """BT-97, BT-104, BT-139, BT-144."""
    vat: VatKey | None = None
    """BT-95/96, BT-102/103; None on a line, which has its own."""
    net_amount_minor: int | None = None
    """The amount without VAT, known once totals are computed."""

    @property
    def signed_minor(self) -> int:
        """Charges add, allowances take away."""
        return self.amount_minor if self.is_charge else -self.amount_minor

    def with_net(self, amount_minor: int) -> AllowanceCharge:
        """The same with its amount without VAT."""
        return AllowanceCharge(is_charge=self.is_charge, amount_minor=self.amount_minor, reason=self.reason, vat=self.vat, net_amount_minor=amount_minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """BG-25. Prices and `line_total_minor` are in the document's price basis."""

    name: str
    """BT-153."""
    quantity: Decimal
    """BT-129."""
    unit_price: Decimal
    """BT-146 when prices are net."""
    line_total_minor: int
    """quantity x unit price and the line's allowances and charges, rounded once."""
    net_amount_minor: int | None
    """BT-131; None where a recorded source does not say it."""
    vat: VatKey | None
    """BT-151, BT-152; None where a recorded source does not say them."""
    unit_code: str = "C62"
    """BT-130, UN/ECE Recommendation 20; C62 is "one"."""
    item_id: str | None = None
    """BT-155."""
    period: Period | None = None
    """BG-26."""
    order_id: int | None = None
    """The provider's order that this line bills (BT-128)."""
    allowances_charges: tuple[AllowanceCharge, ...] = ()

    def with_net(self, amount_minor: int) -> InvoiceLine:
        """The same with its net amount; itself where it has it. Written out, since each line of each document passes here: `replace` takes three times as long."""
        if self.net_amount_minor == amount_minor:
            return self
        return InvoiceLine(
            name=self.name,
            quantity=self.quantity,
            unit_price=self.unit_price,
            line_total_minor=self.line_total_minor,
            net_amount_minor=amount_minor,
            vat=self.vat,
            unit_code=self.unit_code,
            item_id=self.item_id,
            period=self.period,
            order_id=self.order_id,
            allowances_charges=self.allowances_charges,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecedingInvoice:
    """BG-3: the document that this one corrects."""

    number: str
    """BT-25."""
    issue_date: date | None = None
    """BT-26."""
    invoice_id: int | None = None
    """Where this ledger keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """BG-22 and BG-23 as computed from lines, allowances and charges."""

    line_total_minor: int
    """BT-106."""
    allowance_total_minor: int
    """BT-107."""
    charge_total_minor: int
    """BT-108."""
    total_without_vat_minor: int
    """BT-109."""
    vat_total_minor: int
    """BT-110."""
    total_with_vat_minor: int
    """BT-112."""
    vat_breakdown: tuple[VatBreakdown, ...]
    """BG-23."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What shall be issued: everything but number, dates that the ledger decides, and sums."""

    type_code: TypeCode
    currency: Currency
    price_basis: PriceBasis
    buyer: Party
    lines: tuple[InvoiceLine, ...]
    allowances_charges: tuple[AllowanceCharge, ...] = ()
    exemption_reasons: tuple[tuple[VatCategory, str], ...] = ()
    """BT-120 by category."""
    issue_date: date | None = None
    """BT-2 asked for; None takes the day of issue."""
    due_date: date | None = None
    """BT-9."""
    tax_point_date: date | None = None
    """BT-7."""
    period: Period | None = None
    """BG-14."""
    preceding_invoice: PrecedingInvoice | None = None
    order_ids: tuple[int, ...] = ()
    note: str | None = None
    """BT-22."""
    payment_terms: str | None = None
    """BT-20."""
    override_reason: str | None = None
    """Why it shall be issued although a rule that may be overridden forbids it; kept with the document."""
    tax_country: str | None = None
    """Whose VAT it charges (ISO 3166-1), the place of supply; None takes the country that follows from seller, buyer and VAT."""
    pro_forma_id: int | None = None
    """The pro-forma that this invoice is made from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """A document in the ledger. None means: its source did not say. An issued one says everything."""

    id: int
    """Unique in the ledger."""
    account_id: int
    wire_id: int
    """Unique in the account; what the provider's API calls `id`."""
    origin: Origin
    type_code: TypeCode | None
    """BT-3; None for a recorded type that nobody here knows, see `source_type`."""
    number: str
    """BT-1."""
    created_at_us: int
    """The instant of creation as the provider's API shows it: what lists are ordered by."""
    issue_date: date
    """BT-2, in the provider's zone."""
    currency: Currency
    """BT-5."""
    recorded_at_us: int
    """When this ledger wrote it."""
    source_wire_id: int | None = None
    """The id that a source gave the document, where one did."""
    series: str | None = None
    series_sequence: int | None = None
    """Its place in the series; the number is made of it."""
    source_type: str | None = None
    price_basis: PriceBasis | None = None
    seller: Party | None = None
    buyer: Party | None = None
    due_date: date | None = None
    tax_point_date: date | None = None
    period: Period | None = None
    line_total_minor: int | None = None
    allowance_total_minor: int | None = None
    charge_total_minor: int | None = None
    total_without_vat_minor: int | None = None
    vat_total_minor: int | None = None
    total_with_vat_minor: int | None = None
    vat_rate: Decimal | None = None
    """The one rate that a recorded source names for the whole document."""
    vat_breakdown: tuple[VatBreakdown, ...] = ()
    lines: tuple[InvoiceLine, ...] | None = None
    allowances_charges: tuple[AllowanceCharge, ...] = ()
    preceding_invoice: PrecedingInvoice | None = None
    order_ids: tuple[int, ...] | None = None
    note: str | None = None
    payment_terms: str | None = None
    override_reason: str | None = None
    tax_country: str | None = None
    """Whose VAT it charges (ISO 3166-1): the place of supply. Documents of older releases do not say it."""
    pro_forma_id: int | None = None
    """The pro-forma that this invoice was made from; each makes one."""

    def __post_init__(self) -> None:
        if self.origin is Origin.ISSUED:
            known = (self.type_code, self.seller, self.buyer, self.total_with_vat_minor, self.lines, self.series)
            if any(value is None for value in known):
                message = f"issued document {self.number} lacks a term"
                raise ValueError(message)

    @property
    def sign(self) -> int:
        """-1 for a credit note, whose amounts are kept positive here and shown negative on the wire."""
        return self.type_code.sign if self.type_code else 1
