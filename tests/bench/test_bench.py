"""The benchmark harness counts right, and the measurements run. No figure is asserted: a test is not a benchmark."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import apsw
import pytest

from bench import decider_alone, drain, fan_out, guarded, latency, scheduled, sleeping
from bench.harness import Bench, Row, Samples, Section, at_least, at_most, compared, figure, percentile, ratio
from bench.machine import file_system
from bench.memory import server
from bench.product import database
from bench.raw import commits_of, replay, schema_of
from bench.report import as_json, as_markdown, number, targets
from sheratan.wiring import open_offline


def test_a_figure_is_the_median_and_the_extremes() -> None:
    found = figure([5.0, 1.0, 9.0])
    assert (found.median, found.low, found.high) == (5.0, 1.0, 9.0)
    assert figure([1.0, 2.0]).median == 1.5


def test_ratios_are_taken_pair_by_pair() -> None:
    # The ratio of the medians would be 1.0; within each round the first side took twice the second's.
    found = ratio([2.0, 8.0, 40.0], [1.0, 4.0, 20.0])
    assert (found.median, found.low, found.high) == (2.0, 2.0, 2.0)


def test_a_ratio_wants_pairs() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        ratio([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("percent", "expected"), [(50, 50.0), (99, 99.0), (100, 100.0), (1, 1.0), (0.5, 1.0)]
)
def test_percentiles_of_a_hundred_values(percent: float, expected: float) -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], percent) == expected


def test_percentile_of_one_value() -> None:
    assert percentile([7.0], 99) == 7.0


def test_targets_are_met_or_missed() -> None:
    assert at_least(10).is_met(10)
    assert not at_least(10).is_met(9.9)
    assert at_most(10).is_met(10)
    assert not at_most(10).is_met(10.1)
    assert Row("x", figure([1.0]), "s").is_met is None


def test_contenders_take_turns(tmp_path: Path) -> None:
    order: list[str] = []

    def contender(name: str, value: float) -> dict[str, float]:
        order.append(name)
        return {name: value}

    bench = Bench(rounds=3, is_quick=True, base=tmp_path)
    samples = bench.repeat(lambda _: contender("a", 1.0), lambda _: contender("b", 2.0))
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert samples == {"a": [1.0] * 3, "b": [2.0] * 3}
    assert list(tmp_path.iterdir()) == []


def test_the_report_says_what_was_missed() -> None:
    samples: Samples = {"ours": [10.0, 12.0], "raw": [20.0, 24.0]}
    section = Section("Speed", "Time.", [compared(samples, "ours", "raw", "jobs/s", at_least(20))])
    assert targets([section])[0] == "0 of 1 targets met."
    page = as_markdown({"CPU": "one"}, [section], ["A note."])
    assert (
        "| ours | **11.0** | 10.0 to 12.0 | jobs/s | ≥ 20 | **missed** | raw | 22.0 | 0.50 [0.50 to 0.50] |"
        in page
    )
    row = json.loads(as_json({}, [section], []))["sections"][0]["rows"][0]
    assert (row["met"], row["figure"]["median"], row["ratio"]["median"]) == (False, 11.0, 0.5)


@pytest.mark.parametrize(("value", "text"), [(12_345.6, "12,346"), (12.34, "12.3"), (1.234, "1.23")])
def test_numbers_have_few_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_the_file_system_is_found() -> None:
    assert file_system(Path("/proc/self")).startswith("proc ")


async def _drain(folder: Path) -> None:
    await drain.drain_once(folder, 600)


def test_the_raw_limit_writes_what_the_product_wrote(tmp_path: Path) -> None:
    asyncio.run(_drain(tmp_path))
    path = database(tmp_path)
    commits = commits_of(path)
    replay(tmp_path / "raw.db", schema_of(path), commits[:3], commits[3:])
    assert _contents(tmp_path / "raw.db") == _contents(path)


def _contents(path: Path) -> dict[str, list[Any]]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        found: dict[str, list[Any]] = {
            "page": connection.execute("SELECT * FROM page").fetchall(),
            "job": connection.execute("SELECT * FROM job").fetchall(),
            "result": connection.execute("SELECT * FROM result").fetchall(),
            "open": connection.execute(
                "SELECT number FROM ready UNION ALL SELECT number FROM lease"
            ).fetchall(),
        }
        return found
    finally:
        connection.close()


def test_latencies_are_taken(tmp_path: Path) -> None:
    assert len(asyncio.run(latency.idle_starts(tmp_path, 2))) == 2


def test_the_decider_alone_settles_what_it_leased() -> None:
    run = decider_alone.DeciderAlone()
    run.cycle(1)
    run.cycle(20)
    run.close()


def test_all_items_and_children_of_a_fan_out_end(tmp_path: Path) -> None:
    assert all(took > 0 for took in asyncio.run(fan_out.fan_both(tmp_path, 1)).values())


def test_in_a_tick_sixteen_schedules_fire(tmp_path: Path) -> None:
    scheduled.ticks_of(tmp_path, count=64, ticks=2)
    store = open_offline(tmp_path)
    try:
        assert sum(store.counts().values()) == 2 * 16
    finally:
        store.close()


def test_jobs_are_put_to_sleep(tmp_path: Path) -> None:
    with server(tmp_path, "bench.noop"):
        asyncio.run(sleeping.put_to_sleep(tmp_path, 5))
        store = open_offline(tmp_path / "data")
        try:
            assert store.counts()["waiting"] == 5
        finally:
            store.close()


def test_a_guarded_call_takes_some_time() -> None:
    assert asyncio.run(guarded.seconds_per_call(is_guarded=True, calls=10)) > 0
