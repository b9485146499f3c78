import math
import re
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.domain.sample import BHD, EUR, JPY, decimals, rounded

from faktura.domain.errors import SettingError
from faktura.domain.money import AMOUNT_MINOR_MAX, Currency, apportion, canonical, parse_decimal, product_minor, round_ratio, split

currencies = st.sampled_from([EUR, JPY, BHD])
amounts = st.integers(-AMOUNT_MINOR_MAX, AMOUNT_MINOR_MAX)
plain_decimals = st.builds(lambda number, places: Decimal(number).scaleb(-places), st.integers(-(10**12) + 1, 10**12 - 1), st.integers(0, 8))


@pytest.mark.parametrize("code", ["eur", "EU", "EURO", "", "EUR\n", "\u0415UR", "E1R", " EUR"])
def test_currency_refused(code: str) -> None:
    """A currency is three capital Latin letters and nothing else."""
    with pytest.raises(SettingError):
        Currency(code)


@pytest.mark.parametrize(("code", "digits"), [("EUR", 2), ("BGN", 2), ("JPY", 0), ("HUF", 2), ("BHD", 3), ("TND", 3), ("KRW", 0)])
def test_currency_digits(code: str, digits: int) -> None:
    """The decimals of a minor unit follow ISO 4217."""
    assert Currency(code).digits == digits


@pytest.mark.parametrize("code", ["CLF", "UYW"])
def test_currency_four_digits(code: str) -> None:
    """The two ISO 4217 units with four decimals have four."""
    assert Currency(code).digits == 4


@given(currency=currencies, minor=amounts)
def test_minor_round_trip(currency: Currency, minor: int) -> None:
    """to_minor takes back what to_decimal gives, which has exactly the currency's decimals and the exact value."""
    amount = currency.to_decimal(minor)
    assert Fraction(amount) == Fraction(minor, 10**currency.digits)
    assert amount.as_tuple().exponent == -currency.digits
    assert currency.to_minor(amount) == minor


@given(currency=currencies, whole=st.integers(-(10**12), 10**12))
def test_minor_of_whole_number(currency: Currency, whole: int) -> None:
    """A whole amount is that many times the minor unit."""
    assert currency.to_minor(whole) == whole * 10**currency.digits


@pytest.mark.parametrize(
    ("currency", "amount"),
    [
        (EUR, "0.001"),
        (EUR, "-1.005"),
        (JPY, "0.5"),
        (BHD, "1.0001"),
        (EUR, "NaN"),
        (EUR, "sNaN"),
        (EUR, "Infinity"),
        (EUR, "-Infinity"),
        (EUR, "1E+999999999"),
        (EUR, "1E-999999999"),
        (EUR, "1E+41"),
        (EUR, "10000000000000.01"),
        (EUR, "-10000000000000.01"),
    ],
)
def test_minor_refused(currency: Currency, amount: str) -> None:
    """What is not a number, too fine or too large is no amount of money."""
    with pytest.raises(ValueError, match=r"amount|decimals"):
        currency.to_minor(Decimal(amount))


def test_minor_bounds() -> None:
    """The largest amounts are still amounts, and trailing zeros are no decimals."""
    assert EUR.to_minor(Decimal("10000000000000.00")) == AMOUNT_MINOR_MAX
    assert EUR.to_minor(Decimal("-1E+13")) == -AMOUNT_MINOR_MAX
    assert EUR.to_minor(Decimal("1.2300000")) == 123
    assert JPY.to_minor(Decimal("5.000")) == 5


@pytest.mark.parametrize("amount", [0.5, 90.0, 0.0])
def test_minor_refuses_float(amount: float) -> None:
    """A float is never an amount of money, not even a float that is exact."""
    with pytest.raises((TypeError, ValueError)):
        EUR.to_minor(amount)  # type: ignore[arg-type]


@pytest.mark.parametrize("amount", ["0." + "1" * 100, "1." + "0" * 99 + "1"])
def test_minor_refuses_endless_decimals(amount: str) -> None:
    """An amount with a hundred decimals is refused like any other that is too fine."""
    with pytest.raises(ValueError, match="decimals"):
        EUR.to_minor(Decimal(amount))


@pytest.mark.parametrize(
    ("currency", "minor", "text"),
    [(EUR, -123450, "-1234.50 EUR"), (EUR, 0, "0.00 EUR"), (JPY, 7, "7 JPY"), (BHD, -5, "-0.005 BHD"), (EUR, 10**15, "10000000000000.00 EUR")],
)
def test_format(currency: Currency, minor: int, text: str) -> None:
    """People see the full decimals, no exponent and the code."""
    assert currency.format(minor) == text


@given(value=plain_decimals)
def test_parse_decimal_accepts_bounded(value: Decimal) -> None:
    """Every decimal of twelve digits and eight decimals is read exactly, from text and as it is."""
    assume(abs(value) < 10**12)
    assert parse_decimal(f"{value:f}") == value
    assert parse_decimal(value) == value


@given(value=st.integers(-(10**13), 10**13))
def test_parse_decimal_integers(value: int) -> None:
    """An int is read if and only if it has at most twelve digits."""
    if abs(value) < 10**12:
        assert parse_decimal(value) == value
    else:
        with pytest.raises(ValueError, match="at most 12 digits"):
            parse_decimal(value)


@given(value=st.floats())
def test_parse_decimal_refuses_floats(value: float) -> None:
    """No float is a decimal."""
    with pytest.raises(ValueError, match="not a decimal number"):
        parse_decimal(value)


@given(value=st.decimals())
def test_parse_decimal_any_decimal(value: Decimal) -> None:
    """Any Decimal, NaN and huge exponents included, is either read as its own value or refused with ValueError."""
    try:
        parsed = parse_decimal(value)
    except ValueError:
        return
    assert parsed == value
    assert abs(parsed) < 10**12
    assert Fraction(parsed) * 10**8 % 1 == 0


@given(text=st.text(alphabet="0123456789.+-eE_ \u0661\u00b2", max_size=24))
def test_parse_decimal_any_text(text: str) -> None:
    """What is accepted of any text is a plain number within bounds, read at its value."""
    assume(text.count(".") < 2 and not text.strip().endswith("."))  # stray points have their own test
    try:
        parsed = parse_decimal(text)
    except ValueError:
        return
    assert re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text.strip(" "))
    assert Fraction(parsed) == Fraction(text.strip(" "))
    assert abs(parsed) < 10**12
    assert Fraction(parsed) * 10**8 % 1 == 0


REFUSED = """
1e3 1E+999999999 1E-5 NaN sNaN Infinity -inf 1_000 1,5 0x10 --1 +-1 1.2.3 . - + .5 -.5
\u0661\u0662 \uff11 \u00b2 1.\u0661 1000000000000 0.000000001 1.123456789 0000000000001 1/2 1%
""".split()


@pytest.mark.parametrize(
    "text", [*REFUSED, "", " ", "1 000", "- 1", "1\x00", "1\n2", pytest.param("9" * 5000, id="long"), pytest.param("0." + "1" * 5000, id="endless")]
)
def test_parse_decimal_refuses_text(text: str) -> None:
    """Exponents, underscores, foreign digits, separators and numbers out of bounds are refused."""
    with pytest.raises(ValueError, match="not a plain decimal number"):
        parse_decimal(text)


@pytest.mark.parametrize("text", ["1..", "1.", "1...", "1.0.", "1.00.0"])
def test_parse_decimal_refuses_stray_points(text: str) -> None:
    """A number has one point at most, with a digit after it."""
    with pytest.raises(ValueError, match="not a plain decimal number"):
        parse_decimal(text)


@pytest.mark.parametrize(
    "value", ["NaN", "-NaN", "sNaN", "Infinity", "-Infinity", "1E+999999999", "1E-999999999", "1E+12", "-1E+24", "1E+25", "1E-9", "1.000000001"]
)
def test_parse_decimal_refuses_decimals(value: str) -> None:
    """Decimals that are no number or out of bounds are refused, without writing out a billion digits."""
    with pytest.raises(ValueError, match="not a plain decimal number"):
        parse_decimal(Decimal(value))


@pytest.mark.parametrize("value", [True, False, None, b"1", [1], {"1": 1}, (1,), 1j, Fraction(1), 10**12, -(10**12), pytest.param(10**5000, id="huge")])
def test_parse_decimal_refuses_types(value: object) -> None:
    """Only text, whole numbers and decimals are decimals; booleans and huge numbers are not."""
    with pytest.raises(ValueError, match=r"decimal|digits"):
        parse_decimal(value)


@pytest.mark.parametrize(
    ("given_text", "value"),
    [("90.00", "90"), (" 41.67 ", "41.67"), ("-0", "0"), ("+5", "5"), ("007", "7"), ("1.500000000000", "1.5"), ("999999999999.99999999",) * 2],
)
def test_parse_decimal_reads(given_text: str, value: str) -> None:
    """Blanks around, a sign, leading zeros and trailing zeros do not matter."""
    assert parse_decimal(given_text) == Decimal(value)


@given(value=plain_decimals)
def test_canonical_round_trip(value: Decimal) -> None:
    """The canonical text reads back as the same value and is the same for every way of writing it."""
    text = canonical(value)
    assert Decimal(text) == value
    assert canonical(Decimal(text)) == text
    assert canonical(Decimal(f"{value:f}" + ("000" if "." in f"{value:f}" else ".000"))) == text


@given(value=st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9))
def test_canonical_is_plain(value: Decimal) -> None:
    """A canonical text has no exponent, no plus, no trailing zeros after a point, no bare point and no negative zero."""
    text = canonical(value)
    assert set(text) <= set("-.0123456789")
    assert "." not in text or text[-1] not in "0."
    assert text != "-0"


@pytest.mark.parametrize(
    ("value", "text"),
    [("-0.00", "0"), ("0E+5", "0"), ("1E+3", "1000"), ("100", "100"), ("1.50", "1.5"), ("90.00", "90"), ("1E-8", "0.00000001"), ("-0.10", "-0.1")],
)
def test_canonical_examples(value: str, text: str) -> None:
    """Zeros that carry no meaning go, zeros that do stay."""
    assert canonical(Decimal(value)) == text


@given(quantity=plain_decimals, price=plain_decimals, currency=currencies)
def test_product_is_exact(quantity: Decimal, price: Decimal, currency: Currency) -> None:
    """Quantity times price is the exact product, rounded once, half away from zero, at any size that can be read."""
    assert product_minor(quantity, price, currency) == rounded(Fraction(quantity) * Fraction(price) * 10**currency.digits)


@given(cents=st.integers(-(10**9), 10**9), quantity=st.sampled_from([Decimal(1), Decimal(-1), Decimal("0.5"), Decimal("-2.5")]))
def test_product_half_cents(cents: int, quantity: Decimal) -> None:
    """Products that end in a half cent round away from zero, on both sides of it."""
    price = Decimal(cents).scaleb(-3)
    assert product_minor(quantity, price, EUR) == rounded(Fraction(quantity) * Fraction(price) * 100)


@pytest.mark.parametrize(
    ("quantity", "price", "minor"),
    [("1", "0.005", 1), ("-1", "0.005", -1), ("1", "0.0049999", 0), ("3", "0.335", 101), ("0.5", "1.05", 53), ("-0.5", "1.05", -53), ("1", "2.675", 268)],
)
def test_product_examples(quantity: str, price: str, minor: int) -> None:
    """The half cents that float and half-even rounding get wrong."""
    assert product_minor(Decimal(quantity), Decimal(price), EUR) == minor


@given(numerator=st.integers(-(10**30), 10**30), denominator=st.integers(1, 10**20))
def test_round_ratio(numerator: int, denominator: int) -> None:
    """A ratio rounds half away from zero."""
    assert round_ratio(numerator, denominator) == rounded(Fraction(numerator, denominator))


@given(half=st.integers(-(10**9), 10**9).filter(lambda number: number % 2), denominator=st.integers(1, 10**6))
def test_round_ratio_halves(half: int, denominator: int) -> None:
    """Exact halves agree with decimal's own ROUND_HALF_UP, which also rounds away from zero."""
    assert round_ratio(half * denominator, 2 * denominator) == int((Decimal(half) / 2).quantize(Decimal(1), rounding=ROUND_HALF_UP))


@given(total=amounts, weights=st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=12))
def test_split_loses_nothing(total: int, weights: list[int]) -> None:
    """The parts add up to the total and each is less than one from its share, mixed signs and zero sums included."""
    parts = split(total, weights)
    weight_sum = sum(weights)
    assert len(parts) == len(weights)
    assert sum(parts) == total
    if weight_sum:
        for part, weight in zip(parts, weights, strict=True):
            assert abs(part - Fraction(total * weight, weight_sum)) < 1


@given(total=amounts, weights=st.lists(st.integers(0, 10**6), min_size=1, max_size=12).filter(any))
def test_split_is_largest_remainder(total: int, weights: list[int]) -> None:
    """Who is rounded up has a remainder at least as large as who is not, and comes earlier if it is the same."""
    exact = [Fraction(total * weight, sum(weights)) for weight in weights]
    raised = [part > share - share % 1 for part, share in zip(split(total, weights), exact, strict=True)]
    up = [(-(share % 1), index) for index, share in enumerate(exact) if raised[index]]
    down = [(-(share % 1), index) for index, share in enumerate(exact) if not raised[index]]
    assert not up or not down or max(up) < min(down)


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (-100, [1, 1, 1], [-33, -33, -34]),
        (5, [0, 0], [5, 0]),
        (7, [3, -3], [7, 0]),
        (10, [-1, -1], [5, 5]),
        (1, [3, -2], [3, -2]),
        (0, [], []),
        (0, [4, 5], [0, 0]),
    ],
)
def test_split_examples(total: int, weights: list[int], parts: list[int]) -> None:
    """Ties go to the earlier item; a zero sum of weights gives all to the first."""
    assert split(total, weights) == parts


def test_split_over_nothing() -> None:
    """A total cannot vanish into an empty list."""
    with pytest.raises(ValueError, match="nothing to split"):
        split(1, [])


@given(numerators=st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=12), denominator=st.integers(1, 10**6), up=st.booleans())
def test_apportion_near_shares(numerators: list[int], denominator: int, *, up: bool) -> None:
    """Parts add up to the rounded sum of the shares, rounded either way, and each is the floor or the ceiling of its share."""
    exact = Fraction(sum(numerators), denominator)
    total = math.ceil(exact) if up else math.floor(exact)
    parts = apportion(total, numerators, denominator)
    assert sum(parts) == total
    for part, numerator in zip(parts, numerators, strict=True):
        share = Fraction(numerator, denominator)
        assert math.floor(share) <= part <= math.ceil(share)


@given(value=decimals(-(10**9), 10**9, 6))
def test_parse_is_inverse_of_canonical(value: Decimal) -> None:
    """What storage writes as canonical text is what it reads."""
    assert parse_decimal(canonical(value)) == value
