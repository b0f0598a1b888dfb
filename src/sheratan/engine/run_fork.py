"""Runs that continue an ended one: they take over what it has done and is still good, and run the rest anew."""

from __future__ import annotations

from typing import Any

import msgspec

from sheratan.contracts.errors import Conflict, InvalidInput
from sheratan.contracts.ids import look_up_run_id
from sheratan.contracts.principal import Principal
from sheratan.engine.batch import Batch
from sheratan.engine.commands import Declaration, ForkRun
from sheratan.engine.prepare_runs import check_run_input
from sheratan.engine.run_budgets import check_run_budget
from sheratan.engine.run_ids import absent_run, run_id
from sheratan.engine.run_keys import find_existing_run
from sheratan.engine.run_start import NewRun, Origin, begin, check_room
from sheratan.engine.runs import PlanInUse
from sheratan.kernel.fork import FORK, changed_fields, changed_values, decide_fork, declared_node
from sheratan.kernel.input_schema import sound_schema
from sheratan.kernel.rules import decision
from sheratan.store.run_rows import ITEM_ONLY, NodeRow, RunRow

__all__ = ["fork_run"]


def fork_run(batch: Batch, command: ForkRun, by: Principal) -> tuple[str, bool]:
    """Begin a run that continues an ended one, unless its key has made it before; returns what `start_run` does.

    Its nodes are taken over where nothing about them has changed, and nothing before them; a rule says for each why.
    """
    row = _ended(batch, command.id)
    given = batch.body(row.input, row.payload)
    before = batch.state.runs.plan(row.plan, row.workflow)
    new = NewRun(
        declared=command.declared or _declaration(batch, row, before),
        input=given if command.input is None else command.input,
        key=command.key,
        origin=Origin(row=row, node=command.node),
    )
    existing = find_existing_run(batch, new.key, new.request, by)
    if existing is not None:
        return existing, True
    after = _plan(batch, new.declared)
    if command.node is not None and command.node not in after.nodes:
        known = ", ".join(list(after.nodes)[:10])
        raise InvalidInput(f"there is no node {command.node!r}; there are {known}", field="node")
    _check_input(command, after, new.input)
    check_run_budget(batch, after, by)
    check_room(batch)
    ends = _ends(batch, row, before)
    facts: dict[str, Any] = {"nodes": _facts(before, after, ends, (given, new.input))}
    if command.node is not None:
        facts["from"] = command.node
    verdict = decide_fork(facts)
    taken = [ends[name][1] for name in verdict.chosen["take"]]
    run = begin(batch, new, by, taken, decision(FORK, facts, verdict))
    told = {"as": run.id}
    if command.node is not None:
        told["from"] = command.node
    entry = batch.unit.record("workflow.forked", run_id(row), told, by, cause=run.place.entry)
    batch.unit.run_mentions.append((row.number, entry))
    return run.id, False


def _check_input(command: ForkRun, plan: PlanInUse, given: bytes) -> None:
    """What stays as it was is not asked again."""
    if command.input is not None or command.declared is not None:
        check_run_input(sound_schema(plan.workflow.input_schema), given)


def _ended(batch: Batch, text: str) -> RunRow:
    """The run with a public id, which must have ended."""
    number = look_up_run_id(text).number
    found = batch.state.runs.open.get(number)
    if found is not None and found.id == text:
        state = found.place.state
        raise Conflict(
            f"the run is {state}; only one that has ended can be continued: wait, or cancel it", field="id"
        )
    for row in batch.state.store.runs([number]):
        if run_id(row) == text and found is None:
            return row
    raise absent_run(batch.state.store, text)


def _declaration(batch: Batch, row: RunRow, plan: PlanInUse) -> Declaration:
    """What a run went by, as it is kept."""
    return Declaration(
        workflow=row.workflow,
        version=row.version.hex(),
        plan=batch.body(None, row.plan),
        wall_us=plan.wall_us,
    )


def _plan(batch: Batch, declared: Declaration) -> PlanInUse:
    return batch.state.runs.plan(declared.digest, declared.workflow, declared.plan)


def _facts(
    before: PlanInUse, after: PlanInUse, ends: dict[str, tuple[str, NodeRow]], inputs: tuple[bytes, bytes]
) -> list[dict[str, Any]]:
    """What the rule is told of each node."""
    has_other_input = inputs[0] != inputs[1]
    values = [msgspec.json.decode(value) for value in inputs] if has_other_input else []
    facts: list[dict[str, Any]] = []
    for name in after.graph.order:
        state = ends[name][0] if name in ends else None
        told = {
            "state": state,
            "changed": _changed(name, before, after),
            "values": changed_values(after.nodes[name], *values) if values else None,
        }
        known = {key: value for key, value in told.items() if value}
        facts.append({"node": name, "parents": list(after.graph.parents[name]), **known})
    return facts


def _changed(name: str, before: PlanInUse, after: PlanInUse) -> list[str]:
    if before is after or name not in before.nodes:
        return []
    return changed_fields(*(declared_node(each.plan, each.workflow, name) for each in (before, after)))


def _ends(batch: Batch, run: RunRow, plan: PlanInUse) -> dict[str, tuple[str, NodeRow]]:
    """How each node of an ended run has ended, and the row that a run gets which takes it over."""
    store = batch.state.store
    jobs: dict[str, dict[str, int]] = {}
    undone: dict[str, str] = {}
    for node, undoes, state, number in store.node_ends(run.number):
        if undoes:
            undone[node] = state
        else:
            jobs.setdefault(node, {})[state] = number
    found: dict[str, tuple[str, NodeRow]] = {}
    for row in store.nodes([run.number]):
        if row.name in plan.nodes:
            state = _state(row, jobs.get(row.name, {}), undone.get(row.name))
            found[row.name] = (state, _taken(row, run.number, state))
    return _without_pruned(batch, found)


def _taken(row: NodeRow, run: int, state: str) -> NodeRow:
    """What a run has that takes a node over: the first run that has its jobs is where it comes from."""
    kept = "skipped" if state == "skipped" else "taken"
    return NodeRow(0, row.name, kept, row.items, 0, run if row.source is None else row.source)


def _without_pruned(batch: Batch, ends: dict[str, tuple[str, NodeRow]]) -> dict[str, tuple[str, NodeRow]]:
    """Of jobs and runs that were pruned the outputs are gone, so nothing can be taken over."""
    store = batch.state.store
    sources = {row.source for _, row in ends.values() if row.source is not None}
    gone, gone_runs = store.pruned_nodes(sources), {left.number for left in store.run_remains(sources)}

    def is_gone(state: str, row: NodeRow) -> bool:
        return row.source in gone_runs or (state == "succeeded" and (row.source, row.name) in gone)

    return {name: ("pruned" if is_gone(state, row) else state, row) for name, (state, row) in ends.items()}


def _state(row: NodeRow, ends: dict[str, int], undone: str | None) -> str:
    """How a node has ended."""
    if row.state != "started":
        return "succeeded" if row.state == "taken" else row.state
    if undone is not None:
        return "compensated" if undone == "succeeded" else "not to be compensated"
    wanted = 1 if row.items == ITEM_ONLY else row.items
    if sum(ends.values()) < wanted:
        return "cancelled"
    return next((state for state in ("failed", "cancelled") if state in ends), "succeeded")
