"""The core invoice of EN 16931 as values: what both syntaxes, the rules and the PDF are made from.

Each attribute is one business term (BT); `terms.py` says which, with its datatype and how often it may stand. Amounts
are in the document's currency, without VAT unless said otherwise; None means that the document does not say it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

CREDIT_NOTE_TYPES = frozenset("81 83 261 262 296 308 381 396 420 458 532".split())
"""BT-3 of what takes away, and of what UBL writes as a CreditNote; all others are an Invoice."""
_BILLING = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"


class Syntax(StrEnum):
    """How an e-invoice is written."""

    UBL = "ubl"
    """OASIS UBL 2.1, Invoice or CreditNote."""
    CII = "cii"
    """UN/CEFACT Cross Industry Invoice D16B (D22B reads alike)."""


class Profile(StrEnum):
    """Whose rules a document keeps beside those of EN 16931."""

    EN16931 = "en16931"
    XRECHNUNG = "xrechnung"
    """XRechnung 3.0, for public buyers in Germany."""
    PEPPOL = "peppol"
    """Peppol BIS Billing 3.0."""
    FACTURX = "facturx"
    """Factur-X 1.0 and ZUGFeRD 2, level EN 16931: the XML inside a PDF."""

    @property
    def business_process(self) -> str | None:
        """BT-23."""
        return _BILLING if self in {Profile.XRECHNUNG, Profile.PEPPOL} else None

    @property
    def specification_id(self) -> str:
        """BT-24."""
        return _SPECIFICATIONS[self]

    @property
    def syntaxes(self) -> tuple[Syntax, ...]:
        """In which syntaxes the profile may be handed out, the usual one first."""
        if self is Profile.PEPPOL:
            return (Syntax.UBL,)
        return (Syntax.CII,) if self is Profile.FACTURX else (Syntax.UBL, Syntax.CII)


_SPECIFICATIONS = {
    Profile.EN16931: "urn:cen.eu:en16931:2017",
    Profile.XRECHNUNG: "urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0",
    Profile.PEPPOL: "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0",
    Profile.FACTURX: "urn:cen.eu:en16931:2017",
}


def profile_of(specification_id: str | None) -> Profile | None:
    """The profile that BT-24 names; a Factur-X of level EN 16931 says of itself no more than EN 16931."""
    return next((profile for profile in Profile if _SPECIFICATIONS[profile] == specification_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """An identifier and the list that it is from (ISO 6523, EAS, UNTDID 1153 or 7143)."""

    value: str
    scheme: str | None = None
    version: str | None = None
    """Of the list; of item classifications alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """BG-1."""

    text: str
    subject_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecedingReference:
    """BG-3."""

    number: str
    issue_date: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """BG-5, BG-8, BG-12 or BG-15."""

    street: str | None = None
    additional_street: str | None = None
    additional_line: str | None = None
    city: str | None = None
    post_code: str | None = None
    subdivision: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """BG-6 or BG-9."""

    name: str | None = None
    phone: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seller:
    """BG-4."""

    name: str | None = None
    trading_name: str | None = None
    ids: tuple[Identifier, ...] = ()
    registration_id: Identifier | None = None
    vat_id: str | None = None
    tax_number: str | None = None
    legal_information: str | None = None
    electronic_address: Identifier | None = None
    address: Address | None = None
    contact: Contact | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """BG-7."""

    name: str | None = None
    trading_name: str | None = None
    id: Identifier | None = None
    registration_id: Identifier | None = None
    vat_id: str | None = None
    electronic_address: Identifier | None = None
    address: Address | None = None
    contact: Contact | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """BG-10."""

    name: str | None = None
    id: Identifier | None = None
    registration_id: Identifier | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxRepresentative:
    """BG-11."""

    name: str | None = None
    vat_id: str | None = None
    address: Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePeriod:
    """BG-14 or BG-26: first and last day."""

    start: date | None = None
    end: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """BG-13."""

    name: str | None = None
    location_id: Identifier | None = None
    date: date | None = None
    address: Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditTransfer:
    """BG-17."""

    account: str | None = None
    account_name: str | None = None
    bic: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCard:
    """BG-18."""

    number: str | None = None
    holder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectDebit:
    """BG-19."""

    mandate: str | None = None
    creditor_id: str | None = None
    debited_account: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentInstructions:
    """BG-16."""

    means_code: str | None = None
    means_text: str | None = None
    remittance: str | None = None
    credit_transfers: tuple[CreditTransfer, ...] = ()
    card: PaymentCard | None = None
    direct_debit: DirectDebit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """An allowance (BG-20, BG-27) or a charge (BG-21, BG-28); those of lines have the line's VAT."""

    amount: Decimal | None = None
    base_amount: Decimal | None = None
    percentage: Decimal | None = None
    vat_category: str | None = None
    vat_rate: Decimal | None = None
    reason: str | None = None
    reason_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentTotals:
    """BG-22."""

    line_total: Decimal | None = None
    allowance_total: Decimal | None = None
    charge_total: Decimal | None = None
    total_without_vat: Decimal | None = None
    vat_total: Decimal | None = None
    vat_total_in_tax_currency: Decimal | None = None
    total_with_vat: Decimal | None = None
    prepaid: Decimal | None = None
    rounding: Decimal | None = None
    payable: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VatGroup:
    """BG-23."""

    taxable_amount: Decimal | None = None
    tax_amount: Decimal | None = None
    category: str | None = None
    rate: Decimal | None = None
    exemption_reason: str | None = None
    exemption_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedFile:
    """BT-125."""

    content: bytes
    mime_code: str | None = None
    filename: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportingDocument:
    """BG-24."""

    reference: str | None = None
    description: str | None = None
    location: str | None = None
    attached: AttachedFile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """BG-29."""

    net: Decimal | None = None
    discount: Decimal | None = None
    gross: Decimal | None = None
    base_quantity: Decimal | None = None
    base_unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """BG-32."""

    name: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """BG-31."""

    name: str | None = None
    description: str | None = None
    seller_id: str | None = None
    buyer_id: str | None = None
    standard_id: Identifier | None = None
    classifications: tuple[Identifier, ...] = ()
    origin_country: str | None = None
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """BG-25."""

    id: str | None = None
    note: str | None = None
    object_id: Identifier | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    net_amount: Decimal | None = None
    order_line: str | None = None
    accounting_reference: str | None = None
    period: ServicePeriod | None = None
    allowances: tuple[Adjustment, ...] = ()
    charges: tuple[Adjustment, ...] = ()
    price: Price | None = None
    vat_category: str | None = None
    vat_rate: Decimal | None = None
    item: Item | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EInvoice:
    """One invoice or credit note. Amounts of a credit note (381) are positive."""

    number: str
    issue_date: date
    type_code: str
    currency: str
    tax_currency: str | None = None
    tax_point_date: date | None = None
    tax_point_code: str | None = None
    due_date: date | None = None
    buyer_reference: str | None = None
    project: str | None = None
    contract: str | None = None
    order: str | None = None
    sales_order: str | None = None
    receiving_advice: str | None = None
    despatch_advice: str | None = None
    tender: str | None = None
    object_id: Identifier | None = None
    accounting_reference: str | None = None
    payment_terms: str | None = None
    notes: tuple[Note, ...] = ()
    business_process: str | None = None
    specification_id: str | None = None
    preceding: tuple[PrecedingReference, ...] = ()
    seller: Seller | None = None
    buyer: Buyer | None = None
    payee: Payee | None = None
    tax_representative: TaxRepresentative | None = None
    delivery: Delivery | None = None
    period: ServicePeriod | None = None
    payment: PaymentInstructions | None = None
    allowances: tuple[Adjustment, ...] = ()
    charges: tuple[Adjustment, ...] = ()
    totals: DocumentTotals = field(default_factory=DocumentTotals)
    vat_breakdown: tuple[VatGroup, ...] = ()
    supporting_documents: tuple[SupportingDocument, ...] = ()
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What was read of an XML document."""

    document: EInvoice
    syntax: Syntax
    profile: Profile | None
    """The profile that BT-24 names; None for one unknown here."""
    specification_id: str | None
    """BT-24 as it stands."""
    left_out: tuple[str, ...]
    """Paths of elements and attributes that EN 16931 does not have or that were not understood."""


def as_profile(document: EInvoice, profile: Profile | None) -> EInvoice:
    """The document with the profile's BT-23 and BT-24; itself without a profile."""
    if profile is None or (document.specification_id, document.business_process) == (profile.specification_id, profile.business_process):
        return document
    return replace(document, specification_id=profile.specification_id, business_process=profile.business_process)
