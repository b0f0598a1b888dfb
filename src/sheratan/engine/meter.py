"""Counts what the telemetry tells, for metrics: in memory, from the start of the process on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Generic, TypeVar

from sheratan.contracts.metrics import Spread
from sheratan.contracts.telemetry import BatchCommitted, CommandRefused, CommitFailed, Event, LoopBlocked

__all__ = ["Durations", "Meter"]

K = TypeVar("K")
N = TypeVar("N")


class Durations(Generic[K]):
    """Durations by a key: how many of each size, and their sum."""

    def __init__(self) -> None:
        self._sizes = defaultdict[K, Counter[int]](Counter)
        """How many have so many bits: so it is known between which powers of two each is, without a search."""
        self._sums_us = defaultdict[K, int](int)

    def add(self, key: K, durations_us: list[int]) -> None:
        """Count more of them."""
        self._sizes[key].update(map(int.bit_length, durations_us))
        self._sums_us[key] += sum(durations_us)

    def renamed(self, name: Callable[[K], N]) -> Durations[N]:
        """The same under other keys, of which several may become one."""
        found = Durations[N]()
        for key, sizes in self._sizes.items():
            found._sizes[name(key)].update(sizes)
            found._sums_us[name(key)] += self._sums_us[key]
        return found

    def spreads(self) -> dict[K, Spread]:
        """What was counted under each key."""
        return {key: Spread.of(sizes, self._sums_us[key]) for key, sizes in self._sizes.items()}


class Meter:
    """A listener of the telemetry. By number of a lane, of which there are at most `limits.queues_max`."""

    def __init__(self) -> None:
        self.submitted = Counter[int]()
        self.ended = defaultdict[int, Counter[str]](Counter)
        self.waited = Durations[int]()
        self.ran = Durations[int]()
        self.charged = Counter[tuple[int, str]]()
        """Minor units, by lane and unit."""
        self.entries = Counter[str]()
        self.batches = Durations[str]()
        """`batch` and `commit`."""
        self.refused = Counter[str]()
        self.commits_failed = 0
        self.loop_blocked = 0
        self.notices = Counter[tuple[str, str]]()
        """Notices of alerts by target and what came of them; who delivers them counts."""

    def __call__(self, event: Event) -> None:
        """Count an event."""
        if type(event) is BatchCommitted:
            self._count(event)
        elif type(event) is CommandRefused:
            self.refused[event.code] += 1
        elif type(event) is CommitFailed:
            self.commits_failed += 1
        elif type(event) is LoopBlocked:
            self.loop_blocked += not event.still

    def _count(self, event: BatchCommitted) -> None:
        # Lists are counted several times faster than one by one.
        self.entries.update(event.types)
        self.submitted.update(event.submitted)
        for lane, states in event.ended.items():
            self.ended[lane].update(states)
        for lane, durations_us in event.started.items():
            self.waited.add(lane, durations_us)
        for lane, durations_us in event.ran.items():
            self.ran.add(lane, durations_us)
        for lane, unit, amount in event.charged:
            self.charged[lane, unit] += amount
        self.batches.add("batch", [event.batch_us])
        self.batches.add("commit", [event.commit_us])
