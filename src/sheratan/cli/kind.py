"""`sheratan kind`: list, pause, resume and limit kinds."""

from __future__ import annotations

import click

from sheratan.cli.flow_limits import add_flow_commands, list_flows
from sheratan.cli.session import Session, command_options

__all__ = ["kind"]


@click.group()
def kind() -> None:
    """See kinds, stop and start them, limit how many of their jobs run."""


@kind.command("list")
@command_options
def list_kinds(session: Session) -> None:
    """List every kind that has been used, paused or limited."""
    list_flows(session, "kind")


add_flow_commands(kind, "kind")
