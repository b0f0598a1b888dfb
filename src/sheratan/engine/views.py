"""Reads for people and programs: rows put together into records."""

from __future__ import annotations

import msgspec

from sheratan.contracts.api import AfterResults, GetResults, JobPage, JobResult, ListJobs, ListSteps
from sheratan.contracts.errors import InvalidInput, NotFound
from sheratan.contracts.ids import JOB_NUMBER_MAX, look_up_job_id, parse_job_id
from sheratan.contracts.jobs import JobError, JobRecord
from sheratan.contracts.limits import Limits
from sheratan.contracts.worker import StepRecord
from sheratan.engine.batch import job_id
from sheratan.kernel.words import count
from sheratan.store.port import JobView, Reader
from sheratan.store.rows import (
    NEVER_US,
    Blocked,
    JobRow,
    Lane,
    Lease,
    Location,
    Ready,
    Result,
    StepRow,
    Timer,
    WaitRow,
    wait_key,
)
from sheratan.store.unit import state_of

__all__ = [
    "after_results",
    "ended_record",
    "find_view",
    "job_record",
    "job_results",
    "list_records",
    "newest_entry",
    "step_records",
]

_PAGE_BYTES_MAX = 1 << 22
"""A page of steps ends here: whoever asks for the rest begins after the last one that it got."""


def find_view(reader: Reader, text: str) -> JobView:
    """The job with a public id, or NotFound."""
    address = look_up_job_id(text)
    view = reader.view(address.number)
    if view is None or job_id(view.job) != text:
        raise NotFound(f"there is no job {text}", field="id")
    return view


def job_record(reader: Reader, view: JobView, *, whole: bool = True) -> JobRecord:
    """A job as users see it; without `whole`, what is kept apart from its rows is left out."""
    job, lane, location = view
    attempt, losses = _attempts(location)
    record = JobRecord(
        id=job_id(job),
        kind=lane.kind,
        queue=lane.queue,
        priority=job.priority,
        state=state_of(location),  # type: ignore[arg-type]
        attempt=attempt,
        attempts_max=job.attempts_max,
        worker_losses=losses,
        created_us=job.created_us,
        entry=newest_entry(reader, location),
        due_us=_due_us(location),
        leased_us=getattr(location, "leased_us", None),
        finished_us=getattr(location, "finished_us", None),
        waiting_for=_waiting_for(reader, location),
    )
    if not whole:
        return record
    return msgspec.structs.replace(
        record,
        input=_decode(_input(reader, job)),
        output=_decode(_output(reader, location)),
        error=_last_error(reader, job, location),
        steps=reader.last_steps([job.number]).get(job.number, (0, 0))[0],
        after=[job_id(parent) for parent in _parents(reader, job)],
        origin=_id_of(reader, job.origin),
        submitted_by_job=_id_of(reader, job.submitted_by),
    )


def ended_record(public_id: str, job: JobRow, lane: Lane, result: Result) -> JobRecord:
    """A job that has just succeeded, from the rows at hand; its input is left out."""
    return JobRecord(
        id=public_id,
        kind=lane.kind,
        queue=lane.queue,
        priority=job.priority,
        state=result.state,  # type: ignore[arg-type]
        attempt=result.attempt,
        attempts_max=job.attempts_max,
        worker_losses=result.losses,
        created_us=job.created_us,
        entry=result.entry,
        finished_us=result.finished_us,
        output=_decode(result.output),
    )


def list_records(reader: Reader, request: ListJobs, limits: Limits) -> JobPage:
    """A page of jobs, newest first."""
    if request.limit > limits.list_jobs_max:
        raise InvalidInput(
            f"{request.limit} is above {limits.list_jobs_max} (limits.list_jobs_max)", field="limit"
        )
    below = parse_job_id(request.cursor).number if request.cursor else JOB_NUMBER_MAX + 1
    numbers = reader.list_jobs(
        state=request.state, queue=request.queue, kind=request.kind, below=below, limit=request.limit + 1
    )
    views = [view for view in map(reader.view, numbers[: request.limit]) if view is not None]
    items = [job_record(reader, view, whole=False) for view in views]
    more = len(numbers) > request.limit
    return JobPage(items=items, next_cursor=items[-1].id if more and items else None)


def after_results(reader: Reader, request: AfterResults) -> list[JobResult]:
    """How the jobs that a job ran after have ended."""
    view = find_view(reader, request.id)
    numbers = reader.after(view.job.number)[request.start : request.start + request.limit]
    views = map(reader.view, numbers)
    return [_result(reader, parent) for parent in views if parent is not None]


def job_results(reader: Reader, request: GetResults) -> list[JobResult]:
    """How these jobs have ended; fewer than asked for where they are large."""
    found: list[JobResult] = []
    size = 0
    for text in request.ids:
        result = _result(reader, find_view(reader, text))
        size += len(bytes(result.output))
        if found and size > _PAGE_BYTES_MAX:
            break
        found.append(result)
    return found


def _result(reader: Reader, view: JobView) -> JobResult:
    output = _output(reader, view.location) or b"null"
    return JobResult(
        id=job_id(view.job),
        kind=view.lane.kind,
        state=state_of(view.location),
        output=msgspec.Raw(output),
        error=_last_error(reader, view.job, view.location) if type(view.location) is Result else None,
    )


def step_records(reader: Reader, request: ListSteps) -> list[StepRecord]:
    """The steps that a job has recorded, in their order; fewer than asked for where they are large."""
    view = find_view(reader, request.id)
    found: list[StepRecord] = []
    size = 0
    for row in reader.steps(view.job.number, request.after, request.limit):
        record = _step(reader, row)
        size += len(bytes(record.output))
        if found and size > _PAGE_BYTES_MAX:
            break
        found.append(record)
    return found


def _step(reader: Reader, row: StepRow) -> StepRecord:
    body = reader.payload(row.payload) if row.payload else row.output or b"null"
    record = StepRecord(step=row.step, name=row.name, occurrence=row.occurrence, entry=row.entry)
    if row.failed:
        return msgspec.structs.replace(record, error=msgspec.json.decode(body, type=JobError))
    return msgspec.structs.replace(record, output=msgspec.Raw(body))


def newest_entry(reader: Reader, location: Location) -> int:
    """The newest entry in the story of a job. While it runs that may be a step, which leaves its row as it is."""
    if type(location) is not Lease:
        return location.entry
    _, entry = reader.last_steps([location.number]).get(location.number, (0, 0))
    return max(entry, location.entry)


def _attempts(location: Location) -> tuple[int, int]:
    """The attempt that runs, ran last, or comes next counts only once it has started."""
    if type(location) is Blocked:
        return 0, 0
    if type(location) in (Ready, Timer) and state_of(location) != "waiting":
        return location.attempt - 1, location.losses  # type: ignore[union-attr]
    return location.attempt, location.losses  # type: ignore[union-attr]


def _waiting_for(reader: Reader, location: Location) -> str | None:
    if type(location) is Blocked:
        return f"{location.missing} other jobs to end"
    if state_of(location) == "waiting":
        return " or ".join(_awaited(reader, row) for row in reader.waits(location.number))
    if type(location) is Timer:
        return "the end of its delay" if location.what == 1 else "the end of its backoff"
    if type(location) is Ready:
        return "a free worker"
    return None


def _due_us(location: Location) -> int | None:
    due_us = getattr(location, "due_us", None) or None
    return None if due_us == NEVER_US else due_us


def _awaited(reader: Reader, row: WaitRow) -> str:
    if row.what == "sleep":
        return "the end of its sleep"
    if row.what == "signal":
        return f"the signal {row.key}"
    return f"{count(reader.awaited_left(wait_key(row)), 'other job')} to end"


def _input(reader: Reader, job: JobRow) -> bytes | None:
    return reader.payload(job.payload) if job.payload else job.input


def _output(reader: Reader, location: Location) -> bytes | None:
    if type(location) is not Result:
        return None
    return reader.payload(location.payload) if location.payload else location.output


def _decode(data: bytes | None) -> object:
    return None if data is None else msgspec.json.decode(data)


def _last_error(reader: Reader, job: JobRow, location: Location) -> JobError | None:
    if type(location) is Result and location.state != "failed":
        return None
    failures = reader.failures(job.number)
    return msgspec.json.decode(failures[max(failures)], type=JobError) if failures else None


def _parents(reader: Reader, job: JobRow) -> list[JobRow]:
    numbers = reader.after(job.number)
    by_number = {parent.number: parent for parent in reader.jobs(numbers)}
    return [by_number[number] for number in numbers]


def _id_of(reader: Reader, number: int | None) -> str | None:
    if number is None:
        return None
    return next((job_id(job) for job in reader.jobs([number])), None)
