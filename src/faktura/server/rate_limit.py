"""Fixed windows that begin with a caller's first request, kept in this process."""

from __future__ import annotations

from collections.abc import Hashable
from math import ceil
from threading import Lock

from faktura.dialects.base import Limit

_CALLERS_MAX = 20_000
"""Above this many callers, windows that have ended are dropped, so that strangers cannot fill the memory."""


class RateLimiter:
    """Counts requests of callers. Safe for threads."""

    def __init__(self) -> None:
        self._windows: dict[Hashable, tuple[float, int]] = {}
        self._lock = Lock()

    def count(self, caller: Hashable, *, limit: int, window_seconds: int, now: float) -> Limit:
        """Count one request at `now` (unix seconds) and say where the caller stands; `retry_after_seconds` is set when it is too many."""
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
