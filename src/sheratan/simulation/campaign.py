"""Campaigns: many seeds, on as many processes as there are, and what they reached together."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from typing import Any

import msgspec

from sheratan.ambient.clock import Clock
from sheratan.contracts.simulation import SEEDS_THAT_REACH_ALL, Campaign, SimulatedRun
from sheratan.sdk.processes import end_with_parent
from sheratan.simulation.choices import Choices
from sheratan.simulation.coverage import Coverage
from sheratan.simulation.options import draw_options
from sheratan.simulation.shrink import shrink
from sheratan.simulation.world import Outcome, simulate

__all__ = ["options_of", "run_campaign", "run_seed"]

_MORE_PART = 5
_MORE_AT_ONCE = 20
"""What one world in a hundred reaches is missed by 300 in one of twenty campaigns."""

_FAILURES_MAX = 10
"""After so many failing seeds a campaign ends: there is something to mend."""


def options_of(seed: int) -> dict[str, Any]:
    """The world that a seed draws."""
    options: dict[str, Any] = msgspec.to_builtins(draw_options(Choices(seed)))
    return options


def run_seed(seed: int, *, shrunken: bool = False) -> SimulatedRun:
    """Run one seed; when it breaks a promise, `shrunken` looks for the simplest run that breaks the same one."""
    found = simulate(seed)
    if shrunken and found.violation is not None:
        found = shrink(found)
    return _run_of(found)


def run_campaign(
    first_seed: int,
    seeds: int,
    *,
    clock: Clock,
    processes: int = 1,
    twice: bool = False,
    told: Callable[[SimulatedRun], None] = lambda run: None,
) -> Campaign:
    """Run so many seeds; with `twice` each one again, which must come out the same. `told` hears of each run.

    A campaign that should have reached everything, and has not, runs up to a fifth more seeds for what is missing.
    """
    began_us = clock.monotonic_us()
    coverage = Coverage()
    failures: list[SimulatedRun] = []
    totals: Counter[str] = Counter()
    digests: dict[int, str] = {}
    last_seed = first_seed + seeds
    runs = _runs(range(first_seed, last_seed), processes)
    if seeds >= SEEDS_THAT_REACH_ALL:
        more = range(last_seed, last_seed + seeds // _MORE_PART)
        runs = chain(runs, _until_all_is_reached(coverage, more, processes))
    for run in runs:
        digests[run.seed] = run.digest
        coverage.counts.update(run.coverage)
        totals.update(jobs=run.jobs, entries=run.entries, milliseconds=round(run.seconds * 1_000))
        if run.violation is not None:
            failures.append(run)
        told(run)
        if len(failures) >= _FAILURES_MAX:
            break
    # In the opposite order, so that most seeds come to another process, whose hashes are seeded otherwise.
    again = _runs(sorted(digests, reverse=True), processes) if twice else ()
    not_repeated = [run.seed for run in again if run.digest != digests[run.seed]]
    return Campaign(
        first_seed=first_seed,
        seeds=len(digests),
        failures=failures,
        not_repeated=not_repeated,
        coverage=dict(sorted(coverage.counts.items())),
        missing=coverage.missing(),
        jobs=totals["jobs"],
        entries=totals["entries"],
        world_seconds=totals["milliseconds"] / 1_000,
        elapsed_seconds=(clock.monotonic_us() - began_us) / 1_000_000,
    )


def _until_all_is_reached(coverage: Coverage, seeds: range, processes: int) -> Iterator[SimulatedRun]:
    """Runs of these seeds, a few at a time, for as long as anything is missing."""
    for first in range(0, len(seeds), _MORE_AT_ONCE):
        if not coverage.missing():
            return
        yield from _runs(seeds[first : first + _MORE_AT_ONCE], processes)


def _runs(seeds: Sequence[int], processes: int) -> Iterator[SimulatedRun]:
    if processes <= 1:
        yield from map(_run_one, seeds)
        return
    # Fresh interpreters: nothing of this process leaks in, and their hashes are seeded anew.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=end_with_parent) as pool:
        try:
            yield from pool.map(_run_one, seeds, chunksize=4)
        finally:
            pool.shutdown(cancel_futures=True)


def _run_one(seed: int) -> SimulatedRun:
    """A run without its story, which is long and can be told again."""
    return msgspec.structs.replace(run_seed(seed), story=[])


def _run_of(found: Outcome) -> SimulatedRun:
    options: dict[str, Any] = msgspec.to_builtins(found.options)
    return SimulatedRun(
        seed=found.seed,
        violation=found.violation,
        digest=found.digest,
        options=options,
        jobs=found.jobs,
        entries=found.entries,
        seconds=found.seconds,
        coverage=found.coverage,
        story=found.story,
    )
