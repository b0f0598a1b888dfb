"""What a new job is made from, and what its entry says. Few jobs keep anything beside their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from sheratan.contracts.principal import Principal
from sheratan.contracts.tracing import unpack
from sheratan.engine.batch import Batch
from sheratan.engine.commands import NewJob
from sheratan.engine.ids import job_id
from sheratan.engine.job_budgets import keep_budget
from sheratan.engine.keys import request_of
from sheratan.engine.run_budgets import keep_spender, spends_for
from sheratan.engine.runs import NodeJob
from sheratan.kernel.canonical import digest
from sheratan.kernel.rules import Verdict
from sheratan.store.rows import AfterRow, JobRow, KeyRow, TagRow
from sheratan.store.run_rows import ITEM_ONLY, ITEM_UNDO

__all__ = ["NOWHERE", "Plan", "Source", "is_plain", "keep_besides", "node_data", "submitted_data"]


class Source(NamedTuple):
    """Where a job comes from: a running job, the job that it repeats, an entry that led to it."""

    by_job: int | None = None
    origin: int | None = None
    cause: int | None = None
    told: Mapping[str, Any] | None = None
    """What its entry says of it: a schedule and a firing, or a run and a node."""
    spends_for: tuple[int, ...] = ()
    """The runs with budgets for which a job of a node spends."""


NOWHERE: Final = Source()

_USUAL: Final = (1, 1, None, (), 0, 0)
"""The cost, the version, the partition, the budget and the deadlines that no entry tells, as most jobs have them."""

_PLAIN: Final = (None, (), (), "cancel", None, 1, 1, None, (), 0)
"""What most jobs have: see `is_plain`."""


class Plan(msgspec.Struct, frozen=True, gc=False):
    """A job that may come in, once all jobs of the call may."""

    new: NewJob
    source: Source
    parents: Sequence[int]
    given: dict[str, Any]
    verdict: Verdict
    is_plain: bool
    """Whether it has nothing that few jobs have, and comes from nowhere else: then nobody need look for that."""


def is_plain(new: NewJob) -> bool:
    """Whether a job asks for nothing that few jobs ask for."""
    names = (new.key, new.tags, new.after, new.after_failure, new.traceparent)
    return (*names, new.cost, new.version, new.partition, new.budget, new.deadline_after_us) == _PLAIN


def submitted_data(new: NewJob, job: JobRow) -> dict[str, Any]:
    """What the entry of every job says."""
    return {
        "number": job.number,
        "kind": new.kind,
        "queue": new.queue,
        "priority": new.priority,
        "input": new.digest,
        "options": [
            new.attempts_max,
            new.backoff_base_us,
            new.backoff_cap_us,
            new.run_timeout_us,
            new.queue_timeout_us,
        ],
    }


def keep_besides(batch: Batch, plan: Plan, job: JobRow, by: Principal) -> dict[str, Any]:
    """Keep what few jobs have, beside their rows; returns what their entries say of it."""
    new, unit = plan.new, batch.unit
    data: dict[str, Any] = {}
    if new.after_failure != "cancel":
        data["after_failure"] = new.after_failure
    if new.after:
        unit.after.extend(AfterRow(job.number, place, parent) for place, parent in enumerate(plan.parents))
        data["after"] = list(plan.parents)
    data.update(_unusual(batch, job, new))
    if new.key is not None:
        data["key"] = digest(new.key.encode())
        data["request"] = request = digest(request_of(new))
        unit.keys[by.tenant, new.key] = KeyRow(by.tenant, new.key, bytes.fromhex(request), job.number)
    if new.tags:
        unit.tags.extend(TagRow(tag, job.number) for tag in new.tags)
        data["tags"] = list(new.tags)
    data.update(_origin(batch, plan, job))
    return data


def _origin(batch: Batch, plan: Plan, job: JobRow) -> dict[str, Any]:
    """Where a job comes from."""
    data: dict[str, Any] = {}
    if job.trace is not None:
        data["traceparent"] = unpack(job.trace)
    if plan.source.told is not None:
        data.update(plan.source.told)
    if job.submitted_by is not None:
        data["by_job"] = job_id(batch.job(job.submitted_by))
    data.update(_spends_for(batch, plan, job))
    if job.origin is not None:
        data["origin"] = job_id(batch.job(job.origin))
    return data


def _unusual(batch: Batch, job: JobRow, new: NewJob) -> dict[str, Any]:
    """What is told only where it is not as most jobs have it. A budget is kept here, too."""
    if new.budget:
        keep_budget(batch, job.number, new.budget)
    told = {"cost": new.cost, "version": new.version, "partition": new.partition, "budget": new.budget}
    told |= zip(("deadline_after_us", "deadline_us"), job.deadlines, strict=True)
    return {name: value for (name, value), usual in zip(told.items(), _USUAL, strict=True) if value != usual}


def _spends_for(batch: Batch, plan: Plan, job: JobRow) -> dict[str, Any]:
    """The runs whose budgets pay for a job, which are kept, too: those of its node, or of the job that submits it."""
    runs = plan.source.spends_for if job.submitted_by is None else spends_for(batch, job.submitted_by)
    if runs:
        keep_spender(batch, job.number, runs)
    return {"spends_for": list(runs)} if runs else {}


def node_data(node: NodeJob) -> dict[str, Any]:
    """What the entry of a node's job says of where it comes from."""
    data: dict[str, Any] = {"workflow": node.run.id, "node": node.node}
    if node.item == ITEM_UNDO:
        data["undoes"] = True
    elif node.item != ITEM_ONLY:
        data["item"] = node.item
    return data
