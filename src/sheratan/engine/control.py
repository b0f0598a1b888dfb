"""What people ask for: cancel."""

from __future__ import annotations

from sheratan.contracts.errors import AlreadyEnded
from sheratan.contracts.principal import Principal
from sheratan.contracts.worker import StopRequest
from sheratan.engine.batch import Batch
from sheratan.engine.commands import Cancel
from sheratan.engine.ids import job_id
from sheratan.engine.unstarted import attempts_run
from sheratan.engine.words import check_reason
from sheratan.kernel.outcome import CANCEL, decide_cancel
from sheratan.kernel.rules import decision
from sheratan.store.rows import JobRow, Lease, Result
from sheratan.store.unit import state_of

__all__ = ["cancel", "cancel_job"]


def cancel(batch: Batch, command: Cancel, by: Principal) -> str:
    """Cancel a job, or ask the attempt that runs to stop; returns `cancelled` or `requested`."""
    check_reason(command.reason)
    return cancel_job(batch, batch.find_job(command.id), by, command.reason)


def cancel_job(batch: Batch, job: JobRow, by: Principal, reason: str, cause: int | None = None) -> str:
    """Cancel a job, or ask its attempt to stop; `cause` is the entry that led to it, if nobody asked."""
    location = batch.locate(job)
    requested = type(location) is Lease and location.cancel_us > 0
    given = {"state": state_of(location), "already_requested": requested}
    verdict = decide_cancel(given)
    if isinstance(location, Result) or verdict.chosen == "refuse":
        raise AlreadyEnded(verdict.because, field="id")
    asks = type(location) is Lease
    entry = batch.unit.record(
        "job.cancel_requested" if asks else "job.cancelled",
        job_id(job),
        {"reason": reason},
        by,
        decision=decision(CANCEL, given, verdict),
        previous=location.entry,
        cause=cause,
    )
    if isinstance(location, Lease):
        asked = location._replace(cancel_us=location.cancel_us or batch.at_us, entry=entry)
        batch.place(job, location, asked)
        batch.ask_to_stop(asked, StopRequest(number=job.number, fence=location.fence, reason="cancel"))
        return "requested"
    attempt, losses = attempts_run(location), location.losses
    batch.place(
        job, location, Result(job.number, "cancelled", attempt, losses, batch.at_us, None, None, entry)
    )
    return "cancelled"
