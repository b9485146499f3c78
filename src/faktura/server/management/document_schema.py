"""Documents as the management API takes and gives them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from faktura.server.management.schema import Amount, Body, Country, CurrencyCode, FaultResource, Id, LongText, Number, Page, PartyBody, Resource


class PeriodBody(Body, frozen=True, kw_only=True):
    """A service period (BG-14, BG-26): first and last day."""

    start: date | None = None
    end: date | None = None


class AllowanceChargeBody(Body, frozen=True, kw_only=True):
    """An allowance or charge (BG-20, BG-21, BG-27, BG-28). VAT is named on those of the whole document only."""

    amount: Number
    reason: LongText
    charge: bool = False
    vat_category: str | None = None
    vat_rate: Number | None = None


class LineBody(Body, frozen=True, kw_only=True):
    """An invoice line (BG-25). Without VAT it takes what follows from seller, buyer and tax point."""

    name: Annotated[str, Meta(min_length=1, max_length=4000, examples=["Virtual server, October 2026"])]
    unit_price: Annotated[Decimal, Meta(title="Decimal", examples=["12.00"])]
    quantity: Annotated[Decimal, Meta(title="Decimal", examples=["1"], description="1 where it is left out.")] | None = None
    unit_code: LongText | None = None
    vat_category: Annotated[str, Meta(description="S, Z, E, AE, K, G or O (UNCL 5305).", examples=["S"])] | None = None
    vat_rate: Annotated[Decimal, Meta(title="Decimal", examples=["20"])] | None = None
    item_id: LongText | None = None
    period: PeriodBody | None = None
    order_id: Annotated[int, Meta(ge=1)] | None = None
    allowances_charges: list[AllowanceChargeBody] | None = None
    line_total: Number | None = None


class DocumentFields(Body, frozen=True, kw_only=True):
    """A document's fields. Totals may be stated; then they must be those that follow (BR-CO-10 to BR-CO-15)."""

    lines: list[LineBody]
    type_code: Annotated[int, Meta(description="BT-3: 325 pro-forma, 380 invoice, 381 credit note, 383 debit note.", examples=[380])] | None = None
    currency: CurrencyCode | None = None
    price_basis: Annotated[str, Meta(description="net or gross: whether prices include VAT.", examples=["net"])] | None = None
    buyer: PartyBody | None = None
    allowances_charges: list[AllowanceChargeBody] | None = None
    exemption_reasons: dict[str, str] | None = None
    issue_date: date | None = None
    due_date: date | None = None
    tax_point_date: date | None = None
    period: PeriodBody | None = None
    preceding_invoice: Annotated[str, Meta(description="The number of the document that this one corrects (BT-25).")] | None = None
    order_ids: list[int] | None = None
    note: LongText | None = None
    payment_terms: LongText | None = None
    override_reason: LongText | None = None
    tax_country: Annotated[Country | None, Meta(description="Whose VAT is charged; what follows from the parties, where it is left out.")] = None
    total_without_vat: Number | None = None
    vat_total: Number | None = None
    total_with_vat: Number | None = None


class InvoiceBody(DocumentFields, frozen=True, kw_only=True):
    """A document to issue now, for an account."""

    account_id: Id


class DraftBody(Body, frozen=True, kw_only=True):
    """A document to be issued later: the fields of a document, which need not be complete yet."""

    account_id: Id
    document: dict[str, object]


class DraftChange(Body, frozen=True, kw_only=True):
    """The draft's new document, whole."""

    document: dict[str, object]


class TotalsResource(Resource, frozen=True, kw_only=True):
    """The totals that follow (BG-22)."""

    total_without_vat: Amount
    vat_total: Amount
    total_with_vat: Amount
    currency: str


class DraftResource(Resource, frozen=True, kw_only=True):
    """A draft with what would come of it today."""

    id: int
    account_id: int
    document: dict[str, object]
    totals: TotalsResource | None
    faults: list[FaultResource]
    created_at: str
    updated_at: str


class DraftPage(Page, frozen=True, kw_only=True):
    """Drafts, oldest first."""

    items: list[DraftResource]


class LineResource(Resource, frozen=True, kw_only=True):
    """An invoice line (BG-25)."""

    name: str
    item_id: str | None
    quantity: Amount
    unit_code: str
    unit_price: Amount
    line_total: Amount | None
    net_amount: Amount | None
    vat_category: str | None
    vat_rate: Amount | None
    period: dict[str, str | None] | None
    order_id: int | None
    allowances_charges: list[dict[str, object]]


class VatBreakdownResource(Resource, frozen=True, kw_only=True):
    """VAT of one category and rate (BG-23)."""

    vat_category: str | None
    vat_rate: Amount
    taxable_amount: Amount | None
    tax_amount: Amount | None
    exemption_reason: str | None


class SettlementResource(Resource, frozen=True, kw_only=True):
    """A payment or credit note that settles a document."""

    amount: Amount
    paid_at: str


class InvoiceHead(Resource, frozen=True, kw_only=True):
    """A document without its lines. Null is unknown: only recorded documents have that."""

    id: int
    account_id: int
    account: str
    provider: str
    is_test: bool
    wire_id: int
    origin: str
    type_code: int | None
    number: str
    issue_date: str
    due_date: str | None
    created_at: Annotated[str, Meta(description="As the provider's API shows it: of what is issued here, the beginning of its issue date.")]
    recorded_at: Annotated[str, Meta(description="When it came into the ledger; as_of goes by it.")]
    currency: str
    total_without_vat: Amount | None
    vat_total: Amount | None
    total_with_vat: Amount | None
    paid_amount: Amount | None
    amount_due: Amount | None
    state: Annotated[str, Meta(description="open, partly-paid, paid, credited or overdue; null where nobody said.")] | None
    order_ids: list[int] | None


class InvoiceResource(InvoiceHead, frozen=True, kw_only=True):
    """A document as it was issued, and how it stands."""

    series: str | None
    source_type: str | None
    price_basis: str | None
    seller: dict[str, str] | None
    buyer: dict[str, str] | None
    tax_point_date: str | None
    preceding_invoice: dict[str, object] | None
    note: str | None
    payment_terms: str | None
    pro_forma_id: Annotated[int | None, Meta(description="The pro-forma that it is the invoice for.")]
    invoiced_as_id: Annotated[int | None, Meta(description="Of a pro-forma: the invoice that was issued for it.")]
    override_reason: str | None
    tax_country: str | None
    vat_rate: Amount | None
    lines: list[LineResource] | None
    allowances_charges: list[dict[str, object]]
    vat_breakdown: list[VatBreakdownResource]
    payments: list[SettlementResource] | None


class InvoicePage(Page, frozen=True, kw_only=True):
    """Documents in the order asked for."""

    items: list[InvoiceHead]


class ProFormaInvoiceBody(Body, frozen=True, kw_only=True):
    """The dates of the invoice for a pro-forma; today and none, where they are left out."""

    issue_date: date | None = None
    due_date: date | None = None


class CreditNoteBody(Body, frozen=True, kw_only=True):
    """What to credit: all of the document, or so much of its lines (numbered from 1)."""

    quantities: Annotated[dict[str, Decimal], Meta(description="Line number -> quantity.", examples=[{"1": "2"}])] | None = None
    note: LongText | None = None
