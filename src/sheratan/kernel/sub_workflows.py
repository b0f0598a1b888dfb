"""Workflows within a workflow: which there are, which lead to which, and whether they ever come to an end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sheratan.contracts.workflows import Workflow
from sheratan.kernel.workflow_problem import Problem

__all__ = ["known_workflows", "misnamed_workflows", "reached_workflows"]


def known_workflows(outermost: Workflow) -> dict[str, Workflow]:
    """The workflows that the nodes of one, and of those that it brings along, can run: itself and those, by name."""
    return {outermost.name: outermost, **{inner.name: inner for inner in outermost.workflows}}


def misnamed_workflows(outermost: Workflow) -> Iterator[Problem]:
    """What is wrong with the workflows that one brings along, as a whole: each by its field."""
    names = {outermost.name}
    for place, inner in enumerate(outermost.workflows):
        if inner.name in names:
            yield Problem("name", f"{inner.name!r} is the name of another workflow; choose another").within(
                place
            )
        if inner.workflows:
            way = "only the outermost workflow brings others along; name them there, for all to run"
            yield Problem("workflows", way).within(place)
        names.add(inner.name)


def reached_workflows(known: Mapping[str, Workflow], name: str) -> list[str]:
    """The names of a workflow and of all that run below it, each once; those that are not known are left out."""
    found: dict[str, None] = {}
    left = [name]
    while left:
        name = left.pop()
        if name in known and name not in found:
            found[name] = None
            left += [node.workflow for node in known[name].nodes if node.workflow is not None]
    return list(found)
