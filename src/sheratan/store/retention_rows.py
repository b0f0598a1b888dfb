"""Rows of retention: how long jobs and runs are kept that have ended, and what is left of those that were pruned."""

from __future__ import annotations

from typing import NamedTuple

from sheratan.contracts.ids import JobId, RunId, format_job_id, format_run_id

__all__ = [
    "EndedRow",
    "EndedRunRow",
    "Remains",
    "RemainsCount",
    "RetentionRow",
    "RunRemains",
    "RunRemainsCount",
]


class RetentionRow(NamedTuple):
    """How long jobs or runs are kept after they have ended; `scope` says which, in the words of the kernel."""

    tenant: str
    scope: str
    keep_us: int | None
    """None: for ever."""
    set_entry: int
    """The entry that set it."""
    entry: int
    """The newest entry about it."""
    pruned: int
    """How many were pruned by it."""


class Remains(NamedTuple):
    """What is left of a job that was pruned; `entry` is the last one of its story, `pruned_by` the one that pruned it.

    The last four are how many rows went with it.
    """

    number: int
    salt: int
    lane: int
    created_us: int
    submitted_by: int | None
    state: str
    finished_us: int
    entry: int
    pruned_by: int
    parents: int
    failures: int
    steps: int
    tags: int

    @property
    def id(self) -> JobId:
        """The job's public id."""
        return format_job_id(self.created_us // 1000, 0, self.number, self.salt)


class RemainsCount(NamedTuple):
    """How many rows went with jobs that were pruned, by table."""

    parents: int
    failures: int
    steps: int
    tags: int
    failed: int


class EndedRow(NamedTuple):
    """A job that has ended, as far as its retention goes by it."""

    number: int
    lane: int
    created_us: int
    finished_us: int


class RunRemains(NamedTuple):
    """What is left of a run that was pruned; `entry` is the last one of its story, `pruned_by` the one that pruned it.

    The last two are how many rows of nodes and of their jobs went with it.
    """

    number: int
    salt: int
    tenant: str
    workflow: str
    created_us: int
    parent: int | None
    state: str
    finished_us: int
    entry: int
    pruned_by: int
    nodes: int
    jobs: int

    @property
    def id(self) -> RunId:
        """The run's public id."""
        return format_run_id(self.created_us // 1000, 0, self.number, self.salt)


class RunRemainsCount(NamedTuple):
    """How many runs were pruned, and how many rows went with them."""

    runs: int
    nodes: int
    jobs: int


class EndedRunRow(NamedTuple):
    """A run that has ended, as far as its retention goes by it; `jobs` are used of its budget."""

    number: int
    tenant: str
    workflow: str
    created_us: int
    finished_us: int
    jobs: int
