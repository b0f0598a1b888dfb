"""What a verification says of time: nothing is taken away early, and nothing due is forgotten."""

from __future__ import annotations

from sheratan.engine.verify import verify, verify_lines
from tests.engine.world import World

MINUTE_US = 60_000_000


def invariants(world: World) -> set[str]:
    """Which invariants a world's journal and tables break."""
    return {problem.invariant for problem in verify(world.store).problems}


def test_an_attempt_that_ran_out_of_time_verifies() -> None:
    world = World()
    world.submit(run_timeout_seconds=5, attempts_max=1)
    world.submit(queue_timeout_seconds=5)
    world.lease(world.register())
    world.tick(6)
    assert world.types().count("job.timed_out") == 1
    assert invariants(world) == set()


def test_an_attempt_that_was_stopped_before_its_time_breaks_e8() -> None:
    world = World()
    world.submit(run_timeout_seconds=5, attempts_max=1)
    world.lease(world.register())
    world.tick(6)
    lines = [line for _, _, body in world.store.pages() for line in body.split(b"\n")]
    forged = [line.replace(b'"elapsed_us":6000000', b'"elapsed_us":4000000') for line in lines]
    assert forged != lines
    found = {problem.invariant for problem in verify_lines(forged).problems}
    assert "E8" in found


def test_a_timer_that_should_have_rung_long_ago_breaks_e9() -> None:
    world = World()
    world.submit(delay_seconds=3_600)
    world.tick(5 * MINUTE_US / 1_000_000)
    world.submit()
    assert invariants(world) == set()
    world.store._connection.execute("UPDATE timer SET due_us = due_us - ?", (3_599 * 1_000_000,))
    assert "E9" in invariants(world)
