"""The sentences of entries about the system."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sheratan.contracts.journal import Entry
from sheratan.kernel.story_words import who, with_reason
from sheratan.kernel.words import count, seconds

__all__ = ["SYSTEM_TELLERS"]


def _changed(entry: Entry) -> str:
    data = entry.data
    affected = f" Affected: {', '.join(data['affected'])}." if "affected" in data else ""
    return f"{who(entry)} brought the system from {data['from']} to {data['to']}: {data['reason']}.{affected}"


def _started(entry: Entry) -> str:
    return f"The engine {entry.data['version']} started as owner number {entry.data['epoch']}."


def _stepped(entry: Entry) -> str:
    return f"The wall clock was set by {seconds(entry.data['step_us'])}; leases are not affected."


def _resumed(entry: Entry) -> str:
    lasted, refused = seconds(entry.at - entry.data["since_us"]), count(entry.data["refused"], "request")
    return f"For {lasted} nothing could be committed ({entry.data['reason']}); {refused} had to be refused."


SYSTEM_TELLERS: Final[dict[str, Callable[[Entry], str]]] = {
    "system.changed": _changed,
    "engine.started": _started,
    "engine.draining": with_reason("began to drain the engine"),
    "engine.resumed": _resumed,
    "engine.stopped": lambda entry: f"The engine stopped with {count(entry.data['running'], 'job')} running.",
    "policy.set": lambda entry: f"The limits in force were set (digest {entry.data['digest'][:12]}).",
    "clock.stepped": _stepped,
}
"""The sentence of each type of entry about the system and its engine."""
