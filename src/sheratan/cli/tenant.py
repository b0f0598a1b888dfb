"""`sheratan tenant`: list, pause, resume and limit tenants."""

from __future__ import annotations

import click

from sheratan.cli.flow_limits import add_flow_commands, list_flows
from sheratan.cli.session import Session, command_options

__all__ = ["tenant"]


@click.group()
def tenant() -> None:
    """See tenants, stop and start all of their jobs, limit how many of them run."""


@tenant.command("list")
@command_options
def list_tenants(session: Session) -> None:
    """List every tenant that has been used, paused or limited."""
    list_flows(session, "tenant")


add_flow_commands(tenant, "tenant")
