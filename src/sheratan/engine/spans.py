"""What a committed batch adds to the traces of its jobs: what was submitted, what attempts came to, what steps took.

A span is told once it is over. Its name follows from what is stored, so every process gives it the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from sheratan.contracts.journal import Entry, EntryType
from sheratan.contracts.telemetry import SpanEnded, SpanKind
from sheratan.contracts.tracing import (
    Trace,
    attempt_span,
    part_span,
    step_span,
    submit_span,
    trace_of,
    unpack,
)
from sheratan.engine.batch import Batch
from sheratan.engine.commands import NewStep
from sheratan.engine.ids import job_id
from sheratan.engine.state import Held
from sheratan.store.rows import JobRow, Lane, Lease, Location, Result

__all__ = ["spans_of"]

_ENDINGS: Final[frozenset[EntryType]] = frozenset(
    {
        "job.succeeded",
        "job.failed",
        "job.cancelled",
        "job.retried",
        "job.requeued",
        "job.waiting",
        "job.blocked",
    }
)
"""What is said of an attempt that leaves its worker, or of a job that ends."""


class _Job(NamedTuple):
    """A job, its public id, its lane and its trace."""

    row: JobRow
    id: str
    lane: Lane
    trace: Trace


def spans_of(batch: Batch) -> Iterator[SpanEnded]:
    """The spans that end with a batch, of traces that their callers want to have kept."""
    for row in batch.unit.jobs:
        job = _job(batch, row)
        if job.trace.is_sampled:
            yield _submitted(batch, job)
    for held, step in batch.steps_run:
        job = _job(batch, held.job)
        if job.trace.is_sampled:
            yield _step(batch, job, held, step)
    yield from _ends(batch)


def _ends(batch: Batch) -> Iterator[SpanEnded]:
    """Of attempts that are over, or were interrupted, and of jobs that have ended without one."""
    rows = {row.number: row for row, _ in batch.ended}
    said = _endings(batch)
    for number, (before, after) in batch.unit.moves.items():
        if type(after) is not Result and not (type(before) is Lease and _has_left(before, after)):
            continue
        job = _job(batch, rows.get(number) or batch.job(number))
        if job.trace.is_sampled:
            if type(before) is Lease:
                yield _attempt(job, before, after, said[job.id])
            else:
                assert type(after) is Result
                yield _ended(job, after)


def _endings(batch: Batch) -> dict[str, Entry]:
    """By job the first entry that says what has become of it; what comes later is another attempt's."""
    said: dict[str, Entry] = {}
    for entry in batch.unit.entries:
        if entry.type in _ENDINGS:
            said.setdefault(entry.subject, entry)
    return said


def _has_left(before: Lease, after: Location) -> bool:
    """Whether an attempt, or a part of it, is over."""
    return type(after) is not Lease or after.fence != before.fence


def _job(batch: Batch, row: JobRow) -> _Job:
    public_id = job_id(row)
    given = unpack(row.trace)
    return _Job(row, public_id, batch.state.lane_of(row), trace_of(public_id, given))


def _span(job: _Job, what: str, kind: SpanKind, **given: Any) -> SpanEnded:
    given["attributes"] = {
        "messaging.system": "sheratan",
        "messaging.destination.name": job.lane.queue,
        "messaging.message.id": job.id,
        "sheratan.kind": job.lane.kind,
        "sheratan.tenant": job.lane.tenant,
        **given.get("attributes", {}),
    }
    return SpanEnded(trace=job.trace.id, name=f"{what} {job.lane.kind}", kind=kind, **given)


def _submitted(batch: Batch, job: _Job) -> SpanEnded:
    """Links lead to the job that has submitted it, in a trace of its own, and to the one that it runs again."""
    links = []
    others = [number for number in (job.row.submitted_by, job.row.origin) if number is not None]
    # The same batch may have pruned the one that is run again: what is gone cannot be led to.
    for row in batch.jobs(others).values():
        other = _job(batch, row)
        if other.trace.id != job.trace.id:
            links.append((other.trace.id, submit_span(other.id)))
    return _span(
        job,
        "submit",
        "producer",
        at_us=batch.at_us,
        began_us=batch.at_us,
        span=submit_span(job.id),
        parent=job.trace.parent,
        links=links,
        attributes={"messaging.operation.type": "create"},
    )


def _step(batch: Batch, job: _Job, held: Held, step: NewStep) -> SpanEnded:
    attempt = held.lease.attempt
    return _span(
        job,
        f"step {step.name} of",
        "internal",
        at_us=batch.at_us,
        began_us=max(held.lease.leased_us, batch.at_us - (step.took_us or 0)),
        span=step_span(job.id, attempt, step.step),
        parent=attempt_span(job.id, attempt),
        error=None if step.error is None else step.error.type,
        attributes={"sheratan.step": step.name, "sheratan.attempt": attempt},
    )


def _ended(job: _Job, after: Result) -> SpanEnded:
    """A job is over of which no attempt runs."""
    return _span(
        job,
        "end",
        "internal",
        at_us=after.finished_us,
        began_us=after.finished_us,
        span=attempt_span(job.id, 0),
        parent=submit_span(job.id),
        attributes={"sheratan.outcome": after.state},
    )


def _attempt(job: _Job, before: Lease, after: Location, entry: Entry) -> SpanEnded:
    """An attempt is over. One that waits, or is handed back, goes on later: what it was so far is a part of it."""
    attempt, parent = before.attempt, submit_span(job.id)
    span = attempt_span(job.id, attempt)
    links: list[tuple[str, str]] = []
    if type(after) is not Result and after.attempt == attempt:
        span, parent = part_span(job.id, before.fence), span
    elif attempt > 1:
        links = [(job.trace.id, attempt_span(job.id, attempt - 1))]
    return _span(
        job,
        "attempt",
        "consumer",
        at_us=entry.at,
        began_us=before.leased_us,
        span=span,
        parent=parent,
        error=entry.data.get("error", {}).get("type"),
        links=links,
        attributes={
            "messaging.operation.type": "process",
            "sheratan.attempt": attempt,
            "sheratan.fence": before.fence,
            "sheratan.outcome": entry.type.removeprefix("job."),
        },
    )
