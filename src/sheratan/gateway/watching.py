"""Entries as a live stream shows them."""

from __future__ import annotations

from sheratan.contracts.api import WatchedEntry
from sheratan.contracts.journal import Entry
from sheratan.kernel.story import tell

__all__ = ["concerns", "watched_entry"]


def concerns(entry: Entry, subject: str | None, number: int | None) -> bool:
    """Whether an entry is about what somebody watches: a subject, that of a job with its number, or everything."""
    if subject is None or entry.subject == subject:
        return True
    if number is None or entry.type != "worker.leased":
        return False
    return any(job == number for job, _, _ in entry.data["jobs"])


def watched_entry(entry: Entry) -> WatchedEntry:
    """An entry as it is shown."""
    return WatchedEntry(
        entry=entry.seq, at_us=entry.at, type=entry.type, subject=entry.subject, text=tell(entry)
    )
