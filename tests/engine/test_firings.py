"""Firings: each submits its job once, whatever befalls the engine, its clock and its queues."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.errors import SheratanError
from sheratan.contracts.jobs import Options, Submission
from sheratan.contracts.limits import Limits
from sheratan.engine import commands
from sheratan.engine.explain import story
from sheratan.engine.verify import verify
from sheratan.kernel.timetable import jitter_us
from sheratan.store.rows import Timer
from tests.engine.world import BIG, SECOND, World

NOW = 1_700_000_000 * SECOND
MINUTE = 60 * SECOND


def missed(world: World) -> list[Any]:
    """The firings that recorded decisions let fire although they were missed."""
    return [
        entry.decision["chosen"]
        for entry in world.entries()
        if entry.type == "schedule.missed" and entry.decision
    ]


def test_a_firing_submits_a_job_under_its_own_key() -> None:
    world = World()
    world.schedule(cron="*/20 * * * * *", submission=Submission(kind="work", input={"n": 1}))
    world.tick(19.999_999)
    assert world.fired() == []
    world.tick(0.000_001)
    assert world.fired() == ["2023-11-14T22:13:40"]
    fired = world.last("schedule.fired")
    submitted = world.last("job.submitted")
    assert submitted.subject == fired.data["job"]
    assert submitted.cause == fired.seq
    assert (submitted.actor, submitted.on_behalf_of) == ("engine", "local:tester")
    assert world.store.find_key("default", "schedule:s:2023-11-14T22:13:40") is not None
    row = world.schedule_row()
    assert (row.after_us, row.due_us, row.last_us) == (
        NOW + 20 * SECOND,
        NOW + 40 * SECOND,
        NOW + 20 * SECOND,
    )
    world.tick(20)
    assert len(world.fired()) == 2
    told = story(world.store, submitted.subject).lines[0].text
    assert "Firing 2023-11-14T22:13:40 of schedule s submitted it." in told
    world.check()


def test_a_schedule_for_a_single_instant_fires_once_and_has_ended() -> None:
    world = World()
    world.schedule(at_us=NOW + 5 * SECOND)
    world.tick(5)
    world.tick(3_600)
    assert world.fired() == ["2023-11-14T22:13:25Z"]
    assert world.schedule_row().due_us is None
    assert world.decider.next_wake_us() is None
    world.check()


def test_a_crash_fires_nothing_twice_and_loses_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "a.db")
    world.schedule(every_seconds=60)
    world.clock.advance(MINUTE)
    # A batch is decided, in which it fires, and is lost with the engine.
    world.crash(losing=[commands.Resume(subject="queue:none")])
    assert len(world.fired()) == 1
    world.crash()
    world.restart()
    world.tick(1)
    assert len(world.fired()) == 1
    world.check()
    world.close()


def test_a_full_disk_puts_a_firing_off_and_does_not_lose_it(tmp_path: Path) -> None:
    world = World(tmp_path / "a.db")
    world.schedule(every_seconds=60, submission=Submission(kind="work", input=BIG))
    world.fill_disk()
    world.clock.advance(MINUTE)
    [answer] = world.batch(world.submission(value=BIG))
    assert isinstance(answer.error, SheratanError)
    assert world.state.next_firing_us == NOW + MINUTE
    world.free_disk()
    world.tick(1)
    assert len(world.fired()) == 1
    world.check()
    world.close()


def test_a_clock_that_is_set_back_fires_nothing_again() -> None:
    world = World()
    world.schedule(cron="* * * * *")
    world.tick(100)
    before = world.fired()
    world.clock.step(-3_600 * SECOND)
    world.tick(1)
    assert world.fired() == before
    world.tick(60)
    assert len(world.fired()) == len(before) + 1
    world.check()


@pytest.mark.parametrize(("policy", "fired"), [("skip", 0), ("once", 1), ("all", 3)])
def test_firings_that_were_missed_are_made_up_for_as_the_policy_says(policy: str, fired: int) -> None:
    world = World()
    bound: dict[str, Any] = {"missed_max": 3} if policy == "all" else {}
    world.schedule(every_seconds=60, missed=policy, **bound)
    # An hour and half a minute: all are missed, none is on time.
    world.tick(3_630)
    assert len(world.fired()) == fired
    if fired:
        assert world.fired()[-1] == "2023-11-14T23:13:20Z"
    assert world.schedule_row().due_us == NOW + 61 * MINUTE
    [chosen] = missed(world)
    assert len(chosen) == fired
    world.tick(30)
    assert len(world.fired()) == fired + 1
    assert len(missed(world)) == 1
    world.check()


def test_a_clock_that_is_set_forward_leaves_one_firing_for_a_whole_day() -> None:
    world = World()
    world.schedule(every_seconds=1)
    world.clock.step(86_400 * SECOND)
    world.tick()
    # Eleven seconds count as on time, and one of them makes up for all before.
    assert len(world.fired()) == 11
    assert len(missed(world)) == 1
    world.check()


def test_several_firings_on_time_need_no_decision_about_missed_ones() -> None:
    world = World()
    world.schedule(every_seconds=2, missed="skip")
    world.tick(7)
    assert len(world.fired()) == 3
    assert missed(world) == []
    world.check()


def test_overlap_queue_submits_all_the_same() -> None:
    world = World()
    world.schedule(every_seconds=60)
    world.tick(60)
    world.tick(60)
    assert len(world.fired()) == 2
    decision = world.last("schedule.fired").decision
    assert decision is not None
    assert decision["chosen"] == "submit"
    assert decision["input"]["state"] == "queued"


def test_overlap_skip_waits_for_the_job_before_to_end() -> None:
    world = World()
    session = world.register()
    world.schedule(every_seconds=60, overlap="skip")
    world.tick(60)
    world.tick(60)
    assert len(world.fired()) == 1
    assert "is still queued" in story(world.store, "schedule:s").lines[-1].text
    world.run(session)
    world.tick(60)
    assert len(world.fired()) == 2
    world.check()


def test_overlap_cancel_previous_cancels_what_waits_and_stops_what_runs() -> None:
    world = World()
    session = world.register()
    world.schedule(every_seconds=60, overlap="cancel_previous")
    world.tick(60)
    first = world.last("schedule.fired").data["job"]
    world.tick(60)
    assert world.state_of(first) == "cancelled"
    cancelled = world.last("job.cancelled")
    assert cancelled.cause == world.last("schedule.fired").seq
    [held] = world.lease(session)
    world.tick(60)
    assert [(one.number, one.reason) for one in world.stops] == [(held.number, "cancel")]
    assert world.settle(held, "cancelled")
    world.check()


def test_a_running_job_is_asked_to_stop_once() -> None:
    world = World()
    session = world.register()
    world.schedule(every_seconds=1, overlap="cancel_previous")
    world.tick(1)
    [held] = world.lease(session)
    world.cancel(held.id)
    world.tick(1)
    assert world.types().count("job.cancel_requested") == 1
    world.check()


def test_jitter_delays_the_job_and_is_always_the_same() -> None:
    world = World()
    command = world.schedule_command(
        every_seconds=60,
        jitter_seconds=30,
        submission=Submission(kind="work", options=Options(delay_seconds=5)),
    )
    world.ask(command)
    world.tick(60)
    [firing] = world.fired()
    location = world.location(world.last("schedule.fired").data["job"])
    assert isinstance(location, Timer)
    assert location.due_us == NOW + MINUTE + 5 * SECOND + jitter_us(command.schedule, firing)
    world.check()


def test_a_full_queue_puts_a_firing_off_and_says_so() -> None:
    world = World(limits=Limits(queue_jobs_max=1))
    session = world.register()
    world.submit()
    world.schedule(every_seconds=60)
    world.tick(60)
    assert world.fired() == []
    postponed = world.last("schedule.postponed")
    assert postponed.decision is not None
    assert postponed.decision["rule"] == "job.admission@2"
    assert postponed.data["due_us"] == NOW + 65 * SECOND
    assert "job.refused" not in world.types()
    world.run(session)
    world.tick(5)
    assert len(world.fired()) == 1
    assert world.schedule_row().due_us == NOW + 2 * MINUTE
    world.check()


def test_a_firing_that_is_put_off_for_too_long_is_for_its_policy_to_decide() -> None:
    world = World(limits=Limits(queue_jobs_max=1))
    session = world.register()
    world.submit()
    world.schedule(every_seconds=60, missed="skip")
    world.tick(60)
    for _ in range(3):
        world.tick(5)
    # It was tried while it was on time, and then it was not any more.
    assert world.types().count("schedule.postponed") == 3
    assert missed(world) == [[]]
    world.run(session)
    world.tick(45)
    assert world.fired() == ["2023-11-14T22:15:20Z"]
    world.check()


def test_a_queue_that_fills_up_midway_keeps_the_rest() -> None:
    world = World(limits=Limits(queue_jobs_max=2))
    session = world.register()
    world.schedule(every_seconds=2, missed="all")
    world.tick(9)
    assert len(world.fired()) == 2
    world.run(session)
    world.run(session)
    world.tick(5)
    assert world.fired() == [
        "2023-11-14T22:13:22Z",
        "2023-11-14T22:13:24Z",
        "2023-11-14T22:13:26Z",
        "2023-11-14T22:13:28Z",
    ]
    world.check()


def test_too_many_queues_put_a_firing_off() -> None:
    world = World(limits=Limits(queues_max=1))
    world.submit()
    world.schedule(every_seconds=60, submission=Submission(kind="other"))
    world.tick(60)
    assert "queues_max" in world.last("schedule.postponed").data["reason"]
    world.check()


def test_nothing_fires_while_the_engine_drains(tmp_path: Path) -> None:
    world = World(tmp_path / "a.db")
    world.schedule(every_seconds=60, missed="all")
    world.ask(commands.StartDraining(reason=""))
    assert world.decider.next_wake_us() is None
    world.tick(150)
    assert world.fired() == []
    world.restart()
    assert len(world.fired()) == 2
    world.check()
    world.close()


def test_limits_that_have_become_too_low_put_a_firing_off(tmp_path: Path) -> None:
    world = World(tmp_path / "a.db")
    world.schedule(every_seconds=60, submission=Submission(kind="work", options=Options(attempts_max=50)))
    world.limits = Limits(attempts_max=10)
    world.restart()
    world.tick(60)
    assert world.fired() == []
    assert "limits.attempts_max" in world.last("schedule.postponed").data["reason"]
    world.limits = Limits()
    world.restart()
    world.tick(600)
    assert len(world.fired()) == 1
    world.check()
    world.close()


def test_a_time_zone_that_the_host_has_lost_stops_nothing_else(tmp_path: Path) -> None:
    world = World(tmp_path / "a.db")
    world.schedule("lost", cron="* * * * *", zone="Europe/Berlin")
    world.schedule("other", every_seconds=60)
    lost = world.schedule_row("lost")
    assert lost.definition is not None
    world.store._connection.execute(
        "UPDATE schedule SET definition = ? WHERE name = 'lost'",
        (lost.definition.replace(b"Europe/Berlin", b"Europe/Nowhere"),),
    )
    world.tick(60)
    assert len(world.fired("other")) == 1
    assert "Europe/Nowhere" in world.last("schedule.postponed").data["reason"]
    world.close()


def test_what_is_not_due_by_newer_rules_of_its_zone_is_put_off() -> None:
    world = World()
    world.schedule(cron="0 0 * * *", zone="Europe/Berlin")
    # As the rules of another release of the zones had it: an hour too early.
    world.store._connection.execute("UPDATE schedule SET due_us = due_us - 3600000000")
    world.decider.state.next_firing_us = world.store.next_firing_us()
    world.tick(60)
    assert world.fired() == []
    assert "other rules" in world.last("schedule.postponed").data["reason"]
    world.tick(3_600)
    assert world.fired() == ["2023-11-15T00:00:00"]


def test_a_firing_whose_job_was_backfilled_submits_none() -> None:
    world = World(limits=Limits(queue_jobs_max=1))
    session = world.register()
    world.submit()
    world.schedule(every_seconds=60)
    world.tick(60)
    world.run(session)
    world.backfill("s", NOW + MINUTE, NOW + MINUTE)
    world.tick(5)
    assert world.fired() == []
    skipped = world.last("schedule.skipped")
    assert "before" in skipped.data["reason"]
    assert world.schedule_row().due_us == NOW + 2 * MINUTE
    world.check()


def test_what_a_person_changes_in_a_batch_comes_first() -> None:
    world = World()
    world.schedule("gone", every_seconds=60)
    world.schedule("stays", every_seconds=60)
    world.clock.advance(MINUTE)
    world.batch(commands.DeleteSchedule(name="gone", reason=""))
    assert world.fired("gone") == []
    assert len(world.fired("stays")) == 1
    world.check()


def test_one_batch_takes_on_a_bounded_number_of_schedules() -> None:
    world = World()
    for number in range(100):
        world.schedule(f"s{number}", every_seconds=60)
    world.clock.advance(MINUTE)
    batch = world.decider.decide([])
    assert len(batch.unit.jobs) == 16
    world._commit(batch)
    assert world.decider.next_wake_us() == 0
    world.tick()
    assert sum(len(world.fired(f"s{number}")) for number in range(100)) == 100
    world.check()


def test_one_batch_submits_a_bounded_number_of_jobs() -> None:
    world = World()
    for number in range(10):
        world.schedule(f"s{number}", every_seconds=60, missed="all", missed_max=100)
    world.clock.step(7_220 * SECOND)
    batch = world.decider.decide([])
    assert len(batch.unit.jobs) == 16
    world._commit(batch)
    # The others are overdue by hours, and nobody has forgotten them.
    assert verify(world.store).problems == []
    world.tick()
    assert world.types().count("schedule.fired") == 1_000
    world.check()


def test_a_job_of_a_firing_may_be_cancelled_at_once() -> None:
    world = World()
    world.schedule(every_seconds=60)
    world.tick(60)
    job = world.last("schedule.fired").data["job"]
    assert world.cancel(job) == "cancelled"
    world.check()


def test_a_firing_finds_in_its_queue_what_the_same_instant_has_brought_there() -> None:
    world = World(limits=Limits(queue_jobs_max=2))
    late = world.submit(queue_timeout_seconds=60)
    world.submit("other", after=(late,), after_failure="run")
    world.submit()
    world.schedule(every_seconds=60)
    world.tick(60)
    assert world.last("job.unblocked").seq < world.last("schedule.postponed").seq
    assert world.fired() == []
    assert verify(world.store).problems == []
