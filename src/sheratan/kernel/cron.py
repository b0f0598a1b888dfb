"""Cron expressions as sets of wall-clock times: the next match after a moment, and the last until then.

Time here is what a clock on the wall shows: naive datetimes, to the second. `kernel/cron_text.py` reads an expression,
`kernel/timetable.py` puts its times into a time zone. A set of numbers is an integer: bit 5 of `minutes` is minute 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import MAXYEAR, MINYEAR, date, datetime, timedelta
from typing import Final

import msgspec

__all__ = ["YEARS_MAX", "Cron", "MonthDays", "WeekDays"]

YEARS_MAX: Final = 40
"""The calendar's longest wait: from one 29 February on a given weekday to the next when 2100 lies between."""

_SUNDAY: Final = 0
_SATURDAY: Final = 6
_WEEKLY: Final = 1 << 0 | 1 << 7 | 1 << 14 | 1 << 21 | 1 << 28
_MONTH_LENGTHS: Final = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MONTH_BEGINS: Final = (1, 0, 0, 0)
_MONTH_ENDS: Final = (31, 23, 59, 59)
_SECOND: Final = timedelta(seconds=1)


class MonthDays(msgspec.Struct, frozen=True, kw_only=True):
    """Days by their number: `days`, the last day (`L`), the last workday (`LW`), workdays near a day (`15W`).

    A workday is Monday to Friday. The one near a Saturday or Sunday is the nearest within the same month.
    """

    days: int = 0
    last: bool = False
    last_workday: bool = False
    near: tuple[int, ...] = ()

    def in_month(self, first: int, length: int) -> int:
        """The days that match in a month of `length` days that begins on weekday `first`."""
        found = self.days
        if self.last:
            found |= 1 << length
        if self.last_workday:
            found |= 1 << _workday_near(length, first, length)
        for day in self.near:
            if day <= length:
                found |= 1 << _workday_near(day, first, length)
        return found


class WeekDays(msgspec.Struct, frozen=True, kw_only=True):
    """Days by their weekday: `weekdays`, the nth in a month (`MON#2`), the last in it (`5L`).

    Sunday is bit 0 of `weekdays`, and 0 or 7 elsewhere.
    """

    weekdays: int = 0
    nth: tuple[tuple[int, int], ...] = ()
    last: tuple[int, ...] = ()

    def in_month(self, first: int, length: int) -> int:
        """The days that match in a month of `length` days that begins on weekday `first`."""
        found = 0
        for day in range(1, 8):
            if self.weekdays >> (first + day - 1) % 7 & 1:
                found |= _WEEKLY << day
        for weekday, n in self.nth:
            found |= 1 << 1 + (weekday - first) % 7 + 7 * (n - 1)
        for weekday in self.last:
            found |= 1 << length - (first + length - 1 - weekday) % 7
        return found


class Cron(msgspec.Struct, frozen=True, kw_only=True):
    """What an expression matches. A day must match both ways when `both_days` is true, else either will do."""

    seconds: int
    minutes: int
    hours: int
    month_days: MonthDays
    months: int
    week_days: WeekDays
    both_days: bool

    def next_after(self, moment: datetime) -> datetime | None:
        """The first match later than `moment`; None when there is none within YEARS_MAX years."""
        start = moment.replace(microsecond=0) + _SECOND
        at = (start.day, start.hour, start.minute, start.second)
        for year, month in _months_on(start):
            found = _first_from(self._sets(year, month), at)
            if found is not None:
                day, hour, minute, second = found
                return start.replace(year, month, day, hour, minute, second)
            at = _MONTH_BEGINS
        return None

    def last_until(self, moment: datetime) -> datetime | None:
        """The last match that is not later than `moment`; None when there is none within YEARS_MAX years."""
        at = (moment.day, moment.hour, moment.minute, moment.second)
        for year, month in _months_back(moment):
            found = _last_until(self._sets(year, month), at)
            if found is not None:
                day, hour, minute, second = found
                return moment.replace(year, month, day, hour, minute, second, 0)
            at = _MONTH_ENDS
        return None

    def _sets(self, year: int, month: int) -> tuple[int, ...]:
        """The days, hours, minutes and seconds that match in a month."""
        return self._days(year, month), self.hours, self.minutes, self.seconds

    def _days(self, year: int, month: int) -> int:
        if not self.months >> month & 1:
            return 0
        first = date(year, month, 1).isoweekday() % 7
        length = 29 if month == 2 and _is_leap(year) else _MONTH_LENGTHS[month]
        by_number = self.month_days.in_month(first, length)
        by_weekday = self.week_days.in_month(first, length)
        found = by_number & by_weekday if self.both_days else by_number | by_weekday
        return found & (2 << length) - 1


def _first_from(sets: tuple[int, ...], at: tuple[int, ...]) -> tuple[int, ...] | None:
    """The first choice of a number from each set that, read left to right, is not before `at`."""
    if not sets:
        return ()
    if sets[0] >> at[0] & 1:
        rest = _first_from(sets[1:], at[1:])
        if rest is not None:
            return at[0], *rest
    higher = _lowest(sets[0], at[0] + 1)
    return None if higher < 0 else (higher, *(_lowest(numbers, 0) for numbers in sets[1:]))


def _last_until(sets: tuple[int, ...], at: tuple[int, ...]) -> tuple[int, ...] | None:
    """The last choice of a number from each set that, read left to right, is not after `at`."""
    if not sets:
        return ()
    if sets[0] >> at[0] & 1:
        rest = _last_until(sets[1:], at[1:])
        if rest is not None:
            return at[0], *rest
    lower = _highest(sets[0], at[0] - 1)
    return None if lower < 0 else (lower, *(_highest(numbers, 59) for numbers in sets[1:]))


def _lowest(numbers: int, least: int) -> int:
    """The lowest number of a set from `least` on, -1 when there is none."""
    rest = numbers >> least
    return least + (rest & -rest).bit_length() - 1 if rest else -1


def _highest(numbers: int, most: int) -> int:
    """The highest number of a set up to `most`, -1 when there is none."""
    return (numbers & (2 << most) - 1 if most >= 0 else 0).bit_length() - 1


def _months_on(moment: datetime) -> Iterator[tuple[int, int]]:
    """The year and month of `moment` and of all that follow, for YEARS_MAX years."""
    last = min(moment.year + YEARS_MAX, MAXYEAR)
    for index in range(moment.year * 12 + moment.month - 1, last * 12 + 12):
        yield index // 12, index % 12 + 1


def _months_back(moment: datetime) -> Iterator[tuple[int, int]]:
    """The year and month of `moment` and of all that came before, for YEARS_MAX years."""
    first = max(moment.year - YEARS_MAX, MINYEAR)
    for index in range(moment.year * 12 + moment.month - 1, first * 12 - 1, -1):
        yield index // 12, index % 12 + 1


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _workday_near(day: int, first: int, length: int) -> int:
    """The workday nearest to `day` in the same month."""
    weekday = (first + day - 1) % 7
    if weekday == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == _SUNDAY:
        return day + 1 if day < length else day - 2
    return day
