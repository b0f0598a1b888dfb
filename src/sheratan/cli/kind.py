"""`sheratan kind`: list, pause, resume and limit kinds."""

from __future__ import annotations

import click

from sheratan.cli.flow_limits import add_flow_commands, told_limits
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


add_flow_commands(kind, "kind")
