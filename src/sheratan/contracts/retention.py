"""Retention: how long jobs are kept after they have ended."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sheratan.contracts.jobs import Name
from sheratan.contracts.request import Reason, Request

__all__ = ["ListRetention", "PreviewRetention", "RetentionPreview", "RetentionRecord", "SetRetention"]

KeepSeconds = Annotated[int, msgspec.Meta(ge=1, le=3_153_600_000)]
"""A hundred years at most."""


class SetRetention(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keep jobs of a kind for so long after they have ended, or for ever (None); answered with the entry that says so.

    Without a kind it holds for all kinds for which nothing was set. What is older is pruned from now on.
    """

    kind: Name | None = None
    keep_seconds: KeepSeconds | None = None
    reason: Reason = ""


class PreviewRetention(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many jobs would be pruned at once if this were set; nothing is changed or recorded."""

    kind: Name | None = None
    keep_seconds: KeepSeconds | None = None


class ListRetention(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long jobs are kept, by kind."""


class RetentionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How long jobs of a kind are kept (None: those of all kinds for which nothing was set), and how many were pruned.

    `entry` is the newest entry about it; `keep_seconds` None is for ever.
    """

    kind: str | None
    keep_seconds: int | None
    pruned: int
    entry: int


class RetentionPreview(msgspec.Struct, frozen=True, kw_only=True):
    """How many jobs would be pruned, and how many are old enough but still needed. `is_more`: it was not counted on."""

    jobs: int
    needed: int
    is_more: bool = False
