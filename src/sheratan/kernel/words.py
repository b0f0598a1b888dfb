"""Numbers as people say them. Integers only, so that a sentence reads the same on every machine."""

from __future__ import annotations

__all__ = ["count", "seconds"]


def seconds(microseconds: int) -> str:
    """A duration in seconds, to the millisecond; below that in microseconds."""
    if 0 < abs(microseconds) < 1_000:
        return f"{microseconds} µs"
    sign = "-" if microseconds < 0 else ""
    whole, rest = divmod(abs(microseconds), 1_000_000)
    return f"{sign}{whole}.{rest // 1_000:03} s"


def count(number: int, noun: str) -> str:
    """So many of something: `1 job`, `2 jobs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
