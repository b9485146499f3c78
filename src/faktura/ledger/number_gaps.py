"""Numbers that a provider left out, as far as one customer's invoices can tell."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from faktura.domain.invoice import TypeCode
from faktura.ledger.collecting_ports import CollectedNumber

_NUMBER = re.compile(r"(.*?)([0-9]{1,18})\Z", re.DOTALL)
COUNT_MIN = 5
"""Fewer numbers show no rule."""
DENSITY_MIN_PERCENT = 90
"""A provider that numbers all its customers in one series leaves a customer most numbers out: nothing is missing there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberGap:
    """Numbers between two that are there, with both as evidence."""

    before: CollectedNumber
    after: CollectedNumber
    first: str
    """The first that is missing."""
    last: str
    count: int


def find_gaps(numbers: Iterable[CollectedNumber]) -> Iterator[NumberGap]:
    """The gaps in numbers that otherwise follow each other, with the same text before their last digits.

    Invoices and their corrections may share a counter, so they are looked at together; pro-formas have their own. Told only where at least nine in ten of the numbers between the lowest and the highest are there: such a series is the
    customer's own.
    """
    series: dict[tuple[bool, str], dict[int, CollectedNumber]] = defaultdict(dict)
    for item in numbers:
        found = _NUMBER.match(item.number)
        if found:
            series[item.type_code is TypeCode.PRO_FORMA, found.group(1)][int(found.group(2))] = item
    for (_, prefix), items in sorted(series.items()):
        places = sorted(items)
        span = places[-1] - places[0] + 1
        if len(places) < COUNT_MIN or 100 * len(places) < DENSITY_MIN_PERCENT * span:
            continue
        for low, high in pairwise(places):
            if high - low > 1:
                width = len(items[low].number) - len(prefix)
                first, last = (f"{prefix}{place:0{width}d}" for place in (low + 1, high - 1))
                yield NumberGap(before=items[low], after=items[high], first=first, last=last, count=high - low - 1)
