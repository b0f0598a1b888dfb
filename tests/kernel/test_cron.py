"""Cron expressions: what is read, what is refused, and which times match, checked against other readings of cron."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from itertools import islice

import pytest
from cronsim import CronSim
from hypothesis import assume, given
from hypothesis import strategies as st

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.schedules import CRON_LENGTH_MAX
from sheratan.kernel.cron import YEARS_MAX
from sheratan.kernel.cron_text import parse_cron

START = datetime.fromisoformat("2025-01-15T10:30:00")
SECOND = timedelta(seconds=1)


def after(text: str, moment: str, number: int) -> list[str]:
    """The next matches after a moment, as text."""
    cron, at = parse_cron(text), datetime.fromisoformat(moment)
    found: list[str] = []
    for _ in range(number):
        match = cron.next_after(at)
        assert match is not None
        found.append(match.isoformat(" "))
        at = match
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * * *", ["2025-01-15 10:31:00", "2025-01-15 10:32:00"]),
        ("* * * * * *", ["2025-01-15 10:30:01", "2025-01-15 10:30:02"]),
        ("*/20 * * * * *", ["2025-01-15 10:30:20", "2025-01-15 10:30:40", "2025-01-15 10:31:00"]),
        ("*/15 * * * *", ["2025-01-15 10:45:00", "2025-01-15 11:00:00"]),
        ("50/5 * * * *", ["2025-01-15 10:50:00", "2025-01-15 10:55:00", "2025-01-15 11:50:00"]),
        ("0-30/10,7 11 * * *", ["2025-01-15 11:00:00", "2025-01-15 11:07:00", "2025-01-15 11:10:00"]),
        ("30 10 * * *", ["2025-01-16 10:30:00"]),
        ("05 07 * * *", ["2025-01-16 07:05:00"]),
        ("0 9-17/4 * * mon-fri", ["2025-01-15 13:00:00", "2025-01-15 17:00:00", "2025-01-16 09:00:00"]),
        ("0 0 * * MON-SUN", ["2025-01-16 00:00:00", "2025-01-17 00:00:00"]),
        ("0 0 * * 0", ["2025-01-19 00:00:00", "2025-01-26 00:00:00"]),
        ("0 0 * * 7", ["2025-01-19 00:00:00", "2025-01-26 00:00:00"]),
        ("0 0 * * 6-7", ["2025-01-18 00:00:00", "2025-01-19 00:00:00", "2025-01-25 00:00:00"]),
        ("0 0 1 JAN,jul *", ["2025-07-01 00:00:00", "2026-01-01 00:00:00"]),
        ("0 0 1 1-12/6 ?", ["2025-07-01 00:00:00", "2026-01-01 00:00:00"]),
        ("0 0 L * ?", ["2025-01-31 00:00:00", "2025-02-28 00:00:00", "2025-03-31 00:00:00"]),
        ("0 0 1,L 2 *", ["2025-02-01 00:00:00", "2025-02-28 00:00:00", "2026-02-01 00:00:00"]),
        ("0 0 LW * ?", ["2025-01-31 00:00:00", "2025-02-28 00:00:00", "2025-03-31 00:00:00"]),
        ("0 0 LW 5,8 ?", ["2025-05-30 00:00:00", "2025-08-29 00:00:00"]),
        ("0 0 15W * *", ["2025-02-14 00:00:00", "2025-03-14 00:00:00", "2025-04-15 00:00:00"]),
        ("0 0 1W 2,3,6 ?", ["2025-02-03 00:00:00", "2025-03-03 00:00:00", "2025-06-02 00:00:00"]),
        ("0 0 31W 5,6,8 ?", ["2025-05-30 00:00:00", "2025-08-29 00:00:00"]),
        ("0 0 ? * MON#2", ["2025-02-10 00:00:00", "2025-03-10 00:00:00"]),
        ("0 0 ? * 7#1", ["2025-02-02 00:00:00", "2025-03-02 00:00:00"]),
        ("0 0 ? * 5L", ["2025-01-31 00:00:00", "2025-02-28 00:00:00", "2025-03-28 00:00:00"]),
        ("0 0 ? * FRIL,MON#1", ["2025-01-31 00:00:00", "2025-02-03 00:00:00", "2025-02-28 00:00:00"]),
        ("0 0 29 2 *", ["2028-02-29 00:00:00", "2032-02-29 00:00:00"]),
        ("0 0 ? 2 MON#5", ["2044-02-29 00:00:00"]),
        ("@yearly", ["2026-01-01 00:00:00", "2027-01-01 00:00:00"]),
        ("@annually", ["2026-01-01 00:00:00"]),
        ("@monthly", ["2025-02-01 00:00:00", "2025-03-01 00:00:00"]),
        ("@weekly", ["2025-01-19 00:00:00", "2025-01-26 00:00:00"]),
        ("@daily", ["2025-01-16 00:00:00", "2025-01-17 00:00:00"]),
        ("@midnight", ["2025-01-16 00:00:00"]),
        ("  @Hourly ", ["2025-01-15 11:00:00", "2025-01-15 12:00:00"]),
        (" 0\t12  * * * ", ["2025-01-15 12:00:00"]),
    ],
)
def test_the_next_matches_of_an_expression(text: str, expected: list[str]) -> None:
    assert after(text, "2025-01-15 10:30:00", len(expected)) == expected


def test_days_of_month_and_of_week_are_a_union_when_neither_begins_with_a_star() -> None:
    expected = ["2025-01-17 00:00:00", "2025-01-20 00:00:00", "2025-01-24 00:00:00", "2025-01-31 00:00:00"]
    assert after("0 0 20 * FRI", "2025-01-15", 4) == expected


def test_days_of_month_and_of_week_must_both_match_when_one_begins_with_a_star() -> None:
    assert after("0 0 */2 * FRI", "2025-01-15", 2) == ["2025-01-17 00:00:00", "2025-01-31 00:00:00"]
    assert after("0 0 20 * */7", "2025-01-15", 2) == ["2025-04-20 00:00:00", "2025-07-20 00:00:00"]


def test_a_match_is_later_than_the_moment_by_whatever_little() -> None:
    cron = parse_cron("30 10 * * *")
    today = START
    assert cron.next_after(today - timedelta(microseconds=1)) == today
    assert cron.next_after(today) == today + timedelta(days=1)
    assert cron.last_until(today) == today
    assert cron.last_until(today + timedelta(microseconds=999_999)) == today
    assert cron.last_until(today - timedelta(microseconds=1)) == today - timedelta(days=1)


def test_a_leap_day_on_a_given_weekday_is_found_across_a_century_without_one() -> None:
    assert after("0 0 29 2 */7", "2088-02-29", 1) == ["2128-02-29 00:00:00"]
    found = parse_cron("0 0 29 2 */7").last_until(datetime.fromisoformat("2128-02-28"))
    assert found == datetime.fromisoformat("2088-02-29")
    assert YEARS_MAX == 2128 - 2088


def test_a_century_is_a_leap_year_only_every_fourth_time() -> None:
    assert after("0 0 29 2 *", "1996-03-01", 2) == ["2000-02-29 00:00:00", "2004-02-29 00:00:00"]
    assert after("0 0 29 2 *", "2096-01-01", 2) == ["2096-02-29 00:00:00", "2104-02-29 00:00:00"]
    assert after("0 0 L 2 *", "2100-01-01", 1) == ["2100-02-28 00:00:00"]


def test_the_calendar_has_two_ends() -> None:
    assert parse_cron("0 0 1 1 *").next_after(datetime.fromisoformat("9999-06-01")) is None
    assert parse_cron("0 0 1 8 *").last_until(datetime.fromisoformat("0001-06-01")) is None


# ---------------------------------------------------------------------------------------------------------------------
# What is refused


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "0 fields"),
        ("* * * *", "4 fields"),
        ("* * * * * * *", "7 fields"),
        ("@reboot", "@yearly"),
        ("@daily @daily", "2 fields"),
        ("60 * * * *", "minute '60': 60 is out of range; minute is 0 to 59, such as 30"),
        ("60 * * * * *", "second '60': 60 is out of range; second is 0 to 59"),
        ("0 24 * * *", "hour '24': 24 is out of range; hour is 0 to 23"),
        ("0 0 0 * *", "day of month '0': 0 is out of range; day of month is 1 to 31"),
        ("0 0 32 * *", "day of month '32'"),
        ("0 0 32W * *", "day of month '32W'"),
        ("0 0 * 0 *", "month '0': 0 is out of range; month is 1 to 12"),
        ("0 0 * 13 *", "month '13'"),
        ("0 0 * * 8", "day of week '8': 8 is out of range; day of week is 0 to 7"),
        ("0 0 * * 8L", "day of week '8L'"),
        ("*/0 * * * *", "minute '*/0': a step is 1 to 59"),
        ("*/60 * * * *", "minute '*/60': a step is 1 to 59"),
        ("*/ * * * *", "minute '*/'"),
        ("*/-1 * * * *", "minute '*/-1'"),
        ("0 */24 * * *", "hour '*/24': a step is 1 to 23"),
        ("30-10 * * * *", "minute '30-10': the range runs backwards"),
        ("0 0 * * FRI-MON", "day of week 'FRI-MON': the range runs backwards"),
        ("0 0 * DEC-JAN *", "month 'DEC-JAN': the range runs backwards"),
        ("-5 * * * *", "minute '-5': a number is missing"),
        ("5- * * * *", "minute '5-': a number is missing"),
        ("1,,2 * * * *", "minute '': a number is missing"),
        ("1, * * * *", "a number is missing"),
        ("JAN * * * *", "minute 'JAN': 'JAN' is no number"),
        ("0 0 * MON *", "month 'MON': 'MON' is no number or name"),
        ("0 0 * * L", "day of week 'L': a number or name is missing"),
        ("0 0 * * MON#0", "1 to 5 times"),
        ("0 0 * * MON#6", "1 to 5 times"),
        ("0 0 * * #2", "day of week '#2': a number or name is missing"),
        ("0 0 W * *", "day of month 'W': a number is missing"),
        ("0 0 L-3 * *", "day of month 'L-3'"),
        ("0 0 L/2 * *", "day of month 'L/2'"),
        ("0 ? * * *", "hour '?'"),
        ("0 0 ?/2 * *", "day of month '?/2'"),
        ("0 0 * * 1-3#2", "day of week '1-3#2'"),
        ("٣ * * * *", "is no number"),
        ("1e1 * * * *", "is no number"),
        ("+1 * * * *", "is no number"),
        ("0 0 30 2 *", "day of month '30': the chosen months have 29 days at most"),
        ("0 0 30,31W 2 *", "day of month '30,31W': the chosen months have 29 days at most"),
        ("0 0 31 4,6,SEP,11 *", "day of month '31': the chosen months have 30 days at most"),
        ("0 0 30 2 MON", "day of month '30'"),
        ("0 0 LW * */6", "day of month 'LW': never falls on day of week '*/6'"),
    ],
)
def test_a_refusal_names_the_part_and_what_it_may_be(text: str, says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_cron(text)
    assert refused.value.field == "cron"
    assert says in refused.value.detail


def test_a_long_text_is_refused_and_a_long_part_is_not_repeated() -> None:
    listed = ",".join(["1"] * ((CRON_LENGTH_MAX - 8) // 2))
    parse_cron(f"{listed} * * * *")
    with pytest.raises(InvalidInput, match=f"at most {CRON_LENGTH_MAX}"):
        parse_cron("*" * (CRON_LENGTH_MAX + 1))
    with pytest.raises(InvalidInput) as refused:
        parse_cron("x" * 200 + " * * * *")
    assert len(refused.value.detail) < 250


@given(st.text(alphabet="0123456789*/,-?LW# MONJAN@", max_size=40))
def test_whatever_the_text_it_is_read_or_refused_by_field(text: str) -> None:
    try:
        cron = parse_cron(text)
    except InvalidInput as refused:
        assert refused.field == "cron"  # noqa: PT017 - either way is right
    else:
        assert cron.next_after(START) is not None


# ---------------------------------------------------------------------------------------------------------------------
# Other readings


def part(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    """A field of an expression: a star, or a list of values, ranges and steps."""
    number = st.integers(low, high).map(str)
    value = number | st.sampled_from(names) if names else number
    ordered = st.tuples(st.integers(low, high), st.integers(low, high)).map(sorted)
    span = ordered.filter(lambda pair: pair[0] < pair[1]).map(lambda pair: f"{pair[0]}-{pair[1]}")
    stepped = st.builds("{}/{}".format, st.just("*") | span | number, st.integers(1, high))
    items = st.lists(value | span | stepped, min_size=1, max_size=3).map(",".join)
    return st.just("*") | items


MONTHS = tuple(calendar.month_abbr[number].upper() for number in range(1, 13))
WEEKDAYS = tuple(name.upper() for name in calendar.day_abbr)
days_of_month = part(1, 31) | st.sampled_from(["L", "LW", "1,L", "15,LW"])
days_of_week = part(0, 7, WEEKDAYS) | st.builds(
    "{}{}".format, st.integers(0, 7), st.sampled_from(["#1", "#2", "#5", "L"])
)
expressions = st.builds(
    "{} {} {} {} {} {}".format,
    part(0, 59),
    part(0, 59),
    part(0, 23),
    days_of_month,
    part(1, 12, MONTHS),
    days_of_week,
)
moments = st.datetimes(datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2110-01-01"))


@given(expressions, moments)
def test_cronsim_finds_the_same_matches(text: str, moment: datetime) -> None:
    try:
        cron = parse_cron(text)
    except InvalidInput:
        assume(False)
        return
    theirs = list(islice(CronSim(text, moment), 4))
    at = moment
    for expected in theirs:
        found = cron.next_after(at)
        assert found == expected
        at = expected
    back = list(islice(CronSim(text, moment, reverse=True), 2))
    assert cron.last_until(back[0]) == back[0]
    assert cron.last_until(back[0] - SECOND) == back[1]


@given(expressions, moments)
def test_the_next_match_and_the_last_one_meet(text: str, moment: datetime) -> None:
    try:
        cron = parse_cron(text)
    except InvalidInput:
        assume(False)
        return
    following = cron.next_after(moment)
    assert following is not None
    assert following > moment
    assert cron.last_until(following) == following
    before = cron.last_until(following - SECOND)
    assert before is not None
    assert before <= moment
    assert cron.next_after(before) == following


def all_days(first: int, last: int) -> Iterator[date]:
    day = date(first, 1, 1)
    while day.year <= last:
        yield day
        day += timedelta(days=1)


def nearest_workday(wanted: int) -> Callable[[date], bool]:
    """Whether a day is the workday nearest to the `wanted` one of its month, by trying all of them."""

    def matches(day: date) -> bool:
        length = calendar.monthrange(day.year, day.month)[1]
        workdays = [n for n in range(1, length + 1) if day.replace(day=n).weekday() < 5]
        return wanted <= length and day.day == min(workdays, key=lambda n: abs(n - wanted))

    return matches


@pytest.mark.parametrize("wanted", range(1, 32))
def test_the_nearest_workday_is_the_one_that_trying_all_days_finds(wanted: int) -> None:
    matches = nearest_workday(wanted)
    expected = [f"{day} 00:00:00" for day in all_days(2023, 2028) if matches(day)]
    assert after(f"0 0 {wanted}W * *", "2022-12-31", len(expected)) == expected


def test_the_last_workday_is_the_one_that_trying_all_days_finds() -> None:
    ends = [day for day in all_days(2001, 2028) if (day + timedelta(days=1)).day == 1]
    expected = [f"{end - timedelta(days=max(0, end.weekday() - 4))} 00:00:00" for end in ends]
    assert after("0 0 LW * *", "2000-12-31", len(expected)) == expected
