"""The fold of entries about alerts: raised and cleared in turn, for what was measured, after it has lasted."""

from __future__ import annotations

from sheratan.contracts.journal import Entry
from sheratan.contracts.principal import ENGINE
from sheratan.kernel.alerting import ALERT, AlertFact
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.fold_system import SystemFold

__all__ = ["AlertFold"]


class AlertFold(SystemFold):
    """What entries make of alerts."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.alerts: dict[str, AlertFact] = {}
        """By subject."""

    def alert_changed(self, entry: Entry) -> None:
        """An alert is raised, or it is cleared."""
        known, data = self._known_alert(entry), entry.data
        is_open, was_open = entry.type == "alert.raised", known is not None and known.is_open
        if is_open == was_open:
            self.say(entry, "H7", f"it was {'open' if was_open else 'not open'} before")
        value, threshold = self._check_measured(entry, is_open=is_open, was_open=was_open)
        if data["seen_us"] > entry.at:
            self.say(entry, "H7", f"it was found at {data['seen_us']}, after it was written down")
        affected = ",".join(data.get("affected", ()))
        about = (data["severity"], value, threshold, data["text"], affected, data["seen_us"])
        told_us = None if known is None else known.told_us
        self.alerts[entry.subject] = AlertFact(entry.subject, is_open, *about, False, told_us, entry.seq)

    def _check_measured(self, entry: Entry, *, is_open: bool, was_open: bool) -> tuple[int, int]:
        """What was measured leads there, and has lasted; returns it, with its threshold."""
        decided = decision_of(entry)
        given = decided["input"]
        value, threshold = given["value"], given["threshold"]
        if (decided["rule"], decided["chosen"]) != (ALERT, "raise" if is_open else "clear"):
            self.say(entry, "E14", f"{decided['chosen']} was chosen by {decided['rule']}")
        if given["open"] != was_open or (value >= threshold) != is_open:
            self.say(entry, "H7", f"the decision was told of {given}, and it was open: {was_open}")
        if given["held_us"] < given["hold_us"]:
            self.say(entry, "H7", f"{value} was measured for {given['held_us']} µs only")
        return value, threshold

    def alert_notified(self, entry: Entry) -> None:
        """Whoever is to hear of an alert has, or was given up on."""
        known = self._known_alert(entry)
        if known is None:
            self.say(entry, "H7", "it was told of, and nobody has raised it")
            return
        is_told = known.is_told or entry.data["seen_us"] == known.seen_us
        self.alerts[entry.subject] = known._replace(is_told=is_told, told_us=entry.at, entry=entry.seq)

    def _known_alert(self, entry: Entry) -> AlertFact | None:
        known = self.alerts.get(entry.subject)
        self.check_previous(entry, None if known is None else known.entry)
        if entry.actor != ENGINE.actor:
            self.say(entry, "H7", f"{entry.actor} did it, and only the engine does")
        return known
