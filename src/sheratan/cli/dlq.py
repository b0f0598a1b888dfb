"""`sheratan dlq`: the dead letters: failed jobs that nobody has replayed or discarded yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
import msgspec
from msgspec.structs import replace

from sheratan.cli.budget import in_minor_units, job_budget_option
from sheratan.cli.bulk import bulk_options, filter_options, is_bulk, run_bulk
from sheratan.cli.output import draw_pairs, draw_table, emit, line
from sheratan.cli.pages import page_options, show_pages
from sheratan.cli.reach import ask, checked, request
from sheratan.cli.session import Session, command_options
from sheratan.cli.text import instant
from sheratan.cli.values import DURATION, read_json
from sheratan.contracts import api
from sheratan.contracts.dead_letters import DeadLetter, DeadLetterPage, Edit
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.jobs import JobError

__all__ = ["dlq"]

_HEADERS = ("ID", "KIND", "QUEUE", "FAILED", "ATTEMPT", "ERROR", "MESSAGE")
_MESSAGE_LENGTH_MAX = 60


@click.group()
def dlq() -> None:
    """Deal with failed jobs: the dead letters."""


@dlq.command("list")
@filter_options
@page_options("Dead letters")
@command_options
def list_letters(session: Session, **wanted: Any) -> None:
    """List dead letters, newest job first."""
    show_pages(session, api.ListDeadLetters, _draw_page, **wanted)


def _draw_page(page: DeadLetterPage) -> None:
    draw_table(_HEADERS, [_row(letter) for letter in page.items])


@dlq.command()
@click.argument("job_id", metavar="ID")
@command_options
def show(session: Session, job_id: str) -> None:
    """Show a dead letter: its input, its first and last error, the worker that ran it last."""
    wanted = request(api.GetDeadLetter, id=job_id)
    letter: DeadLetter = ask(session, lambda transport: transport.call(wanted), offline=True)
    emit(session, letter, lambda: draw_pairs(_pairs(letter)))


@dlq.command()
@bulk_options
@click.option(
    "--poison", is_flag=True, help="Replay quarantined jobs, too: they may take down workers again."
)
@click.option("--reason", default="", help="Why; it goes into the journal.")
@command_options
def replay(
    session: Session, job_id: str | None, filters: tuple[str, ...], poison: bool, reason: str, **bulk: Any
) -> None:
    """Run a dead letter, or many, again as new jobs, and print the new job's id."""
    if is_bulk(job_id, filters, bulk):
        run_bulk(session, "replay", filters, {**bulk, "poison": poison, "reason": reason})
        return
    wanted = request(api.ReplayJob, id=job_id, poison=poison, reason=reason)
    receipt: api.Receipt = ask(session, lambda transport: transport.call(wanted))
    emit(session, receipt, lambda: line(receipt.id))


@dlq.command()
@click.argument("job_id", metavar="ID")
@click.option("--input", "given", metavar="JSON|@FILE|-", help="The new input.")
@click.option("--queue", help="Another queue.")
@click.option("--priority", type=int, help="Another priority: 0 runs first, 9 last.")
@click.option("--attempts", "attempts_max", type=int, help="How often it is tried at most.")
@click.option("--timeout", "run_timeout_seconds", type=DURATION, help="How long an attempt may run.")
@click.option(
    "--deadline",
    "deadline_seconds",
    type=DURATION,
    help="How long after its submission the new job fails, all in all.",
)
@click.option("--tag", "tags", multiple=True, help="Its tags, instead of the old ones (repeatable).")
@job_budget_option
@click.option("--poison", is_flag=True, help="Replay it although it is quarantined.")
@click.option("--reason", default="", help="Why; it goes into the journal.")
@command_options
def edit(session: Session, job_id: str, given: str | None, poison: bool, reason: str, **options: Any) -> None:
    """Replay a dead letter with another input or other options; what is not given stays. Print the new job's id."""
    changes = {name: option for name, option in options.items() if option not in (None, ())}
    if given is not None:
        changes["input"] = read_json(given, "input")
    if not changes:
        raise InvalidInput("nothing is changed; `sheratan dlq replay` runs it again as it is", field="edit")
    budget = changes.pop("budget", ())
    wanted = checked(changes, Edit)

    async def work(transport: api.Transport) -> api.Receipt:
        amounts = await in_minor_units(transport, budget) or None
        edited = replace(wanted, budget=amounts)
        answer: api.Receipt = await transport.call(
            request(api.ReplayJob, id=job_id, edit=edited, poison=poison, reason=reason)
        )
        return answer

    receipt = ask(session, work)
    emit(session, receipt, lambda: line(receipt.id))


@dlq.command()
@bulk_options
@click.option("--reason", default="", help="Why; it goes into the journal.")
@command_options
def discard(session: Session, job_id: str | None, filters: tuple[str, ...], reason: str, **bulk: Any) -> None:
    """Take a job, or many, out of the dead letters for good; they stay failed."""
    if is_bulk(job_id, filters, bulk):
        run_bulk(session, "discard", filters, {**bulk, "reason": reason})
        return
    wanted = request(api.DiscardJob, id=job_id, reason=reason)
    entry: int = ask(session, lambda transport: transport.call(wanted))
    emit(session, {"id": job_id, "entry": entry}, lambda: line(f"entry {entry}"))


def _row(letter: DeadLetter) -> tuple[str, ...]:
    message = letter.last_error.message.partition("\n")[0] if letter.last_error else ""
    if len(message) > _MESSAGE_LENGTH_MAX:
        message = f"{message[:_MESSAGE_LENGTH_MAX]}…"
    return (
        letter.id,
        letter.kind,
        letter.queue,
        instant(letter.failed_us),
        f"{letter.attempt}/{letter.attempts_max}",
        "quarantined" if letter.quarantined else letter.error_class,
        message,
    )


def _pairs(letter: DeadLetter) -> Iterator[tuple[str, object]]:
    yield "id", letter.id
    yield "kind", letter.kind
    yield "queue", letter.queue
    if letter.quarantined:
        yield (
            "quarantined",
            f"{letter.worker_losses} workers were lost while running it; replay needs --poison",
        )
    yield "attempt", f"{letter.attempt} of {letter.attempts_max}"
    if letter.tags:
        yield "tags", ", ".join(letter.tags)
    yield "worker", letter.worker or "none: it was never started"
    yield "created", instant(letter.created_us)
    yield "failed", f"{instant(letter.failed_us)} (entry {letter.entry})"
    yield "first error", _told(letter.first_error)
    yield "last error", _told(letter.last_error)
    yield "input", msgspec.json.encode(letter.input).decode()


def _told(error: JobError | None) -> str:
    return f"{error.type} ({error.error_class}): {error.message}" if error else "-"
