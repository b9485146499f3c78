"""An e-invoice that came in, as a recorded document of the ledger."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import NamedTuple

from faktura.documents.e_invoice import ORDER_SEPARATOR
from faktura.documents.en16931 import CREDIT_NOTE_TYPES, Adjustment, Buyer, DocumentTotals, EInvoice, Line, Seller, ServicePeriod, VatGroup
from faktura.documents.terms import ROOT, TERMS, members
from faktura.domain.draft import ORDER_ID_MAX
from faktura.domain.errors import Fault, InvalidDocumentError, SettingError, fault
from faktura.domain.invoice import AllowanceCharge, Invoice, InvoiceLine, Origin, Period, PrecedingInvoice, TypeCode
from faktura.domain.money import DECIMAL_PLACES_MAX, Currency, parse_decimal
from faktura.domain.party import Party
from faktura.domain.payment import Standing
from faktura.domain.text import is_number_text, shown
from faktura.domain.vat import PriceBasis, VatBreakdown, VatCategory, VatKey, scaled_rate

_KEPT = frozenset(
    """
BT-1 BT-2 BT-3 BT-5 BT-7 BT-9 BT-10 BT-20 BT-22 BT-25 BT-26 BT-27 BT-30 BT-31 BT-32 BT-34 BT-35 BT-37 BT-38 BT-40 BT-41 BT-42 BT-43 BT-44 BT-47
BT-48 BT-49 BT-50 BT-52 BT-53 BT-55 BT-56 BT-57 BT-58 BT-73 BT-74 BT-84 BT-85 BT-86 BT-92 BT-95 BT-96 BT-97 BT-99 BT-102 BT-103 BT-104 BT-106
BT-107 BT-108 BT-109 BT-110 BT-112 BT-113 BT-115 BT-116 BT-117 BT-118 BT-119 BT-120 BT-129 BT-130 BT-131 BT-134 BT-135 BT-136 BT-139 BT-141
BT-144 BT-146 BT-151 BT-152 BT-153 BT-155
BT-23 BT-24 BT-126
""".split()
)
"""Terms that the ledger keeps; the last row is how the document is written, which says nothing of what it is."""

_ORDER_IDS = re.compile(r"[1-9][0-9]{0,15}(, [1-9][0-9]{0,15})*\Z")
_ORDER_TEXT_MAX = 100_000
_ROUNDED = Context(prec=200, rounding=ROUND_HALF_UP)


class HeardInvoice(NamedTuple):
    """A document as an e-invoice tells it; ids and instants that only the ledger gives are 0."""

    invoice: Invoice
    standing: Standing
    not_kept: tuple[str, ...]
    """Terms (`BT-11 Project reference`) that the ledger has no place for; the original's bytes have them."""


class _Reader:
    """Makes values of the ledger, and collects what cannot be one."""

    def __init__(self, currency: Currency) -> None:
        self.currency = currency
        self.faults: list[Fault] = []
        self.dropped: list[str] = []
        """Terms that the ledger has a place for, with a value that does not fit there."""

    def drop(self, term_id: str, why: str) -> None:
        """Tell a term that only the original's bytes have."""
        self.dropped.append(f"{term_id} {TERMS[term_id].name} ({why})")

    def minor(self, path: str, value: Decimal | None) -> int | None:
        """Minor units of an amount."""
        if value is None:
            return None
        try:
            return self.currency.to_minor(value)
        except ValueError as error:
            self.faults.append(fault("value", path, str(error)))
            return 0

    def number(self, path: str, value: Decimal | None, default: Decimal) -> Decimal:
        """A quantity or price, bounded as the ledger's are."""
        try:
            return default if value is None else parse_decimal(value)
        except ValueError as error:
            self.faults.append(fault("value", path, str(error)))
            return default

    def vat(self, path: str, category: str | None, rate: Decimal | None, term_id: str) -> VatKey | None:
        """None where the document says neither; the category None where it is one that the ledger does not know."""
        if category is None and rate is None:
            return None
        known = VatCategory(category) if category in set(VatCategory) else None
        if category is not None and known is None:
            self.drop(term_id, shown(category))
        given = self.number(path, rate, Decimal(0))
        if given < 0:
            self.faults.append(fault("value", path, f"{given} is negative, which no rate of VAT is"))
        try:
            scaled_rate(given)
        except ValueError as error:
            self.faults.append(fault("value", path, str(error)))
        return VatKey(known, given)


def to_invoice(document: EInvoice, *, account_id: int = 0, created_at_us: int = 0) -> HeardInvoice:
    """The recorded document. Unknown stays None. Raises InvalidDocumentError where amounts or parties cannot be kept."""
    try:
        reader = _Reader(Currency(document.currency))
    except SettingError as error:
        raise InvalidDocumentError([fault("BR-05", "currency", str(error))]) from None
    if not is_number_text(document.number):
        reader.faults.append(fault("BR-02", "number", "is not a number of at most 255 printable characters"))
    seller, buyer = _party(reader, "seller", document.seller, document), _party(reader, "buyer", document.buyer, document)
    totals, minor = document.totals, reader.minor
    type_code = _type_code(reader, document)
    preceding = document.preceding[0] if document.preceding else None
    invoice = Invoice(
        id=0,
        account_id=account_id,
        wire_id=0,
        origin=Origin.RECORDED,
        type_code=type_code,
        source_type=None if type_code else document.type_code,
        number=document.number,
        created_at_us=created_at_us,
        issue_date=document.issue_date,
        currency=reader.currency,
        recorded_at_us=0,
        price_basis=PriceBasis.NET,
        seller=seller,
        buyer=buyer,
        due_date=document.due_date,
        tax_point_date=document.tax_point_date,
        period=_period(document.period),
        line_total_minor=minor("line_total", totals.line_total),
        allowance_total_minor=minor("allowance_total", totals.allowance_total or Decimal(0)),
        charge_total_minor=minor("charge_total", totals.charge_total or Decimal(0)),
        total_without_vat_minor=minor("total_without_vat", totals.total_without_vat),
        vat_total_minor=minor("vat_total", totals.vat_total),
        total_with_vat_minor=minor("total_with_vat", totals.total_with_vat),
        vat_breakdown=tuple(_group(reader, f"vat_breakdown[{index}]", group) for index, group in enumerate(document.vat_breakdown)),
        lines=tuple(_line(reader, f"lines[{index}]", line) for index, line in enumerate(document.lines)) or None,
        allowances_charges=(
            *_adjustments(reader, "allowances", document.allowances, is_charge=False),
            *_adjustments(reader, "charges", document.charges, is_charge=True),
        ),
        preceding_invoice=PrecedingInvoice(number=preceding.number, issue_date=preceding.issue_date) if preceding else None,
        note="\n".join(note.text for note in document.notes) or None,
        payment_terms=document.payment_terms,
        order_ids=_order_ids(document),
    )
    standing = _standing(reader, totals)
    if reader.faults:
        raise InvalidDocumentError(reader.faults)
    return HeardInvoice(invoice, standing, (*not_kept(document), *dict.fromkeys(reader.dropped)))


def _type_code(reader: _Reader, document: EInvoice) -> TypeCode | None:
    """What the document does to what is owed: credit notes of every kind take away. None for another type that the ledger does not know."""
    code = document.type_code
    if code in {str(known.value) for known in TypeCode}:
        found = TypeCode(int(code))
    elif code in CREDIT_NOTE_TYPES:
        found = TypeCode.CREDIT_NOTE
        reader.drop("BT-3", f"{code}, kept as the credit note that it is")
    else:
        return None
    totals = document.totals
    total = totals.payable if totals.total_with_vat is None else totals.total_with_vat
    if found is TypeCode.CREDIT_NOTE and total is not None and total < 0:
        message = f"{total} is negative in a credit note (BT-3 {code}), which takes away by being one: it would add to what is owed"
        reader.faults.append(fault("value", "total_with_vat", message))
    return found


def _order_ids(document: EInvoice) -> tuple[int, ...] | None:
    """BT-14 as the order numbers that it is written from here; None for another, which is no number or has leading zeros."""
    said = document.sales_order or ""
    if len(said) > _ORDER_TEXT_MAX or not _ORDER_IDS.match(said):
        return None
    ids = tuple(map(int, said.split(ORDER_SEPARATOR)))
    return ids if max(ids) < ORDER_ID_MAX else None


def _standing(reader: _Reader, totals: DocumentTotals) -> Standing:
    due = reader.minor("payable", totals.payable)
    if due is None and totals.prepaid:
        reader.drop("BT-113", "without BT-115")
    return Standing() if due is None else Standing(paid_minor=reader.minor("prepaid", totals.prepaid or Decimal(0)), due_minor=due)


def _period(period: ServicePeriod | None) -> Period | None:
    return Period(start=period.start, end=period.end) if period else None


def _party(reader: _Reader, path: str, party: Seller | Buyer | None, document: EInvoice) -> Party | None:
    if party is None:
        return None
    if not party.name or not party.name.strip():
        reader.drop("BG-4" if isinstance(party, Seller) else "BG-7", "it has no name")
        return None
    address, contact, found = party.address, party.contact, party.electronic_address
    transfers = document.payment.credit_transfers if document.payment and isinstance(party, Seller) else ()
    registration = party.registration_id
    try:
        kept = Party(
            name=party.name,
            street=_said(address.street if address else None),
            city=_said(address.city if address else None),
            post_code=_said(address.post_code if address else None),
            country=address.country if address else None,
            vat_id=_said(party.vat_id),
            registration_id=_said(registration.value if registration else None),
            tax_number=_said(party.tax_number if isinstance(party, Seller) else None),
            email=_said(contact.email if contact else None),
            contact_name=_said(contact.name if contact else None),
            phone=_said(contact.phone if contact else None),
            buyer_reference=_said(document.buyer_reference if isinstance(party, Buyer) else None),
        )
    except InvalidDocumentError as error:
        reader.faults += [fault(item.rule, f"{path}.{item.path}", item.message) for item in error.faults]
        return None
    is_seller = isinstance(party, Seller)
    if registration and registration.scheme:
        reader.drop("BT-30" if is_seller else "BT-47", f"its scheme {shown(registration.scheme)}")
    codes = [("BT-34" if is_seller else "BT-49", "electronic_address", f"{found.scheme or ''}:{found.value}" if found else None)]
    if transfers:
        paid_to = transfers[0]
        codes += [("BT-84", "iban", paid_to.account), ("BT-86", "bic", paid_to.bic), ("BT-85", "account_name", paid_to.account_name)]
    for term_id, name, value in codes:
        kept = _with(reader, kept, term_id, name, value)
    return kept


def _said(text: str | None) -> str | None:
    return text if text and text.strip() else None


def _with(reader: _Reader, party: Party, term_id: str, name: str, value: str | None) -> Party:
    """The party with one more term, where it is of the form that the ledger keeps: another kind of account is not an IBAN, and no mistake."""
    said = value.strip() if value else ""
    if not said:
        return party
    try:
        return Party(**(party.to_mapping() | {name: said}))
    except InvalidDocumentError:
        reader.drop(term_id, shown(said))
        return party


def _group(reader: _Reader, path: str, group: VatGroup) -> VatBreakdown:
    vat = reader.vat(f"{path}.rate", group.category, group.rate, "BT-118") or VatKey(None, Decimal(0))
    return VatBreakdown(
        category=vat.category,
        rate=vat.rate,
        taxable_amount_minor=reader.minor(f"{path}.taxable_amount", group.taxable_amount),
        tax_amount_minor=reader.minor(f"{path}.tax_amount", group.tax_amount),
        exemption_reason=group.exemption_reason,
    )


def _line(reader: _Reader, path: str, line: Line) -> InvoiceLine:
    price, item = line.price, line.item
    each = price.net if price else None
    if price and price.base_quantity is not None and price.base_quantity < 0:
        reader.faults.append(fault("PEPPOL-EN16931-R121", f"{path}.price.base_quantity", f"{price.base_quantity} is negative"))
    if each is not None and price and price.base_quantity:
        each = _ROUNDED.divide(each, price.base_quantity).quantize(Decimal(1).scaleb(-DECIMAL_PLACES_MAX), context=_ROUNDED)
    amount = reader.minor(f"{path}.net_amount", line.net_amount)
    if amount is None:
        reader.faults.append(fault("BR-24", f"{path}.net_amount", "is missing"))
    return InvoiceLine(
        name=item.name if item and item.name else "?",
        quantity=reader.number(f"{path}.quantity", line.quantity, Decimal(1)),
        unit_price=reader.number(f"{path}.unit_price", each, Decimal(0)),
        line_total_minor=amount or 0,
        net_amount_minor=amount,
        vat=reader.vat(f"{path}.vat_rate", line.vat_category, line.vat_rate, "BT-151"),
        unit_code=line.unit or "C62",
        item_id=item.seller_id if item else None,
        period=_period(line.period),
        allowances_charges=(
            *_adjustments(reader, f"{path}.allowances", line.allowances, is_charge=False),
            *_adjustments(reader, f"{path}.charges", line.charges, is_charge=True),
        ),
    )


def _adjustments(reader: _Reader, path: str, items: tuple[Adjustment, ...], *, is_charge: bool) -> Iterator[AllowanceCharge]:
    for index, item in enumerate(items):
        amount = reader.minor(f"{path}[{index}].amount", item.amount) or 0
        vat = reader.vat(f"{path}[{index}].vat_rate", item.vat_category, item.vat_rate, "BT-102" if is_charge else "BT-95")
        word = "charge" if is_charge else "allowance"
        reason = _said(item.reason) or (f"{word} of reason code {item.reason_code}" if item.reason_code else f"{word} without a reason")
        yield AllowanceCharge(is_charge=is_charge, amount_minor=amount, reason=reason, vat=vat, net_amount_minor=amount if vat else None)


def not_kept(document: EInvoice) -> tuple[str, ...]:
    """Terms of the document that the ledger has no place for, once each."""
    found: dict[str, None] = {}
    _walk(document, ROOT, found.setdefault)
    if len(document.preceding) > 1:
        found["BG-3"] = None
    if document.payment and len(document.payment.credit_transfers) > 1:
        found["BG-17"] = None
    kept = _KEPT | {"BT-14"} if _order_ids(document) else _KEPT
    return tuple(f"{term_id} {TERMS[term_id].name}" for term_id in found if term_id not in kept)


def _walk(holder: object, group: str, see: Callable[[str], object]) -> None:
    """Look at each term that is said."""
    for name, term in members(group).items():
        value = getattr(holder, name)
        if value is None or value in ("", ()):
            continue
        if not term.is_group:
            see(term.id)
            continue
        for item in value if isinstance(value, tuple) else (value,):
            _walk(item, term.id, see)
