"""Entries about schedules told as sentences."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sheratan.contracts.journal import Entry
from sheratan.kernel.story_words import with_reason
from sheratan.kernel.words import count, seconds

__all__ = ["SCHEDULE_TELLERS"]

_EPOCH: Final = datetime.fromtimestamp(0, UTC)


def _at(microseconds: int | None) -> str:
    """An instant in UTC (RFC 3339)."""
    if microseconds is None:
        return "never"
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat().replace("+00:00", "Z")


def _next(entry: Entry) -> str:
    due_us = entry.data["due_us"]
    return "No firing lies ahead." if due_us is None else f"The next firing is due at {_at(due_us)}."


def _defined(verb: str) -> Callable[[Entry], str]:
    def told(entry: Entry) -> str:
        data = entry.data
        return (
            f"{entry.actor} {verb} it: {_work(data)} {data['when']}"
            f" (definition {data['definition'][:12]}). {_next(entry)}"
        )

    return told


def _work(data: dict[str, Any]) -> str:
    return f"a run of workflow {data['workflow']}" if "workflow" in data else f"a job of kind {data['kind']}"


def _fired(entry: Entry) -> str:
    data = entry.data
    late = f"{seconds(entry.at - data['instant_us'])} after its instant."
    if "run" in data:
        return f"Firing {data['firing']} began {data['run']}, {late}"
    return f"Firing {data['firing']} submitted {data['job']}, {late}"


def _skipped(entry: Entry) -> str:
    reason = entry.data.get("reason")
    return f"Firing {entry.data['firing']} submitted nothing{f': {reason}' if reason else ''}."


def _missed(entry: Entry) -> str:
    return f"Firings were missed. {_next(entry)}"


def _postponed(entry: Entry) -> str:
    reason = entry.data.get("reason")
    return f"It could not fire{f': {reason}' if reason else ''}. It is looked at again at {_at(entry.data['due_us'])}."


def _backfilled(entry: Entry) -> str:
    data = entry.data
    made, what = (
        (data["runs"], "begin their runs") if "runs" in data else (data["firings"], "submit their jobs")
    )
    return (
        f"{entry.actor} had {count(len(made), 'firing')} from {_at(data['from_us'])} to"
        f" {_at(data['until_us'])} {what}."
    )


def _triggered(entry: Entry) -> str:
    made = "had it begin a run" if "runs" in entry.data else "had it submit a job"
    return with_reason(f"{made} out of turn")(entry)


SCHEDULE_TELLERS: Final[dict[str, Callable[[Entry], str]]] = {
    "schedule.created": _defined("created"),
    "schedule.changed": _defined("gave another definition to"),
    "schedule.missed": _missed,
    "schedule.fired": _fired,
    "schedule.skipped": _skipped,
    "schedule.postponed": _postponed,
    "schedule.backfilled": _backfilled,
    "schedule.triggered": _triggered,
    "schedule.paused": with_reason("paused the schedule"),
    "schedule.resumed": lambda entry: f"{entry.actor} resumed the schedule. {_next(entry)}",
    "schedule.deleted": with_reason("deleted the schedule"),
}
"""The sentence of each type of entry about a schedule."""
