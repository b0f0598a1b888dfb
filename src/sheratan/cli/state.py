"""`sheratan state`: how the system stands, and what a person makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import click

from sheratan.cli.output import draw_pairs, draw_table, emit, line
from sheratan.cli.reach import ask, request
from sheratan.cli.session import Session, command_options
from sheratan.cli.text import instant
from sheratan.contracts import api
from sheratan.contracts.health import ProbeRecord
from sheratan.contracts.system import StateChange, SystemRecord, SystemState, TargetState

__all__ = ["state"]


@click.group()
def state() -> None:
    """See the system's state, and change what may happen at all."""


@state.command()
@command_options
def show(session: Session) -> None:
    """Tell the state: since when, why, by whom, what it allows and how it ends."""
    found: SystemRecord = ask(session, lambda transport: transport.call(request(api.GetState)), offline=True)
    emit(session, found, lambda: _draw(found))


@state.command()
@click.option("--limit", type=int, help="How many changes at most (default: 100).")
@command_options
def history(session: Session, limit: int | None) -> None:
    """List the changes of the state, newest first."""
    asked = request(api.ListStateChanges, limit=limit)
    found: list[StateChange] = ask(session, lambda transport: transport.call(asked), offline=True)
    headers = ("ENTRY", "WHEN", "FROM", "TO", "BY", "REASON")
    emit(session, found, lambda: draw_table(headers, [_row(one) for one in found]))


def _add_change(name: str, to: TargetState, text: str) -> None:
    """Give the group a command that brings the system into a state."""

    @state.command(name, help=text)
    @click.option("--reason", required=True, help="Why; it goes into the journal.")
    @click.option(
        "--from",
        "expected",
        type=click.Choice(get_args(SystemState)),
        help="Only if this is the state now.",
    )
    @command_options
    def change(session: Session, reason: str, expected: SystemState | None) -> None:
        wanted = request(api.ChangeState, to=to, reason=reason, expected=expected)
        changed: bool = ask(session, lambda transport: transport.call(wanted))
        told = f"the system is {to}" + ("" if changed else ", as it was")
        emit(session, {"state": to, "changed": changed}, lambda: line(told))


_add_change("pause", "paused", "Start nothing more; what runs goes on, and what comes in waits.")
_add_change("resume", "operational", "Let everything go on.")
_add_change("reflect", "reflective", "Let work go on, and keep its traces: no bulk operation, no pruning.")
_add_change("halt", "halted", "Stop everything at once: nothing comes in, starts or counts until `recover`.")
_add_change("recover", "recovery", "Leave a halt: what ran may end, people may put things right.")


def _draw(found: SystemRecord) -> None:
    draw_pairs(list(_pairs(found)))
    if found.probes:
        line()
        headers = ("PROBE", "HEALTH", "CRITICAL", "SINCE", "LATENCY", "FAILING", "LAST ERROR")
        draw_table(headers, [_probe_row(one) for one in found.probes])


def _probe_row(one: ProbeRecord) -> tuple[object, ...]:
    return (
        one.name,
        f"{one.health}, overridden" if one.overridden else one.health,
        "yes" if one.critical else "no",
        "" if one.since_us is None else instant(one.since_us),
        f"{one.latency_us / 1_000:.1f} ms",
        f"{one.failing_permille / 10:.1f} %",
        one.error or "",
    )


def _pairs(found: SystemRecord) -> Iterator[tuple[str, object]]:
    yield "state", found.state
    yield "severity", found.severity
    if found.affected:
        yield "affected", ", ".join(found.affected)
    if found.since_us is not None:
        entry = "not in the journal yet" if found.entry is None else f"entry {found.entry}"
        yield "since", f"{instant(found.since_us)} ({entry})"
        yield "by", found.actor
        yield "reason", found.reason
    yield "allows", ", ".join(f"{action} {answer}" for action, answer in found.allows.items())
    if found.way_out:
        yield "way out", found.way_out
    if found.returns_to is not None:
        yield "afterwards", found.returns_to


def _row(one: StateChange) -> tuple[object, ...]:
    return one.entry, instant(one.at_us), one.source, one.to, one.actor, one.reason
