"""Submissions: from a checked command to jobs that are placed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sheratan.contracts.errors import LimitReached
from sheratan.contracts.ids import SALT_BITS
from sheratan.contracts.principal import Principal
from sheratan.contracts.tracing import pack
from sheratan.engine.batch import Batch
from sheratan.engine.by_jobs import count_fan_out, join_tree, submitting_job, trace_of_child
from sheratan.engine.commands import NewJob, Submit
from sheratan.engine.job_budgets import check_budget
from sheratan.engine.keys import find_existing
from sheratan.engine.room import check_queue_count, check_room, has_partition_room
from sheratan.engine.runs import NodeJob
from sheratan.engine.submitted import NOWHERE, Plan, Source, is_plain, keep_besides, node_data, submitted_data
from sheratan.engine.system import refuse_intake
from sheratan.engine.unstarted import queue_first
from sheratan.kernel.admission import ADMISSION, admit
from sheratan.kernel.rules import decision
from sheratan.store.partition_rows import lane_in
from sheratan.store.rows import (
    TIMER_DELAY,
    Blocked,
    JobRow,
    Lane,
    Location,
    Result,
    Timer,
    make_job,
)
from sheratan.store.run_rows import ITEM_UNDO, NodeJobRow

__all__ = [
    "Receipt",
    "plan_all",
    "plan_firing",
    "refuse",
    "submit",
    "submit_firing",
    "submit_node_job",
    "submit_one",
    "take_in",
]

Receipt = tuple[str, bool]
"""The job's id, and whether it existed already under the same idempotency key."""


def submit(batch: Batch, command: Submit, by: Principal) -> list[Receipt]:
    """Take the jobs in, all or none, and return a receipt for each."""
    source = NOWHERE
    if command.by_job is not None:
        by, source = submitting_job(batch, command.by_job, command.fence, by), Source(by_job=command.by_job)
    check_room(batch, command.jobs, by)
    # Every job is looked at before the first one is taken in.
    planned = plan_all(batch, command.jobs, by, source)
    if command.by_job is not None:
        count_fan_out(batch, command.by_job, sum(not isinstance(plan, str) for plan in planned))
    first = batch.unit.next_number
    receipts: list[Receipt] = []
    for plan in planned:
        if isinstance(plan, str):
            receipts.append((plan, True))
        else:
            job = _make(batch, plan, by)
            receipts.append((_take_in(batch, plan, job, by, plan.source.cause), False))
    if command.by_job is not None and batch.state.trees:
        join_tree(batch, command.by_job, range(first, batch.unit.next_number))
    return receipts


def take_in(batch: Batch, plan: Plan, by: Principal, cause: int) -> str:
    """Take in a job that admission lets in, because of an entry that led to it; returns its id."""
    return _take_in(batch, plan, _make(batch, plan, by), by, cause)


def plan_all(batch: Batch, jobs: tuple[NewJob, ...], by: Principal, source: Source) -> list[Plan | str]:
    """For each job its plan, or the id of the job that its key made before."""
    planned: list[Plan | str] = []
    coming: dict[str, int] = {}
    for new in jobs:
        existing = find_existing(batch, new, by)
        if existing is not None:
            planned.append(existing)
            continue
        if new.budget:
            check_budget(batch, new, by)
        plan = _plan(batch, new, by, coming.get(new.queue, 0), source)
        if plan.verdict.chosen == "refuse":
            refuse(batch, plan, by)
        coming[new.queue] = coming.get(new.queue, 0) + 1
        planned.append(plan)
    return planned


def submit_one(batch: Batch, new: NewJob, by: Principal, source: Source) -> JobRow:
    """Take in a job by itself, under no idempotency key: one that repeats another, or that its gate has let in."""
    if (by.tenant, new.queue, new.kind, new.version) not in batch.state.lanes:
        check_queue_count(batch, (new,), by)
    if source.cause is None:
        # A bulk operation goes on with the others: such a job ends when it is to start.
        check_budget(batch, new, by)
    plan = _plan(batch, new, by, 0, source)
    if plan.verdict.chosen == "refuse":
        refuse(batch, plan, by)
    if source.by_job is not None:
        count_fan_out(batch, source.by_job, 1)
    job = _make(batch, plan, by)
    _take_in(batch, plan, job, by, source.cause)
    if source.by_job is not None:
        join_tree(batch, source.by_job, (job.number,))
    return job


def plan_firing(batch: Batch, new: NewJob, firing: tuple[str, str], by: Principal, coming: int) -> Plan:
    """What admission says of the job of a schedule's firing; LimitReached when there would be too many queues."""
    if len(batch.state.lanes) + 1 > batch.state.limits.queues_max:
        check_queue_count(batch, (new,), by)
    return _plan(batch, new, by, coming, Source(told={"schedule": firing[0], "firing": firing[1]}))


def submit_firing(
    batch: Batch, plan: Plan, by: Principal, announce: Callable[[JobRow], int]
) -> tuple[JobRow, int]:
    """Take in the job of a firing behind the entry that `announce` records of it; returns both."""
    job = _make(batch, plan, by)
    entry = announce(job)
    _take_in(batch, plan, job, by, entry)
    return job, entry


def submit_node_job(batch: Batch, new: NewJob, node: NodeJob, by: Principal) -> bool:
    """Take in a job of a workflow's node; False, and nothing is done, while there is no room for it.

    It was decided about when its node was started, so it waits until it may come in instead of being refused.
    """
    state = batch.state
    is_new = (by.tenant, new.queue, new.kind, new.version) not in state.lanes
    if is_new and len(state.lanes) >= state.limits.queues_max:
        return False
    if new.partition and not has_partition_room(batch, (new,), by):
        return False
    runs = () if node.item == ITEM_UNDO else node.run.spends_for()
    source = Source(cause=_node_entry(node), told=node_data(node), spends_for=runs)
    plan = _plan(batch, new, by, 0, source)
    if plan.verdict.chosen == "refuse":
        return False
    job = _make(batch, plan, by)
    _take_in(batch, plan, job, by, plan.source.cause)
    batch.unit.node_jobs.append(NodeJobRow(node.run.row.number, node.node, node.item, job.number))
    state.runs.add_job(node.run, node.node, node.item, job.number)
    return True


def _plan(batch: Batch, new: NewJob, by: Principal, coming: int, source: Source) -> Plan:
    state = batch.state
    given: dict[str, Any] = {
        "queue": new.queue,
        "depth": state.depth(by.tenant, new.queue) + coming,
        "depth_max": state.limits.queue_jobs_max,
        "intake": state.intake,
    }
    if new.criticality != "normal":
        given["criticality"] = new.criticality
    if new.delay_us:
        given["delay_us"] = new.delay_us
    parents = _parents(batch, new, given) if new.after else ()
    return Plan(new, source, parents, given, admit(given), source is NOWHERE and is_plain(new))


def _parents(batch: Batch, new: NewJob, given: dict[str, Any]) -> list[int]:
    """The jobs to run after, in the order in which they were named; what admission has to know of them is added."""
    parents: dict[int, Location] = {}
    failed: list[str] = []
    for parent_id in new.after:
        parent = batch.find_job(parent_id)
        location = batch.locate(parent)
        parents[parent.number] = location
        if type(location) is Result and location.state != "succeeded":
            failed.append(parent_id)
    given["waits_for"] = sum(type(location) is not Result for location in parents.values())
    if failed:
        given["failed_after"] = failed
        given["after_failure"] = new.after_failure
    return list(parents)


def refuse(batch: Batch, plan: Plan, by: Principal) -> None:
    """Write down that a job was not taken in, and raise why: LimitReached or StateRefuses."""
    record = decision(ADMISSION, plan.given, plan.verdict)
    data = {"kind": plan.new.kind, "queue": plan.new.queue, "input": plan.new.digest}
    batch.unit.record("job.refused", f"queue:{plan.new.queue}", data, by, decision=record)
    if plan.given["intake"] != "open":
        raise refuse_intake(batch, plan.verdict.because)
    raise LimitReached(f"{plan.verdict.because} (limits.queue_jobs_max)", field="queue")


def _make(batch: Batch, plan: Plan, by: Principal) -> JobRow:
    new, unit = plan.new, batch.unit
    inline = len(new.input) <= batch.state.limits.inline_bytes_max
    payload = None if inline else bytes.fromhex(new.digest)
    if payload is not None:
        unit.payloads[payload] = new.input
    lane = _lane(batch, new, by).lane
    if new.partition:
        # It stands above the lane's number in the job's rows.
        lane = lane_in(lane, batch.partition(by.tenant, new.partition))
    return make_job(
        (
            unit.take_number(),
            batch.randomness.bits("salt", SALT_BITS),
            lane,
            new.priority,
            batch.at_us,
            new.attempts_max,
            new.backoff_base_us,
            new.backoff_cap_us,
            new.run_timeout_us,
            new.queue_timeout_us,
            new.after_failure,
            plan.source.by_job,
            plan.source.origin,
            new.input if inline else None,
            payload,
            new.cost,
            None if plan.is_plain else _trace(batch, new, plan.source.by_job),
            new.deadline_after_us,
            0 if plan.is_plain else _deadline(batch, new, plan.source.by_job),
        )
    )


def _trace(batch: Batch, new: NewJob, by_job: int | None) -> bytes | None:
    return pack(new.traceparent) if new.traceparent else trace_of_child(batch, by_job)


def _deadline(batch: Batch, new: NewJob, by_job: int | None) -> int:
    """When a job fails at the latest: no job outlives the deadline of the running job that submits it."""
    own_us = batch.at_us + new.deadline_after_us if new.deadline_after_us else 0
    inherited_us = 0 if by_job is None else batch.job(by_job).deadline_us
    return min(own_us, inherited_us) if own_us and inherited_us else own_us or inherited_us


def _take_in(batch: Batch, plan: Plan, job: JobRow, by: Principal, cause: int | None) -> str:
    new, unit = plan.new, batch.unit
    public_id = batch.add_job(job)
    data = submitted_data(new, job)
    if not plan.is_plain:
        data |= keep_besides(batch, plan, job, by)
    entry = unit.record(
        "job.submitted",
        public_id,
        data,
        by,
        decision=decision(ADMISSION, plan.given, plan.verdict),
        cause=cause,
    )
    _place_new(batch, plan, job, entry)
    if job.deadline_us > batch.at_us and plan.verdict.chosen != "cancel":
        batch.set_alarm(job.number, job.deadline_us)
    return public_id


def _lane(batch: Batch, new: NewJob, by: Principal) -> Lane:
    key = (by.tenant, new.queue, new.kind, new.version)
    lane = batch.state.lanes.get(key)
    if lane is None:
        lane = batch.state.add_lane(*key)
        batch.unit.lanes.append(lane)
    return lane


def _node_entry(node: NodeJob) -> int:
    """The entry that started the node, or the one by which its run compensates."""
    return node.run.place.entry if node.item == ITEM_UNDO else node.run.nodes[node.node].entry


def _place_new(batch: Batch, plan: Plan, job: JobRow, entry: int) -> None:
    at_us, due_us = batch.at_us, batch.at_us + plan.new.delay_us
    chosen = plan.verdict.chosen
    location: Location
    if chosen == "queue":
        queue_first(batch, job, None, at_us, entry)
        return
    if chosen == "schedule":
        location = Timer(due_us, job.number, TIMER_DELAY, 1, 0, at_us, entry)
    elif chosen == "block":
        failed = len(plan.given.get("failed_after", ()))
        location = Blocked(job.number, plan.given["waits_for"], failed, due_us, at_us, entry)
    else:
        location = Result(job.number, "cancelled", 0, 0, at_us, None, None, entry)
    batch.place(job, None, location)
