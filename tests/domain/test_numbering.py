from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.sample import fault_set

from faktura.domain.errors import InvalidDocumentError, SettingError
from faktura.domain.invoice import TypeCode
from faktura.domain.numbering import NumberMethod, ParsedNumber, Reset, Series, check_template, follow, parse_number, reached, render_number, take

DAY = date(2024, 9, 25)
SERIES = Series(provider_id=1, name="invoice", type_codes=(TypeCode.INVOICE,), method=NumberMethod.COUNTER, template="{seq:010d}")
TEMPLATES = [
    "{seq}",
    "{seq:010d}",
    "{year}-{seq}",
    "{year}/{month:02d}/{seq:06d}",
    "INV {seq:06d}",
    "{seq:06d}/{year}",
    "a_b.{seq}",
    "{month:02d}-{seq}",
    "{year}{seq:06d}",
]
days = st.dates(date(1970, 1, 1), date(2100, 12, 31))


@pytest.mark.parametrize("template", TEMPLATES)
def test_template_accepted(template: str) -> None:
    """A template with one sequence number and harmless text is usable, and so is a series of it."""
    check_template(template, reset=Reset.NEVER)
    assert replace(SERIES, template=template).template == template


@pytest.mark.parametrize(
    "template",
    [
        *["", "2024", "{year}", "{seq}{seq}", "{seq}-{seq:06d}", "{SEQ}", "{seq:6d}", "{seq:0100d}", "{seq:06x}", "{seq!r}", "{seq.real}", "{0}"],
        *[
            "{seq}{",
            "}{seq}",
            "{{seq}}",
            "{seq}\n",
            "{seq}\x00",
            "{seq}%",
            "{seq}'",
            '{seq}"',
            "{seq}<b>",
            "{seq};",
            "{seq}\u2116",
            "{seq}\u0661",
            "{seq}\\",
            "{day}{seq}",
        ],
    ],
)
def test_template_refused(template: str) -> None:
    """A template without exactly one sequence number, or with anything but letters, digits, blank and . / _ - is refused."""
    with pytest.raises(SettingError, match="not a number template"):
        check_template(template, reset=Reset.NEVER)
    with pytest.raises(SettingError, match="not a number template"):
        replace(SERIES, template=template)


@pytest.mark.parametrize("template", ["{seq}", "{month:02d}{seq:04d}", "2024-{seq}"])
def test_yearly_reset_needs_the_year(template: str) -> None:
    """A counter that starts again each year shows the year, or its numbers would repeat."""
    with pytest.raises(SettingError, match="each year needs"):
        check_template(template, reset=Reset.YEAR)
    check_template("{year}-" + template.replace("2024-", ""), reset=Reset.YEAR)


@pytest.mark.parametrize("template", ["{month}{seq}", "{seq}{month}", "{month}1{seq}"])
def test_template_whose_numbers_repeat_refused(template: str) -> None:
    """A template under which two documents of one series can bear one number is refused."""
    with pytest.raises(SettingError):
        check_template(template, reset=Reset.NEVER)


@pytest.mark.parametrize("template", ["{year:02d}-{seq}", "{year:03d}-{seq}", "{month:01d}-{seq}", "{year:00d}-{seq}", "{seq:00d}"])
def test_template_that_cannot_be_filled_refused(template: str) -> None:
    """A width of no digits, or too narrow for every year or month, is refused when the series is set up."""
    with pytest.raises(SettingError):
        check_template(template, reset=Reset.NEVER)


def test_template_with_foreign_digits_refused() -> None:
    """A width is written in ASCII digits."""
    with pytest.raises(SettingError):
        check_template("{seq:0\u0666d}", reset=Reset.NEVER)


@given(template=st.text(alphabet="{}seqyarmonth:0d6 -/", max_size=20), seq=st.integers(1, 10**4))
def test_accepted_templates_render(template: str, seq: int) -> None:
    """Whatever template is accepted renders to text without braces that holds the sequence number."""
    try:
        check_template(template, reset=Reset.NEVER)
    except SettingError:
        return
    number = render_number(template, seq=seq, day=DAY)
    assert str(seq) in number
    assert not set(number) & set("{}")


@pytest.mark.parametrize(
    ("template", "seq", "number"),
    [
        ("{seq:010d}", 1, "0000000001"),
        ("{seq:010d}", 9_999_999_999, "9999999999"),
        ("{seq}", 12, "12"),
        ("{year}/{month:02d}/{seq:04d}", 7, "2024/09/0007"),
        ("{month:02d}-{seq}", 3, "09-3"),
        ("INV {year}.{seq:03d}_a", 999, "INV 2024.999_a"),
    ],
)
def test_render(template: str, seq: int, number: str) -> None:
    """Numbers are padded as the template says and are ten digits for Bulgaria."""
    assert render_number(template, seq=seq, day=DAY) == number


@pytest.mark.parametrize(("template", "seq"), [("{seq:010d}", 10**10), ("{seq:03d}", 1000), ("{year}-{seq:01d}", 10)])
def test_width_overflow_is_refused(template: str, seq: int) -> None:
    """A number of eleven digits is not lawful where ten are the rule: it is refused, not lengthened."""
    with pytest.raises(InvalidDocumentError) as caught:
        render_number(template, seq=seq, day=DAY)
    assert fault_set(caught.value) == {("series-full", "number")}


@given(template=st.sampled_from(TEMPLATES), day=days, seqs=st.sets(st.integers(1, 999_999), min_size=2, max_size=20))
def test_numbers_of_one_day_are_distinct(template: str, day: date, seqs: set[int]) -> None:
    """Different counts give different numbers."""
    assert len({render_number(template, seq=seq, day=day) for seq in seqs}) == len(seqs)


@given(
    template=st.sampled_from(["{year}-{seq}", "{seq:06d}/{year}", "{year}{seq:06d}"]),
    seq=st.integers(1, 999_999),
    years=st.sets(st.integers(1970, 2100), min_size=2),
)
def test_numbers_of_different_years_are_distinct(template: str, seq: int, years: set[int]) -> None:
    """With a yearly reset the same count of two years gives two numbers."""
    check_template(template, reset=Reset.YEAR)
    assert len({render_number(template, seq=seq, day=date(year, 1, 1)) for year in years}) == len(years)


@pytest.mark.parametrize("next_number", [0, -1])
def test_series_starts_at_one(next_number: int) -> None:
    """A series has no number below one."""
    with pytest.raises(SettingError, match="must be 1 to"):
        replace(SERIES, next_number=next_number)


@given(steps=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 400)), max_size=8), reset=st.sampled_from(Reset))
def test_taken_numbers_run_without_gap(steps: list[tuple[int, int]], reset: Reset) -> None:
    """Numbers run on without gap or repetition, from one again only in a new year of a series with reset; dates never fall."""
    series = replace(SERIES, template="{year}-{seq}", reset=reset)
    today, expected, year = DAY, 1, DAY.year
    for count, later in steps:
        today += timedelta(days=later)
        if reset is Reset.YEAR and today.year > year:
            expected = 1
        first, issue_date, series = take(series, count=count, asked=None, today=today)
        assert (first, issue_date) == (expected, today)
        expected, year = first + count, today.year
        assert (series.next_number, series.last_date) == (expected, today)


@given(last=days, asked=days, today=days)
def test_asked_date_lies_between_last_date_and_today(last: date, asked: date, today: date) -> None:
    """An asked date is taken if it is neither before the series' last nor in the future, and refused otherwise."""
    series = replace(SERIES, last_date=last, next_number=5)
    if last <= asked <= today:
        assert take(series, count=2, asked=asked, today=today) == (5, asked, replace(series, next_number=7, last_date=asked))
    else:
        with pytest.raises(InvalidDocumentError) as caught:
            take(series, count=2, asked=asked, today=today)
        assert fault_set(caught.value) == {("ISSUE-DATE", "issue_date")}


def test_clock_behind_the_series() -> None:
    """A clock that stands before the series' last date issues nothing."""
    with pytest.raises(InvalidDocumentError, match="numbers and dates rise together"):
        take(replace(SERIES, last_date=DAY), count=1, asked=None, today=DAY - timedelta(days=1))


ALL_TEMPLATES = [*TEMPLATES, "{seq}{year}", "{month:02d}{seq}{month:02d}", "{year}{year}-{seq:02d}", "TEST-{seq:010d}", "{seq}.{year}.", "7{seq}7"]


@given(template=st.sampled_from(ALL_TEMPLATES), seq=st.integers(1, 10**18), day=days)
def test_a_rendered_number_parses_to_what_it_was_made_of(template: str, seq: int, day: date) -> None:
    """parse_number is the inverse of render_number, whatever stands beside the digits; what overflows has no number."""
    try:
        number = render_number(template, seq=seq, day=day)
    except InvalidDocumentError:
        return
    year = day.year if "{year}" in template else None
    month = day.month if "{month:02d}" in template else None
    parsed = parse_number(template, number)
    assert parsed == ParsedNumber(seq=seq, year=year, month=month)
    assert parsed.fits(day)


@given(template=st.sampled_from(ALL_TEMPLATES), number=st.text(alphabet="0123456789/-. _ABEINSTV\u0661", max_size=14), shape=st.booleans(), data=st.data())
def test_a_parsed_number_renders_to_itself(template: str, number: str, shape: bool, data: st.DataObject) -> None:  # noqa: FBT001
    """Only numbers that the template makes are parsed: rendering what was parsed gives the very text."""
    if shape:  # digits where the template has fields: near misses
        number = template
        for field in ("{seq:010d}", "{seq:06d}", "{seq:02d}", "{seq}", "{year}", "{month:02d}"):
            while field in number:
                number = number.replace(field, data.draw(st.text(alphabet="0123456789", min_size=0, max_size=11)), 1)
    parsed = parse_number(template, number)
    if parsed is not None:
        assert render_number(template, seq=parsed.seq, day=date(parsed.year or 2024, parsed.month or 9, 1)) == number


@pytest.mark.parametrize(
    ("template", "number"),
    [
        *[("{seq:010d}", text) for text in ("1", "00000000001", "0000000000", " 0000000001", "0000000001\n", "000000000\u0661", "+000000001", "")],
        *[("{seq}", text) for text in ("0", "01", "-1", "1.", "1 ", "99999999999999999999")],
        *[("INV-{year}-{seq:03d}", text) for text in ("INV-24-001", "inv-2024-001", "INV-2024-1", "INV-0000-001", "XINV-2024-001")],
        *[("{month:02d}-{seq}", text) for text in ("13-1", "00-1", "1-1")],
        ("{year}{year}-{seq:02d}", "20242025-01"),
    ],
)
def test_a_number_that_no_place_makes(template: str, number: str) -> None:
    """Other widths, signs, digits, years and months are no numbers of the series."""
    assert parse_number(template, number) is None


def test_a_number_of_another_month_does_not_fit() -> None:
    """Year and month in a number are those of its date."""
    parsed = parse_number("{year}/{month:02d}/{seq}", "2024/09/5")
    assert parsed is not None
    assert parsed.fits(DAY)
    assert not parsed.fits(date(2024, 10, 1))
    assert not parsed.fits(date(2023, 9, 1))


@given(places=st.permutations(range(1, 9)), reset=st.sampled_from(Reset))
def test_a_series_goes_on_after_the_highest_number_that_came_in(places: list[int], reset: Reset) -> None:
    """In whatever order documents of elsewhere come: next is the highest of the newest year and one, the last date the newest."""
    series = replace(SERIES, template="{year}-{seq}", reset=reset)
    given_dates = {seq: date(2020 + seq // 3, 5, seq) for seq in places}
    for seq in places:
        series = follow(series, seq=seq, day=given_dates[seq])
    assert (series.next_number, series.last_date) == (9, given_dates[8])
    assert reached(series, given_dates[8]) == 8
    assert reached(series, date(2023, 1, 1)) == (0 if reset is Reset.YEAR else 8)
    assert reached(series, date(2020, 1, 1)) == (None if reset is Reset.YEAR else 8)
