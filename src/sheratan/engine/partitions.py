"""What the decider remembers of partitions: which have ready jobs, whose turn it is, how much of their limits is used.

Only partitions with ready jobs, with running jobs of what is limited, or with a rate that is not paid off are here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

from sheratan.engine.flow_state import FlowKey, FlowState, has_limits_per_partition, partition_rate_of
from sheratan.engine.turns import Turns
from sheratan.kernel.rate import UNPACED, Pace, earliest_us
from sheratan.store.partition_rows import PartitionKey, lane_in, lane_of, partition_of
from sheratan.store.port import Store

__all__ = ["Partitions"]

_CACHED_MAX = 8_192
Used = TypeVar("Used")


class Partitions:
    """Memory of partitions. A job without one costs a look into an empty dictionary."""

    def __init__(self, store: Store, flow: FlowState, at_us: int) -> None:
        self._store = store
        self._flow = flow
        self.next_number = store.last_partition() + 1
        self.turns: dict[int, Turns] = {}
        """By lane, of those that have had partitions with ready jobs."""
        self.running: dict[PartitionKey, int] = {}
        """How many jobs run of each partition of a queue, kind or tenant that has limits per partition."""
        self.paces: dict[PartitionKey, Pace] = {
            row[:3]: Pace(*row[3:]) for row in store.partition_paces(at_us)
        }
        """How far rates are used up, of partitions that have not paid them off."""
        self._paces_swept = len(self.paces)
        self._full: dict[PartitionKey, set[int]] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._names: dict[int, str] = {}

    @property
    def queued(self) -> int:
        """How many partitions of lanes have ready jobs."""
        return sum(len(turns.members) for turns in self.turns.values())

    def depth(self, lane: int) -> int:
        """How many ready jobs the partitions of a lane have."""
        turns = self.turns.get(lane)
        return turns.depth if turns else 0

    def keys(self, number: int) -> list[PartitionKey]:
        """The limits per partition that hold for the jobs with this number in their rows."""
        partition = partition_of(number)
        if not partition:
            return []
        return [(*key, partition) for key in self._flow.each.get(lane_of(number), ())]

    def is_paced(self, number: int) -> bool:
        """Whether a rate holds for the partition by itself."""
        return any(
            self._flow.rows[key].partition_rate_count for key in self._flow.each.get(lane_of(number), ())
        )

    def limit(self, key: PartitionKey) -> tuple[int, int, list[int] | None]:
        """A limit and how much of it is used, in the words of the rule."""
        row = self._flow.rows[key[:2]]
        rate = partition_rate_of(row)
        paced = [*rate, *self.paces.get(key, UNPACED)[:2]] if rate else None
        return row.partition_concurrency, self.running.get(key, 0), paced

    def stopped(self, number: int, cost: int, at_us: int) -> tuple[bool, int | None]:
        """Whether a limit stops the next job of a partition, which costs so much, and until when a rate does."""
        for key in self.keys(number):
            row = self._flow.rows[key[:2]]
            if row.partition_concurrency and self.running.get(key, 0) >= row.partition_concurrency:
                self._full.setdefault(key, set()).add(number)
                return True, None
            rate = partition_rate_of(row)
            until_us = earliest_us(rate, self.paces.get(key, UNPACED), cost) if rate else at_us
            if until_us > at_us:
                return True, until_us
        return False, None

    def is_full(self, number: int) -> bool:
        """Whether a partition is set aside until an attempt of it ends: for checks."""
        for key in self.keys(number):
            most = self._flow.rows[key[:2]].partition_concurrency
            if most and self.running.get(key, 0) >= most and number in self._full.get(key, ()):
                return True
        return False

    def count(self, number: int, change: int) -> None:
        """An attempt begins or ends."""
        for key in self.keys(number):
            running = self.running.get(key, 0) + change
            if running:
                self.running[key] = running
            else:
                del self.running[key]
            if change < 0:
                for member in self._full.pop(key, ()):
                    self.turns[lane_of(member)].wake(member)

    def wake(self, partition: int) -> None:
        """Another budget holds for a partition, or more of it is left."""
        for lane, turns in self.turns.items():
            turns.wake(lane_in(lane, partition))

    def use(self, key: PartitionKey, pace: Pace, at_us: int) -> None:
        """A rate is used up so far."""
        self.paces[key] = pace
        if len(self.paces) > 2 * self._paces_swept + 64:
            # What is paid off is as if it had never been used.
            self.paces = {key: pace for key, pace in self.paces.items() if pace.at_us >= at_us}
            self._paces_swept = len(self.paces)

    def set_limits(self, key: FlowKey, running: Iterable[int], *, forgets: bool) -> None:
        """Other limits hold for a queue, kind or tenant, of whose jobs those with these numbers in their rows run."""
        self.running = _without(self.running, key)
        if has_limits_per_partition(self._flow.rows[key]):
            partitions = filter(None, map(partition_of, running))
            self.running.update(Counter((*key, partition) for partition in partitions))
        if forgets:
            self.paces = _without(self.paces, key)
        self.wake_all()

    def wake_all(self) -> None:
        """What has stopped partitions may stop them no more."""
        for turns in self.turns.values():
            turns.wake_all()

    def find(self, tenant: str, name: str) -> int | None:
        """The number of a partition that is known or stored."""
        number = self._numbers.get((tenant, name))
        if number is None:
            row = self._store.find_partition(tenant, name)
            if row is None:
                return None
            number = row.number
            self.remember(number, tenant, name)
        return number

    def name(self, number: int) -> str:
        """The name of a partition that is known or stored."""
        name = self._names.get(number)
        return self._store.partitions([number])[number] if name is None else name

    def name_at_hand(self, number: int) -> str | None:
        """The name of a partition if it is known: without a read, so that anybody may ask at any time."""
        return self._names.get(number)

    def remember(self, number: int, tenant: str, name: str) -> None:
        """Keep a name at hand; the oldest makes room."""
        if len(self._numbers) >= _CACHED_MAX:
            oldest = next(iter(self._numbers))
            self._names.pop(self._numbers.pop(oldest))
        self._numbers[tenant, name] = number
        self._names[number] = name


def _without(used: dict[PartitionKey, Used], key: FlowKey) -> dict[PartitionKey, Used]:
    """All but what is used by the partitions of a queue, kind or tenant."""
    return {one: how for one, how in used.items() if one[:2] != key}
