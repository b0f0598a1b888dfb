"""Workflows declared in Python. What comes of it is the same data that a file declares (`sdk/workflow_file.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypedDict, Unpack

import msgspec

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.references import Reference, format_template, parse_template
from sheratan.contracts.values import check_json, convert
from sheratan.contracts.workflows import (
    WORKFLOW_FORMAT,
    AllOf,
    AnyOf,
    AtLeast,
    AtMost,
    Budget,
    Compensation,
    Condition,
    Contains,
    Equals,
    Exists,
    GreaterThan,
    In,
    LessThan,
    Node,
    Not,
    NotEquals,
    OnParentFailure,
    Workflow,
)
from sheratan.sdk.adapter import make_adapter
from sheratan.sdk.kind import Kind

__all__ = [
    "DeclaredNode",
    "JobOptions",
    "NodeOptions",
    "Value",
    "WorkflowBuilder",
    "all_of",
    "any_of",
    "not_",
    "text",
]


class Value:
    """A value that exists once the workflow runs: a place in an input or output, to be used in other nodes' inputs.

    `fetch.output["files"][0]` is a value within another one. As text it is a reference, so that it can stand in an
    f-string; where a plain `$` comes before it, or a plain `${` is meant, use `text`.
    """

    def __init__(self, reference: Reference) -> None:
        self.reference = reference

    def __getitem__(self, step: str | int) -> Value:
        """The value under a key or, counted from 0, at a place."""
        if isinstance(step, int) and step < 0:
            raise InvalidInput("places are counted from the start: 0 or more", field=str(self))
        return Value(Reference(self.reference.root, (*self.reference.path, step)))

    def __str__(self) -> str:
        return str(self.reference)

    def __repr__(self) -> str:
        return f"<value {self}>"

    def __iter__(self) -> NoReturn:
        raise TypeError(f"{self} has no items before the workflow runs; use for_each")

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self} is not known before the workflow runs; use when")

    def equals(self, other: Any) -> Equals:
        """Both are the same JSON value."""
        return Equals(value=str(self), other=_plain(other))

    def not_equals(self, other: Any) -> NotEquals:
        """The two are not the same JSON value."""
        return NotEquals(value=str(self), other=_plain(other))

    def greater_than(self, other: Any) -> GreaterThan:
        """The value comes after the other, of two numbers or two texts."""
        return GreaterThan(value=str(self), other=_plain(other))

    def less_than(self, other: Any) -> LessThan:
        """The value comes before the other, of two numbers or two texts."""
        return LessThan(value=str(self), other=_plain(other))

    def at_least(self, other: Any) -> AtLeast:
        """The value does not come before the other, of two numbers or two texts."""
        return AtLeast(value=str(self), other=_plain(other))

    def at_most(self, other: Any) -> AtMost:
        """The value does not come after the other, of two numbers or two texts."""
        return AtMost(value=str(self), other=_plain(other))

    def is_in(self, other: Any) -> In:
        """The value is an item of a list, a part of a text, or a key of an object."""
        return In(value=str(self), other=_plain(other))

    def contains(self, other: Any) -> Contains:
        """The value is a list, a text or an object with the other in it."""
        return Contains(value=str(self), other=_plain(other))

    def exists(self) -> Exists:
        """There is such a value, be it null."""
        return Exists(value=str(self))


class JobOptions(TypedDict, total=False):
    """How the jobs of a node are run; see `RunOptions`."""

    queue: str
    priority: int
    delay_seconds: float
    attempts_max: int
    backoff_base_seconds: float
    backoff_max_seconds: float
    run_timeout_seconds: float
    queue_timeout_seconds: float
    deadline_seconds: float
    tags: Sequence[str]
    cost: int
    budget: Mapping[str, int]
    version: int
    partition: str | Value


class NodeOptions(JobOptions, total=False):
    """When a node runs, and how often; see `Node`."""

    after: Sequence[DeclaredNode | str]
    for_each: Value
    at_once_max: int
    when: Condition
    on_parent_failure: OnParentFailure


class DeclaredNode:
    """A node of a workflow that is being built."""

    def __init__(self, name: str, declared: dict[str, Any]) -> None:
        self.name = name
        self.declared = declared

    @property
    def output(self) -> Value:
        """What the node gives; of a fan-out, the list of what it gave for each item."""
        return Value(Reference(self.name, ("output",)))

    @property
    def state(self) -> Value:
        """How the node ended, as text: one of `NodeState`."""
        return Value(Reference(self.name, ("state",)))

    def compensate(
        self, run: Kind[Any, Any] | str, input: Any = None, **options: Unpack[JobOptions]
    ) -> DeclaredNode:
        """Name the job that undoes the node when the workflow fails later or is cancelled."""
        kind = run.name if isinstance(run, Kind) else run
        declared = {"kind": kind, "input": _input(run, input), **_plain(options)}
        self.declared["compensate"] = convert(declared, Compensation)
        return self


class WorkflowBuilder:
    """Collects nodes and makes a `Workflow` of them. Durations in seconds.

    `input_schema` is a JSON Schema (2020-12) as a dict, or any type that pydantic knows.
    """

    def __init__(
        self,
        name: str,
        *,
        description: str = "",
        input_schema: Any = None,
        budget: Budget | None = None,
        on_parent_failure: OnParentFailure = "fail",
    ) -> None:
        self._declared = {
            "format": WORKFLOW_FORMAT,
            "name": name,
            "description": description,
            "input_schema": _schema(input_schema),
            "budget": budget or Budget(),
            "on_parent_failure": on_parent_failure,
        }
        self._nodes: dict[str, DeclaredNode] = {}
        self._workflows: dict[str, Workflow] = {}

    @property
    def input(self) -> Value:
        """What the workflow is run with."""
        return Value(Reference("input"))

    @property
    def id(self) -> Value:
        """The id of the run."""
        return Value(Reference("workflow", ("id",)))

    @property
    def item(self) -> Value:
        """In the input of a node with `for_each`: the item that it runs for."""
        return Value(Reference("item"))

    @property
    def index(self) -> Value:
        """In the input of a node with `for_each`: the place of its item, counted from 0."""
        return Value(Reference("index"))

    def job(
        self, name: str, run: Kind[Any, Any] | str, input: Any = None, **options: Unpack[NodeOptions]
    ) -> DeclaredNode:
        """Add a node that runs a kind, or the kind of that name. An input without values is checked by the kind."""
        kind = run.name if isinstance(run, Kind) else run
        return self._add(name, {"kind": kind, "input": _input(run, input)}, options)

    def workflow(
        self, name: str, run: Workflow | str, input: Any = None, **options: Unpack[NodeOptions]
    ) -> DeclaredNode:
        """Add a node that runs a workflow, with all that it brings along, or the workflow of that name."""
        other = run.name if isinstance(run, Workflow) else run
        if isinstance(run, Workflow):
            self._bring_along(run)
        return self._add(name, {"workflow": other, "input": _checked(_plain(input), "input")}, options)

    def build(self, *, output: Any = None) -> Workflow:
        """The workflow with the nodes so far; `output` is what it gives. InvalidInput names what does not fit."""
        declared = self._declared | {"output": _checked(_plain(output), "output")}
        nodes = [node.declared for node in self._nodes.values()]
        return convert({**declared, "nodes": nodes, "workflows": list(self._workflows.values())}, Workflow)

    def _bring_along(self, other: Workflow) -> None:
        for one in (msgspec.structs.replace(other, workflows=()), *other.workflows):
            if self._workflows.setdefault(one.name, one) != one:
                raise InvalidInput(f"there is another workflow {one.name!r} already", field="workflow")

    def _add(self, name: str, work: dict[str, Any], options: NodeOptions) -> DeclaredNode:
        if name in self._nodes:
            raise InvalidInput(f"there is a node {name!r} already", field="name")
        after = [node if isinstance(node, str) else node.name for node in options.get("after", ())]
        declared = {"name": name, **work, **options, "after": after}
        for field in ("for_each", "partition"):
            if field in options:
                declared[field] = str(options[field])
        convert(declared, Node)
        self._nodes[name] = DeclaredNode(name, declared)
        return self._nodes[name]


def text(*parts: str | Value) -> str:
    """Plain text and values in one text: `text("costs US$", order.output["price"])`. Any `${` in plain text stays."""
    return format_template(part if isinstance(part, str) else part.reference for part in parts)


def all_of(*conditions: Condition) -> AllOf:
    """Each of the conditions holds."""
    return AllOf(of=conditions)


def any_of(*conditions: Condition) -> AnyOf:
    """One of the conditions holds."""
    return AnyOf(of=conditions)


def not_(condition: Condition) -> Not:
    """The condition does not hold."""
    return Not(of=condition)


def _plain(value: Any) -> Any:
    """JSON values with references in place of the values that are not known yet."""
    if isinstance(value, Value):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _input(run: Kind[Any, Any] | str, value: Any) -> Any:
    """An input as JSON; the kind checks it, or turns it into JSON, unless parts of it are not known yet."""
    plain = _plain(value)
    if isinstance(run, str) or _holds_reference(plain):
        return _checked(plain, "input")
    dumped = run.dump_input(value)
    return plain if _is_json(plain) else dumped


def _checked(plain: Any, field: str) -> Any:
    check_json(plain, field)
    return plain


def _holds_reference(plain: Any) -> bool:
    if isinstance(plain, str):
        return any(isinstance(part, Reference) for part in parse_template(plain, field="input"))
    if isinstance(plain, dict):
        return any(map(_holds_reference, plain.values()))
    return isinstance(plain, list) and any(map(_holds_reference, plain))


def _is_json(value: Any) -> bool:
    try:
        check_json(value)
    except InvalidInput:
        return False
    return True


def _schema(wanted: Any) -> dict[str, Any]:
    if wanted is None:
        return {}
    if isinstance(wanted, dict):
        return wanted
    schema: dict[str, Any] = make_adapter(wanted).json_schema()
    return schema
