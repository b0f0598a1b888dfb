"""Alerts: raised, cleared and told, in the one commit."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.principal import Principal
from sheratan.engine.alert_commands import Finding, NoteAlerts, Told
from sheratan.engine.batch import Batch
from sheratan.kernel.alerting import ALERT, AlertFact, decide_alert, is_beyond
from sheratan.kernel.rules import decision

__all__ = ["fact_of", "note_alerts", "question"]


def note_alerts(batch: Batch, command: NoteAlerts, by: Principal) -> list[int | None]:
    """Raise or clear by what was found, and note what was told; returns the entry of each finding."""
    entries = [_change(batch, finding, by) for finding in command.findings]
    for told in command.told:
        _note(batch, told, by)
    return entries


def question(finding: Finding, *, is_open: bool) -> dict[str, Any]:
    """What the rule is told of a finding."""
    return {
        "open": is_open,
        "value": finding.value,
        "threshold": finding.threshold,
        "held_us": finding.held_us,
        "hold_us": finding.hold_us,
    }


def fact_of(finding: Finding, known: AlertFact | None, entry: int) -> AlertFact:
    """An alert after what was found has raised or cleared it."""
    return AlertFact(
        subject=finding.subject,
        is_open=is_beyond(finding.value, finding.threshold),
        severity=finding.severity,
        value=finding.value,
        threshold=finding.threshold,
        text=finding.text,
        affected=",".join(finding.affected),
        seen_us=finding.seen_us,
        is_told=False,
        told_us=None if known is None else known.told_us,
        entry=entry,
    )


def _change(batch: Batch, finding: Finding, by: Principal) -> int | None:
    known = batch.state.alerts.get(finding.subject)
    given = question(finding, is_open=known is not None and known.is_open)
    verdict = decide_alert(given)
    if verdict.chosen == "keep":
        return None
    data: dict[str, Any] = {"severity": finding.severity, "text": finding.text, "seen_us": finding.seen_us}
    if finding.affected:
        data["affected"] = list(finding.affected)
    entry = batch.unit.record(
        "alert.raised" if verdict.chosen == "raise" else "alert.cleared",
        finding.subject,
        data,
        by,
        decision=decision(ALERT, given, verdict),
        previous=None if known is None else known.entry,
    )
    _put(batch, fact_of(finding, known, entry))
    return entry


def _note(batch: Batch, told: Told, by: Principal) -> None:
    known = batch.state.alerts[told.subject]
    data: dict[str, Any] = {
        "seen_us": told.seen_us,
        "taken": list(told.taken),
        "given_up": list(told.given_up),
    }
    if told.held_back:
        data["held_back"] = True
    entry = batch.unit.record("alert.notified", told.subject, data, by, previous=known.entry)
    # A notice of what has changed since says nothing of how it is now.
    is_told = known.is_told or told.seen_us == known.seen_us
    _put(batch, known._replace(is_told=is_told, told_us=batch.at_us, entry=entry))


def _put(batch: Batch, fact: AlertFact) -> None:
    batch.state.alerts[fact.subject] = fact
    batch.unit.alerts[fact.subject] = fact
