"""The sentences of entries about retention, of jobs and of the journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sheratan.contracts.journal import Entry
from sheratan.kernel.story_words import who
from sheratan.kernel.words import count, seconds

__all__ = ["RETENTION_TELLERS"]


def _set(entry: Entry) -> str:
    kind, keep_us, reason = entry.subject.partition(":")[2], entry.data["keep_us"], entry.data.get("reason")
    jobs = f"jobs of {kind}" if kind else "jobs of every kind that nothing else is set for"
    text = "for ever" if keep_us is None else f"for {seconds(keep_us)} after they have ended"
    return f"{who(entry)} had {jobs} kept {text}{f': {reason}' if reason else ''}."


def _pruned(entry: Entry) -> str:
    jobs = sum(last - first + 1 for first, last in entry.data["numbers"])
    return f"The rows of {count(jobs, 'job')} were taken out; the entries stay."


def _archived(entry: Entry) -> str:
    data, reason = entry.data, entry.data.get("reason")
    text = f"{who(entry)} had entries {data['first']} to {data['last']} archived in {data['file']}"
    return f"{text}{f': {reason}' if reason else ''}."


RETENTION_TELLERS: Final[dict[str, Callable[[Entry], str]]] = {
    "retention.set": _set,
    "retention.pruned": _pruned,
    "journal.archived": _archived,
}
"""The sentence of each of these types of entries."""
