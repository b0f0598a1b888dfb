"""Handlers that wait: they give their slot back, and go on once what they wait for has come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from sheratan.contracts.errors import AlreadyEnded, LimitReached
from sheratan.contracts.jobs import JobError
from sheratan.contracts.principal import ENGINE, Principal
from sheratan.contracts.worker import Wait
from sheratan.engine.batch import Batch, job_id
from sheratan.engine.commands import SendSignal
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
    WaitRow,
)

__all__ = ["SIGNALS_MAX", "park", "signal", "wake"]

_BEGUN = WaitRow._fields[2:]
"""What an entry says of a wait that begins; its job and the entry itself are the rest."""

SIGNALS_MAX = 1_000
"""Signals that a job may have and not have received."""


def park(batch: Batch, held: Held, waits: Sequence[Wait], record: dict[str, Any], by: Principal) -> None:
    """An attempt has given its slot back. What it waits for may have come already; then it goes on at once."""
    lease, job = held.lease, held.job
    known = {(row.name, row.occurrence): row for row in batch.waits(job.number)}
    entry = batch.unit.next_seq
    new = [
        _row(batch, job, entry, ordinal, wait)
        for ordinal, wait in enumerate(waits)
        if (wait.name, wait.occurrence) not in known
    ]
    asked = {(wait.name, wait.occurrence) for wait in waits}
    due_us = min(row.due_us for row in (*known.values(), *new) if (row.name, row.occurrence) in asked)
    data = {
        "attempt": lease.attempt,
        "due_us": due_us,
        "begun": [dict(zip(_BEGUN, row[2:], strict=True)) for row in new],
    }
    batch.unit.record("job.waiting", held.id, data, by, decision=record, previous=lease.entry)
    for row in new:
        batch.unit.waits[row] = True
    timer = Timer(
        due_us, job.number, TIMER_WAIT, lease.attempt, lease.losses, batch.at_us, entry, lease.steps
    )
    batch.place(job, lease, timer)
    wake(batch, job, timer)


def _row(batch: Batch, job: JobRow, entry: int, ordinal: int, wait: Wait) -> WaitRow:
    due_us = NEVER_US
    if wait.until_us is not None:
        due_us = wait.until_us
    elif wait.seconds is not None:
        due_us = batch.at_us + int(wait.seconds * 1_000_000)
    return WaitRow(job.number, entry, ordinal, wait.name, wait.occurrence, wait.what, wait.key, due_us)


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


class _Over(NamedTuple):
    """A wait that is over: what it gave, or how it failed, and the entry that brought it."""

    wait: WaitRow
    output: bytes | None
    payload: bytes | None
    error: bytes | None
    cause: int | None


def wake(batch: Batch, job: JobRow, timer: Timer) -> None:
    """Let a job that waits go on, if anything that it waits for has come or its time is over."""
    over = list(_over(batch, job))
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


def _over(batch: Batch, job: JobRow) -> Iterator[_Over]:
    signals = batch.signals_of(job.number)
    for wait in batch.waits(job.number):
        came = next((one for one in signals if wait.what == "signal" and one.name == wait.key), None)
        if came is not None:
            signals.remove(came)
            batch.unit.signals[came] = False
            yield _Over(wait, came.output, came.payload, None, came.entry)
        elif wait.due_us <= batch.at_us:
            yield _Over(wait, b"null", None, _time_is_over(wait), None)


def _time_is_over(wait: WaitRow) -> bytes | None:
    if wait.what == "sleep":
        return None
    message = f"no signal {wait.key} has come in time"
    return msgspec.json.encode(JobError(error_class="fatal", type="WaitTimedOut", message=message))


def _record(batch: Batch, public_id: str, over: _Over, step: int, previous: int) -> int:
    """A wait that is over is a step of the job, as if a worker had recorded it."""
    wait, error = over.wait, over.error
    data: dict[str, Any] = {"step": step, "name": wait.name}
    if wait.occurrence > 1:
        data["occurrence"] = wait.occurrence
    output, payload = (error, None) if error is not None else (over.output, over.payload)
    if error is None:
        data["output"] = payload.hex() if payload else digest(output or b"")
    else:
        data["error"] = {"class": "fatal", "type": "WaitTimedOut", "digest": digest(error)}
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
    batch.unit.waits[wait] = False
    return entry
