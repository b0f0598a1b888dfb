"""Jobs that were pruned: nothing is left of them but what the journal says, and nobody can prune behind its back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sheratan.engine.commands import KeepJobs
from sheratan.engine.replay import replay
from sheratan.engine.verify import verify
from tests.journal.tamper import (
    Hands,
    Meanwhile,
    changed,
    checked,
    copied,
    forged,
    invariants,
    reader_of,
    tables,
)
from tests.journal.world import World
from tests.journal.world_retention import old_jobs

Entry = dict[str, Any]


def test_a_journal_with_pruned_jobs_verifies_and_replays(pruned_data: Path) -> None:
    found = checked(pruned_data)
    assert found.problems == []
    assert found.counts["retention.pruned"] >= 2
    reader = reader_of(pruned_data)
    assert reader.pruned_count() == 7
    assert replay(reader).ok
    reader.close()


def prune_all(world: World) -> None:
    world.clock.advance(3_600_000_000)
    world.ask(KeepJobs(kind="", keep_us=1, reason=""))


def test_jobs_may_be_pruned_before_any_read_of_a_verification(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path / "old.db"
    world = World(path)
    old_jobs(world)
    world.close()
    reader = Meanwhile(path)
    assert verify(reader, integrity=False).problems == []
    reads = len(reader.names)
    reader.close()
    for at in range(reads):
        copy = copied(path, tmp_path_factory.mktemp("pruned"))
        world = World(copy, seed=9)
        reader = Meanwhile(copy, at, partial(prune_all, world))
        found = verify(reader, integrity=False)
        assert found.problems == [], (reader.names[at], found.problems)
        assert found.counts["retention.pruned"] == 1
        reader.close()
        world.close()


CHANGES = [
    ("DELETE FROM pruned WHERE number = 2", "J5", "job"),
    ("DELETE FROM pruned WHERE number = 2", "R1", "pruned"),
    ("UPDATE pruned SET salt = salt + 1 WHERE number = 2", "J14", "pruned"),
    ("UPDATE pruned SET salt = salt + 1 WHERE number = 1", "J14", "pruned"),
    ("UPDATE pruned SET lane = 2 WHERE number = 2", "J14", "pruned"),
    ("UPDATE pruned SET created_us = created_us + 1", "J14", "pruned"),
    ("UPDATE pruned SET submitted_by = 1", "J14", "pruned"),
    ("UPDATE pruned SET state = 'succeeded'", "J14", "pruned"),
    ("UPDATE pruned SET finished_us = finished_us - 1", "J14", "pruned"),
    ("UPDATE pruned SET entry = entry + 1", "J14", "pruned"),
    ("UPDATE pruned SET pruned_by = pruned_by - 1", "J5", "pruned"),
    ("UPDATE pruned SET parents = parents + 1", "J5", "after"),
    ("UPDATE pruned SET tags = 0", "J5", "tag"),
    ("UPDATE pruned SET steps = 0", "J5", "step"),
    ("UPDATE pruned SET failures = 0", "J5", "failure"),
    ("INSERT INTO pruned VALUES (9, 1, 1, 1, NULL, 'succeeded', 1, 1, 1, 0, 0, 0, 0)", "R1", "pruned"),
    ("INSERT INTO job SELECT number, salt, lane, 5, created_us, 1, 1, 1, 1, 0, 'run', NULL, NULL, x'31', NULL, 1, NULL,"
     " 0, 0 FROM pruned WHERE number = 2", "R1", "job"),
    ("INSERT INTO tag VALUES ('more', 1)", "J5", "tag"),
    ("INSERT INTO failure SELECT number, entry, x'7b7d' FROM pruned WHERE state = 'failed'", "J5", "failure"),
    ("UPDATE retention SET keep_us = 5", "J14", "retention"),
    ("UPDATE retention SET jobs = 0", "J14", "retention"),
    ("DELETE FROM retention", "J5", "retention"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "invariant", "row"), CHANGES)
def test_a_row_that_was_changed_is_found(pruned_data: Path, change: str, invariant: str, row: str) -> None:
    changed(pruned_data, change)
    found = checked(pruned_data).problems
    assert row in tables(found, invariant), found


def test_a_job_that_nobody_has_pruned_is_missed(pruned_data: Path) -> None:
    """Whoever takes out a job and leaves remains as the engine would has no entry for it."""
    hands = Hands(pruned_data)
    [(number,)] = hands.run("SELECT max(number) FROM result")
    hands.run(
        "INSERT INTO pruned SELECT job.number, salt, lane, created_us, submitted_by, state, finished_us, entry, 1,"
        " 0, 0, 0, 0 FROM job JOIN result USING (number) WHERE job.number = ?",
        number,
    )
    for table in ("job", "result"):
        hands.run(f"DELETE FROM {table} WHERE number = ?", number)
    hands.close()
    assert "R1" in invariants(checked(pruned_data))


def kept_longer(entry: Entry) -> None:
    entry["data"]["keep_us"] += 1


def by_another_policy(entry: Entry) -> None:
    entry["cause"] -= 1


def told_of_a_shorter_time(entry: Entry) -> None:
    entry["decision"]["input"]["keep_us"] -= 1


def told_of_a_later_hour(entry: Entry) -> None:
    entry["decision"]["input"]["now_us"] += 1


def told_of_an_earlier_end(entry: Entry) -> None:
    entry["decision"]["input"]["newest_us"] -= 1


def told_of_fewer(entry: Entry) -> None:
    entry["decision"]["input"]["jobs"] -= 1


def against_its_decision(entry: Entry) -> None:
    entry["decision"]["chosen"] = "keep"


def beside_its_story(entry: Entry) -> None:
    entry["previous"] = 1


def without_the_last(entry: Entry) -> None:
    entry["data"]["numbers"].pop()


def with_one_that_never_was(entry: Entry) -> None:
    entry["data"]["numbers"].append([10_000, 10_000])


def with_an_open_one(entry: Entry) -> None:
    entry["data"]["numbers"].append([9, 9])


def twice(entry: Entry) -> None:
    entry["data"]["numbers"] *= 2


def with_all_numbers_there_are(entry: Entry) -> None:
    entry["data"]["numbers"] = [[1, (1 << 53) - 1]]


def of_another_kind(entry: Entry) -> None:
    entry["subject"] = "retention:report" if entry["subject"] == "retention" else "retention"


FORGERIES: list[tuple[str, Callable[[Entry], None], str]] = [
    ("retention.set", kept_longer, "R1"),
    ("retention.set", beside_its_story, "previous"),
    ("retention.pruned", by_another_policy, "R1"),
    ("retention.pruned", told_of_a_shorter_time, "R1"),
    ("retention.pruned", told_of_a_later_hour, "R1"),
    ("retention.pruned", told_of_an_earlier_end, "R1"),
    ("retention.pruned", told_of_fewer, "R1"),
    ("retention.pruned", against_its_decision, "E14"),
    ("retention.pruned", beside_its_story, "previous"),
    ("retention.pruned", without_the_last, "R1"),
    ("retention.pruned", with_one_that_never_was, "J8"),
    ("retention.pruned", with_an_open_one, "R1"),
    ("retention.pruned", twice, "J8"),
    ("retention.pruned", with_all_numbers_there_are, "J8"),
    ("retention.pruned", of_another_kind, "R1"),
]


@pytest.mark.parametrize(("entry_type", "forge", "invariant"), FORGERIES)
def test_a_forged_story_is_caught(
    pruned_data: Path, entry_type: str, forge: Callable[[Entry], None], invariant: str
) -> None:
    assert invariant in forged(pruned_data, lambda entry: bool(entry["type"] == entry_type), forge)
