"""`sheratan alert`: what is wrong, what is watched, and who is told."""

from __future__ import annotations

import click

from sheratan.cli.output import draw_table, emit, line
from sheratan.cli.reach import ask, request
from sheratan.cli.session import Session, command_options
from sheratan.cli.text import instant
from sheratan.contracts import api
from sheratan.contracts.alerts import (
    AlertingRecord,
    AlertRecord,
    AlertRuleRecord,
    AlertTargetRecord,
    TestResult,
)

__all__ = ["alert"]

_ALERT_HEADERS = ("ALERT", "STATE", "SEVERITY", "SINCE", "TOLD", "WHAT IS WRONG", "WHAT TO DO")
_RULE_HEADERS = ("RULE", "WATCHED", "THRESHOLD", "LASTS FOR", "SEVERITY", "OPEN", "WHAT")
_TARGET_HEADERS = (
    "TARGET",
    "BY",
    "HEARS OF",
    "TAKEN",
    "GIVEN UP",
    "HELD BACK",
    "FAILED",
    "WAITING",
    "LAST ERROR",
)


@click.group()
def alert() -> None:
    """See what is wrong, what is watched, and who is told."""


@alert.command("list")
@click.option("--all", "cleared", is_flag=True, help="Those that were cleared, too.")
@command_options
def list_alerts(session: Session, cleared: bool) -> None:
    """List the alerts that are open."""
    wanted = request(api.ListAlerts, all=cleared)
    found: list[AlertRecord] = ask(session, lambda transport: transport.call(wanted), offline=True)
    emit(session, found, lambda: draw_table(_ALERT_HEADERS, [_alert_row(one) for one in found]))


@alert.command()
@command_options
def rules(session: Session) -> None:
    """List what the running server watches, and how those are doing who are told."""
    found: AlertingRecord = ask(session, lambda transport: transport.call(request(api.GetAlerting)))
    emit(session, found, lambda: _draw_rules(found))


@alert.command()
@click.option("--target", help="Only this one.")
@command_options
def test(session: Session, target: str | None) -> None:
    """Send a test notice to every target, and say which has taken it; exit 1 when one has not."""
    wanted = request(api.TestAlerts, target=target)
    found: list[TestResult] = ask(session, lambda transport: transport.call(wanted))
    emit(session, found, lambda: _draw_results(found))
    if not all(one.taken for one in found):
        click.get_current_context().exit(1)


def _draw_rules(found: AlertingRecord) -> None:
    draw_table(_RULE_HEADERS, [_rule_row(one) for one in found.rules])
    line()
    draw_table(_TARGET_HEADERS, [_target_row(one) for one in found.targets])


def _draw_results(found: list[TestResult]) -> None:
    if not found:
        line("nobody is told: no target is set (alerts.targets)")
    for one in found:
        line(f"{one.target} has taken it" if one.taken else f"{one.target} has not taken it: {one.error}")


def _alert_row(one: AlertRecord) -> tuple[object, ...]:
    return (
        one.subject,
        "open" if one.is_open else "cleared",
        one.severity,
        instant(one.since_us),
        "yes" if one.is_told else "no",
        one.text,
        one.runbook,
    )


def _rule_row(one: AlertRuleRecord) -> tuple[object, ...]:
    return (
        one.name,
        "yes" if one.on else "no",
        "-" if one.threshold is None else f"{one.threshold} {one.unit}",
        f"{one.hold_seconds:g} s",
        one.severity,
        one.open,
        one.meaning,
    )


def _target_row(one: AlertTargetRecord) -> tuple[object, ...]:
    heard = "all" if one.least == "warning" else "critical ones"
    counts = (one.taken, one.given_up, one.held_back, one.failed, one.waiting)
    return one.name, one.kind, heard, *counts, one.error or ""
