"""Lease calls where priorities age: which have gained by waiting, and which have had a start."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sheratan.engine.batch import Batch
from sheratan.engine.lease_input import Usable
from sheratan.kernel.ageing import gain_of
from sheratan.kernel.sharing import Head
from sheratan.store.rows import Ready

__all__ = ["add_aged", "add_aged_of_lanes", "add_ageing", "are_ageing", "are_known", "note_starts"]


def are_ageing(ageing: dict[int, int], usable: Usable) -> bool:
    """Whether priorities of these lanes age."""
    return bool(ageing) and any(lane.lane in ageing for _, lane in usable)


def are_known(batch: Batch, plain: Usable) -> bool:
    """Whether the first job of each priority is in memory, where priorities age of these lanes without partitions."""
    state = batch.state
    ageing = (lane.lane for _, lane in plain if lane.lane in state.flow.ageing)
    return all(state.windows[lane].knows_levels for lane in ageing)


def add_ageing(batch: Batch, usable: Usable, given: dict[str, Any]) -> None:
    """Add to what the rule is given how the usable lanes age, if they do."""
    ageing = batch.state.flow.ageing
    steps = [[index, ageing[lane.lane]] for index, lane in usable if lane.lane in ageing]
    if steps:
        given["at_us"], given["ageing"] = batch.at_us, steps


def add_aged_of_lanes(batch: Batch, plain: Usable, given: dict[str, Any]) -> dict[int, Ready]:
    """Add what has gained in lanes without partitions; returns the rows of the first jobs of their priorities.

    They may be behind all others that are looked at.
    """
    state, rows = batch.state, dict[int, Ready]()
    for index, lane in plain:
        if lane.lane in state.flow.ageing:
            firsts = state.windows[lane.lane].levels()
            add_aged(batch, lane.lane, ((index, row) for row in firsts), given)
            rows.update((row.number, row) for row in firsts)
    return rows


def add_aged(batch: Batch, lane: int, firsts: Iterable[tuple[int, Ready]], given: dict[str, Any]) -> None:
    """Add those of the first jobs of a lane's priorities, each with whose it is, whose priority has gained."""
    flow = batch.state.flow
    if lane not in flow.ageing:
        return
    for who, row in firsts:
        since_us = max(row.since_us, flow.started.get((lane, row.priority), 0))
        if gain_of(batch.at_us, since_us, flow.ageing[lane]):
            given.setdefault("aged", []).append([[who, row.priority, row.number], since_us])


def note_starts(batch: Batch, usable: Usable, given: dict[str, Any], chosen: list[Head]) -> None:
    """Jobs are started: what their priorities have gained is used up."""
    flow, lanes = batch.state.flow, dict(usable)
    lane_of = {one[0]: one[1] for one in given["partitions"]}
    for head in chosen:
        lane = lanes[lane_of.get(head[0], head[0])].lane
        if lane in flow.ageing:
            flow.started[lane, head[1]] = batch.at_us
