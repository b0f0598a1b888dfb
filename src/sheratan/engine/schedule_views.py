"""Reads about schedules for people and programs."""

from __future__ import annotations

import msgspec

from sheratan.contracts.api import ListSchedules, NextFirings, SchedulePage
from sheratan.contracts.errors import InvalidInput, NotFound
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import DEFAULT_TENANT
from sheratan.contracts.schedules import FiringRecord, ScheduleRecord, ScheduleState
from sheratan.engine.definition import firing_record, read_definition, schedule_text, when_text, work_text
from sheratan.engine.ids import job_id
from sheratan.engine.run_ids import run_ids
from sheratan.store.port import Reader
from sheratan.store.rows import ScheduleRow

__all__ = ["list_schedules", "next_firings", "schedule_record", "schedule_state", "schedules_lag_us"]


def schedule_record(reader: Reader, name: str) -> ScheduleRecord:
    """A schedule as users see it, or NotFound."""
    return _record(reader, _find(reader, name), whole=True)


def list_schedules(reader: Reader, request: ListSchedules, limits: Limits) -> SchedulePage:
    """A page of schedules, by name."""
    if request.limit > limits.list_jobs_max:
        raise InvalidInput(
            f"{request.limit} is above {limits.list_jobs_max} (limits.list_jobs_max)", field="limit"
        )
    rows = reader.list_schedules(DEFAULT_TENANT, request.cursor or "", request.limit + 1)
    items = [_record(reader, row, whole=False) for row in rows[: request.limit]]
    more = len(rows) > request.limit
    return SchedulePage(items=items, next_cursor=items[-1].name if more else None)


def next_firings(reader: Reader, request: NextFirings, now_us: int, limits: Limits) -> list[FiringRecord]:
    """The first firings of a schedule later than an instant; fewer when there are no more."""
    row = _find(reader, request.name)
    known = read_definition(row, _body(reader, row), limits)
    after_us = now_us if request.after_us is None else request.after_us
    found: list[FiringRecord] = []
    while len(found) < request.limit:
        firing = known.timetable.next_after(after_us)
        if firing is None:
            break
        found.append(firing_record(known, firing))
        after_us = firing.instant_us
    return found


def schedule_state(row: ScheduleRow) -> ScheduleState:
    """Whether a schedule fires."""
    if row.state == "paused":
        return "paused"
    return "ended" if row.due_us is None else "active"


def schedules_lag_us(reader: Reader, now_us: int) -> int:
    """How long the longest overdue firing has been due; 0 when none is."""
    due_us = reader.next_firing_us()
    return 0 if due_us is None else max(0, now_us - due_us)


def _find(reader: Reader, name: str) -> ScheduleRow:
    row = reader.schedule(DEFAULT_TENANT, name)
    if row is None or row.state == "deleted":
        raise NotFound(f"there is no schedule {name}", field="name")
    return row


def _record(reader: Reader, row: ScheduleRow, *, whole: bool) -> ScheduleRecord:
    schedule = schedule_text(_body(reader, row))
    work = work_text(schedule)
    record = ScheduleRecord(
        name=row.name,
        state=schedule_state(row),
        kind=work.get("kind"),
        workflow=work.get("workflow"),
        when=when_text(schedule),
        created_us=row.created_us,
        due_us=row.due_us,
        last_us=row.last_us,
        last_job=_last_job(reader, row),
        last_run=None if row.last_run is None else run_ids(reader, [row.last_run])[row.last_run],
        on_behalf_of=row.on_behalf_of,
        entry=row.entry,
    )
    return msgspec.structs.replace(record, schedule=schedule) if whole else record


def _last_job(reader: Reader, row: ScheduleRow) -> str | None:
    if row.last_job is None:
        return None
    return next((job_id(job) for job in reader.jobs([row.last_job])), None)


def _body(reader: Reader, row: ScheduleRow) -> bytes:
    return reader.payload(row.payload) if row.payload else row.definition or b""
