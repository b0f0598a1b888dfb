"""Runs that run for nodes of other runs: each begins in the batch in which its node is fed, and ends like a job."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.ids import SALT_BITS
from sheratan.engine.batch import Batch
from sheratan.engine.run_budgets import keep_run_budget
from sheratan.engine.run_start import add_run
from sheratan.engine.runs import OpenRun
from sheratan.kernel.canonical import digest
from sheratan.store.run_rows import ITEM_ONLY, RunOpen, RunRow

__all__ = ["begin_sub_run"]


def begin_sub_run(batch: Batch, parent: OpenRun, name: str, item: int, given: bytes) -> bool:
    """Begin the run of a node's workflow for an item; False, and nothing is done, while there is no room for it.

    Where nothing else of its parent runs it begins without room: else runs that wait for their nodes' runs could take
    up all the room there is, and wait for ever. So there are at most as many open runs below one as it is deep.
    """
    runs = batch.state.runs
    if parent.running and len(runs.open) >= batch.state.limits.workflow_runs_max:
        return False
    workflow = parent.plan.nodes[name].workflow
    assert workflow is not None, "a node that runs a job has no runs"
    plan = runs.plan_below(parent, workflow)
    body, payload = batch.keep(given)
    row = RunRow(
        runs.next_number,
        batch.randomness.bits("run_salt", SALT_BITS),
        parent.row.tenant,
        workflow,
        bytes.fromhex(plan.version),
        parent.row.plan,
        batch.at_us,
        min(parent.row.due_us, batch.at_us + plan.wall_us),
        parent.row.started_by,
        None,
        body,
        payload,
        parent.row.number,
        name,
        item,
    )
    entry = batch.unit.next_seq
    run = OpenRun(row, RunOpen(row.number, "running", "", 0, 0, batch.at_us, entry), plan, parent)
    data: dict[str, Any] = {
        "number": row.number,
        "workflow": workflow,
        "version": plan.version,
        "plan": row.plan.hex(),
        "input": digest(given),
        "due_us": row.due_us,
        "parent": parent.id,
        "node": name,
    }
    if item != ITEM_ONLY:
        data["item"] = item
    data |= keep_run_budget(batch, run)
    batch.unit.record("workflow.started", run.id, data, run.by, cause=parent.nodes[name].entry)
    parent.add_part(name, row.number)
    add_run(batch, run)
    return True
