"""Counts what the telemetry tells, for metrics: in memory, from the start of the process on."""

from __future__ import annotations

from collections import Counter
from typing import Generic, TypeVar

from sheratan.contracts.metrics import Spread
from sheratan.contracts.telemetry import BatchCommitted, CommandRefused, CommitFailed, Event

__all__ = ["Durations", "Meter"]

K = TypeVar("K")


class Durations(Generic[K]):
    """Durations by a key: how many of each size, and their sum."""

    def __init__(self) -> None:
        self._bits: dict[K, Counter[int]] = {}
        self._sums_us = Counter[K]()

    def add(self, key: K, duration_us: int) -> None:
        """One more."""
        bits = self._bits.get(key)
        if bits is None:
            bits = self._bits[key] = Counter()
        # Its number of bits says within which powers of two it is: no search for each.
        bits[duration_us.bit_length()] += 1
        self._sums_us[key] += duration_us

    def merge(self, key: K, bits: Counter[int], sum_us: int) -> None:
        """What was counted elsewhere."""
        self._bits.setdefault(key, Counter()).update(bits)
        self._sums_us[key] += sum_us

    def items(self) -> list[tuple[K, Counter[int], int]]:
        """Every key with its counts by number of bits, and the sum."""
        return [(key, bits, self._sums_us[key]) for key, bits in self._bits.items()]

    def spread(self, key: K) -> Spread:
        """What was counted under a key."""
        return Spread.of(self._bits.get(key, Counter()), self._sums_us[key])


class Meter:
    """A listener of the telemetry. By number of a lane, of which there are at most `limits.queues_max`."""

    def __init__(self) -> None:
        self.submitted = Counter[int]()
        self.ended = Counter[tuple[int, str]]()
        self.waited = Durations[int]()
        self.ran = Durations[int]()
        self.entries = Counter[str]()
        self.batches = Durations[str]()
        """`batch` and `commit`."""
        self.refused = Counter[str]()
        self.commits_failed = 0

    def __call__(self, event: Event) -> None:
        """Count an event."""
        if type(event) is BatchCommitted:
            self._count(event)
        elif type(event) is CommandRefused:
            self.refused[event.code] += 1
        elif type(event) is CommitFailed:
            self.commits_failed += 1

    def _count(self, event: BatchCommitted) -> None:
        self.entries.update(event.types)
        self.submitted.update(event.submitted)
        self.batches.add("batch", event.batch_us)
        self.batches.add("commit", event.commit_us)
        for lane, waited_us in event.started:
            self.waited.add(lane, waited_us)
        for lane, state, ran_us in event.ended:
            self.ended[lane, state] += 1
            if ran_us is not None:
                self.ran.add(lane, ran_us)
