"""Rate limits in memory that several processes share: the same answers as in one process, and exact whoever counts."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from fcntl import LOCK_EX, lockf

from tests.database import sqlite_only

from faktura.server.rate_limit import _BUCKETS, _WAYS, RateLimiter, SharedRateLimiter

pytestmark = sqlite_only  # no ledger is involved
NOW = 1_700_000_000.75


def forked(*works: Callable[[], int]) -> list[int]:
    """What each returned, all at work at once in processes of their own."""
    heard = []
    for work in works:
        ours, theirs = os.pipe()
        if os.fork() == 0:
            os.write(theirs, str(work()).encode())
            os._exit(0)
        os.close(theirs)
        heard.append(ours)
    found = []
    for pipe in heard:
        with os.fdopen(pipe) as said:
            found.append(int(said.read()))
    for _ in works:
        os.wait()
    return found


def test_both_count_alike() -> None:
    """Whatever callers, limits and instants come, the answers are those of a single process: windows end, limits change, clocks go back."""
    chosen = random.Random(7)
    one, shared = RateLimiter(), SharedRateLimiter()
    now = 1_700_000_000.0
    for _ in range(20_000):
        now += chosen.choice((0, 0, 0.25, 1.5, 40, -0.5, -100))
        caller = (chosen.randrange(3), "account", chosen.randrange(20))
        window = chosen.choice((10, 60))
        first, second = (each.count(caller, limit=5, window_seconds=window, now=now) for each in (one, shared))
        assert first == second


def test_exactly_the_limit_passes_in_all_processes_together() -> None:
    """Four processes that count at once let through exactly the limit, no request more or less."""
    limits = SharedRateLimiter()

    def count() -> int:
        return sum(limits.count("caller", limit=3000, window_seconds=60, now=NOW).retry_after_seconds is None for _ in range(2000))

    assert sum(forked(count, count, count, count)) == 3000


def test_a_lock_ends_with_its_holder() -> None:
    """A process that is killed while it counts keeps nobody from counting."""
    limits = SharedRateLimiter()
    ours, theirs = os.pipe()
    holder = os.fork()
    if holder == 0:
        lockf(limits._file, LOCK_EX, _BUCKETS, 0)
        os.write(theirs, b"x")
        time.sleep(60)
        os._exit(0)
    assert os.read(ours, 1) == b"x"
    os.kill(holder, signal.SIGKILL)
    assert limits.count("caller", limit=2, window_seconds=60, now=NOW).remaining == 1
    os.waitpid(holder, 0)
    os.close(ours)
    os.close(theirs)


def test_killed_at_any_step_a_window_is_whole() -> None:
    """However far a writer came with a new window, the next request finds the one before it or none, never a window that was used up by nobody."""

    class _KilledError(Exception):
        pass

    class _Steps:
        """Words that may be written so many times."""

        def __init__(self, words: memoryview, steps: int) -> None:
            self.words, self.steps = words, steps

        def __getitem__(self, key: int | slice) -> object:
            return self.words[key]

        def __setitem__(self, key: int, value: int) -> None:
            if not self.steps:
                raise _KilledError
            self.steps -= 1
            self.words[key] = value

    for steps in range(5):
        limits = SharedRateLimiter()
        words = limits._words
        for _ in range(3):
            limits.count("caller", limit=2, window_seconds=60, now=NOW)
        limits._words = _Steps(words, steps)  # type: ignore[assignment]
        for caller in ("caller", "another"):
            with suppress(_KilledError):
                limits.count(caller, limit=2, window_seconds=60, now=NOW + 100)
        limits._words = words
        for caller in ("caller", "another"):
            assert limits.count(caller, limit=2, window_seconds=60, now=NOW + 100).retry_after_seconds is None


def test_strangers_are_forgotten_first_where_their_windows_ended() -> None:
    """In a bucket that is full, an ended window makes room, and those that run stay; where all run, the one that ends first."""
    limits = SharedRateLimiter()

    class _Caller:
        """Callers of one bucket."""

        def __init__(self, number: int) -> None:
            self.number = number

        def __hash__(self) -> int:
            return 5 + self.number * _BUCKETS

        def __eq__(self, other: object) -> bool:
            return self is other

    callers = [_Caller(number) for number in range(_WAYS + 2)]
    for number, caller in enumerate(callers[:_WAYS]):
        limits.count(caller, limit=9, window_seconds=5 if number == 3 else 60 + number, now=NOW)
    limits.count(callers[_WAYS], limit=9, window_seconds=60, now=NOW + 10)
    limits.count(callers[_WAYS + 1], limit=9, window_seconds=60, now=NOW + 10)
    kept = [caller.number for caller in callers if hash(caller) in limits._words[5 * 3 * _WAYS : 5 * 3 * _WAYS + _WAYS].tolist()]
    assert kept == [number for number in range(_WAYS + 2) if number not in {0, 3}]


def test_twenty_thousand_callers_are_all_remembered() -> None:
    """As many callers as one process remembers have a place, but for a rare one whose bucket is full."""
    limits = SharedRateLimiter()
    for number in range(20_000):
        limits.count((1, "peer", f"10.0.{number // 256}.{number % 256}"), limit=1, window_seconds=60, now=NOW)
    passed = sum(
        limits.count((1, "peer", f"10.0.{n // 256}.{n % 256}"), limit=1, window_seconds=60, now=NOW).retry_after_seconds is None for n in range(20_000)
    )
    assert passed < 20
