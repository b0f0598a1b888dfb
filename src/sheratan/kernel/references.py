"""What do the references in a value stand for, now?

A text that is one reference takes the value, with its type. References within longer text are put in as text, which
only text, numbers and truth values can be. What is put in is never read as a template again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sheratan.contracts.references import Path, Reference, format_path, parse_template
from sheratan.contracts.values import pointer
from sheratan.contracts.workflows import NodeState
from sheratan.kernel.canonical import canonical
from sheratan.kernel.words import count

__all__ = ["Item", "NodeResult", "Resolved", "Scope", "Unresolved", "look_up", "resolve", "type_name"]


class NodeResult(msgspec.Struct, frozen=True, kw_only=True):
    """A node as references see it: its state, and its output once it has one."""

    state: NodeState
    output: Any = None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """The item of a list that a fan-out runs for, and its place in it, counted from 0."""

    value: Any
    index: int


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """All that references can lead to. `nodes` holds every node that has a state."""

    workflow_id: str
    input: Any
    nodes: Mapping[str, NodeResult]
    item: Item | None = None


class Resolved(msgspec.Struct, frozen=True):
    """A value without references."""

    value: Any


class Unresolved(msgspec.Struct, frozen=True):
    """A reference that leads to nothing: the field that holds it, the reference as written, and what is missing.

    The reason names types and keys, never a value, so that it can be recorded.
    """

    field: str
    reference: str
    reason: str


def resolve(value: Any, scope: Scope, *, field: str, bytes_max: int) -> Resolved | tuple[Unresolved, ...]:
    """The value with everything that its references stand for, or each reference that leads to nothing.

    What is put in may be `bytes_max` bytes of JSON in all: a reference is short, what it stands for need not be.
    """
    filling = _Filling(scope, bytes_max)
    filled = filling.value(value, field)
    return tuple(filling.unresolved) if filling.unresolved else Resolved(filled)


def look_up(reference: Reference, scope: Scope, *, field: str) -> Resolved | Unresolved:
    """What a single reference stands for."""
    found = _root(reference, scope)
    if isinstance(found, str):
        return Unresolved(field, str(reference), found)
    value, path, name = found
    for place, step in enumerate(path):
        if not _has(value, step):
            reason = f"{name}{format_path(path[:place])} {_lack(value, step)}"
            return Unresolved(field, str(reference), reason)
        value = value[step]
    return Resolved(value)


class _Filling:
    """One value on its way to having no references: what is missing, and how many bytes may still be put in."""

    def __init__(self, scope: Scope, bytes_max: int) -> None:
        self._scope = scope
        self._bytes_max = bytes_max
        self._bytes_left = bytes_max
        self.unresolved: list[Unresolved] = []

    def value(self, value: Any, field: str) -> Any:
        if isinstance(value, str):
            return self._text(value, field)
        if isinstance(value, (list, tuple)):
            return [self.value(item, f"{field}/{place}") for place, item in enumerate(value)]
        if isinstance(value, dict):
            return {
                self._key(key, field): self.value(item, pointer(field, key)) for key, item in value.items()
            }
        return value

    def _text(self, text: str, field: str) -> Any:
        parts = parse_template(text, field=field)
        if len(parts) == 1 and isinstance(parts[0], Reference):
            found = self._found(parts[0], field)
            return None if found is None else found.value
        return "".join(part if isinstance(part, str) else self._as_text(part, field) for part in parts)

    def _key(self, key: str, field: str) -> str:
        parts = parse_template(key, field=field)
        for part in parts:
            if isinstance(part, Reference):
                self._refuse(part, field, "it is in a key, and only values are filled in")
        return "".join(part for part in parts if isinstance(part, str))

    def _as_text(self, reference: Reference, field: str) -> str:
        found = self._found(reference, field)
        if found is None:
            return ""
        if isinstance(found.value, str):
            return found.value
        if isinstance(found.value, bool | int | float):
            return canonical(found.value).decode()
        allowed = "only text, numbers and truth values can stand within text"
        self._refuse(
            reference, field, f"its value is {type_name(found.value)}, and {allowed}; let it stand alone"
        )
        return ""

    def _found(self, reference: Reference, field: str) -> Resolved | None:
        """What a reference stands for, unless it leads to nothing or there is no more room."""
        if self._bytes_left < 0:
            return None
        found = look_up(reference, self._scope, field=field)
        if isinstance(found, Unresolved):
            self.unresolved.append(found)
            return None
        self._bytes_left -= len(msgspec.json.encode(found.value))
        if self._bytes_left < 0:
            reason = f"with its value these are more than {self._bytes_max} bytes; refer to a part of it"
            self._refuse(reference, field, reason)
            return None
        return found

    def _refuse(self, reference: Reference, field: str, reason: str) -> None:
        self.unresolved.append(Unresolved(field, str(reference), reason))


_OUTPUT_STATES: Final = ("succeeded", "compensating", "compensated")


def _root(reference: Reference, scope: Scope) -> tuple[Any, Path, str] | str:
    """Where a reference starts, the rest of its path and what to call that; or what is missing."""
    root, path = reference.root, reference.path
    if root == "input":
        return scope.input, path, "the workflow's input"
    if root == "workflow":
        return {"id": scope.workflow_id}, path, "the workflow"
    if root in ("item", "index"):
        if scope.item is None:
            return f"there is no {root}: the node does not run for each item of a list"
        return (scope.item.value if root == "item" else scope.item.index), path, f"the {root}"
    return _node_root(root, path, scope.nodes)


def _node_root(name: str, path: Path, nodes: Mapping[str, NodeResult]) -> tuple[Any, Path, str] | str:
    node = nodes.get(name)
    if node is None:
        return f"there is no node {name}"
    if not path or path[0] not in ("output", "state"):
        return f"of a node there are `.output` and `.state`: ${{{name}.output}}"
    if path[0] == "state":
        return node.state, path[1:], f"the state of node {name}"
    if node.state not in _OUTPUT_STATES:
        return f"node {name} has no output: its state is {node.state}"
    return node.output, path[1:], f"node {name} has succeeded, its output"


def _has(value: Any, step: str | int) -> bool:
    if isinstance(step, str):
        return isinstance(value, dict) and step in value
    return isinstance(value, (list, tuple)) and step < len(value)


def _lack(value: Any, step: str | int) -> str:
    """Why a value has no such key or place."""
    if isinstance(step, str) and isinstance(value, dict):
        return f"has no `{step}`"
    if isinstance(step, int) and isinstance(value, (list, tuple)):
        return f"has {count(len(value), 'item')}, and so no [{step}]"
    wanted = f"no `{step}`" if isinstance(step, str) else f"no [{step}]"
    return f"is {type_name(value)}, which has {wanted}"


def type_name(value: Any) -> str:
    """What JSON calls the type of a value."""
    if value is None:
        return "null"
    names = {bool: "a truth value", str: "text", dict: "an object", list: "a list", tuple: "a list"}
    return names.get(type(value), "a number")
