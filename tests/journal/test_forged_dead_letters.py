"""A journal whose chain was made whole again, and whose story of dead letters and bulk operations is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.journal.tamper import checked, forged, invariants, rehash

Entry = dict[str, Any]


def of_another_job(entry: Entry) -> None:
    entry["data"]["as"] = entry["subject"]


def because_of_another(entry: Entry) -> None:
    entry["cause"] -= 1


def by_another_choice(entry: Entry) -> None:
    entry["decision"]["chosen"] = "refuse"


def within_its_story(entry: Entry) -> None:
    entry["previous"] = 1


def of_another_kind(entry: Entry) -> None:
    entry["data"]["action"] = "discard" if entry["data"]["action"] != "discard" else "cancel"


def under_another_name(entry: Entry) -> None:
    entry["subject"] = "bulk:1"


def after_fewer_jobs(entry: Entry) -> None:
    entry["decision"]["input"]["done"] += 1


def after_another_start(entry: Entry) -> None:
    entry["previous"] -= 1


def with_another_tag(entry: Entry) -> None:
    if "tags" in entry["data"]:
        entry["data"]["tags"] = ["forged"]


def with_another_class(entry: Entry) -> None:
    entry["data"]["error"]["class"] = "bug"


FORGERIES: list[tuple[str, Callable[[Entry], None], str]] = [
    ("job.replayed", of_another_job, "E5"),
    ("job.replayed", because_of_another, "E5"),
    ("job.replayed", by_another_choice, "E14"),
    ("job.replayed", within_its_story, "previous"),
    ("job.discarded", by_another_choice, "E14"),
    ("job.discarded", within_its_story, "previous"),
    ("bulk.started", of_another_kind, "E6"),
    ("bulk.started", under_another_name, "E2"),
    ("bulk.ended", after_fewer_jobs, "E6"),
    ("bulk.ended", after_another_start, "previous"),
    ("job.submitted", with_another_tag, "J14"),
    ("job.failed", with_another_class, "J5"),
]


@pytest.mark.parametrize(("which", "forge", "invariant"), FORGERIES)
def test_a_forged_story_is_caught(
    data: Path, which: str, forge: Callable[[Entry], None], invariant: str
) -> None:
    assert invariant in forged(data, lambda entry: entry["type"] == which, forge)


def test_a_job_that_is_discarded_twice_is_caught(data: Path) -> None:
    subjects: list[str] = []

    def change(entry: Entry) -> None:
        if entry["type"] == "job.discarded":
            subjects.append(entry["subject"])
            entry["subject"] = subjects[0]

    rehash(data, change)
    assert len(set(subjects)) > 1
    assert {"E5", "J5"} <= invariants(checked(data))


def test_a_bulk_operation_that_does_a_job_twice_is_caught(data: Path) -> None:
    origins: list[str] = []

    def change(entry: Entry) -> None:
        if entry["type"] == "job.submitted" and "cause" in entry and "firing" not in entry["data"]:
            origins.append(entry["data"]["origin"])
            entry["data"]["origin"] = origins[0]

    rehash(data, change)
    assert len(set(origins)) > 1
    assert "E6" in invariants(checked(data))
