from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faktura.domain.invoice import TypeCode
from faktura.ledger.collecting_ports import CollectedNumber
from faktura.ledger.number_gaps import find_gaps


def numbers(places: Iterable[int], template: str = "{:010d}", type_code: TypeCode | None = TypeCode.INVOICE) -> list[CollectedNumber]:
    """Documents with these numbers, a day apart."""
    return [CollectedNumber(number=template.format(place), type_code=type_code, issue_date=date(2026, 1, 1) + timedelta(days=place % 1000)) for place in places]


def test_a_gap_is_told_with_both_its_sides() -> None:
    """Numbers of a series of the customer's own follow each other: what is left out is named, with what stands around it."""
    (gap,) = find_gaps(numbers([*range(1, 20), *range(22, 40)]))
    assert (gap.first, gap.last, gap.count) == ("0000000020", "0000000021", 2)
    assert (gap.before.number, gap.after.number) == ("0000000019", "0000000022")


@pytest.mark.parametrize("places", [[], [7], range(5), [1, 3, 4, 5], range(1, 400, 7), [5, 6, 7, 8, 9, 10**17]])
def test_where_numbers_follow_no_rule_nothing_is_missing(places: Iterable[int]) -> None:
    """Too few numbers, none left out, or a series that other customers share."""
    assert list(find_gaps(numbers(places))) == []


def test_series_are_told_apart() -> None:
    """Pro-formas from the others, and by the text before the last digits: a new year begins at one. Credit notes may share their invoices' numbers."""
    found = (
        numbers(range(1, 30), "2025-{:04d}")
        + numbers(range(1, 30), "2026-{:04d}")
        + numbers([*range(30, 60), *range(61, 70)], "2026-{:04d}", TypeCode.CREDIT_NOTE)
    )
    assert [
        (gap.first, gap.count) for gap in find_gaps([*found, *numbers(range(3), "none", None), *numbers(range(9, 80, 9), "2025-{:04d}", TypeCode.PRO_FORMA)])
    ] == [("2026-0060", 1)]


@given(st.sets(st.integers(1, 60), max_size=6))
def test_every_number_left_out_is_in_one_gap(left_out: set[int]) -> None:
    """Of a dense series, the gaps are exactly what is not there between its ends."""
    places = [place for place in range(1, 81) if place not in left_out]
    told = [place for gap in find_gaps(reversed(numbers(places))) for place in range(int(gap.first), int(gap.last) + 1)]
    assert told == sorted(left_out - set(range(1, places[0])))
