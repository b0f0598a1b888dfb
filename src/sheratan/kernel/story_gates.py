"""The sentences of submissions through gates."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.journal import Entry
from sheratan.kernel.story_words import who
from sheratan.kernel.words import count, seconds

__all__ = ["tell_gate", "tell_throttled"]


def tell_gate(data: dict[str, Any]) -> str:
    """Through which gate a job came in; empty when it came through none."""
    if "debounce" in data:
        told = data["debounce"]
        longest = f", {seconds(told['longest_us'])} at most" if "longest_us" in told else ""
        return (
            f" Another submission under its debounce key within {seconds(told['window_us'])}{longest}"
            " takes its place."
        )
    if "throttle" in data:
        told = data["throttle"]
        return f" Its throttle lets {count(told['jobs'], 'job')} in {seconds(told['period_us'])} come in."
    return ""


def tell_throttled(entry: Entry) -> str:
    """A submission was dropped."""
    data = entry.data
    return (
        f"{who(entry)} submitted another job of kind {data['kind']} for queue {data['queue']}, which was not made"
        f" (input {data['input'][:12]})."
    )
