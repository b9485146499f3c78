"""VAT: categories (BT-118), rates (BT-119) and the breakdown (BG-23) for both price bases."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

from faktura.domain.money import apportion, round_ratio

_RATE_SCALE = 10_000
"""Rates are exact to four decimals of a percent."""


class VatCategory(StrEnum):
    """UNCL 5305 codes of EN 16931."""

    STANDARD = "S"
    ZERO = "Z"
    EXEMPT = "E"
    REVERSE_CHARGE = "AE"
    INTRA_COMMUNITY = "K"
    EXPORT = "G"
    OUTSIDE_SCOPE = "O"

    @property
    def taxed(self) -> bool:
        """Only the standard category carries tax (BR-S-5; reduced rates are category S too)."""
        return self is VatCategory.STANDARD

    @property
    def needs_reason(self) -> bool:
        """BR-E-10, BR-AE-10, BR-IC-10, BR-G-10, BR-O-10."""
        return self not in {VatCategory.STANDARD, VatCategory.ZERO}


class PriceBasis(StrEnum):
    """Whether prices exclude VAT (net) or include it (gross)."""

    NET = "net"
    GROSS = "gross"


@dataclass(frozen=True, slots=True)
class VatKey:
    """What amounts are grouped by: category and rate. A recorded document may not say its category."""

    category: VatCategory | None
    rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class VatBreakdown:
    """BG-23: one category and rate. Amounts are unknown (None) where a recorded source gave only the rate."""

    category: VatCategory | None
    """BT-118."""
    rate: Decimal
    """BT-119, percent."""
    taxable_amount_minor: int | None
    """BT-116."""
    tax_amount_minor: int | None
    """BT-117."""
    exemption_reason: str | None = None
    """BT-120."""


@lru_cache(maxsize=1024)
def scaled_rate(rate: Decimal) -> int:
    """The rate in ten-thousandths of a percent, exact; ValueError for more decimals."""
    scaled = rate * _RATE_SCALE
    if scaled != int(scaled):
        message = f"a VAT rate has at most four decimals, not {rate}"
        raise ValueError(message)
    return int(scaled)


def vat_of_net(net_minor: int, rate: Decimal) -> int:
    """BR-CO-17: BT-117 = BT-116 x (BT-119 / 100), rounded half away from zero."""
    return round_ratio(net_minor * scaled_rate(rate), 100 * _RATE_SCALE)


def vat_of_gross(gross_minor: int, rate: Decimal) -> int:
    """The VAT that a gross sum contains: gross x rate / (100 + rate), rounded half away from zero."""
    scaled = scaled_rate(rate)
    return round_ratio(gross_minor * scaled, 100 * _RATE_SCALE + scaled)


def net_shares(gross_minor: list[int], rate: Decimal) -> list[int]:
    """Net amounts of gross amounts of one rate, adding up to their sum less its VAT, by largest remainder."""
    scaled = scaled_rate(rate)
    gross_sum = sum(gross_minor)
    net_sum = gross_sum - vat_of_gross(gross_sum, rate)
    return apportion(net_sum, [amount * 100 * _RATE_SCALE for amount in gross_minor], 100 * _RATE_SCALE + scaled)
