"""What is not taken in while the process is under pressure: new work, and never what ends work or steers it."""

from __future__ import annotations

from typing import Final

from sheratan.contracts.errors import DeadlineExceeded, Overloaded
from sheratan.contracts.pressure import PressureLevel, PressureRecord
from sheratan.engine.commands import Command, Pending, StartRun, Submit, SubmitGated
from sheratan.kernel.pressure import reason_of_pressure

__all__ = ["given_up", "is_given_up", "is_new_work", "is_shed", "overloaded"]

_RETRY_AFTER_SECONDS: Final = 2
"""A few looks later it is known whether there is still pressure."""


def is_new_work(command: Command) -> bool:
    """Whether a command brings new work in. What a running job submits is part of work that was taken in."""
    if isinstance(command, Submit | SubmitGated):
        return command.by_job is None
    return type(command) is StartRun


def is_shed(command: Command, level: PressureLevel) -> bool:
    """Whether a command is refused at this level."""
    return level == "critical" and is_new_work(command)


def is_given_up(pending: Pending, now_us: int) -> bool:
    """Whether a command brings work in that nobody waits for any more. Whoever wants it asks, or has asked, again."""
    is_late = pending.until_us is not None and now_us >= pending.until_us
    return (is_late or pending.is_abandoned) and is_new_work(pending.command)


def given_up() -> DeadlineExceeded:
    """The refusal of a command whose caller waits no more."""
    return DeadlineExceeded("its turn did not come before the deadline; nothing was done")


def overloaded(pressure: PressureRecord) -> Overloaded:
    """The refusal."""
    return Overloaded(
        f"no new work is taken in: {reason_of_pressure(pressure)}",
        field="pressure",
        retry_after_seconds=_RETRY_AFTER_SECONDS,
    )
