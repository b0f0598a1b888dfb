"""What every measurement shares: rounds, interleaving, medians, ratios and the rows of the table."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sheratan.ambient.collector import spare_collector

__all__ = [
    "Bench",
    "Contender",
    "Figure",
    "Row",
    "Samples",
    "Section",
    "Target",
    "at_least",
    "at_most",
    "compared",
    "figure",
    "percentile",
    "plain",
    "quiesce",
    "ratio",
    "say",
]

Samples = dict[str, list[float]]
"""What was measured, by name: one number per round."""

Contender = Callable[[Path], Mapping[str, float]]
"""One side of a comparison: runs once in an empty folder and returns its numbers by name."""


@dataclass(frozen=True)
class Figure:
    """The median of some rounds, and how far they lie apart."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Target:
    """What a figure's median is to reach."""

    value: float
    is_upper: bool

    def is_met(self, number: float) -> bool:
        return number <= self.value if self.is_upper else number >= self.value


@dataclass(frozen=True)
class Row:
    """One line of the table. `beside` is what it is compared with, `ratio` the figure over that, pair by pair."""

    what: str
    figure: Figure
    unit: str
    target: Target | None = None
    beside: str = ""
    beside_figure: Figure | None = None
    ratio: Figure | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether the target was met; None when there is none."""
        return None if self.target is None else self.target.is_met(self.figure.median)


@dataclass(frozen=True)
class Section:
    """The rows of one measurement, and what was timed."""

    title: str
    about: str
    rows: Sequence[Row]


class Bench:
    """One run of the suite: how many rounds, how large, and where on the disk."""

    def __init__(self, *, rounds: int, is_quick: bool, base: Path, is_full: bool = False) -> None:
        self.rounds = rounds
        self.is_quick = is_quick
        self.is_full = is_full
        self._base = base

    def size(self, full: int, quick: int) -> int:
        """How many of something."""
        return quick if self.is_quick else full

    @contextmanager
    def folder(self) -> Generator[Path]:
        """An empty folder on the repository's disk, gone afterwards."""
        self._base.mkdir(parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(prefix="run-", dir=self._base))
        try:
            yield path
        finally:
            shutil.rmtree(path)

    def repeat(self, *contenders: Contender) -> Samples:
        """Run all contenders in every round, in turn and every other round backwards, each in its own folder."""
        samples: Samples = {}
        for number in range(self.rounds):
            for contender in contenders if number % 2 == 0 else contenders[::-1]:
                with self.folder() as folder:
                    quiesce()
                    for name, value in contender(folder).items():
                        samples.setdefault(name, []).append(value)
        return samples


def quiesce() -> None:
    """Set the garbage collector as `sheratan up` does; what earlier runs left in memory is not looked at again."""
    spare_collector()


def figure(values: Sequence[float]) -> Figure:
    """Median, least and most."""
    return Figure(statistics.median(values), min(values), max(values))


def ratio(values: Sequence[float], others: Sequence[float]) -> Figure:
    """The figure over pairs of the same round: noise that hits both sides of a pair cancels out."""
    return figure([value / other for value, other in zip(values, others, strict=True)])


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all do not exceed."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def at_least(value: float) -> Target:
    """A target that is met by this much or more."""
    return Target(value, is_upper=False)


def at_most(value: float) -> Target:
    """A target that is met by this much or less."""
    return Target(value, is_upper=True)


def compared(samples: Samples, name: str, other: str, unit: str, target: Target | None = None) -> Row:
    """A row that sets one name of the samples beside another."""
    return Row(
        name,
        figure(samples[name]),
        unit,
        target,
        other,
        figure(samples[other]),
        ratio(samples[name], samples[other]),
    )


def plain(samples: Samples, name: str, unit: str, target: Target | None = None) -> Row:
    """A row that stands alone."""
    return Row(name, figure(samples[name]), unit, target)


def say(text: str) -> None:
    """Tell the person who waits; the table alone goes to stdout."""
    print(text, file=sys.stderr, flush=True)
