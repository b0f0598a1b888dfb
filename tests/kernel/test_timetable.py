"""Firings of schedules, on the nights when clocks are changed and on all others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.jobs import Submission
from sheratan.contracts.schedules import Schedule
from sheratan.contracts.values import INTEGER_MAX
from sheratan.kernel.timetable import Firing, Firings, Timetable, firing_key, jitter_us

EPOCH = datetime.fromtimestamp(0, UTC)
SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US
REPORT = Submission(kind="report")


def us(text: str) -> int:
    """An instant in UTC, in microseconds since the epoch."""
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


def utc(instant_us: int) -> str:
    return (EPOCH + timedelta(microseconds=instant_us)).replace(tzinfo=None).isoformat(" ")


def by_cron(cron: str, zone: str = "UTC", starts: str | None = None, ends: str | None = None) -> Timetable:
    schedule = Schedule(
        name="nightly",
        submission=REPORT,
        cron=cron,
        zone=zone,
        starts_us=us(starts) if starts else None,
        ends_us=us(ends) if ends else None,
    )
    return Timetable(schedule, ZoneInfo(zone), 0)


def told(firings: Firings) -> list[tuple[str, str]]:
    return [(firing.id, utc(firing.instant_us)) for firing in firings.firings]


# ---------------------------------------------------------------------------------------------------------------------
# The nights

NIGHTS = [
    # Clocks go forward: what is skipped fires at the first instant after the gap, under the time shown then.
    (
        "Europe/Berlin",
        "30 2 * * *",
        "2025-03-28 12:00",
        [
            ("2025-03-29T02:30:00", "2025-03-29 01:30:00"),
            ("2025-03-30T03:00:00", "2025-03-30 01:00:00"),
            ("2025-03-31T02:30:00", "2025-03-31 00:30:00"),
        ],
    ),
    (
        "America/New_York",
        "15,45 2 * * *",
        "2025-03-08 08:00",
        [
            ("2025-03-09T03:00:00", "2025-03-09 07:00:00"),
            ("2025-03-10T02:15:00", "2025-03-10 06:15:00"),
            ("2025-03-10T02:45:00", "2025-03-10 06:45:00"),
        ],
    ),
    (
        "Australia/Lord_Howe",
        "10,50 2 * * *",
        "2025-10-03 16:30",
        [
            ("2025-10-05T02:30:00", "2025-10-04 15:30:00"),
            ("2025-10-05T02:50:00", "2025-10-04 15:50:00"),
            ("2025-10-06T02:10:00", "2025-10-05 15:10:00"),
        ],
    ),
    (
        # Winter time is the exception in Irish law: the clock goes forward when it ends.
        "Europe/Dublin",
        "30 1 * * *",
        "2025-03-29 12:00",
        [
            ("2025-03-30T02:00:00", "2025-03-30 01:00:00"),
            ("2025-03-31T01:30:00", "2025-03-31 00:30:00"),
        ],
    ),
    (
        # There was no midnight.
        "America/Sao_Paulo",
        "0 0 * * *",
        "2018-11-03 02:00",
        [
            ("2018-11-03T00:00:00", "2018-11-03 03:00:00"),
            ("2018-11-04T01:00:00", "2018-11-04 03:00:00"),
            ("2018-11-05T00:00:00", "2018-11-05 02:00:00"),
        ],
    ),
    (
        # There was no 30 December.
        "Pacific/Apia",
        "0 6,18 * * *",
        "2011-12-29 17:00",
        [
            ("2011-12-29T18:00:00", "2011-12-30 04:00:00"),
            ("2011-12-31T00:00:00", "2011-12-30 10:00:00"),
            ("2011-12-31T06:00:00", "2011-12-30 16:00:00"),
        ],
    ),
    (
        "Pacific/Apia",
        "30 3 * * *",
        "2012-09-29 00:00",
        [
            ("2012-09-30T04:00:00", "2012-09-29 14:00:00"),
            ("2012-10-01T03:30:00", "2012-09-30 13:30:00"),
        ],
    ),
    # Clocks go back: what comes twice fires the first time.
    (
        "Europe/Berlin",
        "30 2 * * *",
        "2025-10-25 12:00",
        [
            ("2025-10-26T02:30:00", "2025-10-26 00:30:00"),
            ("2025-10-27T02:30:00", "2025-10-27 01:30:00"),
        ],
    ),
    (
        "America/New_York",
        "30 1 * * *",
        "2025-11-01 12:00",
        [
            ("2025-11-02T01:30:00", "2025-11-02 05:30:00"),
            ("2025-11-03T01:30:00", "2025-11-03 06:30:00"),
        ],
    ),
    (
        "Australia/Lord_Howe",
        "*/15 1 * * *",
        "2025-04-05 14:10",
        [
            ("2025-04-06T01:15:00", "2025-04-05 14:15:00"),
            ("2025-04-06T01:30:00", "2025-04-05 14:30:00"),
            ("2025-04-06T01:45:00", "2025-04-05 14:45:00"),
            ("2025-04-07T01:00:00", "2025-04-06 14:30:00"),
        ],
    ),
    (
        "Europe/Dublin",
        "30 1 * * *",
        "2025-10-25 12:00",
        [
            ("2025-10-26T01:30:00", "2025-10-26 00:30:00"),
            ("2025-10-27T01:30:00", "2025-10-27 01:30:00"),
        ],
    ),
    (
        # The evening before comes to its end twice.
        "America/Sao_Paulo",
        "30 23 * * *",
        "2018-02-17 12:00",
        [
            ("2018-02-17T23:30:00", "2018-02-18 01:30:00"),
            ("2018-02-18T23:30:00", "2018-02-19 02:30:00"),
        ],
    ),
    (
        "Pacific/Apia",
        "30 3 * * *",
        "2012-03-31 00:00",
        [
            ("2012-04-01T03:30:00", "2012-03-31 13:30:00"),
            ("2012-04-02T03:30:00", "2012-04-01 14:30:00"),
        ],
    ),
    # Nothing ever happens.
    (
        "UTC",
        "30 2 * * *",
        "2025-03-29 12:00",
        [
            ("2025-03-30T02:30:00", "2025-03-30 02:30:00"),
            ("2025-03-31T02:30:00", "2025-03-31 02:30:00"),
        ],
    ),
]


@pytest.mark.parametrize(
    ("zone", "cron", "after", "expected"),
    NIGHTS,
    ids=[f"{zone} {after[:10]}".replace("/", "-") for zone, _, after, _ in NIGHTS],
)
def test_the_night_that_clocks_are_changed(
    zone: str, cron: str, after: str, expected: list[tuple[str, str]]
) -> None:
    timetable = by_cron(cron, zone)
    until_us = us(expected[-1][1])
    assert told(timetable.first_between(us(after), until_us, 10)) == expected
    assert told(timetable.last_between(us(after), until_us, 10)) == expected


def test_all_that_a_gap_skips_fires_once_and_with_the_match_at_its_end() -> None:
    every_minute = by_cron("* * * * *", "Europe/Berlin")
    found = every_minute.first_between(us("2025-03-30 00:57"), us("2025-03-30 01:02"), 10)
    assert told(found) == [
        ("2025-03-30T01:58:00", "2025-03-30 00:58:00"),
        ("2025-03-30T01:59:00", "2025-03-30 00:59:00"),
        ("2025-03-30T03:00:00", "2025-03-30 01:00:00"),
        ("2025-03-30T03:01:00", "2025-03-30 01:01:00"),
        ("2025-03-30T03:02:00", "2025-03-30 01:02:00"),
    ]


def test_nothing_fires_in_the_hour_that_comes_again() -> None:
    every_second = by_cron("* * * * * *", "Europe/Berlin")
    last_shown, shown_again, new = us("2025-10-26 00:59:59"), us("2025-10-26 01:00"), us("2025-10-26 02:00")
    for instant_us in (last_shown, shown_again, shown_again + 1, new - HOUR_US // 2, new - 1):
        assert every_second.next_after(instant_us) == Firing("2025-10-26T03:00:00", new)
        assert every_second.last_until(instant_us) == Firing("2025-10-26T02:59:59", last_shown)


@pytest.mark.parametrize(
    "zone",
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Europe/Dublin",
        "America/Sao_Paulo",
        "Pacific/Apia",
    ],
)
def test_in_ten_years_firings_only_move_on_and_no_id_comes_twice(zone: str) -> None:
    timetable = by_cron("*/30 0-3,23 * * *", zone)
    from_us, until_us = us("2009-01-01"), us("2019-01-01")
    found = timetable.first_between(from_us, until_us, 100_000)
    assert not found.more
    assert len(found.firings) > 36_000
    assert all(one.instant_us < other.instant_us for one, other in pairwise(found.firings))
    assert all(one.id < other.id for one, other in pairwise(found.firings))
    assert timetable.last_between(from_us, until_us, 100_000) == found


# ---------------------------------------------------------------------------------------------------------------------
# The rule itself, tried minute by minute

ODD_ZONES = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Caracas",
    "America/Havana",
    "America/Nuuk",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Europe/Moscow",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kwajalein",
]

PATTERNS: dict[str, Callable[[datetime], bool]] = {
    "* * * * *": lambda time: True,
    "*/7 * * * *": lambda time: time.minute % 7 == 0,
    "0 0 * * *": lambda time: (time.hour, time.minute) == (0, 0),
    "10,40 1-3,23 * * *": lambda time: time.minute in (10, 40) and time.hour in (1, 2, 3, 23),
    "59 * * * SUN": lambda time: time.minute == 59 and time.weekday() == 6,
}


@cache
def changes(zone: str) -> list[int]:
    """The days, from 1973 to 2030, on which the zone's offset changes; offsets are whole minutes since 1972."""
    info = ZoneInfo(zone)
    days = [EPOCH + timedelta(days=number) for number in range(3 * 366, 60 * 366)]
    offsets = [day.astimezone(info).utcoffset() for day in days]
    return [
        (day - EPOCH).days for day, (one, other) in zip(days, pairwise(offsets), strict=False) if one != other
    ]


def expected_firings(
    matches: Callable[[datetime], bool], zone: tzinfo, first_us: int, hours: int
) -> list[Firing]:
    """What fires within so many hours: at each minute, whether the clock reaches or passes a new matching time."""
    found: list[Firing] = []
    reached = EPOCH.replace(tzinfo=None)
    # No clock has ever been set back by more than a day: what it had reached before that is known after 26 hours.
    for minute in range(-26 * 60, hours * 60 + 1):
        instant_us = first_us + minute * 60 * SECOND_US
        time = (EPOCH + timedelta(microseconds=instant_us)).astimezone(zone).replace(tzinfo=None, fold=0)
        if time <= reached:
            continue
        if minute > 0:
            passed = range((time - reached) // timedelta(minutes=1))
            if any(matches(time - timedelta(minutes=back)) for back in passed):
                found.append(Firing(time.isoformat(), instant_us))
        reached = time
    return found


@given(st.sampled_from(ODD_ZONES), st.sampled_from(sorted(PATTERNS)), st.data())
def test_a_firing_is_the_first_instant_at_which_the_clock_shows_or_has_passed_a_match(
    zone: str, cron: str, data: st.DataObject
) -> None:
    day = data.draw(st.sampled_from(changes(zone)))
    first_us = day * DAY_US + data.draw(st.integers(-180, 1_440)) * 60 * SECOND_US
    expected = expected_firings(PATTERNS[cron], ZoneInfo(zone), first_us, 28)
    timetable = by_cron(cron, zone)
    found = timetable.first_between(first_us, first_us + 28 * HOUR_US, 10_000)
    assert list(found.firings) == expected
    assert timetable.last_between(first_us, first_us + 28 * HOUR_US, 10_000) == found


@given(
    st.sampled_from(ODD_ZONES),
    st.sampled_from(["* * * * *", "*/7 * * * *", "30 */3 * * *", "0 0 * * *", "0 12 L * *"]),
    st.integers(us("1975-01-01"), us("2035-01-01")),
    st.integers(0, 3 * DAY_US),
)
def test_stepping_jumping_and_looking_back_agree(zone: str, cron: str, after_us: int, span_us: int) -> None:
    timetable = by_cron(cron, zone)
    until_us = after_us + span_us
    some = timetable.first_between(after_us, until_us, 50)
    following = timetable.next_after(after_us)
    assert following is not None
    assert some.firings[:1] == ((following,) if following.instant_us <= until_us else ())
    for before, firing in pairwise((Firing("", after_us), *some.firings)):
        # From anywhere between two firings the next one is the same, and so is the last one.
        middle_us = (before.instant_us + firing.instant_us) // 2
        assert timetable.next_after(middle_us) == firing
        assert timetable.last_until(firing.instant_us) == firing
        assert timetable.last_until(firing.instant_us + 1) == firing
        if before.id:
            assert timetable.last_until(middle_us) == before


# ---------------------------------------------------------------------------------------------------------------------
# Limits and bounds


def test_a_limit_keeps_the_first_or_the_last_and_says_that_there_are_more() -> None:
    hourly = by_cron("@hourly")
    start, noon = us("2025-01-01"), us("2025-01-01 12:00")
    first, last = hourly.first_between(start, noon, 3), hourly.last_between(start, noon, 3)
    assert [firing.id[11:13] for firing in first.firings] == ["01", "02", "03"]
    assert [firing.id[11:13] for firing in last.firings] == ["10", "11", "12"]
    assert first.more
    assert last.more
    assert not hourly.first_between(start, noon, 12).more
    assert not hourly.last_between(start, noon, 12).more
    assert hourly.first_between(start, start, 12) == Firings((), False)
    assert hourly.last_between(start, start, 12) == Firings((), False)


def test_a_schedule_fires_from_its_start_to_its_end_both_included() -> None:
    hourly = by_cron("@hourly", starts="2025-01-01 03:00", ends="2025-01-01 05:00")
    expected = ["2025-01-01T03:00:00", "2025-01-01T04:00:00", "2025-01-01T05:00:00"]
    assert [firing.id for firing in hourly.first_between(0, INTEGER_MAX, 9).firings] == expected
    assert [firing.id for firing in hourly.last_between(-1, INTEGER_MAX, 9).firings] == expected
    assert hourly.next_after(us("2025-01-01 05:00")) is None
    assert hourly.last_until(us("2025-01-01 02:59")) is None


def test_between_two_firings_a_start_and_an_end_leave_none() -> None:
    hourly = by_cron("@hourly", starts="2025-01-01 03:01", ends="2025-01-01 03:59")
    assert hourly.next_after(0) is None
    assert hourly.last_until(INTEGER_MAX) is None


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_instants_have_two_ends(zone: str) -> None:
    every_second = by_cron("* * * * * *", zone)
    first, last = every_second.next_after(-1), every_second.last_until(INTEGER_MAX)
    assert first is not None
    assert last is not None
    assert first.instant_us == 0
    assert last.instant_us == INTEGER_MAX // SECOND_US * SECOND_US
    assert every_second.next_after(INTEGER_MAX) is None
    assert every_second.next_after(last.instant_us) is None
    assert every_second.next_after(1 << 62) is None
    assert every_second.last_until(-1) is None
    assert every_second.last_until(-(1 << 62)) is None
    assert every_second.last_until(1 << 62) == last
    assert every_second.next_after(-(1 << 62)) == first


def test_an_expression_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        by_cron("61 * * * *")
    assert refused.value.field == "cron"


# ---------------------------------------------------------------------------------------------------------------------
# Intervals and single instants


def every(seconds: float, created_us: int, starts_us: int | None = None) -> Timetable:
    schedule = Schedule(name="often", submission=REPORT, every_seconds=seconds, starts_us=starts_us)
    return Timetable(schedule, UTC, created_us)


def test_an_interval_counts_elapsed_time_from_its_creation() -> None:
    hourly = every(3_600, us("2025-03-30 00:10:00.000250"))
    found = hourly.first_between(us("2025-03-30 00:10:00.000250"), us("2025-03-30 02:30"), 9)
    assert told(found) == [
        ("2025-03-30T01:10:00.000250Z", "2025-03-30 01:10:00.000250"),
        ("2025-03-30T02:10:00.000250Z", "2025-03-30 02:10:00.000250"),
    ]
    assert hourly.next_after(0) == Firing("2025-03-30T00:10:00.000250Z", us("2025-03-30 00:10:00.000250"))
    assert hourly.last_until(us("2025-03-30 00:10")) is None


def test_the_start_of_an_interval_is_its_anchor_and_its_first_firing() -> None:
    starts_us = us("2025-06-01 12:00")
    hourly = every(3_600, us("2025-03-30 00:10"), starts_us)
    assert hourly.next_after(us("2025-03-30 00:10")) == Firing("2025-06-01T12:00:00Z", starts_us)
    assert hourly.next_after(starts_us) == Firing("2025-06-01T13:00:00Z", starts_us + HOUR_US)
    assert hourly.last_until(starts_us - 1) is None


@given(
    st.floats(1, 10**6),
    st.integers(0, 10**15),
    st.integers(0, 10**15),
    st.integers(1, 40),
)
def test_an_interval_does_not_drift(seconds: float, anchor_us: int, after_us: int, steps: int) -> None:
    timetable = every(seconds, anchor_us)
    every_us = round(seconds * SECOND_US)
    firing = timetable.next_after(after_us)
    for _ in range(steps):
        assert firing is not None
        assert (firing.instant_us - anchor_us) % every_us == 0
        assert timetable.last_until(firing.instant_us) == firing
        following = timetable.next_after(firing.instant_us)
        assert following is not None
        assert following.instant_us == firing.instant_us + every_us
        assert timetable.last_until(following.instant_us - 1) == firing
        firing = following


def test_a_single_instant_fires_once() -> None:
    at_us = us("2025-01-01 12:00:00.5")
    once = Timetable(Schedule(name="once", submission=REPORT, at_us=at_us), UTC, 0)
    firing = Firing("2025-01-01T12:00:00.500000Z", at_us)
    assert once.next_after(0) == once.next_after(at_us - 1) == once.last_until(at_us) == firing
    assert once.next_after(at_us) is None
    assert once.last_until(at_us - 1) is None
    assert once.first_between(0, INTEGER_MAX, 9) == Firings((firing,), False)


# ---------------------------------------------------------------------------------------------------------------------
# Keys and jitter


def jittery(seconds: float, name: str = "nightly") -> Schedule:
    return Schedule(name=name, submission=REPORT, cron="@hourly", jitter_seconds=seconds)


def test_the_key_of_a_firing_names_the_schedule_and_the_firing() -> None:
    assert firing_key("nightly", "2025-03-30T03:00:00") == "schedule:nightly:2025-03-30T03:00:00"


@given(st.floats(0, 86_400), st.text(max_size=30))
def test_jitter_stays_below_its_bound_and_repeats(seconds: float, firing_id: str) -> None:
    drawn = jitter_us(jittery(seconds), firing_id)
    assert 0 <= drawn < max(1, round(seconds * SECOND_US))
    assert jitter_us(jittery(seconds), firing_id) == drawn


def test_jitter_spreads_over_firings_and_schedules() -> None:
    by_firing = [jitter_us(jittery(1), f"2025-01-01T{number}") for number in range(2_000)]
    by_name = [jitter_us(jittery(1, f"s{number}"), "2025-01-01T00:00:00") for number in range(2_000)]
    for drawn in (by_firing, by_name):
        buckets = [sum(low <= one < low + 100_000 for one in drawn) for low in range(0, SECOND_US, 100_000)]
        assert min(buckets) > 140
        assert max(buckets) < 260


def test_the_same_firing_starts_at_the_same_instant_in_every_release() -> None:
    assert jitter_us(jittery(60), "2025-03-30T03:00:00") == GOLDEN_JITTER_US


GOLDEN_JITTER_US = 41_450_403
"""Another number means that a job which was submitted before an upgrade starts at another instant after it."""
