"""Runs in a journal whose chain was made whole again, and rows of runs that were changed: both are noticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sheratan.engine.verify import Verification
from tests.journal.tamper import Hands, checked, invariants, rehash

Entry = dict[str, Any]
Forge = Callable[[Entry], bool]
"""Changes an entry and says whether it did."""


def at_another_number(entry: Entry) -> bool:
    entry["data"]["number"] += 1
    return True


def until_later(entry: Entry) -> bool:
    entry["data"]["due_us"] += 1
    return True


def of_another_workflow(entry: Entry) -> bool:
    entry["data"]["workflow"] = "other"
    return True


def beside_its_story(entry: Entry) -> bool:
    entry["previous"] -= 1
    return True


def with_fewer_jobs(entry: Entry) -> bool:
    entry["data"]["jobs"] -= 1
    return True


def with_another_parent(entry: Entry) -> bool:
    for fact in entry["decision"]["input"]["nodes"]:
        if fact["failed"]:
            fact["failed"] = ["nobody"]
            return True
    return False


def with_more_items(entry: Entry) -> bool:
    for fact in entry["decision"]["input"]["nodes"]:
        if "items" in fact:
            fact["items"] += 1
            return True
    return False


def about_other_nodes(entry: Entry) -> bool:
    if "start" in entry["decision"]["chosen"]:
        entry["decision"]["chosen"]["start"][0] = "nobody"
        return True
    return False


def of_a_node_that_waits(entry: Entry) -> bool:
    return _of_a_run(entry, "node", "nobody")


def by_another_cause(entry: Entry) -> bool:
    if "workflow" not in entry["data"]:
        return False
    entry["cause"] -= 1
    return True


def out_of_order(entry: Entry) -> bool:
    if entry["data"].get("item") == 1:
        entry["data"]["item"] = 0
        return True
    return False


def undoing_another(entry: Entry) -> bool:
    return "undoes" in entry["data"] and _of_a_run(entry, "node", "last")


def ending_otherwise(entry: Entry) -> bool:
    entry["data"]["state"] = "cancelled" if entry["data"]["state"] != "cancelled" else "out_of_time"
    return True


def without_output(entry: Entry) -> bool:
    return entry["data"].pop("output", None) is not None


def with_others_failed(entry: Entry) -> bool:
    given = entry["decision"]["input"]
    if given.get("failed"):
        given["failed"] = ["nobody"]
        return True
    return False


def before_its_time(entry: Entry) -> bool:
    if entry["data"]["ending"] == "out_of_time":
        entry["decision"]["input"]["limit_us"] -= 1
        return True
    return False


def by_another_choice(entry: Entry) -> bool:
    entry["decision"]["input"]["state"] = "compensating"
    return True


def with_fewer_to_undo(entry: Entry) -> bool:
    entry["data"]["nodes"] = entry["data"]["nodes"][1:]
    return True


def keeping_all(entry: Entry) -> bool:
    entry["data"]["keeps"] = True
    return True


def as_if_not_blocked(entry: Entry) -> bool:
    entry["decision"]["input"]["blocked"] = []
    return True


def undone_otherwise(entry: Entry) -> bool:
    if entry["decision"]["rule"].startswith("workflow.undo@"):
        entry["decision"]["input"]["node"] = "nobody"
        return True
    return False


def _of_a_run(entry: Entry, name: str, value: str) -> bool:
    if "workflow" not in entry["data"]:
        return False
    entry["data"][name] = value
    return True


FORGERIES: list[tuple[str, Forge, str]] = [
    ("workflow.started", at_another_number, "E2"),
    ("workflow.started", until_later, "J14"),
    ("workflow.started", of_another_workflow, "J14"),
    ("workflow.advanced", beside_its_story, "previous"),
    ("workflow.advanced", with_fewer_jobs, "E10"),
    ("workflow.advanced", with_another_parent, "E11"),
    ("workflow.advanced", with_more_items, "E10"),
    ("workflow.advanced", about_other_nodes, "E14"),
    ("job.submitted", of_a_node_that_waits, "E11"),
    ("job.submitted", by_another_cause, "E11"),
    ("job.submitted", out_of_order, "E11"),
    ("job.submitted", undoing_another, "E11"),
    ("workflow.ended", ending_otherwise, "E14"),
    ("workflow.ended", without_output, "E4"),
    ("workflow.compensating", with_others_failed, "E11"),
    ("workflow.ended", undone_otherwise, "E11"),
    ("workflow.stopping", before_its_time, "E13"),
    ("workflow.stopping", by_another_choice, "E14"),
    ("workflow.stopping", keeping_all, "E14"),
    ("workflow.compensating", with_fewer_to_undo, "E14"),
    ("workflow.blocked", as_if_not_blocked, "E11"),
]


@pytest.mark.parametrize(("which", "forge", "invariant"), FORGERIES)
def test_a_forged_story_of_a_run_is_caught(runs_data: Path, which: str, forge: Forge, invariant: str) -> None:
    forged: list[int] = []

    def change(entry: Entry) -> None:
        if entry["type"] == which and forge(entry):
            forged.append(entry["seq"])

    rehash(runs_data, change)
    assert forged
    assert invariant in invariants(checked(runs_data))


ROWS = [
    ("UPDATE run SET workflow = 'other' WHERE number = 1", "J14", "run 1"),
    ("UPDATE run SET due_us = due_us + 1 WHERE number = 1", "J14", "run 1"),
    ("UPDATE run SET started_by = 'nobody' WHERE number = 1", "J14", "run 1"),
    ("UPDATE run SET plan = x'00' WHERE number = 1", "J14", "run 1"),
    ("DELETE FROM run WHERE number = 1", "J5", "run 1"),
    ("UPDATE run_result SET state = 'failed' WHERE number = 1", "J14", "run_result 1"),
    ("UPDATE run_result SET output = x'31', payload = NULL WHERE number = 1", "J14", "run_result 1"),
    ("DELETE FROM run_result WHERE number = 1", "J5", "run_result 1"),
    ("INSERT INTO run_result VALUES (77, 'failed', 0, 0, NULL, NULL, 1)", "J5", "run_result"),
    ("UPDATE node SET state = 'started' WHERE run = 1 AND name = 'not'", "J14", "node 1/not"),
    ("DELETE FROM node WHERE run = 1 AND name = 'each'", "J5", "node 1/each"),
    ("INSERT INTO node VALUES (1, 'nobody', 'started', -1, 1)", "J5", "node"),
    ("UPDATE node_job SET item = 7 WHERE run = 1 AND item = 2", "J14", "node_job 1/each/2"),
    ("DELETE FROM node_job WHERE run = 1 AND item = 2", "J5", "node_job 1/each/2"),
    ("INSERT INTO node_job VALUES (1, 'each', 9, 1)", "J5", "node_job"),
    ("UPDATE run_open SET state = 'running' WHERE state = 'blocked'", "J14", "run_open"),
    ("UPDATE run_open SET jobs = jobs + 1 WHERE state = 'running'", "J14", "run_open"),
    ("UPDATE run_open SET keeps = 1 WHERE state = 'stopping'", "J14", "run_open"),
    ("DELETE FROM run_open WHERE state = 'compensating'", "J5", "run_open"),
]


@pytest.mark.parametrize(("change", "invariant", "row"), ROWS)
def test_a_changed_row_of_a_run_is_noticed(runs_data: Path, change: str, invariant: str, row: str) -> None:
    hands = Hands(runs_data)
    hands.run(change)
    hands.close()
    assert row in _rows_of(checked(runs_data), invariant)


def _rows_of(found: Verification, invariant: str) -> set[str]:
    rows = {str(problem.row) for problem in found.problems if problem.invariant == invariant}
    return rows | {row.partition(" ")[0] for row in rows if row.startswith("run_open")}


def test_a_plan_that_is_gone_is_noticed(runs_data: Path) -> None:
    hands = Hands(runs_data)
    hands.run("DELETE FROM payload WHERE digest = (SELECT plan FROM run WHERE number = 1)")
    hands.close()
    assert "run" in _rows_of(checked(runs_data), "J5")
