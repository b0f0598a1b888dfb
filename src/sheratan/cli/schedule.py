"""`sheratan schedule`: create, list, show, pause and resume schedules, see what comes next, make up for, trigger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import click
import msgspec

from sheratan.cli.output import draw_pairs, draw_table, emit, line, talk
from sheratan.cli.pages import page_options, show_pages
from sheratan.cli.reach import ask, checked, request
from sheratan.cli.session import Session, command_options
from sheratan.cli.text import instant
from sheratan.cli.values import DURATION, INSTANT, read_json
from sheratan.contracts import api
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.jobs import Options
from sheratan.contracts.schedules import (
    FiringReceipt,
    FiringRecord,
    MissedPolicy,
    OverlapPolicy,
    Schedule,
    ScheduleRecord,
)
from sheratan.sdk.workflow_file import read_workflow

__all__ = ["schedule"]

_encode = msgspec.json.Encoder().encode


@click.group()
def schedule() -> None:
    """Submit jobs or run workflows again and again, at the times that you say."""


@schedule.command()
@click.argument("name")
@click.argument("kind", required=False)
@click.option("--workflow", "path", metavar="FILE", help="Run the workflow in this file in place of a job.")
@click.option(
    "--cron", metavar="TEXT", help="Five fields, or six with seconds first; @daily and the like, too."
)
@click.option("--zone", help="The time zone that cron is read in, such as Europe/Berlin (default: UTC).")
@click.option("--every", "every_seconds", type=DURATION, help="So long after each other.")
@click.option("--at", "at_us", type=INSTANT, help="Once, at this instant.")
@click.option(
    "--input",
    "given",
    default="null",
    metavar="JSON|@FILE|-",
    help="The input of the jobs or runs (default: null).",
)
@click.option("--queue", help="The jobs' queue (default: the kind's).")
@click.option("--priority", type=int, help="0 runs first, 9 last (default: the kind's).")
@click.option("--timeout", "run_timeout_seconds", type=DURATION, help="How long an attempt may run.")
@click.option(
    "--deadline",
    "deadline_seconds",
    type=DURATION,
    help="How long after its submission each job fails, all in all.",
)
@click.option("--attempts", "attempts_max", type=int, help="How often a job is tried at most.")
@click.option("--cost", type=int, help="What a job counts for where a rate limits its start (default: 1).")
@click.option("--partition", help="Whose or what its jobs are, among those that take turns and share limits.")
@click.option("--tag", "tags", multiple=True, help="A name to find its jobs by (repeatable).")
@click.option(
    "--missed", type=click.Choice(get_args(MissedPolicy)), help="Firings that were missed (default: once)."
)
@click.option("--missed-max", type=int, help="How many are made up for by `--missed all` (default: 100).")
@click.option(
    "--overlap",
    type=click.Choice(get_args(OverlapPolicy)),
    help="While the job before runs (default: queue).",
)
@click.option("--jitter", "jitter_seconds", type=DURATION, help="Start each job up to so much later.")
@click.option("--starts", "starts_us", type=INSTANT, help="Fire from this instant on.")
@click.option("--ends", "ends_us", type=INSTANT, help="Fire up to this instant.")
@click.option("--description", help="What it is for.")
@click.option("--replace", is_flag=True, help="Take the place of a schedule of this name.")
@command_options
def create(session: Session, name: str, given: str, replace: bool, **fields: Any) -> None:
    """Create schedule NAME, which submits jobs of KIND or runs a workflow; the same once more changes nothing."""
    known = {field: one for field, one in fields.items() if one is not None and one != ()}
    work = _read_work(known, read_json(given, "input"))
    wanted = checked({"name": name, **work, **known}, Schedule)
    outcome: str = ask(
        session,
        lambda transport: transport.call(request(api.CreateSchedule, schedule=wanted, replace=replace)),
    )
    emit(session, {"name": name, "outcome": outcome}, lambda: line(f"{name} is {outcome}"))


def _read_work(known: dict[str, Any], value: Any) -> dict[str, Any]:
    """What is to be submitted or run; taken out of what is known."""
    kind, path = known.pop("kind", None), known.pop("path", None)
    if (kind is None) == (path is None):
        raise InvalidInput("give a KIND, or a workflow with --workflow FILE", field="kind")
    of_jobs = {field: known.pop(field) for field in list(known) if field in Options.__struct_fields__}
    if path is None:
        return {"submission": {"kind": kind, "input": value, "options": checked(of_jobs, Options)}}
    if of_jobs:
        raise InvalidInput("a workflow says itself how its jobs run: leave it out", field=next(iter(of_jobs)))
    return {"run": {"workflow": read_workflow(path).workflow, "input": value}}


@schedule.command("list")
@page_options("Schedules")
@command_options
def list_schedules(session: Session, **wanted: Any) -> None:
    """List schedules by name, without their definitions."""
    show_pages(session, api.ListSchedules, _draw_page, **wanted)


def _draw_page(page: api.SchedulePage) -> None:
    rows = [
        (one.name, one.state, _work(one), one.when, instant(one.due_us), one.last_job or one.last_run or "-")
        for one in page.items
    ]
    draw_table(("NAME", "STATE", "WORK", "WHEN", "NEXT", "LAST"), rows)


@schedule.command()
@click.argument("name")
@command_options
def show(session: Session, name: str) -> None:
    """Show schedule NAME as it stands, with its whole definition."""
    record: ScheduleRecord = ask(
        session, lambda transport: transport.call(request(api.GetSchedule, name=name)), offline=True
    )
    emit(session, record, lambda: _draw(record))


@schedule.command("next")
@click.argument("name")
@click.option("-n", "limit", type=int, default=5, help="How many (default: 5).")
@click.option("--after", "after_us", type=INSTANT, help="Those later than this instant (default: now).")
@command_options
def next_firings(session: Session, name: str, limit: int, after_us: int | None) -> None:
    """Show when schedule NAME fires next, in UTC and in its zone, whether it is paused or not."""
    wanted = request(api.NextFirings, name=name, limit=limit, after_us=after_us)
    found: list[FiringRecord] = ask(session, lambda transport: transport.call(wanted), offline=True)
    emit(session, found, lambda: _draw_firings(found))


@schedule.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; it goes into the journal.")
@command_options
def pause(session: Session, name: str, reason: str) -> None:
    """Let schedule NAME fire no more; what falls into the pause is not made up for."""
    wanted = request(api.PauseSchedule, name=name, reason=reason)
    changed: bool = ask(session, lambda transport: transport.call(wanted))
    _tell(session, name, changed=changed, paused=True)


@schedule.command()
@click.argument("name")
@command_options
def resume(session: Session, name: str) -> None:
    """Let schedule NAME fire again, from now on."""
    wanted = request(api.ResumeSchedule, name=name)
    changed: bool = ask(session, lambda transport: transport.call(wanted))
    _tell(session, name, changed=changed, paused=False)


@schedule.command()
@click.argument("name")
@click.option("--from", "from_us", type=INSTANT, required=True, help="The first instant.")
@click.option("--until", "until_us", type=INSTANT, required=True, help="The last instant, which has gone by.")
@click.option("--dry-run", is_flag=True, help="Only show which firings these are.")
@command_options
def backfill(session: Session, name: str, from_us: int, until_us: int, dry_run: bool) -> None:
    """Make up for past firings of schedule NAME, all or none; each has one job, or one run, ever."""
    wanted = request(api.BackfillSchedule, name=name, from_us=from_us, until_us=until_us, dry_run=dry_run)
    found: list[FiringRecord] = ask(session, lambda transport: transport.call(wanted))
    if not found:
        talk(
            f"none of the firings of {name} lies in that time; intervals count from --starts or its creation"
        )
    emit(session, found, lambda: _draw_firings(found))


@schedule.command()
@click.argument("name")
@click.option("--key", help="The same once more changes nothing (default: none).")
@click.option("--reason", default="", help="Why; it goes into the journal.")
@command_options
def trigger(session: Session, name: str, key: str | None, reason: str) -> None:
    """Let schedule NAME submit its job, or begin its run, now, whether it is paused or not."""
    wanted = request(api.TriggerSchedule, name=name, key=key, reason=reason)
    receipt: FiringReceipt = ask(session, lambda transport: transport.call(wanted))
    if receipt.existing:
        talk("it was triggered before under this key; this is what came of that")
    emit(session, receipt, lambda: line(receipt.job or receipt.run or ""))


@schedule.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; it goes into the journal.")
@command_options
def delete(session: Session, name: str, reason: str) -> None:
    """Delete schedule NAME; its jobs and its story stay."""
    wanted = request(api.DeleteSchedule, name=name, reason=reason)
    ask(session, lambda transport: transport.call(wanted))
    emit(session, {"name": name, "deleted": True}, lambda: line(f"{name} is deleted"))


def _draw(record: ScheduleRecord) -> None:
    definition = record.schedule
    assert definition is not None
    last = record.last_job or record.last_run or ""
    draw_pairs(
        [
            ("name", record.name),
            ("state", record.state),
            ("when", record.when),
            ("next", instant(record.due_us)),
            *_work_pairs(definition),
            ("missed", definition.missed),
            ("overlap", definition.overlap),
            ("jitter", f"{definition.jitter_seconds:g} s"),
            ("last firing", f"{instant(record.last_us)} {last}".rstrip()),
            ("created", f"{instant(record.created_us)}; what it starts runs for {record.on_behalf_of}"),
            ("description", definition.description or "-"),
        ]
    )


def _work(record: ScheduleRecord) -> str:
    return record.kind or f"workflow {record.workflow}"


def _work_pairs(definition: Schedule) -> Iterator[tuple[str, object]]:
    if definition.submission is not None:
        options = definition.submission.options
        yield "kind", definition.submission.kind
        yield "queue", f"{options.queue}, priority {options.priority}"
        yield from _option_pairs(options)
        yield "input", _encode(definition.submission.input).decode()
    elif definition.run is not None:
        yield "workflow", definition.run.workflow.name
        yield "input", _encode(definition.run.input).decode()


def _option_pairs(options: Options) -> Iterator[tuple[str, object]]:
    """How its jobs are run, as far as somebody said so or the kind did."""
    yield "attempts", options.attempts_max
    for name, seconds in (("timeout", options.run_timeout_seconds), ("deadline", options.deadline_seconds)):
        if seconds is not None:
            yield name, f"{seconds:g} s"
    if options.cost != 1:
        yield "cost", options.cost
    if options.partition is not None:
        yield "partition", options.partition
    if options.tags:
        yield "tags", ", ".join(options.tags)


def _draw_firings(found: list[FiringRecord]) -> None:
    rows = [(instant(one.instant_us), one.local, one.id, one.job or one.run or "-") for one in found]
    made = "RUN" if any(one.run for one in found) else "JOB"
    draw_table(("UTC", "IN ITS ZONE", "FIRING", made), rows)


def _tell(session: Session, name: str, *, changed: bool, paused: bool) -> None:
    value = {"name": name, "paused": paused, "changed": changed}
    state = "paused" if paused else "active"
    emit(session, value, lambda: line(f"{name} is {state}" + ("" if changed else ", as it was")))
