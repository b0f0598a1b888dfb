"""Whether an engine under pressure refuses new work, and nothing else."""

from __future__ import annotations

from sheratan.contracts.errors import Overloaded
from sheratan.contracts.pressure import PressureLevel
from sheratan.engine.commands import Pending
from sheratan.engine.engine import Engine
from sheratan.simulation.story import Story

__all__ = ["watch_intake"]

_NEW_WORK = ("Submit", "SubmitGated", "StartRun")


def watch_intake(engine: Engine, story: Story) -> None:
    """Hold what the engine does with each command against the pressure that it is under."""
    driver = engine._driver
    take = driver.put

    def put(pending: Pending) -> None:
        level, name = engine.pressure.level, type(pending.command).__name__
        wanted = _is_refused(pending, level)
        try:
            take(pending)
        except Overloaded:
            if not wanted:
                story.blame(f"{name} was refused under {level} pressure")
            raise
        if wanted:
            story.blame(f"{name} was taken in under {level} pressure")

    driver.put = put  # type: ignore[method-assign]


def _is_refused(pending: Pending, level: PressureLevel) -> bool:
    is_new = type(pending.command).__name__ in _NEW_WORK
    return is_new and level == "critical" and getattr(pending.command, "by_job", None) is None
