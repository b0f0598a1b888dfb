"""Jobs that fail without another attempt: they have waited for too long, or may not be charged for one."""

from __future__ import annotations

from typing import Any

import msgspec

from sheratan.contracts.jobs import JobError
from sheratan.contracts.principal import ENGINE
from sheratan.engine.batch import Batch
from sheratan.engine.ids import job_id
from sheratan.kernel.canonical import digest
from sheratan.store.rows import FailureRow, JobRow, Ready, Result

__all__ = ["fail_queued"]


def fail_queued(batch: Batch, job: JobRow, location: Ready, error: JobError, record: dict[str, Any]) -> None:
    """End a job that waits in its queue: it is not started."""
    attempt, text = location.attempt - 1, msgspec.json.encode(error)
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
