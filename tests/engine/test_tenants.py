"""Tenants: all their jobs are paused, limited and weighted at once, and nobody does so for another one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sheratan.contracts.errors import NotFound
from sheratan.contracts.flow import FlowLimits, Rate
from sheratan.contracts.principal import Principal
from sheratan.engine.blockers import flow_records
from sheratan.engine.commands import LimitStarts, Pause, Resume
from sheratan.engine.explain import story
from tests.engine.world import PERSON, SECOND, World
from tests.journal.tamper import checked

ACME = Principal(actor="local:acme", auth="embedded", on_behalf_of="local:acme", tenant="acme")


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.check()


def limit(world: World, by: Principal, **limits: object) -> None:
    wanted = FlowLimits(**limits)  # type: ignore[arg-type]
    world.ask(LimitStarts(subject=f"tenant:{by.tenant}", limits=wanted, reason="a test"), by=by)


def submit(world: World, by: Principal, jobs: int = 1, queue: str = "default") -> list[str]:
    return [world.ask(world.submission(queue=queue), by=by)[0][0] for _ in range(jobs)]


def test_nothing_of_a_paused_tenant_starts_and_others_go_on(world: World) -> None:
    [paused] = submit(world, PERSON, queue="q")
    [other] = submit(world, ACME, queue="q")
    assert world.ask(Pause(subject="tenant:default", reason="the bill is open"))
    assert not world.ask(Pause(subject="tenant:default", reason="again"))
    session = world.register()
    [given] = world.lease(session, 4)
    assert given.id == other
    answer = world.ask_lease(session, 4)
    [blocked] = world.record(paused).blocked_by
    since_us = world.last("tenant.paused").at
    assert (blocked.what, blocked.subject, blocked.since_us) == ("pause", "tenant:default", since_us)
    assert "the bill is open" in str(world.record(paused).waiting_for)
    assert not answer.given
    assert world.ask(Resume(subject="tenant:default"))
    assert not world.ask(Resume(subject="tenant:default"))
    assert [one.id for one in answer.value] == [paused]


def test_a_lease_and_the_story_of_a_tenant_tell_of_its_pause(world: World) -> None:
    submit(world, PERSON)
    submit(world, ACME, queue="q")
    assert story(world.store, "tenant:default").state == "open"
    world.ask(Pause(subject="tenant:default", reason="the bill is open"))
    world.lease(world.register(), 4)
    decision = world.last("worker.leased").decision
    assert decision is not None
    assert decision["rejected"] == [["default/work", "tenant is paused, 1 job waiting"]]
    told = story(world.store, "tenant:default")
    assert (told.state, [line.text for line in told.lines]) == (
        "paused",
        ["local:tester paused the tenant: the bill is open."],
    )
    with pytest.raises(NotFound, match="there is no tenant nobody"):
        story(world.store, "tenant:nobody")


def test_a_pause_of_a_tenant_outlives_the_engine(tmp_path: Path) -> None:
    world = World(tmp_path / "w.db")
    submit(world, PERSON)
    world.ask(Pause(subject="tenant:default", reason=""))
    world.crash()
    assert not world.ask_lease(world.register()).given
    world.check()
    world.close()


def test_a_tenant_is_limited_over_all_its_queues_and_kinds(world: World) -> None:
    limit(world, PERSON, concurrency=2)
    submit(world, PERSON, 2)
    submit(world, PERSON, 2, queue="q")
    world.submit("other")
    beside = submit(world, ACME, 3)
    given = world.lease(world.register(), 8)
    assert {one.id for one in given} >= set(beside)
    assert len(given) == 5
    records = {one.subject: one for one in flow_records(world.store, "default")}
    assert (records["tenant:default"].running, records["tenant:default"].queued) == (2, 3)
    assert "tenant:acme" not in records


def test_the_rate_of_a_tenant_holds_for_all_of_it(world: World) -> None:
    limit(world, PERSON, rate=Rate(count=1, period_seconds=10))
    submit(world, PERSON)
    [second] = submit(world, PERSON, queue="q")
    session = world.register()
    assert len(world.lease(session, 4)) == 1
    answer = world.ask_lease(session, 4)
    [blocked] = world.record(second).blocked_by
    assert (blocked.what, blocked.subject) == ("rate", "tenant:default")
    assert world.decider.next_wake_us() == 10 * SECOND
    world.tick(10)
    assert [one.id for one in answer.value] == [second]


def test_the_journal_of_tenants_with_limits_of_their_own_is_whole(tmp_path: Path) -> None:
    world = World(tmp_path / "w.db")
    limit(world, PERSON, concurrency=2, ageing_seconds=5)
    limit(world, ACME, concurrency=3, ageing_seconds=7)
    for by in (PERSON, ACME):
        submit(world, by, 4)
    world.tick(30)
    assert len(world.lease(world.register(), 8)) == 5
    world.check()
    world.close()
    assert checked(tmp_path / "w.db").problems == []


def test_the_weight_of_a_tenant_multiplies_that_of_its_queues(world: World) -> None:
    limit(world, ACME, weight=3)
    for by in (PERSON, ACME):
        submit(world, by, 40)
    given = world.lease(world.register(), 40)
    lanes = [world.state.lane_of(world.state.held[one.number].job) for one in given]
    assert sum(lane.tenant == "acme" for lane in lanes) == 30


@pytest.mark.parametrize(
    "command",
    [
        Pause(subject="tenant:acme", reason=""),
        Resume(subject="tenant:acme"),
        LimitStarts(subject="tenant:acme", limits=FlowLimits(concurrency=1), reason=""),
    ],
)
def test_nobody_pauses_resumes_or_limits_a_tenant_that_they_do_not_act_for(
    world: World, command: Pause | Resume | LimitStarts
) -> None:
    world.ask(Pause(subject="tenant:acme", reason=""), by=ACME)
    before = world.store.shard()
    with pytest.raises(NotFound, match="you act for no tenant acme") as refused:
        world.ask(command)
    assert refused.value.field == "tenant"
    assert world.store.shard() == before
