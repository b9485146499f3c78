"""How everything here is measured: two things in turn, A B A B …, in one run on one machine; what counts is their ratio."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SAMPLES = 5
"""Pairs a row is measured by, at least."""

Cost = Callable[[], float]
"""Does the work once, and says what one unit of it cost: seconds, or whatever both sides are counted in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a ratio must come to."""

    at_least: float | None = None
    """Of the other's speed: the ratio is their cost by ours."""
    at_most: float | None = None
    """Of the other's cost: the ratio is our cost by theirs."""

    def ratio(self, ours: float, theirs: float) -> float:
        """The ratio of two costs, in the direction that the goal speaks of."""
        return ours / theirs if self.at_most is not None else theirs / ours

    def holds(self, ratio: float) -> bool:
        """Whether the ratio is good enough."""
        return (self.at_least is None or ratio >= self.at_least) and (self.at_most is None or ratio <= self.at_most)

    def __str__(self) -> str:
        """As a table shows it."""
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table, with every sample it was made of."""

    what: str
    against: str
    goal: Goal
    samples: Sequence[tuple[float, float]]
    """Our cost and theirs, a pair a turn."""
    unit: str = "s"
    note: str = ""

    @property
    def ratios(self) -> list[float]:
        """One for each pair."""
        return [self.goal.ratio(ours, theirs) for ours, theirs in self.samples]

    @property
    def ratio(self) -> float:
        """The median of the pairs'."""
        return statistics.median(self.ratios)

    def as_json(self) -> dict[str, object]:
        """As the results file keeps it."""
        return {
            "what": self.what,
            "against": self.against,
            "ratio": self.ratio,
            "min": min(self.ratios),
            "max": max(self.ratios),
            "samples": [list(pair) for pair in self.samples],
            "unit": self.unit,
            "goal": str(self.goal),
            "holds": self.goal.holds(self.ratio),
            "note": self.note,
        }


def compare(what: str, against: str, goal: Goal, *, ours: Cost, theirs: Cost, samples: int = SAMPLES, note: str = "") -> Row:
    """Measure two things in turn, after one turn each that does not count."""
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(samples)]
    return Row(what=what, against=against, goal=goal, samples=pairs, note=note)


def timed(work: Callable[[], object], *, units: int = 1) -> Cost:
    """The seconds that a unit of some work takes in this process, with no collection of garbage left over from before."""

    def cost() -> float:
        gc.collect()
        began = time.perf_counter()
        work()
        return (time.perf_counter() - began) / units

    return cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A line that cannot be measured here, and why: a tool or a large set is missing, or the server lacks what it would measure."""

    what: str
    reason: str


class CannotRunError(Exception):
    """A module of rows cannot run here at all; it says why."""


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """This process, and what it starts meanwhile, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[core % len(before)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What rows are given: where they may write, and how large the run is."""

    scratch: Path
    """A folder of the run's own, deleted after it."""
    kept: Path
    """Where sets that are built once stay (`make bench-large`)."""
    is_quick: bool = False
    """Only to see that it works: small sets, one sample."""
