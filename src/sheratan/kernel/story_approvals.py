"""Entries about approvals told as sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sheratan.contracts.journal import Entry
from sheratan.kernel.story_words import who

__all__ = ["APPROVAL_TELLERS"]


def _asks(entry: Entry) -> str:
    data = entry.data
    whom = ", ".join(data["approvers"]) or "anyone"
    most = f", {data['needed']} of them" if data["needed"] > 1 else ""
    asked = f"{entry.subject} (digest {data['digest'][:12]}) of {whom}{most}"
    return f"Its handler asks for {asked}: {data['question']}"


def _voted(entry: Entry) -> str:
    data = entry.data
    because = f": {data['comment']}" if data["comment"] else ""
    return f"{who(entry)} voted {data['verdict']} on {entry.subject} (digest {data['digest'][:12]}){because}."


def _delegated(entry: Entry) -> str:
    because = f": {entry.data['comment']}" if entry.data["comment"] else ""
    return f"{who(entry)} handed their say in {entry.subject} to {entry.data['to']}{because}."


APPROVAL_TELLERS: Final[dict[str, Callable[[Entry], str]]] = {
    "approval.asked": _asks,
    "approval.voted": _voted,
    "approval.delegated": _delegated,
    "approval.expired": lambda entry: f"Nobody has decided {entry.subject} in time.",
    "approval.cancelled": lambda entry: f"{entry.subject} was cancelled with the job that has asked for it.",
}
"""By the type of entry."""
