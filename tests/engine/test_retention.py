"""Retention: what has ended is kept for as long as was set, then its rows go, and its story can still be told."""

from __future__ import annotations

import pytest

from sheratan.contracts.errors import (
    Conflict,
    IdempotencyConflict,
    InvalidInput,
    LimitReached,
    NotFound,
    Pruned,
)
from sheratan.contracts.filters import JobFilter
from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.limits import Limits
from sheratan.contracts.retention import PreviewRetention, RetentionPreview
from sheratan.engine.batch import Batch
from sheratan.engine.commands import Cancel, Discard, ForkRun, KeepJobs, RetryJob, StartBulk, StartDraining
from sheratan.engine.explain import story
from sheratan.engine.requester import find_requester
from sheratan.engine.retention_views import list_retention, preview_retention
from sheratan.engine.views import find_view, job_record
from sheratan.store.port import Search
from sheratan.store.unit import Unit
from tests.engine.retaining import DAY, HOUR, child_of_pruned, done, keep, rows, stands
from tests.engine.runs import node, wf, work_off
from tests.engine.test_dead_letters import failed
from tests.engine.world import BIG, PERSON, SECOND, World


def test_everything_is_kept_until_something_is_set(world: World) -> None:
    job = done(world)
    world.tick(10_000 * DAY)
    assert stands(world, job)
    assert list_retention(world.store) == []


def test_a_job_is_pruned_when_it_has_been_kept_for_long_enough_and_not_before(world: World) -> None:
    keep(world, HOUR)
    job = done(world)
    world.tick(HOUR - 1)
    assert stands(world, job)
    world.check()
    world.tick(HOUR)
    assert not stands(world, job)
    assert rows(world) == dict.fromkeys(rows(world), 0)
    [record] = list_retention(world.store)
    assert (record.kind, record.keep_seconds, record.pruned) == (None, HOUR, 1)


def test_what_is_older_goes_at_once_when_it_is_set(world: World) -> None:
    job = done(world)
    world.tick(HOUR + 1)
    keep(world, HOUR)
    assert not stands(world, job)


def test_everything_that_belongs_to_a_job_goes_with_it(world: World) -> None:
    first = done(world, value=BIG, tags=("eu",))
    second = world.submit(after=(first,), tags=("eu", "big"))
    [given] = world.lease(world.register())
    world.steps(given, (1, "s", BIG + "step"))
    world.settle(given, output=BIG + "result")
    world.ask(Discard(id=failed(world), reason=""))
    assert all(rows(world).values())
    world.tick(HOUR)
    keep(world, 60)
    assert not stands(world, second)
    assert rows(world) == dict.fromkeys(rows(world), 0)
    assert list(world.store.failure_words()) == []


def test_a_late_report_about_a_job_that_was_pruned_is_kept_as_evidence(world: World) -> None:
    keep(world, 60)
    job = world.submit()
    [given] = world.lease(world.register())
    world.settle(given)
    world.tick(HOUR)
    assert world.settle(given) is False
    assert world.last("job.fenced_off").data["job"] == job
    assert [line.type for line in story(world.store, job).lines][-2:] == [
        "retention.pruned",
        "job.fenced_off",
    ]


def test_who_asked_for_a_job_is_known_when_those_that_it_descends_from_were_pruned(world: World) -> None:
    held = child_of_pruned(world)
    batch = Batch(world.state, Unit(world.state.head, now_us=0, policy=0, next_number=9), world.randomness, 0)
    assert find_requester(batch, find_view(world.store, held.id).job) == PERSON.on_behalf_of
    world.settle(held)


def test_kinds_have_what_is_set_for_them_and_all_others_what_is_set_for_all(world: World) -> None:
    keep(world, 60)
    keep(world, DAY, "other")
    one, other = done(world), done(world, "other")
    world.tick(HOUR)
    assert (stands(world, one), stands(world, other)) == (False, True)
    keep(world, None)
    keep(world, HOUR - 1, "other", reason="it holds names")
    third = done(world)
    assert not stands(world, other)
    world.tick(10 * DAY)
    assert stands(world, third)
    records = {one.kind: (one.keep_seconds, one.pruned) for one in list_retention(world.store)}
    assert records == {None: (None, 1), "other": (HOUR - 1, 1)}
    assert "it holds names" in story(world.store, "retention:other").lines[-2].text


def test_why_tells_the_story_of_a_job_that_was_pruned(world: World) -> None:
    job = done(world, value={"n": 1})
    before = story(world.store, job)
    world.tick(HOUR)
    entry = keep(world, 60, reason="by law")
    told = story(world.store, job)
    assert [line.text for line in told.lines[:-1]] == [line.text for line in before.lines]
    assert told.state == "succeeded"
    assert told.lines[-1].type == "retention.pruned"
    assert world.last("retention.pruned").cause == entry
    assert [line.type for line in story(world.store, "retention").lines] == [
        "retention.set",
        "retention.pruned",
    ]


def test_who_asks_for_a_job_that_was_pruned_is_told_so(world: World) -> None:
    job = done(world)
    world.tick(HOUR)
    keep(world, 60)
    entry = world.last("retention.pruned").seq
    with pytest.raises(Pruned, match=f"has succeeded and was pruned \\(entry {entry}\\)"):
        find_view(world.store, job)
    for command in (Cancel(id=job, reason=""), RetryJob(id=job)):
        with pytest.raises(Pruned):
            world.ask(command)
    with pytest.raises(Pruned):
        world.submit(after=(job,))
    forged = job[:-1] + ("0" if job[-1] != "0" else "1")
    with pytest.raises(NotFound) as refused:
        find_view(world.store, forged)
    assert type(refused.value) is NotFound


def test_what_was_pruned_cannot_be_taken_over_and_runs_anew(world: World) -> None:
    run = world.start_run(wf(node("a"), node("b", input="${a.output}")))
    work_off(world, world.register(), lambda _: "old")
    world.tick(HOUR)
    keep(world, 60)
    again, _ = world.ask(ForkRun(id=run, node="b", key=None))
    done_anew = [work.node for work in work_off(world, world.register(), lambda _: "new")]
    assert done_anew == ["a", "b"]
    [line] = [line for line in story(world.store, again).lines if line.type == "workflow.started"]
    assert ["a", "it was pruned"] in [list(one) for one in line.rejected]


def test_an_idempotency_key_outlives_its_job(world: World) -> None:
    job = done(world, value=1, key="k")
    world.tick(HOUR)
    keep(world, 60)
    assert not stands(world, job)
    assert world.submit(value=1, key="k") == job
    with pytest.raises(IdempotencyConflict, match=f"was used for {job} with another request"):
        world.submit(value=2, key="k")


def test_a_job_that_ran_after_one_that_was_pruned_still_names_it(world: World) -> None:
    first = done(world)
    second = done(world, "other", after=(first,))
    world.tick(HOUR)
    keep(world, 60, "work")
    assert not stands(world, first)
    assert job_record(world.store, find_view(world.store, second)).after == [first]


def test_an_alarm_that_rings_for_a_job_that_was_pruned_does_nothing(world: World) -> None:
    keep(world, 60)
    job = done(world, queue_timeout_seconds=DAY)
    world.tick(HOUR)
    assert not stands(world, job)
    world.check()
    world.tick(DAY)
    assert list(world.store.alarms()) == []


def test_a_search_finds_what_was_pruned_no_more(world: World) -> None:
    job = done(world, tags=("eu",))
    world.tick(HOUR)
    number = parse_job_id(job).number
    assert world.store.find_jobs(Search(JobFilter(tag="eu"), 10)) == [number]
    keep(world, 60)
    assert world.store.find_jobs(Search(JobFilter(tag="eu"), 10)) == []
    assert world.store.ended_counts()["succeeded"] == 1


def test_it_goes_on_in_pieces_each_with_its_entry() -> None:
    world = World(limits=Limits(prune_jobs_max=3, prune_look_jobs_max=4))
    jobs = [done(world) for _ in range(10)]
    kept = world.submit()
    world.tick(HOUR)
    keep(world, 60)
    assert not any(stands(world, job) for job in jobs)
    assert stands(world, kept)
    sizes = [
        sum(last - first + 1 for first, last in entry.data["numbers"])
        for entry in world.entries()
        if entry.type == "retention.pruned"
    ]
    assert sum(sizes) == 10
    assert max(sizes) <= 3
    world.check()


def test_it_goes_on_after_a_crash() -> None:
    world = World(limits=Limits(prune_jobs_max=2))
    jobs = [done(world) for _ in range(6)]
    world.tick(HOUR)
    world.crash([KeepJobs(kind="", keep_us=SECOND, reason="")])
    assert all(stands(world, job) for job in jobs)
    keep(world, 60)
    world.crash()
    assert not any(stands(world, job) for job in jobs)
    world.check()


def test_nothing_is_pruned_while_the_engine_drains(world: World) -> None:
    keep(world, 60)
    job = done(world)
    world.ask(StartDraining(reason=""))
    world.tick(DAY)
    assert stands(world, job)
    world.restart()
    assert not stands(world, job)


def test_a_preview_counts_and_changes_nothing(world: World) -> None:
    done(world)
    failed(world)
    done(world, "other")
    world.tick(HOUR)
    done(world)
    before = world.entries()
    now_us = world.clock.now_us()

    def preview(seconds: int | None, kind: str | None = None) -> RetentionPreview:
        return preview_retention(
            world.store, PreviewRetention(kind=kind, keep_seconds=seconds), world.limits, now_us
        )

    assert preview(60) == RetentionPreview(jobs=2, needed=1)
    assert preview(60, "other") == RetentionPreview(jobs=1, needed=0)
    assert preview(None) == preview(DAY) == RetentionPreview(jobs=0, needed=0)
    assert world.entries() == before
    keep(world, DAY, "other")
    assert preview(60) == RetentionPreview(jobs=1, needed=1)


def test_a_preview_says_that_it_has_not_looked_at_all_jobs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sheratan.engine.retention_views._LOOKED_MAX", 4)
    for _ in range(5):
        done(world)
    world.tick(HOUR)
    limits = Limits(prune_look_jobs_max=2)
    request = PreviewRetention(kind=None, keep_seconds=60)
    now_us = world.clock.now_us()
    assert preview_retention(world.store, request, limits, now_us) == RetentionPreview(
        jobs=4, needed=0, is_more=True
    )
    monkeypatch.setattr("sheratan.engine.retention_views._LOOKED_MAX", 6)
    assert preview_retention(world.store, request, limits, now_us) == RetentionPreview(jobs=5, needed=0)


@pytest.mark.parametrize(
    ("kept", "rest"), [(1, 60), (60, 60), (600, 600), (HOUR, HOUR), (DAY, HOUR), (None, None)]
)
def test_between_two_walks_the_engine_sleeps_as_long_as_jobs_are_kept_within_bounds(
    world: World, kept: int | None, rest: int | None
) -> None:
    assert world.decider.next_wake_us() is None
    keep(world, kept)
    assert world.decider.next_wake_us() == (None if rest is None else rest * SECOND)
    if rest is not None:
        world.tick(rest - 1)
        assert world.decider.next_wake_us() == SECOND
        world.tick(1)
        assert world.decider.next_wake_us() == rest * SECOND
        world.ask(StartDraining(reason=""))
        assert world.decider.next_wake_us() is None


def test_a_secret_in_the_reason_is_refused(world: World) -> None:
    with pytest.raises(InvalidInput, match="written down stays"):
        keep(world, 60, reason="ghp_" + "a1B2" * 9)


def test_there_are_only_so_many_kinds_with_something_set() -> None:
    world = World(limits=Limits(queues_max=2))
    keep(world, 60, "a")
    keep(world, 60, "b")
    keep(world, 70, "b")
    with pytest.raises(LimitReached, match=r"limits\.queues_max"):
        keep(world, 60, "c")


assert issubclass(Pruned, NotFound)
assert not issubclass(Pruned, Conflict)


def test_nobody_finds_a_pruned_job_by_the_key_that_outlives_it(world: World) -> None:
    keep(world, HOUR)
    job = done(world, key="once")
    wanted = JobFilter(text="once")
    assert world.store.find_jobs(Search(wanted, 10)) == [parse_job_id(job).number]
    world.tick(HOUR + 1)
    assert not stands(world, job)
    assert world.store.find_jobs(Search(wanted, 10)) == []
    entry = world.ask(StartBulk(action="cancel", filter=wanted))
    world.tick(1)
    bulk = world.store.bulk(entry)
    assert bulk is not None
    assert bulk.ended is not None
    world.check()
