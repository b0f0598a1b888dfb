"""The sentences of entries about alerts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sheratan.contracts.journal import Entry

__all__ = ["ALERT_TELLERS"]


def _raised(entry: Entry) -> str:
    data = entry.data
    affected = f" It affects {', '.join(data['affected'])}." if "affected" in data else ""
    return f"The alert was raised ({data['severity']}): {data['text']}.{affected}"


def _cleared(entry: Entry) -> str:
    return f"The alert was cleared: {entry.data['text']}."


def _notified(entry: Entry) -> str:
    data = entry.data
    if data.get("held_back"):
        return "Nobody was told of it by itself: there were too many notices in that minute."
    taken = f"{', '.join(data['taken'])} took the notice" if data["taken"] else "Nobody took the notice"
    given_up = f"; {', '.join(data['given_up'])} did not, often enough" if data["given_up"] else ""
    return f"{taken}{given_up}."


ALERT_TELLERS: Final[dict[str, Callable[[Entry], str]]] = {
    "alert.raised": _raised,
    "alert.cleared": _cleared,
    "alert.notified": _notified,
}
"""The sentence of each type of entry about alerts."""
