"""Alerts and rules as people see them, and as they are told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, get_args

from sheratan.contracts.alerts import (
    ALERT_MEANINGS,
    AlertRecord,
    AlertRuleName,
    AlertRuleRecord,
    AlertSettings,
    ListAlerts,
    Notice,
    runbook_page,
)
from sheratan.contracts.errors import NotFound
from sheratan.kernel.alerting import AlertFact, rule_of
from sheratan.kernel.canonical import digest
from sheratan.kernel.system import services_in
from sheratan.store.port import Reader

__all__ = [
    "UNWRITTEN",
    "list_alerts",
    "newest_of_alert",
    "notice_of",
    "open_alerts",
    "rule_records",
    "test_notice",
]

UNWRITTEN: Final = -1
"""The entry of an alert that could not be written down yet."""


def list_alerts(reader: Reader, request: ListAlerts, unwritten: Mapping[str, AlertFact]) -> list[AlertRecord]:
    """Alerts by subject; `unwritten` are as a running process knows them."""
    facts = {fact.subject: fact for fact in reader.alerts()} | dict(unwritten)
    return [_record(fact) for _, fact in sorted(facts.items()) if fact.is_open or request.all]


def open_alerts(reader: Reader, unwritten: Mapping[str, AlertFact]) -> list[AlertRecord]:
    """The alerts that are open, by subject."""
    return list_alerts(reader, ListAlerts(), unwritten)


def newest_of_alert(reader: Reader, subject: str) -> tuple[int, str]:
    """The newest entry about an alert, and how it stands."""
    for fact in reader.alerts():
        if fact.subject == subject:
            return fact.entry, "open" if fact.is_open else "cleared"
    raise NotFound(f"{subject} was never raised", field="id")


def rule_records(settings: AlertSettings, facts: Iterable[AlertFact]) -> list[AlertRuleRecord]:
    """Every rule as it is set, and how many alerts of it are open."""
    opened = Counter(rule_of(fact.subject) for fact in facts if fact.is_open)
    return [_rule(name, settings, opened[name]) for name in get_args(AlertRuleName)]


def _rule(name: AlertRuleName, settings: AlertSettings, opened: int) -> AlertRuleRecord:
    rule = getattr(settings.rules, name)
    unit, meaning = ALERT_MEANINGS[name]
    return AlertRuleRecord(
        name=name,
        on=rule.on,
        severity=rule.severity,
        threshold=getattr(rule, "threshold", None),
        unit=unit,
        hold_seconds=rule.hold_seconds,
        meaning=meaning,
        open=opened,
    )


def notice_of(fact: AlertFact, source: str, again_us: int | None) -> Notice:
    """What is told of an alert; `again_us` is when it is told again that it is open."""
    changed = "raised" if fact.is_open else "cleared"
    told = f"{fact.subject}@{fact.seen_us}/{changed}" + ("" if again_us is None else f"/{again_us}")
    rule = rule_of(fact.subject)
    return Notice(
        id=f"alert_{digest(told.encode())[:32]}",
        what=changed if again_us is None else "still_open",
        subject=fact.subject,
        severity=fact.severity,
        text=fact.text,
        since_us=fact.seen_us,
        rule=rule,
        value=fact.value,
        threshold=fact.threshold,
        affected=services_in(fact.affected),
        entry=_written(fact.entry),
        runbook=runbook_page(rule),
        source=source,
    )


def test_notice(at_us: int, source: str) -> Notice:
    """What is told to see whether it arrives."""
    return Notice(
        id=f"alert_test_{at_us}",
        what="test",
        subject="alert:test",
        severity="warning",
        text="this is a test: somebody has asked whether notices arrive",
        since_us=at_us,
        source=source,
    )


def _record(fact: AlertFact) -> AlertRecord:
    rule = rule_of(fact.subject)
    return AlertRecord(
        subject=fact.subject,
        rule=rule,
        is_open=fact.is_open,
        severity=fact.severity,
        value=fact.value,
        threshold=fact.threshold,
        text=fact.text,
        affected=services_in(fact.affected),
        since_us=fact.seen_us,
        is_told=fact.is_told,
        told_us=fact.told_us,
        entry=_written(fact.entry),
        runbook=runbook_page(rule),
    )


def _written(entry: int) -> int | None:
    return None if entry == UNWRITTEN else entry
