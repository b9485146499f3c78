"""The net price of an item (BT-146) from which the line's amount follows: exactly, where prices include VAT too.

It is made here once, for the e-invoice and for the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal

from faktura.documents.en16931 import Price
from faktura.domain.invoice import InvoiceLine
from faktura.domain.money import Currency, apportion, canonical
from faktura.domain.vat import scaled_rate

_EXACT = Context(prec=80, rounding=ROUND_HALF_UP)
_CENT = Decimal("0.01")
_PLACES_MIN, _PLACES_MAX = 2, 8
_HUNDRED = Decimal(100)
_WHOLE = 100 * 10_000
"""A hundred percent, as `scaled_rate` counts."""


def price(line: InvoiceLine, money: Currency, *, is_gross: bool) -> Price:
    """The price that, times the quantity, gives the line's amount before allowances and charges, without VAT.

    It is the price that was agreed where that gives it, of prices that include VAT with no fewer decimals than they have;
    otherwise one with as few decimals as do. Where no decimal does, the amount itself is the price of all the quantity (BT-149).
    """
    product_minor, _ = without_vat(line, is_gross=is_gross)
    quantity, agreed, product = line.quantity, line.unit_price, money.to_decimal(product_minor)
    places_min = _PLACES_MIN
    if is_gross and line.vat:
        places_min = min(_PLACES_MAX, max(_PLACES_MIN, -int(agreed.normalize().as_tuple().exponent)))
        agreed = _EXACT.divide(agreed * _HUNDRED, _HUNDRED + line.vat.rate)
    elif quantity == 0 or _gives(quantity, agreed, product):
        return Price(net=_plain(agreed))
    if quantity == 0:
        return Price(net=_plain(agreed.quantize(Decimal("0.0001"), context=_EXACT)))
    exact = _EXACT.divide(product, quantity)
    for places in range(places_min, _PLACES_MAX + 1):
        for wanted in (agreed, exact):
            rounded = wanted.quantize(Decimal(1).scaleb(-places), context=_EXACT)
            if _gives(quantity, rounded, product):
                return Price(net=_plain(_unsigned_zero(rounded)))
    return Price(net=_plain(_unsigned_zero(product.copy_sign(exact))), base_quantity=Decimal(canonical(abs(quantity))), base_unit=line.unit_code)


def without_vat(line: InvoiceLine, *, is_gross: bool) -> tuple[int, list[int]]:
    """The line before its allowances and charges, and the amounts of those, all without VAT: together the line's net amount, in minor units."""
    signed = [item.signed_minor for item in line.allowances_charges]
    if not is_gross or line.vat is None or line.net_amount_minor is None:
        return line.line_total_minor - sum(signed), [abs(part) for part in signed]
    product, *parts = _net_parts([line.line_total_minor - sum(signed), *signed], line.net_amount_minor, line.vat.rate)
    return product, [abs(part) for part in parts]


def _net_parts(gross_minor: Sequence[int], net_minor: int, rate: Decimal) -> list[int]:
    """Parts that include VAT, without it; together they are `net_minor`, which is what their sum came to without VAT.

    None changes its sign, and none of zero becomes another.
    """
    return apportion(net_minor, [part * _WHOLE for part in gross_minor], _WHOLE + scaled_rate(rate))


def _gives(quantity: Decimal, unit_price: Decimal, product: Decimal) -> bool:
    return _EXACT.multiply(quantity, unit_price).quantize(_CENT, context=_EXACT) == product


def _unsigned_zero(value: Decimal) -> Decimal:
    return value or abs(value)


def _plain(value: Decimal) -> Decimal:
    """At least two decimals, as prices are read."""
    least = value.quantize(_CENT, context=_EXACT)
    return least if least == value else Decimal(canonical(value))
