"""A workflow as it is declared: nodes, what leads from one to the next, and what it may use up at most.

Everything here is data. Any text in an `input`, a condition or the `output` may hold references to values that exist
once the workflow runs, such as `${fetch.output.url}` (contracts/references.py). A node runs after the nodes that it
refers to and those that it names in `after`: these are its parents.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sheratan.contracts.code import Version
from sheratan.contracts.jobs import JobState, Name, Options
from sheratan.contracts.patterns import NODE
from sheratan.contracts.spending import JobBudget

__all__ = [
    "NODES_MAX",
    "RESERVED_NAMES",
    "WORKFLOWS_MAX",
    "WORKFLOW_FORMAT",
    "AllOf",
    "AnyOf",
    "AtLeast",
    "AtMost",
    "Budget",
    "Comparison",
    "Compensation",
    "Condition",
    "Contains",
    "Equals",
    "Exists",
    "GreaterThan",
    "In",
    "LessThan",
    "Node",
    "NodeName",
    "NodeState",
    "Not",
    "NotEquals",
    "OnParentFailure",
    "RunOptions",
    "Workflow",
    "as_declared",
    "run_options",
]

WORKFLOW_FORMAT = "sheratan.workflow/1"

NODES_MAX = 1_000
"""A larger graph is no longer read by anyone; work that grows with the data is a fan-out, or a sub-workflow."""

PARTITION_TEXT_MAX = 1_024
"""Characters of a node's `partition` as declared; with its references filled in it is a name, which is shorter."""

WORKFLOWS_MAX = 100
"""Workflows that one brings along; more belong into several, which jobs may start."""

RESERVED_NAMES = ("input", "item", "index", "workflow")
"""What references call things that are no node."""

NodeState = JobState | Literal["skipped", "compensating", "compensated"]
"""Where a node is: as its job is, or `skipped` by a decision, or being undone, or undone."""

OnParentFailure = Literal["fail", "skip", "continue"]
"""What becomes of a node when a parent has failed or was cancelled: it fails without running, is skipped, or runs.

When a parent was skipped, the node is skipped as well, unless it says `continue`.
"""

NodeName = Annotated[str, Meta(min_length=1, max_length=64, pattern=NODE)]
"""A node's name: letters, digits, `_` and `-`, at most 64, starting with a letter, so that references can use it."""

Seconds = Annotated[float, Meta(ge=0)]
PositiveSeconds = Annotated[float, Meta(gt=0)]


class Comparison(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="is"):
    """A value and another one beside it; both may be references."""

    value: Any
    other: Any


class Equals(Comparison, frozen=True, tag="equals"):
    """Both are the same JSON value: 1 equals 1.0, and neither equals true."""


class NotEquals(Comparison, frozen=True, tag="not_equals"):
    """The two are not the same JSON value."""


class GreaterThan(Comparison, frozen=True, tag="greater_than"):
    """Two numbers, or two texts by their code points: the value comes after the other."""


class LessThan(Comparison, frozen=True, tag="less_than"):
    """Two numbers, or two texts by their code points: the value comes before the other."""


class AtLeast(Comparison, frozen=True, tag="at_least"):
    """Two numbers, or two texts by their code points: the value does not come before the other."""


class AtMost(Comparison, frozen=True, tag="at_most"):
    """Two numbers, or two texts by their code points: the value does not come after the other."""


class In(Comparison, frozen=True, tag="in"):
    """The value is an item of the other, a list; or a part of the other, a text; or a key of the other, an object."""


class Contains(Comparison, frozen=True, tag="contains"):
    """The value is a list with the other as an item, or a text with it as a part, or an object with it as a key."""


class Exists(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="is", tag="exists"
):
    """The value, one reference, leads to something, be it null; a node that did not succeed has no output."""

    value: str


class AllOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="is", tag="all"):
    """Each condition holds. They are asked in order, and none after the first that does not hold."""

    of: Annotated[tuple[Condition, ...], Meta(min_length=1)]


class AnyOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="is", tag="any"):
    """One of the conditions holds. They are asked in order, and none after the first that holds."""

    of: Annotated[tuple[Condition, ...], Meta(min_length=1)]


class Not(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="is", tag="not"):
    """The condition does not hold."""

    of: Condition


Condition = (
    Equals
    | NotEquals
    | GreaterThan
    | LessThan
    | AtLeast
    | AtMost
    | In
    | Contains
    | Exists
    | AllOf
    | AnyOf
    | Not
)


class RunOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the jobs of a node are run. `None` takes the kind's default; durations in seconds."""

    queue: Name | None = None
    priority: Annotated[int, Meta(ge=0, le=9)] | None = None
    delay_seconds: Seconds = 0.0
    attempts_max: Annotated[int, Meta(ge=1)] | None = None
    backoff_base_seconds: Seconds | None = None
    backoff_max_seconds: Seconds | None = None
    run_timeout_seconds: PositiveSeconds | None = None
    queue_timeout_seconds: PositiveSeconds | None = None
    deadline_seconds: Annotated[
        PositiveSeconds | None, Meta(description="How long after its submission each of its jobs fails.")
    ] = None
    tags: tuple[Name, ...] = ()
    cost: Annotated[int, Meta(ge=1, le=1_000)] = 1
    budget: Annotated[
        JobBudget | None,
        Meta(description="What each of its jobs may be charged, in minor units by unit."),
    ] = None
    version: Annotated[Version | None, Meta(description="The version of the kind.")] = None
    partition: Annotated[
        Annotated[str, Meta(min_length=1, max_length=PARTITION_TEXT_MAX)] | None,
        Meta(
            description="Whose or what its jobs are, of many alike: a text, with references as in `input` if need be."
        ),
    ] = None


class Compensation(RunOptions, frozen=True):
    """The job that undoes what a node has done (a saga: Garcia-Molina and Salem, 1987).

    When the workflow fails or is cancelled, the nodes that succeeded are compensated, the last one first.
    """

    kind: Name
    input: Annotated[
        Any, Meta(description="May refer to the node's own output, and to what ran before the node.")
    ] = None


class Node(RunOptions, frozen=True):
    """A part of a workflow: a job of a kind, or a workflow within the workflow, once or for each item of a list."""

    name: NodeName
    kind: Annotated[Name | None, Meta(description="The kind of its job. Either this or `workflow`.")] = None
    workflow: Annotated[
        Name | None,
        Meta(
            description="The workflow that it runs: one of `workflows`, or the outermost itself, by its name."
        ),
    ] = None
    input: Annotated[Any, Meta(description="Any JSON value, with references in its texts.")] = None
    after: Annotated[
        tuple[NodeName, ...],
        Meta(description="Nodes that end before it, besides those that it refers to."),
    ] = ()
    for_each: Annotated[
        str | None,
        Meta(
            description=(
                "A reference to a list: the node runs once per item, as ${item} and ${index}. Its output is"
                " then the list of the outputs, in the order of the items."
            )
        ),
    ] = None
    at_once_max: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="How many items of `for_each` run at the same time at most."),
    ] = None
    when: Annotated[
        Condition | None, Meta(description="When this does not hold, the node is skipped as a whole.")
    ] = None
    on_parent_failure: Annotated[
        OnParentFailure | None,
        Meta(description="What becomes of it when a parent has failed; without it, what the workflow says."),
    ] = None
    compensate: Annotated[
        Compensation | None, Meta(description="The job that undoes it when the workflow fails later.")
    ] = None


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one run of a workflow may use up, all of its sub-workflows and proposed jobs included."""

    jobs_max: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Jobs and runs of sub-workflows in all; above the default, a fan-out is likely a mistake.",
        ),
    ] = 10_000
    depth_max: Annotated[
        int,
        Meta(
            ge=1,
            le=100,
            description="Depth of a job: 1 in this workflow, one more in a sub-workflow or when a job proposes it.",
        ),
    ] = 8
    wall_seconds_max: Annotated[
        float,
        Meta(gt=0, description="Seconds from its start; 7 days by default, as the longest job may take."),
    ] = 604_800.0
    spend: Annotated[
        JobBudget,
        Meta(
            description="What attempts at its jobs but for compensations may be charged, in minor units by unit."
        ),
    ] = {}


class Workflow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A workflow, as a file or a program declares it."""

    format: Annotated[
        Literal["sheratan.workflow/1"], Meta(description="The form of this declaration and its version.")
    ]
    name: Name
    description: str = ""
    input_schema: Annotated[
        dict[str, Any],
        Meta(description="JSON Schema 2020-12 of the workflow's input, which is refused unless it fits."),
    ] = {}
    nodes: Annotated[
        tuple[Node, ...],
        Meta(min_length=1, max_length=NODES_MAX, description="Where order is free, the first goes first."),
    ]
    output: Annotated[Any, Meta(description="Any JSON value, with references in its texts.")] = None
    budget: Budget = Budget()
    on_parent_failure: Annotated[
        OnParentFailure, Meta(description="For the nodes that do not say it themselves.")
    ] = "fail"
    workflows: Annotated[
        tuple[Workflow, ...],
        Meta(
            max_length=WORKFLOWS_MAX,
            description="The workflows that its nodes run, and the nodes of these; only the outermost brings any.",
        ),
    ] = ()


def as_declared(part: Any) -> Any:
    """A workflow or a part of it as a file would say it: JSON values, without what is as by default.

    So a later release that adds a field with a default gives the same for the same declaration.
    """
    if isinstance(part, msgspec.Struct):
        found: dict[str, Any] = {}
        if part.__struct_config__.tag_field is not None:
            found[part.__struct_config__.tag_field] = part.__struct_config__.tag
        for name, default in _defaults(type(part)).items():
            value = getattr(part, name)
            if value != default:
                found[name] = as_declared(value)
        return found
    if isinstance(part, (list, tuple)):
        return [as_declared(item) for item in part]
    if isinstance(part, dict):
        return {key: as_declared(value) for key, value in part.items()}
    return part


@lru_cache
def _defaults(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """What each field is by default. A required one is NODEFAULT, which nothing declared equals."""
    return {
        field.name: field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        for field in msgspec.structs.fields(struct)
    }


def run_options(node: Node | Compensation) -> Options:
    """The options of a job of a node or of its compensation, but for the partition, which each job may have another."""
    names = (name for name in RunOptions.__struct_fields__ if name != "partition")
    return Options(**{name: getattr(node, name) for name in names})
