"""`sheratan config`: the settings in force."""

from __future__ import annotations

import click

from sheratan.cli.output import draw_table, emit
from sheratan.cli.session import Session, command_options
from sheratan.settings import SETTING_REASONS, general_name

__all__ = ["config"]


@click.group()
def config() -> None:
    """See the settings in force."""


@config.command()
@click.option(
    "--origin", is_flag=True, help="Also say where each value comes from, and why there is such a setting."
)
@command_options
def show(session: Session, origin: bool) -> None:
    """Show every setting with its value in force."""
    _, origins = session.load()
    values = [{"name": one.name, "value": one.value} for one in origins]
    rows = [(one.name, _word(one.value)) for one in origins]
    headers: tuple[str, ...] = ("SETTING", "VALUE")
    if origin:
        headers += ("ORIGIN", "REASON")
        reasons = [SETTING_REASONS[general_name(one.name)] for one in origins]
        for one, value, reason in zip(origins, values, reasons, strict=True):
            value |= {"origin": one.origin, "reason": reason}
        rows = [(*row, one.origin, reason) for row, one, reason in zip(rows, origins, reasons, strict=True)]
    emit(session, values, lambda: draw_table(headers, rows))


def _word(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
