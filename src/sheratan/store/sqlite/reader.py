"""Reads of committed state from one SQLite connection."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import starmap

import apsw

from sheratan.contracts.errors import CorruptData
from sheratan.kernel.chain import Head, split_page
from sheratan.kernel.dead_letters import POISON
from sheratan.store.partition_rows import lane_of
from sheratan.store.port import JobView, Shard
from sheratan.store.rows import (
    AwaitedRow,
    Blocked,
    BlockingCode,
    BulkRow,
    FlowRow,
    JobRow,
    KeyRow,
    Lane,
    Lease,
    Location,
    PaceRow,
    Ready,
    Result,
    ScheduleRow,
    SignalRow,
    StepRow,
    Timer,
    WaitKey,
    WaitRow,
)
from sheratan.store.sqlite.approvals import SqliteApprovals
from sheratan.store.sqlite.archive import SqliteArchive
from sheratan.store.sqlite.billing import SqliteBilling
from sheratan.store.sqlite.gates import SqliteGates
from sheratan.store.sqlite.ledger import SqliteLedger
from sheratan.store.sqlite.pages import PageReader
from sheratan.store.sqlite.partitions import SqlitePartitions
from sheratan.store.sqlite.proposals import SqliteProposals
from sheratan.store.sqlite.retention import SqliteRetention
from sheratan.store.sqlite.run_reader import SqliteRuns
from sheratan.store.sqlite.system import SqliteSystem

__all__ = ["SqliteReader"]

_PAGES_AT_ONCE = 8
"""A page of a full batch has a few megabytes, so this bounds memory; more at once take longer, beyond the caches."""

_TABLES: tuple[tuple[str, type[Timer | Lease | Blocked | Result]], ...] = (
    ("timer", Timer),
    ("lease", Lease),
    ("blocked", Blocked),
    ("result", Result),
)


class SqliteReader(
    SqliteRuns,
    SqliteApprovals,
    SqlitePartitions,
    SqliteRetention,
    SqliteGates,
    SqliteProposals,
    SqliteArchive,
    SqliteLedger,
    SqliteBilling,
    SqliteSystem,
):
    """The reads of the store port; the owner's store adds writing."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self._body = PageReader().body

    def shard(self) -> Shard:
        """The shard row."""
        epoch, seq, head, at_us, next_number, policy, engine_entry, clean = self._one("select_shard", ())
        return Shard(epoch, Head(seq, head, at_us), next_number, policy, engine_entry, bool(clean))

    def lanes(self) -> list[Lane]:
        """Every lane."""
        return list(starmap(Lane, self._rows("select_lanes")))

    def flows(self) -> list[FlowRow]:
        """What was ever set for queues, kinds and tenants."""
        return list(starmap(FlowRow, self._rows("select_flows")))

    def paces(self) -> list[PaceRow]:
        """How far the rates of queues, kinds and tenants are used up."""
        return list(starmap(PaceRow, self._rows("select_paces")))

    def jobs(self, numbers: Sequence[int]) -> list[JobRow]:
        """The jobs with these numbers, in no particular order."""
        return self._rows_of(JobRow, "select_jobs", numbers)

    def location(self, number: int) -> Location | None:
        """Where a job is."""
        for name, row_type in _TABLES:
            for row in self._rows(f"select_{name}", (number,)):
                return row_type(*row)
        for job in self.jobs([number]):
            for row in self._rows("select_ready", (job.lane, job.priority, number)):
                return Ready(*row)
        return None

    def view(self, number: int) -> JobView | None:
        """One job with its location."""
        jobs = self.jobs([number])
        if not jobs:
            return None
        location = self.location(number)
        if location is None:
            raise CorruptData(f"job number {number} is in no location")
        lane = next(lane for lane in self.lanes() if lane.lane == lane_of(jobs[0].lane))
        return JobView(jobs[0], lane, location)

    def tags(self, number: int) -> list[str]:
        """The tags of a job, in order."""
        return [row[0] for row in self._rows("select_tags", (number,))]

    def is_dead_letter(self, number: int) -> bool:
        """Whether a job has failed and was neither replayed nor discarded."""
        return any(self._rows("select_dead_letter", (number,)))

    def is_quarantined(self, number: int) -> bool:
        """Whether a job has failed because its workers were lost while they ran it."""
        return any(self._rows("select_failed_job", (POISON, number)))

    def bulk(self, entry: int) -> BulkRow | None:
        """A bulk operation, by the entry that says what it is."""
        for row in self._rows("select_bulk", (entry,)):
            return BulkRow(*row)
        return None

    def open_bulks(self) -> list[BulkRow]:
        """Every bulk operation that goes on, oldest first."""
        return list(starmap(BulkRow, self._rows("select_bulks_open")))

    def ended_counts(self) -> dict[str, int]:
        """How many jobs have succeeded, failed and been cancelled; kept, not counted."""
        return dict(self._rows("select_ended_counts"))

    def dead_letter_count(self) -> int:
        """How many dead letters there are."""
        count: int = self._one("select_dead_letter_count", ())[0]
        return count

    def after(self, number: int) -> list[int]:
        """The jobs that a job was named to run after, in the order they were named."""
        return [row[0] for row in self._rows("select_after", (number,))]

    def mentions(self, number: int) -> list[int]:
        """Entries that mention a job beside its own story."""
        return [row[0] for row in self._rows("select_mentions", (number,))]

    def failures(self, number: int) -> dict[int, bytes]:
        """How the attempts of a job failed, by the entry that records it."""
        return dict(self._rows("select_failures", (number,)))

    def steps(self, number: int, after: int, limit: int) -> list[StepRow]:
        """The steps that a job has recorded, in their order, from the one after step `after` on."""
        return list(starmap(StepRow, self._rows("select_steps", (number, after, limit))))

    def spawn_steps(self, number: int) -> list[StepRow]:
        """The steps of a job that have submitted jobs."""
        return list(starmap(StepRow, self._rows("select_spawn_steps", (number,))))

    def waits(self, number: int) -> list[WaitRow]:
        """What the handler of a job waits for, in the order in which it asked."""
        return list(starmap(WaitRow, self._rows("select_waits", (number,))))

    def awaited_by(self, number: int) -> list[AwaitedRow]:
        """The jobs that the handler of a job waits for, and that have not ended."""
        return list(starmap(AwaitedRow, self._rows("select_awaited_by", (number,))))

    def ended(self, numbers: Collection[int]) -> set[int]:
        """Those of these jobs that have ended."""
        return {row[0] for row in self._rows("select_ended", (json.dumps(list(numbers)),))}

    def awaited_left(self, wait: WaitKey) -> int:
        """How many of the jobs that a wait waits for have not ended."""
        left: int = self._one("select_awaited_left", wait)[0]
        return left

    def who_awaits(self, ended: Collection[int]) -> list[AwaitedRow]:
        """The waits that wait for one of these jobs."""
        return list(starmap(AwaitedRow, self._rows("select_who_awaits", (json.dumps(list(ended)),))))

    def any_awaited(self) -> bool:
        """Whether any handler waits for other jobs."""
        return bool(self._one("select_any_awaited", ())[0])

    def signals(self, number: int) -> list[SignalRow]:
        """The signals that a job has not received yet, oldest first."""
        return list(starmap(SignalRow, self._rows("select_signals", (number,))))

    def last_steps(self, numbers: Sequence[int]) -> dict[int, tuple[int, int]]:
        """How many steps these jobs have recorded, and the entry of the last one; jobs without any are left out."""
        found = self._rows("select_last_steps", (json.dumps(list(numbers)),))
        return {number: (step, entry) for number, step, entry in found}

    def schedule(self, tenant: str, name: str) -> ScheduleRow | None:
        """One schedule, or what is left of one that was deleted."""
        for row in self._rows("select_schedule", (tenant, name)):
            return ScheduleRow(*row)
        return None

    def list_schedules(self, tenant: str, after: str, limit: int) -> list[ScheduleRow]:
        """Schedules by name, from the one after a name on, without those that were deleted."""
        return list(starmap(ScheduleRow, self._rows("list_schedules", (tenant, after, limit))))

    def schedule_count(self) -> int:
        """How many schedules there are, without those that were deleted."""
        count: int = self._one("select_schedule_count", ())[0]
        return count

    def next_firing_us(self) -> int | None:
        """The earliest instant at which a schedule is to be looked at."""
        due: int | None = self._one("select_next_firing", ())[0]
        return due

    def schedules_due(self, until_us: int, limit: int) -> list[ScheduleRow]:
        """Schedules that are to be looked at by an instant, the longest overdue first."""
        return list(starmap(ScheduleRow, self._rows("select_schedules_due", (until_us, limit))))

    def payload(self, digest: bytes) -> bytes:
        """A payload that is kept apart from the hot rows."""
        body: bytes = self._one("select_payload", (digest,))[0]
        return body

    def database_bytes(self) -> int:
        """The size of the database, without its log."""
        return int(next(iter(self._rows("select_database_bytes")))[0])

    def counts(self) -> dict[str, int]:
        """Rows per location."""
        return dict(self._rows("select_counts"))

    def ready_counts(self) -> list[tuple[int, int]]:
        """Lane and number of ready jobs, for each lane that has any."""
        return list(self._rows("select_ready_counts"))

    def entry_line(self, seq: int) -> bytes | None:
        """The bytes of one entry."""
        for first_seq, count, stored, codec in self._rows("select_page", (seq,)):
            if first_seq <= seq < first_seq + count:
                lines = split_page(self._body(first_seq, stored, codec))
                return lines[seq - first_seq] if seq - first_seq < len(lines) else None
        return None

    def pages(self, first_seq: int = 0, *, damaged: bool = False) -> Iterator[tuple[int, int, bytes]]:
        """Pages of the journal from the one that holds `first_seq`. A damaged one has no body, if they are wanted."""
        for start, *_ in self._rows("select_page", (first_seq,)):
            first_seq = start
        while True:
            # Read in steps, so that a long journal never holds one read transaction open.
            found = list(self._rows("select_pages_from", (first_seq, _PAGES_AT_ONCE)))
            for start, count, stored, codec in found:
                try:
                    body = self._body(start, stored, codec)
                except CorruptData:
                    if not damaged:
                        raise
                    body = b""
                yield start, count, body
            if len(found) < _PAGES_AT_ONCE:
                return
            if found[-1][0] < first_seq:
                raise CorruptData("the pages of the journal are out of order")
            first_seq = found[-1][0] + 1

    def leases(self) -> list[Lease]:
        """Every lease."""
        return list(starmap(Lease, self._rows("select_leases")))

    def blocked_count(self) -> int:
        """How many jobs are blocked."""
        return self.counts()["blocked"]

    def code_changed(self, kind: str, version: int, above: int, limit: int) -> list[Blocked]:
        """Jobs of a version of a kind that are blocked because their code has changed, above a number, in order."""
        return list(starmap(Blocked, self._rows("select_code_changed", (kind, version, above, limit))))

    def code_changed_count(self) -> int:
        """How many jobs are blocked because their code has changed."""
        jobs: int = self._one("select_code_changed_count", ())[0]
        return jobs

    def blocking_codes(self) -> list[BlockingCode]:
        """The code that has blocked jobs which have not ended, by job."""
        return list(starmap(BlockingCode, self._rows("select_blocking_codes")))

    def ready_page(self, lane: int, after: tuple[int, int], limit: int) -> list[Ready]:
        """Ready jobs of a lane after (priority, number), in order."""
        return list(starmap(Ready, self._rows("select_ready_page", (lane, *after, limit))))

    def timers_due(self, until_us: int, limit: int) -> list[Timer]:
        """Timers whose instant has come, earliest first."""
        return list(starmap(Timer, self._rows("select_timers_due", (until_us, limit))))

    def alarms_due(self, until_us: int, limit: int) -> list[tuple[int, int]]:
        """Queue time limits that have been reached, earliest first."""
        return list(self._rows("select_alarms_due", (until_us, limit)))

    def next_due_us(self) -> int | None:
        """The earliest timer or alarm."""
        due: int | None = self._one("select_next_due", ())[0]
        return due

    def children(self, parents: Iterable[int]) -> list[tuple[int, int]]:
        """(parent, job) for each blocked job that runs after one of these."""
        return list(self._rows("select_children", (json.dumps(list(parents)),)))

    def find_key(self, tenant: str, key: str) -> KeyRow | None:
        """The idempotency key, if it was used."""
        for row in self._rows("select_key", (tenant, key)):
            return KeyRow(*row)
        return None

    def close(self) -> None:
        """Give the files back."""
        self._connection.close()
