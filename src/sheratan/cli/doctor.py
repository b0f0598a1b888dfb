"""`sheratan doctor`: is everything as it must be, and if not, what is the way out?"""

from __future__ import annotations

import click

from sheratan.cli.checks import Finding, examine
from sheratan.cli.output import draw_table, emit
from sheratan.cli.session import Session, command_options

__all__ = ["doctor"]


@click.command()
@command_options
def doctor(session: Session) -> None:
    """Check the library, the data directory, its owner, the database, the state, the journal, the socket and the clock.

    Each line says ok, warn or fail, with the way out; exit 1 when one fails.
    """
    findings = examine(session)
    emit(session, findings, lambda: _draw(findings))
    if any(finding.result == "fail" for finding in findings):
        click.get_current_context().exit(1)


def _draw(findings: list[Finding]) -> None:
    rows = [
        (one.result, one.check, one.detail + (f" -> {one.way_out}" if one.way_out else ""))
        for one in findings
    ]
    draw_table(("RESULT", "CHECK", "FINDING"), rows)
