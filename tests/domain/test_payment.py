from hypothesis import given
from hypothesis import strategies as st

from faktura.domain.payment import Settlement, Standing, allocate, settle

amounts = st.integers(-(10**15), 10**15)
settlements = st.lists(st.builds(lambda amount, at: Settlement(amount_minor=amount, paid_at_us=at), amounts, st.integers(0, 10**15)), max_size=8).map(tuple)
dues = st.lists(amounts, max_size=8)


@given(total=amounts, paid=settlements)
def test_paid_and_due_make_the_total(total: int, paid: tuple[Settlement, ...]) -> None:
    """BR-CO-16: the settlements and what is due add up to the total, and every settlement is shown."""
    standing = settle(total, paid)
    assert standing.settlements == paid
    assert standing.paid_minor is not None
    assert standing.due_minor is not None
    assert standing.paid_minor == sum(item.amount_minor for item in paid)
    assert standing.paid_minor + standing.due_minor == total


def test_nothing_paid_is_not_unknown() -> None:
    """An unpaid document owes its total; a standing of which nobody spoke says nothing."""
    assert settle(10_800, ()) == Standing(paid_minor=0, due_minor=10_800, settlements=())
    assert Standing() == Standing(paid_minor=None, due_minor=None, settlements=None)


@given(available=amounts, owed=dues)
def test_allocation_stays_within_bounds(available: int, owed: list[int]) -> None:
    """No document gets more than it is due or less than nothing, and all get no more than there is."""
    parts = allocate(available, owed)
    assert len(parts) == len(owed)
    assert all(0 <= part <= max(0, due) for part, due in zip(parts, owed, strict=True))
    assert sum(parts) == max(0, min(available, sum(due for due in owed if due > 0)))


@given(available=amounts, owed=dues)
def test_allocation_serves_the_first_first(available: int, owed: list[int]) -> None:
    """A later document gets something only when every earlier one is settled."""
    parts = allocate(available, owed)
    short = [index for index, (part, due) in enumerate(zip(parts, owed, strict=True)) if part < max(0, due)]
    assert not any(parts[short[0] + 1 :] if short else [])


@given(first=st.integers(0, 10**12), second=st.integers(0, 10**12), owed=st.lists(st.integers(0, 10**12), max_size=6))
def test_two_payments_settle_like_one(first: int, second: int, owed: list[int]) -> None:
    """Two payments one after the other settle the same documents as both at once."""
    parts = allocate(first, owed)
    rest = [due - part for due, part in zip(owed, parts, strict=True)]
    assert [part + more for part, more in zip(parts, allocate(second, rest), strict=True)] == allocate(first + second, owed)


def test_allocation_example() -> None:
    """150 settles 100 and half of the next 100; overpaid and negative dues take nothing."""
    assert allocate(150, [100, -30, 0, 100, 20]) == [100, 0, 0, 50, 0]
    assert allocate(0, [5]) == [0]
    assert allocate(-5, [5]) == [0]
    assert allocate(5, []) == []
