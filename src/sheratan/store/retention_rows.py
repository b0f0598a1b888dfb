"""Rows of retention: how long jobs are kept that have ended, and what is left of those that were pruned."""

from __future__ import annotations

from typing import NamedTuple

from sheratan.contracts.ids import JobId, format_job_id

__all__ = ["EndedRow", "Remains", "RemainsCount", "RetentionRow"]


class RetentionRow(NamedTuple):
    """How long jobs of a kind are kept after they have ended; when it is '', those of all kinds without a row."""

    tenant: str
    kind: str
    keep_us: int | None
    """None: for ever."""
    set_entry: int
    """The entry that set it."""
    entry: int
    """The newest entry about it."""
    jobs: int
    """How many jobs were pruned by it."""


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
