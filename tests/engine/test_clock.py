"""Clocks that are set: by a person, by NTP, back and forth."""

from __future__ import annotations

import pytest

from tests.engine.world import SECOND, World

HOUR = 3_600 * SECOND


@pytest.mark.parametrize("step", [-HOUR, HOUR, -30 * 24 * HOUR])
def test_a_step_of_the_wall_clock_is_written_down_once(world: World, step: int) -> None:
    world.clock.step(step)
    world.submit()
    world.submit()
    assert world.last("clock.stepped").data == {"step_us": step}
    assert world.types("engine") == ["engine.started", "clock.stepped"]


def test_a_small_step_is_no_event(world: World) -> None:
    world.clock.step(SECOND)
    world.submit()
    assert "clock.stepped" not in world.types()


def test_recorded_time_never_runs_backwards(world: World) -> None:
    for step in (-HOUR, 5, HOUR, -2 * HOUR, 17):
        world.clock.step(step)
        world.submit()
        world.tick(1)
    instants = [entry.at for entry in world.entries()]
    assert instants == sorted(instants)


@pytest.mark.parametrize("step", [-HOUR, -10 * SECOND])
def test_a_delay_ends_in_its_time_although_the_clock_was_set_back(world: World, step: int) -> None:
    job = world.submit(delay_seconds=60)
    world.tick(10)
    world.clock.step(step)
    world.tick(49)
    assert world.state_of(job) == "scheduled"
    world.tick(1)
    assert world.state_of(job) == "queued"


def test_a_delay_set_after_the_clock_was_set_back_ends_in_its_time(world: World) -> None:
    world.clock.step(-HOUR)
    job = world.submit(delay_seconds=60)
    world.tick(60)
    assert world.state_of(job) == "queued"


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_a_lease_is_neither_shortened_nor_lengthened_by_a_step(world: World, step: int) -> None:
    job = world.submit(run_timeout_seconds=60, attempts_max=1)
    world.lease(world.register())
    world.tick(30)
    world.clock.step(step)
    world.tick(29.9)
    assert world.state_of(job) == "running"
    world.tick(0.1)
    assert world.state_of(job) == "failed"


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_a_remote_worker_is_not_lost_by_a_step(world: World, step: int) -> None:
    job = world.submit()
    world.lease(world.register(local=False))
    world.clock.step(step)
    world.tick(29)
    assert world.state_of(job) == "running"


def test_an_engine_that_starts_with_a_clock_before_its_journal_goes_on_from_there(world: World) -> None:
    job = world.submit(delay_seconds=60)
    world.clock.step(-HOUR)
    world.crash()
    world.tick(59)
    assert world.state_of(job) == "scheduled"
    world.tick(1)
    assert world.state_of(job) == "queued"


def test_backoff_is_kept_when_the_clock_is_set_back(world: World) -> None:
    job = world.submit()
    world.fail(world.lease(world.register())[0], "rate_limited", after=60)
    world.clock.step(-HOUR)
    world.tick(59)
    assert world.state_of(job) == "scheduled"
    world.tick(1)
    assert world.state_of(job) == "queued"
