"""Jobs that submit jobs: by their fence, in their own name, and not without end."""

from __future__ import annotations

import msgspec
import pytest

from sheratan.contracts.errors import LimitReached, LostLease, Unavailable
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import Submit
from tests.engine.world import BIG, World


def by(world: World, number: int, fence: int, count: int = 1, **options: str) -> Submit:
    """A submission of some jobs by a running one."""
    jobs = [world.submission(**options).jobs[0] for _ in range(count)]
    return msgspec.structs.replace(world.submission(), jobs=tuple(jobs), by_job=number, fence=fence)


def test_a_job_that_submits_another_is_named_as_its_actor_known_by_its_lease() -> None:
    world = World()
    world.submit()
    [given] = world.lease(world.register())
    world.ask(by(world, given.number, given.fence))
    entry = world.last("job.submitted")
    assert (entry.actor, entry.auth) == (given.id, "lease")
    assert entry.data["by_job"] == given.id


def test_an_attempt_that_was_given_up_submits_nothing() -> None:
    world = World()
    job = world.submit(run_timeout_seconds=1)
    [given] = world.lease(world.register())
    world.tick(1)
    assert world.state_of(job) == "scheduled"
    with pytest.raises(LostLease):
        world.ask(by(world, given.number, given.fence))
    assert world.types().count("job.submitted") == 1


def test_an_attempt_submits_no_more_jobs_than_it_may_and_is_told_the_limit() -> None:
    world = World(limits=Limits(fan_out_jobs_max=3))
    world.submit()
    [given] = world.lease(world.register())
    world.ask(by(world, given.number, given.fence, 2))
    with pytest.raises(LimitReached, match="fan_out_jobs_max"):
        world.ask(by(world, given.number, given.fence, 2))
    world.ask(by(world, given.number, given.fence, 1))
    assert world.types().count("job.submitted") == 4


def test_what_a_key_has_made_before_does_not_count_again() -> None:
    world = World(limits=Limits(fan_out_jobs_max=1))
    world.submit()
    [given] = world.lease(world.register())
    for _ in range(3):
        world.ask(by(world, given.number, given.fence, key="the same"))
    assert world.types().count("job.submitted") == 2


def test_the_next_attempt_may_submit_as_many_again() -> None:
    world = World(limits=Limits(fan_out_jobs_max=1))
    job = world.submit()
    session = world.register()
    [given] = world.lease(session)
    world.ask(by(world, given.number, given.fence))
    world.fail(given)
    world.tick(60)
    again = next(one for one in world.lease(session, 2) if one.id == job)
    world.ask(by(world, again.number, again.fence))
    assert world.types().count("job.submitted") == 3


def test_a_batch_that_was_not_written_does_not_give_an_attempt_more_to_submit() -> None:
    world = World(limits=Limits(fan_out_jobs_max=2))
    world.submit()
    [given] = world.lease(world.register())
    world.ask(by(world, given.number, given.fence, 2))
    world.fill_disk()
    with pytest.raises(Unavailable):
        world.submit(value=BIG)
    world.free_disk()
    with pytest.raises(LimitReached, match="fan_out_jobs_max"):
        world.ask(by(world, given.number, given.fence))
