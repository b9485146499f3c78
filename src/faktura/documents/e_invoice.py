"""A document of the ledger as an e-invoice."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from faktura.documents import item_prices
from faktura.documents.en16931 import (
    Address,
    Adjustment,
    Buyer,
    Contact,
    CreditTransfer,
    Delivery,
    DocumentTotals,
    EInvoice,
    Identifier,
    Item,
    Line,
    Note,
    PaymentInstructions,
    PrecedingReference,
    Profile,
    Seller,
    ServicePeriod,
    VatGroup,
)
from faktura.domain.errors import Fault, InvalidDocumentError, fault
from faktura.domain.invoice import AllowanceCharge, Invoice, InvoiceLine, Period, TypeCode
from faktura.domain.money import Currency, canonical
from faktura.domain.party import Party
from faktura.domain.payment import Standing
from faktura.domain.vat import PriceBasis, VatBreakdown, VatCategory, VatKey

EXEMPTION_CODES = {
    VatCategory.REVERSE_CHARGE: "VATEX-EU-AE",
    VatCategory.INTRA_COMMUNITY: "VATEX-EU-IC",
    VatCategory.EXPORT: "VATEX-EU-G",
    VatCategory.OUTSIDE_SCOPE: "VATEX-EU-O",
}
"""BT-121; category E has many reasons, which its text says (BT-120)."""

PAYABLE_AT_ONCE = "Payable on receipt"
"""BT-20 of a document that names neither due date nor terms: what the law takes it to mean (BR-CO-25 wants it said)."""
NOTHING_TO_PAY = "Credited to the buyer, nothing to pay"
"""BT-20 of a credit note without terms, whose amount (BT-115) is positive though the buyer owes none: older rules for CII want it said there, too."""

ORDER_SEPARATOR = ", "
"""Between the provider's order numbers in BT-14, which stands once: an identifier to receivers, who have no list to look it up in."""

_REGISTERS = {"DK": "0184", "IS": "0196", "NL": "0106"}
"""Countries where Peppol wants the register of a number said between their own parties, and the one that companies stand in (ISO 6523)."""
_SEPA_TRANSFER, _CREDIT_TRANSFER, _NOT_DEFINED = "58", "30", "1"
_UNKNOWN = "is unknown: its source did not say it"
_NEEDED = ("seller", "buyer", "price_basis", "lines", "total_without_vat_minor", "vat_total_minor", "total_with_vat_minor", "line_total_minor")


def to_e_invoice(invoice: Invoice, *, standing: Standing | None = None, profile: Profile) -> EInvoice:
    """The terms of an issued or recorded document, amounts as at issue; with `standing`, what is paid and due besides.

    Raises InvalidDocumentError where it can be no e-invoice: a pro-forma, or a recorded document that lacks amounts.
    """
    faults = list(_lacking(invoice))
    seller, buyer, type_code = invoice.seller, invoice.buyer, invoice.type_code
    if faults or seller is None or buyer is None or type_code is None:
        raise InvalidDocumentError(faults)
    is_outside_scope = any(group.category is VatCategory.OUTSIDE_SCOPE for group in invoice.vat_breakdown)
    totals = _totals(invoice, standing)
    return EInvoice(
        number=invoice.number,
        issue_date=invoice.issue_date,
        type_code=str(type_code.value),
        currency=invoice.currency.code,
        tax_point_date=invoice.tax_point_date,
        due_date=invoice.due_date,
        buyer_reference=buyer.buyer_reference,
        sales_order=ORDER_SEPARATOR.join(map(str, invoice.order_ids or ())) or None,
        payment_terms=_terms(invoice, totals),
        notes=(Note(text=invoice.note),) if invoice.note else (),
        business_process=profile.business_process,
        specification_id=profile.specification_id,
        preceding=_preceding(invoice),
        seller=_seller(seller, profile, is_outside_scope=is_outside_scope),
        buyer=_buyer(buyer, profile, seller_country=seller.country, is_outside_scope=is_outside_scope),
        delivery=_delivery(invoice, buyer),
        period=_period(invoice.period),
        payment=_payment(invoice, seller, profile),
        allowances=_document_adjustments(invoice, is_charge=False),
        charges=_document_adjustments(invoice, is_charge=True),
        totals=totals,
        vat_breakdown=tuple(_vat_group(group, invoice.currency) for group in invoice.vat_breakdown),
        lines=tuple(_line(number, line, invoice) for number, line in enumerate(invoice.lines or (), 1)),
    )


def _lacking(invoice: Invoice) -> Iterator[Fault]:
    """What keeps a document from being an e-invoice at all."""
    if invoice.type_code is TypeCode.PRO_FORMA:
        yield fault("BR-CL-01", "type_code", "a pro-forma is no invoice, and no e-invoice; make the invoice from it")
    if invoice.type_code is None:
        yield fault("BR-04", "type_code", "is unknown: its source did not say what it is")
    for name in _NEEDED:
        if getattr(invoice, name) is None:
            yield fault("missing", name.removesuffix("_minor"), _UNKNOWN)
    yield from _lacking_parts(invoice)


def _lacking_parts(invoice: Invoice) -> Iterator[Fault]:
    """The same of its lines, allowances and charges, and VAT breakdown."""
    for index, line in enumerate(invoice.lines or ()):
        if line.vat is None or line.vat.category is None:
            yield fault("BR-CO-04", f"lines[{index}].vat_category", _UNKNOWN)
        if line.net_amount_minor is None:
            yield fault("BR-24", f"lines[{index}].net_amount", _UNKNOWN)
    for index, item in enumerate(invoice.allowances_charges):
        if item.vat is None or item.vat.category is None:
            yield fault("BR-32", f"allowances_charges[{index}].vat_category", _UNKNOWN)
    for index, group in enumerate(invoice.vat_breakdown):
        if group.category is None or group.taxable_amount_minor is None or group.tax_amount_minor is None:
            yield fault("BR-45", f"vat_breakdown[{index}]", "lacks its category or an amount: its source did not say it")


def amount(currency: Currency, amount_minor: int) -> Decimal:
    """An amount with two decimals where it has no more; three where a currency of three needs them, which BR-DEC refuses."""
    value = currency.to_decimal(amount_minor)
    return value.quantize(Decimal("0.01")) if currency.digits != 2 and amount_minor % 10 ** max(0, currency.digits - 2) == 0 else value  # noqa: PLR2004


def _rate(vat: VatKey) -> Decimal | None:
    """BT-119 and the like; what is outside the scope of VAT has none (BR-O-5)."""
    return None if vat.category is VatCategory.OUTSIDE_SCOPE else Decimal(canonical(vat.rate))


def _totals(invoice: Invoice, standing: Standing | None) -> DocumentTotals:
    money, total = invoice.currency, invoice.total_with_vat_minor or 0
    paid = (standing.paid_minor or 0) if standing else 0
    items = invoice.allowances_charges
    return DocumentTotals(
        line_total=amount(money, invoice.line_total_minor or 0),
        allowance_total=amount(money, invoice.allowance_total_minor or 0) if any(not item.is_charge for item in items) else None,
        charge_total=amount(money, invoice.charge_total_minor or 0) if any(item.is_charge for item in items) else None,
        total_without_vat=amount(money, invoice.total_without_vat_minor or 0),
        vat_total=amount(money, invoice.vat_total_minor or 0),
        total_with_vat=amount(money, total),
        prepaid=amount(money, paid) if paid else None,
        payable=amount(money, total - paid),
    )


def _terms(invoice: Invoice, totals: DocumentTotals) -> str | None:
    """BT-20: those of the document; else the words for what none means."""
    if invoice.payment_terms is not None or invoice.due_date is not None or (totals.payable or 0) <= 0:
        return invoice.payment_terms
    return NOTHING_TO_PAY if invoice.type_code is TypeCode.CREDIT_NOTE else PAYABLE_AT_ONCE


def _vat_group(group: VatBreakdown, money: Currency) -> VatGroup:
    category = group.category
    return VatGroup(
        taxable_amount=amount(money, group.taxable_amount_minor or 0),
        tax_amount=amount(money, group.tax_amount_minor or 0),
        category=category.value if category else None,
        rate=Decimal(canonical(group.rate)),  # of category O too: XRechnung requires it (BR-DE-14), and no rule forbids it here
        exemption_reason=group.exemption_reason if category and category.needs_reason else None,
        exemption_code=EXEMPTION_CODES.get(category) if category else None,
    )


def _preceding(invoice: Invoice) -> tuple[PrecedingReference, ...]:
    found = invoice.preceding_invoice
    return (PrecedingReference(number=found.number, issue_date=found.issue_date),) if found else ()


def _period(period: Period | None) -> ServicePeriod | None:
    return ServicePeriod(start=period.start, end=period.end) if period and (period.start or period.end) else None


def _delivery(invoice: Invoice, buyer: Party) -> Delivery | None:
    """When it was supplied, where no period says it (BT-72); and where to, for goods that go to another member state (BT-80)."""
    lines = invoice.lines or ()
    has_period = _period(invoice.period) is not None
    day = None if has_period or (lines and all(_period(line.period) for line in lines)) else invoice.tax_point_date or invoice.issue_date
    if any(group.category is VatCategory.INTRA_COMMUNITY for group in invoice.vat_breakdown):
        address = Address(street=buyer.street, city=buyer.city, post_code=buyer.post_code, country=buyer.country)
        return Delivery(date=day if day or has_period else invoice.tax_point_date or invoice.issue_date, address=address)
    return Delivery(date=day) if day else None


def _payment(invoice: Invoice, seller: Party, profile: Profile) -> PaymentInstructions | None:
    if seller.iban is None or invoice.type_code is TypeCode.CREDIT_NOTE:  # what is owed to the buyer is not paid to the seller's account
        countries = {seller.country, invoice.buyer.country if invoice.buyer else None}
        if profile is Profile.PEPPOL and countries == {"NL"}:  # between Dutch parties what is not defined is not said (NL-R-008)
            return None
        return PaymentInstructions(means_code=_NOT_DEFINED, remittance=invoice.number)
    transfer = CreditTransfer(account="".join(seller.iban.split()).upper(), account_name=seller.account_name, bic=seller.bic)
    code = _SEPA_TRANSFER if invoice.currency.code == "EUR" else _CREDIT_TRANSFER
    return PaymentInstructions(means_code=code, remittance=invoice.number, credit_transfers=(transfer,))


def _seller(party: Party, profile: Profile, *, is_outside_scope: bool) -> Seller:
    vat_id = _vat_id(party)
    # BR-O-02: what is outside the scope of VAT names no VAT id. It still tells the seller apart (BR-CO-26), as an identifier.
    ids = (Identifier(value=vat_id),) if is_outside_scope and vat_id and not party.registration_id else ()
    return Seller(
        name=party.name,
        ids=ids,
        registration_id=_registration(party, profile, party.country),
        vat_id=None if is_outside_scope else vat_id,
        tax_number=party.tax_number,
        electronic_address=_electronic_address(party, profile),
        address=_address(party),
        contact=_contact(party),
    )


def _buyer(party: Party, profile: Profile, *, seller_country: str | None, is_outside_scope: bool) -> Buyer:
    return Buyer(
        name=party.name,
        registration_id=_registration(party, profile, seller_country),
        vat_id=None if is_outside_scope else _vat_id(party),
        electronic_address=_electronic_address(party, profile),
        address=_address(party),
        contact=_contact(party),
    )


def _registration(party: Party, profile: Profile, seller_country: str | None) -> Identifier | None:
    """BT-30 or BT-47."""
    if not party.registration_id:
        return None
    is_among_its_own = profile is Profile.PEPPOL and party.country == seller_country
    return Identifier(value=party.registration_id, scheme=_REGISTERS.get(party.country or "") if is_among_its_own else None)


def _vat_id(party: Party) -> str | None:
    return "".join(party.vat_id.split()).upper() if party.vat_id else None


def _electronic_address(party: Party, profile: Profile) -> Identifier | None:
    """BT-34 or BT-49. XRechnung is sent by mail too: there the mail address is one, of scheme EM."""
    if party.electronic_address:
        scheme, _, value = party.electronic_address.partition(":")
        return Identifier(value=value, scheme=scheme)
    return Identifier(value=party.email, scheme="EM") if party.email and profile is Profile.XRECHNUNG else None


def _address(party: Party) -> Address | None:
    address = Address(street=party.street, city=party.city, post_code=party.post_code, country=party.country)
    return None if address == Address() else address


def _contact(party: Party) -> Contact | None:
    contact = Contact(name=party.contact_name, phone=party.phone, email=party.email)
    return None if contact == Contact() else contact


def _document_adjustments(invoice: Invoice, *, is_charge: bool) -> tuple[Adjustment, ...]:
    """BG-20 or BG-21, without VAT."""
    return tuple(
        Adjustment(
            amount=amount(invoice.currency, item.amount_minor if item.net_amount_minor is None else item.net_amount_minor),
            vat_category=item.vat.category.value if item.vat and item.vat.category else None,
            vat_rate=_rate(item.vat) if item.vat else None,
            reason=item.reason,
        )
        for item in invoice.allowances_charges
        if item.is_charge is is_charge
    )


def _line(number: int, line: InvoiceLine, invoice: Invoice) -> Line:
    money, vat = invoice.currency, line.vat
    is_gross = invoice.price_basis is PriceBasis.GROSS
    _, adjustments_minor = item_prices.without_vat(line, is_gross=is_gross)
    return Line(
        id=str(number),
        object_id=Identifier(value=str(line.order_id)) if line.order_id is not None else None,
        quantity=Decimal(canonical(line.quantity)),
        unit=line.unit_code,
        net_amount=amount(money, line.net_amount_minor or 0),
        period=_period(line.period),
        allowances=_line_adjustments(line.allowances_charges, adjustments_minor, money, is_charge=False),
        charges=_line_adjustments(line.allowances_charges, adjustments_minor, money, is_charge=True),
        price=item_prices.price(line, money, is_gross=is_gross),
        vat_category=vat.category.value if vat and vat.category else None,
        vat_rate=_rate(vat) if vat else None,
        item=Item(name=line.name, seller_id=line.item_id),
    )


def _line_adjustments(items: tuple[AllowanceCharge, ...], amounts_minor: list[int], money: Currency, *, is_charge: bool) -> tuple[Adjustment, ...]:
    """BG-27 or BG-28, without VAT."""
    pairs = zip(items, amounts_minor, strict=True)
    return tuple(Adjustment(amount=amount(money, part), reason=item.reason) for item, part in pairs if item.is_charge is is_charge)
