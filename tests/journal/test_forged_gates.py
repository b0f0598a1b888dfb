"""Gates: nobody can let a job in, drop a submission or put a start off behind the journal's back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sheratan.engine.replay import replay
from sheratan.engine.verify import verify_lines
from tests.journal.tamper import Hands, checked, forged, reader_of, rechained

Entry = dict[str, Any]


def test_a_journal_with_gates_verifies_and_replays(gates_data: Path) -> None:
    found = checked(gates_data)
    assert found.problems == []
    assert found.counts["job.throttled"] == 2
    reader = reader_of(gates_data)
    derived = replay(reader)
    assert derived.ok
    assert (derived.counts["job.debounce@1"].decisions, derived.counts["job.throttle@1"].decisions) == (3, 2)
    reader.close()


@pytest.mark.parametrize(
    ("change", "invariant"),
    [
        ("DELETE FROM gate WHERE what = 'debounce'", "J5"),
        ("DELETE FROM gate WHERE what = 'throttle'", "J5"),
        ("UPDATE gate SET number = number - 1", "J14"),
        ("UPDATE gate SET since_us = since_us - 1", "J14"),
        ("UPDATE gate SET until_us = until_us + 1", "J14"),
        ("UPDATE gate SET jobs = jobs - 1", "J14"),
        (
            "INSERT INTO gate SELECT tenant, kind, what, x'00', number, since_us, until_us, jobs FROM gate LIMIT 1",
            "J5",
        ),
    ],
)
def test_a_row_that_was_changed_is_found(gates_data: Path, change: str, invariant: str) -> None:
    hands = Hands(gates_data)
    hands.run(change)
    hands.close()
    found = checked(gates_data)
    assert (invariant, "gate") in {
        (item.invariant, (item.row or "").split(" ")[0]) for item in found.problems
    }


def test_a_row_that_is_over_may_be_there_or_not(gates_data: Path) -> None:
    hands = Hands(gates_data)
    hands.run(
        "INSERT INTO gate SELECT tenant, kind, what, x'00', number, since_us, since_us, jobs FROM gate LIMIT 1"
    )
    hands.close()
    assert checked(gates_data).problems == []


def is_debounced(entry: Entry) -> bool:
    return "debounce" in entry["data"]


def is_later_debounced(entry: Entry) -> bool:
    return is_debounced(entry) and entry["data"]["debounce"]["since_us"] < entry["at"]


def is_throttled(entry: Entry) -> bool:
    return "throttle" in entry["data"]


def is_superseded(entry: Entry) -> bool:
    return "superseded_by" in entry["data"]


def is_dropped(entry: Entry) -> bool:
    return bool(entry["type"] == "job.throttled")


def put_off_by_more(entry: Entry) -> None:
    entry["decision"]["input"]["delay_us"] += 1


def under_another_key(entry: Entry) -> None:
    for told in (entry["data"].get("debounce"), entry["data"].get("throttle"), entry["data"]):
        if told and "key" in told:
            told["key"] = "00" * 32


def as_the_first(entry: Entry) -> None:
    entry["data"]["debounce"]["since_us"] = entry["at"]


def with_another_window(entry: Entry) -> None:
    entry["data"]["debounce"]["window_us"] += 1


def through_no_gate(entry: Entry) -> None:
    del entry["data"]["debounce"]


def by_nobody(entry: Entry) -> None:
    del entry["data"]["superseded_by"]


def by_another_job(entry: Entry) -> None:
    entry["data"]["superseded_by"] = entry["subject"]


def by_another_entry(entry: Entry) -> None:
    entry["cause"] -= 1


def by_another_rule(entry: Entry) -> None:
    entry["decision"]["rule"] = "job.cancel@1"


def with_another_start(entry: Entry) -> None:
    entry["decision"]["chosen"]["due_us"] += 1


def beyond_the_limit(entry: Entry) -> None:
    entry["data"]["throttle"]["jobs"] = 1


def with_a_longer_period(entry: Entry) -> None:
    entry["data"]["throttle"]["period_us"] += 1


def with_fewer_made(entry: Entry) -> None:
    entry["decision"]["input"]["made"] -= 1


def until_later(entry: Entry) -> None:
    entry["decision"]["input"]["until_us"] += 1


def at_another_time(entry: Entry) -> None:
    entry["decision"]["input"]["now_us"] -= 1


def against_its_decision(entry: Entry) -> None:
    entry["decision"]["chosen"] = "take"


def beside_another_job(entry: Entry) -> None:
    entry["subject"] = entry["subject"][:-1] + ("0" if entry["subject"][-1] != "0" else "1")
    entry["data"]["kind"] = "report"


def in_its_story(entry: Entry) -> None:
    entry["previous"] = 1


FORGERIES: list[tuple[Callable[[Entry], bool], Callable[[Entry], None], str]] = [
    (is_debounced, put_off_by_more, "G1"),
    (is_later_debounced, under_another_key, "G1"),
    (is_later_debounced, as_the_first, "G1"),
    (is_debounced, with_another_window, "G1"),
    (is_later_debounced, through_no_gate, "G1"),
    (is_superseded, by_nobody, "G1"),
    (is_superseded, by_another_job, "G1"),
    (is_superseded, by_another_entry, "G1"),
    (is_superseded, by_another_rule, "E14"),
    (is_superseded, with_another_start, "E14"),
    (is_throttled, beyond_the_limit, "G1"),
    (is_throttled, with_a_longer_period, "G1"),
    (is_dropped, with_fewer_made, "G1"),
    (is_dropped, until_later, "G1"),
    (is_dropped, at_another_time, "G1"),
    (is_dropped, against_its_decision, "E14"),
    (is_dropped, beside_another_job, "G1"),
    (is_dropped, under_another_key, "G1"),
    (is_dropped, in_its_story, "previous"),
]


@pytest.mark.parametrize(("is_wanted", "forge", "invariant"), FORGERIES)
def test_a_forged_story_is_caught(
    gates_data: Path, is_wanted: Callable[[Entry], bool], forge: Callable[[Entry], None], invariant: str
) -> None:
    assert invariant in forged(gates_data, is_wanted, forge)


def not_superseded(entry: Entry) -> None:
    """The job that waited is cancelled by a person instead, and nobody has taken its place."""
    entry["type"] = "job.due"
    entry["data"] = {"due_us": entry["at"], "attempt": 1}


def test_a_job_that_starts_although_another_has_taken_its_place_is_found(gates_data: Path) -> None:
    assert "G1" in forged(gates_data, is_superseded, not_superseded)


def test_an_export_shows_it_without_the_tables(gates_data: Path) -> None:
    hands = Hands(gates_data)
    lines = rechained(hands.lines(), lambda entry: not_superseded(entry) if is_superseded(entry) else None)
    hands.close()
    texts = [item.text for item in verify_lines(lines).problems if item.invariant == "G1"]
    assert any("starts, and another one has taken its place" in text for text in texts)


def beside(entry: Entry) -> None:
    """The last job's place is said to be taken by an entry that is about something else."""
    entry["type"] = "clock.stepped"
    entry["subject"], entry["data"] = "engine", {"step_us": 1}


def test_a_job_that_waits_on_although_another_has_taken_its_place_is_found(gates_data: Path) -> None:
    assert "G1" in forged(gates_data, is_superseded, beside)
