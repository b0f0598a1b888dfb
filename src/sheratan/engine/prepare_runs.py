"""Workflows at the edge: checked as a whole, and every default of their jobs filled in, before a run begins."""

from __future__ import annotations

from typing import Any

import msgspec

from sheratan.contracts import api
from sheratan.contracts.errors import InvalidInput, SheratanError, TooLarge
from sheratan.contracts.jobs import Submission
from sheratan.contracts.limits import Limits
from sheratan.contracts.runs import PLAN_FORMAT, JobPlan
from sheratan.contracts.values import convert
from sheratan.contracts.workflows import Compensation, Node, Workflow, as_declared, run_options
from sheratan.engine.commands import Declaration, ForkRun, StartRun
from sheratan.engine.prepare import KindRegistry, check_key, fill_in, prepare_job
from sheratan.kernel.canonical import canonical, digest
from sheratan.kernel.input_schema import find_misfit
from sheratan.kernel.secret_text import find_secret
from sheratan.kernel.workflow_check import check_workflow

__all__ = ["check_run_input", "prepare_fork", "prepare_run", "prepare_value", "prepare_workflow"]


def prepare_run(
    workflow: Workflow, value: Any, kinds: KindRegistry, limits: Limits, key: str | None = None
) -> StartRun:
    """A run that may begin. A refusal names the field of the declaration, `nodes/3/input`, or `input`, or `key`."""
    declared = prepare_workflow(workflow, kinds, limits)
    given = prepare_value(value, limits)
    check_run_input(workflow.input_schema, given)
    return StartRun(declared=declared, input=given, key=check_key(key, limits))


def prepare_fork(request: api.ForkRun, kinds: KindRegistry, limits: Limits) -> ForkRun:
    """A run that may continue another one, as far as can be said before that is looked at."""
    workflow, value = request.workflow, request.input
    return ForkRun(
        id=request.id,
        node=request.node,
        declared=None if workflow is None else prepare_workflow(workflow, kinds, limits),
        input=None if value is msgspec.UNSET else prepare_value(value, limits),
        key=check_key(request.key, limits),
    )


def prepare_value(value: Any, limits: Limits) -> bytes:
    """The input of a run as canonical JSON, within its limit."""
    given = canonical(value, field="input")
    _check_size(len(given), limits.payload_bytes_max, "input", "payload_bytes_max")
    return given


def check_run_input(schema: dict[str, Any], given: bytes) -> None:
    """Refuse an input that does not fit the schema that its workflow declares."""
    misfit = find_misfit(schema, msgspec.json.decode(given)) if schema else None
    if misfit is not None:
        raise InvalidInput(f"{misfit.detail} (`input_schema` of the workflow)", field=misfit.place("input"))


def prepare_workflow(workflow: Workflow, kinds: KindRegistry, limits: Limits) -> Declaration:
    """A workflow, checked as a whole, with every option of its jobs filled in."""
    declared = canonical(as_declared(workflow), field="workflow")
    _check_size(len(declared), limits.workflow_bytes_max, "workflow", "workflow_bytes_max")
    # One that was made within this process was never checked against its types.
    workflow = convert(as_declared(workflow), Workflow)
    _check(workflow, limits)
    plan = {
        "format": PLAN_FORMAT,
        "workflow": as_declared(workflow),
        **_work_plan(workflow, "", kinds, limits),
    }
    if workflow.workflows:
        plan["workflows"] = {
            inner.name: _work_plan(inner, f"workflows/{place}/", kinds, limits)
            for place, inner in enumerate(workflow.workflows)
        }
    return Declaration(
        workflow=workflow.name,
        version=digest(declared),
        plan=canonical(plan),
        wall_us=round(workflow.budget.wall_seconds_max * 1_000_000),
    )


def _check(workflow: Workflow, limits: Limits) -> None:
    """Refuse what cannot be run: the first problem, and how many there are."""
    problems = check_workflow(workflow)
    if problems:
        more = f" ({len(problems)} problems in all; `sheratan workflow check` lists them)"
        raise InvalidInput(
            problems[0].detail + (more if len(problems) > 1 else ""), field=problems[0].field or "workflow"
        )
    _check_one(workflow, "", limits)
    for place, inner in enumerate(workflow.workflows):
        _check_one(inner, f"workflows/{place}/", limits)


def _check_one(workflow: Workflow, at: str, limits: Limits) -> None:
    for place, node in enumerate(workflow.nodes):
        # What a condition compares is told in the journal, which forgets nothing.
        found = find_secret(canonical(as_declared(node.when)))
        if found is not None:
            raise InvalidInput(
                f"it seems to hold {found}, and stays written down", field=f"{at}nodes/{place}/when"
            )
    most = limits.delay_seconds_max
    if workflow.budget.wall_seconds_max > most:
        raise TooLarge(
            f"{workflow.budget.wall_seconds_max:g} seconds; at most {most} (limits.delay_seconds_max)",
            field=f"{at}budget/wall_seconds_max",
        )


def _work_plan(workflow: Workflow, at: str, kinds: KindRegistry, limits: Limits) -> dict[str, Any]:
    """How the jobs of a workflow's nodes and of their compensations are run."""
    jobs: dict[str, Any] = {}
    undo: dict[str, Any] = {}
    for place, node in enumerate(workflow.nodes):
        if node.kind is not None:
            jobs[node.name] = _job_plan(node, f"{at}nodes/{place}", kinds, limits)
        if node.compensate is not None:
            undo[node.name] = _job_plan(node.compensate, f"{at}nodes/{place}/compensate", kinds, limits)
    return {"jobs": msgspec.to_builtins(jobs), "undo": msgspec.to_builtins(undo)}


def _check_size(size: int, most: int, field: str, limit: str) -> None:
    if size > most:
        raise TooLarge(f"{size} bytes of canonical JSON; at most {most} (limits.{limit})", field=field)


def _job_plan(work: Node | Compensation, at: str, kinds: KindRegistry, limits: Limits) -> JobPlan:
    """How the jobs of a node are run. An input without references is checked by its kind already now."""
    assert work.kind is not None, "what runs a workflow has no options of its own"
    try:
        if b"${" not in canonical(work.input):
            filled = prepare_job(
                Submission(kind=work.kind, input=work.input, options=run_options(work)), kinds, limits
            )
        else:
            filled = fill_in(kinds.find(work.kind, work.version).description, run_options(work), limits)
    except SheratanError as error:
        error.field = f"{at}/{error.field or ''}".rstrip("/")
        raise
    return JobPlan(**{name: getattr(filled, name) for name in JobPlan.__struct_fields__})
