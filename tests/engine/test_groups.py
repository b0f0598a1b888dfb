"""Jobs that are collected: when they start, and which of them run together."""

from __future__ import annotations

from typing import Any

import pytest

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.flow import FlowLimits
from sheratan.contracts.groups import Collect
from sheratan.contracts.jobs import KindDescription
from sheratan.contracts.limits import Limits
from sheratan.contracts.values import convert
from sheratan.contracts.worker import Assignment, Registration
from sheratan.engine import commands
from sheratan.engine.commands import Cancel, LimitStarts, Pause, Resume, StartDraining
from sheratan.engine.explain import story
from sheratan.kernel.collecting import Member, groups_of
from tests.engine.world import Answer, World


def collector(
    world: World, jobs_max: int = 3, wait_seconds: float = 5.0, *others: str, slots: int = 20
) -> int:
    """A worker that collects jobs of kind `work`, and offers other kinds that are not collected."""
    collect = Collect(jobs_max=jobs_max, wait_seconds=wait_seconds)
    kinds = (KindDescription(name="work", collect=collect), *(KindDescription(name=one) for one in others))
    for one in kinds:
        world.registry.declare(one, None)
    registration = Registration(name="collector", kinds=kinds, slots=slots)
    session: int = world.ask(commands.RegisterWorker(registration=registration, local=True))
    return session


def numbers(given: list[Assignment]) -> list[tuple[int, int]]:
    """Each job with its group."""
    return [(one.number, one.group) for one in given]


def waits(answer: Answer) -> bool:
    return not answer.given


def test_jobs_start_together_when_there_are_enough(world: World) -> None:
    answer = world.ask_lease(collector(world), 10)
    world.submit()
    world.submit()
    assert waits(answer)
    world.submit()
    assert numbers(answer.value) == [(1, 1), (2, 1), (3, 1)]


def test_fewer_start_together_when_the_next_one_has_waited_long_enough(world: World) -> None:
    answer = world.ask_lease(collector(world), 10)
    world.submit()
    world.tick(4)
    world.submit()
    assert waits(answer)
    assert world.decider.next_wake_us() == 1_000_000
    world.tick(0.999)
    assert waits(answer)
    world.tick(0.001)
    assert numbers(answer.value) == [(1, 1), (2, 1)]


def test_more_than_a_group_start_as_several(world: World) -> None:
    for _ in range(7):
        world.submit()
    assert numbers(world.lease(collector(world), 10)) == [
        (1, 1), (2, 1), (3, 1), (4, 4), (5, 4), (6, 4), (7, 7),
    ]  # fmt: skip


def test_a_worker_with_fewer_places_gets_a_smaller_group(world: World) -> None:
    for _ in range(3):
        world.submit()
    session = collector(world)
    assert numbers(world.lease(session, 2)) == [(1, 1), (2, 1)]
    answer = world.ask_lease(session, 2)
    assert waits(answer), "the one that is left is collected anew"
    world.tick(5)
    assert numbers(answer.value) == [(3, 3)]


def test_jobs_of_other_lanes_neither_wait_nor_join(world: World) -> None:
    session = collector(world, 2, 5.0, "other")
    world.submit("work")
    world.submit("work", queue="mail")
    world.submit("other")
    assert numbers(world.lease(session, 10)) == [(3, 0)]
    world.submit("work", queue="mail")
    assert numbers(world.lease(session, 10)) == [(2, 2), (4, 2)]
    decided = world.last("worker.leased").decision
    assert decided is not None
    assert ["default/work", "its jobs are being collected, 1 job waiting"] in decided["rejected"]


def test_another_worker_that_does_not_collect_takes_them_at_once(world: World) -> None:
    collecting = world.ask_lease(collector(world), 10)
    world.submit()
    assert waits(collecting)
    assert numbers(world.lease(world.register(), 10)) == [(1, 0)]


def test_partitions_share_a_group_and_the_oldest_of_them_says_how_long_it_waits(world: World) -> None:
    answer = world.ask_lease(collector(world, 3), 10)
    world.submit(partition="acme")
    world.tick(2)
    world.submit(partition="umbrella")
    world.tick(2.9)
    assert waits(answer)
    world.tick(0.1)
    assert sorted(numbers(answer.value)) == [(1, 1), (2, 1)]


def test_limits_hold_for_each_job_of_a_group(world: World) -> None:
    world.ask(LimitStarts(subject="kind:work", limits=FlowLimits(concurrency=2), reason=""))
    session = collector(world)
    for _ in range(3):
        world.submit()
    first, second = world.lease(session, 10)
    answer = world.ask_lease(session, 10)
    world.settle(first)
    world.tick(5)
    assert numbers(answer.value) == [(3, 3)]
    world.settle(second)


def test_what_is_paused_is_not_collected(world: World) -> None:
    world.ask(Pause(subject="queue:default", reason=""))
    answer = world.ask_lease(collector(world, 2), 10)
    world.submit()
    world.submit()
    world.tick(60)
    assert waits(answer)
    world.ask(Resume(subject="queue:default"))
    assert len(answer.value) == 2


def test_each_member_ends_by_itself(world: World) -> None:
    jobs = [world.submit(attempts_max=2, backoff_base_seconds=0.0) for _ in range(3)]
    session = collector(world)
    first, second, third = world.lease(session, 10)
    world.settle(first, output=1)
    assert world.ask(Cancel(id=jobs[1], reason="not this one")) == "requested"
    world.settle(second, "cancelled")
    assert "together with 2 others" in str([line.text for line in story(world.store, jobs[0]).lines])
    assert [world.state_of(job) for job in jobs] == ["succeeded", "cancelled", "running"]
    world.settle(third, "released")
    answer = world.ask_lease(session, 10)
    world.tick(5)
    assert numbers(answer.value) == [(3, 3)]


def test_a_lost_worker_loses_all_members(world: World) -> None:
    jobs = [world.submit() for _ in range(3)]
    session = collector(world)
    world.lease(session, 10)
    world.ask(commands.EndSession(session=session))
    assert {world.state_of(job) for job in jobs} == {"queued"}
    assert [one.worker_losses for one in world.lease(collector(world), 10)] == [1, 1, 1]


def test_after_a_crash_the_next_worker_goes_on_collecting(world: World) -> None:
    world.submit()
    world.tick(3)
    world.crash()
    answer = world.ask_lease(collector(world), 10)
    world.tick(1)
    assert waits(answer)
    world.tick(1)
    assert len(answer.value) == 1


def test_an_engine_that_drains_starts_no_group(world: World) -> None:
    answer = world.ask_lease(collector(world), 10)
    world.submit()
    world.ask(StartDraining(reason=""))
    world.tick(60)
    assert waits(answer)


def test_no_more_run_together_than_one_lease_call_may_give() -> None:
    world = World(limits=Limits(lease_jobs_max=2))
    for _ in range(3):
        world.submit()
    assert numbers(world.lease(collector(world), 10)) == [(1, 1), (2, 1)]
    world.check()


def test_what_nobody_collects_has_no_groups_and_the_rule_it_had(world: World) -> None:
    world.submit()
    session = collector(world, 3, 5.0, "other")
    world.submit("other")
    world.lease(world.register(), 1)
    entry = world.last("worker.leased")
    assert "groups" not in entry.data
    assert entry.decision is not None
    assert entry.decision["rule"] == "dispatch.order@2"
    assert session > 0


@pytest.mark.parametrize(
    "given", [{"jobs_max": 0}, {"jobs_max": 1_001}, {"wait_seconds": -1}, {"wait_seconds": 86_401}]
)
def test_what_no_group_can_be_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        convert({"jobs_max": 2, "wait_seconds": 1} | given, Collect)


def test_groups_are_filled_in_order_and_lane_by_lane() -> None:
    members = [
        Member(1, "a", 2),
        Member(2, "b", 3),
        Member(3, "c", None),
        Member(4, "a", 2),
        Member(5, "a", 2),
    ]
    assert groups_of(members) == [[1, 4], [2], [5]]


@pytest.mark.usefixtures("small_windows")
def test_what_is_not_in_memory_is_looked_at_before_anything_else_starts(world: World) -> None:
    plain, session = world.register("plain"), collector(world, 100, 5.0, "other")
    for _ in range(12):
        world.submit()
    world.submit(kind="other", priority=9)
    world.tick(5)
    in_memory = len(world.state.windows[1])
    assert 0 < in_memory < 12
    calls = (commands.LeaseJobs(session=plain, slots=in_memory), commands.LeaseJobs(session=session, slots=2))
    first, second = world.batch(*calls)
    assert len(first.value) == in_memory
    assert [one.kind for one in second.value] == ["work", "work"]


def test_what_others_are_given_may_leave_jobs_that_have_waited_long_enough(world: World) -> None:
    # The collector is asked first, and must be asked again.
    session, plain = collector(world, 20, 5.0), world.register("plain")
    old = world.submit()
    world.tick(3)
    urgent = world.submit(priority=0)
    answer = world.ask_lease(session, 2)
    world.tick(2.5)
    assert waits(answer), "the next one has not waited for long enough"
    assert [one.id for one in world.lease(plain)] == [urgent]
    assert [one.id for one in answer.value] == [old]
