"""Jobs of started nodes go into their queues: as many at once as a node, a queue and a batch have room for."""

from __future__ import annotations

from itertools import islice

from sheratan.contracts.runs import JobPlan
from sheratan.engine.batch import Batch
from sheratan.engine.commands import NewJob
from sheratan.engine.intake import submit_node_job
from sheratan.engine.run_end import give_up
from sheratan.engine.run_funds import can_afford_more
from sheratan.engine.runs import NodeJob, OpenRun
from sheratan.engine.sub_runs import begin_sub_run
from sheratan.engine.values import Missing, RunValues
from sheratan.kernel.canonical import digest
from sheratan.kernel.references import Item
from sheratan.store.run_rows import ITEM_ONLY, ITEM_UNDO

__all__ = ["feed_runs"]


def feed_runs(batch: Batch, room: int) -> int:
    """Submit jobs of runs that have some to submit, and begin the runs of their nodes; returns how much room is left.

    What finds no room now is tried again with the next batch.
    """
    runs = batch.state.runs
    if batch.state.allowed.intake != "allow":
        # It goes on from here once the system takes jobs in again, if only after the next start.
        return 0
    for number in list(runs.unfed):
        run = runs.open[number]
        if run.place.state == "compensating":
            is_fed = _feed_undo(batch, run)
        else:
            used, is_fed = _feed_run(batch, run, room)
            room -= used
        if is_fed:
            runs.unfed.pop(number, None)
        if room <= 0:
            # So that a wide fan-out does not hold up everybody else, the rest comes with the next batch.
            batch.more = True
            break
    return room


def _feed_run(batch: Batch, run: OpenRun, room: int) -> tuple[int, bool]:
    """Submit jobs of a run; how many, and whether these were all that may be submitted now."""
    values = RunValues(batch, run, decided=True)
    used, is_fed = 0, True
    for name in list(run.hungry):
        node = run.nodes[name]
        wanted = min(len(node.jobs) + _free(run, name), node.wanted)
        # A node whose queue is full does not hold up the others.
        while len(node.jobs) < wanted and used < room and _submit(batch, run, values, name, len(node.jobs)):
            used += 1
        is_fed = is_fed and len(node.jobs) == wanted
        if len(node.jobs) == node.wanted:
            del run.hungry[name]
            node.inputs.clear()
    return used, is_fed


def _free(run: OpenRun, name: str) -> int:
    """How many more jobs of a node may be open."""
    node, most = run.nodes[name], run.plan.nodes[name].at_once_max
    free = node.wanted - len(node.jobs)
    return free if most is None else min(free, most - (len(node.jobs) - node.ended))


def _submit(batch: Batch, run: OpenRun, values: RunValues, name: str, place: int) -> bool:
    node = run.nodes[name]
    is_list = node.items != ITEM_ONLY
    item = Item(value=values.items(name)[place], index=place) if is_list else None
    data = node.inputs[place] if place < len(node.inputs) else values.job_input(name, item)
    item_place = place if is_list else ITEM_ONLY
    if run.plan.nodes[name].workflow is not None:
        return begin_sub_run(batch, run, name, item_place, data)
    if not can_afford_more(batch, run):
        return False
    new = _new_job(run.plan.jobs_as.jobs[name], data, values.job_partition(name, item))
    return submit_node_job(batch, new, NodeJob(run, name, item_place), run.by)


def _feed_undo(batch: Batch, run: OpenRun) -> bool:
    """Submit the compensation that comes next; False when there is no room for it."""
    waiting = (name for name in run.undo_order() if run.nodes[name].undo is None)
    for name in islice(waiting, 0 if run.running else 1):
        values = RunValues(batch, run)
        try:
            data, partition = values.undo_input(name), values.undo_partition(name)
        except Missing as missing:
            give_up(batch, run, name, str(missing))
            return True
        new = _new_job(run.plan.jobs_as.undo[name], data, partition)
        return submit_node_job(batch, new, NodeJob(run, name, ITEM_UNDO), run.by)
    return True


def _new_job(plan: JobPlan, data: bytes, partition: str | None) -> NewJob:
    return NewJob(
        kind=plan.kind,
        queue=plan.queue,
        priority=plan.priority,
        delay_us=plan.delay_us,
        key=None,
        digest=digest(data),
        input=data,
        attempts_max=plan.attempts_max,
        backoff_base_us=plan.backoff_base_us,
        backoff_cap_us=plan.backoff_cap_us,
        run_timeout_us=plan.run_timeout_us,
        queue_timeout_us=plan.queue_timeout_us,
        after=(),
        after_failure="cancel",
        tags=plan.tags,
        cost=plan.cost,
        partition=partition,
        budget=plan.budget,
        deadline_after_us=plan.deadline_after_us,
        version=plan.version,
    )
