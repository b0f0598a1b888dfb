"""The part of the model that knows the system's state: which moves there are, and what each state lets happen."""

from __future__ import annotations

from itertools import chain
from typing import Final

from sheratan.engine.commands import (
    ChangeState,
    Command,
    DeriveState,
    Heartbeat,
    LeaseJobs,
    Pending,
    Probe,
    RegisterWorker,
    StartDraining,
)
from sheratan.simulation.model_waits import ModelWaits, Refused

__all__ = ["ModelSystem"]

_DERIVED: Final = ("operational", "degraded_minor", "degraded_critical")
"""From the best to the worst."""

_WAYS: Final = {
    "operational": ("reflective", "recovery", "paused", "halted"),
    "degraded_minor": ("operational", "reflective", "recovery", "paused", "halted"),
    "degraded_critical": ("operational", "reflective", "recovery", "paused", "halted"),
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
    Probe,
    RegisterWorker,
    StartDraining,
)


class ModelSystem(ModelWaits):
    """The system's state."""

    def __init__(self) -> None:
        super().__init__()
        self.system = "operational"
        self.affected: list[str] = []
        self.draining = False
        self.system_since_us = self.system_changed_us = 0
        """Since when it is so, by the wall clock and by the monotonic one."""

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
        return not self.draining and self.system in ("operational", "degraded_minor", "reflective")

    @property
    def keeps_up(self) -> bool:
        """Whether bulk operations go on and old jobs are pruned."""
        return not self.draining and self.system in _DERIVED

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
        if state in _DERIVED[1:] and command.to == "operational":
            self.hit("state.resumed")
        self._stand(command.to, [])
        return True

    def _DeriveState(self, pending: Pending, command: DeriveState) -> bool:  # noqa: N802 - the command's name
        if self.draining or self.system not in _DERIVED:
            return False
        now = _DERIVED.index(self.system)
        wanted = max([0, *(1 + probe.critical for probe in command.down)])
        may_get_better = self.at_us - self.system_since_us >= command.dwell_us and not command.unknown
        if wanted == now or (wanted < now and not may_get_better):
            return False
        self.hit("state.better" if wanted < now else f"state.{_DERIVED[wanted]}")
        self._stand(_DERIVED[wanted], sorted(set(chain(*(probe.affects for probe in command.down)))))
        return True

    def _Probe(self, pending: Pending, command: Probe) -> None:  # noqa: N802 - the command's name
        if command.commits and not self.is_halted:
            self.hit("state.pulse")

    def _stand(self, state: str, affected: list[str]) -> None:
        self.noted["system.changed"] += 1
        self.system, self.draining, self.affected = state, False, affected
        self.system_since_us, self.system_changed_us = self.at_us, self.monotonic_us
