"""Which ready jobs does this worker get, in which order, and who is passed over?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sheratan.kernel.ageing import told_gains
from sheratan.kernel.partitions import PickedPartitions, pick_partitions
from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.sharing import Picked, pick
from sheratan.kernel.words import count

__all__ = [
    "AGEING_ORDER",
    "ORDER",
    "PARTITION_ORDER",
    "choose_jobs",
    "share_ageing",
    "share_jobs",
    "share_partitions",
]

ORDER = "dispatch.order@2"
"""The version in force; the first one is kept for the decisions that were made by it."""

PARTITION_ORDER = "dispatch.order@3"
"""The version in force where partitions have queued jobs."""

AGEING_ORDER = "dispatch.order@4"
"""The version in force where priorities age."""

_PASSED_OVER: Final = {
    "paused": "queue is paused",
    "kind_paused": "kind is paused",
    "tenant_paused": "tenant is paused",
    "not_offered": "the worker does not offer this kind",
    "collecting": "its jobs are being collected",
    "no_funds": "its tenant cannot pay for an attempt",
    "no_budget": "an attempt would go over a budget",
}
"""Why a lane in some state is passed over."""


@rule("dispatch.order", 1)
def choose_jobs(given: dict[str, Any]) -> Verdict:
    """Choose job numbers for one lease call: urgent first, then oldest first.

    Input: worker, slots (free in the worker), room (free in the engine), lanes (each [queue, kind, depth, state])
    and heads (each [lane index, priority, number]; every lane's first jobs in order, so that a job that is not
    listed comes after all listed ones of its lane). A lane's state is `open`, `paused` or `not_offered`.
    """
    lanes = given["lanes"]
    places = min(given["slots"], given["room"])
    ordered = sorted(given["heads"], key=lambda head: (head[1], head[2]))
    chosen = [head[2] for head in ordered[:places]]
    rejected: list[list[Any]] = []
    for queue, kind, depth, state in lanes:
        if state == "paused":
            rejected.append([f"{queue}/{kind}", f"queue is paused, {count(depth, 'job')} waiting"])
        elif state == "not_offered":
            rejected.append(
                [f"{queue}/{kind}", f"the worker does not offer this kind, {count(depth, 'job')} waiting"]
            )
    for head in ordered[places:]:
        reason = (
            "no free slot in the worker"
            if places == given["slots"]
            else "the engine runs as many jobs as it may"
        )
        rejected.append([head[2], reason])
    ready = sum(lane[2] for lane in lanes if lane[3] == "open")
    slots = count(given["slots"], "free slot")
    because = f"Gave {len(chosen)} of {count(ready, 'ready job')} to {given['worker']} with {slots}."
    return Verdict(chosen, because, rejected or None)


@rule("dispatch.order", 2)
def share_jobs(given: dict[str, Any]) -> Verdict:
    """Choose job numbers for one lease call: urgent first, then lanes in fair turns, in each lane the oldest first.

    Input: worker, slots (free in the worker), room (free in the engine), lanes (each [queue, kind, depth, state])
    and heads (each [lane index, priority, number] and the cost unless it is 1; of every lane the first jobs in order,
    so that a job that is not listed comes after all listed ones of its lane). A lane's state is `open`, `paused`,
    `kind_paused`, `tenant_paused`, `no_funds`, `no_budget` or `not_offered`. Where they are not nothing: limits (each
    [subject, lane indexes, jobs that may run or 0, jobs that run, rate or null]; a rate is [count, period_us, burst,
    pace_us, pace_part], see `kernel/rate.py`; of an account or a budget it is [subject, lane indexes, attempts that it
    can pay for, null, null]), at_us (now), shares (each [lane index, weight, tag], see `kernel/sharing.py`) and unread
    (lanes of which more is about to be read). A job that a limit stops holds up its lane, and no other.
    """
    picked = pick(given)
    chosen = [head[2] for head in picked.chosen]
    ready = sum(lane[2] for lane in given["lanes"] if lane[3] == "open")
    slots = count(given["slots"], "free slot")
    because = f"Gave {len(chosen)} of {count(ready, 'ready job')} to {given['worker']} with {slots}."
    return Verdict(chosen, because, [*_lanes_passed(given, picked), *_jobs_passed(given, picked)] or None)


@rule("dispatch.order", 3)
def share_partitions(given: dict[str, Any]) -> Verdict:
    """Choose job numbers for one lease call: as `dispatch.order@2`, and within a lane its partitions take turns.

    Input: as that of version 2, and partitions (each [id, lane index, name or null, tag]): of each lane that has any
    with queued jobs, those that may be next. An id is negative and stands where a lane's index stands: in heads, in
    unread, and in limits which hold for one partition, whose name comes last there. The name is null for the
    lane's jobs that have no partition, which take turns with the partitions. The budget of a partition is told as that
    of a lane is, by ids. Where there are any: held (each [lane index, partitions]), how many are left out because of
    their limits. A partition that a limit stops holds up no other.
    """
    return _shared(given, pick_partitions(given))


@rule("dispatch.order", 4)
def share_ageing(given: dict[str, Any]) -> Verdict:
    """Choose job numbers for one lease call: as `dispatch.order@3`, and priorities gain by waiting for a start.

    Input: as that of version 3, where there may be no partitions, and at_us (now), ageing (each [lane index, step_us]:
    by so much waiting a priority of the lane gains a step) and, where there are any, aged (each [head, since_us]):
    the next job of each priority that has gained, and since when that has waited, which is since its last start or,
    where that is later, since the job is ready. Such a job counts as so much more urgent than it is, against all
    others. Of a lane without partitions it need not be among the heads; of others it is the first job of a partition.
    """
    picked = pick_partitions(given)
    return _shared(given, picked, told_gains(given, picked.chosen))


def _shared(given: dict[str, Any], picked: PickedPartitions, told: str = "") -> Verdict:
    chosen = [head[2] for head in picked.chosen]
    ready = sum(lane[2] for lane in given["lanes"] if lane[3] == "open")
    slots = count(given["slots"], "free slot")
    because = f"Gave {len(chosen)} of {count(ready, 'ready job')} to {given['worker']} with {slots}.{told}"
    passed = [*_partitioned_lanes_passed(given, picked), *_partitions_passed(given, picked)]
    return Verdict(chosen, because, passed or None)


def _partitioned_lanes_passed(given: dict[str, Any], picked: PickedPartitions) -> Iterator[list[Any]]:
    """The lanes that were passed over or stopped, and the partitions that limits kept out, each with the reason."""
    for index, (queue, kind, depth, state) in enumerate(given["lanes"]):
        if index in picked.stops:
            yield [f"{queue}/{kind}", picked.stops[index].reason]
        elif state != "open":
            yield [f"{queue}/{kind}", f"{_PASSED_OVER[state]}, {count(depth, 'job')} waiting"]
    for index, partitions in given.get("held", ()):
        queue, kind, *_ = given["lanes"][index]
        yield [f"{queue}/{kind}", f"limits hold up {count(partitions, 'partition')} of it"]


def _partitions_passed(given: dict[str, Any], picked: PickedPartitions) -> Iterator[list[Any]]:
    """The partitions that were stopped, and the jobs that might have run and were not chosen."""
    lanes = {one[0]: one[1] for one in given["partitions"]}
    for who, index, name, _ in given["partitions"]:
        if who in picked.partition_stops:
            queue, kind, *_ = given["lanes"][index]
            yield [f"{queue}/{kind}/{name}", picked.partition_stops[who].reason]
    chosen = {head[2] for head in picked.chosen}
    reason = _full(given, len(chosen))
    for head in given["heads"]:
        is_stopped = head[0] in picked.partition_stops or lanes.get(head[0], head[0]) in picked.stops
        if head[2] not in chosen and not is_stopped:
            yield [head[2], reason]


def _lanes_passed(given: dict[str, Any], picked: Picked) -> Iterator[list[Any]]:
    """The lanes that were passed over or stopped, each with the reason."""
    for index, (queue, kind, depth, state) in enumerate(given["lanes"]):
        stop = picked.stops.get(index)
        if stop is not None:
            left = depth - sum(head[0] == index for head in picked.chosen)
            yield [f"{queue}/{kind}", f"{stop.reason}, {count(left, 'job')} waiting"]
        elif state != "open":
            yield [f"{queue}/{kind}", f"{_PASSED_OVER[state]}, {count(depth, 'job')} waiting"]


def _jobs_passed(given: dict[str, Any], picked: Picked) -> Iterator[list[Any]]:
    """The jobs that might have run and were not chosen."""
    chosen = {head[2] for head in picked.chosen}
    reason = _full(given, len(chosen))
    for head in given["heads"]:
        if head[2] not in chosen and head[0] not in picked.stops:
            yield [head[2], reason]


def _full(given: dict[str, Any], chosen: int) -> str:
    """Why the jobs that may run and were not chosen have to wait."""
    if chosen < min(given["slots"], given["room"]):
        return "what may go before it is about to be read"
    if given["slots"] <= given["room"]:
        return "no free slot in the worker"
    return "the engine runs as many jobs as it may"
