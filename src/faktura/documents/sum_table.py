"""Sums as JSON and as a table: beside each amount, how many documents there are whose amount is unknown."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from faktura.ledger.exporting import AMOUNTS, AmountSum, GroupSum, Sums


def sum_json(sums: Sums) -> list[dict[str, Any]]:
    """A mapping for each group. An amount is null where no document's amount is known; a sum of nothing known is no zero."""
    return [_group(sums, group) for group in sums.groups()]


def _group(sums: Sums, group: GroupSum) -> dict[str, Any]:
    found: dict[str, Any] = {column.value: value for column, value in zip(sums.columns, group.key, strict=True)}
    found |= {"currency": group.currency.code, "count": group.count}
    for name, item in zip(AMOUNTS, group.amounts, strict=True):
        found |= {name: _known(group, item), f"{name}_unknown": item.unknown_count}
    return found


def _known(group: GroupSum, item: AmountSum) -> Decimal | None:
    return None if item.unknown_count == group.count else group.currency.to_decimal(item.known_minor)
