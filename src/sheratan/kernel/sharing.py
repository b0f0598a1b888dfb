"""How the places of a lease call are shared: urgent first, then in fair turns, and never beyond a limit.

Turns are start-time fair queuing (Goyal, Vin and Cheng, 1996): a lane's tag says how far it is ahead of its share, and
the lane that is least ahead goes first. So a lane with fifty times the jobs gets no more turns than its neighbours.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any, Final, NamedTuple

from sheratan.kernel.rate import Pace, Rate, advance, earliest_us
from sheratan.kernel.words import count, seconds

__all__ = ["TURN", "Head", "Limit", "Picked", "Stop", "cost_of", "pick", "read_limits"]

TURN: Final = 1_000_000
"""What a turn adds to the tag of a lane of weight 1."""

Head = list[int]
"""A job: its lane or partition, priority, number, and what it costs unless that is 1."""


class Stop(NamedTuple):
    """Why no more of a lane is started, and the first instant at which that may change; None: with an end."""

    reason: str
    until_us: int | None = None


class Picked(NamedTuple):
    """The heads that were chosen, in order, and what that makes of lanes and limits.

    `tags` are the new tags of the lanes that were chosen from, `turn` how far the common turn has gone on; both on
    the scale of the old tags. `paces` are by the place of a limit in the input.
    """

    chosen: list[Head]
    stops: dict[int, Stop]
    tags: dict[int, int]
    turn: int
    paces: dict[int, Pace]


class Limit:
    """What bounds the starts of some lanes, or of one partition of them, and how much of it is used."""

    def __init__(self, told: list[Any], at_us: int) -> None:
        subject, _, most, running, rate, *partition = told
        self.subject: str = subject + "".join(f", partition {name}," for name in partition)
        self.most: int = most
        self.running: int = running or 0
        self.is_paid = running is None
        """Whether an account bounds how many more may start, not a limit how many run."""
        self.rate = Rate(*rate[:3]) if rate else None
        self.pace = Pace(*rate[3:]) if rate else Pace()
        self.at_us = at_us
        self.is_used = False

    def stop(self, cost: int) -> Stop | None:
        """Why a job of this cost may not start now, or None."""
        if self.is_paid and self.running >= self.most:
            return Stop(f"{self.subject} pays for {count(self.most, 'attempt')} now")
        if self.most and self.running >= self.most:
            return Stop(f"{self.subject} runs {self.running} of {count(self.most, 'job')}")
        if self.rate is None:
            return None
        until_us = earliest_us(self.rate, self.pace, cost)
        if until_us <= self.at_us:
            return None
        rate = f"{self.rate.count} in {seconds(self.rate.period_us)}"
        return Stop(f"{self.subject} starts {rate}, the next in {seconds(until_us - self.at_us)}", until_us)

    def use(self, cost: int) -> None:
        """A job of this cost starts."""
        self.is_used = True
        self.running += 1
        if self.rate is not None:
            self.pace = advance(self.rate, self.pace, self.at_us, cost)


def pick(given: dict[str, Any]) -> Picked:
    """Choose heads for one lease call, from the input of `dispatch.order@2`."""
    places = min(given["slots"], given["room"])
    shares = {lane: (weight, tag) for lane, weight, tag in given.get("shares", ())}
    if len(given["lanes"]) == 1 and given["heads"] and "limits" not in given:
        return _all_of_one(given["heads"][:places], shares)
    waiting: dict[int, list[Head]] = {}
    for head in reversed(given["heads"]):
        waiting.setdefault(head[0], []).append(head)
    unread = frozenset(given.get("unread", ()))
    if not unread <= waiting.keys():
        # Nothing of a lane is known but that it has jobs: they might be more urgent than all others.
        places = 0
    limits, bound = read_limits(given)
    picked = _pick(places, waiting, bound, shares, unread)
    paces = {index: limit.pace for index, limit in enumerate(limits) if limit.is_used and limit.rate}
    return picked._replace(paces=paces)


def read_limits(given: dict[str, Any]) -> tuple[list[Limit], dict[int, list[Limit]]]:
    """The limits, and those of each lane."""
    limits: list[Limit] = []
    bound: dict[int, list[Limit]] = {}
    for told in given.get("limits", ()):
        limit = Limit(told, given["at_us"])
        limits.append(limit)
        for lane in told[1]:
            bound.setdefault(lane, []).append(limit)
    return limits, bound


def _all_of_one(heads: list[Head], shares: dict[int, tuple[int, int]]) -> Picked:
    """The common case: one lane and no limit."""
    lane = heads[0][0]
    weight, tag = shares.get(lane, (1, 0))
    turn = tag + (len(heads) - 1) * (TURN // weight)
    return Picked(heads, {}, {lane: turn + TURN // weight}, turn, {})


def _pick(
    places: int,
    waiting: dict[int, list[Head]],
    bound: dict[int, list[Limit]],
    shares: dict[int, tuple[int, int]],
    unread: frozenset[int],
) -> Picked:
    """Take the best head of all lanes, again and again. `waiting` are the heads of each lane, the first one last."""
    picked = Picked([], {}, {}, 0, {})
    chosen, turn = picked.chosen, 0
    lanes = [_place(heads[-1], shares.get(lane, (1, 0))[1]) for lane, heads in waiting.items()]
    heapify(lanes)
    while lanes and len(chosen) < places:
        _, tag, _, lane = heappop(lanes)
        heads = waiting[lane]
        cost = cost_of(heads[-1])
        stop = next(filter(None, (limit.stop(cost) for limit in bound.get(lane, ()))), None)
        if stop is not None:
            picked.stops[lane] = stop
            continue
        for limit in bound.get(lane, ()):
            limit.use(cost)
        chosen.append(heads.pop())
        turn = max(turn, tag)
        picked.tags[lane] = tag + TURN // shares.get(lane, (1, 0))[0]
        if heads:
            heappush(lanes, _place(heads[-1], picked.tags[lane]))
        elif lane in unread:
            # What comes next is not known yet, and might be more urgent than what the other lanes have.
            break
    return picked._replace(turn=turn)


def _place(head: Head, tag: int) -> tuple[int, int, int, int]:
    return head[1], tag, head[2], head[0]


def cost_of(head: Head) -> int:
    """What a job counts for where a rate limits its start."""
    return head[3] if len(head) > 3 else 1
