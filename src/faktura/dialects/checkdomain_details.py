"""The `details` of a checkdomain invoice: lines with prices that include VAT and add up to `amount_total`, always."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

from faktura.dialects.base import amount, number, plain
from faktura.domain.invoice import AllowanceCharge, Invoice, InvoiceLine
from faktura.domain.money import DECIMAL_PLACES_MAX, INTEGER_DIGITS_MAX, apportion, parse_decimal
from faktura.domain.totals import places
from faktura.domain.vat import PriceBasis, VatKey, scaled_rate

_UNIT_PRICE_STEP = Decimal("0.0001")
_HALF_UP = Context(rounding=ROUND_HALF_UP)
_DECIMALS_READ_MAX = 100
_WHOLE = 1_000_000
"""100 percent in ten-thousandths of a percent."""


def render_details(invoice: Invoice) -> list[dict[str, object]] | None:
    """One detail a line, then one for each allowance and charge of the document; None where lines are unknown.

    For a credit note quantity and price are negative, the unit price stays as it is.
    """
    if invoice.lines is None:
        return None
    prices = gross_prices(invoice)
    sign = invoice.sign
    lines = [_line(invoice, line, sign, price) for line, price in zip(invoice.lines, prices, strict=False)]
    items = zip(invoice.allowances_charges, prices[len(invoice.lines) :], strict=True)
    return lines + [_adjustment(invoice, item, sign, price) for item, price in items]


def gross_prices(invoice: Invoice) -> list[int]:
    """What each line, then each document allowance and charge, adds to the total with VAT, in minor units."""
    lines = invoice.lines or ()
    if invoice.price_basis is not PriceBasis.NET:
        return [line.line_total_minor for line in lines] + [item.signed_minor for item in invoice.allowances_charges]
    net = [line.net_amount_minor or 0 for line in lines]
    net += [(item.net_amount_minor or 0) * (1 if item.is_charge else -1) for item in invoice.allowances_charges]
    keys = [line.vat for line in lines] + [item.vat for item in invoice.allowances_charges]
    totals = {VatKey(group.category, group.rate): (group.taxable_amount_minor or 0) + (group.tax_amount_minor or 0) for group in invoice.vat_breakdown}
    prices = list(net)
    for key, indexes in places(keys).items():
        if key is not None and (key.rate or totals[key] != sum([net[index] for index in indexes])):
            factor = _WHOLE + scaled_rate(key.rate)
            shares = apportion(totals[key], [net[index] * factor for index in indexes], _WHOLE)
            for index, share in zip(indexes, shares, strict=True):
                prices[index] = share
    return prices


def _line(invoice: Invoice, line: InvoiceLine, sign: int, price_minor: int) -> dict[str, object]:
    price, basis, quantity = amount(sign * price_minor, invoice.currency.digits), invoice.price_basis, line.quantity
    if basis is None or (basis is PriceBasis.GROSS and not line.allowances_charges) or not quantity:
        unit_price = line.unit_price
    else:
        unit_price = _HALF_UP.quantize(sign * price / quantity, _UNIT_PRICE_STEP)
    return {"quantity": plain(sign * quantity), "unit_price": plain(unit_price), "price": price, "remark": line.name}


def _adjustment(invoice: Invoice, item: AllowanceCharge, sign: int, price_minor: int) -> dict[str, object]:
    money = invoice.currency
    return {"quantity": sign, "unit_price": number(price_minor, money), "price": number(sign * price_minor, money), "remark": item.reason}


def stated_price(value: Decimal) -> Decimal:
    """A unit price as a provider states it: divided out, it may have any number of decimals, and need not multiply back. ValueError where it is no price."""
    if value.is_finite() and -_DECIMALS_READ_MAX < int(value.as_tuple().exponent) < -DECIMAL_PLACES_MAX and value.adjusted() < INTEGER_DIGITS_MAX:
        value = value.quantize(Decimal(1).scaleb(-DECIMAL_PLACES_MAX), ROUND_HALF_UP, Context(prec=_DECIMALS_READ_MAX))
    return parse_decimal(value)
