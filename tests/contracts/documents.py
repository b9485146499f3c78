"""Documents and terms for the laws of dialects."""

from __future__ import annotations

from hypothesis import strategies as st

from faktura.dialects.base import WireDialect
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.payment import Standing
from faktura.domain.provider import Provider
from faktura.domain.text import is_number_text

EUR = Currency("EUR")

amounts = st.integers(min_value=0, max_value=10**10)
instants = st.integers(min_value=0, max_value=4_000_000_000).map(lambda second: second * 1_000_000)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
numbers = texts.filter(is_number_text)
order_ids = st.lists(st.integers(1, 10**9), max_size=3).map(tuple)


def provider_of(dialect: WireDialect) -> Provider:
    """A provider with the dialect's own settings."""
    defaults = dialect.defaults
    return Provider(id=1, name="p", dialect=dialect.name, zone=defaults.zone, currency=EUR, seller=Party(name="S", country="BG", vat_id="BG123456789"))


@st.composite
def standings(draw: st.DrawFn, total_minor: int) -> Standing:
    """Paid and open amounts that add up, or neither."""
    if draw(st.booleans()):
        return Standing()
    paid = draw(st.integers(0, total_minor))
    return Standing(paid_minor=paid, due_minor=total_minor - paid)
