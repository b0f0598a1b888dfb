"""The part of the model that knows runs of nodes: when they begin, with what, and when there is no room for them."""

from __future__ import annotations

from sheratan.simulation.model_jobs import Refused
from sheratan.simulation.model_run_budgets import ModelRunBudgets
from sheratan.simulation.model_run_state import ModelRun, value_in
from sheratan.simulation.model_state import TERMINAL, NewRun

__all__ = ["ModelSubRuns"]


class ModelSubRuns(ModelRunBudgets):
    """Runs that run for nodes of other runs."""

    def _begin_sub_run(self, new: NewRun) -> None:
        parent = self.runs[new.parent]
        # That a part of a node has ended makes room for the next one, and may be nothing to decide about.
        self._hear(parent)
        # Jobs may have been submitted before it.
        self._feed_some([run for run in self.runs.values() if run.is_open])
        if not self.takes_in or (new.node, new.item) not in self._sub_parts(parent):
            raise Refused(f"no run of node {new.node}, item {new.item}, of {parent.id}")
        if new.number != len(self.runs) + 1 or (self._is_full and self._has_sub_run(parent)):
            raise Refused(f"no run number {new.number} of {parent.id}")
        node = parent.nodes[new.node]
        value = value_in(parent, node.declared.get("input"), new.item if new.item >= 0 else None)
        run = ModelRun(
            new.number, new.id, parent.plan, value, 0, {}, parent.whom,
            name=node.declared["workflow"], parent=parent,
        )  # fmt: skip
        wall_us = round(run.workflow.get("budget", {}).get("wall_seconds_max", 604_800.0) * 1_000_000)
        run.due_us = min(parent.due_us, self.at_us + wall_us)
        self._add_run(run, wall_us)
        node.runs[new.item] = run.number
        self.hit("workflow.below")
        if parent.parent is not None:
            self.hit("workflow.below_below")

    def _check_sub_runs(self, runs: list[ModelRun]) -> None:
        for run in runs:
            for name, item in self._sub_parts(run):
                if not self._is_full or not self._runs_something(run):
                    raise Refused(f"a run of node {name}, item {item}, of {run.id}")
                self.hit("workflow.no_room_below")

    def _sub_parts(self, run: ModelRun) -> list[tuple[str, int]]:
        if run.state != "running":
            return []
        return [(name, item) for name, item in self._parts(run) if "workflow" in run.nodes[name].declared]

    @property
    def _is_full(self) -> bool:
        return sum(run.is_open for run in self.runs.values()) >= self.limits.workflow_runs_max

    def _has_sub_run(self, run: ModelRun) -> bool:
        below = [self.runs[number] for node in run.nodes.values() for number in node.runs.values()]
        return any(one.is_open for one in below)

    def _runs_something(self, run: ModelRun) -> bool:
        jobs = [self.jobs[number] for node in run.nodes.values() for number in node.jobs.values()]
        return self._has_sub_run(run) or any(job.state not in TERMINAL for job in jobs)
