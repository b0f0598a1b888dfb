"""What the decider remembers between batches: all of it can be rebuilt from the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from sheratan.contracts.guards import OpenBreaker
from sheratan.contracts.ids import JOB_NUMBER_MAX
from sheratan.contracts.limits import LANES_MAX, Limits
from sheratan.contracts.principal import Principal
from sheratan.engine.billing_state import BillingState
from sheratan.engine.commands import Pending, StartBulk
from sheratan.engine.entries import read_entry
from sheratan.engine.flow_state import FlowState
from sheratan.engine.ledger_state import LedgerState
from sheratan.engine.partitions import Partitions
from sheratan.engine.retention_state import RetentionState
from sheratan.engine.runs import Runs
from sheratan.engine.turns import Turns
from sheratan.engine.window import Backlog, Window
from sheratan.kernel.chain import Head
from sheratan.kernel.system import ALLOWED, SystemFact, intake_word
from sheratan.store.partition_rows import lane_of
from sheratan.store.port import Store
from sheratan.store.rows import BulkRow, JobRow, Lane, Lease, Ready

__all__ = ["CANCEL_GRACE_US", "Bulk", "Held", "Session", "State", "held_anew", "newest_leases"]

CANCEL_GRACE_US = 10_000_000
"""How long a running attempt has to stop after it was asked to; then its lease is taken away."""

_CACHED_JOBS_MAX = 8_192

_PARTITION_JOBS_MAX = 65_536
_PARTITION_JOBS_MIN = 8
"""Ready rows that all partitions together keep in memory, as far as each keeps some."""


class Held(msgspec.Struct, frozen=True, gc=False):
    """A lease, the job it is for, its public id, when the attempt began, when it has run for as long as it may, and
    when it was asked to stop (None: never).

    The instants are on the monotonic clock, so no clock change shortens a lease.
    """

    lease: Lease
    job: JobRow
    id: str
    began_us: int
    run_due_us: int
    asked_us: int | None = None

    @property
    def due_us(self) -> int:
        """When its time is up: to run or, once it was asked to, to stop."""
        return (
            self.run_due_us
            if self.asked_us is None
            else min(self.run_due_us, self.asked_us + CANCEL_GRACE_US)
        )


def held_anew(
    lease: Lease, job: JobRow, public_id: str, began_us: int, at_us: int, asked_us: int | None = None
) -> Held:
    """A lease whose time counts from now on, a recorded instant: the run timeout of its job, or until its deadline."""
    limit_us = job.run_timeout_us
    if job.deadline_us:
        limit_us = min(limit_us, max(0, job.deadline_us - at_us))
    return Held(lease, job, public_id, began_us, began_us + limit_us, asked_us)


def newest_leases(store: Store) -> list[Lease]:
    """Every lease as of its last step: a step leaves the lease's row as it is."""
    leases = store.leases()
    last = store.last_steps([lease.number for lease in leases])
    return [_newest(lease, *last.get(lease.number, (0, 0))) for lease in leases]


def _newest(lease: Lease, steps: int, entry: int) -> Lease:
    return lease._replace(steps=steps, entry=entry) if entry > lease.entry else lease


class Session:
    """A worker on duty."""

    def __init__(
        self, number: int, name: str, offers: dict[str, str], *, local: bool, entry: int, heard_us: int
    ) -> None:
        self.number = number
        self.name = name
        self.offers = offers
        """The versions of kinds that it offers, each with the code of its handler."""
        self.local = local
        self.entry = entry
        self.heard_us = heard_us
        self.collects: dict[str, tuple[int, int]] = {}
        """Of what it offers, what is collected: how many jobs run together, and how long the next one waits."""
        self.breakers: tuple[OpenBreaker, ...] = ()
        """Those of its guards that were not closed when it was last heard of; of one in this process none are kept."""
        self.held: set[int] = set()
        self.waiting: Pending | None = None
        self.free_slots = 0

    @property
    def subject(self) -> str:
        """The worker's name in the journal."""
        return f"worker:{self.name}/{self.number}"


class Bulk(msgspec.Struct, frozen=True, gc=False):
    """A bulk operation that goes on: its row, what was asked for, by whom, and the first job that is not meant.

    Up to `looked` it has looked at all jobs; an engine that starts has it from the last one that it was done to.
    """

    row: BulkRow
    command: StartBulk
    by: Principal
    until: int
    looked: int = 0


def _blocking_codes(store: Store) -> dict[int, set[str]]:
    codes: dict[int, set[str]] = {}
    for row in store.blocking_codes():
        codes.setdefault(row.number, set()).add(row.code)
    return codes


def _open_approvals(store: Store) -> dict[int, set[int]]:
    open_ones: dict[int, set[int]] = {}
    for entry, number in store.open_approvals():
        open_ones.setdefault(number, set()).add(entry)
    return open_ones


def _open_bulks(store: Store) -> dict[int, Bulk]:
    return {row.entry: _open_bulk(store, row) for row in store.open_bulks()}


def _open_bulk(store: Store, row: BulkRow) -> Bulk:
    """What the journal says of a bulk operation."""
    entry = read_entry(store, row.entry)
    given = {name: value for name, value in entry.data.items() if name != "until"}
    by = Principal(actor=entry.actor, auth=entry.auth, on_behalf_of=entry.on_behalf_of, tenant=entry.tenant)
    return Bulk(row, msgspec.convert(given, StartBulk), by, entry.data["until"], row.last)


class State:
    """The decider's memory of one shard."""

    def __init__(self, store: Store, limits: Limits) -> None:
        shard = store.shard()
        self.store, self.limits = store, limits
        self.head: Head = shard.head
        self.next_number, self.policy = shard.next_number, shard.policy
        self.engine_entry, self.clean = shard.engine_entry, shard.clean
        self.stand(store.system())
        self.lanes: dict[tuple[str, str, str, int], Lane] = {lane[1:]: lane for lane in store.lanes()}
        self.lane_by_number: dict[int, Lane] = {lane.lane: lane for lane in self.lanes.values()}
        self.flow = FlowState(store.flows(), store.paces(), self.lanes.values())
        self.partitions = Partitions(store, self.flow, self.head.at)
        self.backlogs: dict[tuple[str, str], Backlog] = {}
        self.windows: dict[int, Window] = {}
        """By lane and, of partitions that have ready jobs, by the number that stands in their rows."""
        self.busy_lanes: dict[int, Lane] = {}
        """Lanes with ready jobs."""
        self.dry: set[int] = set()
        """Lanes and partitions with ready jobs of which few are in memory, or maybe few."""
        self._open_windows(dict(store.ready_counts()))
        self.sessions, self.held = dict[int, Session](), dict[int, Held]()
        self.fan_out: dict[int, int] = {}
        """How many jobs each running job has submitted in this attempt."""
        self.next_deadline_us: int | None = None
        """No running attempt's time is up before this instant of the monotonic clock."""
        self.orphans: list[int] = []
        """Running jobs whose worker is on duty elsewhere: another engine has taken over, and this one does not know.

        What is decided about them can only be refused, and that is how it finds out.
        """
        self.cached: dict[int, JobRow] = {}
        self.awaiting = store.any_awaited()
        """Whether a handler may wait for other jobs."""
        self.signalled: set[int] = {row.number for row in store.all_signals()}
        """Jobs that may have signals which their handlers have not received."""
        self.blocking = _blocking_codes(store)
        """The code that has blocked jobs which have not ended."""
        self.looks: dict[str, tuple[str, int, int]] = {}
        """Versions of kinds whose blocked jobs are to be looked at: kind, version, and the last job that was."""
        self.asking = _open_approvals(store)
        """The open requests for approval of each job that has any, by the entries that record them."""
        self.bulks: dict[int, Bulk] = _open_bulks(store)
        """Bulk operations that go on, by the entry that says what they are."""
        self.runs, self.alerts = Runs(store), {fact.subject: fact for fact in store.alerts()}
        self.trees = store.tree_count()
        """How many trees of jobs that have proposed others have open jobs."""
        self.retention, self.journal_kept = RetentionState(store.retentions()), store.journal_kept()
        self.ledger = ledger = LedgerState(store)
        self.billing = BillingState(store, ledger)
        self.blocked, self.schedule_count = store.blocked_count(), store.schedule_count()
        self.next_due_us, self.next_firing_us = store.next_due_us(), store.next_firing_us()
        """When the next timer rings, and when the next schedule is to be looked at."""

    def stand(self, row: SystemFact) -> None:
        """From now on the system stands so, which says what it allows."""
        self.system, self.allowed = row, ALLOWED[row.current]
        self.intake = intake_word(row.current)

    def _open_windows(self, depths: dict[int, int]) -> None:
        """Make windows for all that have ready jobs, so many of each; none is read yet."""
        for number, lane in self.lane_by_number.items():
            self.windows[number] = self._window(lane, depths.get(number, 0))
        for number, depth in depths.items():
            self.busy_lanes[lane_of(number)] = self.lane_by_number[lane_of(number)]
            if number > LANES_MAX:
                self._open_partition(number, depth)
        self.dry = set(depths)

    def refill(self) -> None:
        """Bring ready jobs back into windows that run low. Only between batches: the database must be whole."""
        for lane in self.dry:
            window = self.windows.get(lane)
            if window is not None and window.wants_refill:
                window.refill(self.store.ready_page(lane, window.edge, window.page))
                self._note_head(lane, window)
            if window is not None and lane in self.flow.ageing and not window.knows_levels:
                window.look_beyond(self._first_beyond(lane, window.edge))
        self.dry.clear()

    def _first_beyond(self, lane: int, edge: tuple[int, int]) -> Iterator[Ready]:
        """The first ready job of each priority after a place in a lane's order: a look into the index for each."""
        rows = self.store.ready_page(lane, edge, 1)
        while rows:
            yield rows[0]
            rows = self.store.ready_page(lane, (rows[0].priority, JOB_NUMBER_MAX), 1)

    def add_lane(self, tenant: str, queue: str, kind: str, version: int) -> Lane:
        """A lane for the first job of a version of a kind in a queue."""
        lane = Lane(len(self.lanes) + 1, tenant, queue, kind, version)
        self.lanes[tenant, queue, kind, version] = lane
        self.lane_by_number[lane.lane] = lane
        self.windows[lane.lane] = self._window(lane, 0)
        self.flow.bind(lane)
        return lane

    def look_again(self, offers: Iterable[str]) -> None:
        """The workers that offer these have changed, and with them maybe the code that blocked jobs would get."""
        if self.blocking:
            for offered_as in offers:
                kind, _, version = offered_as.partition("@")
                self.looks[offered_as] = (kind, int(version or 1), 0)

    def take_looks(self) -> dict[str, tuple[str, int, int]]:
        """The looks that are due; those that come up from now on are for the next batch."""
        taken = dict(self.looks)
        self.looks.clear()
        return taken

    def add_ready(self, row: Ready) -> None:
        """A job has become ready."""
        if row.lane > LANES_MAX:
            self._add_to_partition(row)
            return
        window = self.windows[row.lane]
        window.add(row)
        if window.depth == 1:
            self.busy_lanes[row.lane] = self.lane_by_number[row.lane]
        if not window.whole:
            self.dry.add(row.lane)
        if self.partitions.turns:
            self._note_head(row.lane, window)

    def remove_ready(self, row: Ready) -> None:
        """A job is no longer ready."""
        window = self.windows[row.lane]
        window.remove(row)
        if row.lane > LANES_MAX:
            self._left_partition(row.lane, window)
        elif window.depth == 0 and not self.partitions.depth(row.lane):
            del self.busy_lanes[row.lane]
        if window.depth and not window.whole:
            self.dry.add(row.lane)
        if self.partitions.turns:
            self._note_head(row.lane, window)

    def find_ready(self, job: JobRow) -> Ready | None:
        """Where a job waits that is ready, if that is in memory."""
        window = self.windows.get(job.lane)
        return window.find(job.number) if window is not None else None

    def lane_of(self, job: JobRow) -> Lane:
        """The lane of a job, whatever its partition."""
        # As lane_of(), which would be a call more for each job.
        return self.lane_by_number[job.lane & LANES_MAX]

    def _open_partition(self, number: int, depth: int) -> Window:
        """A partition has ready jobs."""
        lane = self.lane_by_number[lane_of(number)]
        # However many there are, together they keep not many more rows than this.
        most = max(_PARTITION_JOBS_MIN, _PARTITION_JOBS_MAX // (len(self.windows) + 1))
        window = self.windows[number] = self._window(lane, depth, most)
        turns = self.partitions.turns.get(lane.lane)
        if turns is None:
            turns = self.partitions.turns[lane.lane] = Turns(lane.lane)
        turns.depth += depth
        turns.put(number, None)
        self._note_head(lane.lane, self.windows[lane.lane])
        return window

    def _add_to_partition(self, row: Ready) -> None:
        window = self.windows.get(row.lane)
        if window is None:
            window = self._open_partition(row.lane, 0)
        lane = lane_of(row.lane)
        window.add(row)
        self.partitions.turns[lane].depth += 1
        self.busy_lanes[lane] = self.lane_by_number[lane]
        if not window.whole:
            self.dry.add(row.lane)
        self._note_head(row.lane, window)

    def _left_partition(self, number: int, window: Window) -> None:
        lane = lane_of(number)
        self.partitions.turns[lane].depth -= 1
        if window.depth == 0:
            del self.windows[number]
            if self.windows[lane].depth == 0 and not self.partitions.depth(lane):
                del self.busy_lanes[lane]

    def _note_head(self, number: int, window: Window) -> None:
        """The next job of a lane or a partition may be another one."""
        turns = self.partitions.turns.get(lane_of(number))
        if turns is None:
            return
        if window.depth:
            turns.put(number, window.first)
        else:
            turns.drop(number)

    def depth(self, tenant: str, queue: str) -> int:
        """Ready jobs of a queue."""
        backlog = self.backlogs.get((tenant, queue))
        return backlog.depth if backlog else 0

    def _window(self, lane: Lane, depth: int, most: int | None = None) -> Window:
        backlog = self.backlogs.setdefault((lane.tenant, lane.queue), Backlog())
        backlog.depth += depth
        return Window(depth, backlog, most)

    def remember(self, job: JobRow) -> None:
        """Keep a job at hand; the oldest makes room."""
        if len(self.cached) >= _CACHED_JOBS_MAX:
            self.cached.pop(next(iter(self.cached)))
        self.cached[job.number] = job

    def hold(self, held: Held) -> None:
        """An attempt runs, or goes on under another time limit."""
        if (self.flow.bound or self.flow.each) and held.lease.number not in self.held:
            self._count(held.job, 1)
        self.held[held.lease.number] = held
        due_us = held.run_due_us if held.asked_us is None else held.due_us
        if self.next_deadline_us is None or due_us < self.next_deadline_us:
            self.next_deadline_us = due_us

    def release(self, number: int) -> None:
        """An attempt has ended."""
        held = self.held.pop(number)
        self.fan_out.pop(number, None)
        if self.flow.bound or self.flow.each:
            self._count(held.job, -1)

    def _count(self, job: JobRow, change: int) -> None:
        self.flow.count(lane_of(job.lane), change)
        if self.flow.each:
            self.partitions.count(job.lane, change)

    def take_overdue(self, monotonic_us: int) -> list[Held]:
        """The attempts whose time is up; looks at all that run, but only when one of them may be overdue."""
        if self.next_deadline_us is None or self.next_deadline_us > monotonic_us:
            return []
        dues = [(held.due_us, held) for held in self.held.values()]
        self.next_deadline_us = min((due_us for due_us, _ in dues if due_us > monotonic_us), default=None)
        return [held for due_us, held in dues if due_us <= monotonic_us]

    def note_due(self, due_us: int) -> None:
        """A timer was set."""
        if self.next_due_us is None or due_us < self.next_due_us:
            self.next_due_us = due_us
