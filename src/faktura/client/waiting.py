"""How long to wait before a request is sent again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from faktura.dialects.base import Limit

_FIRST_SECONDS = 0.5
_GROWN_SECONDS = 16.0
_TOLD_SECONDS_MAX = 10 * 366 * 24 * 3600
"""Who tells to come back later than that tells never."""
_DIGITS_MAX = 18


def backoff(attempt: int, fraction: float) -> float:
    """Full jitter: a part, chosen at random, of a time that doubles with each attempt (counted from 1)."""
    return fraction * min(_GROWN_SECONDS, _FIRST_SECONDS * (1 << min(attempt - 1, 16)))


def told_seconds(headers: Mapping[str, str], limit: Limit | None, *, now: float) -> float | None:
    """When to come back, from now on: by `Retry-After`, else by the end of the limit's window; None where neither is said.

    Instants are compared with the answer's own `Date`, so that clocks that differ do no harm.
    """
    said = headers.get("retry-after", "").strip()
    there = _instant(headers.get("date", ""))
    seconds: float | None = None
    if said.isascii() and said.isdigit():
        seconds = _TOLD_SECONDS_MAX if len(said) > _DIGITS_MAX else int(said)
    elif (instant := _instant(said)) is not None:
        seconds = instant - (now if there is None else there)
    elif limit is not None and limit.reset_at:
        seconds = limit.reset_at - (now if there is None else there)
    return None if seconds is None else min(max(0, seconds), _TOLD_SECONDS_MAX)


def instant_after(seconds: float, *, now: float) -> datetime:
    """The instant so many seconds from now, in UTC."""
    return datetime.fromtimestamp(now, UTC) + timedelta(seconds=seconds)


def _instant(text: str) -> float | None:
    """An HTTP date in unix seconds; None for what is none."""
    if not text:
        return None
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - rarely needed, and slow to load

    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
