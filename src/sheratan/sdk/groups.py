"""Jobs that run together: one call of their handler takes a list of inputs and gives a list of outputs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sheratan.contracts.worker import Assignment, Report
from sheratan.sdk.errors import HandlerError
from sheratan.sdk.kind import Kind
from sheratan.sdk.reports import dump_output, failed, read_input

__all__ = ["run_together"]


class _WrongOutputs(HandlerError):
    """A handler has not given an output for each input of its group."""

    error_class = "bug"


async def run_together(
    kind: Kind[Any, Any], members: Sequence[Assignment], call: Callable[[list[Any]], Awaitable[Any]]
) -> list[Report]:
    """Run a group and report the end of each member; an input or output that does not fit is one member's matter."""
    reports: dict[int, Report] = {}
    readable: list[Assignment] = []
    inputs: list[Any] = []
    for member in members:
        try:
            inputs.append(read_input(kind, member))
        except HandlerError as error:
            reports[member.number] = failed(member, error)
        else:
            readable.append(member)
    if readable:
        outputs = await _outputs(call, inputs)
        for member, output in zip(readable, outputs, strict=True):
            reports[member.number] = _report(kind, member, output)
    return [reports[member.number] for member in members]


async def _outputs(call: Callable[[list[Any]], Awaitable[Any]], inputs: list[Any]) -> Sequence[Any]:
    """What the handler gives for each input; an exception stands for one that has failed."""
    try:
        outputs = await call([inputs])
    except (Exception, SystemExit) as error:
        return [error] * len(inputs)
    if isinstance(outputs, list) and len(outputs) == len(inputs):
        return outputs
    given = f"{len(outputs)} outputs" if isinstance(outputs, list) else f"a {type(outputs).__name__}"
    return [_WrongOutputs(f"for {len(inputs)} inputs the handler gave {given}")] * len(inputs)


def _report(kind: Kind[Any, Any], member: Assignment, output: Any) -> Report:
    try:
        if isinstance(output, Exception | SystemExit):
            raise output
        value = dump_output(kind, output)
    except (Exception, SystemExit) as error:
        return failed(member, error)
    return Report(number=member.number, fence=member.fence, outcome="succeeded", output=value)
