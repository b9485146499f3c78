"""Closed periods: up to which day a provider's books take no more documents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from faktura.domain.errors import Fault, fault


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodLock:
    """From this on, nothing is issued with an issue date or tax point on or before a day."""

    id: int
    provider_id: int
    locked_through: date
    actor: str
    recorded_at_us: int


def locked_faults(locked_through: date | None, *, issue_date: date, tax_point_date: date | None) -> list[Fault]:
    """The dates of a document that fall into what is locked."""
    dates = {"issue_date": issue_date, "tax_point_date": tax_point_date}
    return [
        fault("PERIOD-LOCKED", name, f"{day} is in a closed period: the books are locked through {locked_through}")
        for name, day in dates.items()
        if locked_through and day and day <= locked_through
    ]
