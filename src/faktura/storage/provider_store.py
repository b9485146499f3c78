"""Providers, their counters, series and journal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from faktura.domain.errors import NotFoundError
from faktura.domain.numbering import Reset, Series
from faktura.domain.provider import Provider
from faktura.ledger.ports import JournalEntry, SeriesJump, Taken
from faktura.storage.driver import Driver
from faktura.storage.rows import date_text, flat_row, flat_values, provider_row, to_provider, to_series


class ProviderRows:
    """See `faktura.ledger.ports.ProviderStore`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.journaled: list[tuple[int, str]] = []

    def insert(self, provider: Provider, *, created_at_us: int, first_id: int) -> None:
        """Write a provider and start its counters."""
        self._driver.run("provider_insert", **provider_row(provider), created_at_us=created_at_us)
        self._driver.run("counter_insert", provider_id=provider.id, next_id=first_id, next_wire_id=1, journal_chain=bytes(32))

    def set(self, provider: Provider) -> None:
        """Change a provider's settings and seller; documents issued before keep what they show."""
        row = provider_row(provider)
        self._driver.run("provider_set", provider_id=provider.id, settings=row["settings"], seller=row["seller"])

    def get(self, provider_id: int) -> Provider:
        """The provider of an id that some row names; NotFoundError if it is gone."""
        row = self._driver.one("provider_get", provider_id=provider_id)
        if row is None:
            message = f"there is no provider {provider_id}"
            raise NotFoundError(message)
        return to_provider(row)

    def find(self, name: str) -> Provider | None:
        """The provider of that name."""
        row = self._driver.one("provider_find", name=name)
        return None if row is None else to_provider(row)

    def all(self) -> list[Provider]:
        """All providers, oldest first."""
        return [to_provider(row) for row in self._driver.all("provider_all")]

    def take(self, provider_id: int, *, ids: int = 0, wire_ids: int = 0, entries: int = 0) -> Taken:
        """Take so many of each, and hold the counter until the transaction ends: the last lock taken."""
        row = self._driver.one("counter_take", provider_id=provider_id, ids=ids, wire_ids=wire_ids, entries=entries)
        if row is None:
            message = f"there is no provider {provider_id}"
            raise NotFoundError(message)
        return Taken(row["next_id"] - ids, row["next_wire_id"] - wire_ids, row["journal_sequence"] - entries + 1, bytes(row["journal_chain"]))

    def raise_wire_id(self, provider_id: int, next_wire_id: int) -> None:
        """Let wire ids to come start here, if they are not past it already."""
        self._driver.run("counter_raise_wire_id", provider_id=provider_id, next_wire_id=next_wire_id)

    def append_journal(self, provider_id: int, entries: Sequence[JournalEntry]) -> None:
        """Write entries whose sequence numbers were taken, and where the chain now ends."""
        self._driver.many("journal_insert", [(provider_id, *flat_values(entry)) for entry in entries])
        self.journaled += [(provider_id, entry.event) for entry in entries]
        if entries:
            self._driver.run("counter_set_chain", provider_id=provider_id, journal_chain=entries[-1].chain)

    def recorded_last_us(self, provider_id: int) -> int | None:
        """When the latest of the last thousand journal entries was recorded; None where there is none."""
        row = self._driver.one("journal_newest", provider_id=provider_id)
        return None if row is None else row["recorded_at_us"]


class SeriesRows:
    """See `faktura.ledger.ports.SeriesStore`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def insert(self, series: Series) -> None:
        """Write a new series."""
        self._driver.run(
            "series_insert",
            provider_id=series.provider_id,
            name=series.name,
            type_codes=",".join(str(code.value) for code in series.type_codes),
            method=series.method.value,
            template=series.template,
            next_number=series.next_number,
            last_date=date_text(series.last_date),
            reset=series.reset.value,
        )

    def all(self, provider_id: int) -> list[Series]:
        """The provider's series by name."""
        return [to_series(row) for row in self._driver.all("series_all", provider_id=provider_id)]

    def set(self, series: Series) -> None:
        """Change what may change of a series. The caller holds its lock."""
        self._driver.run(
            "series_set",
            provider_id=series.provider_id,
            name=series.name,
            next_number=series.next_number,
            last_date=date_text(series.last_date),
            template=series.template,
            reset=series.reset.value,
        )

    def lock(self, series: Series) -> Series:
        """Hold the series until the transaction ends; the series as it is under the lock."""
        row = self._driver.one("series_lock", provider_id=series.provider_id, name=series.name)
        if row is None:
            message = f"there is no series {series.name!r}"
            raise NotFoundError(message)
        return to_series(row)

    def jump(self, provider_id: int, jump: SeriesJump) -> None:
        """Keep that numbers of a series will never be used."""
        self._driver.run("series_jump_insert", provider_id=provider_id, **flat_row(jump))

    def jumps(self, provider_id: int) -> list[SeriesJump]:
        """All jumps of the provider's series."""
        return [SeriesJump(**dict(zip(row.keys(), row, strict=True))) for row in self._driver.all("series_jump_all", provider_id=provider_id)]

    def first_date(self, series: Series) -> date | None:
        """The oldest issue date in a series; None where it has no document."""
        row = self._driver.one("series_first_date", provider_id=series.provider_id, series=series.name)
        return None if row is None or row["first_date"] is None else date.fromisoformat(row["first_date"])

    def first_own(self, series: Series) -> tuple[int, date] | None:
        """Place and issue date of the first document of a series that was issued here; None where there is none yet."""
        year_digits = 4 if series.reset is Reset.YEAR else 0
        row = self._driver.one("series_first_own", provider_id=series.provider_id, series=series.name, year_digits=year_digits)
        return None if row is None else (row["series_sequence"], date.fromisoformat(row["issue_date"]))

    def high(self, series: Series, year: int) -> int:
        """The highest place of a series in a year; 0 where it has none."""
        row = self._driver.one("series_high", provider_id=series.provider_id, series=series.name, year=f"{year:04}")
        return 0 if row is None else row["high"]

    def use(self, series: Series, numbers: Sequence[str]) -> str | None:
        """Keep that numbers are given out; the first that was before, and then none is kept. The caller holds the series' lock."""
        if not numbers:
            return None
        key = {"provider_id": series.provider_id, "series": series.name}
        if self._driver.one("issued_number_between", **key, low=min(numbers), high=max(numbers)) is not None:  # perhaps another in between
            for number in numbers:
                if self.is_used(series.provider_id, series.name, number):
                    return number
        self._driver.many("issued_number_insert", [(series.provider_id, series.name, number) for number in numbers])
        return None

    def is_used(self, provider_id: int, series: str, number: str) -> bool:
        """Whether the series has given out that number."""
        return self._driver.one("issued_number_get", provider_id=provider_id, series=series, number=number) is not None

    def used_count(self, provider_id: int) -> int:
        """How many numbers all series of a provider have given out."""
        row = self._driver.one("issued_number_count", provider_id=provider_id)
        return 0 if row is None else int(row["numbers"])
