"""A system that was paused, halted, brought back, drained and left in recovery, with jobs before and after."""

from __future__ import annotations

from sheratan.contracts.principal import ENGINE
from sheratan.engine.commands import ChangeState, StartDraining
from tests.journal.world import World, new

__all__ = ["system_changes"]


def system_changes(world: World) -> None:
    """Every kind of change, by persons and by the engine."""
    session = world.worker()
    world.submit(new())
    world.settle_all(session, world.lease(session))
    world.ask(ChangeState(to="degraded_minor", reason="a probe fails", affected=("mail",)), ENGINE)
    world.tick(1)
    world.ask(ChangeState(to="operational", reason="all is well"), ENGINE)
    world.ask(ChangeState(to="paused", reason="maintenance", expected="operational"))
    world.submit(new())
    world.tick(1)
    world.ask(StartDraining(reason="an update"))
    world.restart()
    world.ask(ChangeState(to="halted", reason="a test"))
    world.tick(1)
    world.ask(ChangeState(to="recovery", reason="looked at"))
    world.ask(ChangeState(to="operational", reason="all is well"))
    session = world.worker()
    world.settle_all(session, world.lease(session))
    world.submit(new())
    world.tick(1)
    world.ask(ChangeState(to="paused", reason="for the night"))
    world.ask(StartDraining(reason="an update"))
