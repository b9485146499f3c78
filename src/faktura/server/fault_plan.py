"""Which faults a stand-in's answers have, how often, and in what order: all of it follows from a seed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from faktura.domain.errors import SettingError
from faktura.domain.text import shown

DEFAULT_RATE = Decimal("0.1")
DELAY_SECONDS_MAX = 3600
ALL = "all"


class FaultKind(StrEnum):
    """What may befall a request; docs/reference/stand-in.md says what a client sees."""

    SLOW = "slow"
    THROTTLED = "429"
    FAILED = "500"
    CUT = "cut"
    GARBAGE = "garbage"
    SHIFT = "shift"
    CHANGE = "change"
    VANISH = "vanish"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """A seed, and the share of requests (0 to 1) that each fault befalls. SettingError for what cannot be."""

    seed: int = 0
    rates: Mapping[FaultKind, Decimal] = field(default_factory=dict)
    delay_seconds: float = 1.0
    """How long `slow` waits."""
    retry_after_seconds: int = 1
    """What a 429 asks for."""

    def __post_init__(self) -> None:
        for kind, rate in self.rates.items():
            if not 0 <= rate <= 1:
                message = f"fault {kind}: {rate} is not a rate from 0 to 1"
                raise SettingError(message)
        if not (math.isfinite(self.delay_seconds) and 0 <= self.delay_seconds <= DELAY_SECONDS_MAX and 0 <= self.retry_after_seconds <= DELAY_SECONDS_MAX):
            message = f"a fault delays, or asks to wait, for 0 to {DELAY_SECONDS_MAX} seconds"
            raise SettingError(message)

    def rate(self, kind: FaultKind) -> Decimal:
        """How often it befalls a request; 0 where the plan does not name it."""
        return self.rates.get(kind, Decimal(0))

    def draw(self, caller: str, place: int) -> tuple[frozenset[FaultKind], random.Random]:
        """What befalls a caller's request at this place in the order of all that he makes, and the dice for its details.

        One draw for each fault, whatever its rate: another rate of one leaves the others as they are.
        """
        dice = random.Random(f"{self.seed}/{caller}/{place}")  # noqa: S311 - to be drawn again
        drawn = [(kind, dice.random()) for kind in FaultKind]
        return frozenset(kind for kind, value in drawn if value < self.rate(kind)), dice


def parse_rates(words: Iterable[str]) -> dict[FaultKind, Decimal]:
    """The rates that `NAME` and `NAME=RATE` ask for, `all` for every fault; the last word about a fault counts. SettingError for others."""
    rates: dict[FaultKind, Decimal] = {}
    for word in words:
        name, is_rated, rate_text = word.partition("=")
        rate = _rate(word, rate_text) if is_rated else DEFAULT_RATE
        if name != ALL and name not in set(FaultKind):
            message = f"{shown(name)} is no fault; there are {', '.join(FaultKind)}, and {ALL}"
            raise SettingError(message)
        rates.update(dict.fromkeys(FaultKind if name == ALL else [FaultKind(name)], rate))
    return rates


def _rate(word: str, text: str) -> Decimal:
    try:
        rate = Decimal(text)
    except InvalidOperation:
        rate = Decimal("NaN")
    if not rate.is_finite() or not 0 <= rate <= 1:
        message = f"{shown(word)}: a fault's rate is a number from 0 to 1, such as 0.1"
        raise SettingError(message)
    return rate
