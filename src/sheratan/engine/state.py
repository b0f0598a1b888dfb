"""What the decider remembers between batches: all of it can be rebuilt from the database."""

from __future__ import annotations

import heapq
from typing import NamedTuple

from sheratan.contracts.limits import Limits
from sheratan.engine.commands import Pending
from sheratan.engine.window import REFILL_JOBS, Backlog, Window
from sheratan.kernel.chain import Head
from sheratan.store.port import Store
from sheratan.store.rows import JobRow, Lane, Lease, QueueRow, Ready

__all__ = ["Deadline", "Held", "Session", "State"]

_CACHED_JOBS_MAX = 8_192
_STALE_DEADLINES_MAX = 4_096
"""Deadlines of attempts that have ended stay in the heap until there are this many of them."""


class Held(NamedTuple):
    """A lease and the job it is for."""

    lease: Lease
    job: JobRow
    id: str


class Deadline(NamedTuple):
    """An attempt's time limit on the monotonic clock, so that no clock change shortens a lease."""

    due_us: int
    number: int
    fence: int
    what: str
    limit_us: int


class Session:
    """A worker on duty."""

    def __init__(
        self, number: int, name: str, kinds: frozenset[str], *, local: bool, entry: int, heard_us: int
    ) -> None:
        self.number = number
        self.name = name
        self.kinds = kinds
        self.local = local
        self.entry = entry
        self.heard_us = heard_us
        self.held: set[int] = set()
        self.waiting: Pending | None = None
        self.free_slots = 0

    @property
    def subject(self) -> str:
        """The worker's name in the journal."""
        return f"worker:{self.name}/{self.number}"


class State:
    """The decider's memory of one shard."""

    def __init__(self, store: Store, limits: Limits) -> None:
        shard = store.shard()
        self.store = store
        self.limits = limits
        self.head: Head = shard.head
        self.next_number = shard.next_number
        self.policy = shard.policy
        self.engine_entry = shard.engine_entry
        self.clean = shard.clean
        self.intake = "open"
        self.lanes: dict[tuple[str, str, str], Lane] = {(x.tenant, x.queue, x.kind): x for x in store.lanes()}
        self.lane_by_number: dict[int, Lane] = {lane.lane: lane for lane in self.lanes.values()}
        depths = dict(store.ready_counts())
        self.backlogs: dict[tuple[str, str], Backlog] = {}
        self.windows: dict[int, Window] = {
            number: self._window(lane, depths.get(number, 0)) for number, lane in self.lane_by_number.items()
        }
        self.busy_lanes: dict[int, Lane] = {lane: self.lane_by_number[lane] for lane in depths}
        """Lanes with ready jobs."""
        self.dry: set[int] = set(depths)
        """Lanes with ready jobs of which few are in memory, or maybe few."""
        self.queues: dict[tuple[str, str], QueueRow] = {
            (row.tenant, row.queue): row for row in store.queues()
        }
        self.sessions: dict[int, Session] = {}
        self.held: dict[int, Held] = {}
        self.fan_out: dict[int, int] = {}
        """How many jobs each running job has submitted in this attempt."""
        self.deadlines: list[Deadline] = []
        self.cached: dict[int, JobRow] = {}
        self.blocked = store.blocked_count()
        self.next_due_us = store.next_due_us()

    def refill(self) -> None:
        """Bring ready jobs back into windows that run low. Only between batches: the database must be whole."""
        for lane in self.dry:
            window = self.windows[lane]
            if window.wants_refill:
                window.refill(self.store.ready_page(lane, window.edge, REFILL_JOBS))
        self.dry.clear()

    def lane(self, tenant: str, queue: str, kind: str) -> tuple[Lane, bool]:
        """The lane of a kind in a queue, and whether it is new."""
        key = (tenant, queue, kind)
        known = self.lanes.get(key)
        if known is not None:
            return known, False
        lane = Lane(len(self.lanes) + 1, *key)
        self.lanes[key] = lane
        self.lane_by_number[lane.lane] = lane
        self.windows[lane.lane] = self._window(lane, 0)
        return lane, True

    def add_ready(self, row: Ready) -> None:
        """A job has become ready."""
        window = self.windows[row.lane]
        window.add(row)
        if window.depth == 1:
            self.busy_lanes[row.lane] = self.lane_by_number[row.lane]
        if not window.whole:
            self.dry.add(row.lane)

    def remove_ready(self, row: Ready) -> None:
        """A job is no longer ready."""
        window = self.windows[row.lane]
        window.remove(row)
        if window.depth == 0:
            del self.busy_lanes[row.lane]
        elif not window.whole:
            self.dry.add(row.lane)

    def depth(self, tenant: str, queue: str) -> int:
        """Ready jobs of a queue."""
        backlog = self.backlogs.get((tenant, queue))
        return backlog.depth if backlog else 0

    def _window(self, lane: Lane, depth: int) -> Window:
        backlog = self.backlogs.setdefault((lane.tenant, lane.queue), Backlog())
        backlog.depth += depth
        return Window(depth, backlog)

    def paused(self, tenant: str, queue: str) -> QueueRow | None:
        """The queue's row when it is paused."""
        row = self.queues.get((tenant, queue))
        return row if row is not None and row.paused else None

    def remember(self, job: JobRow) -> None:
        """Keep a job at hand; the oldest makes room."""
        if len(self.cached) >= _CACHED_JOBS_MAX:
            self.cached.pop(next(iter(self.cached)))
        self.cached[job.number] = job

    def add_deadline(self, deadline: Deadline) -> None:
        """Watch over an attempt."""
        if len(self.deadlines) > _STALE_DEADLINES_MAX + 4 * len(self.held):
            self.deadlines = [entry for entry in self.deadlines if self._is_current(entry)]
            heapq.heapify(self.deadlines)
        heapq.heappush(self.deadlines, deadline)

    def _is_current(self, deadline: Deadline) -> bool:
        held = self.held.get(deadline.number)
        return held is not None and held.lease.fence == deadline.fence

    def note_due(self, due_us: int) -> None:
        """A timer was set."""
        if self.next_due_us is None or due_us < self.next_due_us:
            self.next_due_us = due_us
