"""A journal whose chain was made whole again, and whose story of approvals is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.journal.tamper import forged

Entry = dict[str, Any]


def gives_an_approval(entry: Entry) -> bool:
    return bool(entry["type"].startswith("step.") and entry["data"]["name"].startswith("wait:approval"))


def with_another_question(entry: Entry) -> None:
    entry["data"]["question"] = "May I do something else?"


def with_another_subject(entry: Entry) -> None:
    entry["data"]["subject"] = "0" * 64


def of_other_people(entry: Entry) -> None:
    entry["data"]["approvers"] = ["local:eve"]


def of_one_alone(entry: Entry) -> None:
    entry["data"]["needed"] = 0


def for_another_requester(entry: Entry) -> None:
    entry["data"]["requester"] = "local:eve"


def until_later(entry: Entry) -> None:
    entry["data"]["due_us"] -= 1


def under_another_name(entry: Entry) -> None:
    entry["subject"] = "approval:1"


def of_a_job_that_does_not_run(entry: Entry) -> None:
    entry["data"]["job"] = "job_" + "0" * 32


def by_somebody_else(entry: Entry) -> None:
    entry["actor"] = "local:eve"


def by_a_worker(entry: Entry) -> None:
    entry["actor"] = "worker:hands/3"


def by_the_requester(entry: Entry) -> None:
    entry["actor"] = "local:ada"


def about_something_else(entry: Entry) -> None:
    entry["data"]["digest"] = "0" * 64


def the_other_way(entry: Entry) -> None:
    entry["data"]["verdict"] = {"approve": "deny", "deny": "approve"}[entry["data"]["verdict"]]


def with_another_comment(entry: Entry) -> None:
    entry["data"]["comment"] = "not as agreed"


def by_another_decision(entry: Entry) -> None:
    entry["decision"]["chosen"] = "open"


def told_of_more_votes(entry: Entry) -> None:
    entry["decision"]["input"]["votes"].append(["local:eve", "approve", 1])


def beside_its_story(entry: Entry) -> None:
    entry["previous"] -= 1


def to_somebody_else(entry: Entry) -> None:
    entry["data"]["to"] = "local:eve"


def to_the_requester(entry: Entry) -> None:
    entry["data"]["to"] = "local:ada"


def by_another_end(entry: Entry) -> None:
    entry["cause"] -= 1


def of_another_content(entry: Entry) -> None:
    if "output" in entry["data"]:
        entry["data"]["output"] = "0" * 64
    else:
        entry["data"]["error"]["digest"] = "0" * 64


FORGERIES: list[tuple[str, Callable[[Entry], None], str]] = [
    ("approval.asked", with_another_question, "A1"),
    ("approval.asked", with_another_subject, "A1"),
    ("approval.asked", of_other_people, "A1"),
    ("approval.asked", of_one_alone, "A1"),
    ("approval.asked", for_another_requester, "A1"),
    ("approval.asked", until_later, "A1"),
    ("approval.asked", under_another_name, "E2"),
    ("approval.asked", of_a_job_that_does_not_run, "E3"),
    ("approval.voted", by_somebody_else, "A1"),
    ("approval.voted", by_a_worker, "A1"),
    ("approval.voted", by_the_requester, "A1"),
    ("approval.voted", about_something_else, "A1"),
    ("approval.voted", the_other_way, "A1"),
    ("approval.voted", with_another_comment, "A1"),
    ("approval.voted", by_another_decision, "E14"),
    ("approval.voted", told_of_more_votes, "A1"),
    ("approval.voted", beside_its_story, "previous"),
    ("approval.delegated", to_somebody_else, "A1"),
    ("approval.delegated", to_the_requester, "A1"),
    ("approval.delegated", by_somebody_else, "A1"),
    ("approval.delegated", beside_its_story, "previous"),
    ("approval.expired", told_of_more_votes, "A1"),
    ("approval.expired", by_another_decision, "E14"),
    ("approval.cancelled", beside_its_story, "previous"),
    ("a step", by_another_end, "A1"),
    ("a step", of_another_content, "A1"),
]


@pytest.mark.parametrize(("which", "forge", "invariant"), FORGERIES)
def test_a_forged_story_is_caught(
    data: Path, which: str, forge: Callable[[Entry], None], invariant: str
) -> None:
    def is_wanted(entry: Entry) -> bool:
        return gives_an_approval(entry) if which == "a step" else bool(entry["type"] == which)

    assert invariant in forged(data, is_wanted, forge)


def test_a_vote_past_the_deadline_is_caught(data: Path) -> None:
    """Whoever moves the deadline into the past, with everything that names it, moves the votes behind it."""

    def move(entry: Entry) -> None:
        if entry["type"] == "approval.asked":
            entry["data"]["due_us"] = 1
        given = (entry.get("decision") or {}).get("input", {})
        if "due_us" in given:
            given["due_us"] = 1

    assert "A1" in forged(data, lambda entry: entry["type"].startswith("approval."), move)


def test_a_second_vote_of_the_same_person_is_caught(data: Path) -> None:
    votes: list[str] = []

    def repeat(entry: Entry) -> None:
        votes.append(entry["actor"])
        entry["actor"] = votes[0]

    assert "A1" in forged(data, lambda entry: entry["type"] == "approval.voted", repeat)
