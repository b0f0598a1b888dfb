"""Time: delays and backoffs that end, attempts and waits that last too long, workers that fall silent."""

from __future__ import annotations

import heapq

from sheratan.contracts.jobs import JobError
from sheratan.contracts.principal import ENGINE
from sheratan.contracts.worker import Signal
from sheratan.engine.batch import Batch, job_id
from sheratan.engine.settle import Said, decide_again, end, lose
from sheratan.engine.state import Deadline, Held
from sheratan.engine.workers import lose_worker
from sheratan.kernel.outcome import TIMEOUT, decide_timeout
from sheratan.kernel.rules import decision
from sheratan.store.rows import JobRow, Ready, Result, Timer

__all__ = ["SESSION_SILENCE_US_MAX", "ring"]

SESSION_SILENCE_US_MAX = 30_000_000
"""A remote worker that is not heard of for this long is taken for lost."""

_TIMERS_AT_ONCE = 512


def ring(batch: Batch) -> None:
    """Do everything whose time has come."""
    state = batch.state
    while state.deadlines and state.deadlines[0].due_us <= batch.monotonic_us:
        _deadline(batch, heapq.heappop(state.deadlines))
    for session in list(state.sessions.values()):
        silence_us = batch.monotonic_us - session.heard_us
        if not session.local and silence_us > SESSION_SILENCE_US_MAX:
            given = {"what": "session", "limit_us": SESSION_SILENCE_US_MAX, "elapsed_us": silence_us}
            record = decision(TIMEOUT, given, decide_timeout(given))
            lose_worker(batch, session, reason="not heard of", record=record)
    if state.next_due_us is not None and state.next_due_us <= batch.at_us:
        _timers(batch)


def _timers(batch: Batch) -> None:
    store = batch.state.store
    timers = store.timers_due(batch.at_us, _TIMERS_AT_ONCE)
    jobs = batch.jobs([timer.number for timer in timers])
    for timer in timers:
        if batch.unit.location(timer.number) is None:
            _due(batch, jobs[timer.number], timer)
    alarms = store.alarms_due(batch.at_us, _TIMERS_AT_ONCE)
    for due_us, number in alarms:
        batch.unit.alarms_rung.append((due_us, number))
        _waited_too_long(batch, batch.job(number), due_us)
    # What was read is still in the database until this batch is committed, so look again after it.
    batch.rang = True
    batch.more |= bool(timers or alarms)


def _due(batch: Batch, job: JobRow, timer: Timer) -> None:
    # A timer fires once and never before it is due.
    assert timer.due_us <= batch.at_us
    data = {"due_us": timer.due_us, "attempt": timer.attempt}
    entry = batch.unit.record("job.due", job_id(job), data, ENGINE, previous=timer.entry)
    ready = Ready(job.lane, job.priority, job.number, timer.attempt, timer.losses, batch.at_us, entry)
    batch.place(job, timer, ready)


def _waited_too_long(batch: Batch, job: JobRow, due_us: int) -> None:
    location = batch.locate(job)
    if type(location) is not Ready or location.attempt > 1:
        return
    limit_us = job.queue_timeout_us
    given = {"what": "queue", "limit_us": limit_us, "elapsed_us": batch.at_us - due_us + limit_us}
    verdict = decide_timeout(given)
    data = {"attempt": 0, "error": {"class": "timeout", "type": "QueueTimeout"}}
    record = decision(TIMEOUT, given, verdict)
    entry = batch.unit.record(
        "job.failed", job_id(job), data, ENGINE, decision=record, previous=location.entry
    )
    batch.place(
        job, location, Result(job.number, "failed", 0, location.losses, batch.at_us, None, None, entry)
    )


def _deadline(batch: Batch, deadline: Deadline) -> None:
    held = batch.state.held.get(deadline.number)
    if held is None or held.lease.fence != deadline.fence:
        return
    elapsed_us = batch.monotonic_us - deadline.due_us + deadline.limit_us
    if deadline.what == "session":
        error = JobError(
            error_class="lost_lease", type="WorkerLost", message="its worker is not on duty any more"
        )
        lose(batch, held, error)
        return
    given = {"what": deadline.what, "limit_us": deadline.limit_us, "elapsed_us": elapsed_us}
    verdict = decide_timeout(given)
    record = decision(TIMEOUT, given, verdict)
    job, lease = held.job, held.lease
    reason = "cancel" if deadline.what == "cancel" else "timeout"
    batch.signal(lease, Signal(number=job.number, fence=lease.fence, reason=reason))
    if lease.cancel_us:
        end(batch, held, "cancelled", Said({"attempt": lease.attempt}, record, ENGINE))
        return
    data = {"attempt": lease.attempt}
    entry = batch.unit.record("job.timed_out", held.id, data, ENGINE, decision=record, previous=lease.entry)
    noted = lease._replace(entry=entry)
    batch.place(job, lease, noted)
    error = JobError(error_class="timeout", type="RunTimeout", message=verdict.because)
    decide_again(batch, Held(noted, job, held.id), error)
