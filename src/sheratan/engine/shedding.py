"""What is not taken in under overload: new work, the least critical first, and never what ends work or steers it."""

from __future__ import annotations

from typing import Final

from sheratan.contracts.errors import DeadlineExceeded, Overloaded
from sheratan.contracts.jobs import CRITICALITIES
from sheratan.contracts.pressure import PressureLevel, PressureRecord
from sheratan.engine.commands import Command, Pending, StartRun, Submit, SubmitGated
from sheratan.kernel.pressure import reason_of_pressure
from sheratan.kernel.reserve import ranked_places

__all__ = ["given_up", "is_given_up", "is_new_work", "is_shed", "least_places", "overloaded", "places_for"]

_LEAST: Final[dict[PressureLevel, int]] = {
    "none": 0,
    "high": CRITICALITIES.index("normal"),
    "critical": CRITICALITIES.index("critical"),
}
"""The least critical work that is taken in at each level."""

_REFUSED: Final[dict[PressureLevel, str]] = {
    "none": "work",
    "high": "deferrable or sheddable work",
    "critical": "new work that is not critical",
}

_MOST: Final = CRITICALITIES.index("critical")

_RETRY_AFTER_SECONDS: Final = 2
"""A few looks later it is known whether there is still pressure."""


def is_new_work(command: Command) -> bool:
    """Whether a command brings new work in. What a running job submits is part of work that was taken in."""
    if isinstance(command, Submit | SubmitGated):
        return command.by_job is None
    return type(command) is StartRun


def is_shed(command: Command, level: PressureLevel) -> bool:
    """Whether a command is refused at this level."""
    return is_new_work(command) and _rank(command) < _LEAST[level]


def places_for(command: Command, places: int) -> int:
    """How many places of an inbox may be taken for there to be one for this command. Never below `least_places`."""
    return ranked_places(places, _MOST - _rank(command)) if is_new_work(command) else places


def least_places(places: int) -> int:
    """With fewer places taken there is one for every command."""
    return ranked_places(places, _MOST)


def _rank(command: Command) -> int:
    """How critical new work is, as its place in CRITICALITIES. Several jobs count as the most critical of them."""
    if isinstance(command, Submit):
        return max(CRITICALITIES.index(job.criticality) for job in command.jobs)
    return CRITICALITIES.index(command.job.criticality if isinstance(command, SubmitGated) else "normal")


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
        f"no {_REFUSED[pressure.level]} is taken in: {reason_of_pressure(pressure)}",
        field="pressure",
        retry_after_seconds=_RETRY_AFTER_SECONDS,
    )
