"""Instants, zones and legal dates. Instants are microseconds since 1970 in UTC, dates are `datetime.date`."""

from __future__ import annotations

import re
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from faktura.domain.errors import SettingError
from faktura.domain.text import shown

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?\Z",
    re.ASCII,
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
MICROSECONDS = 1_000_000


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name; SettingError when there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        message = f"{name!r} is not an IANA time zone such as Europe/Sofia"
        raise SettingError(message) from error


def to_datetime(instant_us: int, zone_name: str = "UTC") -> datetime:
    """The aware datetime of an instant, in a zone."""
    return (_EPOCH + timedelta(microseconds=instant_us)).astimezone(zone(zone_name))


def to_instant(moment: datetime) -> int:
    """The instant of an aware datetime."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def instant_text(instant_us: int | None) -> str | None:
    """The instant as ISO 8601 in UTC, to the microsecond."""
    return None if instant_us is None else f"{to_datetime(instant_us):%Y-%m-%dT%H:%M:%S.%fZ}"


def legal_date(instant_us: int, zone_name: str) -> date:
    """The calendar date on which an instant falls where the provider keeps its books (BT-2)."""
    return to_datetime(instant_us, zone_name).date()


@lru_cache(maxsize=1024)
def midnight(day: date, zone_name: str) -> int:
    """The instant at which a date begins in a zone."""
    return to_instant(datetime(day.year, day.month, day.day, tzinfo=zone(zone_name)))


def parse_instant(text: str, zone_name: str | None = None) -> int:
    """An ISO 8601 date and time with an offset (`Z`, `+0100` or `+01:00`), or without one in the given zone.

    Raises ValueError. A local time that a zone skips or repeats takes the earlier offset.
    """
    found = _INSTANT.match(text)
    if not found:
        message = f"{text[:40]!r} is not a date and time such as 2024-09-24T21:00:00Z"
        raise ValueError(message)
    *numbers, fraction, offset = found.groups()
    year, month, day, hour, minute, second = map(int, numbers)
    if offset is None and zone_name is None:
        message = f"{text!r} has no offset from UTC"
        raise ValueError(message)
    microsecond = int((fraction or "").ljust(6, "0")[:6])
    if offset is None:
        moment = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=zone(zone_name or "UTC"))
    else:
        plain = "+00:00" if offset == "Z" else offset if ":" in offset else f"{offset[:3]}:{offset[3:]}"
        moment = datetime.fromisoformat(f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{microsecond:06}{plain}")
    if not MINYEAR < moment.year < MAXYEAR:  # a year's margin, so that every zone has a date for it
        message = f"{text!r} is outside the calendar"
        raise ValueError(message)
    return to_instant(moment)


def parse_date(text: object) -> date:
    """A calendar date `2024-09-25` from text, or as TOML gives it; ValueError otherwise."""
    if isinstance(text, datetime):
        message = f"{text} is a date with a time; a date alone is needed"
        raise ValueError(message)  # noqa: TRY004 - one error type for every unusable value
    if isinstance(text, str) and _DATE.match(text):
        text = date.fromisoformat(text)
    if isinstance(text, date):
        if not MINYEAR < text.year < MAXYEAR:  # a year's margin, so that every zone knows the day
            message = f"{text} is outside the calendar"
            raise ValueError(message)
        return text
    message = f"{shown(text)} is not a date such as 2024-09-25"
    raise ValueError(message)
