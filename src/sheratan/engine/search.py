"""Jobs that are looked for: listings, dead letters, and what a bulk operation would be for and has done."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sheratan.contracts.api import JobPage, ListJobs
from sheratan.contracts.bulk import BulkPreview, BulkRecord, GetBulk, PreviewBulk
from sheratan.contracts.dead_letters import DeadLetter, DeadLetterPage, GetDeadLetter, ListDeadLetters
from sheratan.contracts.errors import Archived, InvalidInput, NotFound
from sheratan.contracts.filters import JobFilter
from sheratan.contracts.ids import JOB_NUMBER_MAX, parse_job_id
from sheratan.contracts.jobs import JobError
from sheratan.contracts.limits import Limits
from sheratan.engine.blockers import Blockers
from sheratan.engine.bulk import search_for
from sheratan.engine.commands import StartBulk
from sheratan.engine.entries import read_entry
from sheratan.engine.ids import job_id
from sheratan.engine.views import decode_value, find_bulk, find_view, input_of, job_record
from sheratan.kernel.canonical import canonical
from sheratan.kernel.dead_letters import POISON
from sheratan.store.port import JobView, Reader, Search, Standing
from sheratan.store.rows import Result

__all__ = [
    "bulk_preview",
    "bulk_record",
    "check_filter",
    "dead_letter",
    "list_dead_letters",
    "list_records",
]

_COUNTED_MAX = 1_000_000
"""Jobs that a preview counts at most."""

_SAMPLE = 10


def check_filter(wanted: JobFilter) -> None:
    """Refuse a filter that no entry could hold, or that can mean no job at all."""
    canonical(msgspec.to_builtins(wanted), field="filter")
    for name in ("created", "finished"):
        first, end = getattr(wanted, f"{name}_from_us"), getattr(wanted, f"{name}_until_us")
        if first is not None and end is not None and first >= end:
            raise InvalidInput(
                "the interval is empty: it begins when it ends, or later", field=f"{name}_until_us"
            )


def list_records(
    reader: Reader, request: ListJobs, limits: Limits, offered: frozenset[str] | None = None
) -> JobPage:
    """A page of jobs, newest first."""
    views, more = _page(reader, request, "any", limits)
    blockers = Blockers(reader, offered)
    items = [job_record(reader, view, blockers, is_listed=True) for view in views]
    return JobPage(items=items, next_cursor=items[-1].id if more and items else None)


def list_dead_letters(reader: Reader, request: ListDeadLetters, limits: Limits) -> DeadLetterPage:
    """A page of dead letters, newest job first."""
    views, more = _page(reader, request, "dead", limits)
    items = [_dead_letter(reader, view) for view in views]
    return DeadLetterPage(items=items, next_cursor=items[-1].id if more and items else None)


def dead_letter(reader: Reader, request: GetDeadLetter) -> DeadLetter:
    """One dead letter, with its input; NotFound for any other job."""
    view = find_view(reader, request.id)
    if not reader.is_dead_letter(view.job.number):
        raise NotFound("the job is no dead letter; `sheratan why` tells what became of it", field="id")
    return msgspec.structs.replace(_dead_letter(reader, view), input=decode_value(input_of(reader, view.job)))


def bulk_preview(reader: Reader, request: PreviewBulk) -> BulkPreview:
    """How many jobs a bulk operation would be for, and the first of them."""
    check_filter(request.filter)
    command = StartBulk(action=request.action, filter=request.filter, poison=request.poison)
    most = min(request.limit or _COUNTED_MAX, _COUNTED_MAX)
    found = reader.find_jobs(search_for(command)._replace(limit=most + 1))
    shown = found[: min(most, _SAMPLE)]
    by_number = {job.number: job_id(job) for job in reader.jobs(shown)}
    sample: list[str] = [by_number[number] for number in shown]
    return BulkPreview(jobs=min(len(found), most), sample=sample, is_more=len(found) > most)


def bulk_record(reader: Reader, request: GetBulk) -> BulkRecord:
    """How far a bulk operation has come, or NotFound."""
    row = find_bulk(reader, request.id)
    data = read_entry(reader, row.entry).data
    record = BulkRecord(
        id=request.id,
        action=data["action"],
        filter=msgspec.convert(data["filter"], JobFilter),
        state="running",
        jobs=row.done,
        limit=data.get("limit"),
    )
    if row.ended is None:
        return record
    decided = read_entry(reader, row.ended).decision or {}
    if decided["chosen"] == "stop":
        return msgspec.structs.replace(record, state="stopped", stopped_because=decided["input"]["refused"])
    return msgspec.structs.replace(record, state="ended")


def _page(
    reader: Reader, request: ListJobs | ListDeadLetters, standing: Standing, limits: Limits
) -> tuple[Sequence[JobView], bool]:
    """The jobs of a page, and whether there are more."""
    check_filter(request)
    if request.limit > limits.list_jobs_max:
        raise InvalidInput(
            f"{request.limit} is above {limits.list_jobs_max} (limits.list_jobs_max)", field="limit"
        )
    below = parse_job_id(request.cursor, "cursor").number if request.cursor else JOB_NUMBER_MAX + 1
    search = Search(request, request.limit + 1, below=below, standing=standing)
    numbers = reader.find_jobs(search)
    views = [view for view in map(reader.view, numbers[: request.limit]) if view is not None]
    return views, len(numbers) > request.limit


def _dead_letter(reader: Reader, view: JobView) -> DeadLetter:
    job, lane, result = view
    assert type(result) is Result
    failures = reader.failures(job.number)
    first, last = (msgspec.json.decode(failures[pick(failures)], type=JobError) for pick in (min, max))
    return DeadLetter(
        id=job_id(job),
        kind=lane.kind,
        queue=lane.queue,
        error_class=last.error_class,
        quarantined=last.error_class == POISON,
        attempt=result.attempt,
        attempts_max=job.attempts_max,
        worker_losses=result.losses,
        created_us=job.created_us,
        failed_us=result.finished_us,
        entry=result.entry,
        worker=_last_worker(reader, result.entry),
        first_error=first,
        last_error=last,
        tags=reader.tags(job.number),
    )


def _last_worker(reader: Reader, seq: int) -> str | None:
    """The worker that ran the last attempt: the fence of the attempt is the entry that gave it to it."""
    try:
        fence = read_entry(reader, seq).data.get("fence")
        return None if fence is None else read_entry(reader, fence).subject
    except Archived:
        return None
