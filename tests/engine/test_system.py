"""The system's state: what may happen at all, who changes that, and that it outlasts the engine."""

from __future__ import annotations

from typing import Any

import pytest

from sheratan.contracts.errors import Conflict, InvalidInput, StateRefuses, Unavailable
from sheratan.contracts.filters import JobFilter
from sheratan.contracts.principal import ENGINE
from sheratan.contracts.system import ListStateChanges, SystemState
from sheratan.engine.commands import (
    Cancel,
    ChangeState,
    DeriveState,
    EndSession,
    Heartbeat,
    KeepJobs,
    Pause,
    RetryJob,
    StartBulk,
    StartDraining,
)
from sheratan.engine.explain import story
from sheratan.engine.system_commands import Down
from sheratan.engine.system_views import list_state_changes, system_record
from sheratan.engine.verify import verify
from tests.engine.runs import node, wf
from tests.engine.world import PERSON, World


def bring(world: World, *states: SystemState) -> None:
    """Somebody brings the system into these states, one after the other."""
    for state in states:
        assert world.ask(ChangeState(to=state, reason="a test"))


def waits_for(world: World, job: str) -> str:
    told = world.record(job).waiting_for
    assert told is not None
    return told


def found_down(*names: str) -> DeriveState:
    """What probes have found: these are down, each critical."""
    down = [
        Down(name=name, critical=True, affects=(name,), since_us=0, failures=3, error="-") for name in names
    ]
    return DeriveState(down=tuple(down), unknown=0, dwell_us=60_000_000)


NOTHING_STARTS: tuple[SystemState, ...] = ("paused", "recovery", "halted")


# ---------------------------------------------------------------------------------------------------------------------
# Changes


def test_a_system_that_nobody_has_touched_is_operational(world: World) -> None:
    found = system_record(world.store)
    assert (found.state, found.severity, found.entry, found.since_us) == ("operational", "none", None, None)
    assert set(found.allows.values()) == {"allow"}
    assert list_state_changes(world.store, ListStateChanges()) == []
    assert story(world.store, "system").lines == []


def test_a_change_is_recorded_with_its_reason_its_actor_and_the_decision(world: World) -> None:
    world.tick(5)
    bring(world, "paused")
    entry = world.last("system.changed")
    assert (entry.subject, entry.actor) == ("system", PERSON.actor)
    assert entry.data == {"from": "operational", "to": "paused", "reason": "a test"}
    assert entry.decision is not None
    assert entry.decision["rule"] == "system.transition@1"
    found = system_record(world.store)
    assert (found.state, found.reason, found.actor) == ("paused", "a test", PERSON.actor)
    assert (found.entry, found.since_us) == (entry.seq, entry.at)


def test_each_change_links_to_the_one_before(world: World) -> None:
    bring(world, "paused", "recovery", "operational", "reflective")
    changes = list_state_changes(world.store, ListStateChanges(limit=3))
    assert [(one.source, one.to) for one in changes] == [
        ("operational", "reflective"),
        ("recovery", "operational"),
        ("paused", "recovery"),
    ]
    told = story(world.store, "system")
    assert (told.state, len(told.lines)) == ("reflective", 4)
    assert "brought the system from operational to paused: a test." in told.lines[0].text


def test_the_state_that_it_is_in_is_kept_without_an_entry(world: World) -> None:
    bring(world, "paused")
    before = world.state.head
    assert world.ask(ChangeState(to="paused", reason="again")) is False
    assert world.state.head == before


def test_a_change_that_was_asked_for_in_another_state_is_refused(world: World) -> None:
    bring(world, "paused")
    with pytest.raises(Conflict, match="while the system was operational; it is paused"):
        world.ask(ChangeState(to="recovery", reason="a test", expected="operational"))
    assert world.ask(ChangeState(to="recovery", reason="a test", expected="paused"))


def test_two_changes_of_one_batch_are_decided_one_after_the_other(world: World) -> None:
    first, second = world.batch(
        ChangeState(to="paused", reason="first", expected="operational"),
        ChangeState(to="reflective", reason="second", expected="operational"),
    )
    assert first.value is True
    with pytest.raises(Conflict):
        assert second.value
    assert world.types("system") == ["system.changed"]


def test_no_way_leads_from_a_halt_into_work(world: World) -> None:
    bring(world, "halted")
    with pytest.raises(Conflict, match="sheratan state recover"):
        world.ask(ChangeState(to="operational", reason="a test"))
    bring(world, "recovery", "operational")


def test_the_engine_does_not_end_what_a_person_began(world: World) -> None:
    for state in ("reflective", "recovery", "paused", "halted"):
        bring(world, state)
        with pytest.raises(Conflict, match="only a person" if state != "halted" else "no way"):
            world.ask(ChangeState(to="operational", reason="it seems well"), by=ENGINE)
    with pytest.raises(Conflict, match="only a person"):
        world.ask(ChangeState(to="recovery", reason="it seems well"), by=ENGINE)


def test_a_reason_that_seems_to_hold_a_secret_is_refused(world: World) -> None:
    with pytest.raises(InvalidInput, match="seems to hold"):
        world.ask(ChangeState(to="paused", reason="AKIA" + "ABCDEFGHIJKLMNOP"))
    with pytest.raises(Conflict, match="no reason"):
        world.ask(ChangeState(to="paused", reason="  "))


def test_what_is_affected_is_recorded_and_told(world: World) -> None:
    assert world.ask(found_down("mail", "disk"), by=ENGINE)
    found = system_record(world.store)
    assert (found.severity, found.affected) == ("critical", ["disk", "mail"])
    assert "Affected: disk, mail." in story(world.store, "system").lines[0].text


# ---------------------------------------------------------------------------------------------------------------------
# Restarts


@pytest.mark.parametrize("state", ["paused", "reflective", "recovery", "halted"])
def test_a_state_outlasts_a_stop_and_a_crash(world: World, state: SystemState) -> None:
    bring(world, state)
    before = system_record(world.store)
    world.restart()
    assert system_record(world.store) == before
    world.crash()
    assert system_record(world.store) == before
    assert world.state.system.state == state


@pytest.mark.parametrize("state", ["operational", "paused", "recovery"])
def test_a_draining_ends_with_its_engine_and_the_state_before_it_is_back(
    world: World, state: SystemState
) -> None:
    if state != "operational":
        bring(world, state)
    before = system_record(world.store)
    for end in (world.restart, world.crash):
        world.ask(StartDraining(reason="an update"))
        found = system_record(world.store)
        assert (found.state, found.reason, found.returns_to) == ("draining", "an update", state)
        end()
        assert system_record(world.store) == before


def test_a_draining_that_was_not_committed_has_not_begun(world: World) -> None:
    world.crash(losing=[StartDraining(reason="lost"), ChangeState(to="paused", reason="lost")])
    assert world.state.system.current == "operational"


def test_nobody_pauses_a_system_that_drains(world: World) -> None:
    world.ask(StartDraining(reason="an update"))
    with pytest.raises(Conflict, match="next start of the server"):
        world.ask(ChangeState(to="paused", reason="a test"))
    bring(world, "halted")
    world.restart()
    assert world.state.system.current == "halted"


def test_a_halted_system_does_not_drain(world: World) -> None:
    bring(world, "halted")
    world.ask(StartDraining(reason="an update"))
    assert world.state.system.current == "halted"
    assert "engine.draining" not in world.types("engine")


# ---------------------------------------------------------------------------------------------------------------------
# What a state does not allow, one test for each place where that is enforced


@pytest.mark.parametrize("state", NOTHING_STARTS)
def test_queued_jobs_wait_and_say_for_what(world: World, state: SystemState) -> None:
    job = world.submit()
    session = world.register()
    bring(world, state)
    answer = world.ask_lease(session)
    assert not answer.given
    assert world.state_of(job) == "queued"
    assert waits_for(world, job) == f"the system, which {PERSON.actor} has made {state} (a test)"
    assert f"which {PERSON.actor} has made {state}" in (story(world.store, job).waiting_for or "")
    bring(world, *(("recovery", "operational") if state == "halted" else ("operational",)))
    # Whoever waits is served at once.
    assert len(answer.value) == 1


@pytest.mark.parametrize("state", ["recovery", "halted"])
def test_jobs_are_refused_with_the_state_and_the_way_out(world: World, state: SystemState) -> None:
    bring(world, state)
    with pytest.raises(StateRefuses, match="sheratan state re") as refusal:
        world.submit()
    assert refusal.value.extra == {"state": state}
    assert refusal.value.retryable


@pytest.mark.parametrize("state", ["paused", "reflective"])
def test_jobs_come_in_where_the_state_allows_it(world: World, state: SystemState) -> None:
    bring(world, state)
    assert world.state_of(world.submit()) == "queued"


@pytest.mark.parametrize("state", ["recovery", "halted"])
def test_runs_are_refused(world: World, state: SystemState) -> None:
    bring(world, state)
    with pytest.raises(StateRefuses):
        world.start_run(wf(node("a")))


def test_jobs_of_runs_come_in_when_the_state_allows_it_again(world: World) -> None:
    world.start_run(wf(node("a"), node("b", input="${a.output}")))
    [given] = world.lease(world.register())
    bring(world, "recovery")
    assert world.settle(given)
    assert world.store.counts()["ready"] == 0
    bring(world, "operational")
    assert world.store.counts()["ready"] == 1


@pytest.mark.parametrize("state", ["paused", "recovery"])
def test_schedules_do_not_fire_and_make_up_for_it_as_they_are_told(world: World, state: SystemState) -> None:
    world.schedule(every_seconds=60)
    bring(world, state)
    world.tick(600)
    assert "schedule.fired" not in world.types()
    bring(world, "operational")
    assert world.types().count("schedule.fired") == 1


@pytest.mark.parametrize("state", ["paused", "recovery", "reflective"])
def test_results_count_in_every_state_but_a_halt(world: World, state: SystemState) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    bring(world, state)
    assert world.settle(given)
    assert world.state_of(job) == "succeeded"


def test_a_halted_system_takes_no_result_and_loses_none(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    bring(world, "halted")
    with pytest.raises(StateRefuses, match="halted"):
        world.settle(given)
    bring(world, "recovery")
    assert world.settle(given)
    assert world.state_of(job) == "succeeded"


def test_a_halted_system_refuses_what_people_ask_for(world: World) -> None:
    job = world.submit()
    bring(world, "halted")
    asked: list[Any] = [
        Cancel(id=job, reason=""),
        Pause(subject="queue:default", reason=""),
        KeepJobs(kind="", keep_us=1, reason=""),
        RetryJob(id=job),
    ]
    before = world.state.head
    for command in asked:
        with pytest.raises(StateRefuses) as refusal:
            world.ask(command)
        assert refusal.value.field == "state"
    assert world.state.head == before


def test_a_halted_system_hears_who_is_there(world: World) -> None:
    bring(world, "halted")
    session = world.register(local=False)
    for _ in range(4):
        world.tick(20)
        world.ask(Heartbeat(session=session))
    with pytest.raises(StateRefuses):
        world.ask(EndSession(session=session))
    bring(world, "recovery")
    assert session in world.state.sessions


def test_while_the_system_is_halted_time_brings_nothing(world: World) -> None:
    delayed = world.submit(delay_seconds=10)
    running = world.submit(run_timeout_seconds=10, attempts_max=1)
    world.lease(world.register())
    bring(world, "halted")
    before = world.state.head
    world.tick(100)
    assert world.state.head == before
    assert world.decider.next_wake_us() is None
    bring(world, "recovery")
    assert (world.state_of(delayed), world.state_of(running)) == ("queued", "failed")


def test_a_halted_engine_that_stops_decides_nothing_about_running_jobs(world: World) -> None:
    job = world.submit()
    world.lease(world.register())
    bring(world, "halted")
    count = len(world.types(job))
    world._commit(world.decider.stop())
    assert len(world.types(job)) == count
    world.crash()
    assert world.types(job)[-1] == "job.requeued"


@pytest.mark.parametrize("state", ["paused", "reflective", "recovery"])
def test_bulk_operations_stand_still(world: World, state: SystemState) -> None:
    jobs = [world.submit() for _ in range(3)]
    bring(world, state)
    world.ask(StartBulk(action="cancel", filter=JobFilter(), limit=None, poison=False, reason=""))
    world.tick(1)
    assert {world.state_of(job) for job in jobs} == {"queued"}
    bring(world, "operational")
    assert {world.state_of(job) for job in jobs} == {"cancelled"}


@pytest.mark.parametrize("state", ["paused", "reflective", "recovery"])
def test_old_jobs_are_kept(world: World, state: SystemState) -> None:
    world.submit()
    world.run(world.register())
    bring(world, state)
    world.ask(KeepJobs(kind="", keep_us=1, reason=""))
    world.tick(7_200)
    assert world.store.pruned_count() == 0
    bring(world, "operational")
    assert world.store.pruned_count() == 1


def test_a_walk_that_rests_is_not_taken_up_while_jobs_are_to_be_kept(world: World) -> None:
    world.submit()
    world.run(world.register())
    world.ask(KeepJobs(kind="", keep_us=3_600_000_000, reason=""))
    bring(world, "paused")
    world.tick(7_200)
    assert world.store.pruned_count() == 0
    assert world.decider.next_wake_us() != 0
    bring(world, "operational")
    assert world.store.pruned_count() == 1


def test_what_is_degraded_starts_nothing_only_where_that_is_critical(world: World) -> None:
    world.submit()
    session = world.register()
    world.ask(ChangeState(to="degraded_critical", reason="a probe fails"), by=ENGINE)
    answer = world.ask_lease(session)
    assert not answer.given
    world.ask(ChangeState(to="degraded_minor", reason="fewer probes fail"), by=ENGINE)
    assert len(answer.value) == 1


def test_a_refusal_by_a_draining_engine_names_its_state(world: World) -> None:
    world.ask(StartDraining(reason="an update"))
    with pytest.raises(Unavailable, match="next start of the server") as refusal:
        world.submit()
    assert refusal.value.code == "state_refuses"


def test_an_engine_that_has_stopped_does_not_drain_any_more(world: World) -> None:
    world.ask(StartDraining(reason="an update"))
    world._commit(world.decider.stop())
    assert world.store.system().draining is None
    assert verify(world.store).problems == []
    world.start()
