"""A journal whose chain was made whole again, and whose story of changed code is not; and rows that were changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from sheratan.engine.verify import verify
from sheratan.store.sqlite.store import open_reader
from tests.journal.tamper import forged

Entry = dict[str, Any]


def is_one(entry: Entry, what: str) -> bool:
    """Whether an entry is of a type; of those that unblock a job, one that is about its code."""
    return bool(entry["type"] == what) and (what != "job.unblocked" or "attempt" in entry["data"])


def by_other_code(entry: Entry) -> None:
    entry["data"]["code"] = "newer"


def in_another_attempt(entry: Entry) -> None:
    entry["data"]["attempt"] += 1


def under_another_fence(entry: Entry) -> None:
    for name in ("fence", "fence_current"):
        entry["decision"]["input"][name] += 1


def beside_its_story(entry: Entry) -> None:
    entry["previous"] -= 1


def as_if_it_had_waited(entry: Entry) -> None:
    entry["decision"]["chosen"] = "waiting"


def blocked_by_nothing(entry: Entry) -> None:
    entry["decision"]["input"]["blocked_by"] = []


def with_other_code_on_duty(entry: Entry) -> None:
    entry["decision"]["input"]["on_duty"] = ["newest"]


def although_it_was_to_be_kept(entry: Entry) -> None:
    entry["decision"]["chosen"] = "keep"


def with_another_code(entry: Entry) -> None:
    for kind in entry["data"].get("codes", {}):
        entry["data"]["codes"][kind] = "newest"


def of_another_version(entry: Entry) -> None:
    if "version" in entry["data"]:
        entry["data"]["version"] += 1


FORGERIES: list[tuple[str, Callable[[Entry], None], str]] = [
    ("job.blocked", by_other_code, "E14"),
    ("job.blocked", in_another_attempt, "E10"),
    ("job.blocked", under_another_fence, "E3"),
    ("job.blocked", beside_its_story, "previous"),
    ("job.blocked", as_if_it_had_waited, "E14"),
    ("job.unblocked", blocked_by_nothing, "E14"),
    ("job.unblocked", with_other_code_on_duty, "E14"),
    ("job.unblocked", although_it_was_to_be_kept, "E14"),
    ("job.unblocked", in_another_attempt, "E10"),
    ("job.unblocked", beside_its_story, "previous"),
    ("worker.registered", with_another_code, "E14"),
    ("job.submitted", of_another_version, "J14"),
]


@pytest.mark.parametrize(("which", "forge", "invariant"), FORGERIES)
def test_a_forged_story_is_caught(
    data: Path, which: str, forge: Callable[[Entry], None], invariant: str
) -> None:
    assert invariant in forged(data, lambda entry: is_one(entry, which), forge)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE blocked SET reason = 'after' WHERE reason = 'code_changed'",
        "UPDATE blocked SET attempt = attempt + 1 WHERE reason = 'code_changed'",
        "UPDATE blocked SET losses = 1 WHERE reason = 'code_changed'",
        "UPDATE blocked SET steps = steps - 1 WHERE reason = 'code_changed'",
        "UPDATE blocked SET reason = 'code_changed' WHERE reason = 'after'",
        "DELETE FROM blocking_code",
        "UPDATE blocking_code SET code = 'newer'",
        "INSERT INTO blocking_code VALUES (1, 'old')",
        "UPDATE lane SET version = 3 WHERE version = 2",
    ],
)
def test_a_row_that_was_changed_is_found(data: Path, statement: str) -> None:
    connection = apsw.Connection(str(data))
    connection.execute(statement)
    assert connection.changes()
    connection.close()
    reader = open_reader(data, clock=lambda: 0)
    assert verify(reader).problems
    reader.close()
