"""Runs that were pruned: nothing is left of them but what the journal says, and nobody can prune behind its back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

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
from tests.journal.test_retention import (
    against_its_decision,
    beside_its_story,
    by_another_policy,
    kept_longer,
    told_of_a_later_hour,
    told_of_a_shorter_time,
    told_of_an_earlier_end,
    twice,
    with_all_numbers_there_are,
    without_the_last,
)
from tests.journal.world import World
from tests.journal.world_run_retention import old_runs, prune_all

Entry = dict[str, Any]


def test_a_journal_with_pruned_runs_verifies_and_replays(pruned_runs_data: Path) -> None:
    found = checked(pruned_runs_data)
    assert found.problems == []
    assert found.counts["retention.runs_pruned"] == 3
    reader = reader_of(pruned_runs_data)
    assert [left.number for left in reader.run_remains(range(20))] == [1, 2, 3, 4, 5, 8]
    assert list(reader.run_numbers()) == [6, 7, 9, 10, 11]
    assert [row.number for row in reader.open_runs()] == [7, 11]
    assert replay(reader).ok
    reader.close()


def test_runs_may_be_pruned_before_any_read_of_a_verification(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path / "old.db"
    world = World(path)
    old_runs(world)
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
        assert found.counts["retention.runs_pruned"] == 1
        reader.close()
        world.close()


CHANGES = [
    ("DELETE FROM pruned_run WHERE number = 2", "J5", "run"),
    ("DELETE FROM pruned_run WHERE number = 2", "J5", "run_result"),
    ("DELETE FROM pruned_run WHERE number = 2", "R1", "pruned_run"),
    ("UPDATE pruned_run SET salt = salt + 1 WHERE number = 2", "J14", "pruned_run"),
    ("UPDATE pruned_run SET tenant = 'other' WHERE number = 2", "J14", "pruned_run"),
    ("UPDATE pruned_run SET tenant = 'other' WHERE number = 2", "R1", "pruned_run"),
    ("UPDATE pruned_run SET workflow = 'other' WHERE number = 2", "J14", "pruned_run"),
    ("UPDATE pruned_run SET workflow = 'inner' WHERE number = 2", "R1", "pruned_run"),
    ("UPDATE pruned_run SET workflow = 'flow' WHERE number = 4", "R1", "pruned_run"),
    ("UPDATE pruned_run SET created_us = created_us + 1 WHERE number = 2", "J14", "pruned_run"),
    ("UPDATE pruned_run SET parent = NULL WHERE number = 4", "J14", "pruned_run"),
    ("UPDATE pruned_run SET parent = 6 WHERE number = 4", "R1", "pruned_run"),
    ("UPDATE pruned_run SET parent = 5 WHERE number = 4", "R1", "pruned_run"),
    ("UPDATE pruned_run SET state = 'failed' WHERE number = 2", "J14", "pruned_run"),
    ("UPDATE pruned_run SET finished_us = finished_us - 1 WHERE number = 2", "J14", "pruned_run"),
    ("UPDATE pruned_run SET finished_us = finished_us + 10000000000 WHERE number = 2", "R1", "pruned_run"),
    ("UPDATE pruned_run SET entry = entry + 1 WHERE number = 2", "J14", "pruned_run"),
    ("UPDATE pruned_run SET pruned_by = pruned_by - 1 WHERE number = 2", "J5", "pruned_run"),
    ("UPDATE pruned_run SET nodes = nodes + 1 WHERE number = 2", "J5", "node"),
    ("UPDATE pruned_run SET jobs = 0 WHERE number = 1", "J5", "node_job"),
    ("INSERT INTO pruned_run VALUES (99, 1, 'default', 'flow', 1, NULL, 'succeeded', 1, 1, 1, 0, 0)", "R1",
     "pruned_run"),
    ("INSERT INTO run SELECT 2, salt, tenant, workflow, version, plan, created_us, due_us, started_by, origin, input,"
     " payload, parent, node, item FROM run WHERE number = 6", "R1", "run"),
    ("INSERT INTO run_result SELECT 2, state, jobs, finished_us, output, payload, entry FROM run_result"
     " WHERE number = 6", "J5", "run_result"),
    ("INSERT INTO node VALUES (2, 'more', 'started', -1, 5, NULL)", "J5", "node"),
    ("INSERT INTO node_job VALUES (2, 'more', -1, 1)", "J5", "node_job"),
    ("INSERT INTO node VALUES (11, 'more', 'taken', -1, 5, 1)", "R1", "pruned_run"),
    ("UPDATE pruned SET pruned_by = 1000 WHERE number = 1", "R1", "pruned_run"),
    ("DELETE FROM pruned WHERE number = 1", "R1", "pruned_run"),
    ("UPDATE retention SET keep_us = 5 WHERE kind = 'workflow:inner'", "J14", "retention"),
    ("DELETE FROM payload WHERE digest IN (SELECT plan FROM run)", "J5", "run"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "invariant", "row"), CHANGES)
def test_a_row_that_was_changed_is_found(
    pruned_runs_data: Path, change: str, invariant: str, row: str
) -> None:
    changed(pruned_runs_data, change)
    found = checked(pruned_runs_data).problems
    assert row in tables(found, invariant), found


def test_a_run_that_nobody_has_pruned_is_missed(pruned_runs_data: Path) -> None:
    """Whoever takes out a run and leaves remains as the engine would has no entry for it."""
    hands = Hands(pruned_runs_data)
    hands.run(
        "INSERT INTO pruned_run SELECT run.number, salt, tenant, workflow, created_us, parent, state, finished_us,"
        " entry, 1, (SELECT count(*) FROM node WHERE node.run = 10),"
        " (SELECT count(*) FROM node_job WHERE node_job.run = 10)"
        " FROM run JOIN run_result USING (number) WHERE run.number = 10"
    )
    for table, column in (("run", "number"), ("run_result", "number"), ("node", "run"), ("node_job", "run")):
        hands.run(f"DELETE FROM {table} WHERE {column} = 10")
    hands.close()
    assert "R1" in invariants(checked(pruned_runs_data))


def told_of_fewer(entry: Entry) -> None:
    entry["decision"]["input"]["runs"] -= 1


def with_one_that_never_was(entry: Entry) -> None:
    entry["data"]["numbers"].append([10_000, 10_000])


def with_an_open_one(entry: Entry) -> None:
    entry["data"]["numbers"].append([7, 7])


def of_another_workflow(entry: Entry) -> None:
    subjects = ("retention:workflow:", "retention:workflow:inner")
    entry["subject"] = subjects[entry["subject"] == subjects[0]]


def of_jobs(entry: Entry) -> None:
    entry["subject"] = "retention"


FORGERIES: list[tuple[str, Callable[[Entry], None], str]] = [
    ("retention.set", kept_longer, "R1"),
    ("retention.runs_pruned", by_another_policy, "R1"),
    ("retention.runs_pruned", told_of_a_shorter_time, "R1"),
    ("retention.runs_pruned", told_of_a_later_hour, "R1"),
    ("retention.runs_pruned", told_of_an_earlier_end, "R1"),
    ("retention.runs_pruned", told_of_fewer, "R1"),
    ("retention.runs_pruned", against_its_decision, "E14"),
    ("retention.runs_pruned", beside_its_story, "previous"),
    ("retention.runs_pruned", without_the_last, "R1"),
    ("retention.runs_pruned", with_one_that_never_was, "J8"),
    ("retention.runs_pruned", with_an_open_one, "R1"),
    ("retention.runs_pruned", twice, "J8"),
    ("retention.runs_pruned", with_all_numbers_there_are, "J8"),
    ("retention.runs_pruned", of_another_workflow, "R1"),
    ("retention.runs_pruned", of_jobs, "R1"),
]


@pytest.mark.parametrize(("entry_type", "forge", "invariant"), FORGERIES)
def test_a_forged_story_is_caught(
    pruned_runs_data: Path, entry_type: str, forge: Callable[[Entry], None], invariant: str
) -> None:
    assert invariant in forged(pruned_runs_data, lambda entry: bool(entry["type"] == entry_type), forge)


def said_of_the_fold(path: Path) -> list[str]:
    """What is wrong by the entries alone, whatever the tables say."""
    return [found.text for found in checked(path).problems if found.row is None and found.invariant == "R1"]


def test_what_entries_say_of_pruned_runs_is_enough_to_catch_them(
    pruned_runs_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def again(entry: Entry) -> None:
        entry["data"]["numbers"] = [[1, 1]]

    forgeries: list[tuple[str, Callable[[Entry], None], str]] = [
        ("retention.runs_pruned", with_an_open_one, "run number 7 was pruned, and it has not ended"),
        ("retention.runs_pruned", again, "run number 1 was pruned before"),
        ("retention.runs_pruned", of_jobs, "retention says nothing of runs"),
        ("schedule.deleted", paused, "run number 8 was pruned, and it is the last one of a schedule"),
    ]
    for entry_type, forge, text in forgeries:
        copy = copied(pruned_runs_data, tmp_path_factory.mktemp("forged"))
        forged(copy, lambda entry, wanted=entry_type: bool(entry["type"] == wanted), forge)
        assert text in said_of_the_fold(copy)


def paused(entry: Entry) -> None:
    """A schedule that goes on to be there."""
    entry["type"] = "schedule.paused"
