"""Runs of workflows: where they stand, and what they were made of when they began."""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

from sheratan.contracts.budgets import ProposalCall
from sheratan.contracts.spending import OwnBudgetRecord
from sheratan.contracts.workflows import NodeState, Workflow

__all__ = [
    "PLAN_FORMAT",
    "RUN_ENDS",
    "JobPlan",
    "NodeRecord",
    "Plan",
    "RunRecord",
    "RunState",
    "WorkflowPlan",
]

PLAN_FORMAT = "sheratan.plan/1"

RunState = Literal[
    "running",
    "blocked",
    "stopping",
    "compensating",
    "succeeded",
    "failed",
    "cancelled",
    "out_of_jobs",
    "out_of_depth",
    "out_of_time",
    "out_of_funds",
    "compensation_failed",
]
"""Where a run is. From `succeeded` on they are terminal and never change; each budget has an end state of its own."""

RUN_ENDS: tuple[str, ...] = get_args(RunState)[4:]


class JobPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """How the jobs of a node are run, with the kind's defaults filled in. Durations in microseconds."""

    kind: str
    queue: str
    priority: int
    delay_us: int
    attempts_max: int
    backoff_base_us: int
    backoff_cap_us: int
    run_timeout_us: int
    queue_timeout_us: int
    tags: tuple[str, ...]
    cost: int
    version: int
    budget: tuple[tuple[str, int], ...] = ()
    deadline_after_us: int = 0


class WorkflowPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the jobs of one workflow are run: `jobs` those of nodes, `undo` their compensations, by the node's name."""

    jobs: dict[str, JobPlan]
    undo: dict[str, JobPlan] = {}


class Plan(WorkflowPlan, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a run goes by until its end: the workflow as declared, and the options of its jobs as they were then.

    `workflows` says the same of the workflows that it brings along, by name: the runs of these go by the same plan.
    """

    format: Literal["sheratan.plan/1"] = PLAN_FORMAT
    workflow: Workflow
    workflows: dict[str, WorkflowPlan] = {}


class NodeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A node of a run as it stands.

    `reason` says why it waits, or why it did not run. `items` and `items_ended` belong to a fan-out; `jobs` are the
    first jobs of the node, `undone_by` is the job that compensates it. A node that runs a workflow has `runs` in place
    of jobs, its first ones. What was taken over names the run under `taken_from`.
    """

    name: str
    state: NodeState
    reason: str | None = None
    items: int | None = None
    items_ended: int = 0
    jobs: list[str] = []
    runs: list[str] = []
    undone_by: str | None = None
    taken_from: str | None = None
    entry: int | None = None


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a workflow as it stands. Instants are microseconds since the epoch, UTC.

    `version` is the SHA-256 of the declaration; `jobs` is how many of the budget's jobs are used up, by the runs below
    it, too; `ending` is the state that a run will end in which stops or compensates; `origin` is the run that it
    continues; `proposals` are the newest calls in which its jobs have proposed others. One that runs for a node of
    another run names that under `parent`, the `node`, and of a fan-out the `item`.
    """

    id: str
    workflow: str
    version: str
    state: RunState
    jobs: int
    jobs_max: int
    created_us: int
    due_us: int
    entry: int
    started_by: str
    ending: RunState | None = None
    reason: str | None = None
    finished_us: int | None = None
    origin: str | None = None
    parent: str | None = None
    node: str | None = None
    item: int | None = None
    declared: Workflow | None = None
    nodes: list[NodeRecord] = []
    proposals: list[ProposalCall] = []
    spend: list[OwnBudgetRecord] = []
    """What its jobs may be charged, in each unit that its budget bounds, and what is used of it; left out in lists."""
    input: Any = None
    output: Any = None
