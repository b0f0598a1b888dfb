"""A journal and tables about ageing that somebody has changed: how it is set, and what decisions were told of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.flow import FlowLimits
from sheratan.engine.commands import LimitStarts
from tests.engine.world import World
from tests.journal.tamper import changed, checked, forged, tables

Entry = dict[str, Any]


@pytest.fixture(scope="module")
def ageing_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ageing") / "sheratan.db"
    world = World(path)
    session = world.register()
    world.submit(queue="q", priority=0)
    world.lease(session)
    world.ask(LimitStarts(subject="queue:q", limits=FlowLimits(ageing_seconds=10), reason="fair"))
    world.ask(LimitStarts(subject="kind:work", limits=FlowLimits(ageing_seconds=5), reason="fairer"))
    world.submit(queue="q", priority=5)
    world.tick(30)
    world.submit(queue="q", priority=0)
    world.submit("other")
    assert len(world.lease(session, 8)) == 3
    world.check()
    world.close()
    return path


@pytest.fixture
def data(ageing_file: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "sheratan.db"
    shutil.copy(ageing_file, copy)
    return copy


def told_of_quicker_ageing(entry: Entry) -> None:
    for told in entry["decision"]["input"].get("ageing", ()):
        told[1] -= 1


def told_of_none(entry: Entry) -> None:
    for name in ("ageing", "aged"):
        entry["decision"]["input"].pop(name, None)


def told_of_a_longer_wait(entry: Entry) -> None:
    for told in entry["decision"]["input"].get("aged", ()):
        told[1] -= 20_000_000


def set_slower(entry: Entry) -> None:
    entry["data"]["limits"]["ageing_us"] *= 10


def never_set(entry: Entry) -> None:
    entry["data"]["limits"] = {}


FORGERIES: list[tuple[str, Callable[[Entry], None], str]] = [
    ("worker.leased", told_of_quicker_ageing, "F1"),
    ("worker.leased", told_of_none, "F1"),
    ("worker.leased", told_of_a_longer_wait, "F1"),
    ("flow.limited", set_slower, "F1"),
    ("flow.limited", set_slower, "J14"),
    ("flow.limited", never_set, "F1"),
    ("flow.limited", never_set, "J14"),
]


def test_what_was_not_changed_is_whole(data: Path) -> None:
    assert checked(data).ok


@pytest.mark.parametrize(("which", "forge", "invariant"), FORGERIES)
def test_a_forged_story_is_caught(
    data: Path, which: str, forge: Callable[[Entry], None], invariant: str
) -> None:
    assert invariant in forged(data, lambda entry: entry["type"] == which, forge)


def test_an_ageing_changed_behind_the_journals_back_is_found(data: Path) -> None:
    changed(data, "UPDATE flow SET ageing_us = 9")
    found = checked(data).problems
    assert "flow" in tables(found, "J14"), found
