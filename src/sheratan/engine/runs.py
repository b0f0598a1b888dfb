"""Open runs of workflows as the decider remembers them: all of it can be rebuilt from the database."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import groupby
from typing import Any, Final, NamedTuple

import msgspec

from sheratan.contracts.ids import format_run_id
from sheratan.contracts.principal import ENGINE, Principal
from sheratan.contracts.runs import Plan
from sheratan.contracts.workflows import Node
from sheratan.kernel.graph import Graph, graph_of
from sheratan.store.port import NodeJobView, Reader
from sheratan.store.run_rows import ITEM_ONLY, ITEM_UNDO, NodeRow, RunOpen, RunRow

__all__ = ["NodeJob", "NodeMemory", "OpenRun", "PlanInUse", "Runs", "load_plan", "run_id"]

_PLANS_MAX: Final = 64
"""Plans kept beside those of open runs' own, so that a workflow which is run again is not read again."""

_ENDED: Final = ("succeeded", "failed", "cancelled", "skipped")


def run_id(row: RunRow) -> str:
    """The public id of a run."""
    return format_run_id(row.created_us // 1000, 0, row.number, row.salt)


class PlanInUse:
    """A plan, its nodes by name, and the graph that they make."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.graph: Graph = graph_of(plan.workflow)
        self.nodes: dict[str, Node] = {node.name: node for node in plan.workflow.nodes}
        self.places = {name: place for place, name in enumerate(self.nodes)}

    def policy(self, name: str) -> str:
        """What becomes of a node when a parent has failed."""
        return self.nodes[name].on_parent_failure or self.plan.workflow.on_parent_failure


def load_plan(body: bytes) -> PlanInUse:
    """The plan that is kept as these bytes."""
    return PlanInUse(msgspec.json.decode(body, type=Plan))


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

    def __init__(self, row: RunRow, place: RunOpen, plan: PlanInUse) -> None:
        self.row = row
        self.place = place
        self.plan = plan
        self.id = run_id(row)
        self.by = Principal(
            actor=ENGINE.actor, auth=ENGINE.auth, on_behalf_of=row.started_by, tenant=row.tenant
        )
        """Who acts when the run advances: the engine, on behalf of whoever started it."""
        self.nodes = {name: NodeMemory(len(plan.graph.parents[name])) for name in plan.nodes}
        self.running = 0
        """How many of its jobs are open."""
        self.active = 0
        """How many of its nodes are started and have not ended."""
        self.changed: list[str] = list(plan.nodes)
        """Nodes that may start, and nodes that have ended since the run was advanced."""
        self.hungry: dict[str, None] = {}
        """Started nodes with jobs that are still to be submitted."""
        self.cause: int | None = None
        """The entry of the last job that has ended."""

    def take_over(self, row: NodeRow) -> None:
        """A node is as it was in another run."""
        node = self.nodes[row.name]
        node.start(row.items, row.entry)
        node.state, node.source = "succeeded" if row.state == "taken" else row.state, row.source
        self.node_ended(row.name)

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
        undo = self.plan.plan.undo
        return [
            name
            for name in reversed(self.plan.graph.order)
            if name in undo and self.nodes[name].state == "succeeded" and self.nodes[name].source is None
        ]

    def summary(self) -> tuple[Any, ...]:
        """All of it that can be read again."""
        nodes = {name: node.summary() for name, node in self.nodes.items()}
        return self.row, self.place, self.running, self.active, nodes


class NodeJob(NamedTuple):
    """What an open job is in its run: for an item, as its node's only job, or to undo the node."""

    run: OpenRun
    node: str
    item: int


class Runs:
    """Every open run, and the nodes that open jobs belong to."""

    def __init__(self, store: Reader) -> None:
        self._store = store
        self._plans: dict[bytes, PlanInUse] = {}
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

    def plan(self, digest: bytes, body: bytes | None = None) -> PlanInUse:
        """A plan by its digest; `body` is it, when it is not stored yet."""
        known = self._plans.get(digest)
        if known is None:
            known = self._plans[digest] = load_plan(self._store.payload(digest) if body is None else body)
            if len(self._plans) > _PLANS_MAX:
                del self._plans[next(iter(self._plans))]
        return known

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
        node = run.nodes[name]
        if item == ITEM_UNDO:
            node.undo = (job, None)
        else:
            node.jobs.append(job)
        run.running += 1

    def job_ended(self, number: int, state: str, entry: int) -> None:
        """A job has ended by an entry; if it belongs to a run, that is to be looked at."""
        found = self.of_job.pop(number, None)
        if found is None:
            return
        run, name, item = found
        node = run.nodes[name]
        run.running -= 1
        run.cause = entry
        self.touched[run.row.number] = None
        if item == ITEM_UNDO:
            node.undo = (number, state)
            return
        node.count_end(state)
        if node.settle():
            run.active -= 1
            run.node_ended(name)
            run.changed.append(name)
        elif name in run.hungry:
            self.unfed[run.row.number] = None

    def take_due(self, until_us: int) -> list[OpenRun]:
        """The runs whose time is over."""
        found = []
        while (due_us := self.next_due_us) is not None and due_us <= until_us:
            found.append(self.open[heapq.heappop(self._dues)[1]])
        return found

    def _is_timed(self, number: int) -> bool:
        run = self.open.get(number)
        return run is not None and run.place.state in ("running", "blocked")

    def _load(self, places: list[RunOpen]) -> None:
        numbers = [place.number for place in places]
        rows = {row.number: row for row in self._store.runs(numbers)}
        for place in places:
            row = rows[place.number]
            self.add(OpenRun(row, place, self.plan(row.plan)))
        for number, nodes in groupby(self._store.nodes(numbers), lambda row: row.run):
            self._load_nodes(self.open[number], nodes)
        for number, jobs in groupby(self._store.node_jobs(numbers), lambda view: view.row.run):
            self._load_jobs(self.open[number], jobs)
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
