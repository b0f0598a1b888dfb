"""What a picture of a workflow says about its nodes, whatever it is drawn with."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sheratan.contracts.workflows import Node, NodeState

__all__ = ["NodeStatus", "Statuses", "describe_state", "describe_work", "notes", "shorten"]


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a node stands. For a fan-out also how many items it has, once that is known, and how many of them ended."""

    state: NodeState
    items: int | None = None
    items_ended: int = 0


Statuses = Mapping[str, NodeStatus]
"""The nodes that have a status, by name."""


def describe_work(node: Node) -> str:
    """What a node runs: `http.get`, or `workflow audit`."""
    return f"workflow {node.workflow}" if node.kind is None else node.kind


def describe_state(status: NodeStatus | None) -> str:
    """The state in words: `running 7/12`; nothing for a node without one."""
    if status is None:
        return ""
    return status.state if status.items is None else f"{status.state} {status.items_ended}/{status.items}"


def notes(node: Node, status: NodeStatus | None) -> list[str]:
    """What is special about a node: `for each` of a list, `if` a condition holds, `undo KIND` in case of need."""
    found: list[str] = []
    if node.for_each is not None:
        found.append("for each" if status is None or status.items is None else f"for each of {status.items}")
    if node.when is not None:
        found.append("if")
    if node.compensate is not None:
        found.append(f"undo {node.compensate.kind}")
    return found


def shorten(text: str, length_max: int) -> str:
    """At most so many characters; what is left out is in the middle, since names often differ at their ends."""
    if len(text) <= length_max:
        return text
    tail = (length_max - 1) // 2
    return f"{text[: length_max - 1 - tail]}…{text[len(text) - tail :]}"
