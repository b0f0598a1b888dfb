"""Schedules whose time has come: which firings submit a job or begin a run, and what keeps one from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from sheratan.contracts.errors import InvalidInput, LimitReached
from sheratan.contracts.principal import ENGINE, Principal
from sheratan.contracts.schedules import ON_TIME_SECONDS
from sheratan.engine.batch import Batch
from sheratan.engine.commands import NewJob
from sheratan.engine.control import cancel_job
from sheratan.engine.definition import Definition
from sheratan.engine.ids import job_id
from sheratan.engine.intake import plan_firing, submit_firing
from sheratan.engine.run_control import cancel_open_run
from sheratan.engine.run_ids import run_id
from sheratan.engine.run_keys import run_state
from sheratan.engine.run_start import NewRun, begin, check_room
from sheratan.engine.runs import OpenRun
from sheratan.engine.schedules import definition_of, find_made, put, record, run_of_firing, scheduled_job
from sheratan.kernel.admission import ADMISSION
from sheratan.kernel.firing import MISSED, OVERLAP, decide_missed, decide_overlap
from sheratan.kernel.rules import Verdict, decision
from sheratan.kernel.timetable import Firing, Firings
from sheratan.store.rows import JobRow, Lease, Result, ScheduleRow
from sheratan.store.run_rows import RunRow
from sheratan.store.unit import state_of

__all__ = ["fire"]

_US: Final = 1_000_000
_TOLERANCE_US: Final = ON_TIME_SECONDS * _US
_ON_TIME_MAX: Final = ON_TIME_SECONDS + 1
"""No schedule fires more than once a second."""

_AT_ONCE: Final = 16
"""Schedules that one batch looks at, and jobs and runs that come of them: nobody else is kept waiting for long."""

_SOON_US: Final = 5 * _US
"""A queue that is full may have room again soon: a firing is tried again while it is still on time."""

_LATER_US: Final = 600 * _US
"""A time zone that the host does not know, or a limit that is too low, takes a person."""


def fire(batch: Batch) -> None:
    """Let schedules fire whose time has come, the longest overdue first.

    While nothing may start they do not: what they miss meanwhile is dealt with as if no engine had been at work.
    """
    state = batch.state
    if (
        state.allowed.dispatch != "allow"
        or state.next_firing_us is None
        or state.next_firing_us > batch.at_us
    ):
        return
    # Even when nothing is found: another engine may have taken over, and have let them fire.
    batch.fired = True
    enough = _made(batch) + _AT_ONCE
    for row in state.store.schedules_due(batch.at_us, _AT_ONCE):
        if _made(batch) >= enough:
            break
        if (row.tenant, row.name) not in batch.unit.schedules:
            _look_at(batch, row, enough)


def _made(batch: Batch) -> int:
    return len(batch.unit.jobs) + len(batch.unit.runs)


def _look_at(batch: Batch, row: ScheduleRow, enough: int) -> None:
    try:
        known = definition_of(batch, row)
    except InvalidInput as refusal:
        _postpone(batch, row, {"due_us": batch.at_us + _LATER_US, "reason": str(refusal)})
        return
    due, after = _due_firings(batch, row, known)
    following = None if after is None else after.instant_us
    if not due.firings:
        # The rules of its time zone were changed meanwhile.
        _postpone(batch, row, {"due_us": following, "reason": "its time zone has other rules now"})
        return
    given = {
        "due": [list(firing) for firing in due.firings],
        "more": due.more,
        "now_us": batch.at_us,
        "tolerance_us": _TOLERANCE_US,
        "policy": known.schedule.missed,
        "missed_max": known.schedule.missed_max,
    }
    verdict = decide_missed(given)
    chosen = due.firings[len(due.firings) - len(verdict.chosen) :]
    # Those that are made up for are the newest of those that were missed.
    assert [firing.id for firing in chosen] == verdict.chosen
    if due.more or due.firings[0].instant_us < batch.at_us - _TOLERANCE_US:
        row = _note_missed(batch, row, chosen, (due.firings[-1].instant_us, following), (given, verdict))
    if chosen:
        _fire_all(batch, _Work(row, known, _whose(row), enough), chosen, following)


def _due_firings(batch: Batch, row: ScheduleRow, known: Definition) -> tuple[Firings, Firing | None]:
    """The firings that are due, oldest first, and the one after them.

    Of many that are due, all on time and as many missed ones as may be made up for.
    """
    timetable = known.timetable
    first = timetable.next_after(row.after_us)
    if first is None or first.instant_us > batch.at_us:
        return Firings((), False), first
    second = timetable.next_after(first.instant_us)
    if second is None or second.instant_us > batch.at_us:
        return Firings((first,), False), second
    made_up_max = known.schedule.missed_max if known.schedule.missed == "all" else 1
    found = timetable.last_between(row.after_us, batch.at_us, _ON_TIME_MAX + made_up_max)
    return found, timetable.next_after(found.firings[-1].instant_us)


def _note_missed(
    batch: Batch,
    row: ScheduleRow,
    chosen: tuple[Firing, ...],
    end: tuple[int, int | None],
    decided: tuple[dict[str, Any], Verdict],
) -> ScheduleRow:
    """Firings before those that are chosen are dealt with; `end` is the last one that is due, and the one after it."""
    after_us, due_us = (chosen[0].instant_us - 1, chosen[0].instant_us) if chosen else end
    data = {"after_us": after_us, "due_us": due_us}
    entry = record(batch, "schedule.missed", row, data, _whose(row), decision=decision(MISSED, *decided))
    row = row._replace(after_us=after_us, due_us=due_us, entry=entry)
    put(batch, row)
    return row


class _Work(NamedTuple):
    """A schedule that fires, for whom, and with how many new jobs and runs the batch has enough."""

    row: ScheduleRow
    known: Definition
    by: Principal
    enough: int


def _fire_all(batch: Batch, work: _Work, chosen: tuple[Firing, ...], following: int | None) -> None:
    """Let these firings do their work, in order, up to one that is refused; the next batch goes on from there."""
    dues = [*(firing.instant_us for firing in chosen[1:]), following]
    for firing, due_us in zip(chosen, dues, strict=True):
        if _made(batch) >= work.enough:
            return
        row = _fire_one(batch, work, firing, due_us)
        if row is None:
            return
        put(batch, row)
        work = work._replace(row=row)


def _fire_one(batch: Batch, work: _Work, firing: Firing, due_us: int | None) -> ScheduleRow | None:
    """Let one firing submit its job or begin its run, or skip it; None when that is refused, and tried again."""
    row, known, by, _ = work
    data: dict[str, Any] = {"firing": firing.id, "instant_us": firing.instant_us, "due_us": due_us}
    done = row._replace(after_us=firing.instant_us, due_us=due_us)
    before = find_made(batch, row, firing)
    if before is not None:
        data["reason"] = f"it had submitted {before} before"
        return done._replace(entry=record(batch, "schedule.skipped", row, data, by))
    given, previous = _overlap_input(batch, row, known)
    verdict = decide_overlap(given)
    decided = decision(OVERLAP, given, verdict)
    if verdict.chosen == "skip":
        return done._replace(entry=record(batch, "schedule.skipped", row, data, by, decision=decided))

    def announce(told: dict[str, str]) -> int:
        entry = record(batch, "schedule.fired", row, data | told, by, decision=decided)
        if verdict.chosen == "cancel_previous" and previous is not None:
            _cancel(batch, previous, row, entry)
        return entry

    try:
        if isinstance(known.work, NewRun):
            last = _begin_run(batch, work, known.work, firing, announce)
        else:
            last = _submit_job(batch, work, known.work, firing, announce)
    except LimitReached as refusal:
        _postpone(batch, row, {"due_us": batch.at_us + _SOON_US, "reason": str(refusal)})
        return None
    return None if last is None else done._replace(last_us=firing.instant_us, **last)


_Announce = Callable[[dict[str, str]], int]
"""Records the firing, with what it has made, and returns the entry."""


def _submit_job(
    batch: Batch, work: _Work, new: NewJob, firing: Firing, announce: _Announce
) -> dict[str, Any] | None:
    """What the schedule remembers of the job that a firing has submitted; None when admission refuses that."""
    row, known, by, _ = work
    job = scheduled_job(known.schedule, new, firing)
    plan = plan_firing(batch, job, (row.name, firing.id), by, 0)
    if plan.verdict.chosen == "refuse":
        refused = decision(ADMISSION, plan.given, plan.verdict)
        _postpone(batch, row, {"due_us": batch.at_us + _SOON_US}, decision=refused)
        return None
    made, entry = submit_firing(batch, plan, by, lambda made: announce({"job": job_id(made)}))
    return {"last_job": made.number, "last_run": None, "entry": entry}


def _begin_run(batch: Batch, work: _Work, new: NewRun, firing: Firing, announce: _Announce) -> dict[str, Any]:
    """What the schedule remembers of the run that a firing has begun."""
    check_room(batch)
    entry = 0

    def announced(row: RunRow) -> int:
        nonlocal entry
        entry = announce({"run": run_id(row)})
        return entry

    run = begin(batch, run_of_firing(new, work.row, firing), work.by, announce=announced)
    return {"last_job": None, "last_run": run.row.number, "entry": entry}


def _overlap_input(
    batch: Batch, row: ScheduleRow, known: Definition
) -> tuple[dict[str, Any], JobRow | OpenRun | None]:
    """What the rule is told, and the job that the firing before has submitted, or the run that is still open."""
    given: dict[str, Any] = {"policy": known.schedule.overlap, "previous": None, "state": None}
    if row.last_run is not None:
        given["previous"], given["state"] = run_state(batch, row.last_run)
        return given, batch.state.runs.open.get(row.last_run)
    if row.last_job is None:
        return given, None
    previous = batch.job(row.last_job)
    given["previous"], given["state"] = job_id(previous), state_of(batch.locate(previous))
    return given, previous


def _cancel(batch: Batch, previous: JobRow | OpenRun, row: ScheduleRow, cause: int) -> None:
    reason = f"schedule:{row.name} fires again"
    if isinstance(previous, OpenRun):
        # One that is stopped already, or compensates, goes on to its end.
        cancel_open_run(batch, previous, {"reason": reason}, _whose(row), cause)
        return
    location = batch.locate(previous)
    assert type(location) is not Result, "only a job that is open is cancelled"
    if type(location) is Lease and location.cancel_us:
        # It was asked to stop before.
        return
    cancel_job(batch, previous, _whose(row), reason, cause)


def _postpone(batch: Batch, row: ScheduleRow, data: dict[str, Any], **more: Any) -> None:
    """Look at it again later: what it missed until then its policy decides."""
    entry = record(batch, "schedule.postponed", row, data, _whose(row), **more)
    put(batch, row._replace(due_us=data["due_us"], entry=entry))


def _whose(row: ScheduleRow) -> Principal:
    """The engine acts, for whoever gave the schedule its definition."""
    return Principal(actor=ENGINE.actor, auth=ENGINE.auth, on_behalf_of=row.on_behalf_of, tenant=row.tenant)
