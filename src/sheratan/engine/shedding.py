"""What is not taken in while the process is under pressure: new work, and never what ends work or steers it."""

from __future__ import annotations

from typing import Final

from sheratan.contracts.errors import Overloaded
from sheratan.contracts.pressure import PressureLevel, PressureRecord
from sheratan.engine.commands import Command, StartRun, Submit, SubmitGated
from sheratan.kernel.pressure import reason_of_pressure

__all__ = ["is_shed", "overloaded"]

_RETRY_AFTER_SECONDS: Final = 2
"""A few looks later it is known whether there is still pressure."""


def is_shed(command: Command, level: PressureLevel) -> bool:
    """Whether a command is refused at this level. What a running job submits is part of work that was taken in."""
    if type(command) is StartRun:
        return level == "critical"
    return level == "critical" and isinstance(command, Submit | SubmitGated) and command.by_job is None


def overloaded(pressure: PressureRecord) -> Overloaded:
    """The refusal."""
    return Overloaded(
        f"no new work is taken in: {reason_of_pressure(pressure)}",
        field="pressure",
        retry_after_seconds=_RETRY_AFTER_SECONDS,
    )
