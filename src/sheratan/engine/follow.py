"""What follows from the end of a job: the jobs that were to run after it, and handlers that wait for it, move on."""

from __future__ import annotations

from collections.abc import Collection

from sheratan.contracts.principal import ENGINE
from sheratan.engine.batch import Batch
from sheratan.engine.children import cancel_children
from sheratan.engine.ids import job_id
from sheratan.engine.quorum import cancel_open
from sheratan.engine.trees import leave
from sheratan.engine.unstarted import queue_first
from sheratan.engine.waits import jobs_ended
from sheratan.kernel.dependency import AFTER, decide_after
from sheratan.kernel.rules import decision
from sheratan.store.rows import TIMER_DELAY, Blocked, JobRow, Result, Timer

__all__ = ["follow"]


def follow(batch: Batch, done: int) -> int:
    """Move the dependents of every job that ended in this batch from position `done` on; return the new position.

    A cancelled dependent has dependents of its own, so the list grows while it is worked off. Who waits for one of
    them is woken last: it may itself be cancelled with them.
    """
    first = done
    while done < len(batch.ended):
        ended = batch.ended[done:]
        done = len(batch.ended)
        _end_what_they_began(batch, ended)
        if not batch.state.blocked:
            continue
        by_number = {result.number: (job, result) for job, result in ended}
        for parent, child in _children(batch, by_number.keys()):
            parent_job, result = by_number[parent]
            _parent_ended(batch, batch.job(child), parent_job, result)
    if batch.state.awaiting and first < done:
        jobs_ended(batch, {result.number: result.entry for _, result in batch.ended[first:done]})
    return done


def _end_what_they_began(batch: Batch, ended: list[tuple[JobRow, Result]]) -> None:
    """Requests for approval and children of jobs that have ended are not wanted any more."""
    parents = batch.parents_lost
    if batch.state.trees:
        parents = parents | leave(batch, ended)
    for job, result in ended:
        if job.number in batch.state.asking:
            cancel_open(batch, job.number, result.entry)
        if job.number in parents:
            cancel_children(batch, job, result)


def _children(batch: Batch, parents: Collection[int]) -> list[tuple[int, int]]:
    stored = batch.state.store.children(parents)
    fresh = [(row.parent, row.number) for row in batch.unit.after if row.parent in parents]
    return sorted({*stored, *fresh})


def _parent_ended(batch: Batch, job: JobRow, parent: JobRow, result: Result) -> None:
    location = batch.locate(job)
    if type(location) is not Blocked:
        return
    failed = location.failed + (result.state != "succeeded")
    missing = location.missing - 1
    assert missing >= 0
    given = {
        "missing": missing,
        "ended": job_id(parent),
        "state": result.state,
        "failed": failed,
        "after_failure": job.after_failure,
        "delay_us": max(0, location.due_us - batch.at_us),
    }
    verdict = decide_after(given)
    if verdict.chosen == "wait":
        batch.place(job, location, location._replace(missing=missing, failed=failed))
        return
    # A job starts only when all that it was to run after has ended.
    assert missing == 0 or verdict.chosen == "cancel"
    record = decision(AFTER, given, verdict)
    kind = "job.cancelled" if verdict.chosen == "cancel" else "job.unblocked"
    data = {"ended": job_id(parent), "state": result.state}
    entry = batch.unit.record(
        kind, job_id(job), data, ENGINE, decision=record, previous=location.entry, cause=result.entry
    )
    at_us, number = batch.at_us, job.number
    if verdict.chosen == "cancel":
        batch.place(job, location, Result(number, "cancelled", 0, 0, at_us, None, None, entry))
    elif verdict.chosen == "schedule":
        batch.place(job, location, Timer(location.due_us, number, TIMER_DELAY, 1, 0, at_us, entry))
    else:
        queue_first(batch, job, location, at_us, entry)
