"""What a lease call is decided by: the lanes that a worker may be served from, their limits and their shares."""

from __future__ import annotations

from typing import Any

from sheratan.engine.batch import Batch
from sheratan.engine.flow_state import FlowKey
from sheratan.engine.funds import shortage
from sheratan.engine.state import Session
from sheratan.store.rows import Lane, Ready

__all__ = ["Usable", "add_costs", "add_limits", "add_shares", "add_unread", "heads_of", "lanes_for", "needed"]

_LANES_NAMED_MAX = 64
"""Lanes that a decision lists; the reasons of more would not be read, and an entry has a size."""

Usable = list[tuple[int, Lane]]
"""The lanes that may be served, each with its place in the list of all."""


def lanes_for(batch: Batch, session: Session) -> tuple[list[list[Any]], Usable]:
    """Every lane with ready jobs as the rule sees it, and the open ones with their place in that list."""
    state = batch.state
    named: list[list[Any]] = []
    usable: Usable = []
    for lane in state.busy_lanes.values():
        depth = state.windows[lane.lane].depth + state.partitions.depth(lane.lane)
        status = state.flow.pause(lane) or ("open" if lane.offered_as in session.offers else "not_offered")
        if status == "open" and state.billing.prices:
            status = shortage(batch, lane) or "open"
        if status == "open":
            usable.append((len(named), lane))
        elif len(named) >= _LANES_NAMED_MAX:
            continue
        named.append([lane.queue, lane.offered_as, depth, status])
    return named, usable


def heads_of(batch: Batch, usable: Usable, places: int) -> tuple[list[list[int]], dict[int, Ready]]:
    """The first jobs of the usable lanes: those that can be chosen, and the best of each lane that cannot."""
    heads: list[list[int]] = []
    rows: dict[int, Ready] = {}
    for index, lane in usable:
        window = batch.state.windows[lane.lane]
        for row in window.head(places + 1):
            heads.append([index, row.priority, row.number])
            rows[row.number] = row
        # The window runs low but the lane does not: more is read once this batch is committed.
        batch.more |= window.wants_refill
    return heads, rows


def add_limits(batch: Batch, usable: Usable, given: dict[str, Any]) -> list[FlowKey]:
    """Add to what the rule is given what limits the usable lanes, if anything does; returns those limits."""
    flow = batch.state.flow
    if not flow.bound:
        return []
    lanes: dict[FlowKey, list[int]] = {}
    for index, lane in usable:
        for key in flow.bound.get(lane.lane, ()):
            lanes.setdefault(key, []).append(index)
    if not lanes:
        return []
    given["at_us"] = batch.at_us
    given["limits"] = [[key[1], indexes, *flow.limit(key)] for key, indexes in lanes.items()]
    add_costs(batch, given, {index for key in lanes if flow.rows[key].rate_count for index in lanes[key]})
    return list(lanes)


def add_costs(batch: Batch, given: dict[str, Any], paced: set[int]) -> None:
    """Add what jobs count for, where that is not 1 and a rate limits their start."""
    aged = (head for head, _ in given.get("aged", ()))
    heads = [head for head in (*given["heads"], *aged) if head[0] in paced]
    jobs = batch.jobs([head[2] for head in heads]) if heads else {}
    for head in heads:
        if jobs[head[2]].cost != 1:
            head.append(jobs[head[2]].cost)


def add_shares(batch: Batch, usable: Usable, given: dict[str, Any]) -> None:
    """Add to what the rule is given whose turn it is."""
    shares = [[index, *batch.state.flow.share(lane)] for index, lane in usable]
    uneven = [share for share in shares if share[1:] != [1, 0]]
    if uneven:
        given["shares"] = uneven


def add_unread(batch: Batch, usable: Usable, given: dict[str, Any], places: int) -> None:
    """Add to what the rule is given of which lanes only a part is in memory."""
    state = batch.state
    windows = {index: state.windows[lane.lane] for index, lane in usable}
    unread = [index for index, window in windows.items() if not window.whole and len(window) <= places]
    if unread:
        given["unread"] = unread


def needed(heads: list[list[int]], picked: list[list[int]]) -> list[list[int]]:
    """The heads that decide: those that are chosen, and the next one of each lane."""
    chosen = {head[2] for head in picked}
    kept: list[list[int]] = []
    seen: set[int] = set()
    for head in heads:
        if head[2] not in chosen:
            if head[0] in seen:
                continue
            seen.add(head[0])
        kept.append(head)
    return kept
