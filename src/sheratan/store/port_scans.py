"""The reads of whole tables that only checks make, in steps of bounded size, so that no single one lasts long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from sheratan.store.rows import (
    AfterRow,
    AwaitedRow,
    BlockingCode,
    BulkRow,
    FailedRow,
    FailureRow,
    FailureWord,
    KeyRow,
    Result,
    ScheduleRow,
    SignalRow,
    StepRow,
    TagRow,
    WaitRow,
)
from sheratan.store.run_rows import RunKeyRow

__all__ = ["Scans"]


class Scans(Protocol):
    """Every row of every table, by key."""

    def integrity(self) -> list[str]:
        """What the database finds wrong with its own files; empty when all is well. May take long."""
        ...

    def job_numbers(self, above: int | None = None) -> Iterator[int]:
        """The numbers of all jobs, or of those above one, in order."""
        ...

    def result_numbers(self, above: int | None = None) -> Iterator[int]:
        """The numbers of all jobs that have ended, or of those above one, in order."""
        ...

    def results(self, numbers: Sequence[int]) -> list[Result]:
        """The results of these jobs, in no particular order; a job that has not ended has none."""
        ...

    def after_rows(self, numbers: Sequence[int]) -> list[AfterRow]:
        """What these jobs were named to run after, by job and in the order they were named."""
        ...

    def failure_rows(self, numbers: Sequence[int]) -> list[FailureRow]:
        """How attempts of these jobs failed."""
        ...

    def step_rows(self, keys: Sequence[tuple[int, int]]) -> list[StepRow]:
        """Steps by job and step; those that are not there are left out."""
        ...

    def known_payloads(self, digests: Sequence[bytes]) -> set[bytes]:
        """Those of these digests under which a payload is kept."""
        ...

    def payloads(self, above: int | None = None) -> Iterator[tuple[int, bytes, bytes]]:
        """Every payload that is kept apart, or those that came later: its place, its digest and its body."""
        ...

    def after_keys(self, above: int | None = None) -> Iterator[tuple[int, int]]:
        """(job, ordinal) of every named predecessor, or of jobs above one, in order."""
        ...

    def step_keys(self, above: int | None = None) -> Iterator[tuple[int, int]]:
        """(job, step) of every recorded step, or of jobs above one, in order."""
        ...

    def blocking_codes(self) -> list[BlockingCode]:
        """The code that has blocked jobs which have not ended, by job."""
        ...

    def all_waits(self) -> Iterator[WaitRow]:
        """What handlers wait for, by job."""
        ...

    def all_awaited(self) -> Iterator[AwaitedRow]:
        """The jobs that handlers wait for, by who waits."""
        ...

    def all_signals(self) -> Iterator[SignalRow]:
        """The signals that were not received yet, by job."""
        ...

    def tag_rows(self, numbers: Sequence[int]) -> list[TagRow]:
        """The tags of these jobs, by job and in order."""
        ...

    def tag_keys(self, above: int | None = None) -> Iterator[tuple[int, str]]:
        """(job, tag) of every tag, or of jobs above one, in order."""
        ...

    def failed_rows(self, wanted: Sequence[FailedRow]) -> set[FailedRow]:
        """Those of these rows about failed jobs that are there."""
        ...

    def failed_count(self) -> int:
        """How many rows about failed jobs there are."""
        ...

    def failure_words(self) -> Iterator[FailureWord]:
        """What a search for text looks at, by word."""
        ...

    def words_of_failures(self) -> Iterator[FailureWord]:
        """What it should look at: the words of the errors that ended jobs."""
        ...

    def dead_letters(self) -> Iterator[int]:
        """Every dead letter, in order."""
        ...

    def all_bulks(self) -> Iterator[BulkRow]:
        """Every bulk operation, in order."""
        ...

    def all_schedules(self) -> Iterator[ScheduleRow]:
        """Every schedule, those that were deleted included."""
        ...

    def failure_keys(self) -> Iterator[tuple[int, int]]:
        """(job, entry) of every failed attempt, in order."""
        ...

    def all_mentions(self) -> Iterator[tuple[int, int]]:
        """(job, entry) of every mention, in order."""
        ...

    def alarms(self) -> Iterator[tuple[int, int]]:
        """(instant, job) of every limit on waiting in a queue, in order."""
        ...

    def run_numbers(self) -> Iterator[int]:
        """The numbers of all runs, in order."""
        ...

    def run_key_rows(self) -> Iterator[RunKeyRow]:
        """Every idempotency key of a run, in order."""
        ...

    def all_run_mentions(self) -> Iterator[tuple[int, int]]:
        """(run, entry) of every mention of a run, in order."""
        ...

    def run_result_numbers(self) -> Iterator[int]:
        """The numbers of all runs that have ended, in order."""
        ...

    def node_counts(self) -> Iterator[tuple[int, int]]:
        """How many nodes of each run something was decided about, by run."""
        ...

    def node_job_counts(self) -> Iterator[tuple[int, int]]:
        """How many jobs each run has, by run."""
        ...

    def key_rows(self, above: int | None = None) -> Iterator[KeyRow]:
        """Every idempotency key, or those of jobs above one, in order."""
        ...

    def close(self) -> None:
        """Give the files back."""
        ...
