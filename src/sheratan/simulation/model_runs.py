"""The part of the model that knows runs of workflows: what becomes of each node, by the letter of the design.

It understands as much of references and conditions as simulated clients use. Only the numbers and ids of new jobs
are taken from the engine, and that some wait where there is no room.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from sheratan.contracts.limits import Limits
from sheratan.engine.commands import CancelRun, NewJob, Pending, StartRun
from sheratan.kernel.canonical import canonical, digest
from sheratan.simulation.model_jobs import Refused
from sheratan.simulation.model_run_state import BAD, ModelNode, ModelRun, Nothing, value_in
from sheratan.simulation.model_schedules import ModelSchedules
from sheratan.simulation.model_state import TERMINAL, ModelJob, NewRun, NodeJobs

__all__ = ["ModelRuns"]

_UNDO: Final = -2
_NAME_MAX: Final = 128


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
        self.run_turns: list[int | NewRun] = []
        self.starters: set[str] = set()
        self.watched_runs: set[int] = set()
        """Runs that were open when the stored ones were last compared."""

    def _StartRun(self, pending: Pending, command: StartRun) -> tuple[str, bool]:  # noqa: N802 - the command's name
        existing = self._find_run(command)
        if existing is not None:
            return existing, True
        declared = command.declared
        plan = json.loads(declared.plan)
        run = self._start(pending, plan, declared.workflow, json.loads(command.input), declared.wall_us)
        if command.key is not None:
            self.run_keys[command.key] = (run.id, (declared.version, command.input))
        return run.id, False

    def _start(self, pending: Pending, plan: dict[str, Any], name: str, value: Any, wall_us: int) -> ModelRun:
        """Begin a run that somebody asks for, if there is room for it."""
        self.check_takes_in()
        if sum(run.is_open for run in self.runs.values()) >= self.limits.workflow_runs_max:
            raise Refused("limit_reached")
        found = self._actual_value(pending)
        if not isinstance(found, tuple) or found[1] or found[0] in self.runs_by_id:
            raise Refused("the id of a new run")
        whom = pending.by.on_behalf_of
        self.starters.add(whom)
        run = ModelRun(len(self.runs) + 1, found[0], plan, value, self.at_us + wall_us, {}, whom, name=name)
        return self._add_run(run, wall_us)

    def _add_run(self, run: ModelRun, wall_us: int) -> ModelRun:
        run.wall_us = wall_us
        run.nodes = {node["name"]: ModelNode(node) for node in run.workflow["nodes"]}
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
        for run in sorted(self._open_runs, key=lambda run: (run.due_us, run.number)):
            if run.due_us <= self.at_us and run.state in ("running", "blocked"):
                self.hit("workflow.out_of_time")
                self._stop_run(run, "out_of_time")
        self._take_turns()
        self.follow()
        runs = self._open_runs if self.takes_in else []
        self._feed(runs)
        self._check_sub_runs(runs)

    @property
    def _open_runs(self) -> list[ModelRun]:
        return [run for run in self.runs.values() if run.is_open]

    def _take_turns(self) -> None:
        """Runs advance in the order in which they did, and then there must be none that could."""
        for turn in self.run_turns:
            if isinstance(turn, NewRun):
                self._begin_sub_run(turn)
            else:
                self._advance(self.runs[turn])
        for run in self._open_runs:
            if self._advance(run):
                raise Refused(f"that {run.id} does not advance")

    def _advance(self, run: ModelRun) -> bool:
        """Take all steps of a run that can be taken now; whether there was any."""
        has_advanced = False
        while self._take_step(run):
            has_advanced = True
        return has_advanced

    def _begin_sub_run(self, new: NewRun) -> None:
        """A run begins for a node."""
        raise NotImplementedError

    def _waits_for_funds(self, run: ModelRun, item: int) -> bool:
        """Whether a job of a run may not come in until others have ended that its budget has to pay for."""
        raise NotImplementedError

    def _check_sub_runs(self, runs: list[ModelRun]) -> None:
        """Those that may begin and have not must have found no room."""
        raise NotImplementedError

    def _stop_run(self, run: ModelRun, ending: str, *, keeps: bool = False) -> None:
        run.state, run.ending, run.keeps = "stopping", ending, keeps
        for node in run.nodes.values():
            for number in node.jobs.values():
                if self.jobs[number].state not in TERMINAL:
                    self._cancel(self.jobs[number])
            for number in node.runs.values():
                if self.runs[number].state in ("running", "blocked"):
                    self.hit("workflow.stopped_below")
                    self._stop_run(self.runs[number], "cancelled", keeps=keeps)

    def _take_step(self, run: ModelRun) -> bool:
        """Take one step of a run; False when there is none to take."""
        self._hear(run)
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
        if not run.is_open:
            run.ended_us = self.at_us
        return before != run.stands

    def _hear(self, run: ModelRun) -> None:
        """Note which runs of the nodes of a run have ended, and how."""
        for node in run.nodes.values():
            for item, number in node.runs.items():
                if not self.runs[number].is_open:
                    state = self.runs[number].state
                    node.ends[item] = state if state in ("succeeded", "cancelled") else "failed"

    def _is_at_rest(self, run: ModelRun) -> bool:
        numbers = [number for node in run.nodes.values() for number in node.jobs.values()]
        runs = [self.runs[number] for node in run.nodes.values() for number in node.runs.values()]
        return all(self.jobs[number].state in TERMINAL for number in numbers) and not any(
            below.is_open for below in runs
        )

    def _decide_nodes(self, run: ModelRun) -> None:
        """Decide about every node that can be decided about, and take it all back when the budget is too small."""
        before = {name: (node.state, node.items) for name, node in run.nodes.items()}
        wanted, is_deeper = 0, False
        while (node := run.next_node()) is not None:
            parents = [run.nodes[parent].state for parent in node.parents]
            node.state, node.items = self._decide_node(run, node, parents)
            if node.state == "started":
                wanted += len(node.places)
                is_deeper = is_deeper or ("workflow" in node.declared and node.items != 0)
                if node.items == 0:
                    self.hit("workflow.empty_list")
                    node.state = "succeeded"
        if not self._has_budget(run, wanted, is_deeper=is_deeper):
            for name, (state, items) in before.items():
                run.nodes[name].state, run.nodes[name].items = state, items

    def _has_budget(self, run: ModelRun, wanted: int, *, is_deeper: bool) -> bool:
        """Count new jobs, or stop the run whose budget has no room for them."""
        beyond, ending = self._beyond(run, wanted, is_deeper=is_deeper)
        if beyond is None:
            for each in run.chain:
                each.used += wanted
            return True
        self.hit(f"workflow.{ending}")
        if beyond is not run:
            self.hit("workflow.stopped_above")
        self._stop_run(beyond, ending)
        return False

    def _beyond(self, run: ModelRun, wanted: int, *, is_deeper: bool) -> tuple[ModelRun | None, str]:
        """The first run, from this one upwards, whose budget has no room, and how it ends."""
        for depth, each in enumerate(run.chain, 2):
            if each.used + wanted > each.jobs_max:
                return each, "out_of_jobs"
            if is_deeper and depth > each.depth_max:
                return each, "out_of_depth"
        return None, ""

    def _decide_node(self, run: ModelRun, node: ModelNode, parents: list[str]) -> tuple[str, int]:
        policy = node.declared.get("on_parent_failure") or run.workflow.get("on_parent_failure", "fail")
        if policy != "continue" and any(state in BAD for state in parents):
            self.hit(f"workflow.parent_{policy}s")
            return ("failed" if policy == "fail" else "skipped"), -1
        if policy != "continue" and "skipped" in parents:
            return "skipped", -1
        try:
            return self._start_node(run, node.declared)
        except Nothing:
            self.hit("workflow.node_blocked")
            return "blocked", -1

    def _start_node(self, run: ModelRun, declared: dict[str, Any]) -> tuple[str, int]:
        if "when" in declared and value_in(run, declared["when"]["value"]) != declared["when"]["other"]:
            self.hit("workflow.condition_fails")
            return "skipped", -1
        if "for_each" not in declared:
            value_in(run, declared.get("input"))
            self._partition(run, declared)
            return "started", -1
        items = value_in(run, declared["for_each"])
        if not isinstance(items, list):
            # A run that continues another one may get something else in its place.
            raise Nothing
        for item in range(len(items)):
            value_in(run, declared.get("input"), item)
            self._partition(run, declared, item)
        return "started", len(items)

    def _come_to_rest(self, run: ModelRun) -> None:
        followed = {parent for node in run.nodes.values() for parent in node.parents}
        leaves = [node for name, node in run.nodes.items() if name not in followed]
        if any(node.state == "blocked" for node in run.nodes.values()):
            self.hit("workflow.blocked")
            run.state = "blocked"
        elif any(node.state in BAD for node in leaves):
            self._end_run(run, "failed")
        else:
            self.hit("workflow.succeeded")
            run.state = "succeeded"

    def _end_run(self, run: ModelRun, ending: str) -> None:
        run.undo = [] if run.keeps else self._to_undo(run)
        run.state, run.ending = ("compensating", ending) if run.undo else (ending, ending)

    def _to_undo(self, run: ModelRun) -> list[str]:
        """The nodes to compensate, the last one first: what was taken over is another run's."""
        undo = [name for name in reversed(run.nodes) if name in run.work["undo"]]
        done = [name for name in undo if run.nodes[name].state == "succeeded"]
        own = [name for name in done if run.nodes[name].source is None]
        if len(own) < len(done):
            self.hit("workflow.taken_over_kept")
        return own

    def _undo(self, run: ModelRun) -> None:
        states = [run.nodes[name].undone for name in run.undo]
        if any(state in BAD for state in states):
            self.hit("workflow.compensation_fails")
            run.state = "compensation_failed"
        elif all(state == "succeeded" for state in states):
            self.hit("workflow.compensated")
            run.state = run.ending

    # ------------------------------------------------------------------------------------------------------------------

    def _feed(self, runs: list[ModelRun]) -> None:
        """The jobs that may be submitted now: each is, or there is no room for it; and no other is."""
        allowed = self._feed_some(runs)
        for key, (number, _) in self.new_parts.items():
            raise Refused(f"no job number {number} of node {key[1]}, item {key[2]}, of run {key[0]}")
        for (_, name, item), run in allowed.items():
            options = self._options(run, name, item)
            lanes = self.lanes | {(options["queue"], options["kind"], options["version"])}
            is_full = self._depth(options["queue"]) >= self.limits.queue_jobs_max
            waits = self._waits_for_funds(run, item)
            if not waits and not is_full and len(lanes) <= self.limits.queues_max:
                raise Refused(f"a job of node {name}, item {item}, of {run.id}")
            self.hit("run_budget.waits" if waits else "workflow.no_room")

    def _feed_some(self, runs: list[ModelRun]) -> dict[tuple[int, str, int], ModelRun]:
        """Take the jobs that were submitted and may be now; returns those that may be submitted and were not."""
        allowed = {
            (run.number, name, item): run
            for run in runs
            for name, item in self._parts(run)
            if item == _UNDO or "kind" in run.nodes[name].declared
        }
        for key, (number, public_id) in sorted(self.new_parts.items(), key=lambda part: part[1]):
            if (
                key not in allowed
                or number != len(self.jobs) + 1
                or self._waits_for_funds(allowed[key], key[2])
            ):
                break
            del self.new_parts[key]
            self._take_part(allowed.pop(key), key[1], key[2], public_id)
        return allowed

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
        left = [item for item in node.places if item not in node.parts]
        most = node.declared.get("at_once_max")
        if most is not None and len(node.parts) - len(node.ends) + len(left) > most:
            self.hit("workflow.at_once")
            left = left[: max(0, most - (len(node.parts) - len(node.ends)))]
        return left

    def _take_part(self, run: ModelRun, name: str, item: int, public_id: str) -> None:
        declared = run.nodes[name].declared
        work = declared["compensate"] if item == _UNDO else declared
        place = item if item >= 0 else None
        body = canonical(value_in(run, work.get("input"), place))
        options, self.whom = self._options(run, name, item), run.whom
        options["partition"] = self._partition(run, work, place)
        wanted = NewJob(
            **options, key=None, digest=digest(body), input=body, after=(), after_failure="cancel"
        )
        job = self._add(wanted, public_id, None, None)
        run.nodes[name].jobs[item] = job.number
        self.part_of[job.number] = (run, name, item)

    def _options(self, run: ModelRun, name: str, item: int) -> dict[str, Any]:
        options: dict[str, Any] = run.work["undo" if item == _UNDO else "jobs"][name]
        return options | {"tags": tuple(options["tags"])}

    def _partition(self, run: ModelRun, work: dict[str, Any], item: int | None = None) -> str | None:
        """Whose a job is, by what is declared: a text that can be a name."""
        if "partition" not in work:
            return None
        found = value_in(run, work["partition"], item)
        if not isinstance(found, str) or len(found) > _NAME_MAX:
            self.hit("workflow.partition_blocked")
            raise Nothing
        self.hit("workflow.partition")
        return found
