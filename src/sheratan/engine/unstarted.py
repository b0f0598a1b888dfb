"""Jobs of which no attempt runs: they wait in their queues for so long at most, and some fail there."""

from __future__ import annotations

from typing import Any

import msgspec

from sheratan.contracts.jobs import JobError
from sheratan.contracts.principal import ENGINE
from sheratan.engine.batch import Batch
from sheratan.engine.ids import job_id
from sheratan.kernel.canonical import digest
from sheratan.store.rows import (
    TIMER_WAIT,
    Blocked,
    FailureRow,
    JobRow,
    Location,
    Ready,
    Result,
    Timer,
    make_ready,
)

__all__ = ["Waiting", "attempts_run", "fail_waiting", "limit_wait", "queue_first"]

Waiting = Ready | Timer | Blocked


def queue_first(batch: Batch, job: JobRow, before: Location | None, since_us: int, entry: int) -> None:
    """Put a job into its queue for the first time: from now on its limit on waiting counts."""
    batch.place(job, before, make_ready((job.lane, job.priority, job.number, 1, 0, since_us, entry, 0)))
    if job.queue_timeout_us:
        limit_wait(batch, job, since_us)


def limit_wait(batch: Batch, job: JobRow, since_us: int) -> None:
    """Look at how long a job has waited once it may wait no longer, unless its deadline comes first."""
    due_us = since_us + job.queue_timeout_us
    if not 0 < job.deadline_us <= due_us:
        batch.set_alarm(job.number, due_us)


def attempts_run(location: Waiting) -> int:
    """How many attempts at a job have been started. Where its handler waits, one is under way; else one is to come."""
    is_under_way = type(location) is Timer and location.what == TIMER_WAIT
    return location.attempt if is_under_way else location.attempt - 1


def fail_waiting(
    batch: Batch, job: JobRow, location: Waiting, error: JobError, record: dict[str, Any]
) -> None:
    """End a job of which no attempt runs."""
    attempt, text = attempts_run(location), msgspec.json.encode(error)
    data = {
        "attempt": attempt,
        "error": {"class": error.error_class, "type": error.type, "digest": digest(text)},
    }
    entry = batch.unit.record(
        "job.failed", job_id(job), data, ENGINE, decision=record, previous=location.entry
    )
    finished = Result(job.number, "failed", attempt, location.losses, batch.at_us, None, None, entry)
    batch.place(job, location, finished)
    batch.unit.failures.append(FailureRow(job.number, entry, text))
    batch.bury(job.number, error)
