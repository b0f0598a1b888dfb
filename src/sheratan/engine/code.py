"""Jobs whose code has changed under them: they are blocked until other code is on duty, or a person says so."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sheratan.contracts.errors import Conflict
from sheratan.contracts.principal import ENGINE, Principal
from sheratan.engine.batch import Batch
from sheratan.engine.commands import Ending, Unblock
from sheratan.engine.ids import job_id
from sheratan.engine.state import Held
from sheratan.engine.words import check_reason
from sheratan.kernel.code import UNBLOCK, decide_unblock
from sheratan.kernel.rules import decision
from sheratan.store.rows import CODE_CHANGED, Blocked, JobRow, Ready

__all__ = ["block", "look", "unblock"]

LOOKED_AT_ONCE: Final = 512
"""Blocked jobs that one batch looks at for each version of a kind; the next batch looks at more."""


def block(batch: Batch, held: Held, report: Ending, record: dict[str, Any], by: Principal) -> None:
    """An attempt has found that its handler is not the one that recorded the job's steps: it does not count."""
    lease, job, state = held.lease, held.job, batch.state
    assert report.difference is not None
    session = state.sessions.get(lease.session)
    code = session.offers.get(state.lane_of(job).offered_as, "") if session else ""
    told = {name: value for name, value in msgspec.to_builtins(report.difference).items() if value}
    data = {"attempt": lease.attempt, "code": code, "difference": told}
    entry = batch.unit.record("job.blocked", held.id, data, by, decision=record, previous=lease.entry)
    known = state.blocking.setdefault(job.number, set())
    if code not in known:
        known.add(code)
        batch.unit.blocking[job.number, code] = True
    attempt, losses, steps = lease.attempt, lease.losses, lease.steps
    blocked = Blocked(job.number, 0, 0, 0, batch.at_us, entry, attempt, losses, steps, CODE_CHANGED)
    batch.place(job, lease, blocked)


def unblock(batch: Batch, command: Unblock, by: Principal) -> int:
    """A person lets a job try again; returns the entry that records it."""
    check_reason(command.reason)
    job = batch.find_job(command.id)
    location = batch.locate(job)
    if type(location) is not Blocked or location.reason != CODE_CHANGED:
        text = "the job is not blocked because of its code; `sheratan job show` says what it waits for, if it does"
        raise Conflict(text, field="id")
    given = _given(batch, job, asked=True)
    record = decision(UNBLOCK, given, decide_unblock(given))
    return _unblock(batch, job, location, record, by, command.reason)


def look(batch: Batch, looks: dict[str, tuple[str, int, int]]) -> None:
    """Let the jobs go on that may. `looks` were due before this batch; what is blocked in it comes next."""
    state = batch.state
    for offered_as, (kind, version, above) in looks.items():
        rows = state.store.code_changed(kind, version, above, LOOKED_AT_ONCE)
        jobs = batch.jobs([row.number for row in rows])
        for row in rows:
            if batch.unit.location(row.number) is None:
                _look_at(batch, jobs[row.number], row)
        if len(rows) == LOOKED_AT_ONCE:
            # Unless somebody has come or gone meanwhile: then it begins anew.
            state.looks.setdefault(offered_as, (kind, version, rows[-1].number))
    batch.more |= bool(state.looks)


def _look_at(batch: Batch, job: JobRow, row: Blocked) -> None:
    given = _given(batch, job, asked=False)
    verdict = decide_unblock(given)
    if verdict.chosen == "unblock":
        _unblock(batch, job, row, decision(UNBLOCK, given, verdict), ENGINE, "")


def _given(batch: Batch, job: JobRow, *, asked: bool) -> dict[str, Any]:
    state = batch.state
    wanted = state.lane_of(job).offered_as
    on_duty = {one.offers[wanted] for one in state.sessions.values() if wanted in one.offers}
    return {"asked": asked, "blocked_by": sorted(state.blocking[job.number]), "on_duty": sorted(on_duty)}


def _unblock(
    batch: Batch, job: JobRow, row: Blocked, record: dict[str, Any], by: Principal, reason: str
) -> int:
    data: dict[str, Any] = {"attempt": row.attempt}
    if reason:
        data["reason"] = reason
    entry = batch.unit.record("job.unblocked", job_id(job), data, by, decision=record, previous=row.entry)
    attempt, losses, steps = row.attempt, row.losses, row.steps
    ready = Ready(job.lane, job.priority, job.number, attempt, losses, batch.at_us, entry, steps)
    batch.place(job, row, ready)
    return entry
