"""Jobs with deadlines: that end in time, that fail by them wherever they are, and that have inherited them."""

from __future__ import annotations

from sheratan.contracts.worker import Wait
from tests.journal.world import SECOND_US, World, new

MINUTE_US = 60 * SECOND_US


def jobs_with_deadlines(world: World) -> None:
    """Jobs 1, 2 and 3 have failed by their deadlines, 4 as it could not be tried again in time, 7 as 6 was inherited.

    Job 5 has ended in time, 6 runs, 8 and 9 wait in their queues, and 10 for its next attempt.
    """
    session = world.worker()
    bound = {"deadline_after_us": MINUTE_US, "run_timeout_us": 900 * SECOND_US}
    world.submit(new(kind="report", delay_us=2 * MINUTE_US, **bound))
    world.submit(
        new(**bound), new(**bound), new(**bound, backoff_base_us=10**12, backoff_cap_us=10**12), new(**bound)
    )
    world.tick(1)
    _, waits, fails, ends = world.lease(session, 4)
    world.park(session, waits, Wait(name="go", occurrence=1, what="signal", key="go"))
    world.settle(session, fails, "failed", error="retryable")
    world.settle(session, ends)
    world.tick(59)
    world.submit(new(**bound))
    [parent] = world.lease(session, 1)
    world.submit(new(deadline_after_us=90 * SECOND_US), by_job=parent)
    world.submit(new(deadline_after_us=30 * SECOND_US), new(priority=9), by_job=parent)
    world.tick(30)
    world.submit(new(deadline_after_us=900 * SECOND_US, priority=0))
    [again] = world.lease(session, 1)
    world.settle(session, again, "failed", error="retryable")
