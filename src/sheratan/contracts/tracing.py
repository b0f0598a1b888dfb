"""Traces: how a job's trace is named, so that whoever works at it names the same without asking anybody.

Names follow W3C Trace Context (https://www.w3.org/TR/trace-context/). A trace is the caller's where he has given one,
and else it is made of the job's id, as are the spans within it: what is not stored cannot be lost in a crash.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Final, NamedTuple

import msgspec

from sheratan.contracts.patterns import TRACEPARENT

__all__ = [
    "Trace",
    "Traceparent",
    "attempt_span",
    "call_span",
    "pack",
    "part_span",
    "step_span",
    "submit_span",
    "trace_of",
    "unpack",
]

Traceparent = Annotated[
    str,
    msgspec.Meta(pattern=TRACEPARENT),
]
"""A `traceparent` of W3C Trace Context: version, trace, span and flags, in small hexadecimal digits."""

_SAMPLED: Final = 1


class Trace(NamedTuple):
    """A job's trace: its id and flags, and the caller's span that the job follows, if there is one."""

    id: str
    flags: str
    parent: str | None

    @property
    def is_sampled(self) -> bool:
        """Whether its spans are to be kept; callers may say that those of theirs are not."""
        return bool(int(self.flags, 16) & _SAMPLED)

    def parent_of(self, span: str) -> str:
        """The traceparent of what is done within a span of it."""
        return f"00-{self.id}-{span}-{self.flags}"


def trace_of(job_id: str, traceparent: str | None) -> Trace:
    """The trace of a job that was given a traceparent, or none."""
    if traceparent is None:
        return Trace(_digest("trace", job_id)[:32], "01", None)
    return Trace(traceparent[3:35], traceparent[53:], traceparent[36:52])


def submit_span(job_id: str) -> str:
    """The span in which a job was submitted; its attempts follow it."""
    return _digest("submit", job_id)[:16]


def attempt_span(job_id: str, attempt: int) -> str:
    """The span of an attempt, in all its parts: what its handler calls follows it."""
    return _digest("attempt", job_id, attempt)[:16]


def part_span(job_id: str, fence: int) -> str:
    """The span of a part of an attempt that goes on later, by the fence of that part."""
    return _digest("part", job_id, fence)[:16]


def step_span(job_id: str, attempt: int, step: int) -> str:
    """The span of a step that an attempt has run."""
    return _digest("step", job_id, attempt, step)[:16]


def call_span(job_id: str, attempt: int, dependency: str, began_us: int) -> str:
    """The span of a call that an attempt has made of something outside."""
    return _digest("call", job_id, attempt, dependency, began_us)[:16]


def pack(traceparent: str) -> bytes:
    """A traceparent in 25 bytes."""
    return bytes.fromhex(traceparent[3:].replace("-", ""))


def unpack(packed: bytes | None) -> str | None:
    """A traceparent from its 25 bytes, if there is one."""
    if packed is None:
        return None
    text = packed.hex()
    return f"00-{text[:32]}-{text[32:48]}-{text[48:]}"


def _digest(what: str, *names: object) -> str:
    return sha256(" ".join(map(str, ("sheratan", what, *names))).encode()).hexdigest()
