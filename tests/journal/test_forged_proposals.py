"""Proposals: nobody can make a job that was not accepted, or accept one beyond a budget, behind the journal's back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sheratan.engine.replay import replay
from sheratan.engine.verify import verify_lines
from tests.journal.tamper import Hands, checked, forged, reader_of, rechained, rehash

Entry = dict[str, Any]


def test_a_journal_with_proposals_verifies_and_replays(proposals_data: Path) -> None:
    found = checked(proposals_data)
    assert found.problems == []
    assert found.counts["job.proposed"] == 7
    reader = reader_of(proposals_data)
    derived = replay(reader)
    assert derived.ok
    assert derived.counts["job.propose@1"].decisions == 7
    assert (reader.tree_count(), len(reader.all_tree_members()), len(reader.all_made())) == (2, 7, 5)
    reader.close()


@pytest.mark.parametrize(
    ("change", "invariant"),
    [
        ("DELETE FROM proposal_tree WHERE run = 0", "J5"),
        ("DELETE FROM proposal_member WHERE depth = 1", "J5"),
        ("DELETE FROM proposal_made", "J5"),
        (
            "INSERT INTO proposal_tree SELECT root + 1000, run, began_us, 9, 9, 9, 9, 9, 9 FROM proposal_tree",
            "J5",
        ),
        ("INSERT INTO proposal_member SELECT number + 1000, root, 0, 0, 0 FROM proposal_member", "J5"),
        ("INSERT INTO proposal_made SELECT root, x'00', number FROM proposal_made LIMIT 1", "J5"),
        ("UPDATE proposal_tree SET run = 0 WHERE run = 1", "J14"),
        ("UPDATE proposal_tree SET began_us = began_us + 1", "J14"),
        ("UPDATE proposal_tree SET jobs_max = jobs_max + 1", "J14"),
        ("UPDATE proposal_tree SET depth_max = depth_max + 1", "J14"),
        ("UPDATE proposal_tree SET wall_us = wall_us + 1", "J14"),
        ("UPDATE proposal_tree SET stalls_after = stalls_after + 1", "J14"),
        ("UPDATE proposal_tree SET jobs = jobs - 1", "J14"),
        ("UPDATE proposal_tree SET members = members + 1", "J14"),
        ("UPDATE proposal_member SET root = root + 1", "J14"),
        ("UPDATE proposal_member SET depth = depth - 1", "J14"),
        ("UPDATE proposal_member SET made = made + 1", "J14"),
        ("UPDATE proposal_member SET fruitless = fruitless + 1", "J14"),
        ("UPDATE proposal_made SET number = number + 1", "J14"),
    ],
)
def test_a_row_that_was_changed_is_found(proposals_data: Path, change: str, invariant: str) -> None:
    hands = Hands(proposals_data)
    hands.run(change)
    hands.close()
    table = next(word for word in change.split() if word.startswith("proposal_"))
    assert (invariant, table) in {
        (item.invariant, (item.row or "").split(" ")[0]) for item in checked(proposals_data).problems
    }


def is_call(entry: Entry) -> bool:
    return bool(entry["type"] == "job.proposed")


def is_later_call(entry: Entry) -> bool:
    return is_call(entry) and entry["decision"]["input"]["jobs"] > 0


def is_call_of_a_repeat(entry: Entry) -> bool:
    return is_call(entry) and any("made" in one for one in entry["decision"]["input"]["proposals"])


def is_call_in_a_run(entry: Entry) -> bool:
    return is_call(entry) and "runs" in entry["decision"]["input"]


def is_call_in_vain(entry: Entry) -> bool:
    return is_call(entry) and "accepted" not in entry["decision"]["chosen"]["verdicts"]


def is_made(entry: Entry) -> bool:
    return bool(entry["type"] == "job.submitted" and "cause" in entry and "by_job" in entry["data"])


def is_spawned(entry: Entry) -> bool:
    return bool(entry["type"] == "job.submitted" and "by_job" in entry["data"] and "cause" not in entry)


def with_another_count(entry: Entry) -> None:
    entry["data"]["jobs"] += 1


def without_what_was_made(entry: Entry) -> None:
    for one in entry["decision"]["input"]["proposals"]:
        one.pop("made", None)


def accepting_all(entry: Entry) -> None:
    for one in entry["decision"]["input"]["proposals"]:
        one.setdefault("input", "00" * 32)
    verdicts = entry["decision"]["chosen"]["verdicts"]
    entry["decision"]["chosen"]["verdicts"] = ["accepted"] * len(verdicts)


def accepting_nothing(entry: Entry) -> None:
    verdicts = entry["decision"]["chosen"]["verdicts"]
    entry["decision"]["chosen"]["verdicts"] = ["repeat"] * len(verdicts)


def with_fewer_jobs_of_its_run(entry: Entry) -> None:
    entry["decision"]["input"]["runs"][0][1] -= 1


def of_another_run(entry: Entry) -> None:
    entry["decision"]["input"]["runs"][0][0] = "workflow_0"


def in_a_stopped_run(entry: Entry) -> None:
    entry["decision"]["input"]["run_state"] = "stopping"


def in_no_run(entry: Entry) -> None:
    del entry["decision"]["input"]["runs"]
    del entry["decision"]["input"]["run_state"]


def out_of_its_story(entry: Entry) -> None:
    entry["previous"] -= 1


def without_a_decision(entry: Entry) -> None:
    del entry["decision"]


def because_of_another_entry(entry: Entry) -> None:
    entry["cause"] -= 1


def because_of_nothing(entry: Entry) -> None:
    del entry["cause"]


def of_another_input(entry: Entry) -> None:
    entry["data"]["input"] = "00" * 32


def as_if_proposed(entry: Entry) -> None:
    entry["cause"] = entry["seq"] - 1


def by_a_job_that_has_ended(entry: Entry) -> None:
    entry["subject"] = entry["subject"][:-1] + ("0" if entry["subject"][-1] != "0" else "1")


FORGERIES: list[tuple[Callable[[Entry], bool], Callable[[Entry], None], str]] = [
    (is_call, with_another_count, "P1"),
    (is_call_of_a_repeat, without_what_was_made, "P1"),
    (is_call, accepting_all, "P1"),
    (is_call, accepting_nothing, "P1"),
    (is_call_in_a_run, with_fewer_jobs_of_its_run, "E10"),
    (is_call_in_a_run, of_another_run, "E10"),
    (is_call_in_a_run, in_a_stopped_run, "E10"),
    (is_call_in_a_run, in_no_run, "P1"),
    (is_call, out_of_its_story, "previous"),
    (is_call, without_a_decision, "J8"),
    (is_call, by_a_job_that_has_ended, "E2"),
    (is_made, because_of_another_entry, "P1"),
    (is_made, because_of_nothing, "P1"),
    (is_made, of_another_input, "P1"),
    (is_spawned, as_if_proposed, "P1"),
]


@pytest.mark.parametrize(("is_wanted", "forge", "invariant"), FORGERIES)
def test_a_forged_story_is_caught(
    proposals_data: Path, is_wanted: Callable[[Entry], bool], forge: Callable[[Entry], None], invariant: str
) -> None:
    assert invariant in forged(proposals_data, is_wanted, forge)


TOLD: list[tuple[Callable[[Entry], bool], str, int]] = [
    (is_later_call, "jobs", -1),
    (is_call, "depth", -1),
    (is_call, "elapsed_us", -1),
    (is_call_in_vain, "fruitless", -1),
    (is_later_call, "jobs_max", 1),
    (is_later_call, "depth_max", 1),
    (is_later_call, "wall_us", 1),
    (is_later_call, "stalls_after", 1),
]


@pytest.mark.parametrize(("is_wanted", "name", "change"), TOLD)
def test_a_decision_that_was_told_something_else_is_caught(
    proposals_data: Path, is_wanted: Callable[[Entry], bool], name: str, change: int
) -> None:
    def forge(entry: Entry) -> None:
        entry["decision"]["input"][name] += change

    assert "P1" in forged(proposals_data, is_wanted, forge)


def not_made(entry: Entry) -> None:
    """What comes after the call is no job that it has accepted, but another call."""
    if is_made(entry):
        entry["type"] = "job.proposed"


def test_what_was_accepted_and_not_made_is_found(proposals_data: Path) -> None:
    hands = Hands(proposals_data)
    lines = rechained(hands.lines(), not_made)
    hands.close()
    assert any("accepted were not made" in item.text for item in verify_lines(lines).problems)


def by_nobody(entry: Entry) -> None:
    if is_made(entry):
        del entry["cause"]
        del entry["data"]["by_job"]


def test_what_was_accepted_last_and_not_made_is_found(proposals_data: Path) -> None:
    rehash(proposals_data, by_nobody)
    texts = [item.text for item in checked(proposals_data).problems if item.invariant == "P1"]
    assert "jobs that it has accepted were not made" in texts
