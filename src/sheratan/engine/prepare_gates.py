"""Submissions through gates at the edge."""

from __future__ import annotations

from sheratan.contracts.errors import InvalidInput, TooLarge
from sheratan.contracts.gates import Debounce, Gate, SubmitGated
from sheratan.contracts.limits import Limits
from sheratan.engine import commands
from sheratan.engine.gate_commands import NewGate
from sheratan.engine.prepare import KindRegistry, duration, prepare_job
from sheratan.kernel.canonical import digest

__all__ = ["prepare_gated"]


def prepare_gated(request: SubmitGated, kinds: KindRegistry, limits: Limits) -> commands.SubmitGated:
    """A checked submission through a gate; a refusal names the field."""
    options, gate = request.job.options, request.gate
    if options.key is not None:
        text = "the key of its gate says what is the same submission; leave the idempotency key out"
        raise InvalidInput(text, field="key")
    if isinstance(gate, Debounce) and (options.delay_seconds or options.after):
        text = "the window of its debounce says when the job starts; leave it out"
        raise InvalidInput(text, field="after" if options.after else "delay_seconds")
    return commands.SubmitGated(
        job=prepare_job(request.job, kinds, limits),
        gate=_prepare_gate(gate, limits),
        by_job=request.by_job,
        fence=request.fence,
    )


def _prepare_gate(gate: Gate, limits: Limits) -> NewGate:
    if len(gate.key) > limits.key_length_max:
        text = f"{len(gate.key)} characters; at most {limits.key_length_max} (limits.key_length_max)"
        raise TooLarge(text, field="gate.key")
    try:
        key = digest(gate.key.encode())
    except UnicodeEncodeError as error:
        raise InvalidInput("half a character is no text", field="gate.key") from error
    if not isinstance(gate, Debounce):
        period_us = _period(gate.period_seconds, "period_seconds", limits)
        return NewGate(what="throttle", key=key, period_us=period_us, jobs=gate.jobs)
    window_us = _period(gate.window_seconds, "window_seconds", limits)
    longest_us = 0
    if gate.longest_seconds is not None:
        longest_us = _period(gate.longest_seconds, "longest_seconds", limits)
    if longest_us and longest_us < window_us:
        raise InvalidInput("the longest delay is shorter than the window", field="gate.longest_seconds")
    return NewGate(what="debounce", key=key, period_us=window_us, longest_us=longest_us)


def _period(seconds: float, name: str, limits: Limits) -> int:
    return max(1, duration(seconds, limits.delay_seconds_max, f"gate.{name}", "delay_seconds_max"))
