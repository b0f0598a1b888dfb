"""Who is told of alerts in a simulated world: people's machines that take notices, refuse them, or say nothing."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from sheratan.ambient.sending import Guarding
from sheratan.contracts.alert_targets import AlertTarget, TargetKind
from sheratan.contracts.alerts import AlertSettings, Notice
from sheratan.simulation.choices import Choices
from sheratan.simulation.coverage import Coverage
from sheratan.simulation.options import Options
from sheratan.simulation.story import Story

__all__ = ["Hearing", "SimulatedHearers"]

_RULES: Final[dict[str, Any]] = {
    "state": {"hold_seconds": 5.0},
    "queue_age": {"threshold": 20, "hold_seconds": 10.0},
    "dead_letters": {"hold_seconds": 10.0},
    "dead_letter_age": {"threshold": 120},
    "schedule_lag": {"threshold": 30, "hold_seconds": 5.0},
}
_TARGETS: Final = {
    "ops": AlertTarget(url="https://ops/"),
    "night": AlertTarget(url="https://night/", least="critical"),
}


class SimulatedHearers:
    """The targets of every server of a world, and what they have heard."""

    def __init__(self, choices: Choices, coverage: Coverage, options: Options) -> None:
        self._choices = choices
        self._coverage = coverage
        self.settings = _settings(choices, options.alert_seconds) if options.alert_seconds else None
        """What is set for the alerts of this world; None where nobody watches anything."""
        self.heard: set[tuple[str, str]] = set()
        """Targets, and the ids of the notices that they have taken."""

    def hear_of(self, story: Story) -> Hearing:
        """What a server that starts tells them."""
        return Hearing(self, story)

    async def take(self, target: str, notice: Notice) -> None:
        """Somebody takes it, refuses it, or says nothing at all."""
        await asyncio.sleep(0.01)
        if self._choices.chance("hearer.refuses", 200):
            self._coverage.hit("hearer.refused")
            raise OSError("Connection refused")
        if self._choices.chance("hearer.silent", 100):
            self._coverage.hit("hearer.silent")
            await asyncio.Event().wait()
        if (target, notice.id) in self.heard:
            self._coverage.hit("hearer.told_twice")
        self.heard.add((target, notice.id))
        self._coverage.hit("hearer.unwritten" if notice.entry is None else "hearer.told")


class Hearing:
    """The targets as one server knows them, as `sheratan.ambient.targets.Targets`."""

    def __init__(self, hearers: SimulatedHearers, story: Story) -> None:
        self._hearers = hearers
        self._story = story
        self._taken: set[tuple[str, str]] = set()

    async def send(self, target: str, notice: Notice, guard: Guarding) -> None:
        """Tell somebody. One server tells nobody twice of the same."""
        async with guard():
            await self._hearers.take(target, notice)
        if (target, notice.id) in self._taken:
            self._story.blame(f"{target} was told twice of {notice.subject} ({notice.what})")
        self._taken.add((target, notice.id))

    def kind_of(self, target: str) -> TargetKind:
        """How it is told."""
        return "webhook"

    def close(self) -> None:
        """Nothing is kept."""


def _settings(choices: Choices, seconds: int) -> AlertSettings:
    made = msgspec.convert(
        {
            "rules": _RULES,
            "interval_seconds": seconds,
            "clear_seconds": 10.0,
            "repeat_seconds": 300.0,
            "attempts_max": 3,
            "backoff_seconds_max": 5.0,
            "timeout_seconds": 2.0,
            "notices_per_minute": choices.pick("hearers.per_minute", (20, 20, 1)),
        },
        AlertSettings,
    )
    return msgspec.structs.replace(made, targets=_TARGETS)
