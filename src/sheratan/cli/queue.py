"""`sheratan queue`: list, pause, resume and limit queues."""

from __future__ import annotations

from typing import Any

import click

from sheratan.cli.flow_limits import limit_options, limits_given, tell_limits, tell_pause, told_limits
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


@queue.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; it goes into the journal.")
@command_options
def pause(session: Session, name: str, reason: str) -> None:
    """Start no more jobs of queue NAME; what runs goes on."""
    wanted = request(api.PauseQueue, queue=name, reason=reason)
    changed: bool = ask(session, lambda transport: transport.call(wanted))
    tell_pause(session, "queue", name, changed=changed, paused=True)


@queue.command()
@click.argument("name")
@command_options
def resume(session: Session, name: str) -> None:
    """Start jobs of queue NAME again."""
    wanted = request(api.ResumeQueue, queue=name)
    changed: bool = ask(session, lambda transport: transport.call(wanted))
    tell_pause(session, "queue", name, changed=changed, paused=False)


@queue.command()
@click.argument("name")
@limit_options
@command_options
def limit(session: Session, name: str, reason: str, **given: Any) -> None:
    """Limit the jobs of queue NAME; what is not given is not limited from now on."""
    wanted = request(api.LimitQueue, queue=name, limits=limits_given(**given), reason=reason)
    entry: int = ask(session, lambda transport: transport.call(wanted))
    tell_limits(session, "queue", name, wanted.limits, entry)
