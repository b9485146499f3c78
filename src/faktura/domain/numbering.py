"""Number series: how documents get their numbers (BT-1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from functools import lru_cache

from faktura.domain.errors import InvalidDocumentError, SettingError, fault
from faktura.domain.invoice import TypeCode

_FIELD = re.compile(r"\{(?:(seq)(?::0([1-9]|1[0-8])d)?|(year)|(month):02d)\}")
_TEXT = re.compile(r"[A-Za-z0-9 ./_-]*\Z")


TEST_PREFIX = "TEST-"
"""What every number of a test provider begins with, and no other: whoever sees a document sees that it is none."""

NUMBER_MAX = 10**18
"""The largest number of a series: as many digits as a template can pad."""


class NumberMethod(StrEnum):
    """Where a series takes its numbers from."""

    COUNTER = "counter"
    """The series' own counter: continuous, checked."""
    ORDER = "order"
    """The document's lowest order id, as VPSBG's pro-formas do."""


class Reset(StrEnum):
    """When a counter starts again at one. Bulgarian series never do."""

    NEVER = "never"
    YEAR = "year"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One run of numbers of a provider, for one or more document types."""

    provider_id: int
    name: str
    type_codes: tuple[TypeCode, ...]
    method: NumberMethod
    template: str
    """Text with {seq} or {seq:06d}, and perhaps {year} and {month:02d}: only what keeps rendered numbers distinct."""
    next_number: int = 1
    last_date: date | None = None
    """The newest issue date in the series: later numbers never bear an earlier one."""
    reset: Reset = Reset.NEVER

    def __post_init__(self) -> None:
        check_template(self.template, reset=self.reset)
        if not 1 <= self.next_number <= NUMBER_MAX:
            message = f"the next number of series {self.name} must be 1 to {NUMBER_MAX}, not {self.next_number}"
            raise SettingError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedNumber:
    """What a template made a number of."""

    seq: int
    year: int | None = None
    """None where the template does not show it."""
    month: int | None = None

    def fits(self, day: date) -> bool:
        """Whether a document of that date bears the number."""
        return self.year in {None, day.year} and self.month in {None, day.month}


def take(series: Series, *, count: int, asked: date | None, today: date) -> tuple[int, date, Series]:
    """The next `count` numbers and their issue date: (first number, date, the series afterwards).

    The date is `asked`, or today; never before the series' last date and never in the future (`today` is the
    provider's calendar day). InvalidDocumentError otherwise: then nothing may be issued.
    """
    issue_date = asked or today
    if series.last_date and issue_date < series.last_date:
        message = f"{issue_date} is before {series.last_date}, the last date of series {series.name}: numbers and dates rise together"
        raise InvalidDocumentError([fault("ISSUE-DATE", "issue_date", message)])
    if issue_date > today:
        message = f"{issue_date} is in the future; where the books are kept it is {today}"
        raise InvalidDocumentError([fault("ISSUE-DATE", "issue_date", message)])
    starts_again = series.reset is Reset.YEAR and series.last_date is not None and series.last_date.year < issue_date.year
    first = 1 if starts_again else series.next_number
    return first, issue_date, replace(series, next_number=first + count, last_date=issue_date)


def check_template(template: str, *, reset: Reset) -> None:
    """SettingError unless every rendered number is distinct and made of harmless characters."""
    fields = [found.group(1) or found.group(3) or found.group(4) for found in _FIELD.finditer(template)]
    if fields.count("seq") != 1 or not _TEXT.match(_FIELD.sub("", template)):
        message = (
            f"{template!r} is not a number template: it needs one {{seq}} or {{seq:06d}}, and may have {{year}}, {{month:02d}}, letters, digits and . / _ -"
        )
        raise SettingError(message)
    if reset is Reset.YEAR and "year" not in fields:
        message = f"a series that starts again each year needs {{year}} in its template, or numbers would repeat: {template!r}"
        raise SettingError(message)


def check_mark(template: str, *, is_test: bool) -> None:
    """SettingError unless the numbers of a test provider are marked, and those of a legal one are not."""
    if template.startswith(TEST_PREFIX) is not is_test:
        message = f"{template!r}: numbers of a test provider begin with {TEST_PREFIX}, and only those"
        raise SettingError(message)


def render_number(template: str, *, seq: int, day: date) -> str:
    """The document number. Raises InvalidDocumentError when a fixed width overflows: the next number would not be lawful."""

    def fill(found: re.Match[str]) -> str:
        if not found.group(1):
            return f"{day.year:04}" if found.group(3) else f"{day.month:02}"
        width = int(found.group(2) or 0)
        text = f"{seq:0{width}d}" if width else str(seq)
        if width and len(text) > width:
            message = f"the series is used up: {seq} does not fit {width} digits"
            raise InvalidDocumentError([fault("series-full", "number", message)])
        return text

    return _FIELD.sub(fill, template)


def fits_template(series: Series) -> bool:
    """Whether the template has room for the series' next number."""
    try:
        return bool(render_number(series.template, seq=series.next_number, day=series.last_date or date.min))
    except InvalidDocumentError:
        return False


def parse_number(template: str, number: str) -> ParsedNumber | None:
    """The inverse of `render_number`: what the template made the number of; None for a number that it never makes."""
    found = _pattern(template).fullmatch(number)
    if not found:
        return None
    known = found.groupdict()
    seq, year = int(known["seq"]), known.get("year")
    if seq == 0 or year == "0000":
        return None
    return ParsedNumber(seq=seq, year=int(year) if year else None, month=int(known["month"]) if known.get("month") else None)


@lru_cache(maxsize=256)
def _pattern(template: str) -> re.Pattern[str]:
    """At most one field of a number has a width of its own choosing, so there is one way to read it."""
    parts, end, seen = [], 0, set()
    for field in _FIELD.finditer(template):
        parts.append(re.escape(template[end : field.start()]))
        end = field.end()
        name = field.group(1) or field.group(3) or field.group(4)
        width = int(field.group(2) or 0)
        digits = {"year": "[0-9]{4}", "month": "0[1-9]|1[0-2]", "seq": f"[0-9]{{{width}}}" if width else "[1-9][0-9]{0,18}"}[name]
        parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{digits})")
        seen.add(name)
    return re.compile("".join([*parts, re.escape(template[end:])]), re.ASCII)


def period(series: Series, day: date) -> int:
    """What the numbers of that date are counted in: the year, or 0 where a series never starts again."""
    return day.year if series.reset is Reset.YEAR else 0


def reached(series: Series, day: date) -> int | None:
    """The highest number that is given out or left out in the date's period; None for a year before the series' last date, which it does not count any more."""
    if series.reset is Reset.NEVER or series.last_date is None or day.year == series.last_date.year:
        return series.next_number - 1
    return 0 if day.year > series.last_date.year else None


def follow(series: Series, *, seq: int, day: date) -> Series:
    """The series after a document with this number and date, which was issued elsewhere, came in: it goes on after it, and never goes back."""
    last_date = max(day, series.last_date or day)
    high = reached(series, day)
    if series.method is not NumberMethod.COUNTER or high is None:
        return replace(series, last_date=last_date)
    return replace(series, next_number=max(high, seq) + 1, last_date=last_date)
