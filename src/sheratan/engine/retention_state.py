"""What the decider remembers about retention: what is set, and how far it has looked for jobs to prune."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sheratan.store.retention_rows import EndedRow, RetentionRow
from sheratan.store.rows import Lane

__all__ = ["RetentionState", "is_old"]

_REST_US_MIN: Final = 60_000_000
_REST_US_MAX: Final = 3_600_000_000


def is_old(row: EndedRow, keep_us: int | None, now_us: int) -> bool:
    """Whether a job was kept for long enough, by what is set for it; None is for ever."""
    return keep_us is not None and row.finished_us + keep_us <= now_us


class RetentionState:
    """Jobs are looked through in the order of their numbers, piece by piece; then there is a rest."""

    def __init__(self, rows: Iterable[RetentionRow]) -> None:
        self.rows: dict[tuple[str, str], RetentionRow] = {(row.tenant, row.kind): row for row in rows}
        self.looked = 0
        """The last job that this walk has looked at."""
        self.rests_until_us: int | None = None
        """When the next walk begins, by the monotonic clock; None while one goes on."""

    @property
    def shortest_us(self) -> int | None:
        """The shortest time that any jobs are kept; None when all are kept for ever."""
        return min((row.keep_us for row in self.rows.values() if row.keep_us is not None), default=None)

    def of(self, lane: Lane) -> RetentionRow | None:
        """What is set for the jobs of a lane."""
        return self.rows.get((lane.tenant, lane.kind)) or self.rows.get((lane.tenant, ""))

    @property
    def is_walking(self) -> bool:
        """Whether it looks through jobs, and has not come to their end."""
        return self.rests_until_us is None and self.shortest_us is not None

    def is_due(self, monotonic_us: int) -> bool:
        """Whether there may be something to prune."""
        return self.is_walking or (self.rests_until_us is not None and self.rests_until_us <= monotonic_us)

    def begin(self) -> None:
        """Look through all jobs from the first one on."""
        self.looked, self.rests_until_us = 0, None

    def go_on_from(self, number: int) -> None:
        """This walk has come to a job."""
        self.looked, self.rests_until_us = number, None

    def rest(self, monotonic_us: int) -> None:
        """This walk is over."""
        rest_us = min(max(self.shortest_us or 0, _REST_US_MIN), _REST_US_MAX)
        self.looked, self.rests_until_us = 0, monotonic_us + rest_us
