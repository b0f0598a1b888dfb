"""Groups: what a journal says of jobs that were collected has to fit what their worker collects."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.test_groups import collector
from tests.engine.world import World
from tests.journal.tamper import checked, forged

Entry = dict[str, Any]


@pytest.fixture(scope="module")
def groups_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("groups") / "sheratan.db"
    world = World(path)
    session = collector(world)
    for _ in range(4):
        world.submit()
    world.lease(session, 10)
    world.submit()
    world.tick(1)
    world.submit()
    world.ask_lease(session, 10)
    world.tick(4)
    world.check()
    world.close()
    return path


@pytest.fixture
def data(groups_file: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "sheratan.db"
    shutil.copy(groups_file, copy)
    return copy


def test_a_journal_with_groups_verifies(data: Path) -> None:
    found = checked(data)
    assert found.problems == []
    assert found.counts["worker.leased"] == 2


def is_leased(entry: Entry) -> bool:
    return bool(entry["type"] == "worker.leased")


def is_the_later(entry: Entry) -> bool:
    return is_leased(entry) and len(entry["data"]["jobs"]) == 2


def is_registered(entry: Entry) -> bool:
    return bool(entry["type"] == "worker.registered")


def without_groups(entry: Entry) -> None:
    del entry["data"]["groups"]


def in_one_group(entry: Entry) -> None:
    entry["data"]["groups"] = [[number for number, *_ in entry["data"]["jobs"]][::-1]]


def each_by_itself(entry: Entry) -> None:
    entry["data"]["groups"] = [[number] for number, *_ in entry["data"]["jobs"]]


def told_of_no_lane(entry: Entry) -> None:
    entry["decision"]["input"]["collects"] = []


def told_of_smaller_groups(entry: Entry) -> None:
    entry["decision"]["input"]["collects"][0][1] -= 1


def told_of_a_shorter_wait(entry: Entry) -> None:
    entry["decision"]["input"]["collects"][0][2] -= 1


def told_of_an_earlier_job(entry: Entry) -> None:
    entry["decision"]["input"]["collects"][0][3] -= 1


def told_of_a_later_job(entry: Entry) -> None:
    entry["decision"]["input"]["collects"][0][3] += 1


def collects_nothing(entry: Entry) -> None:
    del entry["data"]["collects"]


def collects_more(entry: Entry) -> None:
    entry["data"]["collects"]["work"][0] = 10


FORGERIES: list[tuple[Callable[[Entry], bool], Callable[[Entry], None]]] = [
    (is_leased, without_groups),
    (is_leased, in_one_group),
    (is_leased, each_by_itself),
    (is_leased, told_of_no_lane),
    (is_leased, told_of_smaller_groups),
    (is_leased, told_of_a_shorter_wait),
    (is_the_later, told_of_an_earlier_job),
    (is_the_later, told_of_a_later_job),
    (is_registered, collects_nothing),
    (is_registered, collects_more),
]


@pytest.mark.parametrize(("is_wanted", "forge"), FORGERIES)
def test_a_forged_story_is_caught(
    data: Path, is_wanted: Callable[[Entry], bool], forge: Callable[[Entry], None]
) -> None:
    assert "F2" in forged(data, is_wanted, forge)
