"""What is still needed is kept: by jobs, runs and schedules that go on, and payloads by whoever names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from sheratan.contracts.approvals import ListApprovals
from sheratan.contracts.jobs import Options, Submission
from sheratan.contracts.limits import Limits
from sheratan.contracts.worker import Wait
from sheratan.engine.commands import Cancel, DeleteSchedule, Discard, ForkRun, KeepJobs
from sheratan.engine.inbox import list_approvals
from sheratan.engine.views import find_view, job_record
from sheratan.kernel.canonical import canonical, digest
from tests.engine.approving import asked, seen, vote
from tests.engine.retaining import DAY, HOUR, child_of_pruned, done, keep, rows, stands
from tests.engine.runs import FAILED, node, wf, work_off
from tests.engine.test_dead_letters import failed
from tests.engine.world import BIG, SECOND, World


def test_a_dead_letter_is_kept_until_somebody_has_dealt_with_it(world: World) -> None:
    keep(world, 60)
    job = failed(world)
    world.tick(DAY)
    assert stands(world, job)
    world.ask(Discard(id=job, reason=""))
    world.tick(HOUR)
    assert not stands(world, job)


def test_what_a_job_runs_after_is_kept_until_it_has_ended(world: World) -> None:
    keep(world, 60)
    first, other = done(world), world.submit(delay_seconds=DAY)
    last = world.submit(after=(first, other))
    world.tick(HOUR)
    assert stands(world, first)
    world.ask(Cancel(id=other, reason=""))
    assert world.state_of(last) == "cancelled"
    world.tick(HOUR)
    assert not any(stands(world, job) for job in (first, other, last))


def test_a_job_that_comes_in_after_another_in_the_batch_that_would_prune_it_keeps_it(world: World) -> None:
    first = done(world)
    world.tick(HOUR)
    submitted, _ = world.batch(world.submission(after=(first,)), KeepJobs(kind="", keep_us=SECOND, reason=""))
    assert submitted.error is None
    assert stands(world, first)


def test_children_are_kept_as_long_as_their_parent_is_open(world: World) -> None:
    keep(world, 60)
    parent = world.submit(run_timeout_seconds=DAY)
    [given] = world.lease(world.register())
    [child] = world.spawn(given, 1, Submission(kind="other"))
    [taken] = world.lease(world.register("v", ["other"]))
    world.settle(taken)
    world.tick(HOUR)
    assert stands(world, child)
    world.settle(given)
    world.tick(HOUR)
    assert not stands(world, child)
    assert not stands(world, parent)


def test_jobs_of_an_open_run_are_kept_and_those_of_ended_ones_are_not(world: World) -> None:
    keep(world, 60)
    run = world.start_run(wf(node("a"), node("b", input="${a.output}")))
    [given] = world.lease(world.register())
    world.settle(given, output=1)
    world.tick(HOUR)
    assert rows(world)["job"] == 2
    work_off(world, world.register(), lambda _: "x")
    world.tick(HOUR)
    assert rows(world)["job"] == 0
    record = world.run_record(run)
    assert (record.state, [one.state for one in record.nodes]) == ("succeeded", ["succeeded", "succeeded"])
    assert [len(one.jobs) for one in record.nodes] == [1, 1]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_run_that_takes_a_node_over_keeps_its_jobs(world: World, at_once: bool) -> None:
    flow = wf(node("a"), node("b"), node("c", input=["${a.output}", "${b.output}"]))
    run = world.start_run(flow)
    work_off(world, world.register(), lambda work: FAILED if work.node == "b" else "old")
    world.tick(HOUR)
    commands = (KeepJobs(kind="", keep_us=SECOND, reason=""), ForkRun(id=run, node="b", key=None))
    if at_once:
        _, fork = world.batch(*commands)
    else:
        [fork], _ = world.batch(commands[1]), world.batch(commands[0])
    again, _ = fork.value
    world.tick(HOUR)
    assert world.node_states(again) == {"a": "succeeded", "b": "running", "c": "blocked"}
    done = work_off(world, world.register(), lambda _: "new")
    assert [work.input for work in done] == [None, ["old", "new"]]
    assert world.run_record(again).state == "succeeded"


def test_a_payload_stays_as_long_as_any_row_names_it(world: World) -> None:
    first = done(world, value=BIG)
    world.tick(HOUR)
    second = world.submit(value=BIG)
    keep(world, HOUR)
    assert not stands(world, first)
    view = find_view(world.store, second)
    assert job_record(world.store, view).input == BIG


def test_an_open_job_is_never_pruned(world: World) -> None:
    keep(world, 1)
    jobs = [world.submit(), world.submit(delay_seconds=9 * DAY), world.submit(after=(world.submit(),))]
    world.tick(8 * DAY)
    assert all(stands(world, job) for job in jobs)


def test_the_last_job_of_a_schedule_is_kept_until_another_comes_or_it_is_deleted(world: World) -> None:
    keep(world, 60)
    world.schedule(every_seconds=DAY, overlap="skip")
    jobs: list[str] = []
    for _ in range(2):
        world.tick(DAY)
        jobs.append(world.last("schedule.fired").data["job"])
        world.run(world.register())
        world.tick(HOUR)
        assert stands(world, jobs[-1])
    world.tick(HOUR)
    assert not stands(world, jobs[0])
    world.ask(DeleteSchedule(name="s", reason=""))
    world.tick(HOUR)
    assert not stands(world, jobs[1])


def test_a_schedule_fires_again_after_its_last_job_has_been_kept_for_long_enough(world: World) -> None:
    keep(world, 60)
    world.schedule(every_seconds=DAY, overlap="skip")
    for _ in range(3):
        world.tick(DAY)
        world.run(world.register())
    assert len(world.fired()) == 3


# ----------------------------------------------------------------------------------------------------------------------
# Whoever comes upon what was pruned


def test_a_job_may_wait_although_those_that_it_descends_from_were_pruned(world: World) -> None:
    held = child_of_pruned(world)
    [grandchild] = world.spawn(held, 1, Submission(kind="work"))
    assert world.park(held, Wait(name="wait:jobs", occurrence=1, what="jobs", jobs=(grandchild,)))
    world.run(world.register())
    assert world.state_of(held.id) == "queued"


def test_a_job_that_fails_after_one_was_pruned_that_it_had_been_given_by_its_key(world: World) -> None:
    keep(world, 60, "work")
    known = done(world, key="k")
    parent = world.submit("other", run_timeout_seconds=DAY)
    [given] = world.lease(world.register("v", ["other"]))
    assert world.spawn(given, 1, Submission(kind="work", options=msgspec.convert({"key": "k"}, Options))) == [
        known
    ]
    world.tick(HOUR)
    assert not stands(world, known)
    assert world.fail(given, "fatal")
    assert world.state_of(parent) == "failed"


def test_a_backfill_names_the_jobs_that_were_pruned_and_submits_no_others(world: World) -> None:
    keep(world, 60)
    begun_us = world.clock.now_us()
    world.schedule(every_seconds=600)
    jobs: list[str] = []
    for _ in range(2):
        world.tick(600)
        jobs.append(world.last("schedule.fired").data["job"])
        world.run(world.register())
    world.tick(300)
    assert [stands(world, job) for job in jobs] == [False, True]
    firings = world.backfill("s", begun_us + SECOND, world.clock.now_us())
    assert [one.job for one in firings] == jobs
    assert world.types().count("job.submitted") == 2


def test_a_firing_whose_job_was_made_up_for_and_pruned_submits_none() -> None:
    world = World(limits=Limits(queue_jobs_max=1))
    session = world.register()
    world.submit()
    world.schedule(every_seconds=60)
    world.tick(60)
    world.run(session)
    now_us = world.clock.now_us()
    [made] = world.backfill("s", now_us, now_us)
    world.run(session)
    world.tick(2)
    keep(world, 1)
    assert not stands(world, str(made.job))
    world.tick(3)
    assert world.fired() == []
    assert f"it had submitted {made.job} before" in world.last("schedule.skipped").data["reason"]
    world.check()


def test_what_was_asked_for_by_a_job_that_was_pruned_can_be_read(world: World) -> None:
    job, approval = asked(world, subject={"cents": 1})
    vote(world, approval)
    world.run(world.register())
    keep(world, 60)
    world.tick(HOUR)
    assert not stands(world, job)
    record = seen(world, approval)
    assert (record.job, record.state, record.subject) == (job, "approved", {"cents": 1})
    page = list_approvals(world.store, ListApprovals(), world.limits, None)
    assert [one.job for one in page.items] == [job]


# ----------------------------------------------------------------------------------------------------------------------
# Payloads


def by_result(world: World) -> Any:
    world.submit("other")
    world.run(world.register("v", ["other"]), output=BIG)
    return BIG


def by_step(world: World) -> Any:
    world.submit("other", run_timeout_seconds=DAY)
    [given] = world.lease(world.register("v", ["other"]))
    world.steps(given, (1, "s", BIG))
    return BIG


def by_signal(world: World) -> Any:
    world.send(world.submit("other", delay_seconds=DAY), "go", BIG)
    return BIG


def by_schedule(world: World) -> Any:
    world.schedule(every_seconds=DAY, submission=Submission(kind="other", input=BIG))
    payload = world.schedule_row().payload
    assert payload is not None
    return msgspec.json.decode(world.store.payload(payload))


def by_run_input(world: World) -> Any:
    world.start_run(wf(node("a")), BIG)
    work_off(world, world.register())
    return BIG


def by_run_output(world: World) -> Any:
    world.start_run(wf(node("a"), output="${a.output}"))
    work_off(world, world.register(), lambda _: BIG)
    return BIG


def by_plan(world: World) -> Any:
    world.start_run(wf(*(node(f"n{number}") for number in range(20))))
    work_off(world, world.register())
    [run] = world.store.runs([1])
    return msgspec.json.decode(world.store.payload(run.plan))


def by_approval(world: World) -> Any:
    _, approval = asked(world, subject=BIG, seconds=DAY)
    assert seen(world, approval).state == "open"
    return BIG


OWNERS = [by_result, by_step, by_signal, by_schedule, by_run_input, by_run_output, by_plan, by_approval]


@pytest.mark.parametrize("owner", OWNERS, ids=lambda owner: owner.__name__)
def test_a_payload_outlives_a_job_that_shares_it(world: World, owner: Callable[[World], Any]) -> None:
    value = owner(world)
    text = canonical(value)
    job = world.submit("work", value)
    session = world.register("w", ["work"])
    while world.store.counts()["ready"]:
        world.run(session)
    view = find_view(world.store, job)
    assert view.job.payload == bytes.fromhex(digest(text)), "it is kept apart, under the same digest"
    world.tick(HOUR)
    keep(world, 60, "work")
    assert not stands(world, job)
    assert world.store.payload(bytes.fromhex(digest(text))) == text
