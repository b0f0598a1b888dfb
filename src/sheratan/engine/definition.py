"""Definitions of schedules: checked and complete before they are stored, and read again when a schedule fires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from sheratan.ambient.zones import load_zone
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.jobs import KindDescription, Options
from sheratan.contracts.limits import Limits
from sheratan.contracts.schedules import FiringRecord, Schedule, check_schedule
from sheratan.engine.commands import CreateSchedule, NewJob
from sheratan.engine.prepare import KindRegistry, fill_in, prepare_job
from sheratan.kernel.canonical import canonical, digest
from sheratan.kernel.timetable import Firing, Timetable
from sheratan.store.rows import ScheduleRow

__all__ = [
    "Definition",
    "differing_field",
    "firing_record",
    "prepare_schedule",
    "read_definition",
    "schedule_text",
    "when_text",
]

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_US: Final = 1_000_000
_CACHED_MAX: Final = 1_024
"""Definitions kept read; those that are small enough for their rows, so two megabytes of them."""

_decode = msgspec.json.Decoder(Schedule).decode


class Definition(NamedTuple):
    """A schedule, when it fires, and the job that each firing submits, but for its key and its jitter."""

    schedule: Schedule
    zone: tzinfo
    timetable: Timetable
    job: NewJob


def prepare_schedule(
    schedule: Schedule, kinds: KindRegistry, limits: Limits, *, replaces: bool
) -> CreateSchedule:
    """A checked definition with every option filled in; a refusal names the field.

    What the kind says now holds until the schedule is given another definition: a firing asks nobody.
    """
    checked = check_schedule(schedule)
    submission = checked.submission
    if submission.options.after:
        raise InvalidInput(
            "every firing would wait for the same jobs; leave it out", field="submission.options.after"
        )
    try:
        job = prepare_job(submission, kinds, limits)
    except InvalidInput as error:
        where = (
            "" if error.field in ("kind", "input") or (error.field or "").startswith("input/") else "options."
        )
        error.field = f"submission.{where}{error.field or ''}"
        raise
    checked = replace(checked, submission=replace(submission, options=_options(job)))
    Timetable(checked, load_zone(checked.zone), 0)
    return CreateSchedule(
        schedule=checked, definition=canonical(msgspec.to_builtins(checked)), replaces=replaces
    )


def _options(job: NewJob) -> Options:
    return Options(
        queue=job.queue,
        priority=job.priority,
        delay_seconds=job.delay_us / _US,
        attempts_max=job.attempts_max,
        backoff_base_seconds=job.backoff_base_us / _US,
        backoff_max_seconds=job.backoff_cap_us / _US,
        run_timeout_seconds=job.run_timeout_us / _US,
        queue_timeout_seconds=job.queue_timeout_us / _US or None,
        after_failure=job.after_failure,  # type: ignore[arg-type]
        tags=job.tags,
        cost=job.cost,
        partition=job.partition,
        version=job.version,
    )


def read_definition(row: ScheduleRow, body: bytes, limits: Limits) -> Definition:
    """The definition of a stored schedule.

    InvalidInput when this host does not know its time zone, or when the limits have become too low for its job.
    """
    read = _read if row.payload is None else _read.__wrapped__
    return read(body, row.created_us, limits)


@lru_cache(_CACHED_MAX)
def _read(body: bytes, created_us: int, limits: Limits) -> Definition:
    schedule = _decode(body)
    submission = schedule.submission
    version = submission.options.version or 1
    job = fill_in(KindDescription(name=submission.kind, version=version), submission.options, limits)
    data = canonical(submission.input)
    zone = load_zone(schedule.zone)
    return Definition(
        schedule,
        zone,
        Timetable(schedule, zone, created_us),
        replace(job, input=data, digest=digest(data)),
    )


def schedule_text(body: bytes) -> Schedule:
    """The schedule that a stored definition describes."""
    return _decode(body)


def firing_record(known: Definition, firing: Firing, job: str | None = None) -> FiringRecord:
    """A firing as users see it."""
    local = (_EPOCH + timedelta(microseconds=firing.instant_us)).astimezone(known.zone)
    return FiringRecord(id=firing.id, instant_us=firing.instant_us, local=local.isoformat(), job=job)


def differing_field(before: Schedule, after: Schedule) -> str | None:
    """The first field in which two schedules differ."""
    for name in Schedule.__struct_fields__:
        if getattr(before, name) != getattr(after, name):
            return name
    return None


def when_text(schedule: Schedule) -> str:
    """When a schedule fires, in a few words."""
    if schedule.cron is not None:
        return f"by cron {schedule.cron} ({schedule.zone})"
    if schedule.every_seconds is not None:
        return f"every {schedule.every_seconds:.15g} seconds"
    return "once"
