"""A system that was paused, halted, brought back, drained and left in recovery, with jobs before and after."""

from __future__ import annotations

from sheratan.contracts.principal import ENGINE
from sheratan.engine.commands import ChangeState, DeriveState, StartDraining
from sheratan.engine.system_commands import Down
from tests.journal.world import World, new

__all__ = ["derived", "system_changes"]


def derived(*names: str) -> DeriveState:
    """What probes have found: these are down, of which only `disk` is critical."""
    down = [
        Down(name=name, critical=name == "disk", affects=(name,), since_us=1, failures=3, error="timeout")
        for name in names
    ]
    return DeriveState(down=tuple(down), unknown=0, dwell_us=60_000_000)


def system_changes(world: World) -> None:
    """Every kind of change, by persons and by the engine."""
    session = world.worker()
    world.submit(new())
    world.settle_all(session, world.lease(session))
    world.ask(derived("mail"), ENGINE)
    world.tick(1)
    world.ask(derived("mail", "disk"), ENGINE)
    world.tick(61)
    world.ask(derived(), ENGINE)
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
