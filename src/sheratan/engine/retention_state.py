"""What the decider remembers about retention: what is set, and how far it has looked for what is to be pruned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sheratan.kernel.retention import OTHER_RUNS, is_of_runs, scope_of_run
from sheratan.store.retention_rows import EndedRow, EndedRunRow, RetentionRow
from sheratan.store.rows import Lane

__all__ = ["RetentionState", "Walk", "is_old", "rest_us"]

_REST_US_MIN: Final = 60_000_000
_REST_US_MAX: Final = 3_600_000_000

Policies = dict[tuple[str, str], RetentionRow]
"""What is set, by tenant and scope."""


def is_old(row: EndedRow | EndedRunRow, keep_us: int | None, now_us: int) -> bool:
    """Whether a job or run was kept for long enough, by what is set for it; None is for ever."""
    return keep_us is not None and row.finished_us + keep_us <= now_us


def rest_us(kept_us: int) -> int:
    """How long it takes until what is kept for so long is looked through again."""
    return min(max(kept_us, _REST_US_MIN), _REST_US_MAX)


class Walk:
    """Jobs or runs are looked through in the order of their numbers, piece by piece; then there is a rest."""

    def __init__(self, policies: Policies, *, of_runs: bool) -> None:
        self._policies = policies
        self._of_runs = of_runs
        self.looked = 0
        """The last number that this walk has looked at."""
        self.rests_until_us: int | None = None
        """When the next walk begins, by the monotonic clock; None while one goes on."""
        self.shortest_us = self._shortest_us()
        """The shortest time that any are kept; None when all are kept for ever."""

    @property
    def goes_on(self) -> bool:
        """Whether it has not come to the end."""
        return self.rests_until_us is None and self.shortest_us is not None

    def is_due(self, monotonic_us: int) -> bool:
        """Whether there may be something to prune."""
        return self.goes_on or (self.rests_until_us is not None and self.rests_until_us <= monotonic_us)

    def begin(self) -> None:
        """Look through all of them from the first one on, by what is set now."""
        self.shortest_us = self._shortest_us()
        self.go_on_from(0)

    def go_on_from(self, number: int) -> None:
        """This walk has come to a number."""
        self.looked, self.rests_until_us = number, None

    def rest(self, monotonic_us: int) -> None:
        """This walk is over."""
        self.looked, self.rests_until_us = 0, monotonic_us + rest_us(self.shortest_us or 0)

    def _shortest_us(self) -> int | None:
        kept = (row.keep_us for row in self._policies.values() if is_of_runs(row.scope) == self._of_runs)
        return min((keep_us for keep_us in kept if keep_us is not None), default=None)


class RetentionState:
    """What is set, and the walks through jobs and runs."""

    def __init__(self, rows: Iterable[RetentionRow]) -> None:
        self.rows: Policies = {(row.tenant, row.scope): row for row in rows}
        self.jobs = Walk(self.rows, of_runs=False)
        self.runs = Walk(self.rows, of_runs=True)

    @property
    def walks(self) -> tuple[Walk, ...]:
        """Both, as long as anything was ever set."""
        return (self.jobs, self.runs) if self.rows else ()

    @property
    def is_walking(self) -> bool:
        """Whether jobs or runs are looked through, up to their end."""
        return any(walk.goes_on for walk in self.walks)

    def of_jobs(self, lane: Lane) -> RetentionRow | None:
        """What is set for the jobs of a lane."""
        return self.rows.get((lane.tenant, lane.kind)) or self.rows.get((lane.tenant, ""))

    def of_run(self, row: EndedRunRow) -> RetentionRow | None:
        """What is set for a run."""
        own = self.rows.get((row.tenant, scope_of_run(row.workflow)))
        return own or self.rows.get((row.tenant, OTHER_RUNS))
