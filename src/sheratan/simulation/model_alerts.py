"""The part of the model that knows alerts: raised and cleared by what was measured, and told."""

from __future__ import annotations

from typing import Any

import msgspec

from sheratan.engine.alert_commands import Finding, NoteAlerts
from sheratan.engine.commands import Pending
from sheratan.simulation.model_system import ModelSystem
from sheratan.simulation.model_waits import Refused

__all__ = ["ModelAlert", "ModelAlerts"]


class ModelAlert(msgspec.Struct):
    """An alert: by what it is open or not, and whether that was told."""

    finding: Finding
    is_open: bool
    is_told: bool = False


class ModelAlerts(ModelSystem):
    """What is wrong, and who has heard of it."""

    def __init__(self) -> None:
        super().__init__()
        self.alerts: dict[str, ModelAlert] = {}

    def _NoteAlerts(self, pending: Pending, command: NoteAlerts) -> list[int | None]:  # noqa: N802 - the command's name
        given: Any = self._actual_value(pending)
        entries: list[int | None] = given if isinstance(given, list) else []
        answer = [self._changed(finding) for finding in command.findings]
        for told in command.told:
            alert = self.alerts[told.subject]
            alert.is_told = alert.is_told or told.seen_us == alert.finding.seen_us
            self.noted["alert.notified"] += 1
            self.hit("alert.taken" if told.taken else "alert.not_taken")
        if [entry is not None for entry in entries] != answer:
            raise Refused(f"an entry for each change: {answer}")
        return entries

    def _changed(self, finding: Finding) -> bool:
        """Whether what was found raises or clears an alert."""
        known = self.alerts.get(finding.subject)
        is_wrong, was_open = finding.value >= finding.threshold, known is not None and known.is_open
        if is_wrong == was_open or finding.held_us < finding.hold_us:
            return False
        self.alerts[finding.subject] = ModelAlert(finding, is_wrong)
        self.hit("alert.raised" if is_wrong else "alert.cleared")
        self.noted["alert.raised" if is_wrong else "alert.cleared"] += 1
        if finding.subject.startswith("alert:breaker/"):
            self.hit("alert.breaker")
        return True
