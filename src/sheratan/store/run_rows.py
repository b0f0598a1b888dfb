"""Rows of workflows' runs, their nodes and the nodes' jobs."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = [
    "ITEM_ONLY",
    "ITEM_UNDO",
    "NodeJobRow",
    "NodeRow",
    "RunKeyRow",
    "RunOpen",
    "RunPlace",
    "RunResult",
    "RunRow",
]

ITEM_ONLY: Final = -1
ITEM_UNDO: Final = -2
"""In place of the place of an item: the only job of its node, and the job that undoes the node."""


class RunRow(NamedTuple):
    """A run of a workflow, as it was asked for. Never changes. `version` and `plan` are SHA-256 digests."""

    number: int
    salt: int
    tenant: str
    workflow: str
    version: bytes
    plan: bytes
    """Under this digest the run's `Plan` is kept apart from the rows."""
    created_us: int
    due_us: int
    started_by: str
    origin: int | None
    input: bytes | None
    payload: bytes | None
    """The SHA-256 of an input that is too large for the row."""
    parent: int | None = None
    """The run that has it run for a node of its own, that node and the item, as in `NodeJobRow`; else None."""
    node: str | None = None
    item: int | None = None


class RunKeyRow(NamedTuple):
    """An idempotency key, the SHA-256 of the request that it stands for, and the run that this made."""

    tenant: str
    key: str
    digest: bytes
    run: int


class RunOpen(NamedTuple):
    """A run that has not ended. `ending` is the end that was decided on, or empty; `jobs` are used of its budget."""

    number: int
    state: str
    ending: str
    keeps: int
    """Whether what its nodes have done is kept as it is when it ends."""
    jobs: int
    since_us: int
    entry: int


class RunResult(NamedTuple):
    """A run that has ended. Never changes."""

    number: int
    state: str
    jobs: int
    finished_us: int
    output: bytes | None
    payload: bytes | None
    entry: int


RunPlace = RunOpen | RunResult


class NodeRow(NamedTuple):
    """What was decided about a node: `started`, `skipped`, `failed`, `blocked` or `taken` over. Never changes.

    `items` is how many jobs it has, `-1` for one that is no fan-out. `source` is the run that has its jobs, or in which
    it was skipped, when it was taken over.
    """

    run: int
    name: str
    state: str
    items: int
    entry: int
    source: int | None = None


class NodeJobRow(NamedTuple):
    """Job `job` belongs to a node: for an item of its list, as its only one, or to undo it."""

    run: int
    node: str
    item: int
    job: int
