"""Well-formed values that tests start from, an independent arithmetic, and strategies of random documents."""

import math
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

from hypothesis import strategies as st

from faktura.domain.errors import InvalidDocumentError
from faktura.domain.invoice import AllowanceCharge, Draft, Invoice, InvoiceLine, Origin, TypeCode
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.totals import compute
from faktura.domain.vat import PriceBasis, VatCategory, VatKey

EUR = Currency("EUR")
JPY = Currency("JPY")
BHD = Currency("BHD")
SELLER = Party(name="Host OOD", country="BG", vat_id="BG123456789")
BUYER = Party(name="Buyer GmbH", country="DE", vat_id="DE123456789")
STANDARD = VatKey(VatCategory.STANDARD, Decimal(20))
EXEMPT = VatKey(VatCategory.EXEMPT, Decimal(0))
REVERSE_CHARGE = VatKey(VatCategory.REVERSE_CHARGE, Decimal(0))
OUTSIDE_SCOPE = VatKey(VatCategory.OUTSIDE_SCOPE, Decimal(0))
ZERO = VatKey(VatCategory.ZERO, Decimal(0))
LINE = InvoiceLine(name="VPS", quantity=Decimal(1), unit_price=Decimal(100), line_total_minor=10_000, net_amount_minor=None, vat=STANDARD)
ALLOWANCE = AllowanceCharge(is_charge=False, amount_minor=500, reason="loyal", vat=STANDARD)
CHARGE = AllowanceCharge(is_charge=True, amount_minor=300, reason="setup", vat=STANDARD)
DRAFT = Draft(type_code=TypeCode.INVOICE, currency=EUR, price_basis=PriceBasis.NET, buyer=BUYER, lines=(LINE,))


def rounded(value: Fraction) -> int:
    """Half away from zero, written without any code of ours."""
    whole = math.floor(abs(value) + Fraction(1, 2))
    return whole if value >= 0 else -whole


def fault_set(error: InvalidDocumentError) -> set[tuple[str, str]]:
    """Rule and path of every fault."""
    return {(found.rule, found.path) for found in error.faults}


def amount_line(amount_minor: int, vat: VatKey = STANDARD) -> InvoiceLine:
    """A line of one piece that costs so many cents."""
    return replace(LINE, unit_price=Decimal(amount_minor).scaleb(-2), line_total_minor=amount_minor, vat=vat)


def issued(draft: Draft) -> Invoice:
    """What a ledger would keep of the draft once it has a number."""
    lines, items, totals = compute(
        lines=draft.lines,
        allowances_charges=draft.allowances_charges,
        price_basis=draft.price_basis,
        exemption_reasons=dict(draft.exemption_reasons),
    )
    return Invoice(
        id=7,
        account_id=1,
        wire_id=7,
        origin=Origin.ISSUED,
        type_code=draft.type_code,
        number="0000000007",
        series="invoice",
        created_at_us=0,
        recorded_at_us=0,
        issue_date=date(2024, 9, 25),
        currency=draft.currency,
        price_basis=draft.price_basis,
        seller=SELLER,
        buyer=draft.buyer,
        lines=lines,
        allowances_charges=items,
        line_total_minor=totals.line_total_minor,
        allowance_total_minor=totals.allowance_total_minor,
        charge_total_minor=totals.charge_total_minor,
        total_without_vat_minor=totals.total_without_vat_minor,
        vat_total_minor=totals.vat_total_minor,
        total_with_vat_minor=totals.total_with_vat_minor,
        vat_breakdown=totals.vat_breakdown,
        period=draft.period,
        order_ids=draft.order_ids,
    )


def decimals(smallest: int, largest: int, places: int) -> st.SearchStrategy[Decimal]:
    """Decimals of up to so many places, often with fewer."""
    return st.builds(
        lambda number, shift: Decimal(number).scaleb(-shift),
        st.integers(smallest, largest),
        st.integers(0, places),
    )


vat_keys = st.sampled_from(
    [VatKey(VatCategory.STANDARD, Decimal(rate)) for rate in ("20", "19", "5.5", "0.0001", "100", "20.00")] + [ZERO, EXEMPT, REVERSE_CHARGE]
)


@st.composite
def adjustments(draw: st.DrawFn, *, with_vat: bool) -> tuple[AllowanceCharge, ...]:
    """A few allowances and charges: of a document with VAT of their own, of a line without."""
    return tuple(
        AllowanceCharge(
            is_charge=draw(st.booleans()),
            amount_minor=draw(st.integers(0, 20_000)),
            reason="agreed",
            vat=draw(vat_keys) if with_vat else None,
        )
        for _ in range(draw(st.integers(0, 2)))
    )


@st.composite
def lines(draw: st.DrawFn, *, currency: Currency = EUR, smallest_quantity: int = -2000) -> InvoiceLine:
    """A line whose total follows from quantity, price and its own allowances and charges, computed with fractions."""
    quantity = draw(decimals(smallest_quantity, 2000, 3))
    unit_price = draw(decimals(0, 500_000, 4))
    own = draw(adjustments(with_vat=False))
    exact = Fraction(quantity) * Fraction(unit_price) * 10**currency.digits
    signed = sum(item.amount_minor if item.is_charge else -item.amount_minor for item in own)
    return InvoiceLine(
        name="service",
        quantity=quantity,
        unit_price=unit_price,
        line_total_minor=rounded(exact) + signed,
        net_amount_minor=None,
        vat=draw(vat_keys),
        allowances_charges=own,
    )


@st.composite
def drafts(draw: st.DrawFn, *, basis: PriceBasis | None = None, smallest_quantity: int = -2000) -> Draft:
    """Random documents of several rates and categories, some with negative lines, allowances and charges."""
    currency = draw(st.sampled_from([EUR, EUR, JPY, BHD]))
    return replace(
        DRAFT,
        currency=currency,
        price_basis=basis or draw(st.sampled_from(PriceBasis)),
        lines=tuple(draw(st.lists(lines(currency=currency, smallest_quantity=smallest_quantity), min_size=1, max_size=4))),
        allowances_charges=draw(adjustments(with_vat=True)),
        exemption_reasons=((VatCategory.EXEMPT, "Art. 39"), (VatCategory.REVERSE_CHARGE, "Reverse charge")),
        order_ids=(11, 12),
    )
