"""Runs in a journal whose chain was made whole again, and rows of runs that were changed: both are noticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.ids import format_run_id
from sheratan.engine.verify import Verification
from sheratan.kernel.canonical import digest
from tests.journal.tamper import changed, checked, invariants, rehash

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


def under_another_key(entry: Entry) -> bool:
    return _if_keyed(entry, "key")


def for_another_request(entry: Entry) -> bool:
    return _if_keyed(entry, "request")


def _if_keyed(entry: Entry, name: str) -> bool:
    if "key" not in entry["data"]:
        return False
    entry["data"][name] = "0" * 64
    return True


def with_less_taken_over(entry: Entry) -> bool:
    return _if_forked(entry, lambda taken: taken.pop())


def with_more_items_taken_over(entry: Entry) -> bool:
    return _if_forked(entry, lambda taken: taken[0].__setitem__(2, 7))


def taken_over_from_elsewhere(entry: Entry) -> bool:
    return _if_forked(entry, lambda taken: taken[0].__setitem__(3, 3))


def taken_over_as_skipped(entry: Entry) -> bool:
    return _if_forked(entry, lambda taken: taken[0].__setitem__(1, "skipped"))


def continuing_itself(entry: Entry) -> bool:
    if "origin" not in entry["data"]:
        return False
    entry["data"]["origin"] = entry["subject"]
    return True


def continued_as_another(entry: Entry) -> bool:
    entry["data"]["as"] = entry["subject"]
    return True


def within_its_story(entry: Entry) -> bool:
    entry["previous"] = entry["seq"] - 1
    return True


def _if_forked(entry: Entry, change: Callable[[list[Any]], Any]) -> bool:
    if "taken" not in entry["data"]:
        return False
    change(entry["data"]["taken"])
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
    if entry.get("decision") is None:
        return False
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


def _if_below(entry: Entry, name: str, value: Any) -> bool:
    if "parent" not in entry["data"]:
        return False
    entry["data"][name] = value
    return True


def for_a_node_that_waits_for_none(entry: Entry) -> bool:
    return _if_below(entry, "node", "end")


def for_an_ended_run(entry: Entry) -> bool:
    return _if_below(entry, "parent", entry["subject"])


def for_another_item(entry: Entry) -> bool:
    return _if_below(entry, "item", 7)


def of_another_workflow_below(entry: Entry) -> bool:
    return _if_below(entry, "workflow", "other")


def by_another_plan_than_above(entry: Entry) -> bool:
    return _if_below(entry, "plan", "0" * 64)


def for_longer_than_above(entry: Entry) -> bool:
    return _if_below(entry, "due_us", entry["data"]["due_us"] + 1)


def for_a_run_by_another_cause(entry: Entry) -> bool:
    if "parent" not in entry["data"]:
        return False
    entry["cause"] -= 1
    return True


def for_somebody_else(entry: Entry) -> bool:
    if "parent" not in entry["data"]:
        return False
    entry["on_behalf_of"] = "local:eve"
    return True


def for_nobody_above(entry: Entry) -> bool:
    return "parent" in entry["data"] and bool(entry["data"].pop("parent"))


def with_more_jobs_above(entry: Entry) -> bool:
    above = entry["decision"]["input"].get("above")
    if above is None:
        return False
    above[0][1] += 1
    return True


def stopped_with_nobody(entry: Entry) -> bool:
    if entry.get("decision") is not None:
        return False
    entry["cause"] -= 1
    return True


def stopped_otherwise_than_above(entry: Entry) -> bool:
    if entry.get("decision") is not None:
        return False
    entry["data"]["keeps"] = not entry["data"].get("keeps", False)
    return True


def stopped_for_another_run(entry: Entry) -> bool:
    chosen = (entry.get("decision") or {}).get("chosen")
    if not isinstance(chosen, dict) or "run" not in chosen:
        return False
    chosen["run"] = entry["decision"]["input"]["run"]
    return True


def by_nothing_that_fires(entry: Entry) -> bool:
    if "firing" not in entry["data"]:
        return False
    entry["cause"] -= 1
    return True


def beginning_another_run(entry: Entry) -> bool:
    if "run" not in entry["data"]:
        return False
    entry["data"]["run"] = format_run_id(0, 0, 99, 0)
    return True


def beginning_other_runs(entry: Entry) -> bool:
    if "runs" not in entry["data"]:
        return False
    entry["data"]["runs"][0][1] += 50
    return True


def _of_a_run(entry: Entry, name: str, value: str) -> bool:
    if "workflow" not in entry["data"]:
        return False
    entry["data"][name] = value
    return True


FORGERIES: list[tuple[str, Forge, str]] = [
    ("workflow.started", at_another_number, "E2"),
    ("workflow.started", until_later, "J14"),
    ("workflow.started", of_another_workflow, "J14"),
    ("workflow.started", under_another_key, "E7"),
    ("workflow.started", for_another_request, "E7"),
    ("workflow.started", with_less_taken_over, "E14"),
    ("workflow.started", with_more_items_taken_over, "E18"),
    ("workflow.started", taken_over_from_elsewhere, "E18"),
    ("workflow.started", taken_over_as_skipped, "E14"),
    ("workflow.started", continuing_itself, "E18"),
    ("workflow.forked", continued_as_another, "E18"),
    ("workflow.forked", within_its_story, "previous"),
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
    ("workflow.started", for_a_node_that_waits_for_none, "E11"),
    ("workflow.started", for_an_ended_run, "E11"),
    ("workflow.started", for_another_item, "E11"),
    ("workflow.started", of_another_workflow_below, "E11"),
    ("workflow.started", by_another_plan_than_above, "E11"),
    ("workflow.started", for_longer_than_above, "E13"),
    ("workflow.started", for_a_run_by_another_cause, "E11"),
    ("workflow.started", for_somebody_else, "E11"),
    ("workflow.started", for_nobody_above, "E11"),
    ("workflow.started", by_nothing_that_fires, "E17"),
    ("schedule.fired", beginning_another_run, "E17"),
    ("schedule.backfilled", beginning_other_runs, "E17"),
    ("schedule.triggered", beginning_other_runs, "E17"),
    ("workflow.advanced", with_more_jobs_above, "E10"),
    ("workflow.stopping", stopped_with_nobody, "E14"),
    ("workflow.stopping", stopped_otherwise_than_above, "E14"),
    ("workflow.stopping", stopped_for_another_run, "E14"),
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


def under_the_key_of_another(entry: Entry) -> bool:
    if entry["type"] != "workflow.started" or "key" in entry["data"]:
        return False
    entry["data"]["key"] = digest(b"once")
    entry["data"]["request"] = "0" * 64
    return True


def continuing_what_is_open(entry: Entry) -> bool:
    """Both entries say so: the run continues itself, which has not ended."""
    if entry["type"] == "workflow.forked":
        entry["subject"] = entry["data"]["as"]
    elif entry["type"] == "workflow.started" and "origin" in entry["data"]:
        entry["data"]["origin"] = entry["subject"]
        return True
    return False


def continued_without_a_word(entry: Entry) -> bool:
    if entry["type"] != "workflow.forked":
        return False
    entry.update(type="clock.stepped", subject="engine", data={"step_us": 0})
    return True


@pytest.mark.parametrize(
    ("forge", "invariant"),
    [
        (under_the_key_of_another, "E7"),
        (continuing_what_is_open, "E18"),
        (continued_without_a_word, "E18"),
    ],
)
def test_a_story_that_is_forged_in_accord_with_itself_is_caught(
    runs_data: Path, forge: Forge, invariant: str
) -> None:
    forged: list[int] = []

    def change(entry: Entry) -> None:
        if forge(entry):
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
    ("UPDATE run SET parent = NULL WHERE number = 9", "J14", "run 9"),
    ("UPDATE run SET parent = 1 WHERE number = 9", "J14", "run 9"),
    ("UPDATE run SET node = 'end' WHERE number = 9", "J14", "run 9"),
    ("UPDATE run SET item = 7 WHERE number = 9", "J14", "run 9"),
    ("UPDATE node SET source = 3 WHERE source = 1 AND name = 'each'", "J14", "node 2/each"),
    ("UPDATE node SET source = 1 WHERE run = 1 AND name = 'end'", "J14", "node 1/end"),
    ("UPDATE run SET origin = NULL WHERE number = 2", "J14", "run 2"),
    ("DELETE FROM run_mention", "J5", "run_mention 1/20"),
    ("INSERT INTO run_mention VALUES (3, 1)", "J5", "run_mention 3/1"),
    ("UPDATE run_key SET run = 2", "E7", "run_key default/once"),
    ("UPDATE run_key SET key = 'other' WHERE key = 'once'", "E7", "run_key default/other"),
    ("DELETE FROM run_key", "E7", "run_key"),
    ("UPDATE run_result SET state = 'failed' WHERE number = 1", "J14", "run_result 1"),
    ("UPDATE run_result SET output = x'31', payload = NULL WHERE number = 1", "J14", "run_result 1"),
    ("DELETE FROM run_result WHERE number = 1", "J5", "run_result 1"),
    ("INSERT INTO run_result VALUES (77, 'failed', 0, 0, NULL, NULL, 1)", "J5", "run_result"),
    ("UPDATE node SET state = 'started' WHERE run = 1 AND name = 'not'", "J14", "node 1/not"),
    ("DELETE FROM node WHERE run = 1 AND name = 'each'", "J5", "node 1/each"),
    ("INSERT INTO node VALUES (1, 'nobody', 'started', -1, 1, NULL)", "J5", "node"),
    ("UPDATE node_job SET item = 7 WHERE run = 1 AND item = 2", "J14", "node_job 1/each/2"),
    ("DELETE FROM node_job WHERE run = 1 AND item = 2", "J5", "node_job 1/each/2"),
    ("INSERT INTO node_job VALUES (1, 'each', 9, 1)", "J5", "node_job"),
    ("UPDATE run_open SET state = 'running' WHERE state = 'blocked'", "J14", "run_open"),
    ("UPDATE run_open SET jobs = jobs + 1 WHERE state = 'running'", "J14", "run_open"),
    ("UPDATE run_open SET keeps = 1 WHERE state = 'stopping'", "J14", "run_open"),
    ("DELETE FROM run_open WHERE state = 'compensating'", "J5", "run_open"),
    ("UPDATE schedule SET last_run = 1", "J14", "schedule"),
]


@pytest.mark.parametrize(("change", "invariant", "row"), ROWS)
def test_a_changed_row_of_a_run_is_noticed(runs_data: Path, change: str, invariant: str, row: str) -> None:
    changed(runs_data, change)
    assert row in _rows_of(checked(runs_data), invariant)


def _rows_of(found: Verification, invariant: str) -> set[str]:
    rows = {str(problem.row) for problem in found.problems if problem.invariant == invariant}
    return rows | {row.partition(" ")[0] for row in rows if row.startswith(("run_open", "schedule"))}


def test_a_plan_that_is_gone_is_noticed(runs_data: Path) -> None:
    changed(runs_data, "DELETE FROM payload WHERE digest = (SELECT plan FROM run WHERE number = 1)")
    assert "run 1" in _rows_of(checked(runs_data), "J5")
