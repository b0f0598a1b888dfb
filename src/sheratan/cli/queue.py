"""`sheratan queue`: list, pause and resume queues."""

from __future__ import annotations

import click

from sheratan.cli.output import draw_table, emit, line
from sheratan.cli.reach import ask, request
from sheratan.cli.session import Session, command_options
from sheratan.contracts import api
from sheratan.contracts.jobs import QueueRecord

__all__ = ["queue"]


@click.group()
def queue() -> None:
    """See queues, stop and start them."""


@queue.command("list")
@command_options
def list_queues(session: Session) -> None:
    """List every queue that has been used or paused."""
    queues: list[QueueRecord] = ask(
        session, lambda transport: transport.call(request(api.ListQueues)), offline=True
    )
    rows = [
        (one.name, "paused" if one.paused else "open", one.queued, one.running, one.paused_reason or "")
        for one in queues
    ]
    emit(session, queues, lambda: draw_table(("QUEUE", "STATE", "QUEUED", "RUNNING", "REASON"), rows))


@queue.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; it goes into the journal.")
@command_options
def pause(session: Session, name: str, reason: str) -> None:
    """Start no more jobs of queue NAME; what runs goes on."""
    wanted = request(api.PauseQueue, queue=name, reason=reason)
    changed: bool = ask(session, lambda transport: transport.call(wanted))
    _tell(session, name, changed=changed, paused=True)


@queue.command()
@click.argument("name")
@command_options
def resume(session: Session, name: str) -> None:
    """Start jobs of queue NAME again."""
    wanted = request(api.ResumeQueue, queue=name)
    changed: bool = ask(session, lambda transport: transport.call(wanted))
    _tell(session, name, changed=changed, paused=False)


def _tell(session: Session, name: str, *, changed: bool, paused: bool) -> None:
    value = {"queue": name, "paused": paused, "changed": changed}
    state = "paused" if paused else "open"
    emit(session, value, lambda: line(f"{name} is {state}" + ("" if changed else ", as it was")))
