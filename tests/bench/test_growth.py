"""Growth is measured on stores that hold what they should, and a cost that grows misses its target."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bench.growth import Grown, growth_rounds, growth_rows, histories, history_name
from bench.harness import Row, Samples
from bench.product import ended_jobs, stored_bytes


def verdict(rows: list[Row]) -> bool | None:
    (found,) = [row.is_met for row in rows if row.target is not None]
    return found


@pytest.mark.parametrize(("last", "is_met"), [(59.0, True), (61.0, False)])
def test_a_cost_that_grows_by_more_than_a_fifth_is_missed(last: float, is_met: bool) -> None:
    samples: Samples = {
        history_name(1_000): [50.0, 100.0, 25.0],
        history_name(10_000): [last, last * 2, last / 2],
        "bytes": [1_000.0],
    }
    rows = growth_rows(samples, [1_000, 10_000], [100_000])
    assert verdict(rows) is is_met
    assert any("100,000 not run: no room on the disk" in row.what for row in rows)


def test_ten_million_are_on_demand() -> None:
    assert histories(is_quick=False, is_full=False)[-1] == 1_000_000
    assert histories(is_quick=False, is_full=True)[-1] == 10_000_000


async def _visit_twice(folder: Path) -> int:
    store = Grown(folder / "store", 30)
    await store.visit(10)
    await store.visit(10)  # 40 are more than a fifth above 30: it was made anew
    await store.close()
    return ended_jobs(folder / "store")


def test_a_store_holds_its_history_and_is_made_anew_when_it_has_grown(tmp_path: Path) -> None:
    assert asyncio.run(_visit_twice(tmp_path)) == 30 + 10


def test_every_history_is_visited_in_every_round(tmp_path: Path) -> None:
    samples = asyncio.run(growth_rounds(tmp_path, [20, 40], 2, 10))
    assert {name: len(values) for name, values in samples.items()} == {
        history_name(20): 2,
        history_name(40): 2,
        "bytes": 1,
    }
    stored = stored_bytes(tmp_path / "40")
    files = [path for path in (tmp_path / "40" / "data").rglob("*") if path.is_file()]
    assert stored == sum(path.stat().st_size for path in files)
