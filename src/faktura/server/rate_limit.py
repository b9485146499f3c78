"""Fixed windows that begin with a caller's first request: kept in this process, or in memory that all workers of a host share."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Hashable
from fcntl import LOCK_EX, LOCK_UN, lockf
from math import ceil
from threading import Lock
from typing import Protocol

from faktura.dialects.base import Limit

_CALLERS_MAX = 20_000
"""Above this many callers, windows that have ended are dropped, so that strangers cannot fill the memory."""


class RateLimits(Protocol):
    """Counts requests of callers."""

    def count(self, caller: Hashable, *, limit: int, window_seconds: int, now: float) -> Limit:
        """Count one request at `now` (unix seconds) and say where the caller stands; `retry_after_seconds` is set when it is too many."""


class RateLimiter:
    """Counts what one process is asked. Safe for threads."""

    def __init__(self) -> None:
        self._windows: dict[Hashable, tuple[float, int]] = {}
        self._lock = Lock()

    def count(self, caller: Hashable, *, limit: int, window_seconds: int, now: float) -> Limit:
        """As said above."""
        with self._lock:
            return self._count(caller, limit, window_seconds, now)

    def _count(self, caller: Hashable, limit: int, window_seconds: int, now: float) -> Limit:
        ends_at, used = self._windows.get(caller, (0.0, 0))
        if not ends_at - window_seconds - 1 <= now < ends_at:  # it has ended; or the clock went back to well before it began
            if len(self._windows) >= _CALLERS_MAX:
                self._windows = {key: value for key, value in self._windows.items() if value[0] > now}
                if len(self._windows) >= _CALLERS_MAX:  # all still running: forget the oldest half
                    self._windows = dict(list(self._windows.items())[_CALLERS_MAX // 2 :])
            ends_at, used = now + window_seconds, 0
        refused = used >= limit
        used += not refused
        self._windows[caller] = (ends_at, used)
        return Limit(
            limit=limit,
            remaining=limit - used,
            reset_at=ceil(ends_at),
            retry_after_seconds=max(1, ceil(ends_at - now)) if refused else None,
        )


_SECOND_US = 1_000_000
_WAYS = 16
"""Callers of one bucket. With 20,000 callers a bucket has five on average; about one in a hundred thousand has more than it can hold."""
_BUCKETS = 4096
_WORDS = 3 * _WAYS
"""A bucket: the keys of its callers, the instants when their windows end (microseconds; 0 is none), what they used."""


class SharedRateLimiter:
    """Counts what all processes that were forked after it was made are asked, exactly. Safe for threads.

    Callers are known by a 64-bit hash whose seed strangers do not know (Python's own, which forked processes share). A bucket is changed
    under a lock of the system's on a byte that stands for it: such a lock ends with its holder, however that ends. A window is written
    in an order that leaves it whole, or none, wherever its writer was killed. 1.5 MiB, whatever the number of callers: in a bucket that
    is full, windows that have ended make room first, then the one that ends first.
    """

    def __init__(self) -> None:
        self._words = memoryview(mmap.mmap(-1, 8 * _WORDS * _BUCKETS)).cast("Q")
        self._file = os.memfd_create("faktura-limits") if hasattr(os, "memfd_create") else os.dup(tempfile.TemporaryFile().fileno())  # noqa: SIM115
        self._lock = Lock()  # the system's lock is the whole process's

    def count(self, caller: Hashable, *, limit: int, window_seconds: int, now: float) -> Limit:
        """As said above."""
        key = hash(caller) & 0xFFFF_FFFF_FFFF_FFFF or 1
        bucket = key % _BUCKETS
        with self._lock:
            lockf(self._file, LOCK_EX, 1, bucket)
            try:
                return self._count(key, bucket * _WORDS, limit, window_seconds * _SECOND_US, int(now * _SECOND_US))
            finally:
                lockf(self._file, LOCK_UN, 1, bucket)

    def _count(self, key: int, start: int, limit: int, window_us: int, now_us: int) -> Limit:
        words = self._words
        keys = words[start : start + _WAYS].tolist()
        at = start + (keys.index(key) if key in keys else self._make_room(key, start))
        ends_at, used = words[at + _WAYS], words[at + 2 * _WAYS]
        refused = False
        if not ends_at - window_us - _SECOND_US <= now_us < ends_at:  # as above
            used, ends_at = 1, now_us + window_us
            words[at + 2 * _WAYS] = used  # while the window is none: killed here, it begins with the next request
            words[at + _WAYS] = ends_at
        elif used < limit:
            used += 1
            words[at + 2 * _WAYS] = used
        else:
            refused = True
        return Limit(
            limit=limit,
            remaining=max(0, limit - used),
            reset_at=-(-ends_at // _SECOND_US),
            retry_after_seconds=max(1, -((now_us - ends_at) // _SECOND_US)) if refused else None,
        )

    def _make_room(self, key: int, start: int) -> int:
        ends = self._words[start + _WAYS : start + 2 * _WAYS].tolist()
        way = ends.index(min(ends))
        self._words[start + _WAYS + way] = 0
        self._words[start + way] = key
        return way
