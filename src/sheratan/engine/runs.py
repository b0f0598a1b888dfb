"""Open runs of workflows as the decider remembers them: all of it can be rebuilt from the database."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import groupby
from typing import Any, Final, NamedTuple

import msgspec

from sheratan.contracts.principal import ENGINE, Principal
from sheratan.contracts.runs import Plan, WorkflowPlan
from sheratan.contracts.workflows import Node, Workflow
from sheratan.engine.run_ids import run_id
from sheratan.kernel.graph import Graph, graph_of, workflow_digest
from sheratan.kernel.lifecycle import node_end
from sheratan.kernel.sub_workflows import known_workflows
from sheratan.store.port import NodeJobView, Reader
from sheratan.store.run_rows import ITEM_ONLY, ITEM_UNDO, NodeRow, RunOpen, RunRow

__all__ = ["NodeJob", "NodeMemory", "OpenRun", "PlanInUse", "Runs", "load_plan"]

_PLANS_MAX: Final = 64
"""Plans kept beside those of open runs' own, so that a workflow which is run or shown again is not read again."""

_ENDED: Final = ("succeeded", "failed", "cancelled", "skipped")


class PlanInUse:
    """What a plan says of one of its workflows: its nodes by name, the graph that they make, and how jobs are run."""

    def __init__(self, plan: Plan, name: str) -> None:
        self.plan = plan
        self.workflow: Workflow = known_workflows(plan.workflow)[name]
        self.jobs_as: WorkflowPlan = plan.workflows.get(name, plan)
        self.graph: Graph = graph_of(self.workflow)
        self.nodes: dict[str, Node] = {node.name: node for node in self.workflow.nodes}
        self.places = {name: place for place, name in enumerate(self.nodes)}
        self.version = workflow_digest(self.workflow)

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of all jobs of nodes, those of the workflows that it brings along, too."""
        plans = (self.plan, *self.plan.workflows.values())
        return frozenset(job.kind for plan in plans for job in plan.jobs.values())

    def policy(self, name: str) -> str:
        """What becomes of a node when a parent has failed."""
        return self.nodes[name].on_parent_failure or self.workflow.on_parent_failure

    @property
    def wall_us(self) -> int:
        """How long a run may take, in microseconds."""
        return round(self.workflow.budget.wall_seconds_max * 1_000_000)


@lru_cache(_PLANS_MAX)
def load_plan(body: bytes, name: str) -> PlanInUse:
    """What the plan that is kept as these bytes says of its workflow of this name."""
    return PlanInUse(msgspec.json.decode(body, type=Plan), name)


class NodeMemory:
    """A node of an open run. `state` is `waiting`, what was decided about it or, once its jobs have ended, how."""

    __slots__ = (
        "cancelled",
        "ended",
        "entry",
        "failed",
        "inputs",
        "items",
        "jobs",
        "missing",
        "source",
        "state",
        "undo",
        "values",
    )

    def __init__(self, missing: int) -> None:
        self.state = "waiting"
        self.missing = missing
        """How many of its parents have not ended."""
        self.items = ITEM_ONLY
        self.source: int | None = None
        """The run that it was taken over from, which has its jobs."""
        self.jobs: list[int] = []
        """The numbers of its jobs or, when it runs a workflow, of its runs."""
        self.ended = self.failed = self.cancelled = 0
        self.entry = -1
        self.undo: tuple[int, str | None] | None = None
        """The job that compensates it, and how that has ended."""
        self.values: list[Any] | None = None
        """The list that a fan-out runs for, once somebody has asked."""
        self.inputs: list[bytes] = []
        """The inputs of its first jobs, from when it was decided about until they are submitted."""

    @property
    def wanted(self) -> int:
        """How many jobs it has when all are submitted."""
        return 1 if self.items == ITEM_ONLY else self.items

    @property
    def has_ended(self) -> bool:
        """Whether its children need not wait for it."""
        return self.state in _ENDED

    def start(self, items: int, entry: int) -> None:
        """Its jobs may be submitted."""
        self.state, self.items, self.entry = "started", items, entry

    def count_end(self, state: str) -> None:
        """One of its jobs has ended."""
        self.ended += 1
        self.failed += state == "failed"
        self.cancelled += state == "cancelled"

    def settle(self) -> bool:
        """Whether all of its jobs have ended; then it has ended as they have."""
        if self.ended < self.wanted:
            return False
        self.state = "failed" if self.failed else "cancelled" if self.cancelled else "succeeded"
        return True

    def summary(self) -> tuple[Any, ...]:
        """All of it that can be read again."""
        return (
            self.state, self.missing, self.items, self.jobs, self.ended, self.failed, self.cancelled, self.entry,
            self.undo, self.source,
        )  # fmt: skip


class OpenRun:
    """A run that has not ended."""

    def __init__(self, row: RunRow, place: RunOpen, plan: PlanInUse, parent: OpenRun | None = None) -> None:
        self.row = row
        self.parent = parent
        """The run that has it run for one of its nodes; that is open for as long as it is."""
        self.place = place
        self.plan = plan
        self.id = run_id(row)
        self.by = Principal(
            actor=ENGINE.actor, auth=ENGINE.auth, on_behalf_of=row.started_by, tenant=row.tenant
        )
        """Who acts when the run advances: the engine, on behalf of whoever started it."""
        self.nodes = {name: NodeMemory(len(plan.graph.parents[name])) for name in plan.nodes}
        self.running = 0
        """How many of its jobs, and of the runs of its nodes, are open."""
        self.open_jobs = 0
        """How many jobs of its nodes, and of those of the runs below it, are open."""
        self.active = 0
        """How many of its nodes are started and have not ended."""
        self.changed: list[str] = list(plan.nodes)
        """Nodes that may start, and nodes that have ended since the run was advanced."""
        self.hungry: dict[str, None] = {}
        """Started nodes with jobs that are still to be submitted."""
        self.cause: int | None = None
        """The entry of the last job that has ended, or run of a node."""

    def above(self) -> Iterator[OpenRun]:
        """The runs that have this one run, from the nearest on."""
        run = self.parent
        while run is not None:
            yield run
            run = run.parent

    def spends_for(self) -> tuple[int, ...]:
        """The runs with budgets of money for which its jobs spend: this one, and those above."""
        runs = (self, *self.above())
        return tuple(sorted(run.row.number for run in runs if run.plan.workflow.budget.spend))

    def count_open(self, change: int) -> None:
        """A job of one of its nodes has come in, or ended."""
        for run in (self, *self.above()):
            run.open_jobs += change

    def take_over(self, row: NodeRow) -> None:
        """A node is as it was in another run."""
        node = self.nodes[row.name]
        node.start(row.items, row.entry)
        node.state, node.source = "succeeded" if row.state == "taken" else row.state, row.source
        self.node_ended(row.name)

    def add_part(self, name: str, number: int) -> None:
        """A node has a new job, or a new run of the workflow that it runs."""
        self.nodes[name].jobs.append(number)
        self.running += 1

    def node_ended(self, name: str) -> None:
        """A node has ended: its children wait for one less."""
        for child in self.plan.graph.children[name]:
            self.nodes[child].missing -= 1

    def put_back(self, name: str) -> None:
        """Forget what was decided about a node: it waits as before."""
        node = self.nodes[name]
        if node.has_ended:
            for child in self.plan.graph.children[name]:
                self.nodes[child].missing += 1
        elif node.state == "started":
            self.active -= 1
        self.hungry.pop(name, None)
        self.nodes[name] = NodeMemory(0)

    def undo_order(self) -> list[str]:
        """The nodes that are to be compensated, the last one first; what was taken over is not this run's to undo."""
        undo = self.plan.jobs_as.undo
        return [
            name
            for name in reversed(self.plan.graph.order)
            if name in undo and self.nodes[name].state == "succeeded" and self.nodes[name].source is None
        ]

    def summary(self) -> tuple[Any, ...]:
        """All of it that can be read again."""
        nodes = {name: node.summary() for name, node in self.nodes.items()}
        return self.row, self.place, self.running, self.open_jobs, self.active, nodes


class NodeJob(NamedTuple):
    """What an open job is in its run: for an item, as its node's only job, or to undo the node."""

    run: OpenRun
    node: str
    item: int


class Runs:
    """Every open run, and the nodes that open jobs belong to."""

    def __init__(self, store: Reader) -> None:
        self._store = store
        self._plans: dict[tuple[bytes, str], PlanInUse] = {}
        self.next_number = store.last_run() + 1
        self.open: dict[int, OpenRun] = {}
        self.of_job: dict[int, NodeJob] = {}
        self.touched: dict[int, None] = {}
        """Runs that are to be looked at before this batch is over."""
        self.unfed: dict[int, None] = {}
        """Runs with jobs that may be submitted, and were not for want of room."""
        self._dues: list[tuple[int, int]] = []
        places = store.open_runs()
        if places:
            self._load(places)

    @property
    def next_due_us(self) -> int | None:
        """When the first run will have used up its time."""
        while self._dues and not self._is_timed(self._dues[0][1]):
            heapq.heappop(self._dues)
        return self._dues[0][0] if self._dues else None

    def plan(self, digest: bytes, name: str, body: bytes | None = None) -> PlanInUse:
        """What a plan says of one of its workflows; `body` is the plan, when it is not stored yet."""
        known = self._plans.get((digest, name))
        if known is None:
            body = self._store.payload(digest) if body is None else body
            known = self._keep(digest, load_plan(body, name))
        return known

    def plan_below(self, run: OpenRun, name: str) -> PlanInUse:
        """What the plan of a run says of a workflow that a node of it runs; it need not be stored yet."""
        digest = run.row.plan
        return self._plans.get((digest, name)) or self._keep(digest, PlanInUse(run.plan.plan, name))

    def _keep(self, digest: bytes, plan: PlanInUse) -> PlanInUse:
        self._plans[digest, plan.workflow.name] = plan
        if len(self._plans) > _PLANS_MAX:
            del self._plans[next(iter(self._plans))]
        return plan

    def add(self, run: OpenRun) -> None:
        """A run begins."""
        self.open[run.row.number] = run
        heapq.heappush(self._dues, (run.row.due_us, run.row.number))

    def drop(self, run: OpenRun) -> None:
        """A run has ended."""
        number = run.row.number
        del self.open[number]
        self.unfed.pop(number, None)

    def add_job(self, run: OpenRun, name: str, item: int, job: int) -> None:
        """A node has a new job."""
        self.of_job[job] = NodeJob(run, name, item)
        if item == ITEM_UNDO:
            run.nodes[name].undo = (job, None)
            run.running += 1
        else:
            run.add_part(name, job)
            run.count_open(1)

    def job_ended(self, number: int, state: str, entry: int) -> None:
        """A job has ended by an entry; if it belongs to a run, that is to be looked at."""
        found = self.of_job.pop(number, None)
        if found is None:
            return
        run, name, item = found
        if item == ITEM_UNDO:
            run.nodes[name].undo = (number, state)
            self._touch(run, entry)
        else:
            run.count_open(-1)
            self._part_ended(run, name, state, entry)

    def sub_run_ended(self, run: OpenRun, state: str, entry: int) -> None:
        """A run has ended by an entry; if a node of another run has it run, that is to be looked at."""
        if run.parent is not None:
            assert run.row.node is not None
            self._part_ended(run.parent, run.row.node, node_end(state), entry)

    def _touch(self, run: OpenRun, entry: int) -> None:
        run.running -= 1
        run.cause = entry
        self.touched[run.row.number] = None

    def _part_ended(self, run: OpenRun, name: str, state: str, entry: int) -> None:
        self._touch(run, entry)
        node = run.nodes[name]
        node.count_end(state)
        if node.settle():
            run.active -= 1
            run.node_ended(name)
            run.changed.append(name)
        elif name in run.hungry:
            self.unfed[run.row.number] = None

    def take_due(self, until_us: int) -> Iterator[OpenRun]:
        """The runs whose time is over, each as long as it was not stopped with another that was taken before."""
        while (due_us := self.next_due_us) is not None and due_us <= until_us:
            yield self.open[heapq.heappop(self._dues)[1]]

    def _is_timed(self, number: int) -> bool:
        run = self.open.get(number)
        return run is not None and run.place.state in ("running", "blocked")

    def _load(self, places: list[RunOpen]) -> None:
        numbers = [place.number for place in places]
        rows = {row.number: row for row in self._store.runs(numbers)}
        for place in places:
            row = rows[place.number]
            # A run has a higher number than the one that has it run.
            parent = None if row.parent is None else self.open[row.parent]
            self.add(OpenRun(row, place, self.plan(row.plan, row.workflow), parent))
        for number, nodes in groupby(self._store.nodes(numbers), lambda row: row.run):
            self._load_nodes(self.open[number], nodes)
        for number, jobs in groupby(self._store.node_jobs(numbers), lambda view: view.row.run):
            self._load_jobs(self.open[number], jobs)
        for number, sub_runs in groupby(self._store.sub_runs(numbers), lambda view: view.row.run):
            self._load_sub_runs(self.open[number], sub_runs)
        for run in self.open.values():
            self._settle(run)

    def _load_nodes(self, run: OpenRun, rows: Iterable[NodeRow]) -> None:
        for row in rows:
            if row.source is not None:
                run.take_over(row)
                continue
            node = run.nodes[row.name]
            node.start(row.items, row.entry)
            node.state = row.state

    def _load_jobs(self, run: OpenRun, jobs: Iterable[NodeJobView]) -> None:
        for (_, name, item, number), state, _ in jobs:
            node = run.nodes[name]
            if item == ITEM_UNDO:
                node.undo = (number, state)
            else:
                node.jobs.append(number)
                if state is not None:
                    node.count_end(state)
            if state is None:
                self.of_job[number] = NodeJob(run, name, item)
                run.running += 1
                run.count_open(int(item != ITEM_UNDO))

    def _load_sub_runs(self, run: OpenRun, views: Iterable[NodeJobView]) -> None:
        for (_, name, _, number), state, _ in views:
            node = run.nodes[name]
            node.jobs.append(number)
            if state is None:
                run.running += 1
            else:
                node.count_end(state)

    def _settle(self, run: OpenRun) -> None:
        for name, node in run.nodes.items():
            if node.state == "started" and not node.settle():
                run.active += 1
                if len(node.jobs) < node.wanted and run.place.state == "running":
                    run.hungry[name] = None
            if node.has_ended and node.source is None:
                run.node_ended(name)
        # A commit leaves no run behind that could be advanced.
        run.changed.clear()
        self.unfed[run.row.number] = None
