"""What the decider remembers of flow control: what is set for whom, how much of it is used, whose turn it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from sheratan.kernel.rate import UNPACED, Pace, Rate
from sheratan.kernel.sharing import TURN
from sheratan.store.rows import FlowRow, Lane, PaceRow

__all__ = ["FlowKey", "FlowState", "has_limits_per_partition", "partition_rate_of", "rate_of", "subjects_of"]

FlowKey = tuple[str, str]
"""A tenant, and `queue:NAME`, `kind:NAME` or `tenant:NAME`."""

Known = TypeVar("Known")

_PAUSES: Final = ("paused", "kind_paused", "tenant_paused")
"""What the rule calls a lane of which one of these is paused."""


def subjects_of(lane: Lane) -> tuple[FlowKey, FlowKey, FlowKey]:
    """What may be set for the jobs of a lane: for their queue, their kind and their tenant."""
    tenant = lane.tenant
    return (tenant, f"queue:{lane.queue}"), (tenant, f"kind:{lane.kind}"), (tenant, f"tenant:{tenant}")


def rate_of(row: FlowRow) -> Rate | None:
    """The rate that is set, if one is."""
    return Rate(row.rate_count, row.rate_period_us, row.rate_burst) if row.rate_count else None


def partition_rate_of(row: FlowRow) -> Rate | None:
    """The rate that is set for each partition, if one is."""
    if not row.partition_rate_count:
        return None
    return Rate(row.partition_rate_count, row.partition_rate_period_us, row.partition_rate_burst)


def has_limits_per_partition(row: FlowRow) -> bool:
    """Whether anything is set that holds for each partition by itself."""
    return bool(row.partition_concurrency or row.partition_rate_count)


def _keep(known: dict[int, Known], lane: int, what: Known) -> None:
    """Keep what holds for a lane, if anything does."""
    if what:
        known[lane] = what
    else:
        known.pop(lane, None)


class FlowState:
    """Memory of flow control. A lane for which nothing is set costs a look into an empty dictionary."""

    def __init__(self, rows: Iterable[FlowRow], paces: Iterable[PaceRow], lanes: Iterable[Lane]) -> None:
        self.rows: dict[FlowKey, FlowRow] = {(row.tenant, row.subject): row for row in rows}
        self.paces: dict[FlowKey, Pace] = {(row.tenant, row.subject): Pace(*row[2:]) for row in paces}
        self.running: dict[FlowKey, int] = {
            key: 0 for key, row in self.rows.items() if row.concurrency or row.rate_count
        }
        """How many jobs run of each queue, kind and tenant that has a limit."""
        self.bound: dict[int, tuple[FlowKey, ...]] = {}
        """The limits that hold for each lane which has any."""
        self.each: dict[int, tuple[FlowKey, ...]] = {}
        """The queues, kinds and tenants of each lane whose limits hold per partition."""
        self.ageing: dict[int, int] = {}
        """By how much waiting a priority gains a step, of each lane where priorities age."""
        self.started: dict[tuple[int, int], int] = {}
        """When a job was started last, by lane and priority, since priorities age there: as unstored as turns are."""
        self.next_start_us: int | None = None
        """When the next job may start of those that a rate holds up and a worker waits for."""
        self._tags: dict[int, int] = {}
        self._turn = 0
        for lane in lanes:
            self.bind(lane)

    def bind(self, lane: Lane) -> None:
        """Find out what holds for a lane."""
        number, keys = lane.lane, [key for key in subjects_of(lane) if key in self.rows]
        _keep(self.bound, number, tuple(key for key in keys if key in self.running))
        _keep(self.each, number, tuple(key for key in keys if has_limits_per_partition(self.rows[key])))
        steps = [self.rows[key].ageing_us for key in keys if self.rows[key].ageing_us]
        _keep(self.ageing, number, min(steps, default=0))

    def put(self, row: FlowRow, lanes: Iterable[Lane], running: int) -> None:
        """Something is set for a queue, kind or tenant, of whose jobs so many run."""
        key = (row.tenant, row.subject)
        self.rows[key] = row
        if row.concurrency or row.rate_count:
            self.running[key] = running
        else:
            self.running.pop(key, None)
        for lane in lanes:
            if key in subjects_of(lane):
                self.bind(lane)

    def count(self, lane: int, change: int) -> None:
        """An attempt of a lane begins or ends."""
        for key in self.bound.get(lane, ()):
            self.running[key] += change

    def pause(self, lane: Lane) -> str | None:
        """What is paused, in the words of the rule, or None."""
        if not self.rows:
            return None
        for key, status in zip(subjects_of(lane), _PAUSES, strict=True):
            row = self.rows.get(key)
            if row is not None and row.paused:
                return status
        return None

    def limit(self, key: FlowKey) -> tuple[int, int, list[int] | None]:
        """A limit and how much of it is used, in the words of the rule."""
        rate = rate_of(self.rows[key])
        paced = [*rate, *self.paces.get(key, UNPACED)[:2]] if rate else None
        return self.rows[key].concurrency, self.running[key], paced

    def share(self, lane: Lane) -> tuple[int, int]:
        """The weight of a lane, and how far it is ahead of its share."""
        weight = 1
        if self.rows:
            for key in subjects_of(lane):
                row = self.rows.get(key)
                weight *= row.weight if row is not None else 1
        return weight, max(0, self._tags.get(lane.lane, 0) - self._turn)

    def take_turns(self, tags: dict[int, int], turn: int) -> None:
        """Lanes have had their turns: their new tags and the common turn, counted from the turn before."""
        for lane, tag in tags.items():
            self._tags[lane] = self._turn + tag
        self._turn += turn

    def take_turns_alone(self, lane: Lane, jobs: int) -> None:
        """Only this lane could be served, and so many jobs of it were."""
        weight, tag = self.share(lane)
        turn = tag + (jobs - 1) * (TURN // weight)
        self.take_turns({lane.lane: turn + TURN // weight}, turn)
