"""Time: delays and backoffs that end, attempts and waits that last too long, workers that fall silent."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from sheratan.contracts.jobs import JobError
from sheratan.contracts.principal import ENGINE
from sheratan.contracts.worker import StopRequest
from sheratan.engine.batch import Batch
from sheratan.engine.ids import job_id
from sheratan.engine.settle import Said, decide_again, end, lose
from sheratan.engine.state import CANCEL_GRACE_US, Held
from sheratan.engine.unstarted import Waiting, fail_waiting, limit_wait, queue_first
from sheratan.engine.waits import wake
from sheratan.engine.workers import lose_worker
from sheratan.kernel.outcome import TIMEOUT, decide_timeout
from sheratan.kernel.rules import decision
from sheratan.store.rows import TIMER_DELAY, TIMER_WAIT, JobRow, Location, Ready, Timer

__all__ = ["SESSION_SILENCE_US_MAX", "ring"]

SESSION_SILENCE_US_MAX = 30_000_000
"""A remote worker that is not heard of for this long is taken for lost."""

_TIMERS_AT_ONCE = 512


def ring(batch: Batch) -> None:
    """Do everything whose time has come."""
    state = batch.state
    for held in state.take_overdue(batch.monotonic_us):
        _overdue(batch, held)
    if state.orphans:
        _orphans(batch)
    for session in list(state.sessions.values()):
        silence_us = batch.monotonic_us - session.heard_us
        if not session.local and silence_us > SESSION_SILENCE_US_MAX:
            given = {"what": "session", "limit_us": SESSION_SILENCE_US_MAX, "elapsed_us": silence_us}
            record = decision(TIMEOUT, given, decide_timeout(given))
            lose_worker(batch, session, reason="not heard of", record=record)
    if state.next_due_us is not None and state.next_due_us <= batch.at_us:
        _timers(batch)
    for _, job in sorted(batch.jobs(list(batch.overdue)).items()):
        _over(batch, job, batch.locate(job))


def _timers(batch: Batch) -> None:
    store = batch.state.store
    timers = store.timers_due(batch.at_us, _TIMERS_AT_ONCE)
    jobs = batch.jobs([timer.number for timer in timers])
    for timer in timers:
        if batch.unit.location(timer.number) is None:
            _due(batch, jobs[timer.number], timer)
    alarms = store.alarms_due(batch.at_us, _TIMERS_AT_ONCE)
    waited = batch.jobs([number for _, number in alarms])
    for due_us, number in alarms:
        batch.unit.alarms_rung.append((due_us, number))
        if number in waited:
            # Else it was started in time, has ended since, and was pruned.
            _alarm(batch, waited[number])
    # What was read is still in the database until this batch is committed, so look again after it.
    batch.rang = True
    batch.more |= bool(timers or alarms)
    batch.is_behind = len(alarms) == _TIMERS_AT_ONCE


def _due(batch: Batch, job: JobRow, timer: Timer) -> None:
    # A timer fires once and never before it is due.
    assert timer.due_us <= batch.at_us
    if timer.what == TIMER_WAIT:
        wake(batch, job, timer)
        return
    data = {"due_us": timer.due_us, "attempt": timer.attempt}
    entry = batch.unit.record("job.due", job_id(job), data, ENGINE, previous=timer.entry)
    if timer.what == TIMER_DELAY:
        queue_first(batch, job, timer, timer.due_us, entry)
        return
    attempt, losses, steps = timer.attempt, timer.losses, timer.steps
    ready = Ready(job.lane, job.priority, job.number, attempt, losses, timer.due_us, entry, steps)
    batch.place(job, timer, ready)


def _alarm(batch: Batch, job: JobRow) -> None:
    location = batch.locate(job)
    if 0 < job.deadline_us <= batch.at_us:
        _over(batch, job, location)
    else:
        _waited_too_long(batch, job, location)


def _over(batch: Batch, job: JobRow, location: Location) -> None:
    """A job's deadline is over. An attempt that runs is ended by its lease, so that no clock change takes that away."""
    if isinstance(location, Waiting):
        given = _time_of(batch, job)
        verdict = decide_timeout(given)
        assert verdict.chosen == "expire"
        fail_waiting(batch, job, location, _exceeded(verdict.because), decision(TIMEOUT, given, verdict))


def _time_of(batch: Batch, job: JobRow) -> dict[str, Any]:
    limit_us, elapsed_us = job.deadline_us - job.created_us, batch.at_us - job.created_us
    return {"what": "deadline", "limit_us": limit_us, "elapsed_us": elapsed_us}


def _exceeded(because: str) -> JobError:
    return JobError(error_class="timeout", type="DeadlineExceeded", message=because)


def _waited_too_long(batch: Batch, job: JobRow, location: Location) -> None:
    if type(location) is not Ready or location.attempt > 1:
        # It was started in time, or has ended.
        return
    given = {"what": "queue", "limit_us": job.queue_timeout_us, "elapsed_us": batch.at_us - location.since_us}
    verdict = decide_timeout(given)
    if verdict.chosen == "keep":
        # It was started, and handed back unfinished: it waits anew.
        limit_wait(batch, job, location.since_us)
        return
    error = JobError(error_class="timeout", type="QueueTimeout", message=verdict.because)
    fail_waiting(batch, job, location, error, decision(TIMEOUT, given, verdict))


def _orphans(batch: Batch) -> None:
    error = JobError(
        error_class="lost_lease", type="WorkerLost", message="its worker is not on duty any more"
    )
    for number in batch.state.orphans:
        lose(batch, batch.state.held[number], error)
    batch.state.orphans = []


def _overdue(batch: Batch, held: Held) -> None:
    job, lease = held.job, held.lease
    if 0 < job.deadline_us <= batch.at_us:
        given = _time_of(batch, job)
    elif held.asked_us is None or held.run_due_us <= batch.monotonic_us:
        given = {
            "what": "run",
            "limit_us": job.run_timeout_us,
            "elapsed_us": batch.monotonic_us - held.began_us,
        }
    else:
        elapsed_us = batch.monotonic_us - held.asked_us
        given = {"what": "cancel", "limit_us": CANCEL_GRACE_US, "elapsed_us": elapsed_us}
    verdict = decide_timeout(given)
    # The elapsed time is monotonic: no clock change takes a lease away early.
    assert verdict.chosen == "expire"
    record = decision(TIMEOUT, given, verdict)
    reason = "cancel" if lease.cancel_us else "timeout"
    batch.ask_to_stop(lease, StopRequest(number=job.number, fence=lease.fence, reason=reason))
    data = {"attempt": lease.attempt}
    if lease.cancel_us:
        end(batch, held, "cancelled", Said(data, record, ENGINE))
        return
    entry = batch.unit.record("job.timed_out", held.id, data, ENGINE, decision=record, previous=lease.entry)
    noted = lease._replace(entry=entry)
    batch.place(job, lease, noted)
    error = JobError(error_class="timeout", type="RunTimeout", message=verdict.because)
    if given["what"] == "deadline":
        error = _exceeded(verdict.because)
    decide_again(batch, replace(held, lease=noted), error)
