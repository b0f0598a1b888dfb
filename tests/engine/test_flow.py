"""Limits of queues and kinds: how many run, how quickly they start, whose turn it is, and what a job says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sheratan.contracts.errors import InvalidInput, LimitReached
from sheratan.contracts.flow import FlowLimits, Rate
from sheratan.contracts.jobs import Options, Submission
from sheratan.contracts.limits import Limits
from sheratan.contracts.worker import Report
from sheratan.engine.blockers import flow_records
from sheratan.engine.commands import LimitStarts, Pause, Resume, Settle
from sheratan.engine.explain import story
from sheratan.engine.prepare import prepare_reports
from tests.engine.world import SECOND, World


def limit(world: World, subject: str, **limits: object) -> int:
    wanted = FlowLimits(**limits)  # type: ignore[arg-type]
    return int(world.ask(LimitStarts(subject=subject, limits=wanted, reason="a test")))


# ---------------------------------------------------------------------------------------------------------------------
# How many run


@pytest.mark.parametrize("subject", ["queue:default", "kind:work"])
def test_no_more_jobs_run_than_a_limit_lets_whoever_asks(world: World, subject: str) -> None:
    limit(world, subject, concurrency=2)
    jobs = [world.submit() for _ in range(5)]
    given = world.lease(world.register(), 4)
    assert [one.id for one in given] == jobs[:2]
    other = world.ask_lease(world.register("v"), 4)
    assert not other.given
    world.settle(given[0])
    assert [one.id for one in other.value] == [jobs[2]]


def test_other_queues_and_kinds_go_on_beside_one_that_is_full(world: World) -> None:
    limit(world, "queue:full", concurrency=1)
    world.submit(queue="full")
    held = world.submit(queue="full")
    beside = [world.submit(), world.submit("other")]
    given = world.lease(world.register(), 8)
    assert {one.id for one in given} >= set(beside)
    assert world.state_of(held) == "queued"


def test_a_kind_is_limited_over_all_its_queues(world: World) -> None:
    limit(world, "kind:work", concurrency=3)
    for queue in ("a", "b", "c"):
        world.submit(queue=queue)
        world.submit(queue=queue)
    assert len(world.lease(world.register(), 8)) == 3


def test_a_limit_holds_from_the_batch_on_in_which_it_is_set_for_what_runs_already(world: World) -> None:
    jobs = [world.submit() for _ in range(6)]
    session = world.register()
    given = world.lease(session, 3)
    limit(world, "queue:default", concurrency=2)
    answer = world.ask_lease(session, 3)
    world.settle(given[0])
    assert not answer.given
    world.settle(given[1])
    assert [one.id for one in answer.value] == [jobs[3]]


def test_a_limit_that_is_raised_or_lifted_serves_the_worker_that_waits(world: World) -> None:
    limit(world, "queue:default", concurrency=1)
    jobs = [world.submit() for _ in range(4)]
    session = world.register()
    world.lease(session)
    answer = world.ask_lease(session, 4)
    limit(world, "queue:default", concurrency=2)
    assert [one.id for one in answer.value] == [jobs[1]]
    answer = world.ask_lease(session, 4)
    limit(world, "queue:default")
    assert [one.id for one in answer.value] == jobs[2:]


def test_a_limit_outlives_the_engine_and_counts_what_runs_then(tmp_path: Path) -> None:
    world = World(tmp_path / "w.db")
    limit(world, "queue:default", concurrency=1)
    world.submit()
    world.submit()
    world.lease(world.register())
    world.crash()
    session = world.register()
    assert len(world.lease(session, 4)) == 1
    assert not world.ask_lease(session, 4).given
    world.check()
    world.close()


def test_after_a_failed_commit_the_count_is_that_of_what_runs(tmp_path: Path) -> None:
    world = World(tmp_path / "w.db")
    limit(world, "queue:default", concurrency=2)
    for _ in range(4):
        world.submit()
    session = world.register()
    world.lease(session)
    world.fill_disk()
    world.batch(world.submission(value="x" * 50_000))
    world.free_disk()
    assert len(world.lease(session, 4)) == 1
    world.check()
    world.close()


# ---------------------------------------------------------------------------------------------------------------------
# How quickly they start


def test_starts_are_spaced_by_a_rate_and_the_engine_wakes_for_each(world: World) -> None:
    limit(world, "queue:default", rate=Rate(count=2, period_seconds=10, burst=1))
    jobs = [world.submit() for _ in range(3)]
    session = world.register()
    assert [one.id for one in world.lease(session, 4)] == jobs[:1]
    answer = world.ask_lease(session, 4)
    assert world.decider.next_wake_us() == 5 * SECOND
    world.tick(4.999)
    assert not answer.given
    world.tick(0.001)
    assert [one.id for one in answer.value] == jobs[1:2]


def test_a_burst_is_not_had_again_after_a_crash(tmp_path: Path) -> None:
    world = World(tmp_path / "w.db")
    limit(world, "kind:work", rate=Rate(count=1, period_seconds=60, burst=3))
    for _ in range(6):
        world.submit()
    assert len(world.lease(world.register(), 8)) == 3
    world.tick(10)
    world.crash()
    session = world.register()
    assert not world.ask_lease(session, 8).given
    world.tick(50)
    world.check()
    assert world.store.counts()["lease"] == 1
    world.close()


def test_a_burst_that_was_not_committed_is_not_used_up(tmp_path: Path) -> None:
    world = World(tmp_path / "w.db")
    limit(world, "queue:default", rate=Rate(count=1, period_seconds=60, burst=1))
    session = world.register()
    answer = world.ask_lease(session)
    world.fill_disk()
    world.batch(world.submission(value="x" * 50_000))
    world.free_disk()
    assert answer.value == []
    world.submit()
    assert len(world.lease(session)) == 1
    world.check()
    world.close()


def test_a_job_counts_for_its_cost_and_waits_for_as_much(world: World) -> None:
    limit(world, "queue:default", rate=Rate(count=1, period_seconds=1, burst=4))
    for cost in (3, 3, 1):
        world.submit(cost=cost)
    session = world.register()
    assert len(world.lease(session, 8)) == 1
    answer = world.ask_lease(session, 8)
    assert world.decider.next_wake_us() == 2 * SECOND
    world.tick(2)
    assert len(answer.value) == 1, "the third one does not overtake it, and now it is its turn to wait"


def test_a_wall_clock_that_is_set_back_gives_no_burst(world: World) -> None:
    limit(world, "queue:default", rate=Rate(count=1, period_seconds=10, burst=1))
    world.submit()
    world.submit()
    session = world.register()
    world.lease(session)
    world.clock.step(-3_600 * SECOND)
    answer = world.ask_lease(session)
    world.tick(9.9)
    assert not answer.given
    world.tick(0.1)
    assert answer.given


def test_a_quicker_rate_does_not_wait_for_what_the_slower_one_owed(world: World) -> None:
    limit(world, "queue:default", rate=Rate(count=1, period_seconds=86_400, burst=5))
    for _ in range(7):
        world.submit()
    session = world.register()
    assert len(world.lease(session, 8)) == 5
    answer = world.ask_lease(session, 8)
    limit(world, "queue:default", rate=Rate(count=1, period_seconds=1, burst=1))
    assert not answer.given
    world.tick(1)
    assert len(answer.value) == 1


# ---------------------------------------------------------------------------------------------------------------------
# Whose turn it is


def test_turns_go_by_weight(world: World) -> None:
    limit(world, "queue:a", weight=3)
    for queue in ("a", "b"):
        for _ in range(100):
            world.submit(queue=queue)
    given = world.lease(world.register(), 80)
    assert sum(one.queue == "a" for one in given) == 60


def test_who_was_not_there_has_saved_up_nothing(world: World) -> None:
    session = world.register()
    for _ in range(100):
        world.submit(queue="early")
    for _ in range(50):
        world.run(session)
    for _ in range(50):
        world.submit(queue="late")
    given = world.lease(session, 20)
    assert sum(one.queue == "late" for one in given) == 10


def test_turns_that_a_lane_takes_alone_under_a_limit_count_like_others(world: World) -> None:
    limit(world, "queue:a", concurrency=50, weight=2)
    for queue in ("a", "b"):
        world.submit(queue=queue)
    world.lease(world.register(), 2)
    only_a = world.register("a", kinds=["work"])
    for _ in range(9):
        world.submit(queue="a")
    world.lease(only_a, 3)
    ahead = {lane.queue: world.state.flow.share(lane)[1] for lane in world.state.lanes.values()}
    # After one turn each, b was ahead by more than a; then a alone had three.
    assert ahead == {"a": 500_000, "b": 0}


def test_priority_goes_before_turns(world: World) -> None:
    for _ in range(3):
        world.submit(queue="a", priority=9)
        world.submit(queue="b", priority=5)
    urgent = [world.submit(queue="b", priority=0) for _ in range(3)]
    assert [one.id for one in world.lease(world.register(), 3)] == urgent


def test_a_lane_of_which_more_must_be_read_is_waited_for(world: World) -> None:
    jobs = [Submission(kind="work", options=Options(queue="a"))] * 1_000
    for _ in range(2):
        world.ask(world.submissions(*jobs))
    late = world.submit(queue="b", priority=9)
    world.restart()
    session, found = world.register(), list[str]()
    while world.store.counts()["ready"]:
        given = world.lease(session, 256)
        found += [one.id for one in given]
        reports = [Report(number=one.number, fence=one.fence, outcome="succeeded") for one in given]
        world.ask(Settle(session=0, reports=prepare_reports(reports, world.limits)))
    assert (len(found), found[-1]) == (2_001, late)


# ---------------------------------------------------------------------------------------------------------------------
# What a job says of it


def test_a_paused_kind_gives_no_work_in_any_queue_and_says_so(world: World) -> None:
    assert world.ask(Pause(subject="kind:work", reason="the provider is down"))
    assert not world.ask(Pause(subject="kind:work", reason="again"))
    job, other = world.submit(queue="q"), world.submit("other")
    session = world.register()
    assert [one.id for one in world.lease(session, 4)] == [other]
    [blocked] = world.record(job).blocked_by
    paused = world.last("kind.paused")
    assert (blocked.what, blocked.subject, blocked.since_us, blocked.until_us) == (
        "pause", "kind:work", paused.at, None,
    )  # fmt: skip
    assert blocked.entry == paused.seq
    assert "the provider is down" in str(world.record(job).waiting_for)
    answer = world.ask_lease(session)
    assert world.ask(Resume(subject="kind:work"))
    assert not world.ask(Resume(subject="kind:work"))
    assert answer.given


def test_a_job_says_since_when_its_queue_is_full(world: World) -> None:
    limit(world, "queue:default", concurrency=1)
    world.submit()
    job = world.submit()
    session = world.register()
    assert world.record(job).blocked_by == []
    assert world.record(job).waiting_for == "a free worker"
    world.tick(5)
    world.lease(session)
    at_us = world.last("worker.leased").at
    world.tick(5)
    [blocked] = world.record(job).blocked_by
    assert (blocked.what, blocked.since_us, blocked.until_us) == ("concurrency", at_us, None)
    assert blocked.entry == world.last("flow.limited").seq
    assert blocked.text == "queue:default, which runs 1 of 1 job"


def test_a_job_says_until_when_a_rate_holds_it_up(world: World) -> None:
    limit(world, "queue:default", rate=Rate(count=1, period_seconds=30))
    world.submit()
    job = world.submit()
    world.lease(world.register())
    at_us = world.last("worker.leased").at
    [blocked] = world.record(job).blocked_by
    assert (blocked.what, blocked.since_us, blocked.until_us) == ("rate", at_us, at_us + 30 * SECOND)
    assert blocked.entry == world.last("flow.limited").seq
    assert story(world.store, job).blocked_by == [blocked]


def test_a_lease_tells_what_was_passed_over_and_why(world: World) -> None:
    limit(world, "kind:work", concurrency=1)
    limit(world, "queue:slow", rate=Rate(count=1, period_seconds=60))
    for _ in range(2):
        world.submit()
        world.submit("other", queue="slow")
    world.lease(world.register(), 8)
    decision = world.last("worker.leased").decision
    assert decision is not None
    assert decision["rejected"] == [
        ["default/work", "kind:work runs 1 of 1 job, 1 job waiting"],
        ["slow/other", "queue:slow starts 1 in 60.000 s, the next in 60.000 s, 1 job waiting"],
    ]


def test_the_story_of_a_queue_tells_of_its_limits_between_its_pauses(world: World) -> None:
    limit(world, "queue:q", concurrency=5, rate=Rate(count=100, period_seconds=60, burst=10), weight=2)
    world.ask(Pause(subject="queue:q", reason="two"))
    limit(world, "queue:q")
    told = story(world.store, "queue:q")
    assert (told.state, [line.type for line in told.lines]) == (
        "paused",
        ["flow.limited", "queue.paused", "flow.limited"],
    )
    assert told.lines[0].text == (
        "local:tester set at most 5 jobs at once, 100 starts in 60.000 s with bursts of 10, weight 2"
        " for queue:q: a test."
    )
    assert "set no limits" in told.lines[2].text


def test_the_records_of_queues_and_kinds_tell_their_limits_and_counts(world: World) -> None:
    limit(world, "kind:work", concurrency=1)
    world.submit()
    world.submit()
    world.lease(world.register())
    found = {one.subject: one for one in flow_records(world.store, "default")}
    assert (found["kind:work"].running, found["kind:work"].queued) == (1, 1)
    assert found["kind:work"].limits == FlowLimits(concurrency=1)
    assert found["queue:default"].limits == FlowLimits()


# ---------------------------------------------------------------------------------------------------------------------
# Limits that come with a kind


def test_limits_that_come_with_a_kind_hold_from_its_worker_on(world: World) -> None:
    for _ in range(3):
        world.submit()
    session = world.register(kinds=["work"], limits=FlowLimits(concurrency=2))
    assert len(world.lease(session, 4)) == 2
    entry = world.last("flow.limited")
    assert (entry.data, entry.cause) == (
        {"limits": {"concurrency": 2}, "declared": True},
        world.last("worker.registered").seq,
    )
    assert "offers kind:work with at most 2 jobs at once" in story(world.store, "kind:work").lines[0].text


def test_the_same_limits_of_another_worker_are_not_written_again_and_others_are(world: World) -> None:
    world.register(kinds=["work"], limits=FlowLimits(concurrency=2))
    world.register(kinds=["work"], limits=FlowLimits(concurrency=2))
    world.register(kinds=["work"], limits=FlowLimits(concurrency=3))
    world.register(kinds=["work"])
    told = [entry.data["limits"] for entry in world.entries() if entry.type == "flow.limited"]
    assert told == [{"concurrency": 2}, {"concurrency": 3}, {}]


def test_what_somebody_has_set_outranks_what_comes_with_a_kind_until_it_is_lifted(world: World) -> None:
    world.register(kinds=["work"], limits=FlowLimits(concurrency=5))
    limit(world, "kind:work", concurrency=1)
    world.register(kinds=["work"], limits=FlowLimits(concurrency=5))
    assert world.state.flow.rows["default", "kind:work"].concurrency == 1
    limit(world, "kind:work")
    world.register(kinds=["work"], limits=FlowLimits(concurrency=5))
    assert world.state.flow.rows["default", "kind:work"].concurrency == 5


def test_a_worker_with_too_many_limited_kinds_is_refused_and_nothing_is_written() -> None:
    world = World(limits=Limits(queues_max=1))
    before = world.store.shard()
    with pytest.raises(LimitReached, match=r"limits\.queues_max") as refused:
        world.register(limits=FlowLimits(concurrency=5))
    assert refused.value.field == "registration.kinds"
    assert world.store.shard() == before
    world.register(kinds=["work"], limits=FlowLimits(concurrency=5))
    world.check()


# ---------------------------------------------------------------------------------------------------------------------
# What is refused


def test_too_many_limited_subjects_are_refused_with_the_name_of_the_limit() -> None:
    world = World(limits=Limits(queues_max=2))
    limit(world, "queue:a", weight=2)
    limit(world, "kind:a", weight=2)
    with pytest.raises(LimitReached, match=r"limits\.queues_max") as refused:
        limit(world, "kind:b", weight=2)
    assert refused.value.field == "kind"
    limit(world, "queue:a", weight=3)
    world.check()


def test_a_reason_that_holds_a_credential_is_refused(world: World) -> None:
    secret = "ghp_" + "a1B2" * 9
    with pytest.raises(InvalidInput, match="GitHub token"):
        world.ask(LimitStarts(subject="queue:a", limits=FlowLimits(), reason=secret))
