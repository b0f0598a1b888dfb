"""The port: what the engine asks of a database, whichever it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple, Protocol

from sheratan.contracts.filters import JobFilter
from sheratan.contracts.ids import JOB_NUMBER_MAX
from sheratan.kernel.chain import Head
from sheratan.store.port_approvals import ApprovalReader
from sheratan.store.port_archive import ArchiveReader
from sheratan.store.port_billing import BillingReader
from sheratan.store.port_gates import GateReader
from sheratan.store.port_ledger import LedgerReader
from sheratan.store.port_partitions import PartitionReader
from sheratan.store.port_proposals import ProposalReader
from sheratan.store.port_retention import RetentionReader
from sheratan.store.port_scans import Scans
from sheratan.store.port_system import Latch, SystemReader
from sheratan.store.rows import (
    AwaitedRow,
    Blocked,
    BulkRow,
    FlowRow,
    JobRow,
    KeyRow,
    Lane,
    Lease,
    Location,
    PaceRow,
    Ready,
    ScheduleRow,
    SignalRow,
    StepRow,
    Timer,
    WaitKey,
    WaitRow,
)
from sheratan.store.run_rows import NodeJobRow, NodeRow, RunKeyRow, RunOpen, RunPlace, RunResult, RunRow
from sheratan.store.unit import Unit

__all__ = ["JobView", "NodeJobView", "Reader", "Search", "Shard", "Standing", "Store"]


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


Standing = Literal["any", "open", "ended", "dead"]
"""Jobs in general, those that have not ended, those that have, and dead letters."""


class Search(NamedTuple):
    """Which jobs are looked for: those that a filter means, within a range of numbers that has neither of its ends.

    With `is_poison_left_out`, jobs that have taken down their workers do not count. A window is a short
    range of numbers, which costs no more than it has numbers, whatever is looked for.
    """

    wanted: JobFilter
    limit: int
    above: int = 0
    below: int = JOB_NUMBER_MAX + 1
    standing: Standing = "any"
    is_poison_left_out: bool = False
    is_oldest_first: bool = False
    is_window: bool = False


class NodeJobView(NamedTuple):
    """A job of a node, with the state in which it has ended and when; None while it is open."""

    row: NodeJobRow
    state: str | None
    finished_us: int | None


class Reader(
    Scans,
    ApprovalReader,
    PartitionReader,
    RetentionReader,
    GateReader,
    ProposalReader,
    ArchiveReader,
    LedgerReader,
    BillingReader,
    SystemReader,
    Protocol,
):
    """Reads of committed state. Every read is bounded in rows and in time."""

    def shard(self) -> Shard:
        """The shard row."""
        ...

    def lanes(self) -> list[Lane]:
        """Every lane."""
        ...

    def flows(self) -> list[FlowRow]:
        """What was ever set for queues, kinds and tenants."""
        ...

    def paces(self) -> list[PaceRow]:
        """How far the rates of queues, kinds and tenants are used up."""
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

    def find_jobs(self, search: Search) -> list[int]:
        """The numbers of the jobs that are meant, in the order that is asked for."""
        ...

    def tags(self, number: int) -> list[str]:
        """The tags of a job, in order."""
        ...

    def is_dead_letter(self, number: int) -> bool:
        """Whether a job has failed and was neither replayed nor discarded."""
        ...

    def is_quarantined(self, number: int) -> bool:
        """Whether a job has failed because its workers were lost while they ran it."""
        ...

    def bulk(self, entry: int) -> BulkRow | None:
        """A bulk operation, by the entry that says what it is."""
        ...

    def open_bulks(self) -> list[BulkRow]:
        """Every bulk operation that goes on, oldest first."""
        ...

    def code_changed_count(self) -> int:
        """How many jobs are blocked because their code has changed."""
        ...

    def ended_counts(self) -> dict[str, int]:
        """How many jobs have succeeded, failed and been cancelled; kept, not counted."""
        ...

    def dead_letter_count(self) -> int:
        """How many dead letters there are."""
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

    def schedule(self, tenant: str, name: str) -> ScheduleRow | None:
        """One schedule, or what is left of one that was deleted."""
        ...

    def list_schedules(self, tenant: str, after: str, limit: int) -> list[ScheduleRow]:
        """Schedules by name, from the one after a name on, without those that were deleted."""
        ...

    def schedule_count(self) -> int:
        """How many schedules there are, without those that were deleted."""
        ...

    def next_firing_us(self) -> int | None:
        """The earliest instant at which a schedule is to be looked at."""
        ...

    def payload(self, digest: bytes) -> bytes:
        """A payload that is kept apart from the hot rows."""
        ...

    def database_bytes(self) -> int:
        """The size of the database, without its log."""
        ...

    def counts(self) -> dict[str, int]:
        """Rows per location: ready, timer, lease, blocked and result."""
        ...

    def ready_counts(self) -> list[tuple[int, int]]:
        """Lane number and count of ready jobs, for each lane, and partition of a lane, that has any."""
        ...

    def locations(self) -> Iterator[Ready | Timer | Lease | Blocked]:
        """Where the open jobs are: every ready, timer, lease and blocked row, by key within each table."""
        ...

    def last_run(self) -> int:
        """The highest number that a run has had, 0 before the first one."""
        ...

    def open_runs(self) -> list[RunOpen]:
        """Every run that has not ended."""
        ...

    def runs(self, numbers: Sequence[int]) -> list[RunRow]:
        """The runs with these numbers, in no particular order."""
        ...

    def find_run_key(self, tenant: str, key: str) -> RunKeyRow | None:
        """What an idempotency key of a run stands for."""
        ...

    def run_place(self, number: int) -> RunPlace | None:
        """Where a run stands."""
        ...

    def run_results(self, numbers: Sequence[int]) -> list[RunResult]:
        """How these runs have ended, in no particular order; a run that has not is left out."""
        ...

    def list_runs(self, *, state: str | None, workflow: str | None, below: int, limit: int) -> list[int]:
        """Numbers of runs, newest first, below a number."""
        ...

    def nodes(self, runs: Sequence[int]) -> list[NodeRow]:
        """What was decided about the nodes of these runs, by run and name."""
        ...

    def node_jobs(self, runs: Sequence[int]) -> list[NodeJobView]:
        """The jobs of these runs, by run, node and item, each with how it has ended."""
        ...

    def sub_runs(self, runs: Sequence[int], limit: int = -1) -> list[NodeJobView]:
        """The runs that these runs have for their nodes, by run, node and item, each as a job would have ended."""
        ...

    def runs_of_node(self, run: int, name: str, limit: int = -1) -> list[int]:
        """The numbers of the first runs of a node, in the order of its items; all of them without a limit."""
        ...

    def pruned_nodes(self, runs: Collection[int]) -> set[tuple[int, str]]:
        """The nodes of these runs of which a job was pruned: run and name."""
        ...

    def node_ends(self, run: int) -> list[tuple[str, bool, str, int]]:
        """How the jobs and runs of a run's nodes have ended: whether they undo it, each state and how many."""
        ...

    def jobs_of_node(self, run: int, name: str, limit: int = -1) -> list[int]:
        """The numbers of the first jobs of a node, in the order of its items; all of them without a limit."""
        ...

    def run_mentions(self, number: int) -> list[int]:
        """The entries that tell of a run beside its story, in order."""
        ...

    def nodes_of_jobs(self, jobs: Sequence[int]) -> list[NodeJobRow]:
        """The nodes that these jobs belong to, by job and run."""
        ...

    def entry_line(self, seq: int) -> bytes | None:
        """The bytes of one entry."""
        ...

    def pages(self, first_seq: int = 0, *, damaged: bool = False) -> Iterator[tuple[int, int, bytes]]:
        """Pages of the journal from the one that holds `first_seq`: first number, count, body.

        A page that cannot be read ends the reading with CorruptData; with `damaged` it has an empty body instead.
        """
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Within it, all reads see the same committed state. Hold it briefly: the log grows meanwhile."""
        ...


class Store(Reader, Protocol):
    """The owner's side: reads, and the one way to write."""

    def take_over(self) -> Shard:
        """Become the owner: raise the epoch, so that an earlier owner can write no more."""
        ...

    def commit(self, unit: Unit) -> None:
        """Write a unit, all of it or nothing, and return only when it is durable."""
        ...

    def keep_latch(self, latch: Latch) -> None:
        """Keep a halt beside the database, since it cannot be written into it; OSError when that fails, too."""
        ...

    def release_latch(self) -> None:
        """The journal says it now."""
        ...

    def blocked_count(self) -> int:
        """How many jobs are blocked."""
        ...

    def ready_page(self, lane: int, after: tuple[int, int], limit: int) -> list[Ready]:
        """Ready jobs of a lane after (priority, number), in order."""
        ...

    def code_changed(self, kind: str, version: int, above: int, limit: int) -> list[Blocked]:
        """Jobs of a version of a kind that are blocked because their code has changed, above a number, in order."""
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

    def schedules_due(self, until_us: int, limit: int) -> list[ScheduleRow]:
        """Schedules that are to be looked at by an instant, the longest overdue first."""
        ...

    def children(self, parents: Iterable[int]) -> list[tuple[int, int]]:
        """(parent, job) for each blocked job that runs after one of these."""
        ...

    def find_key(self, tenant: str, key: str) -> KeyRow | None:
        """The idempotency key, if it was used."""
        ...
