"""Whose turn it is among the partitions of one lane that have ready jobs, in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from heapq import heappop, heappush

from sheratan.store.rows import Ready

__all__ = ["Stopped", "Turns"]

Stopped = Callable[[int, int], "tuple[bool, int | None]"]
"""Whether a limit stops a partition whose next job is this one and, of a rate, until when."""

_Eligible = list[tuple[int, int]]
_Ahead = list[tuple[int, int, int]]


class Turns:
    """The partitions of a lane with ready jobs, and the lane's jobs without one, in the order in which they are served.

    A member is the number that stands in the rows of its jobs. Of each priority there are two heaps: members that
    are not ahead of their share, by the number of their next job, and the others, by how far they are ahead. What
    has changed meanwhile is left in the heaps until it comes up, so that each change costs the logarithm of their
    size. Members that a limit stops are set aside until it may let them start, and cost nothing meanwhile.
    """

    def __init__(self, lane: int) -> None:
        self.lane = lane
        self.depth = 0
        """How many ready jobs the lane's partitions have."""
        self.members: set[int] = set()
        """The partitions that have ready jobs."""
        self.unread: set[int] = set()
        """Members with ready jobs of which none is in memory."""
        self.aside: set[int] = set()
        self._heads: dict[int, tuple[int, int]] = {}
        self._levels: dict[int, tuple[_Eligible, _Ahead]] = {}
        self._entries = 0
        """How many entries the heaps have got since they were made anew."""
        self._paced: list[tuple[int, int]] = []
        self._tags: dict[int, int] = {}
        self._turn = 0
        self._swept = 0

    def put(self, member: int, first: Ready | None) -> None:
        """A member has ready jobs; `first` is the next one, None when it is not in memory."""
        if member != self.lane:
            self.members.add(member)
        elif not self.members:
            # Without partitions nobody takes turns here.
            return
        if first is None:
            self.unread.add(member)
            self._heads.pop(member, None)
            return
        self.unread.discard(member)
        head = (first.priority, first.number)
        if self._heads.get(member) != head:
            self._heads[member] = head
            self.aside.discard(member)
            self._push(member)

    def drop(self, member: int) -> None:
        """A member has no ready jobs any more."""
        self.members.discard(member)
        self.unread.discard(member)
        self.aside.discard(member)
        self._heads.pop(member, None)
        if not self.members:
            self.unread.clear()
            self._heads.clear()
            self._levels.clear()
            self._entries = 0

    def wake(self, member: int) -> None:
        """What has stopped a member may let it start."""
        if member in self.aside:
            self.aside.discard(member)
            self._push(member)

    def wake_all(self) -> None:
        """Other limits hold from now on."""
        for member in list(self.aside):
            self.wake(member)

    def first(self, most: int, at_us: int, stopped: Stopped, *, of_each: bool = False) -> list[int]:
        """The members that are served next, at most so many; those that a limit stops are set aside.

        With `of_each` also one more of each priority, behind them.
        """
        while self._paced and self._paced[0][0] <= at_us:
            self.wake(heappop(self._paced)[1])
        found: dict[int, None] = {}
        for priority in sorted(self._levels):
            self._collect(priority, most, found, stopped)
        for priority in sorted(self._levels) if of_each else ():
            self._collect(priority, len(found) + 1, found, stopped)
        for member in found:
            self._push(member)
        return list(found)

    def next_start_us(self) -> int | None:
        """The first instant at which a rate may let a member start that it stops now."""
        while self._paced and self._paced[0][1] not in self.aside:
            heappop(self._paced)
        return self._paced[0][0] if self._paced else None

    def all_members(self) -> set[int]:
        """Who takes turns: the partitions and, beside them, the lane's jobs without one; nobody when there are none."""
        return {self.lane, *self.members} if self.members else set()

    def paced(self) -> set[int]:
        """The members that a rate has stopped: for checks."""
        return {member for _, member in self._paced}

    def coming(self) -> set[int]:
        """The members whose turn comes when all others have had theirs: for checks, as it looks at all of them."""
        found: set[int] = set()
        for priority, (eligible, ahead) in self._levels.items():
            entries = [(number, member, 0) for number, member in eligible]
            entries += [(number, member, tag) for tag, number, member in ahead]
            found |= {
                member
                for number, member, tag in entries
                if self._heads.get(member) == (priority, number)
                and (tag == self._tags.get(member, 0) if tag > self._turn else self.share(member) == 0)
            }
        return found - self.aside

    def share(self, member: int) -> int:
        """How far a member is ahead of its share."""
        return max(0, self._tags.get(member, 0) - self._turn)

    def take_turns(self, tags: Mapping[int, int], turn: int) -> None:
        """Members have had their turns: their new tags and the common turn, counted from the turn before."""
        for member, tag in tags.items():
            self._tags[member] = self._turn + tag
        self._turn += turn
        if len(self._tags) > 2 * self._swept + 64:
            # Who is not ahead has nothing to be remembered.
            self._tags = {member: tag for member, tag in self._tags.items() if tag > self._turn}
            self._swept = len(self._tags)

    def _push(self, member: int) -> None:
        if self._entries > 4 * len(self._heads) + 64:
            # What nobody has come to for long is mostly out of date.
            self._levels.clear()
            self._entries = 0
            for other in self._heads.keys() - self.aside:
                self._push(other)
            return
        self._entries += 1
        priority, number = self._heads[member]
        eligible, ahead = self._levels.setdefault(priority, ([], []))
        tag = self._tags.get(member, 0)
        if tag <= self._turn:
            heappush(eligible, (number, member))
        else:
            heappush(ahead, (tag, number, member))

    def _collect(self, priority: int, most: int, found: dict[int, None], stopped: Stopped) -> None:
        """Take members of a priority out of their heaps until there are enough."""
        eligible, ahead = self._levels[priority]
        while ahead and ahead[0][0] <= self._turn:
            _, number, member = heappop(ahead)
            heappush(eligible, (number, member))
        while len(found) < most and (eligible or ahead):
            if eligible:
                number, member = heappop(eligible)
                stands = self._tags.get(member, 0) <= self._turn
            else:
                tag, number, member = heappop(ahead)
                stands = self._tags.get(member, 0) == tag
            if stands and self._heads.get(member) == (priority, number) and member not in self.aside:
                self._sort_out(member, number, found, stopped)

    def _sort_out(self, member: int, number: int, found: dict[int, None], stopped: Stopped) -> None:
        is_stopped, until_us = stopped(member, number)
        if not is_stopped:
            found[member] = None
            return
        self.aside.add(member)
        if until_us is not None:
            heappush(self._paced, (until_us, member))
