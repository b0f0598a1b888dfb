"""What people ask for: cancel, run again, pause and resume a queue, drain."""

from __future__ import annotations

from sheratan.contracts.errors import AlreadyEnded, Conflict, InvalidInput, LimitReached
from sheratan.contracts.principal import Principal
from sheratan.contracts.worker import StopRequest
from sheratan.engine.batch import Batch, job_id
from sheratan.engine.commands import Cancel, NewJob, PauseQueue, ResumeQueue, RetryJob, StartDraining
from sheratan.engine.intake import submit_one
from sheratan.kernel.canonical import digest
from sheratan.kernel.outcome import CANCEL, decide_cancel
from sheratan.kernel.rules import decision
from sheratan.kernel.secret_text import find_secret
from sheratan.store.rows import JobRow, Lease, Location, QueueRow, Result
from sheratan.store.unit import state_of

__all__ = ["cancel", "cancel_job", "pause", "resume", "retry", "start_draining"]


def cancel(batch: Batch, command: Cancel, by: Principal) -> str:
    """Cancel a job, or ask the attempt that runs to stop; returns `cancelled` or `requested`."""
    _check_reason(command.reason)
    return cancel_job(batch, batch.find_job(command.id), command.reason, by)


def cancel_job(batch: Batch, job: JobRow, reason: str, by: Principal, *, cause: int | None = None) -> str:
    """Cancel a job, as a person asked or because of what entry `cause` says; AlreadyEnded when it has ended."""
    location, public_id = batch.locate(job), job_id(job)
    requested = type(location) is Lease and location.cancel_us > 0
    given = {"state": state_of(location), "already_requested": requested}
    verdict = decide_cancel(given)
    if verdict.chosen == "refuse":
        raise AlreadyEnded(verdict.because, field="id")
    record = decision(CANCEL, given, verdict)
    entry = batch.unit.record(
        "job.cancel_requested" if type(location) is Lease else "job.cancelled",
        public_id,
        {"reason": reason},
        by,
        decision=record,
        previous=location.entry,
        cause=cause,
    )
    if type(location) is Lease:
        asked = location._replace(cancel_us=location.cancel_us or batch.at_us, entry=entry)
        batch.place(job, location, asked)
        batch.ask_to_stop(asked, StopRequest(number=job.number, fence=location.fence, reason="cancel"))
        return "requested"
    batch.place(job, location, _cancelled(batch, job, location, entry))
    return "cancelled"


def _cancelled(batch: Batch, job: JobRow, location: Location, entry: int) -> Result:
    attempt, losses = getattr(location, "attempt", 1), getattr(location, "losses", 0)
    if state_of(location) != "waiting":
        # The attempt that it waited for never ran.
        attempt -= 1
    return Result(job.number, "cancelled", attempt, losses, batch.at_us, None, None, entry)


def retry(batch: Batch, command: RetryJob, by: Principal) -> str:
    """Make a new job from one that has ended and return its id; the old one stays as it is."""
    job = batch.find_job(command.id)
    location = batch.locate(job)
    if type(location) is not Result:
        raise Conflict(
            f"the job is {state_of(location)}; only a job that has ended can be run again", field="id"
        )
    lane = batch.state.lane_by_number[job.lane]
    data = batch.state.store.payload(job.payload) if job.payload else job.input or b"null"
    new = NewJob(
        kind=lane.kind,
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
        after=(),
        after_failure=job.after_failure,
    )
    return submit_one(batch, new, by, job.number)


def pause(batch: Batch, command: PauseQueue, by: Principal) -> bool:
    """Pause a queue; False when it was paused already."""
    _check_reason(command.reason)
    state = batch.state
    if state.paused(by.tenant, command.queue):
        return False
    most = state.limits.queues_max
    if (by.tenant, command.queue) not in state.queues and len(state.queues) >= most:
        raise LimitReached(f"{most} queues have been paused before (limits.queues_max)", field="queue")
    _set_queue(batch, command.queue, by, paused=True, reason=command.reason)
    return True


def resume(batch: Batch, command: ResumeQueue, by: Principal) -> bool:
    """Resume a queue; False when it was not paused."""
    if not batch.state.paused(by.tenant, command.queue):
        return False
    _set_queue(batch, command.queue, by, paused=False, reason="")
    return True


def _check_reason(reason: str) -> None:
    """A reason is the one text of a caller that enters the journal as it is, and the journal forgets nothing."""
    found = find_secret(reason.encode(errors="replace"))
    if found is not None:
        raise InvalidInput(f"it seems to hold {found}, and what is written down stays", field="reason")


def _set_queue(batch: Batch, queue: str, by: Principal, *, paused: bool, reason: str) -> None:
    known = batch.state.queues.get((by.tenant, queue))
    entry = batch.unit.record(
        "queue.paused" if paused else "queue.resumed",
        f"queue:{queue}",
        {"reason": reason} if paused else {},
        by,
        previous=known.entry if known else None,
    )
    row = QueueRow(by.tenant, queue, int(paused), reason, entry)
    batch.unit.queues[(by.tenant, queue)] = row
    batch.state.queues[(by.tenant, queue)] = row


def start_draining(batch: Batch, command: StartDraining, by: Principal) -> None:
    """Take nothing in and start nothing more."""
    if batch.state.intake == "open":
        batch.state.intake = "draining"
        entry = batch.unit.record(
            "engine.draining", "engine", {"reason": command.reason}, by, previous=batch.state.engine_entry
        )
        batch.state.engine_entry = entry
