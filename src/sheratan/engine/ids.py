"""Public ids of jobs, whether they were pruned or not, and what is said to who asks for one that is not there."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sheratan.contracts.errors import NotFound, Pruned
from sheratan.contracts.ids import JobId, format_job_id, look_up_job_id
from sheratan.store.port import Reader
from sheratan.store.retention_rows import Remains, RunRemains
from sheratan.store.rows import JobRow

__all__ = ["Trace", "absent", "find_remains", "ids_of", "job_id", "pruned"]


class Trace(NamedTuple):
    """What is known of a job for good: its public id, when it was submitted, and by which job, if by one."""

    id: JobId
    created_us: int
    submitted_by: int | None


def job_id(job: JobRow) -> JobId:
    """The public id of a job."""
    return format_job_id(job.created_us // 1000, 0, job.number, job.salt)


def ids_of(reader: Reader, numbers: Collection[int]) -> dict[int, JobId]:
    """The public ids of jobs, whether they were pruned or not."""
    found = {job.number: job_id(job) for job in reader.jobs(list(numbers))}
    missing = [number for number in numbers if number not in found]
    return found | {left.number: left.id for left in reader.remains(missing)} if missing else found


def find_remains(reader: Reader, text: str) -> Remains | None:
    """What is left of the job with a public id; None when it was not pruned."""
    found = reader.remains([look_up_job_id(text).number])
    return found[0] if found and found[0].id == text else None


def absent(reader: Reader, text: str) -> NotFound:
    """Why there is no job with this id: it was pruned, or it never was."""
    left = find_remains(reader, text)
    return NotFound(f"there is no job {text}", field="id") if left is None else pruned(left)


def pruned(left: Remains | RunRemains) -> Pruned:
    """What is said to who asks for what was pruned."""
    end = left.state if isinstance(left, Remains) else f"ended as {left.state}"
    told = f"{left.id} has {end} and was pruned (entry {left.pruned_by}); `sheratan why` tells its story"
    return Pruned(told, field="id")
