"""The net price of an item (BT-146) from which the line's amount follows: exactly, where prices include VAT too."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal

from faktura.documents.en16931 import Price
from faktura.domain.invoice import InvoiceLine
from faktura.domain.money import apportion, canonical
from faktura.domain.vat import scaled_rate

_EXACT = Context(prec=80, rounding=ROUND_HALF_UP)
_CENT = Decimal("0.01")
_PLACES = range(2, 9)
_HUNDRED = Decimal(100)
_WHOLE = 100 * 10_000
"""A hundred percent, as `scaled_rate` counts."""


def price(line: InvoiceLine, product: Decimal, *, is_gross: bool) -> Price:
    """The price that, times the quantity, gives `product`, the line's amount before allowances and charges.

    It is the price that was agreed where that gives it; otherwise one with as few decimals as do. Where no decimal does,
    the amount itself is the price of all the quantity (BT-149).
    """
    quantity = line.quantity
    agreed = line.unit_price
    if is_gross and line.vat:
        agreed = _EXACT.divide(agreed * _HUNDRED, _HUNDRED + line.vat.rate).quantize(Decimal("0.0001"), context=_EXACT)
    if quantity == 0 or (not is_gross and _gives(quantity, agreed, product)):
        return Price(net=_plain(agreed))
    exact = _EXACT.divide(product, quantity)
    for places in _PLACES:
        rounded = exact.quantize(Decimal(1).scaleb(-places), context=_EXACT)
        if _gives(quantity, rounded, product):
            return Price(net=_plain(abs(rounded)))
    return Price(net=abs(product), base_quantity=Decimal(canonical(abs(quantity))), base_unit=line.unit_code)


def net_parts(gross_minor: Sequence[int], net_minor: int, rate: Decimal) -> list[int]:
    """Parts that include VAT, without it; together they are `net_minor`, which is what their sum came to without VAT.

    None changes its sign, and none of zero becomes another.
    """
    return apportion(net_minor, [part * _WHOLE for part in gross_minor], _WHOLE + scaled_rate(rate))


def _gives(quantity: Decimal, unit_price: Decimal, product: Decimal) -> bool:
    return _EXACT.multiply(quantity, unit_price).quantize(_CENT, context=_EXACT) == product


def _plain(value: Decimal) -> Decimal:
    """At least two decimals, as prices are read."""
    least = value.quantize(_CENT, context=_EXACT)
    return least if least == value else Decimal(canonical(value))
