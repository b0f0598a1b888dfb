"""Is a declared workflow sound as a whole? All that is wrong with it at once, each by its field."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Any, Final

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.jobs import Options
from sheratan.contracts.references import Reference, parse_template, sole_reference
from sheratan.contracts.values import convert
from sheratan.contracts.workflows import (
    RESERVED_NAMES,
    AllOf,
    AnyOf,
    Condition,
    Exists,
    Node,
    Not,
    RunOptions,
    Workflow,
    as_declared,
)
from sheratan.kernel.canonical import canonical
from sheratan.kernel.graph import (
    Graph,
    declared_texts,
    edges,
    find_cycles,
    graph_of,
    parents_of,
    references_in,
)
from sheratan.kernel.input_schema import check_schema
from sheratan.kernel.sub_workflows import known_workflows, misnamed_workflows
from sheratan.kernel.workflow_needs import beyond_budgets
from sheratan.kernel.workflow_problem import Problem

__all__ = ["Problem", "check_workflow"]

_NAMES_SHOWN_MAX: Final = 10


def check_workflow(workflow: Workflow) -> list[Problem]:
    """Everything that keeps a workflow from being run; nothing when it is sound."""
    try:
        canonical(as_declared(workflow))
    except InvalidInput as error:
        # What is no JSON value cannot be looked through any further.
        return [Problem((error.field or "").lstrip("/"), error.detail)]
    known = known_workflows(workflow)
    problems = [*misnamed_workflows(workflow), *_problems_of(workflow, known)]
    for place, inner in enumerate(workflow.workflows):
        problems += [problem.within(place) for problem in _problems_of(inner, known)]
    return problems or beyond_budgets(workflow, known)


def _problems_of(workflow: Workflow, known: Mapping[str, Workflow]) -> list[Problem]:
    """What is wrong with one of several workflows, whatever the others are."""
    check = _Check(workflow, known)
    check.names()
    for place, node in enumerate(workflow.nodes):
        check.node(node, f"nodes/{place}")
    check.texts(workflow.output, "output")
    if check.is_free_of_cycles():
        check.compensations(graph_of(workflow))
    return [*check.problems, *check_schema(workflow.input_schema, "input_schema")]


class _Check:
    """The problems of one workflow, as far as they have been found."""

    def __init__(self, workflow: Workflow, known: Mapping[str, Workflow]) -> None:
        self._workflow = workflow
        self._known_workflows = known
        self._names = {node.name for node in workflow.nodes}
        self.problems: list[Problem] = []

    def names(self) -> None:
        first: dict[str, int] = {}
        for place, node in enumerate(self._workflow.nodes):
            field = f"nodes/{place}/name"
            if node.name in RESERVED_NAMES:
                self._say(field, f"`{node.name}` means something else in references; choose another name")
            if first.setdefault(node.name, place) != place:
                self._say(
                    field, f"{node.name!r} is the name of nodes/{first[node.name]} already; choose another"
                )

    def node(self, node: Node, at: str) -> None:
        self._work(node, at)
        named: set[str] = set()
        for place, name in enumerate(node.after):
            if name in named:
                self._say(f"{at}/after/{place}", f"{name!r} is named twice; once is enough")
            else:
                self._known(name, f"{at}/after/{place}")
            named.add(name)
        self.texts(node.input, f"{at}/input", with_item=node.for_each is not None)
        self._partition(node, at, with_item=node.for_each is not None)
        self._fan_out(node, at)
        self.texts(node.when, f"{at}/when")
        if node.when is not None:
            self._exists(node.when, f"{at}/when")
        if node.compensate is not None:
            self.texts(node.compensate.input, f"{at}/compensate/input")
            self._partition(node.compensate, f"{at}/compensate")

    def texts(self, value: Any, field: str, *, with_item: bool = False) -> None:
        """The templates in a value: each must be written well, and each reference must be able to lead somewhere."""
        for at, text, is_key in declared_texts(value, field):
            try:
                parts = parse_template(text, field=at)
            except InvalidInput as error:
                self._say(at, error.detail)
                continue
            for part in parts:
                if isinstance(part, Reference):
                    self._reference(part, at, is_key=is_key, with_item=with_item)

    def is_free_of_cycles(self) -> bool:
        cycles = find_cycles(parents_of(self._workflow))
        declared = edges(self._workflow)
        for cycle in cycles:
            field = next(edge.field for edge in declared if (edge.parent, edge.child) == cycle[:2])
            self._say(
                field, f"these nodes wait for one another: {' → '.join(cycle)}; take one of the arrows out"
            )
        return not cycles

    def compensations(self, graph: Graph) -> None:
        """A compensation may only refer to its node and to what runs before that; the rest may come later or never."""
        ran = _ran_before(graph)
        for place, node in enumerate(self._workflow.nodes):
            if node.compensate is None:
                continue
            for name in ("input", "partition"):
                declared, at = getattr(node.compensate, name), f"nodes/{place}/compensate/{name}"
                for field, part in references_in(declared, at):
                    if part.root in self._names and not ran[node.name] >> graph.order.index(part.root) & 1:
                        text = f"node {part.root} need not have run before {node.name}"
                        way = f"refer to {node.name} or to what runs before it"
                        self._say(field, f"{part}: {text}; {way}")

    def _say(self, field: str, detail: str) -> None:
        self.problems.append(Problem(field, detail))

    def _work(self, node: Node, at: str) -> None:
        """A node is a job or a workflow, and only a job has options."""
        if (node.kind is None) == (node.workflow is None):
            found = "neither" if node.kind is None else "both"
            self._say(at, f"a node has either `kind` or `workflow`; {node.name} has {found}")
        if node.workflow is not None:
            if node.workflow not in self._known_workflows:
                there = ", ".join(list(self._known_workflows)[:_NAMES_SHOWN_MAX])
                way = "bring it along in `workflows`"
                self._say(f"{at}/workflow", f"there is no workflow {node.workflow!r}, only {there}; {way}")
            for name in RunOptions.__struct_fields__:
                if name in as_declared(node):
                    self._say(f"{at}/{name}", "this is for jobs; say it in the nodes of the sub-workflow")

    def _partition(self, work: RunOptions, at: str, *, with_item: bool = False) -> None:
        """One without references is known by now, so it must be one."""
        text, field = work.partition, f"{at}/partition"
        self.texts(text, field, with_item=with_item)
        if text is not None and not any(references_in(text, field)):
            try:
                convert({"partition": text}, Options)
            except InvalidInput as error:
                self._say(field, error.detail)

    def _fan_out(self, node: Node, at: str) -> None:
        if node.for_each is None:
            if node.at_once_max is not None:
                self._say(f"{at}/at_once_max", "this is for a node with `for_each`, which runs once per item")
            return
        sound = len(self.problems)
        self.texts(node.for_each, f"{at}/for_each")
        if len(self.problems) == sound and not _may_be_list(node.for_each):
            self._say(
                f"{at}/for_each", "must be one reference to a list, such as ${input.files}, and nothing else"
            )
        if node.compensate is not None:
            way = "put it into a workflow, and give the node that runs that the compensation"
            self._say(f"{at}/compensate", f"a fan-out cannot be compensated; {way}")

    def _exists(self, condition: Condition, field: str) -> None:
        if isinstance(condition, Exists) and not _is_reference(condition.value):
            self._say(f"{field}/value", "must be one reference, such as ${input.file}, and nothing else")
        elif isinstance(condition, Not):
            self._exists(condition.of, f"{field}/of")
        elif isinstance(condition, AllOf | AnyOf):
            for place, part in enumerate(condition.of):
                self._exists(part, f"{field}/of/{place}")

    def _reference(self, reference: Reference, field: str, *, is_key: bool, with_item: bool) -> None:
        if is_key:
            self._say(
                field, f"{reference} is in a key, and only values are filled in; write $${{ for a plain ${{"
            )
        elif reference.root in ("item", "index") and not with_item:
            self._say(field, f"{reference} has a meaning only in `input` and `partition`, with `for_each`")
        elif reference.root in RESERVED_NAMES or self._known(reference.root, field):
            forms = _forms(reference)
            if forms:
                self._say(field, f"{reference} leads to nothing; write {forms}")

    def _known(self, name: str, field: str) -> bool:
        if name in self._names:
            return True
        shown = ", ".join([node.name for node in self._workflow.nodes][:_NAMES_SHOWN_MAX])
        more = ", …" if len(self._workflow.nodes) > _NAMES_SHOWN_MAX else ""
        self._say(field, f"there is no node {name!r}; there are {shown}{more}")
        return False


def _ran_before(graph: Graph) -> dict[str, int]:
    """For each node the bits of the places in the graph's order of itself and of all that runs before it."""
    ran: dict[str, int] = {}
    for place, name in enumerate(graph.order):
        ran[name] = reduce(or_, (ran[parent] for parent in graph.parents[name]), 1 << place)
    return ran


def _forms(reference: Reference) -> str:
    """What a reference with this root can be, when it is none of that; nothing when it is."""
    root, path = reference.root, reference.path
    if root in ("input", "item"):
        return ""
    if root == "index":
        return "${index}" if path else ""
    if root == "workflow":
        return "" if path == ("id",) else "${workflow.id}"
    is_known = path[:1] == ("output",) or path == ("state",)
    return "" if is_known else f"${{{root}.output}} or ${{{root}.state}}"


def _may_be_list(text: str) -> bool:
    """Whether a text is one reference, to something that can be a list."""
    reference = sole_reference(text, field="")
    return reference is not None and (reference.root == "input" or reference.path[:1] == ("output",))


def _is_reference(text: str) -> bool:
    try:
        return sole_reference(text, field="") is not None
    except InvalidInput:
        return True  # `texts` says what is wrong with it
