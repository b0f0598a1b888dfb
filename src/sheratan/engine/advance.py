"""What follows in workflows' runs from the ends of jobs: nodes start, runs end, all in the batch that it follows from.

Only runs that something has befallen are looked at, and of them only the nodes behind those that have ended.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from sheratan.engine.batch import Batch
from sheratan.engine.feed import feed_runs
from sheratan.engine.follow import follow
from sheratan.engine.run_control import stop_overdue, stop_run
from sheratan.engine.run_end import compensate, finish
from sheratan.engine.runs import OpenRun
from sheratan.engine.values import Missing, RunValues
from sheratan.kernel.advance import ADVANCE, advance, after_parents, decide_node
from sheratan.kernel.references import Item
from sheratan.kernel.rules import decision
from sheratan.store.run_rows import ITEM_ONLY, NodeRow

__all__ = ["advance_runs"]

_KEPT_BYTES_MAX: Final = 1 << 22
"""Inputs of a node that are kept until its jobs are submitted; those beyond are filled in again then."""


def advance_runs(batch: Batch, done: int) -> None:
    """Advance every run that was started or stopped, or of which a job has ended, until nothing more follows.

    `done` is how far the ends of jobs were followed (`engine/follow.py`); the ends that runs cause are, too.
    """
    runs = batch.state.runs
    if not runs.open:
        return
    stop_overdue(batch)
    noted, room = 0, batch.state.limits.batch_jobs_max
    while True:
        for _, result in batch.ended[noted:]:
            runs.job_ended(result.number, result.state, result.entry)
        noted = len(batch.ended)
        touched = [runs.open[number] for number in runs.touched]
        runs.touched.clear()
        if touched:
            for run in touched:
                _advance_run(batch, run)
                # One that was stopped meanwhile has been seen to; the ends of its jobs come with the next turn.
                runs.touched.pop(run.row.number, None)
            done = follow(batch, done)
        elif room > 0:
            room = feed_runs(batch, room)
            # Runs of nodes that have begun advance in this batch, too.
            if not runs.touched:
                break
        else:
            break


def _advance_run(batch: Batch, run: OpenRun) -> None:
    if run.place.state == "compensating":
        compensate(batch, run)
        return
    if run.place.state == "running" and run.changed:
        _decide_nodes(batch, run)
    state = run.place.state
    if (state == "running" and run.active == 0) or (state == "stopping" and run.running == 0):
        finish(batch, run)


def _decide_nodes(batch: Batch, run: OpenRun) -> None:
    """Decide about each node whose parents have all ended, and about those that follow from it at once."""
    values = RunValues(batch, run)
    facts: list[dict[str, Any]] = []
    wanted = 0
    left = deque(run.changed)
    run.changed.clear()
    while left:
        name = left.popleft()
        waits = run.nodes[name].state == "waiting"
        for candidate in (name,) if waits else run.plan.graph.children[name]:
            node = run.nodes[candidate]
            if node.state != "waiting" or node.missing:
                continue
            fact, items = _fact(run, values, candidate)
            facts.append(fact)
            _apply(run, candidate, decide_node(fact)[0], items)
            if node.state == "started":
                wanted += node.wanted
            elif node.has_ended:
                left.append(candidate)
    if facts:
        _record(batch, run, facts, wanted)


def _fact(run: OpenRun, values: RunValues, name: str) -> tuple[dict[str, Any], int]:
    """What the rule is told of a node, and how many items it runs for."""
    fact = _parents(run, name)
    items = ITEM_ONLY
    try:
        if after_parents(fact)[0] == "run" and _holds(run, values, fact):
            items = _fill_in(run, values, name)
    except Missing as missing:
        fact["blocked"] = str(missing)
    if items != ITEM_ONLY:
        fact["items"] = items
    workflow = run.plan.nodes[name].workflow
    if workflow is not None:
        fact["workflow"] = workflow
    return fact, items


def _parents(run: OpenRun, name: str) -> dict[str, Any]:
    """What the rule is told of a node's parents."""
    parents = {parent: run.nodes[parent].state for parent in run.plan.graph.parents[name]}
    return {
        "node": name,
        "policy": run.plan.policy(name),
        "failed": [parent for parent, state in parents.items() if state in ("failed", "cancelled")],
        "skipped": [parent for parent, state in parents.items() if state == "skipped"],
    }


def _holds(run: OpenRun, values: RunValues, fact: dict[str, Any]) -> bool:
    """Whether a node's condition holds; the answer is added to what the rule is told."""
    condition = run.plan.nodes[fact["node"]].when
    if condition is None:
        return True
    answer = values.condition(fact["node"], condition)
    fact["when"] = [answer.holds, answer.because]
    return answer.holds


def _fill_in(run: OpenRun, values: RunValues, name: str) -> int:
    """See that inputs and partitions of a node can be filled in, so that no list is begun which cannot be ended."""
    node = run.nodes[name]
    if run.plan.nodes[name].for_each is None:
        node.inputs.append(values.checked_input(name, None))
        values.job_partition(name, None)
        return ITEM_ONLY
    found, kept = values.items(name), 0
    for place, value in enumerate(found):
        item = Item(value=value, index=place)
        data = values.checked_input(name, item)
        values.job_partition(name, item)
        kept += len(data)
        if kept <= _KEPT_BYTES_MAX:
            node.inputs.append(data)
    return len(found)


def _apply(run: OpenRun, name: str, action: str, items: int) -> None:
    node = run.nodes[name]
    if action == "start":
        node.start(items, -1)
        if node.settle():
            # An empty list: there is nothing to do, and that is done.
            run.node_ended(name)
        else:
            run.active += 1
            run.hungry[name] = None
    elif action == "block":
        node.state = "blocked"
    else:
        node.state = "skipped" if action == "skip" else "failed"
        run.node_ended(name)


def _record(batch: Batch, run: OpenRun, facts: list[dict[str, Any]], wanted: int) -> None:
    place, given = run.place, _given(run, facts, wanted)
    verdict = advance(given)
    record = decision(ADVANCE, given, verdict)
    by = run.by
    if "stop" in verdict.chosen:
        for fact in reversed(facts):
            run.put_back(fact["node"])
        stopped = verdict.chosen.get("run", run.id)
        beyond = next(each for each in (run, *run.above()) if each.id == stopped)
        stop_run(batch, beyond, {"ending": verdict.chosen["stop"]}, by, record)
        return
    data: dict[str, Any] = {"jobs": place.jobs + wanted}
    entry = batch.unit.record(
        "workflow.advanced", run.id, data, by, decision=record, previous=place.entry, cause=run.cause
    )
    for fact in facts:
        node = run.nodes[fact["node"]]
        state = "started" if "items" in fact or node.state == "started" else node.state
        node.entry = entry
        batch.unit.nodes.append(NodeRow(run.row.number, fact["node"], state, node.items, entry))
    run.place = place._replace(jobs=data["jobs"], entry=entry)
    batch.unit.move_run(place, run.place)
    for above in run.above():
        counted, above.place = above.place, above.place._replace(jobs=above.place.jobs + wanted)
        batch.unit.count_jobs(counted, above.place)
    if run.hungry:
        batch.state.runs.unfed[run.row.number] = None


def _given(run: OpenRun, facts: list[dict[str, Any]], wanted: int) -> dict[str, Any]:
    """What the rule is told."""
    place, budget = run.place, run.plan.workflow.budget
    given: dict[str, Any] = {
        "nodes": facts, "jobs": place.jobs, "wanted": wanted, "jobs_max": budget.jobs_max,
    }  # fmt: skip
    if any("workflow" in fact for fact in facts):
        given["depth_max"] = budget.depth_max
    if run.parent is not None:
        given["run"] = run.id
        given["above"] = [_budget(above) for above in run.above()]
    return given


def _budget(run: OpenRun) -> list[Any]:
    """What the rule is told of a run above."""
    budget = run.plan.workflow.budget
    return [run.id, run.place.jobs, budget.jobs_max, budget.depth_max]
