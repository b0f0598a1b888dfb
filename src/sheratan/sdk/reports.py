"""Reports of attempts: what a handler gave or raised, as the engine hears it."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.worker import Assignment, Report
from sheratan.sdk.errors import CodeChanged, HandlerError, InvalidOutput, describe
from sheratan.sdk.kind import Kind

__all__ = ["cancelled", "dump_output", "failed", "read_input"]


def read_input(kind: Kind[Any, Any], assignment: Assignment) -> Any:
    """A job's input as its handler takes it."""
    try:
        return kind.read_input(bytes(assignment.input))
    except InvalidInput as error:
        raise _UnreadableInput(str(error)) from error


def dump_output(kind: Kind[Any, Any], output: Any) -> Any:
    """What a handler gave, as a JSON value."""
    try:
        return kind.dump_output(output)
    except InvalidInput as error:
        raise InvalidOutput(str(error)) from error


def cancelled(assignment: Assignment) -> Report:
    """The report of an attempt that was stopped."""
    return Report(number=assignment.number, fence=assignment.fence, outcome="cancelled")


def failed(assignment: Assignment, error: Exception | SystemExit) -> Report:
    """The report of an attempt that ended with an exception."""
    if isinstance(error, CodeChanged):
        return Report(
            number=assignment.number,
            fence=assignment.fence,
            outcome="code_changed",
            difference=error.difference,
        )
    return Report(number=assignment.number, fence=assignment.fence, outcome="failed", error=describe(error))


class _UnreadableInput(HandlerError):
    """The stored input does not fit the handler: the kind has changed since the job was submitted."""

    error_class = "fatal"
