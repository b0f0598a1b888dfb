"""What commands for many jobs share: the filter, a look before, and the way to the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, get_args

import click

from sheratan.cli.output import draw_pairs, emit, line, talk
from sheratan.cli.reach import ask, checked, request
from sheratan.cli.session import Session
from sheratan.cli.values import INSTANT, read_instant
from sheratan.contracts import api
from sheratan.contracts.bulk import BulkAction, BulkPreview, BulkRecord
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.filters import JobFilter
from sheratan.contracts.jobs import ErrorClass

__all__ = ["bulk_options", "filter_options", "is_bulk", "run_bulk"]

Command = TypeVar("Command", bound=Callable[..., Any])

_INSTANTS: Final = ("created_from", "created_until", "finished_from", "finished_until")
_FILTERS: Final = tuple(name.removesuffix("_us") for name in JobFilter.__struct_fields__)
_LOOK_SECONDS: Final = 0.1


def filter_options(function: Command) -> Command:
    """The options of a listing: each narrows it."""
    options = [
        click.option("--queue", help="Only jobs of this queue."),
        click.option("--kind", help="Only jobs of this kind."),
        click.option("--partition", help="Only jobs of this partition."),
        click.option("--tag", help="Only jobs with this tag."),
        click.option(
            "--error-class", type=click.Choice(get_args(ErrorClass)), help="Only jobs that failed so."
        ),
        click.option(
            "--text", help="Only jobs that this finds: an id, a key, a part of a name, words of an error."
        ),
    ]
    for name in _INSTANTS:
        what, _, bound = name.partition("_")
        told = (
            f"Only jobs {what} {'at this instant or after it' if bound == 'from' else 'before this instant'}."
        )
        options.append(click.option(f"--{what}-{bound}", f"{name}_us", type=INSTANT, help=told))
    for option in reversed(options):
        function = option(function)
    return function


def bulk_options(function: Command) -> Command:
    """The options of a command that is for one job, by its id, or for all that a filter means."""
    options = [
        click.argument("job_id", metavar="[ID]", required=False),
        click.option(
            "--filter", "filters", multiple=True, metavar="NAME=VALUE",
            help="All jobs that are so, instead of one (repeatable): state, kind, queue, partition, tag, error-class,"
            " text, created-from, created-until, finished-from, finished-until.",
        ),
        click.option("--all", "everything", is_flag=True, help="All jobs that it can be done to."),
        click.option("--limit", type=int, help="With --filter or --all: at most so many, oldest first."),
        click.option("--dry-run", is_flag=True, help="With --filter or --all: say how many, and do nothing."),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def is_bulk(job_id: str | None, filters: Sequence[str], bulk: dict[str, Any]) -> bool:
    """Whether a command is for many jobs. One that names none, or one and a filter, is a misuse."""
    many = bool(filters) or bool(bulk["everything"])
    if many == (job_id is not None):
        raise click.UsageError("Name one job by its ID, or many with --filter NAME=VALUE or --all.")
    if not many and (bulk["dry_run"] or bulk["limit"] is not None):
        raise click.UsageError("--dry-run and --limit go with --filter or --all.")
    return many


def run_bulk(session: Session, action: BulkAction, filters: Sequence[str], bulk: dict[str, Any]) -> None:
    """Do it to all jobs that are meant and wait until it is over, or only say how many those are."""
    given = {name: bulk.get(name) for name in ("limit", "poison", "reason")}
    wanted = _read_filter(filters)
    if bulk["dry_run"]:
        del given["reason"]
        look = request(api.PreviewBulk, action=action, filter=wanted, **given)
        preview: BulkPreview = ask(session, lambda transport: transport.call(look), offline=True)
        emit(session, preview, lambda: _draw_preview(preview))
        return
    start = request(api.StartBulk, action=action, filter=wanted, **given)
    record: BulkRecord = ask(session, lambda transport: _follow(transport, start))
    emit(session, record, lambda: _draw(record))
    if record.state == "stopped":
        click.get_current_context().exit(1)


async def _follow(transport: api.Transport, start: api.StartBulk) -> BulkRecord:
    record: BulkRecord = await transport.call(start)
    talk(f"{record.id} goes on by itself, whatever becomes of this command")
    while record.state == "running":
        await asyncio.sleep(_LOOK_SECONDS)
        record = await transport.call(api.GetBulk(id=record.id))
    return record


def _read_filter(filters: Sequence[str]) -> JobFilter:
    given: dict[str, Any] = {}
    for text in filters:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or f"{name}_us" in given or name in given:
            raise InvalidInput(f"{text!r} is not NAME=VALUE, or names a thing twice", field="filter")
        if name not in _FILTERS:
            known = ", ".join(_FILTERS).replace("_", "-")
            raise InvalidInput(
                f"{text!r} filters by nothing that there is; there are {known}", field="filter"
            )
        if name in _INSTANTS:
            given[f"{name}_us"] = _instant(name, value)
        else:
            given[name] = value
    return checked(given, JobFilter)


def _instant(name: str, value: str) -> int:
    try:
        return read_instant(value)
    except ValueError:
        text = f"{value!r} is not an instant; write 2026-11-21 or 2026-11-21T14:05:00Z"
        raise InvalidInput(text, field=f"filter.{name}") from None


def _draw_preview(preview: BulkPreview) -> None:
    line(f"{preview.jobs} {'job' if preview.jobs == 1 else 'jobs'}{', and more' if preview.is_more else ''}")
    for job_id in preview.sample:
        line(f"  {job_id}")
    if preview.jobs > len(preview.sample):
        line("  …")


def _draw(record: BulkRecord) -> None:
    pairs = [
        ("id", record.id),
        ("action", record.action),
        ("state", record.state),
        ("jobs", str(record.jobs)),
    ]
    if record.stopped_because:
        pairs.append(("because", record.stopped_because))
    draw_pairs(pairs)
