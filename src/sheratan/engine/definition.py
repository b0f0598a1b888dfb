"""Definitions of schedules: checked and complete before they are stored, and read again when a schedule fires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from sheratan.ambient.zones import load_zone
from sheratan.contracts.errors import InvalidInput, TooLarge
from sheratan.contracts.ids import RUN_PREFIX
from sheratan.contracts.jobs import KindDescription, Options, Submission
from sheratan.contracts.limits import Limits
from sheratan.contracts.schedules import FiringReceipt, FiringRecord, Schedule, ScheduledRun, check_schedule
from sheratan.contracts.workflows import as_declared
from sheratan.engine.commands import CreateSchedule, Declaration, NewJob
from sheratan.engine.prepare import KindRegistry, fill_in, prepare_job
from sheratan.engine.prepare_runs import prepare_run
from sheratan.engine.run_start import NewRun
from sheratan.kernel.canonical import canonical, digest
from sheratan.kernel.graph import workflow_digest
from sheratan.kernel.timetable import Firing, Timetable
from sheratan.store.rows import ScheduleRow

__all__ = [
    "Definition",
    "differing_field",
    "firing_receipt",
    "firing_record",
    "prepare_schedule",
    "read_definition",
    "schedule_text",
    "when_text",
    "work_text",
]

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_US: Final = 1_000_000
_CACHED_MAX: Final = 1_024
"""Definitions kept read; those that are small enough for their rows, so two megabytes of them."""


class _Stored(Schedule, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A schedule as it is stored: one that runs a workflow has its plan, as canonical JSON like the whole."""

    plan: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Stored).decode


class Definition(NamedTuple):
    """A schedule, when it fires, and what each firing submits or runs, but for its key and its jitter."""

    schedule: Schedule
    zone: tzinfo
    timetable: Timetable
    work: NewJob | NewRun


def prepare_schedule(
    schedule: Schedule, kinds: KindRegistry, limits: Limits, *, replaces: bool
) -> CreateSchedule:
    """A checked definition with every option filled in; a refusal names the field.

    What the kind says now holds until the schedule is given another definition: a firing asks nobody.
    """
    checked = check_schedule(schedule)
    Timetable(checked, load_zone(checked.zone), 0)
    if checked.run is not None:
        return _prepare_run(checked, checked.run, kinds, limits, replaces=replaces)
    submission = checked.submission
    assert submission is not None, "a schedule that runs no workflow submits a job"
    if submission.options.after:
        raise InvalidInput(
            "every firing would wait for the same jobs; leave it out", field="submission.options.after"
        )
    if submission.options.traceparent is not None:
        raise InvalidInput(
            "every firing would go on with the same trace; leave it out",
            field="submission.options.traceparent",
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
    told = msgspec.to_builtins(checked)
    # So that what was defined before there were scheduled runs, or deadlines, is the same as it was.
    del told["run"], told["submission"]["options"]["traceparent"]
    if job.deadline_after_us == 0:
        del told["submission"]["options"]["deadline_seconds"]
    return CreateSchedule(schedule=checked, definition=canonical(told), replaces=replaces)


def _prepare_run(
    checked: Schedule, run: ScheduledRun, kinds: KindRegistry, limits: Limits, *, replaces: bool
) -> CreateSchedule:
    """The definition of a schedule that runs a workflow: it keeps the whole plan."""
    try:
        new = prepare_run(run.workflow, run.input, kinds, limits)
    except (InvalidInput, TooLarge) as error:
        field = error.field or ""
        place = field if field.split("/")[0] in ("input", "workflow") else f"workflow/{field}"
        error.field = f"run/{place}".rstrip("/")
        raise
    told = msgspec.to_builtins(checked)
    del told["submission"]
    told["run"] = {"workflow": as_declared(run.workflow), "input": run.input}
    told["plan"] = msgspec.json.decode(new.declared.plan)
    return CreateSchedule(schedule=checked, definition=canonical(told), replaces=replaces)


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
        deadline_seconds=job.deadline_after_us / _US or None,
        after_failure=job.after_failure,  # type: ignore[arg-type]
        tags=job.tags,
        cost=job.cost,
        partition=job.partition,
        budget=dict(job.budget) or None,
        # What is usual is left open, as it was before firings had a criticality.
        criticality=None if job.criticality == "normal" else job.criticality,
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
    stored = _decode(body)
    schedule = _described(stored)
    zone = load_zone(schedule.zone)
    if schedule.run is not None:
        work: NewJob | NewRun = _new_run(schedule.run, bytes(stored.plan))
    else:
        assert schedule.submission is not None, "a schedule that runs no workflow submits a job"
        work = _new_job(schedule.submission, limits)
    return Definition(schedule, zone, Timetable(schedule, zone, created_us), work)


def _new_job(submission: Submission, limits: Limits) -> NewJob:
    version = submission.options.version or 1
    job = fill_in(KindDescription(name=submission.kind, version=version), submission.options, limits)
    data = canonical(submission.input)
    return replace(job, input=data, digest=digest(data))


def _new_run(run: ScheduledRun, plan: bytes) -> NewRun:
    workflow = run.workflow
    declared = Declaration(
        workflow=workflow.name,
        version=workflow_digest(workflow),
        plan=plan,
        wall_us=round(workflow.budget.wall_seconds_max * _US),
    )
    return NewRun(declared=declared, input=canonical(run.input))


def _described(stored: _Stored) -> Schedule:
    return Schedule(**{name: getattr(stored, name) for name in Schedule.__struct_fields__})


def schedule_text(body: bytes) -> Schedule:
    """The schedule that a stored definition describes."""
    return _described(_decode(body))


def work_text(schedule: Schedule) -> dict[str, str]:
    """The kind or the workflow of a schedule, by what it is."""
    if schedule.run is not None:
        return {"workflow": schedule.run.workflow.name}
    assert schedule.submission is not None, "a schedule that runs no workflow submits a job"
    return {"kind": schedule.submission.kind}


def firing_record(known: Definition, firing: Firing, made: str | None = None) -> FiringRecord:
    """A firing as users see it, with the id of what it has made."""
    local = (_EPOCH + timedelta(microseconds=firing.instant_us)).astimezone(known.zone)
    record = FiringRecord(id=firing.id, instant_us=firing.instant_us, local=local.isoformat())
    if made is None:
        return record
    return replace(record, run=made) if made.startswith(RUN_PREFIX) else replace(record, job=made)


def firing_receipt(firing: Firing, made: str, *, existing: bool) -> FiringReceipt:
    """What somebody is told who has let a schedule fire."""
    receipt = FiringReceipt(firing=firing.id, existing=existing)
    return replace(receipt, run=made) if made.startswith(RUN_PREFIX) else replace(receipt, job=made)


def differing_field(before: msgspec.Struct, after: msgspec.Struct) -> str | None:
    """The first field in which two schedules differ, such as `submission.options.queue`."""
    for name in before.__struct_fields__:
        one, other = getattr(before, name), getattr(after, name)
        if one == other:
            continue
        if isinstance(one, msgspec.Struct) and type(one) is type(other):
            return f"{name}.{differing_field(one, other)}"
        return name
    return None


def when_text(schedule: Schedule) -> str:
    """When a schedule fires, in a few words."""
    if schedule.cron is not None:
        return f"by cron {schedule.cron} ({schedule.zone})"
    if schedule.every_seconds is not None:
        return f"every {schedule.every_seconds:.15g} seconds"
    return "once"
