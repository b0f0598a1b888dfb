"""`sheratan job`: submit, list, show, cancel, retry and watch jobs."""

from __future__ import annotations

from typing import Any, get_args

import click
from msgspec.structs import replace

from sheratan.cli.budget import in_minor_units, job_budget_option
from sheratan.cli.bulk import bulk_options, filter_options, is_bulk, run_bulk
from sheratan.cli.gate_options import gate_given, gate_options
from sheratan.cli.job_tables import draw_charges, draw_job, draw_page, draw_steps
from sheratan.cli.job_watch import watch_all, watch_job
from sheratan.cli.output import emit, line, talk
from sheratan.cli.pages import page_options, show_pages
from sheratan.cli.reach import ask, checked, request
from sheratan.cli.session import Session, command_options
from sheratan.cli.values import DURATION, drop_bad_environment, read_json
from sheratan.contracts import api
from sheratan.contracts.errors import JobFailed
from sheratan.contracts.jobs import AFTER_FAILURE, CRITICALITIES, JobRecord, JobState, Options
from sheratan.contracts.prices import Charge
from sheratan.contracts.worker import StepRecord
from sheratan.sdk.superseded import wait_through

__all__ = ["job"]


@click.group()
def job() -> None:
    """Submit jobs and follow them."""


@job.command()
@click.argument("kind")
@click.option(
    "--input", "given", default="null", metavar="JSON|@FILE|-", help="The job's input (default: null)."
)
@click.option("--queue", help="The queue (default: the kind's).")
@click.option("--priority", type=int, help="0 runs first, 9 last (default: the kind's).")
@click.option("--delay", "delay_seconds", type=DURATION, help="Start no earlier than this from now.")
@click.option("--key", help="Idempotency key: the same key and request give the same job.")
@click.option("--cost", type=int, help="What it counts for where a rate limits its start (default: 1).")
@job_budget_option
@click.option("--partition", help="Whose or what it is, among the jobs that take turns and share limits.")
@click.option(
    "--criticality",
    type=click.Choice(CRITICALITIES),
    help="How much it matters that it is taken in under overload (default: the kind's).",
)
@click.option("--kind-version", "version", type=int, help="The version of the kind (default: the newest).")
@click.option("--timeout", "run_timeout_seconds", type=DURATION, help="How long an attempt may run.")
@click.option(
    "--deadline",
    "deadline_seconds",
    type=DURATION,
    help="How long after its submission it fails, all in all.",
)
@click.option("--attempts", "attempts_max", type=int, help="How often it is tried at most.")
@click.option("--after", multiple=True, metavar="ID", help="Run after this job has ended (repeatable).")
@click.option(
    "--after-failure",
    type=click.Choice(get_args(AFTER_FAILURE)),
    help="What to do when one of those did not succeed (default: cancel).",
)
@click.option(
    "--traceparent",
    envvar="TRACEPARENT",
    callback=drop_bad_environment,
    help="The W3C trace that it goes on with (default: TRACEPARENT, or one of its own).",
)
@click.option("--tag", "tags", multiple=True, help="A name to find it by (repeatable).")
@gate_options
@click.option("--wait", is_flag=True, help="Wait until it has ended; exit 1 unless it succeeded.")
@click.option("--wait-timeout", type=DURATION, help="Wait at most this long (exit 124).")
@command_options
def submit(
    session: Session, kind: str, given: str, wait: bool, wait_timeout: float | None, **options: Any
) -> None:
    """Submit a job of KIND and print its id."""
    value, gate, budget = read_json(given, "input"), gate_given(options), options.pop("budget")
    known = {name: option for name, option in options.items() if option not in (None, ())}
    chosen = checked(known, Options)
    waiting = wait or wait_timeout is not None

    async def work(transport: api.Transport) -> tuple[api.Receipt, JobRecord | None]:
        amounts = await in_minor_units(transport, budget) or None
        submission = {"kind": kind, "input": value, "options": replace(chosen, budget=amounts)}
        if gate is None:
            wanted: api.Request = request(api.SubmitJobs, jobs=(submission,))
        else:
            wanted = request(api.SubmitGated, job=submission, gate=gate)
        answer = await transport.call(wanted)
        receipt: api.Receipt = answer[0] if gate is None else answer
        _talk_of(receipt)
        if not waiting:
            return receipt, None
        talk(f"submitted {receipt.id}")
        return receipt, await _wait(transport, receipt.id, wait_timeout)

    receipt, record = ask(session, work)
    if record is not None:
        _show_ended(session, record)
    else:
        _show_receipt(session, receipt)


@job.command("list")
@click.option("--state", type=click.Choice(get_args(JobState)), help="Only jobs in this state.")
@filter_options
@page_options("Jobs")
@command_options
def list_jobs(session: Session, **wanted: Any) -> None:
    """List jobs, newest first, without their inputs and outputs."""
    show_pages(session, api.ListJobs, draw_page, **wanted)


@job.command()
@click.argument("job_id", metavar="ID")
@command_options
def show(session: Session, job_id: str) -> None:
    """Show a job as it stands, with its input, output and error."""
    record: JobRecord = ask(
        session, lambda transport: transport.call(request(api.GetJob, id=job_id)), offline=True
    )
    emit(session, record, lambda: draw_job(record))


@job.command()
@click.argument("job_id", metavar="ID")
@command_options
def steps(session: Session, job_id: str) -> None:
    """Show the steps that a job has recorded, in their order, with what each gave."""

    async def work(transport: api.Transport) -> list[StepRecord]:
        found: list[StepRecord] = []
        while page := await transport.call(request(api.ListSteps, id=job_id, after=len(found))):
            found += page
        return found

    records: list[StepRecord] = ask(session, work, offline=True)
    emit(session, records, lambda: draw_steps(records))


@job.command()
@click.argument("job_id", metavar="ID")
@command_options
def charges(session: Session, job_id: str) -> None:
    """Show what the attempts at a job were charged."""
    found: list[Charge] = ask(
        session, lambda transport: transport.call(request(api.ListCharges, id=job_id)), offline=True
    )
    emit(session, found, lambda: draw_charges(found))


@job.command()
@bulk_options
@click.option("--reason", default="", help="Why; it goes into the journal.")
@command_options
def cancel(session: Session, job_id: str | None, filters: tuple[str, ...], reason: str, **bulk: Any) -> None:
    """Cancel a job, or many: at once, or by asking the running attempt to stop."""
    if is_bulk(job_id, filters, bulk):
        run_bulk(session, "cancel", filters, {**bulk, "reason": reason})
        return
    wanted = request(api.CancelJob, id=job_id, reason=reason)
    outcome: str = ask(session, lambda transport: transport.call(wanted))
    emit(session, {"id": job_id, "outcome": outcome}, lambda: line(outcome))


@job.command()
@click.argument("job_id", metavar="ID")
@click.option("--reason", default="", help="Why; it goes into the journal.")
@command_options
def unblock(session: Session, job_id: str, reason: str) -> None:
    """Let a job that is blocked because its code has changed try again, with whatever code is on duty."""
    wanted = request(api.UnblockJob, id=job_id, reason=reason)
    entry: int = ask(session, lambda transport: transport.call(wanted))
    emit(session, {"id": job_id, "entry": entry}, lambda: line(f"entry {entry}"))


@job.command()
@click.argument("job_id", metavar="ID")
@click.argument("name")
@click.argument("value", required=False, default="null")
@command_options
def signal(session: Session, job_id: str, name: str, value: str) -> None:
    """Send the signal NAME to a job whose handler waits for it, now or later. VALUE is JSON."""
    wanted = request(api.SignalJob, id=job_id, name=name, value=read_json(value, "VALUE"))
    entry: int = ask(session, lambda transport: transport.call(wanted))
    emit(session, {"id": job_id, "entry": entry}, lambda: line(f"entry {entry}"))


@job.command()
@bulk_options
@click.option("--poison", is_flag=True, help="Run quarantined jobs, too: they may take down workers again.")
@click.option("--wait", is_flag=True, help="Wait until the new job has ended; exit 1 unless it succeeded.")
@click.option("--wait-timeout", type=DURATION, help="Wait at most this long (exit 124).")
@command_options
def retry(session: Session, job_id: str | None, filters: tuple[str, ...], poison: bool, **given: Any) -> None:
    """Run an ended job, or many, again as new jobs, and print the new job's id."""
    wait, wait_timeout = given["wait"], given["wait_timeout"]
    if is_bulk(job_id, filters, given):
        if wait or wait_timeout is not None:
            raise click.UsageError("--wait and --wait-timeout are for one job.")
        run_bulk(session, "retry", filters, {**given, "poison": poison})
        return

    async def work(transport: api.Transport) -> tuple[api.Receipt, JobRecord | None]:
        receipt: api.Receipt = await transport.call(request(api.RetryJob, id=job_id, poison=poison))
        if not wait and wait_timeout is None:
            return receipt, None
        talk(f"submitted {receipt.id}")
        return receipt, await _wait(transport, receipt.id, wait_timeout)

    receipt, record = ask(session, work)
    if record is not None:
        _show_ended(session, record)
    else:
        _show_receipt(session, receipt)


@job.command()
@click.argument("job_id", metavar="[ID]", required=False)
@command_options
def watch(session: Session, job_id: str | None) -> None:
    """Tell a job's story as it happens.

    With ID: the story so far, then live until the job ends. Without: everything that happens from now on.
    """
    if job_id is None:
        if session.output == "json":
            raise click.UsageError("A stream without an end is no JSON document; use -o jsonl.")
        ask(session, lambda transport: watch_all(session, transport))
    else:
        ask(session, lambda transport: watch_job(session, transport, job_id), offline=True)


async def _wait(transport: api.Transport, job_id: str, timeout_seconds: float | None) -> JobRecord:
    record = await wait_through(transport, job_id, timeout_seconds)
    # The answer to a wait may leave the input out; what is shown is the whole record.
    whole: JobRecord = await transport.call(request(api.GetJob, id=record.id))
    return whole


def _talk_of(receipt: api.Receipt) -> None:
    """Say what is unusual about it."""
    if receipt.existing:
        talk("the same request was submitted before under this key; this is that job")
    if receipt.throttled:
        talk("dropped by the throttle of this key; this is the newest job under it")
    if receipt.supersedes:
        talk(f"takes the place of {receipt.supersedes}")


def _show_receipt(session: Session, receipt: api.Receipt) -> None:
    emit(session, receipt, lambda: line(receipt.id))


def _show_ended(session: Session, record: JobRecord) -> None:
    emit(session, record, lambda: draw_job(record))
    if record.state != "succeeded":
        reason = f": {record.error.type}: {record.error.message}" if record.error else ""
        raise JobFailed(f"{record.id} ended as {record.state}{reason}", job=record.id, state=record.state)
