"""Lease calls where partitions have queued jobs: which of them may be next, and what comes of the choice."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from sheratan.engine.batch import Batch
from sheratan.engine.dispatch_ageing import add_aged, add_aged_of_lanes, add_ageing, are_known, note_starts
from sheratan.engine.flow_state import FlowKey
from sheratan.engine.funds import add_budgets_of_partitions, add_funds, is_short
from sheratan.engine.lease_input import (
    Usable,
    add_costs,
    add_limits,
    add_shares,
    add_unread,
    heads_of,
    needed,
)
from sheratan.engine.run_budgets import pick_startable
from sheratan.engine.turns import Turns
from sheratan.kernel.partitions import PickedPartitions, pick_partitions
from sheratan.store.partition_rows import PartitionKey, PartitionPaceRow, partition_of
from sheratan.store.rows import Lane, PaceRow, Ready

__all__ = ["are_among", "choose"]

_HEADS_MAX = 1_024
"""Jobs of one lane that are looked at in a lease call, over all partitions that may be next."""

_HEADS_MIN = 4


class _Lane(NamedTuple):
    """A lane with partitions, its place in the list of all, and the members that may be next."""

    index: int
    turns: Turns
    members: list[int]


def are_among(turns: dict[int, Turns], usable: Usable) -> bool:
    """Whether partitions of these lanes have ready jobs."""
    return bool(turns) and any(lane.lane in turns and turns[lane.lane].members for _, lane in usable)


def choose(batch: Batch, usable: Usable, given: dict[str, Any], places: int) -> dict[int, Ready]:
    """Complete what `dispatch.order@3` or `@4` is given, and note what its choice makes of turns and rates.

    Returns the rows; without rows nothing can be chosen. A partition needs a place to be served, so one more than
    there are places is all that matters of a lane, and the next one of each priority where priorities age; the others
    do not show up in the decision, however many there are.
    """
    turns = batch.state.partitions.turns
    plain = [one for one in usable if not are_among(turns, [one])]
    lanes = [_lane(batch, *one, places) for one in usable if are_among(turns, [one])]
    if not _are_read(batch, lanes, plain):
        # What is most urgent in it is about to be read.
        batch.more = True
        return {}
    given["heads"], rows = heads_of(batch, plain, places)
    given["partitions"] = list[list[Any]]()
    add_ageing(batch, usable, given)
    rows.update(add_aged_of_lanes(batch, plain, given))
    keys = add_limits(batch, usable, given)
    add_shares(batch, usable, given)
    add_unread(batch, plain, given, places)
    for lane in lanes:
        rows.update(_add_members(batch, lane, given, places))
    partition_keys = _add_partition_limits(batch, lanes, given)
    add_funds(batch, usable, given)
    add_budgets_of_partitions(batch, given)
    picked = pick_startable(batch, given, pick_partitions)
    if picked is None:
        return {}
    _wake_for(batch, lanes, picked)
    _take_turns(batch, lanes, dict(usable), picked)
    note_starts(batch, usable, given, picked.chosen)
    _note_paces(batch, keys, partition_keys, picked)
    _leave_out(given, picked)
    return rows if picked.chosen else {}


def _are_read(batch: Batch, lanes: list[_Lane], plain: Usable) -> bool:
    return not any(lane.turns.unread for lane in lanes) and are_known(batch, plain)


def _lane(batch: Batch, index: int, lane: Lane, places: int) -> _Lane:
    turns = batch.state.partitions.turns[lane.lane]
    ages, stopped = lane.lane in batch.state.flow.ageing, partial(_stopped, batch)
    return _Lane(index, turns, turns.first(places + 1, batch.at_us, stopped, of_each=ages))


def _firsts(batch: Batch, members: list[int]) -> Iterator[tuple[int, Ready]]:
    """The member that is next of each priority, with its first job."""
    seen: set[int] = set()
    for member in members:
        row = batch.state.windows[member].first
        assert row is not None, "who may be next has a job in memory"
        if row.priority not in seen:
            seen.add(row.priority)
            yield -member, row


def _stopped(batch: Batch, member: int, number: int) -> tuple[bool, int | None]:
    parts = batch.state.partitions
    cost = batch.jobs([number])[number].cost if parts.is_paced(member) else 1
    stopped, until_us = parts.stopped(member, cost, batch.at_us)
    return (stopped, until_us) if stopped else is_short(batch, member)


def _add_members(batch: Batch, lane: _Lane, given: dict[str, Any], places: int) -> dict[int, Ready]:
    """Add the members of a lane that may be next, with their first jobs; returns the rows of these."""
    state, rows = batch.state, dict[int, Ready]()
    most = min(places + 1, max(_HEADS_MIN, _HEADS_MAX // max(1, len(lane.members))))
    for member in lane.members:
        partition, window = partition_of(member), state.windows[member]
        name = batch.partition_name(partition) if partition else None
        given["partitions"].append([-member, lane.index, name, lane.turns.share(member)])
        listed = window.head(most)
        for row in listed:
            given["heads"].append([-member, row.priority, row.number])
            rows[row.number] = row
        batch.more |= window.wants_refill
        if len(listed) <= places and len(listed) < window.depth:
            given.setdefault("unread", []).append(-member)
    add_aged(batch, lane.turns.lane, _firsts(batch, lane.members), given)
    if lane.turns.aside:
        given.setdefault("held", []).append([lane.index, len(lane.turns.aside)])
    return rows


def _add_partition_limits(batch: Batch, lanes: list[_Lane], given: dict[str, Any]) -> list[PartitionKey]:
    """Add the limits of each partition that may be next; returns what they are."""
    parts = batch.state.partitions
    found: dict[PartitionKey, list[int]] = {}
    for member in chain.from_iterable(lane.members for lane in lanes):
        for key in parts.keys(member):
            found.setdefault(key, []).append(-member)
    limits = [[key[1], ids, *parts.limit(key), batch.partition_name(key[2])] for key, ids in found.items()]
    if limits:
        given["limits"] = [*given.get("limits", ()), *limits]
        given["at_us"] = batch.at_us
    paced = set(chain.from_iterable(limit[1] for limit in given.get("limits", ()) if limit[4]))
    add_costs(batch, given, {one[0] for one in given["partitions"] if not paced.isdisjoint(one[:2])})
    return list(found)


def _wake_for(batch: Batch, lanes: list[_Lane], picked: PickedPartitions) -> None:
    """Wake up when the next job may start that only a rate holds up."""
    stops = [stop.until_us for stop in (*picked.stops.values(), *picked.partition_stops.values())]
    flow = batch.state.flow
    for until_us in (*stops, *(lane.turns.next_start_us() for lane in lanes)):
        if until_us is not None:
            flow.next_start_us = min(flow.next_start_us or until_us, until_us)


def _take_turns(batch: Batch, lanes: list[_Lane], lane_at: dict[int, Lane], picked: PickedPartitions) -> None:
    """Note what the choice makes of turns."""
    batch.state.flow.take_turns({lane_at[index].lane: tag for index, tag in picked.tags.items()}, picked.turn)
    for lane in lanes:
        tags = {who: picked.partition_tags[-who] for who in lane.members if -who in picked.partition_tags}
        lane.turns.take_turns(tags, picked.partition_turns.get(lane.index, 0))


def _note_paces(
    batch: Batch, keys: list[FlowKey], partition_keys: list[PartitionKey], picked: PickedPartitions
) -> None:
    """Note how far rates are used up: limits stand in the input in this order."""
    for place, pace in picked.paces.items():
        if place < len(keys):
            batch.state.flow.paces[keys[place]] = pace
            batch.unit.paces[keys[place]] = PaceRow(*keys[place], *pace)
        else:
            key = partition_keys[place - len(keys)]
            batch.state.partitions.use(key, pace, batch.at_us)
            batch.unit.partitions.paces[key] = PartitionPaceRow(*key, *pace)


def _leave_out(given: dict[str, Any], picked: PickedPartitions) -> None:
    """Leave out what does not decide: members that were not looked at but for the next, and all but their next job."""
    left = _left_out(given["partitions"], picked) - {head[0] for head, _ in given.get("aged", ())}
    given["partitions"] = [one for one in given["partitions"] if one[0] not in left]
    given["heads"] = [head for head in needed(given["heads"], picked.chosen) if head[0] not in left]
    if "limits" in given:
        given["limits"] = _limits_without(given["limits"], left)
    if "unread" in given:
        given["unread"] = [who for who in given["unread"] if who not in left]


def _left_out(members: list[list[Any]], picked: PickedPartitions) -> set[int]:
    looked = picked.partition_tags.keys() | picked.partition_stops.keys()
    coming = {one[1]: one[0] for one in reversed(members) if one[0] not in looked}
    return {one[0] for one in members} - looked - set(coming.values())


def _limits_without(limits: list[list[Any]], left: set[int]) -> list[list[Any]]:
    found = [[limit[0], [who for who in limit[1] if who not in left], *limit[2:]] for limit in limits]
    return [limit for limit in found if limit[1]]
