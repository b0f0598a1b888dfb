"""When a schedule fires: its firings on the one line of instants, whatever the clocks on the walls do.

A cron schedule fires **at the first instant at which the wall clock of its zone shows a matching time or has passed
it**. That one rule says what happens on the odd nights:

- when the clock is set back, an hour comes twice, and a time in it fires at its first occurrence only;
- when the clock is set forward, all matching times that are skipped fire once, together, at the first instant after
  the gap; if the clock shows a matching time then, that is the same firing.

So a wall-clock time never fires twice, and its firing is named after what the wall clock shows at that instant. An
interval counts elapsed time from its anchor and knows no wall clock; its firings, and that of a schedule for a single
instant, are named after the instant in UTC. A firing has the same name whenever it is computed, so that the schedule's
name and the firing's are a key by which one firing submits one job.

It follows that an expression such as `*/30 * * * *` pauses for the hour that comes again. Who wants the same time
between all firings takes an interval, or cron in UTC.

Instants are microseconds since the epoch, UTC, from 0 to INTEGER_MAX (the year 2255).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from sheratan.contracts.schedules import Schedule
from sheratan.contracts.values import INTEGER_MAX
from sheratan.kernel.cron import Cron
from sheratan.kernel.cron_text import parse_cron

__all__ = ["TRIGGER", "Firing", "Firings", "Timetable", "firing_key", "jitter_us", "trigger_firing"]

TRIGGER: Final = "trigger:"
"""What the id of a firing begins with that somebody has asked for."""

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1)
_US: Final = 1_000_000


class Firing(NamedTuple):
    """One time at which a schedule fires. `id` is unique within the schedule and never changes."""

    id: str
    instant_us: int


class Firings(NamedTuple):
    """Firings, oldest first. `more` says that the limit left some out."""

    firings: tuple[Firing, ...]
    more: bool


class Timetable:
    """The firings of a schedule, in order.

    `zone` is the zone that the schedule names, as a tzinfo that follows PEP 495; `created_us` anchors an interval that
    has no `starts_us`. The anchor itself is the first firing. InvalidInput when `cron` cannot be read.
    """

    def __init__(self, schedule: Schedule, zone: tzinfo, created_us: int) -> None:
        self._first_us = 0 if schedule.starts_us is None else schedule.starts_us
        self._last_us = INTEGER_MAX if schedule.ends_us is None else schedule.ends_us
        self._pattern = _pattern(schedule, zone, created_us)

    def next_after(self, after_us: int) -> Firing | None:
        """The first firing later than an instant; None when there is none."""
        if after_us >= self._last_us:
            return None
        found = self._pattern.next_after(max(after_us, self._first_us - 1))
        return None if found is None or found.instant_us > self._last_us else found

    def last_until(self, until_us: int) -> Firing | None:
        """The last firing that is not later than an instant; None when there is none."""
        if until_us < self._first_us:
            return None
        found = self._pattern.last_until(min(until_us, self._last_us))
        return None if found is None or found.instant_us < self._first_us else found

    def first_between(self, after_us: int, until_us: int, limit: int) -> Firings:
        """The first `limit` firings later than `after_us` and not later than `until_us`."""
        found: list[Firing] = []
        firing = self.next_after(after_us)
        while firing is not None and firing.instant_us <= until_us and len(found) < limit:
            found.append(firing)
            firing = self.next_after(firing.instant_us)
        return Firings(tuple(found), firing is not None and firing.instant_us <= until_us)

    def last_between(self, after_us: int, until_us: int, limit: int) -> Firings:
        """The last `limit` firings later than `after_us` and not later than `until_us`."""
        found: list[Firing] = []
        firing = self.last_until(until_us)
        while firing is not None and firing.instant_us > after_us and len(found) < limit:
            found.append(firing)
            firing = self.last_until(firing.instant_us - 1)
        return Firings(tuple(reversed(found)), firing is not None and firing.instant_us > after_us)


def firing_key(schedule_name: str, firing_id: str) -> str:
    """The idempotency key of the job that a firing submits."""
    return f"schedule:{schedule_name}:{firing_id}"


def trigger_firing(key: str, instant_us: int) -> Firing:
    """The firing that somebody asks for under a key of their own: no timetable has one of this id."""
    return Firing(f"{TRIGGER}{key}", instant_us)


def jitter_us(schedule: Schedule, firing_id: str) -> int:
    """How much later than its firing the job starts: from 0 to below `jitter_seconds`, always the same for a firing."""
    ceiling = round(schedule.jitter_seconds * _US)
    if not ceiling:
        return 0
    digest = hashlib.sha256(firing_key(schedule.name, firing_id).encode()).digest()
    return int.from_bytes(digest[:16], "big") % ceiling


def _pattern(schedule: Schedule, zone: tzinfo, created_us: int) -> _CronInZone | _Interval | _Once:
    if schedule.cron is not None:
        return _CronInZone(parse_cron(schedule.cron), zone)
    if schedule.every_seconds is not None:
        anchor_us = created_us if schedule.starts_us is None else schedule.starts_us
        return _Interval(anchor_us, round(schedule.every_seconds * _US))
    assert schedule.at_us is not None, "check_schedule has seen to it"
    return _Once(schedule.at_us)


class _Once:
    """A single instant."""

    def __init__(self, at_us: int) -> None:
        self._firing = _named_in_utc(at_us)

    def next_after(self, after_us: int) -> Firing | None:
        return self._firing if self._firing.instant_us > after_us else None

    def last_until(self, until_us: int) -> Firing | None:
        return self._firing if self._firing.instant_us <= until_us else None


class _Interval:
    """The anchor, and every so many microseconds after it."""

    def __init__(self, anchor_us: int, every_us: int) -> None:
        self._anchor_us = anchor_us
        self._every_us = every_us

    def next_after(self, after_us: int) -> Firing:
        count = max(0, (after_us - self._anchor_us) // self._every_us + 1)
        return _named_in_utc(self._anchor_us + count * self._every_us)

    def last_until(self, until_us: int) -> Firing | None:
        count = (until_us - self._anchor_us) // self._every_us
        return _named_in_utc(self._anchor_us + count * self._every_us) if count >= 0 else None


class _CronInZone:
    """Matching wall-clock times, each at the first instant at which the wall clock shows it or has passed it."""

    def __init__(self, cron: Cron, zone: tzinfo) -> None:
        self._cron = cron
        self._zone = zone

    def next_after(self, after_us: int) -> Firing | None:
        time = self._cron.next_after(self._reached(after_us))
        return None if time is None else self._firing(time)

    def last_until(self, until_us: int) -> Firing | None:
        time = self._cron.last_until(self._reached(until_us))
        return None if time is None else self._firing(time)

    def _reached(self, us: int) -> datetime:
        """The latest wall-clock time that the clock has shown, or has passed, by an instant."""
        now = _EPOCH + us * _MICROSECOND
        shown = now.astimezone(self._zone)
        wall = shown.replace(tzinfo=None)
        if not shown.fold:
            return wall
        # The clock was set back, and shows what it has shown before: until then it had come further than now.
        before = shown.replace(fold=0).astimezone(UTC)
        set_back = self._first_second(before, now, lambda then: then <= wall)
        return wall + (set_back - before) - _MICROSECOND

    def _firing(self, time: datetime) -> Firing:
        """The firing of a wall-clock time. PEP 495: fold 0 is the first of two, and beyond the gap for none."""
        instant = time.replace(tzinfo=self._zone).astimezone(UTC)
        if self._wall(instant) != time:
            before = time.replace(tzinfo=self._zone, fold=1).astimezone(UTC)
            instant = self._first_second(before, instant, lambda then: then >= time)
        return Firing(self._wall(instant).isoformat(), (instant - _EPOCH) // _MICROSECOND)

    def _wall(self, instant: datetime) -> datetime:
        return instant.astimezone(self._zone).replace(tzinfo=None)

    def _first_second(self, after: datetime, until: datetime, holds: Callable[[datetime], bool]) -> datetime:
        """The first full second, later than `after`, at which something holds of the wall clock, as it does at `until`.

        Clocks are only ever set at full seconds.
        """
        low, high = (after - _EPOCH) // _SECOND + 1, (until - _EPOCH) // _SECOND
        found = bisect_left(
            range(low, high), True, key=lambda second: holds(self._wall(_EPOCH + second * _SECOND))
        )
        return _EPOCH + (low + found) * _SECOND


def _named_in_utc(us: int) -> Firing:
    return Firing((_EPOCH + us * _MICROSECOND).replace(tzinfo=None).isoformat() + "Z", us)
