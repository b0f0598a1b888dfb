"""The head of a lane's ready jobs, in memory; the database holds all of them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Final

from sheratan.store.rows import Ready

__all__ = ["Backlog", "Window"]

WINDOW_JOBS_MAX: Final = 2_048
"""Rows kept per lane. A refill costs one range read, so a few thousand make it rare, and memory stays bounded."""

REFILL_JOBS: Final = 1_024
LOW_JOBS: Final = 512
"""With so few left a window is refilled, so that one lease call seldom sees the end of what is in memory."""

Key = tuple[int, int]


class Backlog:
    """How many jobs of a queue are ready, in all its lanes together."""

    __slots__ = ("depth",)

    def __init__(self) -> None:
        self.depth = 0


class Window:
    """Ready jobs of a lane with the smallest (priority, number), plus the count of all of them.

    While `whole`, every ready job of the lane is here. Otherwise every ready job up to `edge` is here and later
    ones are only in the database.
    """

    def __init__(self, depth: int, backlog: Backlog, most: int | None = None) -> None:
        """`most` is how many rows it keeps, where that is fewer because there are many windows."""
        self.depth = depth
        self._most = WINDOW_JOBS_MAX if most is None else min(most, WINDOW_JOBS_MAX)
        self._backlog = backlog
        self.whole = depth == 0
        self._edge: Key = (-1, -1)
        self._keys: list[Key] = []
        self._start = 0
        self._rows: dict[int, Ready] = {}
        self._beyond: dict[int, Ready] | None = None
        """The first job after `edge` of each priority that has any; None where nobody has looked or it has changed."""

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def wants_refill(self) -> bool:
        """Whether few of the lane's ready jobs are here, and more are in the database."""
        return not self.whole and len(self._rows) <= min(LOW_JOBS, self._most // 4)

    @property
    def page(self) -> int:
        """How many rows a refill reads."""
        return min(REFILL_JOBS, self._most // 2)

    @property
    def first(self) -> Ready | None:
        """The first job, if it is here."""
        return self._rows[self._keys[self._start][1]] if self._rows else None

    @property
    def edge(self) -> Key:
        """The last key that was read from the database."""
        return self._edge

    @property
    def knows_levels(self) -> bool:
        """Whether the first job of each priority is known."""
        return self.whole or self._beyond is not None

    def levels(self) -> list[Ready]:
        """The first job of each priority, as far as it is known."""
        found: dict[int, Ready] = {} if self.whole or self._beyond is None else dict(self._beyond)
        at = self._start
        while at < len(self._keys):
            priority, number = self._keys[at]
            found[priority] = self._rows[number]
            at = bisect_left(self._keys, (priority + 1, 0), at)
        return [found[priority] for priority in sorted(found)]

    def look_beyond(self, rows: Iterable[Ready]) -> None:
        """Take the first job after `edge` of each priority that has any, as the database has it now."""
        self._beyond = {row.priority: row for row in rows}

    def refill(self, rows: list[Ready]) -> None:
        """Take the next page after `edge`, as the database has it now."""
        for row in rows:
            self._keys.append((row.priority, row.number))
            self._rows[row.number] = row
        self._beyond = None
        if len(rows) < self.page:
            self.whole = True
        else:
            self._edge = self._keys[-1]

    def add(self, row: Ready) -> None:
        """A job has become ready."""
        self.depth += 1
        self._backlog.depth += 1
        key = (row.priority, row.number)
        if not self.whole and key > self._edge:
            if self._beyond is not None:
                first = self._beyond.get(row.priority)
                if first is None or row.number < first.number:
                    self._beyond[row.priority] = row
            return
        if not self._keys or key > self._keys[-1]:
            self._keys.append(key)
        else:
            insort(self._keys, key, lo=self._start)
        self._rows[row.number] = row
        if len(self._rows) > self._most:
            self._shorten()

    def remove(self, row: Ready) -> None:
        """A job is no longer ready."""
        self.depth -= 1
        self._backlog.depth -= 1
        if self._rows.pop(row.number, None) is None:
            first = self._beyond.get(row.priority) if self._beyond is not None else None
            if first is not None and first.number == row.number:
                self._beyond = None
            return
        key = (row.priority, row.number)
        keys, start = self._keys, self._start
        if keys[start] == key:
            self._start = start + 1
            if self._start > WINDOW_JOBS_MAX:
                del keys[: self._start]
                self._start = 0
            return
        del keys[bisect_left(keys, key, start)]

    def head(self, count: int) -> list[Ready]:
        """The first jobs, in order."""
        return [self._rows[number] for _, number in self._keys[self._start : self._start + count]]

    def find(self, number: int) -> Ready | None:
        """A job of this lane, if it is here."""
        return self._rows.get(number)

    def _shorten(self) -> None:
        """Leave the later half to the database."""
        del self._keys[: self._start]
        self._start = 0
        keep = self._most // 2
        for _, number in self._keys[keep:]:
            del self._rows[number]
        del self._keys[keep:]
        self._edge = self._keys[-1]
        self.whole = False
        self._beyond = None
