"""What people do with schedules: create, change, pause, resume and delete them, make up for firings, let them fire."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from sheratan.ambient.zones import load_zone
from sheratan.contracts.errors import Conflict, InvalidInput, LimitReached, NotFound
from sheratan.contracts.principal import Principal
from sheratan.contracts.schedules import MISSED_MAX, FiringReceipt, FiringRecord, Schedule
from sheratan.engine.batch import Batch
from sheratan.engine.commands import (
    BackfillSchedule,
    CreateSchedule,
    DeleteSchedule,
    NewJob,
    PauseSchedule,
    ResumeSchedule,
    TriggerSchedule,
)
from sheratan.engine.control import check_reason
from sheratan.engine.definition import (
    Definition,
    differing_field,
    firing_receipt,
    firing_record,
    read_definition,
    schedule_text,
    when_text,
    work_text,
)
from sheratan.engine.ids import job_id
from sheratan.engine.intake import plan_firing, refuse, submit_firing
from sheratan.engine.keys import find_key
from sheratan.engine.run_keys import find_run_of_key
from sheratan.engine.run_start import NewRun, begin, check_room
from sheratan.engine.submitted import Plan
from sheratan.kernel.canonical import digest
from sheratan.kernel.timetable import Firing, Timetable, firing_key, jitter_us, trigger_firing
from sheratan.store.rows import JobRow, ScheduleRow

__all__ = [
    "backfill",
    "create",
    "definition_of",
    "delete",
    "find_made",
    "pause",
    "put",
    "record",
    "resume",
    "run_of_firing",
    "scheduled_job",
    "trigger",
]

BACKFILL_MAX: Final = MISSED_MAX
"""Firings of one backfill: as many jobs as one call may submit."""


def create(batch: Batch, command: CreateSchedule, by: Principal) -> str:
    """Create a schedule: `created`, `changed` when it took another's place, or `unchanged` when it was there so."""
    name = command.schedule.name
    known = _known(batch, by.tenant, name)
    if known is not None and known.state != "deleted":
        return _change(batch, command, known, by)
    most = batch.state.limits.schedules_max
    if batch.state.schedule_count >= most:
        raise LimitReached(
            f"there are {most} schedules; delete those that have ended (limits.schedules_max)", field="name"
        )
    due_us = _first_due(batch, command, batch.at_us)
    body, payload = batch.keep(command.definition)
    row = ScheduleRow(
        by.tenant,
        name,
        "active",
        body,
        payload,
        by.on_behalf_of,
        batch.at_us,
        batch.at_us,
        due_us,
        None,
        None,
        -1,
    )
    entry = record(
        batch, "schedule.created", row, _defined(command, row), by, previous=known.entry if known else None
    )
    put(batch, row._replace(entry=entry))
    batch.state.schedule_count += 1
    return "created"


def _change(batch: Batch, command: CreateSchedule, known: ScheduleRow, by: Principal) -> str:
    before = _body(batch, known)
    if before == command.definition:
        return "unchanged"
    if not command.replaces:
        field = differing_field(schedule_text(before), command.schedule)
        raise Conflict(
            f"schedule {known.name} is there with another {field};"
            " let it be replaced, or give this one another name",
            field=field,
        )
    due_us = _first_due(batch, command, known.created_us)
    body, payload = batch.keep(command.definition)
    row = known._replace(
        definition=body,
        payload=payload,
        on_behalf_of=by.on_behalf_of,
        after_us=batch.at_us,
        due_us=due_us if known.state == "active" else None,
    )
    entry = record(batch, "schedule.changed", row, _defined(command, row), by)
    put(batch, row._replace(entry=entry))
    return "changed"


def _first_due(batch: Batch, command: CreateSchedule, created_us: int) -> int:
    schedule = command.schedule
    first = Timetable(schedule, load_zone(schedule.zone), created_us).next_after(batch.at_us)
    if first is None:
        field = next(
            name for name in ("at_us", "cron", "every_seconds") if getattr(schedule, name) is not None
        )
        raise InvalidInput("none of its firings lies ahead, so it would never fire", field=field)
    return first.instant_us


def _defined(command: CreateSchedule, row: ScheduleRow) -> dict[str, Any]:
    schedule = command.schedule
    return {
        "definition": digest(command.definition),
        **work_text(schedule),
        "when": when_text(schedule),
        "due_us": row.due_us,
    }


def pause(batch: Batch, command: PauseSchedule, by: Principal) -> bool:
    """Pause a schedule; False when it was paused already. What falls into the pause is not made up for."""
    check_reason(command.reason)
    row = _find(batch, by.tenant, command.name)
    if row.state == "paused":
        return False
    entry = record(batch, "schedule.paused", row, {"reason": command.reason}, by)
    put(batch, row._replace(state="paused", due_us=None, entry=entry))
    return True


def resume(batch: Batch, command: ResumeSchedule, by: Principal) -> bool:
    """Let a schedule fire again, from now on; False when it was not paused."""
    row = _find(batch, by.tenant, command.name)
    if row.state != "paused":
        return False
    first = definition_of(batch, row).timetable.next_after(batch.at_us)
    due_us = None if first is None else first.instant_us
    entry = record(batch, "schedule.resumed", row, {"due_us": due_us}, by)
    put(batch, row._replace(state="active", after_us=batch.at_us, due_us=due_us, entry=entry))
    return True


def delete(batch: Batch, command: DeleteSchedule, by: Principal) -> None:
    """Delete a schedule; its jobs and its story stay."""
    check_reason(command.reason)
    row = _find(batch, by.tenant, command.name)
    entry = record(batch, "schedule.deleted", row, {"reason": command.reason}, by)
    put(batch, row._replace(state="deleted", definition=None, payload=None, due_us=None, entry=entry))
    batch.state.schedule_count -= 1


def backfill(batch: Batch, command: BackfillSchedule, by: Principal) -> list[FiringRecord]:
    """Submit the jobs of past firings, all or none, and return every firing with its job.

    A firing that has submitted a job already is left as it is. Neither the policies nor the jitter count here.
    """
    row = _find(batch, by.tenant, command.name)
    known = definition_of(batch, row)
    firings = _past_firings(batch, command, known)
    made = {one.id: find_made(batch, row, one) for one in firings}
    missing = [one for one in firings if made[one.id] is None]
    if missing and not command.dry_run:
        asked = _Asked(row, "schedule.backfilled", {"from_us": command.from_us, "until_us": command.until_us})
        made.update(_make_all(batch, asked, known, missing, by))
    return [firing_record(known, one, made[one.id]) for one in firings]


def trigger(batch: Batch, command: TriggerSchedule, by: Principal) -> FiringReceipt:
    """Submit the job of a schedule now, or begin its run, whether it is paused or not; once for each key.

    As for a backfill neither the policies nor the jitter count, and the next firing knows nothing of it.
    """
    check_reason(command.reason)
    row = _find(batch, by.tenant, command.name)
    key = f"{batch.randomness.bits('trigger', 64):016x}" if command.key is None else command.key
    firing = trigger_firing(key, batch.at_us)
    made = find_made(batch, row, firing)
    if made is not None:
        return firing_receipt(firing, made, existing=True)
    asked = _Asked(row, "schedule.triggered", {"reason": command.reason} if command.reason else {})
    made = _make_all(batch, asked, definition_of(batch, row), [firing], by)[firing.id]
    return firing_receipt(firing, made, existing=False)


class _Asked(NamedTuple):
    """What somebody has asked a schedule for: the type of the entry about it, and what else that says."""

    row: ScheduleRow
    entry_type: str
    told: dict[str, Any]


def _past_firings(batch: Batch, command: BackfillSchedule, known: Definition) -> tuple[Firing, ...]:
    if command.until_us > batch.at_us:
        raise InvalidInput("it lies ahead; what is yet to come fires by itself", field="until_us")
    if command.from_us > command.until_us:
        raise InvalidInput("it lies behind until_us; give an earlier one", field="from_us")
    found = known.timetable.first_between(command.from_us - 1, command.until_us, BACKFILL_MAX)
    if found.more:
        last_us = found.firings[-1].instant_us
        raise InvalidInput(
            f"more than {BACKFILL_MAX} firings lie between; make up for those up to {last_us} first",
            field="until_us",
        )
    return found.firings


def find_made(batch: Batch, row: ScheduleRow, firing: Firing) -> str | None:
    """The job that a firing has submitted, or the run that it has begun."""
    name = firing_key(row.name, firing.id)
    key = find_key(batch, row.tenant, name)
    return find_run_of_key(batch, row.tenant, name) if key is None else batch.trace(key.number).id


def _make_all(
    batch: Batch, asked: _Asked, known: Definition, firings: list[Firing], by: Principal
) -> dict[str, str]:
    """The jobs that firings submit, or the runs that they begin, by firing: all, or a refusal and none."""
    if isinstance(known.work, NewRun):
        return _begin_all(batch, asked, known.work, firings, by)
    return _submit_all(batch, asked, _plan_all(batch, asked.row, known.work, firings, by), by)


def _plan_all(
    batch: Batch, row: ScheduleRow, job: NewJob, firings: list[Firing], by: Principal
) -> list[Plan]:
    plans: list[Plan] = []
    for coming, firing in enumerate(firings):
        new = replace(job, key=firing_key(row.name, firing.id))
        plan = plan_firing(batch, new, (row.name, firing.id), by, coming)
        if plan.verdict.chosen == "refuse":
            refuse(batch, plan, by)
        plans.append(plan)
    return plans


def _begin_all(
    batch: Batch, asked: _Asked, work: NewRun, firings: list[Firing], by: Principal
) -> dict[str, str]:
    """One entry names all runs, whose numbers are the next ones."""
    check_room(batch, len(firings))
    first = batch.state.runs.next_number
    runs = [[firing.id, first + offset] for offset, firing in enumerate(firings)]
    entry = _note_asked(batch, asked, {"runs": runs}, by)
    return {
        firing.id: begin(batch, run_of_firing(work, asked.row, firing), by, announce=lambda _: entry).id
        for firing in firings
    }


def _note_asked(batch: Batch, asked: _Asked, made: dict[str, Any], by: Principal) -> int:
    row = asked.row
    entry = record(batch, asked.entry_type, row, asked.told | made, by)
    put(batch, row._replace(entry=entry))
    return entry


def run_of_firing(work: NewRun, row: ScheduleRow, firing: Firing) -> NewRun:
    """The run that a firing begins: under a key of its own."""
    return replace(work, key=firing_key(row.name, firing.id), firing=(row.name, firing.id))


def _submit_all(batch: Batch, asked: _Asked, plans: list[Plan], by: Principal) -> dict[str, str]:
    """One entry names all jobs, whose numbers are the next ones."""
    first = batch.unit.next_number
    names = [plan.source.told["firing"] for plan in plans if plan.source.told is not None]
    firings = [[name, first + offset] for offset, name in enumerate(names)]
    entry = _note_asked(batch, asked, {"firings": firings}, by)

    def announced(job: JobRow) -> int:
        return entry

    return {
        name: job_id(submit_firing(batch, plan, by, announced)[0])
        for name, plan in zip(names, plans, strict=True)
    }


def scheduled_job(schedule: Schedule, job: NewJob, firing: Firing) -> NewJob:
    """The job that a firing submits: under a key of its own, and after its jitter."""
    return replace(
        job,
        key=firing_key(schedule.name, firing.id),
        delay_us=job.delay_us + jitter_us(schedule, firing.id),
    )


def definition_of(batch: Batch, row: ScheduleRow) -> Definition:
    """The definition of a schedule as of this batch; InvalidInput when it cannot be followed on this host."""
    return read_definition(row, _body(batch, row), batch.state.limits)


def record(
    batch: Batch,
    entry_type: str,
    row: ScheduleRow,
    data: dict[str, Any],
    by: Principal,
    **more: Any,
) -> int:
    """Write down what becomes of a schedule, behind the last entry of its story."""
    more.setdefault("previous", row.entry)
    return batch.unit.record(entry_type, f"schedule:{row.name}", data, by, **more)


def put(batch: Batch, row: ScheduleRow) -> None:
    """A schedule is so from now on."""
    batch.unit.schedules[row.tenant, row.name] = row


def _find(batch: Batch, tenant: str, name: str) -> ScheduleRow:
    row = _known(batch, tenant, name)
    if row is None or row.state == "deleted":
        raise NotFound(f"there is no schedule {name}", field="name")
    return row


def _known(batch: Batch, tenant: str, name: str) -> ScheduleRow | None:
    return batch.unit.schedules.get((tenant, name)) or batch.state.store.schedule(tenant, name)


def _body(batch: Batch, row: ScheduleRow) -> bytes:
    if row.payload is None:
        assert row.definition is not None, "a schedule that was deleted is not read"
        return row.definition
    return batch.unit.payloads.get(row.payload) or batch.state.store.payload(row.payload)
