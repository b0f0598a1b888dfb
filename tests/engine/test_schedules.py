"""Schedules as people handle them: created, changed, paused, resumed, made up for, deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.api import ListSchedules, NextFirings
from sheratan.contracts.errors import (
    Conflict,
    InvalidInput,
    LimitReached,
    NotFound,
    SheratanError,
    TooLarge,
    Unavailable,
    UnknownKind,
)
from sheratan.contracts.ids import look_up_job_id
from sheratan.contracts.jobs import KindDescription, Options, Submission
from sheratan.contracts.limits import Limits
from sheratan.engine import commands
from sheratan.engine.explain import story
from sheratan.engine.schedule_views import list_schedules, next_firings, schedule_record
from tests.engine.world import SECOND, World

NOW = 1_700_000_000 * SECOND
"""2023-11-14T22:13:20Z, at which every world begins."""


def pause(world: World, name: str = "s", reason: str = "") -> bool:
    return bool(world.ask(commands.PauseSchedule(name=name, reason=reason)))


def resume(world: World, name: str = "s") -> bool:
    return bool(world.ask(commands.ResumeSchedule(name=name)))


def delete(world: World, name: str = "s") -> None:
    world.ask(commands.DeleteSchedule(name=name, reason=""))


def test_a_schedule_is_created_with_its_first_firing_ahead() -> None:
    world = World()
    assert world.schedule(every_seconds=60) == "created"
    row = world.schedule_row()
    assert (row.state, row.created_us, row.due_us) == ("active", NOW, NOW + 60 * SECOND)
    assert world.state.next_firing_us == NOW + 60 * SECOND
    assert world.decider.next_wake_us() == 60 * SECOND
    entry = world.last("schedule.created")
    assert entry.subject == "schedule:s"
    assert entry.actor == "local:tester"
    assert entry.data["when"] == "every 60 seconds"
    world.check()


def test_the_same_definition_again_changes_nothing() -> None:
    world = World()
    world.schedule(every_seconds=60)
    before = world.state.head.seq
    assert world.schedule(every_seconds=60) == "unchanged"
    assert world.schedule(every_seconds=60, replaces=True) == "unchanged"
    assert world.state.head.seq == before


def test_another_definition_is_refused_unless_it_may_replace() -> None:
    world = World()
    world.schedule(every_seconds=60)
    with pytest.raises(Conflict) as refused:
        world.schedule(every_seconds=30)
    assert refused.value.field == "every_seconds"
    with pytest.raises(Conflict) as refused:
        world.schedule(every_seconds=60, submission=Submission(kind="work", input=2))
    assert refused.value.field == "submission.input"
    with pytest.raises(Conflict) as refused:
        world.schedule(every_seconds=60, submission=Submission(kind="work", options=Options(cost=7)))
    assert refused.value.field == "submission.options.cost"
    world.tick(10)
    assert world.schedule(every_seconds=30, replaces=True) == "changed"
    row = world.schedule_row()
    # An interval goes on from when the schedule was created.
    assert row.due_us == NOW + 30 * SECOND
    assert world.types("schedule:s") == ["schedule.created", "schedule.changed"]
    world.check()


def test_a_paused_schedule_that_is_changed_stays_paused() -> None:
    world = World()
    world.schedule(every_seconds=60)
    assert pause(world)
    assert world.schedule(every_seconds=5, replaces=True) == "changed"
    assert world.schedule_row().state == "paused"
    world.tick(30)
    assert world.fired() == []
    world.check()


def test_what_a_kind_says_when_the_schedule_is_created_holds() -> None:
    world = World()
    world.registry.declare(KindDescription(name="work", queue="early", attempts_max=7), None)
    world.schedule(every_seconds=60)
    world.registry.declare(KindDescription(name="work", queue="late", attempts_max=2), None)
    world.tick(60)
    record = world.record(world.last("schedule.fired").data["job"])
    assert (record.queue, record.attempts_max) == ("early", 7)


def test_the_jobs_of_a_schedule_have_all_options_that_it_names() -> None:
    world = World()
    world.registry.declare(KindDescription(name="work", version=2), None)
    options = Options(tags=("eu", "nightly"), cost=7, version=2, priority=1)
    world.schedule(every_seconds=60, submission=Submission(kind="work", options=options))
    world.tick(60)
    number = look_up_job_id(world.last("schedule.fired").data["job"]).number
    [job] = world.store.jobs([number])
    assert (world.store.tags(number), job.cost, job.priority) == (["eu", "nightly"], 7, 1)
    assert world.state.lane_by_number[job.lane].version == 2


@pytest.mark.parametrize(
    ("fields", "error", "field"),
    [
        ({}, InvalidInput, "cron"),
        ({"cron": "* * * *"}, InvalidInput, "cron"),
        ({"cron": "* * * * *", "zone": "Mars/Olympus"}, InvalidInput, "zone"),
        ({"cron": "* * * * *", "zone": "Europe"}, InvalidInput, "zone"),
        ({"at_us": NOW}, InvalidInput, "at_us"),
        ({"every_seconds": 60, "ends_us": NOW + 1}, InvalidInput, "every_seconds"),
        ({"every_seconds": 60, "submission": Submission(kind="none")}, UnknownKind, "submission.kind"),
        (
            {"every_seconds": 60, "submission": Submission(kind="work", options=Options(key="k"))},
            InvalidInput,
            "submission.options.key",
        ),
        (
            {"every_seconds": 60, "submission": Submission(kind="work", options=Options(after=("job_x",)))},
            InvalidInput,
            "submission.options.after",
        ),
        (
            {"every_seconds": 60, "submission": Submission(kind="work", options=Options(attempts_max=101))},
            TooLarge,
            "submission.options.attempts_max",
        ),
        (
            {"every_seconds": 60, "submission": Submission(kind="work", input="x" * 2_000_000)},
            TooLarge,
            "submission.input",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(
    fields: dict[str, Any], error: type[SheratanError], field: str
) -> None:
    world = World()
    before = world.state.head.seq
    with pytest.raises(error) as refused:
        world.schedule(**fields)
    assert refused.value.field == field
    assert world.state.head.seq == before


def test_no_caller_may_use_the_keys_of_schedules() -> None:
    world = World()
    with pytest.raises(InvalidInput, match="schedule:") as refused:
        world.submit(key="schedule:s:2023-11-14T22:14:00")
    assert refused.value.field == "key"
    assert world.submit(key="scheduled")


def test_there_are_so_many_schedules_and_no_more(tmp_path: Path) -> None:
    world = World(tmp_path / "a.db", limits=Limits(schedules_max=2))
    world.schedule("a", every_seconds=60)
    world.schedule("b", every_seconds=60)
    with pytest.raises(LimitReached, match="schedules_max"):
        world.schedule("c", every_seconds=60)
    world.restart()
    with pytest.raises(LimitReached, match="schedules_max"):
        world.schedule("c", every_seconds=60)
    delete(world, "a")
    assert world.schedule("c", every_seconds=60) == "created"
    world.check()
    world.close()


def test_what_falls_into_a_pause_is_not_made_up_for() -> None:
    world = World()
    world.schedule(every_seconds=60, missed="all")
    assert pause(world, reason="maintenance")
    assert not pause(world)
    assert world.decider.next_wake_us() is None
    world.tick(600)
    assert resume(world)
    assert not resume(world)
    assert world.schedule_row().due_us == NOW + 660 * SECOND
    assert world.fired() == []
    world.tick(60)
    assert len(world.fired()) == 1
    assert story(world.store, "schedule:s").lines[1].text == "local:tester paused the schedule: maintenance."
    world.check()


def test_a_reason_must_hold_no_secret() -> None:
    world = World()
    world.schedule(every_seconds=60)
    with pytest.raises(InvalidInput, match="what is written down stays"):
        pause(world, reason="ghp_" + "a1B2" * 9)


def test_a_deleted_schedule_fires_no_more_and_its_story_stays() -> None:
    world = World()
    world.schedule(every_seconds=60)
    world.tick(60)
    delete(world)
    world.tick(600)
    assert len(world.fired()) == 1
    for command in (
        commands.DeleteSchedule(name="s", reason=""),
        commands.PauseSchedule(name="s", reason=""),
        commands.ResumeSchedule(name="s"),
        commands.BackfillSchedule(name="s", from_us=0, until_us=1, dry_run=True),
    ):
        with pytest.raises(NotFound):
            world.ask(command)
    with pytest.raises(NotFound):
        schedule_record(world.store, "s")
    told = story(world.store, "schedule:s")
    assert told.state == "deleted"
    assert [line.type for line in told.lines] == ["schedule.created", "schedule.fired", "schedule.deleted"]
    # The name may be used again, and its story goes on.
    assert world.schedule(cron="* * * * *") == "created"
    assert [line.type for line in story(world.store, "schedule:s").lines][2:] == [
        "schedule.deleted",
        "schedule.created",
    ]
    world.check()


def test_a_backfill_submits_each_past_firing_once() -> None:
    world = World()
    world.tick(600)
    world.schedule(cron="* * * * *", missed="skip")
    planned = world.backfill("s", NOW, NOW + 600 * SECOND, dry_run=True)
    assert [one.job for one in planned] == [None] * 10
    assert world.types("schedule:s") == ["schedule.created"]
    done = world.backfill("s", NOW, NOW + 600 * SECOND)
    jobs = [one.job for one in done]
    assert len(set(jobs)) == 10
    assert None not in jobs
    again = world.backfill("s", NOW, NOW + 600 * SECOND)
    assert [one.job for one in again] == jobs
    assert world.types().count("job.submitted") == 10
    assert world.types().count("schedule.backfilled") == 1
    first = next(entry for entry in world.entries() if entry.type == "job.submitted")
    assert first.actor == "local:tester"
    assert first.cause == world.last("schedule.backfilled").seq
    # A backfilled job is not the one before, of which the next firing asks.
    assert world.schedule_row().last_job is None
    world.check()


def test_a_backfill_leaves_alone_what_has_fired() -> None:
    world = World()
    world.schedule(every_seconds=60)
    world.tick(60)
    world.tick(60)
    fired = {
        entry.data["firing"]: entry.data["job"] for entry in world.entries() if entry.type == "schedule.fired"
    }
    found = world.backfill("s", NOW, NOW + 120 * SECOND)
    # The instant of its creation is the first of an interval, and had not fired.
    assert len(found) == 3
    assert {one.id: one.job for one in found[1:]} == fired
    world.check()


@pytest.mark.parametrize(
    ("from_us", "until_us", "field"),
    [
        (NOW, NOW + 1, "until_us"),
        (NOW, NOW - 1, "from_us"),
        (NOW - 100_000 * SECOND, NOW, "until_us"),
    ],
)
def test_a_backfill_is_bounded(from_us: int, until_us: int, field: str) -> None:
    world = World()
    world.schedule(cron="* * * * *")
    with pytest.raises(InvalidInput) as refused:
        world.backfill("s", from_us, until_us)
    assert refused.value.field == field


def test_a_backfill_is_taken_in_whole_or_not_at_all() -> None:
    world = World(limits=Limits(queue_jobs_max=5))
    world.schedule(cron="* * * * *")
    with pytest.raises(LimitReached):
        world.backfill("s", NOW - 600 * SECOND, NOW)
    assert "job.submitted" not in world.types()
    assert len(world.backfill("s", NOW - 300 * SECOND, NOW)) == 5
    world.check()


def test_a_draining_engine_takes_no_backfill() -> None:
    world = World()
    world.schedule(cron="* * * * *")
    world.ask(commands.StartDraining(reason=""))
    with pytest.raises(Unavailable):
        world.backfill("s", NOW - 600 * SECOND, NOW)


def test_a_trigger_submits_at_once_whatever_policies_and_pause_say_and_once_for_each_key() -> None:
    world = World()
    world.schedule(every_seconds=60, overlap="skip", jitter_seconds=50.0)
    world.tick(60)
    fired = world.schedule_row()
    first = world.trigger("s", "one", "a look")
    assert (first.firing, first.existing) == ("trigger:one", False)
    assert first.job is not None
    pause(world)
    world.tick(1)
    again = world.trigger("s", "one")
    assert (again.job, again.existing) == (first.job, True)
    second = world.trigger("s", "two")
    assert second.job is not None
    assert second.job != first.job
    entry = world.last("schedule.triggered")
    assert (entry.actor, entry.data["firings"][0][0]) == ("local:tester", "trigger:two")
    assert world.types("schedule:s").count("schedule.triggered") == 2
    assert [world.record(job).state for job in (first.job, second.job)] == ["queued", "queued"]
    # It is not the one before, of which the next firing asks.
    row = world.schedule_row()
    assert (row.last_job, row.last_us, row.state) == (fired.last_job, fired.last_us, "paused")
    world.check()


def test_no_reason_of_a_trigger_holds_a_secret() -> None:
    world = World()
    world.schedule(every_seconds=60)
    with pytest.raises(InvalidInput, match="seems to hold"):
        world.trigger("s", "one", "ghp_" + "a1B2" * 9)
    assert "schedule.triggered" not in world.types()


def test_a_trigger_asks_for_room_and_for_an_engine_that_takes_work_in() -> None:
    world = World(limits=Limits(queue_jobs_max=1))
    world.schedule(cron="0 0 1 1 *")
    assert world.trigger("s", "one").job
    with pytest.raises(LimitReached):
        world.trigger("s", "two")
    assert "schedule.triggered" not in world.types()[-1:]
    world.ask(commands.StartDraining(reason=""))
    with pytest.raises(Unavailable):
        world.trigger("s", "three")
    with pytest.raises(NotFound):
        world.trigger("nobody", "one")
    world.check()


def test_views_tell_of_schedules_page_by_page() -> None:
    world = World()
    for name in ("c", "a", "b"):
        world.schedule(name, every_seconds=60, description=f"the {name}")
    world.schedule("d", at_us=NOW + SECOND)
    delete(world, "b")
    world.tick(60)
    pause(world, "c")
    page = list_schedules(world.store, ListSchedules(limit=2), world.limits)
    assert [(one.name, one.state, one.schedule) for one in page.items] == [
        ("a", "active", None),
        ("c", "paused", None),
    ]
    assert page.next_cursor == "c"
    rest = list_schedules(world.store, ListSchedules(limit=2, cursor="c"), world.limits)
    assert [(one.name, one.state, one.when) for one in rest.items] == [("d", "ended", "once")]
    assert rest.next_cursor is None
    record = schedule_record(world.store, "a")
    assert record.schedule is not None
    assert record.schedule.description == "the a"
    assert record.last_us == NOW + 60 * SECOND
    assert record.last_job is not None
    with pytest.raises(InvalidInput, match="list_jobs_max"):
        list_schedules(world.store, ListSchedules(limit=501), world.limits)


def test_the_next_firings_are_shown_in_the_zone_too() -> None:
    world = World()
    world.schedule(cron="0 2 * * *", zone="America/New_York")
    [first, second] = next_firings(world.store, NextFirings(name="s", limit=2), NOW, world.limits)
    assert (first.id, first.local) == ("2023-11-15T02:00:00", "2023-11-15T02:00:00-05:00")
    assert second.instant_us == first.instant_us + 86_400 * SECOND
    world.schedule("once", at_us=NOW + SECOND)
    assert len(next_firings(world.store, NextFirings(name="once"), NOW, world.limits)) == 1
    assert next_firings(world.store, NextFirings(name="once", after_us=NOW + SECOND), 0, world.limits) == []


def test_a_large_definition_is_kept_apart_and_still_fires() -> None:
    world = World()
    world.schedule(every_seconds=60, submission=Submission(kind="work", input="y" * 5_000))
    assert world.schedule_row().payload is not None
    assert (
        world.schedule(every_seconds=60, submission=Submission(kind="work", input="y" * 5_000)) == "unchanged"
    )
    world.tick(60)
    assert world.record(world.last("schedule.fired").data["job"]).input == "y" * 5_000
    world.check()


def test_everything_in_one_batch_counts_in_order() -> None:
    world = World()
    answers = world.batch(
        world.schedule_command(every_seconds=60),
        commands.PauseSchedule(name="s", reason=""),
        commands.ResumeSchedule(name="s"),
        world.schedule_command(
            every_seconds=30, replaces=True, submission=Submission(kind="work", input="z" * 5_000)
        ),
        world.schedule_command(every_seconds=30, submission=Submission(kind="work", input="z" * 5_000)),
        commands.DeleteSchedule(name="s", reason=""),
        world.schedule_command(every_seconds=10),
    )
    assert [answer.value for answer in answers] == [
        "created",
        True,
        True,
        "changed",
        "unchanged",
        None,
        "created",
    ]
    world.tick(10)
    assert len(world.fired()) == 1
    world.check()
