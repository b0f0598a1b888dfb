"""`sheratan kind`: list, pause, resume and limit kinds."""

from __future__ import annotations

from typing import Any

import click

from sheratan.cli.flow_limits import limit_options, limits_given, tell_limits, tell_pause, told_limits
from sheratan.cli.output import draw_table, emit
from sheratan.cli.reach import ask, request
from sheratan.cli.session import Session, command_options
from sheratan.contracts import api
from sheratan.contracts.flow import FlowRecord

__all__ = ["kind"]

_HEADERS = ("KIND", "STATE", "QUEUED", "RUNNING", "LIMITS", "REASON")


@click.group()
def kind() -> None:
    """See kinds, stop and start them, limit how many of their jobs run."""


@kind.command("list")
@command_options
def list_kinds(session: Session) -> None:
    """List every kind that has been used, paused or limited."""
    found: list[FlowRecord] = ask(
        session, lambda transport: transport.call(request(api.ListFlows)), offline=True
    )
    kinds = [one for one in found if one.subject.startswith("kind:")]
    emit(session, kinds, lambda: draw_table(_HEADERS, [_row(one) for one in kinds]))


def _row(one: FlowRecord) -> tuple[object, ...]:
    state = "paused" if one.paused else "open"
    name, limits = one.subject.removeprefix("kind:"), told_limits(one.limits)
    return name, state, one.queued, one.running, limits, one.paused_reason or ""


@kind.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; it goes into the journal.")
@command_options
def pause(session: Session, name: str, reason: str) -> None:
    """Start no more jobs of kind NAME, in whatever queue; what runs goes on."""
    wanted = request(api.PauseKind, kind=name, reason=reason)
    changed: bool = ask(session, lambda transport: transport.call(wanted))
    tell_pause(session, "kind", name, changed=changed, paused=True)


@kind.command()
@click.argument("name")
@command_options
def resume(session: Session, name: str) -> None:
    """Start jobs of kind NAME again."""
    wanted = request(api.ResumeKind, kind=name)
    changed: bool = ask(session, lambda transport: transport.call(wanted))
    tell_pause(session, "kind", name, changed=changed, paused=False)


@kind.command()
@click.argument("name")
@limit_options
@command_options
def limit(session: Session, name: str, reason: str, **given: Any) -> None:
    """Limit the jobs of kind NAME, in whatever queues they are; what is not given is not limited from now on."""
    wanted = request(api.LimitKind, kind=name, limits=limits_given(**given), reason=reason)
    entry: int = ask(session, lambda transport: transport.call(wanted))
    tell_limits(session, "kind", name, wanted.limits, entry)
