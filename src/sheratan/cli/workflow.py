"""`sheratan workflow`: check, run, list, show, cancel and draw workflows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from sheratan.cli.output import emit, emit_page, line, talk
from sheratan.cli.reach import ask, request
from sheratan.cli.session import Session, command_options
from sheratan.cli.values import DURATION, read_json
from sheratan.cli.workflow_tables import draw_run, draw_runs, picture_of
from sheratan.contracts import api
from sheratan.contracts.errors import InvalidInput, JobFailed
from sheratan.contracts.runs import RunRecord, RunState
from sheratan.kernel.workflow_check import check_workflow
from sheratan.sdk.workflow_file import WorkflowFile, read_workflow

__all__ = ["workflow"]

_RUN_PREFIX = "workflow_"


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
            line(f"{file.workflow.name} is sound: {len(file.workflow.nodes)} nodes")

    emit(session, told, draw)
    if problems:
        raise InvalidInput(f"{len(problems)} problems", field=path)


@workflow.command()
@click.argument("path", metavar="FILE")
@click.option(
    "--input", "given", default="null", metavar="JSON|@FILE|-", help="The workflow's input (default: null)."
)
@click.option("--wait", is_flag=True, help="Wait until it has ended; exit 1 unless it succeeded.")
@click.option("--wait-timeout", type=DURATION, help="Wait at most this long (exit 124).")
@command_options
def run(session: Session, path: str, given: str, wait: bool, wait_timeout: float | None) -> None:
    """Run the workflow in a YAML or JSON file and print the run's id."""
    file = read_workflow(path)
    wanted = request(api.RunWorkflow, workflow=file.workflow, input=read_json(given, "input"))

    async def work(transport: api.Transport) -> tuple[api.RunReceipt, RunRecord | None]:
        receipt: api.RunReceipt = await _placed(file, transport, wanted)
        if not wait and wait_timeout is None:
            return receipt, None
        talk(f"started {receipt.id}")
        waiting = request(api.WaitForRun, id=receipt.id, timeout_seconds=wait_timeout)
        return receipt, await transport.call(waiting)

    receipt, record = ask(session, work)
    if record is None:
        emit(session, receipt, lambda: line(receipt.id))
        return
    emit(session, record, lambda: draw_run(record))
    if record.state != "succeeded":
        raise JobFailed(f"{record.id} ended as {record.state}: {record.reason}", state=record.state)


@workflow.command("list")
@click.option("--state", type=click.Choice(get_args(RunState)), help="Only runs in this state.")
@click.option("--workflow", "name", help="Only runs of this workflow.")
@click.option("--limit", type=int, default=50, help="Runs of one page (default: 50).")
@click.option("--cursor", help="Go on where an earlier page ended.")
@command_options
def list_runs(session: Session, name: str | None, **filters: Any) -> None:
    """List runs, newest first, without their nodes and values."""
    wanted = request(api.ListRuns, workflow=name, **filters)
    page: api.RunPage = ask(session, lambda transport: transport.call(wanted), offline=True)
    emit_page(session, page, lambda: draw_runs(page))


@workflow.command()
@click.argument("run_id", metavar="ID")
@command_options
def show(session: Session, run_id: str) -> None:
    """Show a run as it stands, with each of its nodes."""
    record = _read(session, run_id)
    emit(session, record, lambda: draw_run(record))


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


async def _placed(file: WorkflowFile, transport: api.Transport, wanted: api.RunWorkflow) -> Any:
    """The answer to a request; a refusal about the declaration names the place in its file."""
    try:
        return await transport.call(wanted)
    except InvalidInput as error:
        if error.field is not None and error.field.partition("/")[0] in ("nodes", "output", "budget"):
            error.field = file.place(error.field)
        raise
