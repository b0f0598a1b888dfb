"""A journal whose chain was made whole again, and whose story of schedules and their firings is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sheratan.engine.commands import Pause, StartDraining
from sheratan.kernel.canonical import digest
from sheratan.kernel.timetable import TRIGGER, firing_key
from tests.journal.tamper import at, changed, checked, invariants, rehash
from tests.journal.world import SECOND_US, World, new

Entry = dict[str, Any]


def beside_its_story(entry: Entry) -> None:
    entry["previous"] -= 1


def of_another_definition(entry: Entry) -> None:
    entry["data"]["definition"] = "0" * 64


def due_elsewhere(entry: Entry) -> None:
    entry["data"]["due_us"] = (entry["data"]["due_us"] or 0) + 1


def early(entry: Entry) -> None:
    entry["data"]["instant_us"] = entry["at"] + 1


def again(entry: Entry) -> None:
    entry["data"]["instant_us"] -= 1_000_000_000


def of_another_firing(entry: Entry) -> None:
    entry["data"]["firing"] = "1999-12-31T23:59:59Z"


def of_another_job(entry: Entry) -> None:
    job = entry["data"]["job"]
    entry["data"]["job"] = f"{job[:-6]}{int(job[-6], 16) ^ 1:x}{job[-5:]}"


def after_another_job(entry: Entry) -> None:
    given = entry["decision"]["input"]
    if given["previous"] is None:
        given["previous"] = entry["data"]["job"]
    else:
        given["previous"] = None


def against_its_decision(entry: Entry) -> None:
    chosen = entry["decision"]["chosen"]
    entry["decision"]["chosen"] = "submit" if chosen == "skip" else "skip"


def missed_again(entry: Entry) -> None:
    for firing in entry["decision"]["input"]["due"]:
        firing[1] -= 1_000_000_000


def missed_early(entry: Entry) -> None:
    for firing in entry["decision"]["input"]["due"]:
        firing[1] += 1_000_000_000


def of_nobody(entry: Entry) -> None:
    entry["subject"] = "schedule:nobody"


def gone_by(entry: Entry) -> None:
    entry["data"]["due_us"] = entry["at"]


def ahead(entry: Entry) -> None:
    entry["data"]["until_us"] = entry["at"] + 1


def with_one_more(entry: Entry) -> None:
    entry["data"]["firings"].append(["1999-12-31T23:59:59Z", 9_999])


def with_one_less(entry: Entry) -> None:
    entry["data"]["firings"].pop()


def of_a_timetable(entry: Entry) -> None:
    entry["data"]["firings"][0][0] = "1999-12-31T23:59:59Z"


def by_another_cause(entry: Entry) -> None:
    if "firing" in entry["data"]:
        entry["cause"] -= 1


def by_another_key(entry: Entry) -> None:
    if "firing" in entry["data"]:
        entry["data"]["key"] = "0" * 64


def of_no_firing(entry: Entry) -> None:
    if "key" not in entry["data"]:
        entry["data"]["firing"] = "1999-12-31T23:59:59Z"


FORGERIES: list[tuple[str, Callable[[Entry], None], str]] = [
    ("schedule.changed", beside_its_story, "previous"),
    ("schedule.fired", beside_its_story, "previous"),
    ("schedule.changed", of_another_definition, "J14"),
    ("schedule.created", of_another_definition, "J14"),
    ("schedule.fired", due_elsewhere, "J14"),
    ("schedule.resumed", of_nobody, "E2"),
    ("schedule.fired", early, "E17"),
    ("schedule.fired", again, "E17"),
    ("schedule.fired", of_another_firing, "E17"),
    ("schedule.fired", of_another_job, "E17"),
    ("schedule.fired", after_another_job, "E14"),
    ("schedule.fired", against_its_decision, "E14"),
    ("schedule.skipped", early, "E17"),
    ("schedule.skipped", again, "E17"),
    ("schedule.skipped", against_its_decision, "E14"),
    ("schedule.missed", missed_again, "E17"),
    ("schedule.missed", missed_early, "E17"),
    ("schedule.fired", of_nobody, "E2"),
    ("schedule.postponed", gone_by, "E13"),
    ("schedule.backfilled", ahead, "E13"),
    ("schedule.backfilled", with_one_more, "E17"),
    ("schedule.backfilled", with_one_less, "E17"),
    ("schedule.triggered", of_a_timetable, "E17"),
    ("schedule.triggered", with_one_more, "E17"),
    ("schedule.triggered", with_one_less, "E17"),
    ("job.submitted", by_another_cause, "E17"),
    ("job.submitted", by_another_key, "E17"),
    ("job.submitted", of_no_firing, "E17"),
    ("schedule.paused", lambda entry: entry.update(type="schedule.resumed", data={"due_us": None}), "E4"),
    ("schedule.resumed", lambda entry: entry.update(type="schedule.paused", data={"reason": ""}), "E4"),
    ("schedule.changed", lambda entry: entry.update(type="schedule.created"), "E4"),
]


@pytest.mark.parametrize(("which", "forge", "invariant"), FORGERIES)
def test_a_forged_story_is_caught(
    data: Path, which: str, forge: Callable[[Entry], None], invariant: str
) -> None:
    forged: list[int] = []

    def change(entry: Entry) -> None:
        if entry["type"] == which:
            forge(entry)
            forged.append(entry["seq"])

    rehash(data, change)
    assert forged
    assert invariant in invariants(checked(data))


def test_a_paused_schedule_that_fires_is_caught(data: Path) -> None:
    """It says that it was paused where something else was done, and fires all the same."""
    paused: list[str] = []

    def change(entry: Entry) -> None:
        if entry["type"] in ("schedule.changed", "schedule.fired") and entry["subject"] not in paused:
            paused.append(entry["subject"])
            entry["type"], entry["data"] = "schedule.paused", {"reason": ""}

    rehash(data, change)
    texts = [problem.text for problem in checked(data).problems if problem.invariant == "E4"]
    for what in ("schedule.fired", "schedule.skipped", "schedule.missed", "schedule.postponed"):
        assert any(what in text for text in texts), (what, texts)


def test_a_trigger_that_uses_up_a_firing_of_the_timetable_is_caught(data: Path) -> None:
    """Entry and job agree about the firing that it claims to be."""
    firing, key = "1999-12-31T23:59:59Z", ""

    def change(entry: Entry) -> None:
        nonlocal key
        if entry["type"] == "schedule.triggered" and "firings" in entry["data"]:
            entry["data"]["firings"][0][0] = firing
            key = digest(firing_key(entry["subject"].removeprefix("schedule:"), firing).encode())
        if entry["data"].get("firing", "").startswith(TRIGGER):
            entry["data"].update(firing=firing, key=key)

    rehash(data, change)
    assert key
    texts = [problem.text for problem in checked(data).problems if problem.invariant == "E17"]
    assert any("let it fire once" in text for text in texts), texts


def test_a_schedule_that_was_forgotten_is_caught(tmp_path: Path) -> None:
    path = tmp_path / "sheratan.db"
    world = World(path)
    world.schedule("s", every_seconds=600)
    world.clock.advance(120 * SECOND_US)
    world.submit(new())
    world.close()
    assert checked(path).ok
    changed(path, "UPDATE schedule SET due_us = due_us - 590000000")
    assert at(checked(path), "E9") == ["schedule s"]


def test_a_draining_engine_has_forgotten_none(tmp_path: Path) -> None:
    path = tmp_path / "sheratan.db"
    world = World(path)
    world.schedule("s", every_seconds=10)
    world.ask(StartDraining(reason=""))
    world.tick(300)
    world.ask(Pause(subject="queue:any", reason=""))
    world.close()
    found = checked(path)
    assert found.ok, found.problems


def test_a_firings_job_that_never_came_in_is_caught(data: Path) -> None:
    def change(entry: Entry) -> None:
        if entry["type"] == "job.submitted" and entry["data"].get("schedule") == "once":
            entry["type"] = "policy.set"

    rehash(data, change)
    assert "E17" in invariants(checked(data))
