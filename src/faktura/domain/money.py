"""Exact money: integer minor units, decimals without float, rounding in named places only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation, localcontext
from functools import lru_cache

from faktura.domain.errors import SettingError
from faktura.domain.text import shown

AMOUNT_MINOR_MAX = 10**15
"""Largest absolute amount in minor units: far above any invoice, far below BIGINT, exact in a JSON double."""

DECIMAL_PLACES_MAX = 8
INTEGER_DIGITS_MAX = 12
_EXPONENT_MAX = 40  # beyond it a decimal is nonsense, and writing it out would be costly

_EXACT = Context(prec=80, traps=[Inexact, InvalidOperation])
_ROUNDED = Context(prec=80, rounding=ROUND_HALF_UP, traps=[InvalidOperation])
_ONE = Decimal(1)
_CODE = re.compile(r"[A-Z]{3}\Z")
_DECIMAL = re.compile(r"[+-]?\d{1,12}(\.\d{1,8}0*)?\Z", re.ASCII)

# ISO 4217 minor units that differ from two; currencies not listed have two.
_DIGITS = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("CLF UYW".split(), 4),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
}


@dataclass(frozen=True, slots=True)
class Currency:
    """An ISO 4217 code (BT-5) and how many decimals its minor unit has."""

    code: str

    def __post_init__(self) -> None:
        if not isinstance(self.code, str) or not _CODE.match(self.code):
            message = f"{shown(self.code)} is not an ISO 4217 currency code such as EUR"
            raise SettingError(message)

    @property
    def digits(self) -> int:
        """Decimals of the minor unit: 2 for EUR, 0 for JPY."""
        return _DIGITS.get(self.code, 2)

    def to_decimal(self, amount_minor: int) -> Decimal:
        """The amount in major units, always with the currency's full decimals."""
        return Decimal(amount_minor).scaleb(-self.digits)

    def to_minor(self, amount: Decimal | int) -> int:
        """Exact minor units of an amount; ValueError for anything else, more decimals than the currency has, or too large a sum."""
        if isinstance(amount, bool) or not isinstance(amount, (int, Decimal)):
            message = f"{shown(amount)} is not an exact amount"
            raise ValueError(message)  # noqa: TRY004 - one error type for every unusable value
        if abs(amount) > AMOUNT_MINOR_MAX if isinstance(amount, int) else not amount.is_finite() or abs(amount.adjusted()) > _EXPONENT_MAX:
            raise ValueError("is not an amount of money, or larger than any that faktura keeps")
        value = Decimal(amount)
        if value.is_zero():
            return 0
        _, digits, exponent = value.as_tuple()
        significant = len("".join(map(str, digits)).rstrip("0"))
        if int(exponent) + len(digits) - significant < -self.digits:
            message = f"{shown(str(amount))} has more than {self.digits} decimals, which {self.code} does not know"
            raise ValueError(message)
        with localcontext(_EXACT):
            minor = int(value.scaleb(self.digits))
        if abs(minor) > AMOUNT_MINOR_MAX:
            message = f"{shown(str(amount))} is larger than any amount faktura keeps"
            raise ValueError(message)
        return minor

    def format(self, amount_minor: int) -> str:
        """The amount for people: `-1234.50 EUR`."""
        return f"{self.to_decimal(amount_minor):.{self.digits}f} {self.code}"


def parse_decimal(text: object) -> Decimal:
    """A plain decimal from text, int or Decimal: at most 12 digits before and 8 after the point, no exponent, no float.

    Raises ValueError. Bounded, so that every product and sum here stays exact.
    """
    if isinstance(text, bool) or not isinstance(text, (str, int, Decimal)):
        message = f"{shown(text)} is not a decimal number"
        raise ValueError(message)  # noqa: TRY004 - one error type for every unusable value
    if isinstance(text, Decimal):
        # The guard keeps 1E+999999999 from being written out.
        written = f"{text:f}" if text.is_finite() and abs(text.adjusted()) <= 2 * INTEGER_DIGITS_MAX else str(text)
    elif isinstance(text, int):
        written = str(text) if abs(text) < 10**INTEGER_DIGITS_MAX else "too large"
    else:
        written = text.strip()
    if not _DECIMAL.match(written):
        message = f"{shown(written)} is not a plain decimal number of at most {INTEGER_DIGITS_MAX} digits and {DECIMAL_PLACES_MAX} decimals"
        raise ValueError(message)
    return Decimal(written.rstrip("0") if "." in written else written)


@lru_cache(maxsize=8192)
def canonical(value: Decimal) -> str:
    """The one text of a decimal: no exponent, no trailing zeros, no negative zero."""
    if value == 0:
        return "0"
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def product_minor(quantity: Decimal, price: Decimal, currency: Currency) -> int:
    """Quantity times price, rounded half away from zero to minor units (the rounding of BT-131)."""
    exact = _EXACT.scaleb(_EXACT.multiply(quantity, price), currency.digits)
    return int(_ROUNDED.quantize(exact, _ONE))


def round_ratio(numerator: int, denominator: int) -> int:
    """Numerator / denominator rounded half away from zero; denominator > 0."""
    half_up = (2 * abs(numerator) + denominator) // (2 * denominator)
    return half_up if numerator >= 0 else -half_up


def split(total: int, weights: Sequence[int]) -> list[int]:
    """Split an integer total by weights without loss: largest remainder, earlier items first on ties.

    `sum(split(t, w)) == t` for every input; a zero sum of weights gives all to the first item.
    """
    if not weights:
        if total:
            message = "nothing to split the total over"
            raise ValueError(message)
        return []
    weight_sum = sum(weights)
    if weight_sum == 0:
        return [total] + [0] * (len(weights) - 1)
    if weight_sum < 0:
        weights, weight_sum = [-weight for weight in weights], -weight_sum
    return apportion(total, [total * weight for weight in weights], weight_sum)


def apportion(total: int, numerators: Sequence[int], denominator: int) -> list[int]:
    """Integers near the exact shares `numerators[i] / denominator` that add up to `total`, by largest remainder.

    `total` must be the exact sum of the shares, or that sum rounded; then every part is less than one from its share.
    """
    parts = [numerator // denominator for numerator in numerators]
    missing = total - sum(parts)
    if not missing:
        return parts
    remainders = [numerator % denominator for numerator in numerators]
    order = sorted(range(len(parts)), key=lambda index: (-remainders[index], index))
    for index in order[:missing]:
        parts[index] += 1
    return parts
