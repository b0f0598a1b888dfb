"""Alerts: when what is watched is told, and when it is well again."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sheratan.contracts.alert_targets import AlertSeverity
from sheratan.contracts.alerts import AlertRuleName
from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import seconds

__all__ = ["ALERT", "AlertFact", "alert_subject", "decide_alert", "is_beyond", "rule_of"]

ALERT: Final = "alert.decide@1"


class AlertFact(NamedTuple):
    """An alert as it stands since it was last raised or cleared, and whether that was told."""

    subject: str
    is_open: bool
    severity: AlertSeverity
    value: int
    threshold: int
    text: str
    affected: str
    """What does not work, separated by commas."""
    seen_us: int
    """When it was found that it is to be raised or cleared; the entry may have had to wait."""
    is_told: bool
    told_us: int | None
    """When it was last told of."""
    entry: int
    """The newest entry about it."""


def alert_subject(rule_name: AlertRuleName, about: str) -> str:
    """What entries about an alert are about: the rule and, where it watches many things, which."""
    return f"alert:{rule_name}/{about}" if about else f"alert:{rule_name}"


def rule_of(subject: str) -> AlertRuleName:
    """The rule of an alert."""
    name: Any = subject.partition(":")[2].partition("/")[0]
    found: AlertRuleName = name
    return found


def is_beyond(value: int, threshold: int) -> bool:
    """Whether what was measured is wrong."""
    return value >= threshold


@rule("alert.decide", 1)
def decide_alert(given: dict[str, Any]) -> Verdict:
    """Choose `raise`, `clear` or `keep`.

    Input: open (whether the alert is), value, threshold, held_us (how long the value has been on this side of the
    threshold), hold_us (how long it has to be).
    """
    value, threshold, held_us, hold_us = (
        given[name] for name in ("value", "threshold", "held_us", "hold_us")
    )
    beyond = is_beyond(value, threshold)
    side = f"{value} is {'at or over' if beyond else 'below'} {threshold}"
    if beyond == given["open"]:
        return Verdict("keep", f"{side}, and the alert is {'open' if beyond else 'not'}.")
    if held_us < hold_us:
        return Verdict("keep", f"{side} for {seconds(held_us)}, and has to be for {seconds(hold_us)}.")
    return Verdict("raise" if beyond else "clear", f"{side}, and was for {seconds(held_us)}.")
