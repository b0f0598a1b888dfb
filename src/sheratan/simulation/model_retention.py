"""The part of the model that knows how long jobs are kept: what the engine prunes may be pruned, and in time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from sheratan.contracts.limits import Limits
from sheratan.engine.commands import KeepJobs, Pending
from sheratan.simulation.model_scheduled_runs import ModelScheduledRuns
from sheratan.simulation.model_state import TERMINAL, ModelJob
from sheratan.simulation.model_waits import Refused

__all__ = ["ModelRetention"]

_REST_US: Final = 60_000_000
"""How long the engine rests between two walks, at least."""


class ModelRetention(ModelScheduledRuns):
    """How long jobs are kept, and which of them are pruned."""

    def __init__(self, limits: Limits, hit: Callable[[str], None], *, short_windows: bool) -> None:
        super().__init__(limits, hit, short_windows=short_windows)
        self.kept: dict[str, int | None] = {}
        """How long jobs of a kind are kept; '' are all kinds that nothing is set for."""
        self.kept_runs: dict[str, int | None] = {}
        """How long runs of a workflow are kept; '' are all workflows that nothing is set for."""
        self.pruned_now: dict[str, list[int]] = {}
        """What the engine has pruned in the batch, by what is set."""
        self.faults: list[str] = []
        self._old_since: dict[int, int] = {}
        """Jobs that may be pruned and are not, each with the monotonic instant at which that was first so."""

    def _KeepJobs(self, pending: Pending, command: KeepJobs) -> Any:  # noqa: N802 - the command's name
        return self._set_kept(pending, self.kept, command.kind, command.keep_us)

    def _set_kept(self, pending: Pending, kept: dict[str, int | None], name: str, keep_us: int | None) -> Any:
        if name not in kept and len(self.kept) + len(self.kept_runs) >= self.limits.queues_max:
            raise Refused("limit_reached")
        kept[name] = keep_us
        self.noted["retention.set"] += 1
        entry = self._actual_value(pending)
        if not isinstance(entry, int):
            raise Refused("the number of an entry")
        return entry

    def prune(self) -> None:
        """What the engine has pruned was old enough, and nobody needs it."""
        if not self.pruned_now:
            return
        needed = self._needed()
        for kind, numbers in self.pruned_now.items():
            self.hit("retention.pruned")
            self.noted["retention.pruned"] += 1
            for number in numbers:
                job = self.jobs[number]
                if self._policy(job) != kind or not self._is_old(job, self.at_us) or number in needed:
                    self.faults.append(
                        f"job {number} ({job.state} at {job.ended_us}) was pruned at {self.at_us} by {kind!r}"
                    )
                job.is_pruned = True
                self._old_since.pop(number, None)

    def find_unpruned(self, wall_us: int, monotonic_us: int) -> str | None:
        """What should have been pruned by now; the engine looks once in a while."""
        number = self.find_long_since(self._old_since, self._unpruned(wall_us), self.kept, monotonic_us)
        return None if number is None else f"job {number} has been old enough for long, and is not pruned"

    def find_long_since(
        self, since: dict[int, int], old: Iterable[int], kept: dict[str, int | None], monotonic_us: int
    ) -> int | None:
        """One that has been old enough for longer than the engine rests; notes in `since` from when on each was."""
        known = {number: since.get(number, monotonic_us) for number in old}
        since.clear()
        since.update(known)
        shortest_us = min((keep for keep in kept.values() if keep is not None), default=0)
        latest_us = monotonic_us - max(_REST_US, shortest_us) - _REST_US
        return next((number for number, since_us in known.items() if since_us < latest_us), None)

    def _unpruned(self, now_us: int) -> set[int]:
        """The jobs that may be pruned and are not."""
        if not self.keeps_up or not self.kept:
            return set()
        old = {number for number, job in self.jobs.items() if not job.is_pruned and self._is_old(job, now_us)}
        needed = self._needed() if old else set[int]()
        if old & needed:
            self.hit("retention.needed")
        return old - needed

    def _policy(self, job: ModelJob) -> str:
        return job.wanted.kind if job.wanted.kind in self.kept else ""

    def _is_old(self, job: ModelJob, now_us: int) -> bool:
        if job.state not in TERMINAL:
            return False
        keep_us = self.kept.get(self._policy(job))
        return keep_us is not None and job.ended_us + keep_us <= now_us

    def _needed(self) -> set[int]:
        """The jobs that somebody may still ask for."""
        needed = {one.last_job for one in self.schedules.values() if one.last_job is not None}
        needed.update(number for number, job in self.jobs.items() if self._is_needed(job))
        for job in self.jobs.values():
            if job.state not in TERMINAL:
                needed.update(job.parents)
        for run in self.runs.values():
            if run.is_open:
                needed.update(*(self.owner_of(node).jobs.values() for node in run.nodes.values()))
        return needed

    def _is_needed(self, job: ModelJob) -> bool:
        return job.is_dead or (job.by_job is not None and self.jobs[job.by_job].state not in TERMINAL)
