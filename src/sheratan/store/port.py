"""The port: what the engine asks of a database, whichever it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from sheratan.kernel.chain import Head
from sheratan.store.rows import (
    AfterRow,
    AwaitedRow,
    Blocked,
    FailureRow,
    JobRow,
    KeyRow,
    Lane,
    Lease,
    Location,
    QueueRow,
    Ready,
    Result,
    SignalRow,
    StepRow,
    Timer,
    WaitKey,
    WaitRow,
)
from sheratan.store.unit import Unit

__all__ = ["JobView", "Reader", "Shard", "Store"]


class Shard(NamedTuple):
    """The shard row: its journal's head, the next job number, the policy in force, how the last engine ended."""

    epoch: int
    head: Head
    next_number: int
    policy: int
    engine_entry: int | None
    clean: bool


class JobView(NamedTuple):
    """A job, its lane and where it is."""

    job: JobRow
    lane: Lane
    location: Location


class Reader(Protocol):
    """Reads of committed state. Every read is bounded in rows and in time."""

    def shard(self) -> Shard:
        """The shard row."""
        ...

    def lanes(self) -> list[Lane]:
        """Every lane."""
        ...

    def queues(self) -> list[QueueRow]:
        """Every queue that was ever paused."""
        ...

    def jobs(self, numbers: Sequence[int]) -> list[JobRow]:
        """The jobs with these numbers, in no particular order."""
        ...

    def view(self, number: int) -> JobView | None:
        """One job with its location."""
        ...

    def location(self, number: int) -> Location | None:
        """Where a job is."""
        ...

    def leases(self) -> list[Lease]:
        """Every lease."""
        ...

    def list_jobs(
        self, *, state: str | None, queue: str | None, kind: str | None, below: int, limit: int
    ) -> list[int]:
        """Numbers of jobs, newest first, below a number."""
        ...

    def after(self, number: int) -> list[int]:
        """The jobs that a job was named to run after, in the order they were named."""
        ...

    def mentions(self, number: int) -> list[int]:
        """Entries that mention a job beside its own story."""
        ...

    def failures(self, number: int) -> dict[int, bytes]:
        """How the attempts of a job failed, by the entry that records it: each a JobError as JSON."""
        ...

    def steps(self, number: int, after: int, limit: int) -> list[StepRow]:
        """The steps that a job has recorded, in their order, from the one after step `after` on."""
        ...

    def spawn_steps(self, number: int) -> list[StepRow]:
        """The steps of a job that have submitted jobs."""
        ...

    def waits(self, number: int) -> list[WaitRow]:
        """What the handler of a job waits for, in the order in which it asked."""
        ...

    def awaited_by(self, number: int) -> list[AwaitedRow]:
        """The jobs that the handler of a job waits for, and that have not ended."""
        ...

    def ended(self, numbers: Collection[int]) -> set[int]:
        """Those of these jobs that have ended."""
        ...

    def awaited_left(self, wait: WaitKey) -> int:
        """How many of the jobs that a wait waits for have not ended."""
        ...

    def who_awaits(self, ended: Collection[int]) -> list[AwaitedRow]:
        """The waits that wait for one of these jobs."""
        ...

    def any_awaited(self) -> bool:
        """Whether any handler waits for other jobs."""
        ...

    def signals(self, number: int) -> list[SignalRow]:
        """The signals that a job has not received yet, oldest first."""
        ...

    def last_steps(self, numbers: Sequence[int]) -> dict[int, tuple[int, int]]:
        """How many steps these jobs have recorded, and the entry of the last one; jobs without any are left out."""
        ...

    def payload(self, digest: bytes) -> bytes:
        """A payload that is kept apart from the hot rows."""
        ...

    def counts(self) -> dict[str, int]:
        """Rows per location: ready, timer, lease, blocked and result."""
        ...

    def ready_counts(self) -> list[tuple[int, int]]:
        """Lane and number of ready jobs, for each lane that has any."""
        ...

    def locations(self) -> Iterator[Ready | Timer | Lease | Blocked]:
        """Where the open jobs are: every ready, timer, lease and blocked row, by key within each table."""
        ...

    def entry_line(self, seq: int) -> bytes | None:
        """The bytes of one entry."""
        ...

    def pages(self, first_seq: int = 0, *, damaged: bool = False) -> Iterator[tuple[int, int, bytes]]:
        """Pages of the journal from the one that holds `first_seq`: first number, count, body.

        A page that cannot be read ends the reading with CorruptData; with `damaged` it has an empty body instead.
        """
        ...

    # Reads of whole tables, for checks. They go in steps of bounded size, so that no single read lasts long.

    def snapshot(self) -> AbstractContextManager[None]:
        """Within it, all reads see the same committed state. Hold it briefly: the log grows meanwhile."""
        ...

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

    def all_waits(self) -> Iterator[WaitRow]:
        """What handlers wait for, by job."""
        ...

    def all_awaited(self) -> Iterator[AwaitedRow]:
        """The jobs that handlers wait for, by who waits."""
        ...

    def all_signals(self) -> Iterator[SignalRow]:
        """The signals that were not received yet, by job."""
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

    def key_rows(self, above: int | None = None) -> Iterator[KeyRow]:
        """Every idempotency key, or those of jobs above one, in order."""
        ...

    def close(self) -> None:
        """Give the files back."""
        ...


class Store(Reader, Protocol):
    """The owner's side: reads, and the one way to write."""

    def take_over(self) -> Shard:
        """Become the owner: raise the epoch, so that an earlier owner can write no more."""
        ...

    def commit(self, unit: Unit) -> None:
        """Write a unit, all of it or nothing, and return only when it is durable."""
        ...

    def blocked_count(self) -> int:
        """How many jobs are blocked."""
        ...

    def ready_page(self, lane: int, after: tuple[int, int], limit: int) -> list[Ready]:
        """Ready jobs of a lane after (priority, number), in order."""
        ...

    def timers_due(self, until_us: int, limit: int) -> list[Timer]:
        """Timers whose instant has come, earliest first."""
        ...

    def alarms_due(self, until_us: int, limit: int) -> list[tuple[int, int]]:
        """Queue time limits that have been reached: instant and job number, earliest first."""
        ...

    def next_due_us(self) -> int | None:
        """The earliest timer or alarm."""
        ...

    def children(self, parents: Iterable[int]) -> list[tuple[int, int]]:
        """(parent, job) for each blocked job that runs after one of these."""
        ...

    def find_key(self, tenant: str, key: str) -> KeyRow | None:
        """The idempotency key, if it was used."""
        ...
