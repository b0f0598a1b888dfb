"""What a journal says about runs of workflows."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

__all__ = ["NodeBook", "NodeFact", "NodeJobFact", "OpenRun", "RunEnded"]


class NodeBook(msgspec.Struct, gc=False):
    """A node of an open run about which something was decided. `items` is -1 for one that is no fan-out."""

    state: str
    items: int
    entry: int
    submitted: int = 0
    ended: int = 0
    failed: int = 0
    cancelled: int = 0
    workflow: str = ""
    """The workflow that it runs, when it runs one: then what is said of jobs is meant of runs."""

    @property
    def wanted(self) -> int:
        """How many jobs it has when all are submitted."""
        return 1 if self.items < 0 else self.items

    def count_end(self, state: str) -> None:
        """One of its jobs has ended, or one of its runs as a job would have."""
        self.ended += 1
        self.failed += state == "failed"
        self.cancelled += state == "cancelled"
        self.settle()

    def settle(self) -> None:
        """Once all of its jobs have ended, it has ended as they have."""
        if self.state == "started" and self.ended == self.wanted:
            self.state = "failed" if self.failed else "cancelled" if self.cancelled else "succeeded"


class OpenRun(msgspec.Struct):
    """A run that has not ended. Instants in microseconds since the epoch; `undo` are nodes still to be compensated."""

    number: int
    subject: str
    requester: str
    plan: str
    created_us: int
    due_us: int
    entry: int
    since_us: int
    state: str = "running"
    ending: str = ""
    keeps: bool = False
    jobs: int = 0
    open_jobs: int = 0
    nodes: dict[str, NodeBook] = {}
    undo: list[str] = []
    undone: tuple[str, str] | None = None
    """The node whose compensation has ended last, and how."""
    parent: OpenRun | None = None
    """The run that has it run for one of its nodes, and that node."""
    node: str = ""

    def awaits(self, name: str, item: int, workflow: str = "") -> bool:
        """Whether the next job of a node, or the next run of the workflow that it runs, is for this item."""
        node = self.nodes.get(name)
        return (
            node is not None
            and (self.state, node.state, node.workflow) == ("running", "started", workflow)
            and item == (-1 if node.items < 0 else node.submitted)
            and node.submitted < node.wanted
        )


class RunEnded(NamedTuple):
    """A run that has ended: `output` is the SHA-256 of its canonical output, None when it did not succeed."""

    number: int
    state: str
    jobs: int
    finished_us: int
    output: str | None
    entry: int


class NodeFact(NamedTuple):
    """What was decided about a node, the entry that says so, and the run that it was taken over from."""

    run: int
    name: str
    state: str
    items: int
    entry: int
    source: int | None = None


class NodeJobFact(NamedTuple):
    """A job that belongs to a node: for an item, as its only one (-1), or to undo it (-2)."""

    run: int
    node: str
    item: int
    job: int
    entry: int
