"""The part of the model that knows how long runs are kept: what the engine prunes of them may go, and goes in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sheratan.contracts.limits import Limits
from sheratan.engine.commands import CancelRun, ForkRun, KeepRuns, Pending, StartRun
from sheratan.simulation.model_retention import ModelRetention
from sheratan.simulation.model_run_state import ModelNode, ModelRun
from sheratan.simulation.model_waits import Refused

__all__ = ["ModelRunRetention"]


class ModelRunRetention(ModelRetention):
    """How long runs are kept, and which of them are pruned: each after its jobs."""

    def __init__(self, limits: Limits, hit: Callable[[str], None], *, short_windows: bool) -> None:
        super().__init__(limits, hit, short_windows=short_windows)
        self.pruned_runs_now: dict[str, list[int]] = {}
        """The runs that the engine has pruned in the batch, by what is set."""
        self._old_runs_since: dict[int, int] = {}

    def _KeepRuns(self, pending: Pending, command: KeepRuns) -> Any:  # noqa: N802 - the command's name
        return self._set_kept(pending, self.kept_runs, command.workflow, command.keep_us)

    def _ForkRun(self, pending: Pending, command: ForkRun) -> tuple[str, bool]:  # noqa: N802 - the command's name
        self._check_stands(command.id)
        return super()._ForkRun(pending, command)

    def _CancelRun(self, pending: Pending, command: CancelRun) -> str:  # noqa: N802 - the command's name
        self._check_stands(command.id)
        return super()._CancelRun(pending, command)

    def _check_stands(self, public_id: str) -> None:
        if public_id in self.runs_by_id and self.runs_by_id[public_id].is_pruned:
            self.hit("retention.run_asked_for")
            raise Refused("pruned")

    def _find_run(self, command: StartRun) -> str | None:
        found = super()._find_run(command)
        if found is not None and self.runs_by_id[found].is_pruned:
            self.hit("retention.run_key_outlives")
        return found

    def _is_gone(self, node: ModelNode) -> bool:
        return (node.source is not None and self.runs[node.source].is_pruned) or super()._is_gone(node)

    def prune(self) -> None:
        """What the engine has pruned was old enough, and nobody needs it: no run goes with its jobs."""
        needed = self._needed_runs() if self.pruned_runs_now else set[int]()
        super().prune()
        for workflow, numbers in self.pruned_runs_now.items():
            self.noted["retention.runs_pruned"] += 1
            for number in numbers:
                run = self.runs[number]
                self.hit("retention.runs_pruned" if run.parent is None else "retention.sub_runs_pruned")
                if (
                    self._run_policy(run) != workflow
                    or not self._is_old_run(run, self.at_us)
                    or number in needed
                ):
                    self.faults.append(
                        f"run {number} ({run.state}) was pruned at {self.at_us} by {workflow!r}"
                    )
                run.is_pruned = True

    def find_unpruned(self, wall_us: int, monotonic_us: int) -> str | None:
        """What should have been pruned by now; the engine looks once in a while."""
        old = self._unpruned_runs(wall_us)
        number = self.find_long_since(self._old_runs_since, old, self.kept_runs, monotonic_us)
        if number is not None:
            return f"run {number} has been old enough for long, and is not pruned"
        return super().find_unpruned(wall_us, monotonic_us)

    def _unpruned_runs(self, now_us: int) -> set[int]:
        """The runs that may be pruned and are not."""
        if not self.keeps_up or not self.kept_runs:
            return set()
        old = {number for number, run in self.runs.items() if self._is_old_run(run, now_us)}
        needed = self._needed_runs() if old else set[int]()
        if old & needed:
            self.hit("retention.run_needed")
        return old - needed

    def _run_policy(self, run: ModelRun) -> str:
        return run.name if run.name in self.kept_runs else ""

    def _is_old_run(self, run: ModelRun, now_us: int) -> bool:
        keep_us = self.kept_runs.get(self._run_policy(run))
        is_there = not run.is_open and not run.is_pruned
        return is_there and keep_us is not None and run.ended_us + keep_us <= now_us

    def _needed_runs(self) -> set[int]:
        """The runs that somebody may still ask for."""
        needed = {one.last_run for one in self.schedules.values() if one.last_run is not None}
        for number, run in self.runs.items():
            if run.is_open:
                needed.update(node.source for node in run.nodes.values() if node.source is not None)
            if (run.parent is not None and not run.parent.is_pruned) or self._has_jobs(run):
                needed.add(number)
        return needed

    def _has_jobs(self, run: ModelRun) -> bool:
        jobs = (self.jobs[job] for node in run.nodes.values() for job in node.jobs.values())
        return any(not job.is_pruned for job in jobs)
