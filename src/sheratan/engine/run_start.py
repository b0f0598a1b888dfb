"""Runs begin: each is a row and an entry, and its first nodes start in the same batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from sheratan.contracts.errors import LimitReached
from sheratan.contracts.ids import SALT_BITS
from sheratan.contracts.principal import Principal
from sheratan.engine.batch import Batch
from sheratan.engine.commands import Declaration, StartRun
from sheratan.engine.run_budgets import check_run_budget, keep_run_budget
from sheratan.engine.run_ids import run_id
from sheratan.engine.run_keys import RunRequest, find_existing_run, use_key
from sheratan.engine.runs import OpenRun
from sheratan.engine.system import refuse_intake
from sheratan.kernel.canonical import digest
from sheratan.store.run_rows import NodeRow, RunOpen, RunRow

__all__ = ["NewRun", "Origin", "add_run", "begin", "check_room", "start_run"]


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """The ended run that a new one continues, and the node from which all runs anew, where one was named."""

    row: RunRow
    node: str | None


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that may begin: what it goes by, its input as canonical JSON, and the key that stands for it."""

    declared: Declaration
    input: bytes
    key: str | None = None
    origin: Origin | None = None
    firing: tuple[str, str] | None = None
    """The schedule and the firing that begin it."""

    @property
    def request(self) -> RunRequest:
        """What its key stands for."""
        origin = self.origin
        return RunRequest(
            version=self.declared.version,
            input=digest(self.input),
            origin=None if origin is None else origin.row.number,
            node=None if origin is None else origin.node,
        )


def start_run(batch: Batch, command: StartRun, by: Principal) -> tuple[str, bool]:
    """Begin a run, unless its key has made it before; returns its id, and whether it was there."""
    new = NewRun(declared=command.declared, input=command.input, key=command.key)
    existing = find_existing_run(batch, new.key, new.request, by)
    if existing is not None:
        return existing, True
    declared = command.declared
    check_run_budget(batch, batch.state.runs.plan(declared.digest, declared.workflow, declared.plan), by)
    check_room(batch)
    return begin(batch, new, by).id, False


def check_room(batch: Batch, count: int = 1) -> None:
    """Refuse what there is no room for: StateRefuses by the system's state, LimitReached with too many open runs."""
    state = batch.state
    if state.allowed.intake != "allow":
        raise refuse_intake(batch, f"Refused: the engine is {state.intake}.")
    most = state.limits.workflow_runs_max
    if len(state.runs.open) + count > most:
        raise LimitReached(f"{most} runs are open already (limits.workflow_runs_max)", field="workflow")


def begin(
    batch: Batch,
    new: NewRun,
    by: Principal,
    taken: Sequence[NodeRow] = (),
    record: dict[str, Any] | None = None,
    announce: Callable[[RunRow], int] | None = None,
) -> OpenRun:
    """Begin a run; with nodes that are taken over, as decided; behind the entry that `announce` records of it."""
    runs, declared, origin = batch.state.runs, new.declared, new.origin
    plan = declared.digest
    batch.unit.payloads[plan] = declared.plan
    body, payload = batch.keep(new.input)
    row = RunRow(
        runs.next_number,
        batch.randomness.bits("run_salt", SALT_BITS),
        by.tenant,
        declared.workflow,
        bytes.fromhex(declared.version),
        plan,
        batch.at_us,
        batch.at_us + declared.wall_us,
        by.on_behalf_of,
        None if origin is None else origin.row.number,
        body,
        payload,
    )
    cause = None if announce is None else announce(row)
    entry = batch.unit.next_seq
    place = RunOpen(row.number, "running", "", 0, 0, batch.at_us, entry)
    run = OpenRun(row, place, runs.plan(plan, declared.workflow, declared.plan))
    data: dict[str, Any] = {
        "number": row.number,
        "workflow": row.workflow,
        "version": declared.version,
        "plan": plan.hex(),
        "input": digest(new.input),
        "due_us": row.due_us,
    }
    if new.key is not None:
        data |= use_key(batch, new.key, new.request, row)
    if origin is not None:
        data["origin"] = run_id(origin.row)
        data["taken"] = [[node.name, node.state, node.items, node.source] for node in taken]
    if new.firing is not None:
        data["schedule"], data["firing"] = new.firing
    data |= keep_run_budget(batch, run)
    batch.unit.record("workflow.started", run.id, data, by, decision=record, cause=cause)
    for node in taken:
        kept = node._replace(run=row.number, entry=entry)
        batch.unit.nodes.append(kept)
        run.take_over(kept)
    add_run(batch, run)
    return run


def add_run(batch: Batch, run: OpenRun) -> None:
    """Take up a run that has just begun: it advances before the batch is over."""
    runs = batch.state.runs
    batch.unit.runs.append(run.row)
    batch.unit.move_run(None, run.place)
    runs.next_number += 1
    runs.add(run)
    runs.touched[run.row.number] = None
