"""Ended jobs that are run again, and dead letters: failed jobs that nobody has replayed or discarded yet."""

from __future__ import annotations

from typing import Any, NamedTuple

from sheratan.contracts.errors import Conflict
from sheratan.contracts.principal import Principal
from sheratan.contracts.tracing import unpack
from sheratan.engine.batch import Batch
from sheratan.engine.commands import Discard, NewJob, Replay, RetryJob
from sheratan.engine.ids import job_id
from sheratan.engine.intake import submit_one
from sheratan.engine.job_budgets import budget_of
from sheratan.engine.submitted import Source
from sheratan.engine.words import check_reason
from sheratan.kernel.canonical import digest
from sheratan.kernel.dead_letters import DISCARD, REPLAY, decide_discard, decide_replay
from sheratan.kernel.rules import decision
from sheratan.store.rows import JobRow, Location, Result
from sheratan.store.unit import state_of

__all__ = ["Again", "differences", "discard", "discard_job", "replay", "replay_job", "retry", "retry_job"]


class Again(NamedTuple):
    """How a job is to be run again: as which job, whatever it may take down, why, and what led to it."""

    edited: NewJob | None = None
    poison: bool = False
    reason: str = ""
    cause: int | None = None


def retry(batch: Batch, command: RetryJob, by: Principal) -> str:
    """Make a new job from one that has ended and return its id; the old one stays as it is."""
    return retry_job(batch, batch.find_job(command.id), by, Again(poison=command.poison))


def replay(batch: Batch, command: Replay, by: Principal) -> str:
    """Make a new job from a dead letter, which is none any more, and return its id."""
    check_reason(command.reason)
    again = Again(command.edited, command.poison, command.reason)
    return replay_job(batch, batch.find_job(command.id), by, again)


def discard(batch: Batch, command: Discard, by: Principal) -> int:
    """Take a job out of the dead letters and return the entry that says so."""
    check_reason(command.reason)
    return discard_job(batch, batch.find_job(command.id), by, command.reason)


def retry_job(batch: Batch, job: JobRow, by: Principal, again: Again) -> str:
    """Make a new job from one that has ended; if that is a dead letter, it is replayed."""
    location = batch.locate(job)
    if type(location) is not Result:
        raise Conflict(
            f"the job is {state_of(location)}; only a job that has ended can be run again", field="id"
        )
    if batch.is_dead_letter(job.number):
        return replay_job(batch, job, by, again)
    if not again.poison and batch.is_quarantined(job.number):
        raise Conflict(
            "the job has lost as many workers as it may; say poison to run it again", field="poison"
        )
    again_as = submit_one(batch, _copy(batch, job), by, Source(origin=job.number, cause=again.cause))
    return job_id(again_as)


def replay_job(batch: Batch, job: JobRow, by: Principal, again: Again) -> str:
    """Make a new job from a dead letter."""
    given = _standing(batch, job, batch.locate(job))
    given |= {"is_quarantined": batch.is_quarantined(job.number), "poison": again.poison}
    verdict = decide_replay(given)
    if verdict.chosen == "refuse":
        raise Conflict(verdict.because, field="poison" if given["is_dead"] else "id")
    new = again.edited or _copy(batch, job)
    made = submit_one(batch, new, by, Source(origin=job.number, cause=again.cause))
    data: dict[str, Any] = {"as": job_id(made)}
    submitted = batch.unit.next_seq - 1
    if again.edited is not None:
        data["edited"] = differences(_copy(batch, job), new)
    if again.reason:
        data["reason"] = again.reason
    batch.unbury(job.number)
    record = decision(REPLAY, given, verdict)
    _note(
        batch, job, batch.unit.record("job.replayed", job_id(job), data, by, decision=record, cause=submitted)
    )
    return str(data["as"])


def discard_job(batch: Batch, job: JobRow, by: Principal, reason: str, cause: int | None = None) -> int:
    """Take a job out of the dead letters."""
    given = _standing(batch, job, batch.locate(job))
    verdict = decide_discard(given)
    if verdict.chosen == "refuse":
        raise Conflict(verdict.because, field="id")
    batch.unbury(job.number)
    record = decision(DISCARD, given, verdict)
    entry = batch.unit.record(
        "job.discarded", job_id(job), {"reason": reason}, by, decision=record, cause=cause
    )
    _note(batch, job, entry)
    return entry


def differences(old: NewJob, new: NewJob) -> dict[str, list[Any]]:
    """In what a job is to be otherwise than the one that it repeats: the old and the new; of inputs the digests."""
    found: dict[str, list[Any]] = {}
    for name in _EDITABLE:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            found["input" if name == "digest" else name] = [_plain(before), _plain(after)]
    return found


_EDITABLE = (
    "digest",
    "queue",
    "priority",
    "attempts_max",
    "backoff_base_us",
    "backoff_cap_us",
    "run_timeout_us",
    "queue_timeout_us",
    "deadline_after_us",
    "cost",
    "tags",
    "budget",
)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _standing(batch: Batch, job: JobRow, location: Location) -> dict[str, Any]:
    return {"state": state_of(location), "is_dead": batch.is_dead_letter(job.number)}


def _note(batch: Batch, job: JobRow, entry: int) -> None:
    """The old job has ended, so its own story is over: the entry stands beside it."""
    batch.unit.mentions.append((job.number, entry))


def _copy(batch: Batch, job: JobRow) -> NewJob:
    lane = batch.state.lane_of(job)
    data = batch.body(job.input, job.payload)
    return NewJob(
        kind=lane.kind,
        version=lane.version,
        queue=lane.queue,
        priority=job.priority,
        delay_us=0,
        key=None,
        digest=digest(data),
        input=data,
        attempts_max=job.attempts_max,
        backoff_base_us=job.backoff_base_us,
        backoff_cap_us=job.backoff_cap_us,
        run_timeout_us=job.run_timeout_us,
        queue_timeout_us=job.queue_timeout_us,
        # Counted anew; nobody has submitted it who waits for it, so it inherits nothing.
        deadline_after_us=job.deadline_after_us,
        after=(),
        after_failure=job.after_failure,
        cost=job.cost,
        partition=batch.partition_of(job),
        budget=budget_of(batch, job.number),
        tags=batch.tags(job.number),
        # Whoever runs it again goes on with what its caller began.
        traceparent=unpack(job.trace),
    )
