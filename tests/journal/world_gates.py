"""Jobs that come in through gates, and submissions that are dropped."""

from __future__ import annotations

from sheratan.engine.commands import Cancel, NewJob, SubmitGated
from sheratan.engine.gate_commands import NewGate
from sheratan.kernel.canonical import digest
from tests.journal.world import SECOND_US, World, new

KEY = digest(b"page-7")
DEBOUNCE = NewGate(what="debounce", key=KEY, period_us=5 * SECOND_US, longest_us=8 * SECOND_US)
THROTTLE = NewGate(what="throttle", key=KEY, period_us=100 * SECOND_US, jobs=2)


def gated(world: World, gate: NewGate, job: NewJob | None = None) -> str:
    """Submit through a gate."""
    return str(world.ask(SubmitGated(job=job or new(), gate=gate)).id)


def jobs_through_gates(world: World) -> None:
    """Debounced jobs that were superseded, put off to the last, cancelled and run; and one that waits still."""
    for _ in range(3):
        gated(world, DEBOUNCE)
        world.tick(3)
    session = world.worker()
    world.settle_all(session, world.lease(session))
    world.ask(Cancel(id=gated(world, DEBOUNCE), reason="not now"))
    for _ in range(3):
        gated(world, THROTTLE)
    gated(world, THROTTLE, new(kind="report"))
    world.tick(1)
    gated(world, DEBOUNCE)
    world.tick(1)
    gated(world, DEBOUNCE)
    gated(world, THROTTLE)
