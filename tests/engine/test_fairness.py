"""Fair shares: a neighbour with fifty times the jobs starts no more of them, whoever the neighbours are."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from sheratan.contracts.flow import FlowLimits
from sheratan.contracts.jobs import Options, Submission
from sheratan.contracts.principal import Principal
from sheratan.contracts.worker import Assignment
from sheratan.engine.commands import LimitStarts
from tests.engine.world import PERSON, World

NAMES = ("noisy", "a", "b", "c")
ROUNDS = 40


def jain(shares: list[int]) -> float:
    """Jain's index of fairness: 1 when all shares are equal, 1/n when one has all (Jain, Chiu and Hawe, 1984)."""
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))


def act_for(what: str, name: str) -> Principal:
    """A person of the tenant that has this name, if tenants are the neighbours."""
    if what != "tenant":
        return PERSON
    return Principal(actor=f"local:{name}", auth="embedded", on_behalf_of=f"local:{name}", tenant=name)


def submit(world: World, what: str, name: str, jobs: int) -> None:
    """As many jobs of one neighbour, in one call."""
    options: dict[str, Any] = {} if what == "tenant" else {what: name}
    wanted = [Submission(kind="work", options=Options(**options))] * jobs
    world.ask(world.submissions(*wanted), by=act_for(what, name))


def whose(world: World, what: str, given: Assignment) -> str:
    """Which neighbour a job belongs to."""
    job = world.state.held[given.number].job
    if what == "partition":
        return str(world.record(given.id).partition)
    return str(getattr(world.state.lane_of(job), what))


def served(world: World, what: str) -> Counter[str]:
    """What each neighbour starts, of whom one submits fifty jobs for each one of the others, at four starts a time."""
    session, found = world.register(slots=4), Counter[str]()
    for _ in range(ROUNDS):
        for name in NAMES:
            submit(world, what, name, 50 if name == "noisy" else 1)
        for given in world.lease(session, 4):
            found[whose(world, what, given)] += 1
            world.settle(given)
        world.tick(10)
    return found


@pytest.mark.parametrize("ageing_seconds", [None, 1.0, 30.0])
@pytest.mark.parametrize("what", ["queue", "partition", "tenant"])
def test_a_neighbour_with_fifty_times_the_jobs_gets_no_more_starts(
    what: str, ageing_seconds: float | None
) -> None:
    world = World()
    if ageing_seconds is not None:
        limits = FlowLimits(ageing_seconds=ageing_seconds)
        for tenant in NAMES if what == "tenant" else ("default",):
            by = act_for(what, tenant)
            world.ask(LimitStarts(subject=f"tenant:{tenant}", limits=limits, reason=""), by=by)
    found = served(world, what)
    assert sum(found.values()) == 4 * ROUNDS
    assert jain([found[name] for name in NAMES]) >= 0.95, found
    world.check()


def test_a_neighbour_that_is_urgent_all_the_time_does_not_starve_the_others_where_they_age() -> None:
    world = World()
    world.ask(LimitStarts(subject="tenant:default", limits=FlowLimits(ageing_seconds=30), reason=""))
    session, found = world.register(slots=4), Counter[str]()
    for _ in range(60):
        for _ in range(4):
            world.submit(queue="urgent", priority=0)
        world.submit(queue="low", priority=9)
        for given in world.lease(session, 4):
            found[given.queue] += 1
            world.settle(given)
        world.tick(30)
    # Each 300 s one of priority 9 counts as more urgent than 0 does.
    assert found["low"] in (6, 7)
    world.check()
