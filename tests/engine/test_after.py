"""Jobs that run after other jobs."""

from __future__ import annotations

import pytest

from sheratan.contracts.errors import InvalidInput, NotFound, TooLarge
from sheratan.contracts.ids import format_job_id
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import Cancel
from sheratan.store.rows import Blocked, Ready
from tests.engine.world import SECOND, World


def test_a_job_runs_after_its_parent_has_succeeded(world: World) -> None:
    parent = world.submit()
    child = world.submit(after=[parent])
    assert world.state_of(child) == "blocked"
    world.run(world.register())
    assert world.state_of(child) == "queued"
    assert world.last("job.unblocked").cause == world.last("job.succeeded").seq


def test_one_parent_frees_all_its_children(world: World) -> None:
    parent = world.submit()
    children = [world.submit(after=[parent]) for _ in range(20)]
    world.run(world.register())
    assert {world.state_of(child) for child in children} == {"queued"}


def test_a_job_with_many_parents_waits_for_the_last_of_them(world: World) -> None:
    parents = [world.submit() for _ in range(5)]
    child = world.submit(after=parents)
    session = world.register()
    given = world.lease(session, 5)
    for position, one in enumerate(given):
        assert world.state_of(child) == "blocked", position
        world.settle(one)
    assert world.state_of(child) == "queued"
    assert world.record(child).after == parents


def test_several_parents_that_end_in_one_batch_all_count(world: World) -> None:
    parents = [world.submit() for _ in range(3)]
    child = world.submit(after=parents)
    given = world.lease(world.register(), 3)
    world.batch(*(world.settlement(one) for one in given))
    assert world.state_of(child) == "queued"


def test_a_parent_that_fails_cancels_its_children_and_theirs(world: World) -> None:
    parent = world.submit(attempts_max=1)
    child = world.submit(after=[parent])
    grandchild = world.submit(after=[child])
    great = world.submit(after=[grandchild, child])
    world.run(world.register(), "failed")
    assert [world.state_of(job) for job in (child, grandchild, great)] == ["cancelled"] * 3
    decisions = [entry.decision for entry in world.entries() if entry.type == "job.cancelled"]
    assert all(one is not None and one["rule"] == "job.after@1" for one in decisions)


def test_a_parent_that_is_cancelled_cancels_its_children(world: World) -> None:
    parent = world.submit()
    child = world.submit(after=[parent])
    world.cancel(parent)
    assert world.state_of(child) == "cancelled"


def test_a_child_that_allows_it_runs_after_a_failed_parent(world: World) -> None:
    parent, other = world.submit(attempts_max=1), world.submit()
    child = world.submit(after=[parent, other], after_failure="run")
    session = world.register()
    world.run(session, "failed")
    waiting = world.location(child)
    assert type(waiting) is Blocked
    assert (waiting.missing, waiting.failed) == (1, 1)
    world.run(session)
    assert world.state_of(child) == "queued"
    decision = world.last("job.unblocked").decision
    assert decision is not None
    assert decision["input"]["failed"] == 1


def test_a_child_that_was_freed_earlier_in_the_batch_is_no_longer_blocked_for_what_comes_later(
    world: World,
) -> None:
    parent = world.submit()
    child = world.submit(after=[parent])
    [given] = world.lease(world.register())
    world.batch(world.settlement(given), Cancel(id=child, reason=""))
    assert world.types(child) == ["job.submitted", "job.unblocked", "job.cancelled"]


def test_a_child_of_a_parent_that_has_failed_already_is_cancelled_or_runs_as_it_says(world: World) -> None:
    parent = world.submit(attempts_max=1)
    world.run(world.register(), "failed")
    assert world.state_of(world.submit(after=[parent])) == "cancelled"
    assert world.state_of(world.submit(after=[parent], after_failure="run")) == "queued"


def test_a_child_of_a_parent_that_has_succeeded_already_starts_at_once(world: World) -> None:
    parent = world.submit()
    world.run(world.register())
    assert world.state_of(world.submit(after=[parent])) == "queued"


def test_a_parent_that_ends_in_the_same_batch_before_the_child_comes_counts(world: World) -> None:
    parent = world.submit()
    [given] = world.lease(world.register())
    _, submitted = world.batch(world.settlement(given), world.submission(after=[parent]))
    [(child, _)] = submitted.value
    assert world.state_of(child) == "queued"


def test_a_parent_that_ends_in_the_same_batch_after_the_child_came_counts(world: World) -> None:
    parent = world.submit()
    [given] = world.lease(world.register())
    submitted, _ = world.batch(world.submission(after=[parent]), world.settlement(given))
    [(child, _)] = submitted.value
    assert world.state_of(child) == "queued"


def test_a_parent_that_fails_in_the_same_batch_cancels_the_child(world: World) -> None:
    parent = world.submit(attempts_max=1)
    [given] = world.lease(world.register())
    submitted, _ = world.batch(world.submission(after=[parent]), world.settlement(given, "failed"))
    [(child, _)] = submitted.value
    assert world.state_of(child) == "cancelled"


def test_the_delay_of_a_child_goes_on_while_it_waits_for_its_parent(world: World) -> None:
    parent = world.submit()
    child = world.submit(after=[parent], delay_seconds=10)
    world.tick(4)
    world.run(world.register())
    assert world.state_of(child) == "scheduled"
    world.tick(5.9)
    assert world.state_of(child) == "scheduled"
    world.tick(0.1)
    assert world.state_of(child) == "queued"


def test_a_parent_that_is_lost_at_the_start_of_an_engine_frees_its_children() -> None:
    world = World(limits=Limits(worker_losses_max=1))
    parent = world.submit()
    child = world.submit(after=[parent], after_failure="run")
    world.lease(world.register())
    world.crash()
    assert (world.state_of(parent), world.state_of(child)) == ("failed", "queued")
    world.check()


def test_blocked_jobs_survive_a_crash(world: World) -> None:
    parent = world.submit()
    child = world.submit(after=[parent])
    world.crash()
    world.run(world.register())
    assert world.state_of(child) == "queued"


def test_an_unknown_parent_is_refused_and_nothing_is_written(world: World) -> None:
    before = world.store.shard()
    with pytest.raises(NotFound):
        world.submit(after=[format_job_id(0, 0, 5, 0)], queue="new")
    assert world.store.shard() == before
    assert world.store.lanes() == []
    assert list(world.store.job_numbers()) == []


@pytest.mark.parametrize("after", [["nonsense"], ["job_1"], [""]])
def test_a_misspelt_parent_is_refused_by_field(world: World, after: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        world.submit(after=after)
    assert refused.value.field == "after"


def test_a_parent_named_twice_is_refused(world: World) -> None:
    parent = world.submit()
    with pytest.raises(InvalidInput, match="twice"):
        world.submit(after=[parent, parent])


def test_more_parents_than_allowed_are_refused_with_the_name_of_the_limit() -> None:
    world = World(limits=Limits(after_jobs_max=2))
    parents = [world.submit() for _ in range(3)]
    with pytest.raises(TooLarge, match=r"limits\.after_jobs_max"):
        world.submit(after=parents)
    world.submit(after=parents[:2])
    world.check()


def test_the_limit_on_waiting_begins_with_a_jobs_turn(world: World) -> None:
    parent = world.submit()
    blocked = world.submit(after=[parent], queue_timeout_seconds=5)
    delayed = world.submit(delay_seconds=30, queue_timeout_seconds=5)
    assert list(world.store.alarms()) == []
    world.tick(20)
    session = world.register()
    world.run(session)
    assert world.state_of(blocked) == "queued"
    [(due_us, number)] = world.store.alarms()
    location = world.location(blocked)
    assert isinstance(location, Ready)
    assert (due_us, number) == (location.since_us + 5 * SECOND, location.number)
    world.tick(4)
    assert world.state_of(blocked) == "queued"
    world.tick(1)
    assert world.state_of(blocked) == "failed"
    world.tick(5)
    assert world.state_of(delayed) == "queued"
    world.tick(5)
    assert world.state_of(delayed) == "failed"
    assert list(world.store.alarms()) == []
