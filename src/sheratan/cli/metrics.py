"""`sheratan metrics`: what Prometheus would be told."""

from __future__ import annotations

import click

from sheratan.cli.output import emit, write
from sheratan.cli.reach import ask, request
from sheratan.cli.session import Session, command_options
from sheratan.contracts.api import GetMetrics

__all__ = ["metrics"]


@click.command()
@command_options
def metrics(session: Session) -> None:
    """Print the metrics of the running server, as the text that Prometheus reads."""
    found: str = ask(session, lambda transport: transport.call(request(GetMetrics)))
    emit(session, {"metrics": found}, lambda: write(found.encode()))
