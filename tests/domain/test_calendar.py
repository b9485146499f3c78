from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faktura.domain.calendar import MICROSECONDS, legal_date, midnight, parse_date, parse_instant, to_datetime, to_instant, zone
from faktura.domain.errors import SettingError

SOFIA = "Europe/Sofia"
BERLIN = "Europe/Berlin"
HOUR = 3600 * MICROSECONDS
instants = st.integers(-(30 * 365) * 24 * HOUR, 180 * 365 * 24 * HOUR)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-09-24T21:00:00.000000Z", date(2024, 9, 25)),
        ("2024-09-24T20:59:59.999999Z", date(2024, 9, 24)),
        ("2024-01-14T22:00:00.000000Z", date(2024, 1, 15)),
        ("2024-01-14T21:59:59.999999Z", date(2024, 1, 14)),
        ("2024-12-31T21:59:59.999999Z", date(2024, 12, 31)),
        ("2024-12-31T22:00:00.000000Z", date(2025, 1, 1)),
        ("2024-02-28T22:00:00Z", date(2024, 2, 29)),
        ("2024-03-30T22:00:00Z", date(2024, 3, 31)),
        ("2024-03-31T21:00:00Z", date(2024, 4, 1)),
        ("2024-10-26T21:00:00Z", date(2024, 10, 27)),
        ("2024-10-27T22:00:00Z", date(2024, 10, 28)),
    ],
)
def test_legal_date_in_sofia(text: str, day: date) -> None:
    """The legal date changes at midnight in Sofia: 21:00Z in summer, 22:00Z in winter, at the end of the year too."""
    assert legal_date(parse_instant(text), SOFIA) == day


@pytest.mark.parametrize("name", [SOFIA, BERLIN, "UTC"])
def test_midnight_and_legal_date_are_inverse(name: str) -> None:
    """Every date from 1970 to 2100 begins at its midnight: that instant bears it, the one before bears the day before."""
    day, end = date(1970, 1, 1), date(2100, 12, 31)
    wrong = []
    while day <= end:
        start = midnight(day, name)
        if legal_date(start, name) != day or legal_date(start - 1, name) != day - timedelta(days=1):
            wrong.append(day)
        day += timedelta(days=1)
    assert wrong == []


def test_midnight_that_does_not_exist() -> None:
    """From 1991 to 1996 Sofia's clocks skipped midnight itself: the day began at one o'clock, at 22:00Z."""
    start = midnight(date(1993, 3, 28), SOFIA)
    assert start == parse_instant("1993-03-27T22:00:00Z")
    assert to_datetime(start, SOFIA).hour == 1


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-03-31T02:59:59", "2024-03-31T00:59:59Z"),
        ("2024-03-31T03:00:00", "2024-03-31T01:00:00Z"),
        ("2024-03-31T03:30:00", "2024-03-31T01:30:00Z"),
        ("2024-03-31T04:00:00", "2024-03-31T01:00:00Z"),
        ("2024-10-27T02:59:59", "2024-10-26T23:59:59Z"),
        ("2024-10-27T03:00:00", "2024-10-27T00:00:00Z"),
        ("2024-10-27T03:59:59", "2024-10-27T00:59:59Z"),
        ("2024-10-27T04:00:00", "2024-10-27T02:00:00Z"),
    ],
)
def test_local_times_around_clock_changes(text: str, instant: str) -> None:
    """A local time that Sofia skips or repeats takes the earlier offset (+02:00 in March, +03:00 in October)."""
    assert parse_instant(text, SOFIA) == parse_instant(instant)


@pytest.mark.parametrize(
    "text",
    [
        "2017-11-16T10:07:15+0100",
        "2017-11-16T10:07:15+01:00",
        "2017-11-16 10:07:15+0100",
        "2017-11-16T09:07:15Z",
        "2017-11-16T09:07:15.000000Z",
        "2017-11-16T09:07:15.0000009Z",
        "2017-11-16T04:37:15-0430",
        "2017-11-16T09:07:15-00:00",
    ],
)
def test_one_instant_many_texts(text: str) -> None:
    """Offsets with and without a colon, Z and any fraction name the same instant."""
    assert parse_instant(text) == 1_510_823_235 * MICROSECONDS


def test_offset_beats_zone() -> None:
    """An offset in the text counts, even a wrong one for the zone: the instant is kept, not the clock."""
    instant = parse_instant("2017-10-09T08:32:46+0100", BERLIN)
    assert to_datetime(instant, BERLIN).isoformat() == "2017-10-09T09:32:46+02:00"


@pytest.mark.parametrize(("fraction", "microseconds"), [("5", 500_000), ("000001", 1), ("123456", 123_456), ("123456789", 123_456), ("9999999", 999_999)])
def test_fractions_of_a_second(fraction: str, microseconds: int) -> None:
    """One to nine digits of a second are read; what is finer than a microsecond is cut, never rounded into the next second."""
    assert parse_instant(f"1970-01-01T00:00:00.{fraction}Z") == microseconds


@given(instant=instants, name=st.sampled_from([SOFIA, BERLIN, "UTC", "America/St_Johns", "Asia/Kathmandu"]))
def test_instant_round_trip(instant: int, name: str) -> None:
    """An instant survives being written in any zone with its offset and read again."""
    moment = to_datetime(instant, name)
    assert to_instant(moment) == instant
    assert parse_instant(moment.isoformat()) == instant
    assert parse_instant(moment.strftime("%Y-%m-%dT%H:%M:%S.%f%z")) == instant


@given(instant=instants, name=st.sampled_from([SOFIA, BERLIN]))
def test_legal_date_is_the_local_date(instant: int, name: str) -> None:
    """A legal date is what a clock on the wall of that zone shows, computed here with the standard library alone."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)
    assert legal_date(instant, name) == moment.astimezone(ZoneInfo(name)).date()
    assert midnight(legal_date(instant, name), name) <= instant


BAD_INSTANTS = """
2024-09-24 2024-09-24T21:00 2024-09-24T21:00:00 20240924T210000Z 2024-13-01T00:00:00Z 2024-02-30T00:00:00Z 2023-02-29T00:00:00Z
2024-09-24T24:00:00Z 2024-09-24T21:60:00Z 2024-09-24T21:00:60Z 2024-09-24T21:00:00z 2024-09-24t21:00:00Z 2024-09-24T21:00:00+1
2024-09-24T21:00:00+01 2024-09-24T21:00:00+2400 2024-09-24T21:00:00+9999 2024-09-24T21:00:00.Z 2024-09-24T21:00:00.1234567890Z
24-09-24T21:00:00Z 0000-01-01T00:00:00Z 10000-01-01T00:00:00Z -2024-09-24T21:00:00Z 2024-9-24T21:00:00Z 2024-09-24T21:00:00UTC
\u0662024-09-24T21:00:00Z null 1510823235
""".split()


@pytest.mark.parametrize("text", [*BAD_INSTANTS, "", " 2024-09-24T21:00:00Z", "2024-09-24T21:00:00Z\n", "2024-09-24T21:00:00Z ", "2024-09-24T21:00:00\x00Z"])
def test_bad_instants(text: str) -> None:
    """What is no complete date and time with an offset raises ValueError."""
    with pytest.raises(ValueError, match=r"."):
        parse_instant(text)


@given(
    text=st.text(alphabet="0123456789-+:.TZ ", max_size=32)
    | st.builds(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}".format,
        st.integers(0, 9999),
        *[st.integers(0, 99)] * 5,
        st.sampled_from(["", "Z", "+0100", "-99:99", ".5+2359"]),
    )
)
def test_any_text_is_an_instant_or_a_value_error(text: str) -> None:
    """Reading any text gives an instant between the years 1 and 9999 or a ValueError, and nothing else."""
    try:
        instant = parse_instant(text, SOFIA)
    except ValueError:
        return
    assert to_instant(datetime(1, 1, 1, tzinfo=UTC)) - 24 * HOUR < instant < to_instant(datetime(9999, 12, 31, tzinfo=UTC)) + 48 * HOUR


@pytest.mark.parametrize("text", ["9999-12-31T23:00:00Z", "0001-01-01T00:00:00+0200"])
def test_instants_at_the_ends_of_the_calendar(text: str) -> None:
    """What is accepted as an instant has a legal date in Sofia; what has none is refused with ValueError."""
    try:
        instant = parse_instant(text)
    except ValueError:
        return
    assert legal_date(instant, SOFIA)


@pytest.mark.parametrize(
    "name", ["", "Europe", "Europe/Atlantis", "../etc/passwd", "/etc/passwd", "Europe/Sofia\x00", "Europe/Sofia\n", "\ud800", "A" * 300, "+03:00"]
)
def test_bad_zones(name: str) -> None:
    """What is no IANA name is a SettingError, whatever the file system makes of it."""
    with pytest.raises(SettingError):
        zone(name)


@given(day=st.dates(min_value=date(2, 1, 1), max_value=date(9998, 12, 31)))
def test_parse_date_round_trip(day: date) -> None:
    """A date is read from its text and passed through as TOML gives it."""
    assert parse_date(day.isoformat()) == day
    assert parse_date(day) is day


@pytest.mark.parametrize(
    "value",
    [
        *"2024-9-25 20240925 2024-W39-3 2024-02-30 2023-02-29 0000-01-01 25.09.2024 2024-09-25T00:00:00Z \u0662024-09-25".split(),
        *["", "2024-09-25\n", " 2024-09-25", None, True, 20240925, 1.5, [], {}, b"2024-09-25", datetime(2024, 9, 25, tzinfo=UTC)],
    ],
)
def test_bad_dates(value: object) -> None:
    """What is no calendar date, a moment in time included, raises ValueError."""
    with pytest.raises(ValueError, match=r"."):
        parse_date(value)
