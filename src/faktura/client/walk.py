"""One reading of a source's list, from its beginning on: what it showed, and what that proves."""

from __future__ import annotations

from dataclasses import dataclass, field

from faktura.client.results import Page


@dataclass(slots=True)
class Walk:
    """What was seen so far."""

    began_us: int
    """When the reading began: of what others recorded since then it can prove nothing."""
    seen: set[int] = field(default_factory=set)
    """The source's ids, those of items included that could not be read."""
    unnamed: int = 0
    """Items that could not be read, not even their ids."""
    totals: list[int | None] = field(default_factory=list)
    """What the pages announced, each value once in a row."""
    is_whole: bool = False
    """It was read to its end."""
    is_cut: bool = False
    """It became shorter than the page that was asked for."""

    def add(self, page: Page) -> None:
        """Take in one more page."""
        self.seen.update(heard.invoice.wire_id for heard in page.heard)
        self.seen.update(fault.wire_id for fault in page.faults if fault.wire_id is not None)
        self.unnamed += sum(fault.wire_id is None for fault in page.faults)
        if not self.totals or self.totals[-1] != page.total:
            self.totals.append(page.total)

    @property
    def total(self) -> int | None:
        """What the last page announced."""
        return self.totals[-1] if self.totals else None

    @property
    def count(self) -> int:
        """How many documents it showed."""
        return len(self.seen) + self.unnamed

    @property
    def has_grown(self) -> bool:
        """New documents came while it was read."""
        first, last = (self.totals[0], self.totals[-1]) if self.totals else (None, None)
        return first is not None and last is not None and last > first

    @property
    def stood_still(self) -> bool:
        """It was read to its end, and no page announced another total."""
        return self.is_whole and not self.is_cut and len(self.totals) <= 1

    @property
    def is_sure(self) -> bool:
        """As far as one reading can tell, what was not seen is not there."""
        return self.stood_still and self.total in {None, self.count}

    def repeats(self, before: Walk) -> bool:
        """The same as the reading before, though neither showed as many documents as it announced."""
        return self.stood_still and before.stood_still and self.seen == before.seen and self.total == before.total
