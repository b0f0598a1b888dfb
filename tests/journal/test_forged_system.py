"""The system's state: nobody can change it, or have something done that it forbids, behind the journal's back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.principal import ENGINE
from sheratan.engine.commands import Cancel, ChangeState, Pause
from sheratan.engine.replay import replay
from tests.journal.tamper import changed, checked, forged, reader_of, tables
from tests.journal.world import World, new
from tests.journal.world_system import derived

Entry = dict[str, Any]


def test_a_journal_of_a_system_in_many_states_verifies_and_replays(system_data: Path) -> None:
    found = checked(system_data)
    assert found.problems == []
    assert found.counts["system.changed"] == 8
    reader = reader_of(system_data)
    assert reader.system().current == "draining"
    again = replay(reader)
    assert again.ok
    assert again.counts["system.transition@1"].decisions == 5
    assert again.counts["system.derive@1"].decisions == 3
    reader.close()


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM system",
        "UPDATE system SET state = 'operational'",
        "UPDATE system SET since_us = since_us - 1",
        "UPDATE system SET reason = 'another'",
        "UPDATE system SET actor = 'somebody'",
        "UPDATE system SET entry = entry - 1",
        "UPDATE system SET affected = 'mail'",
        "UPDATE system SET draining = NULL",
    ],
)
def test_a_row_that_was_changed_is_found(system_data: Path, change: str) -> None:
    changed(system_data, change)
    assert tables(checked(system_data).problems, "J14") == {"system"}


def test_a_row_that_no_entry_tells_of_is_found(gates_data: Path) -> None:
    changed(gates_data, "INSERT INTO system VALUES (1, 'paused', 1, 'r', 'a', 5, '', NULL)")
    assert tables(checked(gates_data).problems, "J14") == {"system"}


def test_a_system_that_only_ever_drained_needs_no_row(data: Path) -> None:
    """As in a database of an earlier release, whose engines drained without one."""
    changed(data, "DELETE FROM system")
    assert checked(data).problems == []


def is_change(to: str, source: str | None = None) -> Callable[[Entry], bool]:
    def is_wanted(entry: Entry) -> bool:
        if entry["type"] != "system.changed" or entry["data"]["to"] != to:
            return False
        return source is None or entry["data"]["from"] == source

    return is_wanted


def by_the_engine(entry: Entry) -> None:
    entry["actor"] = entry["on_behalf_of"] = entry["auth"] = "engine"
    entry["decision"]["input"]["operator"] = False


def without_a_reason(entry: Entry) -> None:
    entry["data"]["reason"] = ""


def from_another(entry: Entry) -> None:
    entry["data"]["from"] = "reflective"


def straight_to_work(entry: Entry) -> None:
    entry["data"]["to"] = entry["decision"]["input"]["to"] = "operational"


def decided_otherwise(entry: Entry) -> None:
    entry["decision"]["chosen"] = "refuse"


def of_another_state(entry: Entry) -> None:
    entry["decision"]["input"]["state"] = "operational"


def for_another_state(entry: Entry) -> None:
    entry["decision"]["input"]["to"] = "paused"


def of_another_kind_of_actor(entry: Entry) -> None:
    entry["decision"]["input"]["operator"] = False


def expected_another(entry: Entry) -> None:
    entry["decision"]["input"]["expected"] = "recovery"


def without_the_entry_before(entry: Entry) -> None:
    del entry["previous"]


@pytest.mark.parametrize(
    ("to", "source", "forge", "broken"),
    [
        ("recovery", None, by_the_engine, "H2"),
        ("operational", "recovery", by_the_engine, "H2"),
        ("paused", None, without_a_reason, "H4"),
        ("halted", None, from_another, "H1"),
        ("recovery", "halted", straight_to_work, "H1"),
        ("halted", None, decided_otherwise, "E14"),
        ("recovery", None, of_another_state, "H4"),
        ("recovery", None, for_another_state, "H4"),
        ("recovery", None, of_another_kind_of_actor, "H4"),
        ("paused", None, expected_another, "H4"),
        ("recovery", None, without_the_entry_before, "previous"),
    ],
)
def test_a_change_that_was_forged_is_found(
    system_data: Path, to: str, source: str | None, forge: Callable[[Entry], None], broken: str
) -> None:
    assert broken in forged(system_data, is_change(to, source), forge)


def derived_from_nothing(entry: Entry) -> None:
    entry["decision"]["input"]["down"] = []


def derived_from_more(entry: Entry) -> None:
    found = entry["decision"]["input"]["down"]
    found.append(found[0] | {"name": "news", "affects": ["news"]})


def derived_by_a_person(entry: Entry) -> None:
    entry["actor"] = entry["on_behalf_of"] = "local:eve"


def derived_otherwise(entry: Entry) -> None:
    entry["decision"]["chosen"] = "keep"


def derived_elsewhere(entry: Entry) -> None:
    entry["decision"]["input"]["state"] = "degraded_minor"


def held_for_longer(entry: Entry) -> None:
    entry["decision"]["input"]["held_us"] += 1


def with_a_longer_dwell(entry: Entry) -> None:
    entry["decision"]["input"]["dwell_us"] *= 2


def with_an_unknown_probe(entry: Entry) -> None:
    entry["decision"]["input"]["unknown"] = 1


def with_another_reason(entry: Entry) -> None:
    entry["data"]["reason"] = "down: nothing that matters"


def with_others_affected(entry: Entry) -> None:
    entry["data"]["affected"] = ["news"]


@pytest.mark.parametrize(
    ("to", "source", "forge", "broken"),
    [
        ("degraded_minor", None, derived_from_nothing, "H4"),
        ("degraded_minor", None, derived_from_more, "H4"),
        ("degraded_critical", None, derived_by_a_person, "H2"),
        ("degraded_critical", None, derived_otherwise, "H4"),
        ("degraded_minor", None, derived_elsewhere, "H4"),
        ("operational", "degraded_critical", held_for_longer, "H4"),
        ("operational", "degraded_critical", with_a_longer_dwell, "H3"),
        ("operational", "degraded_critical", with_an_unknown_probe, "H3"),
        ("degraded_critical", None, with_another_reason, "H4"),
        ("degraded_critical", None, with_others_affected, "H4"),
    ],
)
def test_a_derived_change_that_was_forged_is_found(
    system_data: Path, to: str, source: str | None, forge: Callable[[Entry], None], broken: str
) -> None:
    assert broken in forged(system_data, is_change(to, source), forge)


def test_a_person_s_state_that_probes_end_is_found(tmp_path: Path) -> None:
    path = tmp_path / "derived.db"
    world = World(path)
    world.ask(derived("mail"), ENGINE)
    world.tick(61)
    world.ask(derived(), ENGINE)
    world.close()

    def to_a_pause(entry: Entry) -> None:
        entry["data"]["to"] = "paused"

    assert "H2" in forged(path, is_change("degraded_minor"), to_a_pause)


def test_evidence_that_does_not_lead_where_it_is_said_to_is_found_by_replay(system_data: Path) -> None:
    forged(system_data, is_change("degraded_minor"), derived_from_nothing)
    reader = reader_of(system_data)
    found = replay(reader)
    reader.close()
    assert not found.ok
    assert found.counts["system.derive@1"].different == 1


@pytest.mark.parametrize(
    ("state", "forbidden"),
    [
        ("paused", "worker.leased"),
        ("recovery", "job.submitted"),
        ("halted", "job.submitted"),
        ("halted", "job.succeeded"),
        ("halted", "job.cancel_requested"),
        ("halted", "queue.paused"),
    ],
)
def test_what_a_state_forbids_is_found(tmp_path: Path, state: str, forbidden: str) -> None:
    """The state is made out of another one, in which all of this was allowed."""
    path = tmp_path / "allowed.db"
    world = World(path)
    world.ask(ChangeState(to="reflective", reason="a test"))
    session = world.worker()
    for cancelled in (False, True):
        world.submit(new())
        [given] = world.lease(session, 1)
        if cancelled:
            world.ask(Cancel(id=given.id, reason=""))
        world.settle_all(session, [given])
    world.ask(Pause(subject="queue:default", reason=""))
    world.close()

    def to_another(entry: Entry) -> None:
        entry["data"]["to"] = entry["decision"]["input"]["to"] = state

    assert "H1" in forged(path, is_change("reflective"), to_another)
    problems = [one.text for one in checked(path).problems if one.invariant == "H1"]
    assert f"the system is {state}, which allows no {forbidden}" in problems


def test_no_other_entry_is_allowed_as_one_about_attempts(tmp_path: Path) -> None:
    path = tmp_path / "allowed.db"
    world = World(path)
    world.ask(ChangeState(to="reflective", reason="a test"))
    world.ask(Pause(subject="queue:default", reason=""))
    world.close()

    def for_attempts(entry: Entry) -> None:
        entry["data"]["attempts"] = []

    def to_a_halt(entry: Entry) -> None:
        entry["data"]["to"] = entry["decision"]["input"]["to"] = "halted"

    forged(path, lambda entry: bool(entry["type"] == "queue.paused"), for_attempts)
    assert "H1" in forged(path, is_change("reflective"), to_a_halt)


def test_a_draining_out_of_a_halt_is_found(system_data: Path) -> None:
    def to_a_halt(entry: Entry) -> None:
        entry["data"]["to"] = entry["decision"]["input"]["to"] = "halted"

    assert "H1" in forged(system_data, is_change("paused"), to_a_halt)


def test_jobs_that_come_in_alike_are_looked_at_like_others(tmp_path: Path) -> None:
    """Runs of entries that differ in numbers only are folded at once."""
    path = tmp_path / "alike.db"
    world = World(path)
    world.ask(ChangeState(to="reflective", reason="a test"))
    world.submit(*(new() for _ in range(50)))
    world.close()

    def to_recovery(entry: Entry) -> None:
        entry["data"]["to"] = entry["decision"]["input"]["to"] = "recovery"

    assert forged(path, is_change("reflective"), to_recovery) == {"H1", "J14"}
    assert sum("job.submitted" in one.text for one in checked(path).problems) > 1
