"""Many schedules: what it takes to find those that are due, and to let them fire."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Final

from bench.decider_alone import DeciderAlone
from bench.harness import Bench, Row, Section, at_most, percentile, plain, ratio
from bench.noop import PAYLOAD, noop
from sheratan.contracts.jobs import Submission
from sheratan.contracts.schedules import Schedule
from sheratan.engine.commands import CreateSchedule
from sheratan.engine.definition import prepare_schedule

__all__ = ["measure", "ticks_of"]

DAY_US: Final = 86_400_000_000
AT_ONCE: Final = 16
"""Schedules that one batch lets fire at most."""


def measure(bench: Bench) -> Section:
    """Schedules that fire once a day, each time 16 of them at once; a tick is one batch in which 16 are due.

    With a decider, a store on the disk and a virtual clock: from the begin of the batch until its 16 jobs are
    durable. And a batch in which none is due, which also says when the next one is.
    """
    ticks = bench.size(300, 10)
    sizes = (1_000, 10_000, 100_000) if not bench.is_quick else (100, 1_000)

    samples = bench.repeat(*(partial(ticks_of, count=count, ticks=ticks) for count in sizes))
    rows: list[Row] = []
    for count in sizes:
        target = at_most(5.0) if count == sizes[-1] else None
        rows.append(plain(samples, _tick(count), "ms", target))
        rows.append(plain(samples, f"{_tick(count)}, p99", "ms"))
        rows.append(plain(samples, _idle(count), "ms"))
    growth = ratio(samples[_tick(sizes[-1])], samples[_tick(sizes[0])])
    rows.append(Row(f"tick at {sizes[-1]:,} over tick at {sizes[0]:,}", growth, "times"))
    return Section("Schedules", measure.__doc__ or "", rows)


def ticks_of(folder: Path, count: int, ticks: int) -> dict[str, float]:
    run = DeciderAlone(folder / "sheratan.db")
    apart_us = DAY_US // count * AT_ONCE
    first_us = run.clock.now_us() + DAY_US
    for start in range(0, count, 1_000):
        numbers = range(start, min(count, start + 1_000))
        run.turn([_create(run, number, first_us + number // AT_ONCE * apart_us) for number in numbers])
    run.clock.advance(first_us - apart_us - run.clock.now_us())
    took: list[float] = []
    idle: list[float] = []
    for _ in range(min(ticks, count // AT_ONCE)):
        run.clock.advance(apart_us // 2)
        idle.append(_turn_seconds(run))
        run.clock.advance(apart_us - apart_us // 2)
        took.append(_turn_seconds(run))
    run.close()
    return {
        _tick(count): percentile(took, 50) * 1e3,
        f"{_tick(count)}, p99": percentile(took, 99) * 1e3,
        _idle(count): percentile(idle, 50) * 1e3,
    }


def _turn_seconds(run: DeciderAlone) -> float:
    began = time.perf_counter()
    run.turn([])
    return time.perf_counter() - began


def _tick(count: int) -> str:
    return f"tick, {count:,} schedules"


def _idle(count: int) -> str:
    return f"none is due, {count:,} schedules"


def _create(run: DeciderAlone, number: int, starts_us: int) -> CreateSchedule:
    schedule = Schedule(
        name=f"schedule-{number}",
        submission=Submission(kind=noop.name, input=PAYLOAD),
        every_seconds=86_400.0,
        starts_us=starts_us,
    )
    return prepare_schedule(schedule, run.kinds, run.limits, replaces=False)
