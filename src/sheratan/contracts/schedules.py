"""Schedules: which job is submitted again and again, or which workflow is run, and when."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.jobs import Name, Submission
from sheratan.contracts.patterns import ZONE
from sheratan.contracts.values import INTEGER_MAX, check_json, convert
from sheratan.contracts.workflows import Workflow

__all__ = [
    "CRON_LENGTH_MAX",
    "EVERY_SECONDS_MAX",
    "JITTER_SECONDS_MAX",
    "KEY_PREFIX",
    "MISSED_MAX",
    "ON_TIME_SECONDS",
    "FiringReceipt",
    "FiringRecord",
    "Instant",
    "MissedPolicy",
    "OverlapPolicy",
    "Schedule",
    "ScheduleRecord",
    "ScheduleState",
    "ScheduledRun",
    "check_schedule",
]

CRON_LENGTH_MAX: Final = 256
"""Characters of a cron expression; one that lists every second of a minute fits."""

EVERY_SECONDS_MAX: Final = 34_560_000
"""400 days, as for the delay of a job; a rarer job is better named by its date."""

JITTER_SECONDS_MAX: Final = 86_400
"""A day; more is no jitter but another schedule."""

MISSED_MAX: Final = 1_000
"""Firings that may be made up for at once: as many jobs as one call may submit."""

ON_TIME_SECONDS: Final = 10
"""A firing that is later than this was missed; an engine that is restarted is back within it."""

KEY_PREFIX: Final = "schedule:"
"""Idempotency keys that begin so are those of firings; callers may use no such key."""

MissedPolicy = Literal["skip", "once", "all"]
"""What becomes of firings that nobody was there for: none, the newest one, or all up to `missed_max` is made up for."""

OverlapPolicy = Literal["queue", "skip", "cancel_previous"]
"""What a firing does while the job, or the run, of the firing before it has not ended."""

Instant = Annotated[int, msgspec.Meta(ge=0, le=INTEGER_MAX)]


_MADE_UP_MAX: Final = 100


class ScheduledRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A workflow that is run, and with what."""

    workflow: Workflow
    input: Any = None


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to submit or to run, and exactly one of `cron`, `every_seconds` and `at_us` that says when.

    Instants are microseconds since the epoch, UTC; durations in seconds. `zone` is the IANA name of the time zone
    that `cron` is read in. `every_seconds` is counted from `starts_us`, or else from when the schedule was created.
    `starts_us` and `ends_us` are the first and the last instant at which it may fire (RFC 5545 section 3.3.10 counts
    the end in, too). Each job starts up to `jitter_seconds` later than its firing; a run begins at once. It has either
    a `submission` or a `run`.
    """

    name: Name
    submission: Submission | None = None
    run: ScheduledRun | None = None
    cron: Annotated[str, msgspec.Meta(min_length=1, max_length=CRON_LENGTH_MAX)] | None = None
    every_seconds: Annotated[float, msgspec.Meta(ge=1, le=EVERY_SECONDS_MAX)] | None = None
    at_us: Instant | None = None
    zone: Annotated[str, msgspec.Meta(max_length=64, pattern=ZONE)] = "UTC"
    missed: MissedPolicy = "once"
    missed_max: Annotated[int, msgspec.Meta(ge=1, le=MISSED_MAX)] = _MADE_UP_MAX
    overlap: OverlapPolicy = "queue"
    jitter_seconds: Annotated[float, msgspec.Meta(ge=0, le=JITTER_SECONDS_MAX)] = 0.0
    starts_us: Instant | None = None
    ends_us: Instant | None = None
    description: Annotated[str, msgspec.Meta(max_length=1_000)] = ""


ScheduleState = Literal["active", "paused", "ended"]
"""Whether it fires: it does, a person has paused it, or no firing lies ahead any more."""


class ScheduleRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as it stands. Instants are microseconds since the epoch, UTC.

    `due_us` is when it is to fire next; a page of a listing leaves `schedule`, the whole definition, out. It has a
    `kind`, and the `last_job`, or the name of a `workflow`, and the `last_run`.
    """

    name: str
    state: ScheduleState
    kind: str | None
    when: str
    created_us: int
    due_us: int | None
    last_us: int | None
    last_job: str | None
    on_behalf_of: str
    entry: int
    workflow: str | None = None
    last_run: str | None = None
    schedule: Schedule | None = None


class FiringRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A firing: its id within its schedule, its instant, UTC and in the zone of its schedule, and what it has made."""

    id: str
    instant_us: int
    local: str
    job: str | None = None
    run: str | None = None


class FiringReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """A firing that somebody has asked for, and what it has made; `existing`: it had been, under the same key."""

    firing: str
    job: str | None = None
    run: str | None = None
    existing: bool = False


def check_schedule(schedule: Schedule) -> Schedule:
    """The schedule, with every value as its type says; what contradicts itself raises InvalidInput by field.

    The text of `cron` is checked when it is parsed, `zone` when it is loaded, the submission's kind when it is known.
    """
    for field in ("submission", "run"):
        work = getattr(schedule, field)
        if work is not None:
            check_json(work.input, f"{field}.input")
    try:
        checked = convert(msgspec.to_builtins(schedule), Schedule)
    except TypeError as error:
        raise InvalidInput(str(error), field="schedule") from error
    _check_when(checked)
    _check_bounds(checked)
    _check_jitter(checked)
    if checked.missed_max != _MADE_UP_MAX and checked.missed != "all":
        text = f"it bounds what `all` makes up for, and missed is `{checked.missed}`: leave it out"
        raise InvalidInput(text, field="missed_max")
    if (checked.submission is None) == (checked.run is None):
        text = "a schedule has either a submission, or a workflow that it runs"
        raise InvalidInput(text, field="submission" if checked.run is None else "run")
    if checked.submission is not None and checked.submission.options.key is not None:
        raise InvalidInput(
            "every firing would give the same job; leave the key out, each firing has one of its own",
            field="submission.options.key",
        )
    return checked


def _check_when(schedule: Schedule) -> None:
    given = [name for name in ("cron", "every_seconds", "at_us") if getattr(schedule, name) is not None]
    if not given:
        raise InvalidInput("nothing says when: give one of cron, every_seconds and at_us", field="cron")
    if len(given) > 1:
        raise InvalidInput(f"given beside {given[0]}: one says when, leave the other out", field=given[1])
    if schedule.zone != "UTC" and schedule.cron is None:
        raise InvalidInput(
            f"only cron is read in a time zone and {given[0]} is not: leave it out", field="zone"
        )


def _check_bounds(schedule: Schedule) -> None:
    starts, ends = schedule.starts_us, schedule.ends_us
    if schedule.at_us is not None:
        for field, bound in (("starts_us", starts), ("ends_us", ends)):
            if bound is not None:
                raise InvalidInput("at_us is one instant and needs no bounds: leave it out", field=field)
    if starts is not None and ends is not None and ends < starts:
        raise InvalidInput(
            f"{ends} lies before starts_us, {starts}: it would never fire; give a later end", field="ends_us"
        )


def _check_jitter(schedule: Schedule) -> None:
    jitter, every = schedule.jitter_seconds, schedule.every_seconds
    if jitter and schedule.run is not None:
        raise InvalidInput("a run begins at once: leave it out", field="jitter_seconds")
    if every is not None and jitter > every:
        raise InvalidInput(
            f"{jitter:g} seconds, and it fires every {every:g} seconds: a job could start after the next one;"
            f" give {every:g} at most",
            field="jitter_seconds",
        )
