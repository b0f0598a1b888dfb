"""`sheratan workflow`: check, run, list, show, cancel and draw workflows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, get_args

import click

from sheratan.cli.output import emit, line, talk
from sheratan.cli.pages import page_options, show_pages
from sheratan.cli.reach import ask, checked, request
from sheratan.cli.session import Session, command_options
from sheratan.cli.values import DURATION, read_json
from sheratan.cli.workflow_tables import draw_run, draw_runs, picture_of
from sheratan.contracts import api
from sheratan.contracts.errors import InvalidInput, JobFailed, TimedOut
from sheratan.contracts.runs import RunRecord, RunState
from sheratan.kernel.words import count
from sheratan.kernel.workflow_check import check_workflow
from sheratan.sdk.workflow_file import WorkflowFile, read_workflow

__all__ = ["workflow"]

_RUN_PREFIX = "workflow_"
_RUNS_BELOW_MAX = 20
"""Runs below a run that are shown with it; each can be shown by itself."""

_LOOK_SECONDS = 1.0
"""When a command that waits for a run first looks whether that is blocked; then after twice as long each time."""

_LOOK_SECONDS_MAX = 30.0

_DECLARED = ("input_schema", "nodes", "output", "budget", "workflows")
"""What a refusal may name that stands in the file."""


def _waiting(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that starts a run."""
    command = click.option("--wait-timeout", type=DURATION, help="Wait at most this long (exit 124).")(
        command
    )
    return click.option("--wait", is_flag=True, help="Wait until it has ended; exit 1 unless it succeeded.")(
        command
    )


@click.group()
def workflow() -> None:
    """Run workflows: graphs of jobs, declared in a file."""


@workflow.command()
@click.argument("path", metavar="FILE")
@command_options
def check(session: Session, path: str) -> None:
    """Check a workflow in a YAML or JSON file: all that is wrong with it, each with its place.

    Whether its kinds are loaded is seen when it is run.
    """
    file = read_workflow(path)
    problems = [
        {"place": file.place(problem.field), "detail": problem.detail}
        for problem in check_workflow(file.workflow)
    ]
    told = {"workflow": file.workflow.name, "ok": not problems, "problems": problems}

    def draw() -> None:
        for problem in problems:
            line(f"{problem['place']}: {problem['detail']}")
        if not problems:
            line(f"{file.workflow.name} is sound: {count(len(file.workflow.nodes), 'node')}")

    emit(session, told, draw)
    if problems:
        raise InvalidInput(count(len(problems), "problem"), field=path)


@workflow.command()
@click.argument("path", metavar="FILE")
@click.option(
    "--input", "given", default="null", metavar="JSON|@FILE|-", help="The workflow's input (default: null)."
)
@click.option("--key", help="Idempotency key: the same key, workflow and input give the same run.")
@_waiting
@command_options
def run(
    session: Session, path: str, given: str, key: str | None, wait: bool, wait_timeout: float | None
) -> None:
    """Run the workflow in a YAML or JSON file and print the run's id."""
    file = read_workflow(path)
    wanted = request(api.RunWorkflow, workflow=file.workflow, input=read_json(given, "input"), key=key)
    _start(session, lambda transport: _placed(file, transport, wanted), _Wait(wait, wait_timeout))


class _Wait(NamedTuple):
    """Whether to wait for the end of a run, and how many seconds at most."""

    is_asked: bool
    seconds_max: float | None


def _start(
    session: Session, start: Callable[[api.Transport], Awaitable[api.RunReceipt]], wait: _Wait
) -> None:
    """Start a run and print its id, or wait for its end and print how it stands then."""

    async def work(transport: api.Transport) -> tuple[api.RunReceipt, RunRecord | None]:
        receipt = await start(transport)
        if receipt.existing:
            talk("the same run was asked for before under this key; this is that run")
        if not wait.is_asked and wait.seconds_max is None:
            return receipt, None
        talk(f"started {receipt.id}")
        return receipt, await _ended(transport, receipt.id, wait.seconds_max)

    receipt, record = ask(session, work)
    if record is None:
        emit(session, receipt, lambda: line(receipt.id))
        return
    emit(session, record, lambda: draw_run(record))
    if record.state != "succeeded":
        raise JobFailed(f"{record.id} ended as {record.state}: {record.reason}", state=record.state)


async def _ended(transport: api.Transport, run_id: str, seconds_left: float | None) -> RunRecord:
    """A run once it has ended. When it is blocked meanwhile that is said, for only a person can end it then."""
    look_after = _LOOK_SECONDS
    is_told = False
    while True:
        seconds = seconds_left if is_told else min(look_after, seconds_left or look_after)
        try:
            ended: RunRecord = await transport.call(
                request(api.WaitForRun, id=run_id, timeout_seconds=seconds)
            )
            return ended
        except TimedOut:
            if seconds_left is not None and seconds is not None:
                seconds_left -= seconds
                if seconds_left <= 0:
                    raise
        look_after = min(2 * look_after, _LOOK_SECONDS_MAX)
        record: RunRecord = await transport.call(request(api.GetRun, id=run_id))
        if not is_told and record.state == "blocked":
            is_told = True
            talk(f"{run_id} is blocked and waits for a person. {record.reason}")
            talk(f"see `sheratan workflow show {run_id}`; `sheratan workflow cancel {run_id}` ends it")


@workflow.command("retry-from")
@click.argument("run_id", metavar="RUN")
@click.argument("node", metavar="NODE")
@click.option("--key", help="Idempotency key: the same key and request give the same run.")
@_waiting
@command_options
def retry_from(
    session: Session, run_id: str, node: str, key: str | None, wait: bool, wait_timeout: float | None
) -> None:
    """Run NODE of an ended run, and all that follow it, anew in a new run; print the new run's id.

    What the other nodes gave is taken over, unless they failed or were compensated.
    """
    wanted = request(api.ForkRun, id=run_id, node=node, key=key)
    _start(session, lambda transport: transport.call(wanted), _Wait(wait, wait_timeout))


@workflow.command()
@click.argument("run_id", metavar="RUN")
@click.option("--from", "node", metavar="NODE", help="Run this node and all that follow it anew in any case.")
@click.option("--input", "given", metavar="JSON|@FILE|-", help="Another input than that of the run.")
@click.option("--definition", metavar="FILE", help="Another workflow than that of the run.")
@click.option("--key", help="Idempotency key: the same key and request give the same run.")
@_waiting
@command_options
def fork(
    session: Session, run_id: str, wait: bool, wait_timeout: float | None, **options: str | None
) -> None:
    """Continue an ended run in a new one, with another input or workflow; print the new run's id.

    Taken over is each node that is unchanged together with all before it; `sheratan why` says of each why or why not.
    """
    path, given = options["definition"], options["given"]
    file = None if path is None else read_workflow(path)
    changes: dict[str, Any] = {"id": run_id, "node": options["node"], "key": options["key"]}
    if file is not None:
        changes["workflow"] = file.workflow
    if given is not None:
        # `null` is an input as any other.
        changes["input"] = read_json(given, "input")
    wanted = checked(changes, api.ForkRun)

    async def start(transport: api.Transport) -> Any:
        return await (transport.call(wanted) if file is None else _placed(file, transport, wanted))

    _start(session, start, _Wait(wait, wait_timeout))


@workflow.command("list")
@click.option("--state", type=click.Choice(get_args(RunState)), help="Only runs in this state.")
@click.option("--workflow", "name", help="Only runs of this workflow.")
@page_options("Runs")
@command_options
def list_runs(session: Session, name: str | None, **wanted: Any) -> None:
    """List runs, newest first, without their nodes and values."""
    show_pages(session, api.ListRuns, draw_runs, workflow=name, **wanted)


@workflow.command()
@click.argument("run_id", metavar="ID")
@command_options
def show(session: Session, run_id: str) -> None:
    """Show a run as it stands, with each of its nodes, and below them the runs that they have."""
    record, below = ask(session, lambda transport: _with_runs_below(transport, run_id), offline=True)
    emit(session, record, lambda: draw_run(record, below))


@workflow.command()
@click.argument("run_id", metavar="ID")
@click.option("--reason", default="", help="Why; it goes into the journal.")
@click.option("--keep", "keeps", is_flag=True, help="Do not compensate what its nodes have done.")
@command_options
def cancel(session: Session, run_id: str, reason: str, keeps: bool) -> None:
    """Cancel a run: its jobs are cancelled, and what it has done is compensated."""
    wanted = request(api.CancelRun, id=run_id, reason=reason, keeps=keeps)
    state: str = ask(session, lambda transport: transport.call(wanted))
    emit(session, {"id": run_id, "state": state}, lambda: line(state))


@workflow.command()
@click.argument("subject", metavar="FILE|ID")
@click.option("--svg", metavar="FILE", help="Write an SVG image there instead of text to stdout.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with plain ASCII characters.")
@command_options
def picture(session: Session, subject: str, svg: str | None, ascii_only: bool) -> None:
    """Draw a workflow in a FILE, or a run with the state of each node."""
    record = _read(session, subject) if subject.startswith(_RUN_PREFIX) else None
    drawn = read_workflow(subject).workflow if record is None else record.declared
    assert drawn is not None, "one run is told with its declaration"
    text = picture_of(drawn, record, svg=svg is not None, ascii_only=ascii_only)
    _write_picture(session, text, svg)


def _write_picture(session: Session, text: str, svg: str | None) -> None:
    if svg is None:
        emit(session, {"picture": text}, lambda: line(text.rstrip("\n")))
        return
    try:
        Path(svg).write_text(text, "utf-8")
    except OSError as error:
        raise InvalidInput(f"{svg} cannot be written: {error.strerror}", field="--svg") from error
    talk(f"wrote {svg}")


def _read(session: Session, run_id: str) -> RunRecord:
    record: RunRecord = ask(
        session, lambda transport: transport.call(request(api.GetRun, id=run_id)), offline=True
    )
    return record


async def _with_runs_below(transport: api.Transport, run_id: str) -> tuple[RunRecord, dict[str, RunRecord]]:
    """A run and the first of those below it, by id."""
    record: RunRecord = await transport.call(request(api.GetRun, id=run_id))
    below: dict[str, RunRecord] = {}
    left = [run for node in record.nodes for run in node.runs]
    while left and len(below) < _RUNS_BELOW_MAX:
        found: RunRecord = await transport.call(request(api.GetRun, id=left.pop(0)))
        below[found.id] = found
        left += [run for node in found.nodes for run in node.runs]
    return record, below


async def _placed(file: WorkflowFile, transport: api.Transport, wanted: api.Request) -> Any:
    """The answer to a request; a refusal about the declaration names the place in its file."""
    try:
        return await transport.call(wanted)
    except InvalidInput as error:
        if error.field is not None and error.field.partition("/")[0] in _DECLARED:
            error.field = file.place(error.field)
        raise
