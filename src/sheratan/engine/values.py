"""The values that references of a run stand for: inputs of jobs, conditions, lists, outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from sheratan.contracts.errors import InvalidInput, TooLarge
from sheratan.contracts.jobs import Options
from sheratan.contracts.values import convert
from sheratan.contracts.workflows import Condition, NodeState
from sheratan.engine.batch import Batch
from sheratan.engine.runs import NodeMemory, OpenRun
from sheratan.kernel.canonical import canonical
from sheratan.kernel.conditions import Answer, evaluate
from sheratan.kernel.input_schema import find_misfit, sound_schema
from sheratan.kernel.references import (
    Item,
    NodeResult,
    Resolved,
    Scope,
    Unresolved,
    resolve,
    type_name,
)
from sheratan.kernel.sub_workflows import known_workflows
from sheratan.store.run_rows import ITEM_ONLY, RunPlace, RunResult

__all__ = ["Missing", "RunValues", "node_state"]

_NO_LIMIT = 1 << 62
_AS_DECIDED: dict[str, NodeState] = {"waiting": "blocked", "started": "running"}


class Missing(Exception):
    """A value cannot be filled in; the text says which and why, and quotes no value."""


def node_state(node: NodeMemory) -> NodeState:
    """The state of a node as users see it."""
    if node.undo is not None and node.state == "succeeded":
        return "compensated" if node.undo[1] == "succeeded" else "compensating"
    return _AS_DECIDED.get(node.state, node.state)  # type: ignore[return-value]


class RunValues:
    """What can be looked up in a run as of this batch. Outputs are read once, and only those that are asked for."""

    def __init__(self, batch: Batch, run: OpenRun, *, decided: bool = False) -> None:
        self._run = run
        limits = batch.state.limits
        # What was found to fit when it was decided on is filled in, whatever the limits have become since.
        self._most = _NO_LIMIT if decided else limits.payload_bytes_max
        output_most = _NO_LIMIT if decided else limits.workflow_output_bytes_max
        self._schemas: dict[str, dict[str, Any]] = {}
        row = run.row
        given = batch.body(row.input, row.payload)
        self._scope = Scope(
            workflow_id=run.id, input=msgspec.json.decode(given), nodes=_Results(batch, run, output_most)
        )

    def job_input(self, name: str, item: Item | None) -> bytes:
        """The input of a job of a node as canonical JSON."""
        place = self._run.plan.places[name]
        return self._fill(self._run.plan.nodes[name].input, f"nodes/{place}/input", item)

    def checked_input(self, name: str, item: Item | None) -> bytes:
        """The same, which for a node that runs a workflow must fit what that says of its input."""
        data = self.job_input(name, item)
        plan = self._run.plan
        workflow = plan.nodes[name].workflow
        if workflow is None:
            return data
        if workflow not in self._schemas:
            declared = known_workflows(plan.plan.workflow)[workflow].input_schema
            self._schemas[workflow] = sound_schema(declared)
        schema = self._schemas[workflow]
        misfit = find_misfit(schema, msgspec.json.decode(data)) if schema else None
        if misfit is not None:
            field = misfit.place(f"nodes/{plan.places[name]}/input", is_told=True)
            raise Missing(f"{field}: {misfit.detail} (`input_schema` of {workflow})")
        return data

    def job_partition(self, name: str, item: Item | None) -> str | None:
        """The partition of a job of a node; None where it is to have none."""
        place = self._run.plan.places[name]
        return self._partition(self._run.plan.nodes[name].partition, f"nodes/{place}/partition", item)

    def undo_partition(self, name: str) -> str | None:
        """The partition of the job that compensates a node; None where it is to have none."""
        undo = self._run.plan.nodes[name].compensate
        assert undo is not None
        place = self._run.plan.places[name]
        return self._partition(undo.partition, f"nodes/{place}/compensate/partition", None)

    def undo_input(self, name: str) -> bytes:
        """The input of the job that compensates a node."""
        undo = self._run.plan.nodes[name].compensate
        assert undo is not None
        return self._fill(undo.input, f"nodes/{self._run.plan.places[name]}/compensate/input", None)

    def output(self) -> bytes:
        """What the run gives."""
        return self._fill(self._run.plan.workflow.output, "output", None)

    def condition(self, name: str, condition: Condition) -> Answer:
        """Whether a node's condition holds."""
        field = f"nodes/{self._run.plan.places[name]}/when"
        try:
            answer = evaluate(condition, self._scope, field=field, bytes_max=self._most)
        except TooLarge as error:
            raise Missing(f"{field}: {error.detail}") from error
        if isinstance(answer, Answer):
            return answer
        raise Missing(_told(answer[0]))

    def items(self, name: str) -> list[Any]:
        """The list that a node runs for."""
        node = self._run.nodes[name]
        if node.values is None:
            field = f"nodes/{self._run.plan.places[name]}/for_each"
            found = self._value(self._run.plan.nodes[name].for_each, field, None)
            if not isinstance(found, list):
                raise Missing(f"{field}: it is {type_name(found)}, and must be a list")
            node.values = found
        return node.values

    def _partition(self, declared: str | None, field: str, item: Item | None) -> str | None:
        if declared is None:
            return None
        found = self._value(declared, field, item)
        if not isinstance(found, str):
            raise Missing(f"{field}: it is {type_name(found)}, and must be text")
        try:
            return convert({"partition": found}, Options).partition
        except InvalidInput as error:
            # It says what is wrong with the text, and quotes none of it.
            raise Missing(f"{field}: {error.detail}") from error

    def _fill(self, declared: Any, field: str, item: Item | None) -> bytes:
        most = self._most
        try:
            data = canonical(self._value(declared, field, item), field=field)
        except InvalidInput as error:
            raise Missing(f"{error.field}: {error.detail}") from error
        if len(data) > most:
            raise Missing(f"{field}: {len(data)} bytes of JSON; at most {most} (limits.payload_bytes_max)")
        return data

    def _value(self, declared: Any, field: str, item: Item | None) -> Any:
        scope = self._scope if item is None else msgspec.structs.replace(self._scope, item=item)
        try:
            found = resolve(declared, scope, field=field, bytes_max=self._most)
        except TooLarge as error:
            raise Missing(f"{field}: {error.detail}") from error
        if isinstance(found, Resolved):
            return found.value
        raise Missing(_told(found[0]))


def _told(missing: Unresolved) -> str:
    return f"{missing.reference} in {missing.field}: {missing.reason}"


class _Results(Mapping[str, NodeResult]):
    """The nodes of a run as references see them."""

    def __init__(self, batch: Batch, run: OpenRun, bytes_max: int) -> None:
        self._batch = batch
        self._run = run
        self._bytes_max = bytes_max
        self._outputs: dict[str, Any] = {}

    def __getitem__(self, name: str) -> NodeResult:
        node = self._run.nodes[name]
        if node.state != "succeeded":
            return NodeResult(state=node_state(node))
        if name not in self._outputs:
            self._outputs[name] = self._output(name, node)
        return NodeResult(state=node_state(node), output=self._outputs[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._run.nodes)

    def __len__(self) -> int:
        return len(self._run.nodes)

    def _output(self, name: str, node: NodeMemory) -> Any:
        most, size = self._bytes_max, 0
        found: list[Any] = []
        for body in self._bodies(name, node):
            size += len(body)
            if size > most:
                limit = f"at most {most} (limits.workflow_output_bytes_max)"
                raise TooLarge(f"the outputs of node {name} have more bytes of JSON: {limit}")
            found.append(msgspec.json.decode(body))
        return found[0] if node.items == ITEM_ONLY else found

    def _bodies(self, name: str, node: NodeMemory) -> Iterator[bytes]:
        """What the jobs of a node gave, or its runs, in the order of its items."""
        batch, source, numbers = self._batch, node.source, node.jobs
        if self._run.plan.nodes[name].workflow is not None:
            if source is not None:
                numbers = batch.state.store.runs_of_node(source, name)
            return run_outputs(batch, numbers)
        if source is not None:
            numbers = batch.state.store.jobs_of_node(source, name)
        return batch.outputs(numbers)


def run_outputs(batch: Batch, numbers: Sequence[int]) -> Iterator[bytes]:
    """The outputs of runs that have succeeded, in this order, read as they are asked for."""
    moved = {number: batch.unit.run_moves[number][1] for number in numbers if number in batch.unit.run_moves}
    stored = [number for number in numbers if number not in moved]
    found: dict[int, RunPlace] = {row.number: row for row in batch.state.store.run_results(stored)}
    found |= moved
    for number in numbers:
        row = found[number]
        assert type(row) is RunResult
        yield batch.body(row.output, row.payload)
