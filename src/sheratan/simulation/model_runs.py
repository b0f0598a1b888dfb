"""The part of the model that knows runs of workflows: what becomes of each node, by the letter of the design.

It understands as much of references and conditions as simulated clients use. Only the numbers and ids of new jobs
are taken from the engine, and that some wait where there is no room.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from sheratan.contracts.limits import Limits
from sheratan.engine.commands import CancelRun, NewJob, Pending, StartRun
from sheratan.kernel.canonical import canonical, digest
from sheratan.simulation.model_jobs import Refused
from sheratan.simulation.model_schedules import ModelSchedules
from sheratan.simulation.model_state import TERMINAL, ModelJob, NodeJobs

__all__ = ["REFERENCE", "ModelNode", "ModelRun", "ModelRuns"]


_UNDO: Final = -2
_BAD: Final = ("failed", "cancelled")
_OVER: Final = (*TERMINAL, "skipped")
REFERENCE: Final = re.compile(r"\$\{([a-z0-9]+)(?:\.([a-z]+))?\}")


@dataclass
class ModelNode:
    """A node: how it was declared, how it stands, its jobs by item and how they have ended."""

    declared: dict[str, Any]
    state: str = "waiting"
    items: int = -1
    jobs: dict[int, int] = field(default_factory=dict)
    ends: dict[int, str] = field(default_factory=dict)
    undone: str = ""
    source: int | None = None
    """The run that it was taken over from."""

    @property
    def parents(self) -> list[str]:
        """The nodes before it: simulated clients name them all in `after`."""
        return list(self.declared.get("after", ()))

    @property
    def decided(self) -> bool:
        """Whether it has ended, or stands still, without ever having been started."""
        return self.state in ("skipped", "blocked") or (self.state == "failed" and not self.jobs)

    @property
    def places(self) -> list[int]:
        """The items that it has jobs for."""
        return [-1] if self.items < 0 else list(range(self.items))

    def settle(self) -> None:
        """Once all of its jobs have ended, it has ended as they have."""
        if self.state == "started" and len(self.ends) == len(self.places):
            ends = set(self.ends.values())
            self.state = "failed" if "failed" in ends else "cancelled" if "cancelled" in ends else "succeeded"


@dataclass
class ModelRun:
    """A run of a workflow."""

    number: int
    id: str
    plan: dict[str, Any]
    input: Any
    due_us: int
    nodes: dict[str, ModelNode]
    whom: str
    state: str = "running"
    ending: str = ""
    keeps: bool = False
    used: int = 0
    wall_us: int = 0
    undo: list[str] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state in ("running", "blocked", "stopping", "compensating")

    @property
    def jobs_max(self) -> int:
        """Its budget of jobs."""
        most: int = self.plan["workflow"].get("budget", {}).get("jobs_max", 10_000)
        return most

    @property
    def stands(self) -> tuple[str, list[str]]:
        """Where it and its nodes stand."""
        return self.state, [node.state for node in self.nodes.values()]

    def next_node(self) -> ModelNode | None:
        """A node that can be decided about."""
        for node in self.nodes.values():
            if node.state == "waiting" and all(self.nodes[name].state in _OVER for name in node.parents):
                return node
        return None


class _Nothing(Exception):
    """A reference leads to nothing."""


class ModelRuns(ModelSchedules):
    """Runs, and how they change."""

    def __init__(self, limits: Limits, hit: Callable[[str], None], *, short_windows: bool) -> None:
        super().__init__(limits, hit, short_windows=short_windows)
        self.runs: dict[int, ModelRun] = {}
        self.runs_by_id: dict[str, ModelRun] = {}
        self.run_keys: dict[str, tuple[str, tuple[str, bytes]]] = {}
        """By idempotency key, the run that it made and the request that it stands for."""
        self.part_of: dict[int, tuple[ModelRun, str, int]] = {}
        self.new_parts: NodeJobs = {}
        self.starters: set[str] = set()
        self.watched_runs: set[int] = set()
        """Runs that were open when the stored ones were last compared."""

    def _StartRun(self, pending: Pending, command: StartRun) -> tuple[str, bool]:  # noqa: N802 - the command's name
        existing = self._find_run(command)
        if existing is not None:
            return existing, True
        declared = command.declared
        run = self._add_run(pending, json.loads(declared.plan), json.loads(command.input), declared.wall_us)
        if command.key is not None:
            self.run_keys[command.key] = (run.id, (declared.version, command.input))
        return run.id, False

    def _add_run(self, pending: Pending, plan: dict[str, Any], value: Any, wall_us: int) -> ModelRun:
        """Begin a run, if there is room for it."""
        if self.draining:
            raise Refused("unavailable")
        if sum(run.is_open for run in self.runs.values()) >= self.limits.workflow_runs_max:
            raise Refused("limit_reached")
        found = self._actual_value(pending)
        if not isinstance(found, tuple) or found[1] or found[0] in self.runs_by_id:
            raise Refused("the id of a new run")
        nodes = {node["name"]: ModelNode(node) for node in plan["workflow"]["nodes"]}
        whom = pending.by.on_behalf_of
        run = ModelRun(
            len(self.runs) + 1, found[0], plan, value, self.at_us + wall_us, nodes, whom, wall_us=wall_us
        )
        self.starters.add(whom)
        self.runs[run.number] = self.runs_by_id[run.id] = run
        return run

    def _find_run(self, command: StartRun) -> str | None:
        if command.key is None or command.key not in self.run_keys:
            return None
        public_id, known = self.run_keys[command.key]
        if known != (command.declared.version, command.input):
            self.hit("workflow.key_conflict")
            raise Refused("idempotency_conflict")
        self.hit("workflow.key_again")
        return public_id

    def _CancelRun(self, pending: Pending, command: CancelRun) -> str:  # noqa: N802 - the command's name
        run = self.runs_by_id.get(command.id)
        if run is None:
            raise Refused("not_found")
        if not run.is_open:
            raise Refused("already_ended")
        if run.state in ("stopping", "compensating"):
            raise Refused("conflict")
        self.hit("workflow.cancelled")
        self._stop_run(run, "cancelled", keeps=command.keeps)
        return "stopping"

    def _end(self, job: ModelJob, state: str, attempt: int) -> None:
        super()._end(job, state, attempt)
        if job.number in self.part_of:
            run, name, item = self.part_of[job.number]
            node = run.nodes[name]
            if item == _UNDO:
                node.undone = state
            else:
                node.ends[item] = state

    def _advance_runs(self) -> None:
        """What follows in runs from all that has happened in this batch."""
        open_runs = [run for run in self.runs.values() if run.is_open]
        for run in open_runs:
            if run.due_us <= self.at_us and run.state in ("running", "blocked"):
                self.hit("workflow.out_of_time")
                self._stop_run(run, "out_of_time")
        for run in open_runs:
            while self._take_step(run):
                pass
        self.follow()
        self._feed([] if self.draining else open_runs)

    def _stop_run(self, run: ModelRun, ending: str, *, keeps: bool = False) -> None:
        run.state, run.ending, run.keeps = "stopping", ending, keeps
        for node in run.nodes.values():
            for number in node.jobs.values():
                if self.jobs[number].state not in TERMINAL:
                    self._cancel(self.jobs[number])

    def _take_step(self, run: ModelRun) -> bool:
        """Take one step of a run; False when there is none to take."""
        for node in run.nodes.values():
            node.settle()
        before = run.stands
        if run.state == "running":
            self._decide_nodes(run)
        if run.state == "running" and not any(node.state == "started" for node in run.nodes.values()):
            self._come_to_rest(run)
        elif run.state == "stopping" and self._is_at_rest(run):
            self._end_run(run, run.ending)
        elif run.state == "compensating":
            self._undo(run)
        return before != run.stands

    def _is_at_rest(self, run: ModelRun) -> bool:
        numbers = [number for node in run.nodes.values() for number in node.jobs.values()]
        return all(self.jobs[number].state in TERMINAL for number in numbers)

    def _decide_nodes(self, run: ModelRun) -> None:
        """Decide about every node that can be decided about, and take it all back when the budget is too small."""
        before = {name: (node.state, node.items) for name, node in run.nodes.items()}
        wanted = 0
        while (node := run.next_node()) is not None:
            parents = [run.nodes[parent].state for parent in node.parents]
            node.state, node.items = self._decide_node(run, node, parents)
            if node.state == "started":
                wanted += len(node.places)
                if node.items == 0:
                    self.hit("workflow.empty_list")
                    node.state = "succeeded"
        if run.used + wanted > run.jobs_max:
            for name, (state, items) in before.items():
                run.nodes[name].state, run.nodes[name].items = state, items
            self.hit("workflow.out_of_jobs")
            self._stop_run(run, "out_of_jobs")
        else:
            run.used += wanted

    def _decide_node(self, run: ModelRun, node: ModelNode, parents: list[str]) -> tuple[str, int]:
        policy = node.declared.get("on_parent_failure") or run.plan["workflow"].get(
            "on_parent_failure", "fail"
        )
        if policy != "continue" and any(state in _BAD for state in parents):
            self.hit(f"workflow.parent_{policy}s")
            return ("failed" if policy == "fail" else "skipped"), -1
        if policy != "continue" and "skipped" in parents:
            return "skipped", -1
        try:
            return self._start_node(run, node.declared)
        except _Nothing:
            self.hit("workflow.node_blocked")
            return "blocked", -1

    def _start_node(self, run: ModelRun, declared: dict[str, Any]) -> tuple[str, int]:
        if "when" in declared and self._value(run, declared["when"]["value"]) != declared["when"]["other"]:
            self.hit("workflow.condition_fails")
            return "skipped", -1
        if "for_each" not in declared:
            self._value(run, declared.get("input"))
            return "started", -1
        items = self._value(run, declared["for_each"])
        if not isinstance(items, list):
            # A run that continues another one may get something else in its place.
            raise _Nothing
        if items:
            self._value(run, declared.get("input"), 0)
        return "started", len(items)

    def _come_to_rest(self, run: ModelRun) -> None:
        followed = {parent for node in run.nodes.values() for parent in node.parents}
        leaves = [node for name, node in run.nodes.items() if name not in followed]
        if any(node.state == "blocked" for node in run.nodes.values()):
            self.hit("workflow.blocked")
            run.state = "blocked"
        elif any(node.state in _BAD for node in leaves):
            self._end_run(run, "failed")
        else:
            self.hit("workflow.succeeded")
            run.state = "succeeded"

    def _end_run(self, run: ModelRun, ending: str) -> None:
        undo = [name for name in run.plan["undo"] if self._is_to_undo(run.nodes[name])]
        run.undo = [] if run.keeps else sorted(undo, key=list(run.nodes).index, reverse=True)
        run.state, run.ending = ("compensating", ending) if run.undo else (ending, ending)

    def _is_to_undo(self, node: ModelNode) -> bool:
        return node.state == "succeeded" and node.source is None

    def _undo(self, run: ModelRun) -> None:
        states = [run.nodes[name].undone for name in run.undo]
        if any(state in _BAD for state in states):
            self.hit("workflow.compensation_fails")
            run.state = "compensation_failed"
        elif all(state == "succeeded" for state in states):
            self.hit("workflow.compensated")
            run.state = run.ending

    # ------------------------------------------------------------------------------------------------------------------

    def _feed(self, runs: list[ModelRun]) -> None:
        """The jobs that may be submitted now: each is, or there is no room for it; and no other is."""
        allowed = {(run.number, name, item): run for run in runs for name, item in self._parts(run)}
        for key, (number, public_id) in sorted(self.new_parts.items(), key=lambda part: part[1]):
            if key not in allowed or number != len(self.jobs) + 1:
                raise Refused(f"no job number {number} of node {key[1]}, item {key[2]}, of run {key[0]}")
            self._take_part(allowed.pop(key), key[1], key[2], public_id)
        for (_, name, item), run in allowed.items():
            options = self._options(run, name, item)
            lanes = self.lanes | {(options["queue"], options["kind"], options["version"])}
            is_full = self._depth(options["queue"]) >= self.limits.queue_jobs_max
            if not is_full and len(lanes) <= self.limits.queues_max:
                raise Refused(f"a job of node {name}, item {item}, of {run.id}")
            self.hit("workflow.no_room")

    def _parts(self, run: ModelRun) -> list[tuple[str, int]]:
        if run.state == "running":
            return [(name, item) for name, node in run.nodes.items() for item in self._open_places(node)]
        if run.state != "compensating":
            return []
        begun = [name for name in run.undo if _UNDO in run.nodes[name].jobs]
        if any(not run.nodes[name].undone for name in begun) or len(begun) == len(run.undo):
            return []
        return [(run.undo[len(begun)], _UNDO)]

    def _open_places(self, node: ModelNode) -> list[int]:
        if node.state != "started":
            return []
        left = [item for item in node.places if item not in node.jobs]
        most = node.declared.get("at_once_max")
        if most is not None and len(node.jobs) - len(node.ends) + len(left) > most:
            self.hit("workflow.at_once")
            left = left[: max(0, most - (len(node.jobs) - len(node.ends)))]
        return left

    def _take_part(self, run: ModelRun, name: str, item: int, public_id: str) -> None:
        declared = run.nodes[name].declared
        work = declared["compensate"] if item == _UNDO else declared
        body = canonical(self._value(run, work.get("input"), item if item >= 0 else None))
        options, self.whom = self._options(run, name, item), run.whom
        wanted = NewJob(
            **options, key=None, digest=digest(body), input=body, after=(), after_failure="cancel"
        )
        job = self._add(wanted, public_id, None, None)
        run.nodes[name].jobs[item] = job.number
        self.part_of[job.number] = (run, name, item)

    def _options(self, run: ModelRun, name: str, item: int) -> dict[str, Any]:
        options: dict[str, Any] = run.plan["undo" if item == _UNDO else "jobs"][name]
        return options | {"tags": tuple(options["tags"])}

    def _value(self, run: ModelRun, declared: Any, item: int | None = None) -> Any:
        """What a declared value stands for; simulated clients use references only as whole texts."""
        if isinstance(declared, dict):
            return {key: self._value(run, value, item) for key, value in declared.items()}
        found = REFERENCE.fullmatch(declared) if isinstance(declared, str) else None
        if found is None:
            return declared
        root, step = found.groups()
        if root == "index":
            return item
        if root == "input":
            if step not in run.input:
                raise _Nothing
            return run.input[step]
        return run.nodes[root].state
