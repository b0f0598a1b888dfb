"""A journal whose chain was made whole again, and whose story of pauses, limits and rates is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.journal.tamper import forged

Entry = dict[str, Any]


def beside_its_story(entry: Entry) -> None:
    entry["previous"] = 1


def with_a_higher_limit(entry: Entry) -> None:
    for name, limit in entry["data"]["limits"].items():
        entry["data"]["limits"][name] = limit + 1 if isinstance(limit, int) else [limit[0] + 1, *limit[1:]]


def so_that_nothing_may_run(entry: Entry) -> None:
    entry["data"]["limits"] = {"concurrency": 1}


def so_that_hardly_anything_may_start(entry: Entry) -> None:
    if "rate" in entry["data"]["limits"]:
        entry["data"]["limits"]["rate"] = [1, 86_400_000_000, 1]


def for_another_subject(entry: Entry) -> None:
    entry["subject"] = "queue:another"


def for_another_reason(entry: Entry) -> None:
    entry["data"]["reason"] = "nobody knows"


def of_the_queue_that_is_served(entry: Entry) -> None:
    entry["subject"] = "queue:default"


def of_the_whole_tenant(entry: Entry) -> None:
    entry["subject"] = "tenant:default"


def without_its_limits(entry: Entry) -> None:
    del entry["data"]["limits"]


def as_if_it_came_with_the_kind(entry: Entry) -> None:
    entry["data"]["declared"] = True


def told_of_another_limit(entry: Entry) -> None:
    for limit in entry["decision"]["input"].get("limits", ()):
        limit[2] += 1


def costing_less(entry: Entry) -> None:
    entry["data"].pop("cost", None)


FORGERIES: list[tuple[str, Callable[[Entry], None], str]] = [
    ("flow.limited", beside_its_story, "previous"),
    ("flow.limited", with_a_higher_limit, "J14"),
    ("flow.limited", with_a_higher_limit, "F1"),
    ("flow.limited", so_that_nothing_may_run, "F1"),
    ("flow.limited", so_that_hardly_anything_may_start, "F1"),
    ("flow.limited", for_another_subject, "J5"),
    ("flow.limited", without_its_limits, "J8"),
    ("flow.limited", as_if_it_came_with_the_kind, "J14"),
    ("queue.paused", beside_its_story, "previous"),
    ("queue.paused", for_another_reason, "J14"),
    ("queue.paused", of_the_queue_that_is_served, "F1"),
    ("kind.paused", beside_its_story, "previous"),
    ("kind.paused", for_another_subject, "J5"),
    ("kind.resumed", for_another_subject, "previous"),
    ("queue.paused", of_the_whole_tenant, "F1"),
    ("flow.limited", of_the_whole_tenant, "F1"),
    ("worker.leased", told_of_another_limit, "F1"),
    ("job.submitted", costing_less, "J14"),
]


@pytest.mark.parametrize(("which", "forge", "invariant"), FORGERIES)
def test_a_forged_story_is_caught(
    data: Path, which: str, forge: Callable[[Entry], None], invariant: str
) -> None:
    assert invariant in forged(data, lambda entry: entry["type"] == which, forge)
