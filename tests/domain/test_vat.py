import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.sample import rounded

from faktura.domain.vat import VatCategory, VatKey, net_shares, scaled_rate, vat_of_gross, vat_of_net

rates = st.builds(lambda number: Decimal(number).scaleb(-4), st.integers(0, 1_000_000))
amounts = st.integers(-(10**15), 10**15)


@given(rate=rates)
def test_scaled_rate(rate: Decimal) -> None:
    """A rate of four decimals is exact in ten-thousandths of a percent."""
    assert scaled_rate(rate) == Fraction(rate) * 10_000


@pytest.mark.parametrize("rate", ["0.00001", "19.99999", "5.00000001"])
def test_scaled_rate_refuses_finer(rate: str) -> None:
    """A rate of five decimals is refused, not rounded."""
    with pytest.raises(ValueError, match="at most four decimals"):
        scaled_rate(Decimal(rate))


@given(net=amounts, rate=rates)
def test_vat_of_net(net: int, rate: Decimal) -> None:
    """BR-CO-17: VAT is net x rate / 100, rounded half away from zero."""
    assert vat_of_net(net, rate) == rounded(net * Fraction(rate) / 100)


@given(gross=amounts, rate=rates)
def test_vat_of_gross(gross: int, rate: Decimal) -> None:
    """A gross sum contains gross x rate / (100 + rate), rounded half away from zero."""
    assert vat_of_gross(gross, rate) == rounded(gross * Fraction(rate) / (100 + Fraction(rate)))


@given(gross=amounts, rate=rates)
def test_gross_vat_near_net_vat(gross: int, rate: Decimal) -> None:
    """VAT taken out of a gross sum is within one cent of the VAT on the net that is left."""
    tax = vat_of_gross(gross, rate)
    assert abs(tax - rounded((gross - tax) * Fraction(rate) / 100)) <= 1


@given(gross=st.lists(amounts, min_size=1, max_size=10), rate=rates)
def test_net_shares(gross: list[int], rate: Decimal) -> None:
    """Net shares add up to gross less VAT; each is the floor or ceiling of its exact net, so never of the other sign."""
    shares = net_shares(gross, rate)
    assert sum(shares) == sum(gross) - rounded(sum(gross) * Fraction(rate) / (100 + Fraction(rate)))
    for share, amount in zip(shares, gross, strict=True):
        exact = Fraction(amount) / (1 + Fraction(rate) / 100)
        assert math.floor(exact) <= share <= math.ceil(exact)


@pytest.mark.parametrize(
    ("net", "rate", "tax"), [(250, "1", 3), (-250, "1", -3), (249, "1", 2), (50, "19", 10), (4167, "20", 833), (9000, "20", 1800), (1, "100", 1), (999, "0", 0)]
)
def test_vat_of_net_examples(net: int, rate: str, tax: int) -> None:
    """Half a cent of VAT rounds away from zero."""
    assert vat_of_net(net, Decimal(rate)) == tax


def test_gross_that_no_net_makes() -> None:
    """Gross 0.03 at 20 percent is net + VAT of no net, and still is split without loss."""
    reachable = {net + vat_of_net(net, Decimal(20)) for net in range(10)}
    assert 3 not in reachable
    assert vat_of_gross(3, Decimal(20)) == 1
    assert net_shares([3], Decimal(20)) == [2]


def test_one_key_for_one_rate() -> None:
    """20 and 20.00 percent are one group."""
    assert len({VatKey(VatCategory.STANDARD, Decimal(20)), VatKey(VatCategory.STANDARD, Decimal("20.00"))}) == 1


def test_categories() -> None:
    """Only S is taxed, and all but S and Z need a reason."""
    assert {category for category in VatCategory if category.taxed} == {"S"}
    assert {category for category in VatCategory if category.needs_reason} == {"E", "AE", "K", "G", "O"}
