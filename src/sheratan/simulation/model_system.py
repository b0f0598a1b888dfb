"""The part of the model that knows the system's state: which moves there are, and what each state lets happen."""

from __future__ import annotations

from typing import Final

from sheratan.engine.commands import (
    ChangeState,
    Command,
    Heartbeat,
    LeaseJobs,
    Pending,
    RegisterWorker,
    StartDraining,
)
from sheratan.simulation.model_waits import ModelWaits, Refused

__all__ = ["ModelSystem"]

_WAYS: Final = {
    "operational": ("reflective", "recovery", "paused", "halted"),
    "reflective": ("operational", "recovery", "paused", "halted"),
    "recovery": ("operational", "paused", "halted"),
    "paused": ("operational", "recovery", "halted"),
    "halted": ("recovery", "paused"),
}
"""To which states a person may bring the system from each (docs/reference/states.md)."""

_HEARD: Final[tuple[type[Command], ...]] = (
    ChangeState,
    Heartbeat,
    LeaseJobs,
    RegisterWorker,
    StartDraining,
)


class ModelSystem(ModelWaits):
    """The system's state."""

    def __init__(self) -> None:
        super().__init__()
        self.system = "operational"
        self.draining = False

    @property
    def is_halted(self) -> bool:
        """Whether nothing is decided at all."""
        return self.system == "halted"

    @property
    def takes_in(self) -> bool:
        """Whether jobs and runs come in."""
        return not self.draining and self.system not in ("recovery", "halted")

    @property
    def starts_jobs(self) -> bool:
        """Whether queued jobs start and schedules fire."""
        return not self.draining and self.system in ("operational", "reflective")

    @property
    def keeps_up(self) -> bool:
        """Whether bulk operations go on and old jobs are pruned."""
        return not self.draining and self.system == "operational"

    def check_heard(self, command: Command) -> None:
        """While the system is halted hardly anything is heard."""
        if self.is_halted and not isinstance(command, _HEARD):
            self.hit("state.refused")
            raise Refused("state_refuses")

    def check_takes_in(self) -> None:
        """What comes in is refused by some states."""
        if not self.takes_in:
            self.hit("submit.refused_draining" if self.draining else "submit.refused_recovery")
            raise Refused("state_refuses")

    def _StartDraining(self, pending: Pending, command: StartDraining) -> None:  # noqa: N802 - the command's name
        self.draining = not self.is_halted

    def _ChangeState(self, pending: Pending, command: ChangeState) -> bool:  # noqa: N802 - the command's name
        state = "draining" if self.draining else self.system
        if command.to == state:
            self.hit("state.kept")
            return False
        if command.expected not in (None, state):
            self.hit("state.expected_another")
            raise Refused("conflict")
        if command.to != "halted" if self.draining else command.to not in _WAYS[state]:
            self.hit("state.no_way")
            raise Refused("conflict")
        self.hit(f"state.{command.to}")
        self.noted["system.changed"] += 1
        self.system, self.draining = command.to, False
        return True
