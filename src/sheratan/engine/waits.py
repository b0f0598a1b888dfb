"""Handlers that wait: they give their slot back, and go on once what they wait for has come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from sheratan.contracts.errors import AlreadyEnded, InvalidInput, LimitReached
from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.jobs import JobError
from sheratan.contracts.principal import ENGINE, Principal
from sheratan.contracts.worker import Wait
from sheratan.engine.batch import Batch
from sheratan.engine.commands import Ending, SendSignal
from sheratan.engine.ids import job_id
from sheratan.engine.quorum import find_approval, given_by, in_time
from sheratan.engine.state import Held
from sheratan.kernel.canonical import digest
from sheratan.store.rows import (
    NEVER_US,
    TIMER_WAIT,
    JobRow,
    Ready,
    Result,
    SignalRow,
    StepRow,
    Timer,
    WaitKey,
    WaitRow,
    wait_key,
)

__all__ = ["SIGNALS_MAX", "check_waits", "jobs_ended", "park", "signal", "wake"]

_BEGUN = WaitRow._fields[2:]
"""What an entry says of a wait that begins; its job and the entry itself are the rest."""

SIGNALS_MAX = 1_000
"""Signals that a job may have and not have received."""


def check_waits(batch: Batch, report: Ending) -> None:
    """Refuse a report that waits for a job that is not there, or that can end only after this one."""
    for wait in report.waits:
        if wait.what == "jobs":
            _check_jobs(batch, report.number, wait)
        elif wait.what == "approval":
            _check_approval(batch, report.number, wait)


def _check_approval(batch: Batch, waiting: int, wait: Wait) -> None:
    row = find_approval(batch, wait.key)
    if (row.number, row.name, row.occurrence) != (waiting, wait.name, wait.occurrence):
        raise InvalidInput(f"{wait.name} waits for {wait.key}, which it has not asked for", field="waits")


def _check_jobs(batch: Batch, waiting: int, wait: Wait) -> None:
    numbers = [parse_job_id(text).number for text in wait.jobs]
    known = batch.jobs([number for number in numbers if 0 < number < batch.unit.next_number])
    for number, text in zip(numbers, wait.jobs, strict=True):
        if number not in known or job_id(known[number]) != text:
            raise InvalidInput(f"{wait.name} waits for {text}, and there is no such job", field="waits")
    above: int | None = waiting
    while above is not None and above < batch.unit.next_number:
        if above in known:
            text = f"{wait.name} waits for {job_id(known[above])}, which may wait for it in turn"
            raise InvalidInput(text, field="waits")
        above = batch.trace(above).submitted_by


def park(batch: Batch, held: Held, waits: Sequence[Wait], record: dict[str, Any], by: Principal) -> None:
    """An attempt has given its slot back. What it waits for may have come already; then it goes on at once."""
    lease, job = held.lease, held.job
    known = {(row.name, row.occurrence): row for row in batch.waits(job.number)}
    entry = batch.unit.next_seq
    new = {
        _row(batch, job, entry, ordinal, wait): wait
        for ordinal, wait in enumerate(waits)
        if (wait.name, wait.occurrence) not in known
    }
    asked = {(wait.name, wait.occurrence) for wait in waits}
    due_us = min(row.due_us for row in (*known.values(), *new) if (row.name, row.occurrence) in asked)
    begun = [_begin(batch, row, wait) for row, wait in new.items()]
    data = {"attempt": lease.attempt, "due_us": due_us, "begun": begun}
    batch.unit.record("job.waiting", held.id, data, by, decision=record, previous=lease.entry)
    timer = Timer(
        due_us, job.number, TIMER_WAIT, lease.attempt, lease.losses, batch.at_us, entry, lease.steps
    )
    batch.place(job, lease, timer)
    wake(batch, job, timer)


def _row(batch: Batch, job: JobRow, entry: int, ordinal: int, wait: Wait) -> WaitRow:
    due_us = NEVER_US
    if wait.what == "approval":
        due_us = find_approval(batch, wait.key).due_us
    elif wait.until_us is not None:
        due_us = wait.until_us
    elif wait.seconds is not None:
        due_us = batch.at_us + int(wait.seconds * 1_000_000)
    return WaitRow(job.number, entry, ordinal, wait.name, wait.occurrence, wait.what, wait.key, due_us)


def _begin(batch: Batch, row: WaitRow, wait: Wait) -> dict[str, Any]:
    """Begin to wait; returns what the entry says of it."""
    batch.unit.waits[row] = True
    said: dict[str, Any] = dict(zip(_BEGUN, row[2:], strict=True))
    if wait.what == "jobs":
        numbers = [parse_job_id(text).number for text in wait.jobs]
        open_jobs = sorted(set(numbers) - batch.has_ended(numbers))
        batch.unit.awaited[wait_key(row)] = dict.fromkeys(open_jobs, True)
        batch.state.awaiting = True
        said["jobs"] = numbers
    return said


def signal(batch: Batch, command: SendSignal, by: Principal) -> int:
    """A job gets a signal, which waits until its handler does; returns the entry that records it."""
    job = batch.find_job(command.id)
    location = batch.locate(job)
    if type(location) is Result:
        raise AlreadyEnded(f"the job has {location.state}, and receives no signal any more", field="id")
    if len(batch.signals_of(job.number)) >= SIGNALS_MAX:
        raise LimitReached(f"{SIGNALS_MAX} signals wait for this job already", field="id")
    data = {"name": command.name, "value": digest(command.value)}
    entry = batch.unit.record("signal.sent", command.id, data, by)
    batch.unit.mentions.append((job.number, entry))
    body, payload = batch.keep(command.value)
    batch.unit.signals[SignalRow(job.number, entry, command.name, body, payload)] = True
    batch.state.signalled.add(job.number)
    if type(location) is Timer and location.what == TIMER_WAIT:
        wake(batch, job, location)
    return entry


def jobs_ended(batch: Batch, ended: Mapping[int, int]) -> None:
    """Jobs have ended, by number with the entry that says so: let the handlers go on that waited for them alone."""
    last: dict[WaitKey, int] = {}
    for key, number in batch.who_awaits(ended):
        batch.await_no_more(key, number)
        last[key] = max(ended[number], last.get(key, 0))
    for key, entry in last.items():
        if batch.awaited_left(key):
            continue
        job = batch.job(key[0])
        location = batch.locate(job)
        if type(location) is Timer and location.what == TIMER_WAIT:
            wake(batch, job, location, entry)


class _Over(NamedTuple):
    """A wait that is over: what it gave, or how it failed, and the entry that brought it."""

    wait: WaitRow
    output: bytes | None = b"null"
    payload: bytes | None = None
    error: JobError | None = None
    cause: int | None = None


def wake(batch: Batch, job: JobRow, timer: Timer, ended: int | None = None) -> None:
    """Let a job that waits go on, if anything that it waits for has come or its time is over.

    `ended` is the entry that says how the last one ended of the jobs that it waited for.
    """
    over = list(_over(batch, job, ended))
    if not over:
        return
    entry, steps, public_id = timer.entry, timer.steps, job_id(job)
    for one in over:
        steps += 1
        entry = _record(batch, public_id, one, steps, entry)
    data = {"attempt": timer.attempt, "steps": steps}
    entry = batch.unit.record("job.woken", public_id, data, ENGINE, previous=entry)
    ready = Ready(job.lane, job.priority, job.number, timer.attempt, timer.losses, batch.at_us, entry, steps)
    batch.place(job, timer, ready)


def _over(batch: Batch, job: JobRow, ended: int | None) -> Iterator[_Over]:
    signals = batch.signals_of(job.number)
    for wait in batch.waits(job.number):
        came = next((one for one in signals if wait.what == "signal" and one.name == wait.key), None)
        if came is not None:
            signals.remove(came)
            batch.unit.signals[came] = False
            yield _Over(wait, came.output, came.payload, cause=came.entry)
        elif wait.what == "jobs" and not batch.awaited_left(wait_key(wait)):
            yield _Over(wait, cause=ended)
        elif wait.what == "approval":
            yield from _decided(batch, wait)
        elif wait.due_us <= batch.at_us:
            yield _Over(wait, error=_time_is_over(wait))


def _decided(batch: Batch, wait: WaitRow) -> Iterator[_Over]:
    """What a request for approval has come to, if it has ended."""
    row = in_time(batch, find_approval(batch, wait.key))
    if row.state != "open":
        output, error = given_by(batch, row)
        body, payload = (None, None) if output is None else batch.keep(output)
        yield _Over(wait, body, payload, error, cause=row.ended)


def _time_is_over(wait: WaitRow) -> JobError | None:
    if wait.what == "sleep":
        return None
    message = "the jobs have not ended in time"
    if wait.what == "signal":
        message = f"no signal {wait.key} has come in time"
    return JobError(error_class="fatal", type="WaitTimedOut", message=message)


def _record(batch: Batch, public_id: str, over: _Over, step: int, previous: int) -> int:
    """A wait that is over is a step of the job, as if a worker had recorded it."""
    wait, error = over.wait, over.error
    body = b"" if error is None else msgspec.json.encode(error)
    data: dict[str, Any] = {"step": step, "name": wait.name}
    if wait.occurrence > 1:
        data["occurrence"] = wait.occurrence
    output, payload = (body, None) if error is not None else (over.output, over.payload)
    if error is None:
        data["output"] = payload.hex() if payload else digest(output or b"")
    else:
        data["error"] = {"class": "fatal", "type": error.type, "digest": digest(body)}
    entry = batch.unit.record(
        "step.succeeded" if error is None else "step.failed",
        public_id,
        data,
        ENGINE,
        previous=previous,
        cause=over.cause,
    )
    failed = int(error is not None)
    batch.unit.steps.append(
        StepRow(wait.number, step, wait.name, wait.occurrence, failed, output, payload, entry)
    )
    batch.end_wait(wait)
    return entry
