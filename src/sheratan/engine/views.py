"""Reads for people and programs: rows put together into records."""

from __future__ import annotations

from collections import Counter

import msgspec

from sheratan.contracts.api import AfterResults, GetResults, JobResult, ListSteps
from sheratan.contracts.code import Difference
from sheratan.contracts.errors import Archived, NotFound
from sheratan.contracts.flow import BlockedBy
from sheratan.contracts.ids import look_up_job_id
from sheratan.contracts.jobs import JobError, JobRecord, QueueRecord
from sheratan.contracts.tracing import trace_of, unpack
from sheratan.contracts.worker import StepRecord
from sheratan.engine.blockers import Blockers, limits_of
from sheratan.engine.entries import read_entry
from sheratan.engine.ids import absent, ids_of, job_id
from sheratan.engine.inbox import waits_for
from sheratan.engine.own_budget_views import job_budget
from sheratan.engine.proposal_views import use_of
from sheratan.engine.run_views import with_node
from sheratan.engine.state import State
from sheratan.kernel.words import count
from sheratan.store.partition_rows import lane_of, partition_of
from sheratan.store.port import JobView, Reader
from sheratan.store.rows import (
    CODE_CHANGED,
    NEVER_US,
    Blocked,
    BulkRow,
    FlowRow,
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
    "decode_value",
    "ended_record",
    "find_bulk",
    "find_view",
    "input_of",
    "job_record",
    "job_results",
    "newest_entry",
    "partition_name",
    "queue_records",
    "step_records",
]

_DIGITS_MAX = 18
"""A longer number is none of an entry, and does not fit into a row."""

_PAGE_BYTES_MAX = 1 << 22
"""A page of steps ends here: whoever asks for the rest begins after the last one that it got."""


def find_view(reader: Reader, text: str) -> JobView:
    """The job with a public id, or NotFound."""
    address = look_up_job_id(text)
    view = reader.view(address.number)
    if view is None or job_id(view.job) != text:
        raise absent(reader, text)
    return view


def find_bulk(reader: Reader, text: str) -> BulkRow:
    """The bulk operation of a name (`bulk:N`), or NotFound."""
    number = text.removeprefix("bulk:")
    if text.startswith("bulk:") and number.isdecimal() and len(number) <= _DIGITS_MAX:
        row = reader.bulk(int(number))
        if row is not None:
            return row
    raise NotFound(f"there is no bulk operation {text}", field="id")


def job_record(
    reader: Reader, view: JobView, blockers: Blockers | None = None, *, is_listed: bool = False
) -> JobRecord:
    """A job as users see it; in a list, what is kept apart from its rows is left out."""
    job, lane, location = view
    attempt, losses = _attempts(location)
    blocked_by: list[BlockedBy] = []
    if type(location) is Ready:
        blocked_by = (blockers or Blockers(reader)).of(job, lane, location.since_us)
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
        deadline_us=job.deadline_us or None,
        leased_us=getattr(location, "leased_us", None),
        finished_us=getattr(location, "finished_us", None),
        waiting_for=_blocked_by(blocked_by) or _waiting_for(reader, location),
        blocked_by=blocked_by,
        cost=job.cost,
        partition=partition_name(reader, job),
        trace=_trace(job),
        version=lane.version,
        blocked_reason=location.reason if type(location) is Blocked else None,  # type: ignore[arg-type]
    )
    if is_listed:
        return record
    whole_record = msgspec.structs.replace(
        record,
        input=decode_value(input_of(reader, job)),
        output=decode_value(_output(reader, location)),
        error=_last_error(reader, job, location),
        steps=reader.last_steps([job.number]).get(job.number, (0, 0))[0],
        after=_parents(reader, job),
        origin=_id_of(reader, job.origin),
        tags=reader.tags(job.number),
        budget=job_budget(reader, lane.tenant, job.number),
        submitted_by_job=_id_of(reader, job.submitted_by),
        proposals=use_of(reader, job.number),
        difference=_difference(reader, location),
        superseded_by=_superseded_by(reader, location),
    )
    return with_node(reader, whole_record, job.number)


def ended_record(public_id: str, job: JobRow, lane: Lane, result: Result, partition: str | None) -> JobRecord:
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
        deadline_us=job.deadline_us or None,
        cost=job.cost,
        partition=partition,
        trace=trace_of(public_id, unpack(job.trace)).id,
        version=lane.version,
        output=decode_value(result.output),
    )


def _trace(job: JobRow) -> str:
    return trace_of(job_id(job), unpack(job.trace)).id


def partition_name(reader: Reader, job: JobRow) -> str | None:
    """The partition of a job, if it has one."""
    number = partition_of(job.lane)
    return reader.partitions([number])[number] if number else None


def after_results(reader: Reader, request: AfterResults) -> list[JobResult]:
    """How the jobs that a job ran after have ended."""
    view = find_view(reader, request.id)
    numbers = reader.after(view.job.number)[request.start : request.start + request.limit]
    views = _views(reader, numbers)
    return [_result(reader, views[number]) for number in numbers if number in views]


def job_results(reader: Reader, request: GetResults) -> list[JobResult]:
    """How these jobs have ended; fewer than asked for where they are large."""
    found: list[JobResult] = []
    size = 0
    numbers = [look_up_job_id(text).number for text in request.ids]
    views = _views(reader, numbers)
    for number, text in zip(numbers, request.ids, strict=True):
        view = views.get(number)
        if view is None or job_id(view.job) != text:
            raise absent(reader, text)
        result = _result(reader, view)
        size += len(bytes(result.output))
        if found and size > _PAGE_BYTES_MAX:
            break
        found.append(result)
    return found


def _views(reader: Reader, numbers: list[int]) -> dict[int, JobView]:
    """These jobs as they stand, as far as they exist. Nearly all have ended, so those are read together."""
    ended = {row.number: row for row in reader.results(numbers)}
    lanes = {lane.lane: lane for lane in reader.lanes()}
    views = {
        job.number: JobView(job, lanes[lane_of(job.lane)], ended[job.number])
        for job in reader.jobs(list(ended))
    }
    for number in numbers:
        view = None if number in views else reader.view(number)
        if view is not None:
            views[number] = view
    return views


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
    if type(location) in (Ready, Timer, Blocked) and state_of(location) != "waiting":
        return location.attempt - 1, location.losses  # type: ignore[union-attr]
    return location.attempt, location.losses  # type: ignore[union-attr]


def _blocked_by(found: list[BlockedBy]) -> str | None:
    return " and ".join(one.text for one in found) or None


def _waiting_for(reader: Reader, location: Location) -> str | None:
    if type(location) is Blocked and location.reason == CODE_CHANGED:
        return "other code of its handler: its steps are not those that are recorded"
    if type(location) is Blocked:
        return f"{location.missing} other jobs to end"
    if state_of(location) == "waiting":
        return " or ".join(_awaited(reader, row) for row in reader.waits(location.number))
    if type(location) is Timer:
        return "the end of its delay" if location.what == 1 else "the end of its backoff"
    if type(location) is Ready:
        return "a free worker"
    return None


def _difference(reader: Reader, location: Location) -> Difference | None:
    """What has changed under a job that is blocked for that, as its newest entry tells."""
    if type(location) is not Blocked or location.reason != CODE_CHANGED:
        return None
    return msgspec.convert(read_entry(reader, location.entry).data["difference"], Difference)


def _superseded_by(reader: Reader, location: Location) -> str | None:
    """The job that has taken the place of one that was cancelled, as its last entry tells."""
    if type(location) is not Result or location.state != "cancelled":
        return None
    try:
        found: str | None = read_entry(reader, location.entry).data.get("superseded_by")
    except Archived:
        return None
    return found


def _due_us(location: Location) -> int | None:
    due_us = getattr(location, "due_us", None) or None
    return None if due_us == NEVER_US else due_us


def _awaited(reader: Reader, row: WaitRow) -> str:
    if row.what == "sleep":
        return "the end of its sleep"
    if row.what == "approval":
        return waits_for(reader, row.key)
    if row.what == "signal":
        return f"the signal {row.key}"
    return f"{count(reader.awaited_left(wait_key(row)), 'other job')} to end"


def input_of(reader: Reader, job: JobRow) -> bytes | None:
    """A job's input as it is kept."""
    return reader.payload(job.payload) if job.payload else job.input


def _output(reader: Reader, location: Location) -> bytes | None:
    if type(location) is not Result:
        return None
    return reader.payload(location.payload) if location.payload else location.output


def decode_value(data: bytes | None) -> object:
    """A kept value."""
    return None if data is None else msgspec.json.decode(data)


def _last_error(reader: Reader, job: JobRow, location: Location) -> JobError | None:
    if type(location) is Result and location.state != "failed":
        return None
    failures = reader.failures(job.number)
    return msgspec.json.decode(failures[max(failures)], type=JobError) if failures else None


def _parents(reader: Reader, job: JobRow) -> list[str]:
    numbers = reader.after(job.number)
    ids = ids_of(reader, numbers)
    return [ids[number] for number in numbers]


def _id_of(reader: Reader, number: int | None) -> str | None:
    return None if number is None else ids_of(reader, [number]).get(number)


def queue_records(state: State, tenant: str) -> list[QueueRecord]:
    """Every queue that has been used, paused or limited, by name."""
    flows = {
        subject.removeprefix("queue:"): row
        for (owner, subject), row in state.flow.rows.items()
        if owner == tenant and subject.startswith("queue:")
    }
    running = Counter(state.lane_of(held.job).queue for held in state.held.values())
    names = sorted({lane.queue for lane in state.lanes.values()} | flows.keys())
    return [_queue_record(state, tenant, name, flows.get(name), running[name]) for name in names]


def _queue_record(state: State, tenant: str, name: str, row: FlowRow | None, running: int) -> QueueRecord:
    return QueueRecord(
        name=name,
        paused=bool(row and row.paused),
        queued=state.depth(tenant, name),
        running=running,
        paused_reason=row.reason if row and row.paused else None,
        limits=limits_of(row),
    )
