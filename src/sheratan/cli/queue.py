"""`sheratan queue`: list, pause, resume and limit queues."""

from __future__ import annotations

import click

from sheratan.cli.flow_limits import add_flow_commands, told_limits
from sheratan.cli.output import draw_table, emit
from sheratan.cli.reach import ask, request
from sheratan.cli.session import Session, command_options
from sheratan.contracts import api
from sheratan.contracts.jobs import QueueRecord

__all__ = ["queue"]

_HEADERS = ("QUEUE", "STATE", "QUEUED", "RUNNING", "LIMITS", "REASON")


@click.group()
def queue() -> None:
    """See queues, stop and start them, limit how many of their jobs run."""


@queue.command("list")
@command_options
def list_queues(session: Session) -> None:
    """List every queue that has been used, paused or limited."""
    queues: list[QueueRecord] = ask(
        session, lambda transport: transport.call(request(api.ListQueues)), offline=True
    )
    emit(session, queues, lambda: draw_table(_HEADERS, [_row(one) for one in queues]))


def _row(one: QueueRecord) -> tuple[object, ...]:
    state, limits = "paused" if one.paused else "open", told_limits(one.limits)
    return one.name, state, one.queued, one.running, limits, one.paused_reason or ""


add_flow_commands(queue, "queue")
