"""How the places of a lease call are shared where lanes have partitions: lanes take turns, and in each its partitions.

Both by start-time fair queuing, as in `kernel/sharing.py`. A partition that a limit stops holds up nobody: the next one
of its lane has its turn.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

from sheratan.kernel.ageing import read_gains
from sheratan.kernel.rate import Pace
from sheratan.kernel.sharing import TURN, Head, Limit, Stop, cost_of, read_limits

__all__ = ["PickedPartitions", "pick_partitions"]

Member = tuple[int, int, int, int]
"""What serves a lane: how urgent its next job is, how far it is ahead, that job's number, and which it is."""


class PickedPartitions(NamedTuple):
    """The heads that were chosen, in order, and what that makes of lanes, partitions and limits.

    `stops`, `tags` and `turn` are about lanes, by their place in the input, as in `kernel/sharing.py:Picked`;
    `partition_stops` and `partition_tags` about partitions, by their id, and `partition_turns` about the turns of
    the partitions of a lane.
    """

    chosen: list[Head]
    stops: dict[int, Stop]
    tags: dict[int, int]
    turn: int
    partition_stops: dict[int, Stop]
    partition_tags: dict[int, int]
    partition_turns: dict[int, int]
    paces: dict[int, Pace]


class _Table:
    """The input of a lease call, by lane and partition."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.places: int = min(given["slots"], given["room"])
        self.turn = 0
        self.limits, self.bound = read_limits(given)
        self.shares = {lane: (weight, tag) for lane, weight, tag in given.get("shares", ())}
        self.ids = {one[0]: (one[1], one[3]) for one in given["partitions"]}
        self.waiting: dict[int, list[Head]] = {}
        for head in reversed(given["heads"]):
            self.waiting.setdefault(head[0], []).append(head)
        self.unread = frozenset(given.get("unread", ()))
        if not self.unread <= self.waiting.keys():
            # Nothing of a lane or partition is known but that it has jobs: they might be more urgent than all others.
            self.places = 0
        self.gains = read_gains(given)
        self.aged = {head[2]: head for head, _ in given.get("aged", ()) if head[0] not in self.ids}
        """Jobs of lanes without partitions that may go before what comes before them in their lane."""
        self.gone: set[int] = set()
        """Those of them that were chosen."""
        self.members: dict[int, list[Member]] = {}
        for who, heads in self.waiting.items():
            lane, tag = self.ids.get(who, (who, 0))
            self.members.setdefault(lane, []).append(self.member(heads[-1], tag))
        for head in self.aged.values():
            self.members.setdefault(head[0], []).append(self.member(head, 0))
        for members in self.members.values():
            heapify(members)

    def member(self, head: Head, tag: int) -> Member:
        """Who comes up with a job."""
        return head[1] - self.gains.get(head[2], 0), tag, head[2], head[0]

    def head(self, who: int, number: int) -> Head:
        """The job that somebody has come up with."""
        return self.aged.get(number) or self.waiting[who][-1]

    def take(self, who: int, number: int) -> bool:
        """A job is chosen; says whether another one is next now where jobs stand in order."""
        if number in self.aged:
            self.gone.add(number)
        heads = self.waiting[who]
        if heads[-1][2] != number:
            return False
        heads.pop()
        while heads and heads[-1][2] in self.gone:
            heads.pop()
        return True

    def is_served(self, lane: int) -> bool:
        """Whether nothing of a lane is left. Who has come up with a job that was chosen meanwhile is forgotten."""
        members = self.members[lane]
        while members and members[0][2] in self.gone:
            heappop(members)
        return not members

    def place(self, lane: int, tag: int) -> tuple[int, int, int, int]:
        """Where a lane stands among all: by the next job of the partition whose turn it is."""
        first = self.members[lane][0]
        return first[0], tag, first[2], lane

    def stop(self, who: int, cost: int) -> Stop | None:
        """Why a job of a lane or partition may not start, by what holds for it."""
        return next(filter(None, (limit.stop(cost) for limit in self.bound.get(who, ()))), None)

    def limits_of(self, *whose: int) -> list[Limit]:
        """What holds for these."""
        return [limit for who in whose for limit in self.bound.get(who, ())]


def pick_partitions(given: dict[str, Any]) -> PickedPartitions:
    """Choose heads for one lease call, from the input of `dispatch.order@3` or `@4`."""
    table = _Table(given)
    picked = PickedPartitions([], {}, {}, 0, {}, {}, {}, {})
    lanes = [table.place(lane, table.shares.get(lane, (1, 0))[1]) for lane in table.members]
    heapify(lanes)
    while lanes and len(picked.chosen) < table.places:
        _, tag, _, lane = heappop(lanes)
        tag = _serve(table, picked, lane, tag)
        if lane not in picked.stops and not table.is_served(lane):
            heappush(lanes, table.place(lane, tag))
    paces = {index: limit.pace for index, limit in enumerate(table.limits) if limit.is_used and limit.rate}
    return picked._replace(turn=table.turn, paces=paces)


def _serve(table: _Table, picked: PickedPartitions, lane: int, lane_tag: int) -> int:
    """Take the next job of a lane, unless a limit stops its partition or all of it; returns the lane's tag then."""
    _, tag, number, who = heappop(table.members[lane])
    head = table.head(who, number)
    cost = cost_of(head)
    stop = table.stop(who, cost) if who != lane else None
    if stop is not None:
        picked.partition_stops[who] = stop
        return lane_tag
    stop = table.stop(lane, cost)
    if stop is not None:
        picked.stops[lane] = stop
        return lane_tag
    for limit in table.limits_of(*dict.fromkeys((lane, who))):
        limit.use(cost)
    _take(table, picked, (lane, tag), head)
    table.turn = max(table.turn, lane_tag)
    picked.tags[lane] = lane_tag + TURN // table.shares.get(lane, (1, 0))[0]
    return picked.tags[lane]


def _take(table: _Table, picked: PickedPartitions, turn: tuple[int, int], head: Head) -> None:
    lane, tag = turn
    who = head[0]
    picked.chosen.append(head)
    comes_next = table.take(who, head[2])
    if who in table.ids:
        picked.partition_turns[lane] = max(picked.partition_turns.get(lane, 0), tag)
        tag = picked.partition_tags[who] = tag + TURN
    if not comes_next:
        return
    heads = table.waiting[who]
    if heads:
        heappush(table.members[lane], table.member(heads[-1], tag))
    elif who in table.unread:
        # What comes next is not known yet, and might be more urgent than what the others have.
        table.places = 0
