"""A journal and tables about partitions that somebody has changed: numbers, limits and rates that were not so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.flow import FlowLimits, PartitionLimits, Rate
from sheratan.engine.commands import LimitStarts
from tests.engine.world import World
from tests.journal.tamper import changed, checked, copied, forged, tables

Entry = dict[str, Any]


@pytest.fixture(scope="module")
def partitions_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("partitions") / "sheratan.db"
    world = World(path)
    each = PartitionLimits(concurrency=2, rate=Rate(count=7, period_seconds=60, burst=2))
    world.ask(LimitStarts(subject="queue:default", limits=FlowLimits(per_partition=each), reason="fair"))
    for name in ("acme", "acme", "acme", "umbrella", None):
        world.submit(partition=name)
    assert len(world.lease(world.register(), 8)) == 4
    world.check()
    world.close()
    return path


@pytest.fixture
def data(partitions_file: Path, tmp_path: Path) -> Path:
    return copied(partitions_file, tmp_path)


def of_another_partition(entry: Entry) -> None:
    if entry["data"].get("partition") == "acme":
        entry["data"]["partition"] = "umbrella"


def of_no_partition(entry: Entry) -> None:
    entry["data"].pop("partition", None)


def with_one_at_once(entry: Entry) -> None:
    entry["data"]["limits"]["per_partition"]["concurrency"] = 1


def with_a_slower_rate(entry: Entry) -> None:
    entry["data"]["limits"]["per_partition"]["rate"] = [1, 86_400_000_000, 1]


def without_them(entry: Entry) -> None:
    del entry["data"]["limits"]["per_partition"]


def told_of_another_limit(entry: Entry) -> None:
    for limit in entry["decision"]["input"]["limits"]:
        limit[2] += 1


FORGERIES: list[tuple[str, Callable[[Entry], None], str]] = [
    ("job.submitted", of_another_partition, "J14"),
    ("job.submitted", of_another_partition, "F1"),
    ("job.submitted", of_no_partition, "J14"),
    ("flow.limited", with_one_at_once, "F1"),
    ("flow.limited", with_one_at_once, "J14"),
    ("flow.limited", with_a_slower_rate, "F1"),
    ("flow.limited", without_them, "J5"),
    ("worker.leased", told_of_another_limit, "F1"),
]


def test_what_was_not_changed_is_whole(data: Path) -> None:
    assert checked(data).ok


@pytest.mark.parametrize(("which", "forge", "invariant"), FORGERIES)
def test_a_forged_story_is_caught(
    data: Path, which: str, forge: Callable[[Entry], None], invariant: str
) -> None:
    assert invariant in forged(data, lambda entry: entry["type"] == which, forge)


@pytest.mark.parametrize(
    ("change", "invariant", "table"),
    [
        ("UPDATE flow SET partition_concurrency = 9", "J14", "flow"),
        ("UPDATE flow SET partition_rate_count = 9", "J14", "flow"),
        ("UPDATE flow SET partition_rate_period_us = 9", "J14", "flow"),
        ("UPDATE flow SET partition_rate_burst = 9", "J14", "flow"),
        ("UPDATE partition_name SET name = 'other' WHERE number = 2", "J14", "partition_name"),
        ("DELETE FROM partition_name WHERE number = 2", "J5", "partition_name"),
        ("INSERT INTO partition_name VALUES (9, 'default', 'more')", "J5", "partition_name"),
        ("UPDATE partition_pace SET pace_us = pace_us - 1", "J14", "partition_pace"),
        ("UPDATE partition_pace SET part = part + 1", "J14", "partition_pace"),
        ("DELETE FROM partition_pace", "J5", "partition_pace"),
        ("INSERT INTO partition_pace VALUES ('default', 'queue:b', 1, 1, 0, 1)", "J5", "partition_pace"),
        ("UPDATE job SET lane = lane & 1048575 WHERE number = 1", "J14", "job"),
        ("UPDATE job SET lane = lane + 1048576 WHERE number = 1", "J14", "job"),
        ("UPDATE ready SET lane = lane + 1048576", "J14", "ready"),
    ],
)
def test_a_row_changed_behind_the_journals_back_is_found(
    data: Path, change: str, invariant: str, table: str
) -> None:
    changed(data, change)
    found = checked(data).problems
    assert table in tables(found, invariant), found
