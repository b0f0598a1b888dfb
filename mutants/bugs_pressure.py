"""Planted bugs in what an engine refuses under pressure, and after a deadline."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_RULE: Final = "kernel/pressure.py"
_LOOP: Final = "engine/pressure.py"
_DRIVER: Final = "engine/driver.py"
_SHEDDING: Final = "engine/shedding.py"

BUGS: Final = (
    Bug(
        "pressure-never-falls",
        "once there is pressure there always is",
        "liveness",
        "E9",
        (
            Change(
                _RULE,
                "max(rises_to, min(LEVELS.index(before), falls_to))",
                "max(rises_to, LEVELS.index(before), falls_to * 0)",
            ),
        ),
    ),
    Bug(
        "memory-looked-at-once",
        "memory is looked at when a server starts, and never again",
        "safety",
        "E16",
        (
            Change(
                _LOOP,
                "        while True:\n            await self.look(late_us)",
                "        for _ in range(1):\n            await self.look(late_us)",
            ),
        ),
    ),
    Bug(
        "pressure-without-effect",
        "the pressure is known, and everything is taken in all the same",
        "safety",
        "E16",
        (Change(_DRIVER, "command, self.pressure.level)", 'command, "none")'),),
    ),
    Bug(
        "late-work-begun",
        "an engine that is behind begins what nobody waits for any more",
        "safety",
        "E16",
        (Change(_DRIVER, "if were_left or passed_us >= _BEHIND_US:", "if passed_us < 0:"),),
    ),
    Bug(
        "critical-work-shed",
        "under critical pressure critical work is refused, too",
        "liveness",
        "E9",
        (Change(_SHEDDING, "_rank(command) < _LEAST[level]", 'level == "critical"'),),
    ),
    Bug(
        "gates-open-under-pressure",
        "what comes through a gate is taken in under critical pressure",
        "safety",
        "E16",
        (
            Change(
                _SHEDDING,
                "    if isinstance(command, Submit | SubmitGated):",
                "    if isinstance(command, Submit):",
            ),
        ),
    ),
    Bug(
        "work-under-way-refused",
        "what a running job submits is refused under critical pressure, and the job with it",
        "liveness",
        "E9",
        (Change(_SHEDDING, "return command.by_job is None", "return command.by_job != -1"),),
    ),
)
