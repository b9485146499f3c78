"""The totals of a document, as EN 16931 computes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TypeVar

from faktura.domain.invoice import AllowanceCharge, InvoiceLine, Totals
from faktura.domain.money import Currency, product_minor
from faktura.domain.vat import PriceBasis, VatBreakdown, VatCategory, VatKey, net_shares, vat_of_gross, vat_of_net

Key = TypeVar("Key")


def line_total(*, quantity: Decimal, unit_price: Decimal, currency: Currency, adjustments: Iterable[AllowanceCharge] = ()) -> int:
    """BT-131 in the price basis: quantity x price, rounded, with the line's charges less its allowances."""
    return product_minor(quantity, unit_price, currency) + sum(item.signed_minor for item in adjustments)


def compute(
    *,
    lines: tuple[InvoiceLine, ...],
    allowances_charges: tuple[AllowanceCharge, ...],
    price_basis: PriceBasis,
    exemption_reasons: dict[VatCategory, str] | None = None,
) -> tuple[tuple[InvoiceLine, ...], tuple[AllowanceCharge, ...], Totals]:
    """Lines and allowances with their net amounts, and the totals.

    Net prices: VAT of a group is round(net sum x rate) (BR-CO-17). Gross prices: VAT is what the gross sum of the
    group contains, and the net amounts are what is left, by largest remainder; so the total to pay is exactly the
    sum of the gross prices, which no net computation could promise.
    """
    amounts = [line.line_total_minor for line in lines] + [item.signed_minor for item in allowances_charges]
    keys = _known([line.vat for line in lines] + [item.vat for item in allowances_charges])
    net = list(amounts)
    breakdown = []
    for key, indexes in places(keys).items():
        group_sum = sum([amounts[index] for index in indexes])
        if price_basis is PriceBasis.GROSS:
            tax = vat_of_gross(group_sum, key.rate)
            for index, share in zip(indexes, net_shares([amounts[index] for index in indexes], key.rate), strict=True):
                net[index] = share
        else:
            tax = vat_of_net(group_sum, key.rate)
        breakdown.append(
            VatBreakdown(
                category=key.category,
                rate=key.rate,
                taxable_amount_minor=sum([net[index] for index in indexes]),  # BR-CO-11 to BR-CO-13, per group
                tax_amount_minor=tax,
                exemption_reason=(exemption_reasons or {}).get(key.category) if key.category else None,
            )
        )
    net_lines = tuple([line.with_net(amount) for line, amount in zip(lines, net, strict=False)])
    net_items = tuple([item.with_net(abs(amount)) for item, amount in zip(allowances_charges, net[len(lines) :], strict=True)])
    return net_lines, net_items, _sum_up(net_lines, net_items, tuple(breakdown))


def places(keys: Sequence[Key]) -> dict[Key, Sequence[int]]:
    """Where each key stands. Nearly always there is one: told by comparing, without a hash of each."""
    if keys and keys.count(keys[0]) == len(keys):
        return {keys[0]: range(len(keys))}
    found: dict[Key, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        found[key].append(index)
    return dict(found)


def _sum_up(lines: tuple[InvoiceLine, ...], items: tuple[AllowanceCharge, ...], breakdown: tuple[VatBreakdown, ...]) -> Totals:
    line_sum = sum([line.net_amount_minor or 0 for line in lines])  # BR-CO-10
    allowances = sum(item.net_amount_minor or 0 for item in items if not item.is_charge)  # BR-CO-11
    charges = sum(item.net_amount_minor or 0 for item in items if item.is_charge)  # BR-CO-12
    without_vat = line_sum - allowances + charges  # BR-CO-13
    vat = sum(group.tax_amount_minor or 0 for group in breakdown)  # BR-CO-14
    return Totals(
        line_total_minor=line_sum,
        allowance_total_minor=allowances,
        charge_total_minor=charges,
        total_without_vat_minor=without_vat,
        vat_total_minor=vat,
        total_with_vat_minor=without_vat + vat,  # BR-CO-15
        vat_breakdown=breakdown,
    )


def _known(keys: list[VatKey | None]) -> list[VatKey]:
    known = [key for key in keys if key is not None]
    if len(known) < len(keys):
        message = "a line without a VAT rate has no computable total"
        raise ValueError(message)
    return known
