"""The text of a cron expression, read into the times that it matches.

Five fields (minute, hour, day of month, month, day of week), or six with seconds first. Each is `*`, or a list of
numbers, ranges `1-5` and steps `*/15`, `0-30/10`, `5/15` (from 5 on). Months and weekdays have names (`JAN`, `MON`);
Sunday is 0 and 7. Days of the month also know `L` (the last), `LW` (the last workday) and `15W` (the workday nearest
to the 15th), weekdays `MON#2` (the second Monday) and `5L` (the last Friday). `?` is `*` for either day.

Day of month and day of week: when neither field begins with a star, a day matches that matches either (POSIX crontab).
When one of them does, it must match both, `*/2` included, as in Vixie's cron.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.schedules import CRON_LENGTH_MAX
from sheratan.kernel.cron import Cron, MonthDays, WeekDays

__all__ = ["parse_cron"]


class _Field(NamedTuple):
    """A part of an expression: its numbers, their names, and what its items may look like."""

    name: str
    low: int
    high: int
    example: str
    names: tuple[str, ...] = ()


_SECOND: Final = _Field("second", 0, 59, "0, 10-20 or */15")
_MINUTE: Final = _Field("minute", 0, 59, "30, 0-10 or */15")
_HOUR: Final = _Field("hour", 0, 23, "3, 9-17 or */2")
_MONTH_DAY: Final = _Field("day of month", 1, 31, "1, 10-20, L, LW or 15W")
_MONTH: Final = _Field(
    "month",
    1,
    12,
    "1, JAN-MAR or */3",
    ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)
_WEEK_DAY: Final = _Field(
    "day of week", 0, 7, "0, MON-FRI, MON#2 or 5L", ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
)

_MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTH_LENGTHS_MAX: Final = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_BEFORE_ALL_KINDS_OF_YEAR: Final = datetime.fromisoformat("2000-12-31T23:59:59")
_SHOWN_MAX: Final = 40
_KEPT_MAX: Final = 1_024
"""Expressions kept read: many schedules share one."""

_is_number = re.compile("[0-9]{1,4}").fullmatch


@lru_cache(_KEPT_MAX)
def parse_cron(text: str) -> Cron:
    """What a cron expression matches; InvalidInput names `cron`, the part that is wrong and what it may be.

    An expression that never matches is refused, too, such as 30 February.
    """
    if len(text) > CRON_LENGTH_MAX:
        raise InvalidInput(f"{len(text)} characters; at most {CRON_LENGTH_MAX}", field="cron")
    parts = _parts(text)
    if len(parts) == 5:
        parts.insert(0, "0")
    if len(parts) != 6:
        raise InvalidInput(
            f"{_shown(text)} has {len(parts)} fields; give five (minute, hour, day of month, month, day of week),"
            " or six with seconds first, such as 30 3 * * MON-FRI",
            field="cron",
        )
    second, minute, hour, month_day, month, week_day = parts
    cron = Cron(
        seconds=_numbers(_SECOND, second),
        minutes=_numbers(_MINUTE, minute),
        hours=_numbers(_HOUR, hour),
        month_days=_month_days(month_day),
        months=_numbers(_MONTH, month),
        week_days=_week_days(week_day),
        both_days=month_day[0] in "*?" or week_day[0] in "*?",
    )
    _check_possible(cron, month_day, week_day)
    return cron


def _parts(text: str) -> list[str]:
    """The fields of an expression, a macro being written out."""
    parts = text.upper().split()
    if len(parts) != 1 or not parts[0].startswith("@"):
        return parts
    macro = parts[0].lower()
    if macro not in _MACROS:
        raise InvalidInput(f"{_shown(text)} is none of {', '.join(_MACROS)}", field="cron")
    return _MACROS[macro].split()


def _month_days(part: str) -> MonthDays:
    plain: list[str] = []
    near: list[int] = []
    items = ["*"] if part == "?" else part.split(",")
    for item in items:
        if item.endswith("W") and item != "LW":
            near.append(_number(_MONTH_DAY, item[:-1], item))
        elif item not in ("L", "LW"):
            plain.append(item)
    days = _numbers(_MONTH_DAY, ",".join(plain)) if plain else 0
    return MonthDays(days=days, last="L" in items, last_workday="LW" in items, near=tuple(near))


def _week_days(part: str) -> WeekDays:
    plain: list[str] = []
    nth: list[tuple[int, int]] = []
    last: list[int] = []
    for item in ["*"] if part == "?" else part.split(","):
        weekday, hash_sign, n = item.partition("#")
        if hash_sign:
            if n not in ("1", "2", "3", "4", "5"):
                raise _wrong(_WEEK_DAY, item, "a month has a weekday 1 to 5 times")
            nth.append((_number(_WEEK_DAY, weekday, item), int(n)))
        elif item.endswith("L"):
            last.append(_number(_WEEK_DAY, item[:-1], item))
        else:
            plain.append(item)
    bits = _numbers(_WEEK_DAY, ",".join(plain)) if plain else 0
    return WeekDays(weekdays=(bits | bits >> 7) & 0x7F, nth=tuple(nth), last=tuple(last))


def _numbers(field: _Field, part: str) -> int:
    """The numbers that a list of values, ranges and steps stands for, as bits."""
    found = 0
    for item in part.split(","):
        span, slash, step = item.partition("/")
        low, high = _span(field, span, item, open_ended=bool(slash))
        for number in range(low, high + 1, _step(field, step, item) if slash else 1):
            found |= 1 << number
    return found


def _span(field: _Field, span: str, item: str, *, open_ended: bool) -> tuple[int, int]:
    if span == "*":
        return field.low, field.high
    start, dash, end = span.partition("-")
    low = _number(field, start, item)
    if not dash:
        return low, field.high if open_ended else low
    high = _number(field, end, item)
    if field is _WEEK_DAY and high == 0:
        # A range may end with Sunday, as in MON-SUN.
        high = 7 if low > 0 else 0
    if high < low:
        raise _wrong(field, item, "the range runs backwards")
    return low, high


def _step(field: _Field, text: str, item: str) -> int:
    if _is_number(text) and 1 <= int(text) <= field.high:
        return int(text)
    raise _wrong(field, item, f"a step is 1 to {field.high}")


def _number(field: _Field, text: str, item: str) -> int:
    if text in field.names:
        return field.low + field.names.index(text)
    if not _is_number(text):
        wanted = "number or name" if field.names else "number"
        raise _wrong(field, item, f"{_shown(text)} is no {wanted}" if text else f"a {wanted} is missing")
    if not field.low <= int(text) <= field.high:
        raise _wrong(field, item, f"{text} is out of range")
    return int(text)


def _check_possible(cron: Cron, month_day: str, week_day: str) -> None:
    """Refuse what never comes: a day that no chosen month has, or days of month and week that never coincide."""
    days = cron.month_days
    longest = max(
        length for month, length in enumerate(_MONTH_LENGTHS_MAX) if month and cron.months >> month & 1
    )
    reached = days.last or days.last_workday or min(days.near, default=32) <= longest
    if not reached and not days.days & (2 << longest) - 1:
        raise _wrong(_MONTH_DAY, month_day, f"the chosen months have {longest} days at most")
    if cron.next_after(_BEFORE_ALL_KINDS_OF_YEAR) is None:
        raise _wrong(_MONTH_DAY, month_day, f"never falls on day of week {_shown(week_day)}")


def _wrong(field: _Field, item: str, problem: str) -> InvalidInput:
    allowed = f"{field.name} is {field.low} to {field.high}, such as {field.example}"
    return InvalidInput(f"{field.name} {_shown(item)}: {problem}; {allowed}", field="cron")


def _shown(text: str) -> str:
    """Text from outside as a message quotes it: escaped and bounded."""
    return repr(text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…")
