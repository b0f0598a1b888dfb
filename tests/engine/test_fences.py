"""A lease is a hint, a fence is the guard."""

from __future__ import annotations

import msgspec
import pytest

from sheratan.contracts.errors import LostLease
from sheratan.engine.commands import EndSession, Settle
from sheratan.engine.explain import story
from tests.engine.world import World


def test_a_stale_report_changes_nothing_and_is_kept_as_evidence(world: World) -> None:
    job = world.submit()
    first = world.register()
    [stale] = world.lease(first)
    world.ask(EndSession(session=first))
    [current] = world.lease(world.register("v"))
    before = world.location(job)
    assert not world.settle(stale, output="late")
    assert world.location(job) == before
    lines = [line for line in story(world.store, job).lines if line.type == "job.fenced_off"]
    assert len(lines) == 1
    assert f"the current fence is {current.fence}" in lines[0].text
    assert world.last("job.fenced_off").cause == stale.fence
    assert world.settle(current, output="in time")
    assert world.record(job).output == "in time"


def test_fences_of_a_job_only_rise(world: World) -> None:
    world.submit(attempts_max=9, backoff_base_seconds=0.0)
    session = world.register()
    fences = []
    for _ in range(4):
        [given] = world.lease(session)
        fences.append(given.fence)
        world.fail(given)
    world.crash()
    fences.append(world.lease(world.register())[0].fence)
    assert fences == sorted(set(fences))


def test_the_same_report_twice_counts_once(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    once, again = world.batch(world.settlement(given, output=1), world.settlement(given, output=2))
    assert (once.value, again.value) == ([True], [False])
    assert world.record(job).output == 1


def test_two_reports_about_one_attempt_in_one_call_count_once(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    won, lost = world.settlement(given, output=1), world.settlement(given, "failed")
    assert world.ask(Settle(session=0, reports=won.reports + lost.reports)) == [True, False]
    assert world.state_of(job) == "succeeded"


@pytest.mark.parametrize("number", [0, -1, 999, 1 << 60])
def test_a_report_about_a_job_that_never_was_is_refused_without_a_trace(world: World, number: int) -> None:
    world.submit()
    [given] = world.lease(world.register())
    entries = len(world.entries())
    assert not world.settle(msgspec.structs.replace(given, number=number))
    assert len(world.entries()) == entries


@pytest.mark.parametrize("fence", [-5, 0, 1 << 52])
def test_a_made_up_fence_is_refused(world: World, fence: int) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    assert not world.settle(msgspec.structs.replace(given, fence=fence))
    assert world.state_of(job) == "running"


def test_a_job_that_lost_its_lease_submits_nothing(world: World) -> None:
    world.submit()
    session = world.register()
    [given] = world.lease(session)
    child = msgspec.structs.replace(world.submission(), by_job=given.number, fence=given.fence)
    world.ask(child)
    world.ask(EndSession(session=session))
    jobs = list(world.store.job_numbers())
    with pytest.raises(LostLease) as refused:
        world.ask(child)
    assert refused.value.field == "fence"
    assert list(world.store.job_numbers()) == jobs


def test_a_job_submitted_by_a_running_job_names_it(world: World) -> None:
    parent = world.submit()
    [given] = world.lease(world.register())
    child = msgspec.structs.replace(world.submission(), by_job=given.number, fence=given.fence)
    [(job, _)] = world.ask(child)
    assert world.record(job).submitted_by_job == parent
