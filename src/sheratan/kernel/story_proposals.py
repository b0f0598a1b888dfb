"""The sentences of proposals."""

from __future__ import annotations

from sheratan.contracts.journal import Entry
from sheratan.kernel.words import count

__all__ = ["tell_by_job", "tell_proposed"]


def tell_by_job(entry: Entry) -> str:
    """By which running job a job was submitted, and whether as a proposal; empty when by none."""
    by_job = entry.data.get("by_job")
    if by_job is None:
        return ""
    if entry.cause is None:
        return f" It was submitted by the running job {by_job}."
    return f" It was proposed by the running job {by_job}, and accepted by entry {entry.cause}."


def tell_proposed(entry: Entry) -> str:
    """A running job has proposed others."""
    return f"It proposed jobs; its budget has made {count(entry.data['jobs'], 'job')} by now."
