"""Whether an engine refuses new work when it must, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from sheratan.contracts.errors import Overloaded
from sheratan.contracts.pressure import PressureLevel
from sheratan.engine.commands import Pending, Submit, SubmitGated
from sheratan.engine.engine import Engine
from sheratan.simulation.story import Story

__all__ = ["begun_late", "watch_intake"]

_NEW_WORK = ("Submit", "SubmitGated", "StartRun")
_LATE_US = 100_000


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


def begun_late(commands: Sequence[Pending], now_us: int) -> list[str]:
    """The new work among these that must not be begun any more, as its caller's deadline was too long ago."""
    timed = [one for one in commands if one.until_us is not None and now_us - one.until_us >= _LATE_US]
    return [type(one.command).__name__ for one in timed if _is_new(one)]


def _is_refused(pending: Pending, level: PressureLevel) -> bool:
    refused = {
        "none": (),
        "high": ("sheddable", "deferrable"),
        "critical": ("sheddable", "deferrable", "normal"),
    }
    return _is_new(pending) and all(one in refused[level] for one in _criticalities(pending))


def _criticalities(pending: Pending) -> set[str]:
    """How critical the jobs are that a command brings; runs are normal."""
    command = pending.command
    jobs = command.jobs if isinstance(command, Submit) else ()
    if isinstance(command, SubmitGated):
        jobs = (command.job,)
    return {job.criticality for job in jobs} or {"normal"}


def _is_new(pending: Pending) -> bool:
    name, by_job = type(pending.command).__name__, getattr(pending.command, "by_job", None)
    return name in _NEW_WORK and by_job is None
