"""A journal whose chain was made whole again, and whose story of steps, waits and signals is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.ids import parse_job_id
from sheratan.store.rows import NEVER_US
from tests.journal.tamper import forged

Entry = dict[str, Any]


def is_one(entry: Entry, what: str) -> bool:
    """Whether an entry is of a type, or says that a wait is over."""
    if what == "a wait":
        return entry["type"].startswith("step.") and entry["data"]["name"].startswith("wait:")
    return bool(entry["type"] == what)


def out_of_turn(entry: Entry) -> None:
    entry["data"]["step"] += 1


def beside_its_story(entry: Entry) -> None:
    entry["previous"] -= 1


def of_another_wait(entry: Entry) -> None:
    entry["data"]["name"] = "wait:nobody"


def due_later(entry: Entry) -> None:
    for wait in entry["data"]["begun"]:
        wait["due_us"] = min(wait["due_us"] + 10_000_000, NEVER_US)


def until_another_instant(entry: Entry) -> None:
    entry["data"]["due_us"] -= 1


def under_another_fence(entry: Entry) -> None:
    for name in ("fence", "fence_current"):
        entry["decision"]["input"][name] += 1


def in_another_attempt(entry: Entry) -> None:
    entry["data"]["attempt"] += 1


def with_more_steps(entry: Entry) -> None:
    entry["data"]["steps"] += 1


def by_another_signal(entry: Entry) -> None:
    if entry.get("cause"):
        entry["cause"] -= 1


def for_the_end_of_its_own_job(entry: Entry) -> None:
    for wait in entry["data"]["begun"]:
        wait.get("jobs", []).append(parse_job_id(entry["subject"]).number)


def for_the_end_of_nobody(entry: Entry) -> None:
    for wait in entry["data"]["begun"]:
        wait.get("jobs", []).append(9_999)


def of_another_name(entry: Entry) -> None:
    entry["data"]["name"] = "stop"


def of_another_value(entry: Entry) -> None:
    entry["data"]["value"] = "0" * 64


FORGERIES: list[tuple[str, Callable[[Entry], None], str]] = [
    ("step.succeeded", out_of_turn, "E6"),
    ("step.succeeded", beside_its_story, "previous"),
    ("step.failed", beside_its_story, "previous"),
    ("a wait", of_another_wait, "E3"),
    ("a wait", by_another_signal, "E6"),
    ("job.waiting", due_later, "E13"),
    ("job.waiting", until_another_instant, "E13"),
    ("job.waiting", under_another_fence, "E3"),
    ("job.waiting", in_another_attempt, "E10"),
    ("job.waiting", for_the_end_of_its_own_job, "E11"),
    ("job.waiting", for_the_end_of_nobody, "E2"),
    ("job.woken", in_another_attempt, "E10"),
    ("job.woken", with_more_steps, "E6"),
    ("signal.sent", of_another_name, "E6"),
    ("signal.sent", of_another_value, "E6"),
]


@pytest.mark.parametrize(("which", "forge", "invariant"), FORGERIES)
def test_a_forged_story_is_caught(
    data: Path, which: str, forge: Callable[[Entry], None], invariant: str
) -> None:
    assert invariant in forged(data, lambda entry: is_one(entry, which), forge)
