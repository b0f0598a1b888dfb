"""Runs of workflows in the tests' world: declared in short, worked off by node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from sheratan.contracts.worker import Assignment
from sheratan.contracts.workflows import WORKFLOW_FORMAT, Workflow
from tests.engine.world import World

__all__ = ["FAILED", "Work", "inner", "node", "sub", "wf", "work_off"]

FAILED = object()
"""In place of an output: the job fails for good."""


class Work(NamedTuple):
    """A job of a node, as its handler would see it."""

    node: str
    item: int | None
    input: Any
    undoes: bool


def node(name: str, **fields: Any) -> dict[str, Any]:
    """A node that runs the kind `work`, unless it says otherwise."""
    return {"name": name, "kind": "work", **fields}


def wf(*nodes: dict[str, Any], **fields: Any) -> Workflow:
    """A workflow of these nodes."""
    return msgspec.convert(inner("flow", *nodes, **fields), Workflow)


def sub(name: str, workflow: str | None = None, **fields: Any) -> dict[str, Any]:
    """A node that runs the workflow of its name, or another one."""
    return {"name": name, "workflow": workflow or name, **fields}


def inner(name: str, *nodes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A workflow of these nodes that another one brings along."""
    return {"format": WORKFLOW_FORMAT, "name": name, "nodes": list(nodes), **fields}


def work_off(
    world: World, session: int, output: Callable[[Work], Any] | None = None, most: int = 1_000
) -> list[Work]:
    """Do the jobs that are ready, one after the other, until there are none; says in which order they came."""
    done: list[Work] = []
    while len(done) < most and world.store.counts()["ready"]:
        [given] = world.lease(session)
        work = _work_of(world, given)
        value = output(work) if output is not None else work.node
        if value is FAILED:
            world.fail(given, "fatal")
        else:
            world.settle(given, output=value)
        done.append(work)
    return done


def _work_of(world: World, given: Assignment) -> Work:
    [row] = world.store.nodes_of_jobs([given.number])
    item = row.item if row.item >= 0 else None
    return Work(row.node, item, msgspec.json.decode(given.input), row.item == -2)
