"""`sheratan version`."""

from __future__ import annotations

import platform

import click

from sheratan.cli.output import emit, line
from sheratan.cli.session import Session, command_options

__all__ = ["version"]


@click.command()
@command_options
def version(session: Session) -> None:
    """Say which version this is."""
    found = {"version": session.program.version(), "python": platform.python_version()}
    emit(session, found, lambda: line(f"sheratan {found['version']}"))
