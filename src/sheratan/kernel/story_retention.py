"""The sentences of entries about retention, of jobs, of runs and of the journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sheratan.contracts.journal import Entry
from sheratan.kernel.retention import is_of_runs, workflow_of
from sheratan.kernel.story_words import who
from sheratan.kernel.words import count, seconds

__all__ = ["RETENTION_TELLERS"]


def _set(entry: Entry) -> str:
    what, keep_us, reason = _what(entry), entry.data["keep_us"], entry.data.get("reason")
    text = "for ever" if keep_us is None else f"for {seconds(keep_us)} after they have ended"
    return f"{who(entry)} had {what} kept {text}{f': {reason}' if reason else ''}."


def _what(entry: Entry) -> str:
    """Whose retention an entry is about."""
    scope = entry.subject.partition(":")[2]
    if is_of_runs(scope):
        return f"runs of {workflow_of(scope) or 'every workflow that nothing else is set for'}"
    return f"jobs of {scope or 'every kind that nothing else is set for'}"


def _pruned(entry: Entry) -> str:
    return _taken_out(entry, "job")


def _runs_pruned(entry: Entry) -> str:
    return _taken_out(entry, "run")


def _taken_out(entry: Entry, what: str) -> str:
    number = sum(last - first + 1 for first, last in entry.data["numbers"])
    return f"The rows of {count(number, what)} were taken out; the entries stay."


def _kept(entry: Entry) -> str:
    keep_us, reason = entry.data["keep_us"], entry.data.get("reason")
    text = "for ever" if keep_us is None else f"for {seconds(keep_us)}, and what is older archived"
    return f"{who(entry)} had entries kept in the journal {text}{f': {reason}' if reason else ''}."


def _archived(entry: Entry) -> str:
    data, reason = entry.data, entry.data.get("reason")
    text = f"{who(entry)} had entries {data['first']} to {data['last']} archived in {data['file']}"
    return f"{text}{f': {reason}' if reason else ''}."


RETENTION_TELLERS: Final[dict[str, Callable[[Entry], str]]] = {
    "retention.set": _set,
    "retention.pruned": _pruned,
    "retention.runs_pruned": _runs_pruned,
    "journal.kept": _kept,
    "journal.archived": _archived,
}
"""The sentence of each of these types of entries."""
