"""Notices as people read them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from sheratan.contracts.alerts import Notice

__all__ = ["notice_text", "notice_title"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WORDS: Final = {
    "raised": "",
    "still_open": "still open: ",
    "cleared": "cleared: ",
    "held_back": "",
    "test": "test: ",
}


def notice_title(notice: Notice) -> str:
    """One line: how urgent it is, and what it is about."""
    return f"[sheratan {notice.severity}] {_WORDS[notice.what]}{notice.subject.removeprefix('alert:')}"


def notice_text(notice: Notice) -> str:
    """All of it, in lines."""
    return "\n".join(_lines(notice)) + "\n"


def _lines(notice: Notice) -> Iterator[str]:
    yield f"{notice.text}."
    yield ""
    if notice.affected:
        yield f"Affected: {', '.join(notice.affected)}"
    yield f"Since: {(_EPOCH + timedelta(microseconds=notice.since_us)).isoformat(timespec='seconds')}"
    if notice.entry is not None:
        yield f"Journal entry: {notice.entry} (sheratan why {notice.subject})"
    elif notice.rule is not None:
        yield "Nothing could be written down when this was sent."
    yield f"What to do: {notice.runbook}"
    yield f"Data directory: {notice.source}"
