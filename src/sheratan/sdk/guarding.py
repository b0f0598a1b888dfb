"""Guarded calls of handlers: what an attempt tells the guards of its worker."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sheratan.contracts.errors import Unavailable
from sheratan.contracts.guards import Outcome
from sheratan.contracts.telemetry import Event, SpanEnded
from sheratan.contracts.tracing import attempt_span, call_span, trace_of
from sheratan.contracts.worker import Assignment
from sheratan.guards.guards import GuardedCall, Guards
from sheratan.guards.outcomes import outcome_of
from sheratan.sdk.errors import Fatal, RateLimited, Retryable
from sheratan.sdk.step_retry import IS_LATER_TRY

__all__ = ["IsFault", "guarded_call", "outcome_for"]

IsFault = Callable[[Exception], bool]
"""Whether an exception means that the dependency has failed, and not that it was asked for something wrong."""


def guarded_call(
    guards: Guards | None,
    assignment: Assignment,
    dependency: str,
    is_fault: IsFault | None,
    until_us: int,
) -> GuardedCall:
    """A call by an attempt at a job that ends at `until_us`, in monotonic time.

    One that was made before by it, or may have been, is a retry.
    """
    if guards is None:
        raise Unavailable("a handler in a process of its own has no guards; use an async handler or a thread")
    is_retry = assignment.attempt - assignment.worker_losses > 1 or IS_LATER_TRY.get()
    tell = guards.tell_span
    on_end = None if tell is None else partial(_tell_span, tell, assignment, dependency)
    classify = partial(outcome_for, is_fault)
    return guards.call(dependency, classify, is_retry=is_retry, on_end=on_end, until_us=until_us)


def _tell_span(
    tell: Callable[[Event], None],
    given: Assignment,
    dependency: str,
    began_us: int,
    at_us: int,
    outcome: Outcome,
) -> None:
    """Tell of a call as a part of its job's trace."""
    trace = trace_of(given.id, given.traceparent)
    if trace.is_sampled:
        tell(
            SpanEnded(
                at_us=at_us,
                trace=trace.id,
                span=call_span(given.id, given.attempt, dependency, began_us),
                parent=attempt_span(given.id, given.attempt),
                name=f"call {dependency}",
                kind="client",
                began_us=began_us,
                error=None if outcome == "succeeded" else outcome,
                attributes={
                    "peer.service": dependency,
                    "messaging.message.id": given.id,
                    "sheratan.kind": given.kind,
                    "sheratan.attempt": given.attempt,
                },
            )
        )


def outcome_for(is_fault: IsFault | None, error: BaseException | None) -> Outcome:
    """How a call ended that has raised this, or nothing, as the handler sees it."""
    if is_fault is not None and isinstance(error, Exception):
        if is_fault(error):
            return "failed"
        found = outcome_of(error)
        return "declined" if found == "failed" else found
    # What a handler raises itself says it in its own words.
    if isinstance(error, Retryable):
        return "failed"
    if isinstance(error, RateLimited | Fatal):
        return "declined"
    return outcome_of(error)
