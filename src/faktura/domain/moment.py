"""As of when the books are read: everything, what was recorded up to an instant, or what had value by a date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from faktura.domain.calendar import legal_date


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Which facts count. Nothing given: all that are recorded; both given: those that keep both.

    An allocation counts where itself, the payment or credit note it comes from and the document it settles all do; a
    payment until its reversal counts.
    """

    as_of_us: int | None = None
    """Facts recorded up to and including this instant: the books as they were then."""
    on: date | None = None
    """Documents issued, payments made, refunded or reversed and credit notes allocated by this date: the books by value date, as they are known."""

    @property
    def is_now(self) -> bool:
        """Whether every recorded fact counts."""
        return self.as_of_us is None and self.on is None

    def counts(self, recorded_at_us: int, day: date) -> bool:
        """Whether a fact recorded at an instant, with value on a day, counts."""
        return (self.as_of_us is None or recorded_at_us <= self.as_of_us) and (self.on is None or day <= self.on)

    def today(self, now_us: int, zone_name: str) -> date:
        """The day by which something is overdue or not."""
        return self.on or legal_date(now_us if self.as_of_us is None else self.as_of_us, zone_name)


NOW = Moment()
