"""Requests that read the journal."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sheratan.contracts.request import Request

__all__ = ["GetEntries", "WatchEntries", "WatchedEntry"]


class GetEntries(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Journal entries from a number on, as their canonical bytes."""

    first_seq: Annotated[int, msgspec.Meta(ge=0)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100


class WatchEntries(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Entries as they are committed; with `subject`, only those about it."""

    subject: str | None = None


class WatchedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that has just been committed, told as a sentence."""

    entry: int
    at_us: int
    type: str
    subject: str
    text: str
