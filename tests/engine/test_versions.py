"""Versions of a kind side by side: each job stays with the one that it was submitted for."""

from __future__ import annotations

import pytest

from sheratan.contracts.errors import IdempotencyConflict, UnknownKind
from sheratan.contracts.flow import FlowLimits
from sheratan.contracts.jobs import KindDescription
from sheratan.contracts.worker import Registration
from sheratan.engine import commands
from sheratan.engine.explain import story
from tests.engine.world import World


def version_of(world: World, job: str) -> int:
    return world.record(job).version


def test_a_job_takes_the_newest_version_on_duty(world: World) -> None:
    world.register("a", ("work",))
    first = world.submit()
    both = world.register("b", ("work", "work@2"))
    second = world.submit()
    world.ask(commands.EndSession(session=both))
    third = world.submit()
    assert [version_of(world, job) for job in (first, second, third)] == [1, 2, 1]


def test_without_workers_it_is_the_newest_that_was_ever_known(world: World) -> None:
    world.ask(commands.EndSession(session=world.register("b", ("work@3", "work@2"))))
    assert version_of(world, world.submit()) == 3


def test_a_job_is_given_only_to_workers_that_offer_its_version(world: World) -> None:
    old, new = world.register("a", ("work",)), world.register("b", ("work@2",))
    job = world.submit(version=1)
    waiting = world.ask_lease(new)
    assert not waiting.given
    [given] = world.lease(old)
    assert (given.id, given.version, given.kind) == (job, 1, "work")
    later = world.submit()
    [given] = waiting.value
    assert (given.id, given.version, given.kind) == (later, 2, "work")


def test_what_it_waits_for_is_said(world: World) -> None:
    world.register("a", ("work@2",))
    job = world.submit(version=1)
    record = world.record(job)
    assert record.state == "queued"
    assert record.waiting_for == "a worker that offers version 1 of work, and none does"
    assert [one.what for one in record.blocked_by] == ["worker"]
    told = story(world.store, job, frozenset({"work@2"}))
    assert told.waiting_for == "a worker that offers version 1 of work, and none does"
    assert story(world.store, job, frozenset({"work"})).waiting_for == "a free worker"
    assert story(world.store, job).waiting_for == "a free worker"


def test_a_version_that_nobody_knows_is_refused(world: World) -> None:
    with pytest.raises(UnknownKind, match=r"no version 4 of kind 'work' is loaded; loaded: 1") as refused:
        world.submit(version=4)
    assert refused.value.field == "version"


def test_the_first_version_costs_nothing_in_the_journal(world: World) -> None:
    session = world.register("a", ("work",))
    world.submit()
    world.run(session)
    assert "version" not in world.last("job.submitted").data
    assert world.last("worker.registered").data == {"kinds": ["work"], "slots": 10}
    decided = world.last("worker.leased").decision
    assert decided is not None
    assert decided["input"]["lanes"] == [["default", "work", 1, "open"]]


def test_other_versions_are_named_in_decisions(world: World) -> None:
    session = world.register("a", ("work@2",), code="c")
    job = world.submit()
    world.submit(version=1)
    world.run(session)
    assert world.last("worker.registered").data == {
        "kinds": ["work@2"], "slots": 10, "codes": {"work@2": "c"},
    }  # fmt: skip
    decided = world.last("worker.leased").decision
    assert decided is not None
    lanes = [["default", "work@2", 1, "open"], ["default", "work", 1, "not_offered"]]
    assert decided["input"]["lanes"] == lanes
    assert world.state_of(job) == "succeeded"


def test_a_job_that_is_run_again_stays_with_its_version(world: World) -> None:
    session = world.register("a", ("work", "work@2"))
    job = world.submit(version=1)
    world.run(session)
    assert version_of(world, world.ask(commands.RetryJob(id=job))) == 1


def test_a_key_stands_for_the_same_request_whatever_version_is_the_newest(world: World) -> None:
    world.register("a", ("work",))
    job = world.submit(key="k")
    world.register("b", ("work@2",))
    assert world.submit(key="k") == job
    with pytest.raises(IdempotencyConflict) as refused:
        world.submit(key="k", version=2)
    assert refused.value.field == "version"


def test_limits_of_a_kind_hold_for_all_its_versions(world: World) -> None:
    session = world.register("a", ("work", "work@2"), limits=FlowLimits(concurrency=1))
    jobs = [world.submit(version=1), world.submit(version=2)]
    assert len(world.lease(session, 2)) == 1
    assert [world.state_of(job) for job in jobs].count("queued") == 1


def test_the_limits_that_come_with_the_newest_version_hold(world: World) -> None:
    kinds = (
        KindDescription(name="work", version=2, limits=FlowLimits(concurrency=7)),
        KindDescription(name="work", limits=FlowLimits(concurrency=3)),
    )
    for name in ("first", "second"):
        registration = Registration(name=name, kinds=kinds, slots=1)
        world.ask(commands.RegisterWorker(registration=registration, local=True))
        [row] = world.store.flows()
        assert (row.subject, row.concurrency) == ("kind:work", 7)
    assert world.types().count("flow.limited") == 1


def test_versions_are_kept_over_a_crash(world: World) -> None:
    world.register("a", ("work@2",))
    job = world.submit()
    world.crash()
    assert not world.ask_lease(world.register("old", ("work",))).given
    [given] = world.lease(world.register("new", ("work@2",)))
    assert (given.id, given.version) == (job, 2)
