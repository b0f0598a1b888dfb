"""Jobs that are kept for a while, and pruned."""

from __future__ import annotations

from sheratan.engine.commands import Discard, KeepJobs
from tests.journal.world import World, new

HOUR_US = 3_600_000_000


def old_jobs(world: World) -> int:
    """Jobs that have ended, with all that can belong to a job; returns the session of their worker."""
    session = world.worker()
    big = b'{"big":"' + b"y" * 4_000 + b'"}'
    first, second, third = world.submit(new(tags=("big", "eu"), data=big), new(), new())
    one, other, failing = world.lease(session)
    assert world.step(one, 1, b"1")
    assert world.step(one, 2, b'"' + b"z" * 5_000 + b'"')
    world.settle(session, one, output=big)
    world.settle(session, other)
    world.settle(session, failing, "failed", error="fatal")
    world.ask(Discard(id=third, reason="not worth it"))
    world.submit(new(after=(first, second)), new(kind="report", key="once"))
    world.settle_all(session, world.lease(session))
    world.tick(3_600)
    return session


def pruned_jobs(world: World) -> None:
    """Two kinds, kept for different times: of each some jobs are pruned, some are too young, and some still needed."""
    session = old_jobs(world)
    [dead] = world.submit(new())
    world.settle(session, world.lease(session)[0], "failed", error="fatal")
    world.submit(new(kind="report"), new())
    world.settle_all(session, world.lease(session))
    world.ask(KeepJobs(kind="", keep_us=HOUR_US // 2, reason="by law"))
    world.ask(KeepJobs(kind="report", keep_us=2 * HOUR_US, reason=""))
    world.tick(2 * 3_600)
    world.ask(KeepJobs(kind="report", keep_us=2 * HOUR_US + 1, reason="a little longer"))
    world.submit(new(after=(dead,)))
