"""Retention: how long jobs and runs of workflows are kept after they have ended."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sheratan.contracts.jobs import Name
from sheratan.contracts.limits import NAME_LENGTH_MAX
from sheratan.contracts.patterns import NAME_OR_NONE
from sheratan.contracts.request import Reason, Request

__all__ = [
    "KeepSeconds",
    "ListRetention",
    "PreviewRetention",
    "RetentionPreview",
    "RetentionRecord",
    "SetRetention",
]

KeepSeconds = Annotated[int, msgspec.Meta(ge=1, le=3_153_600_000)]
"""A hundred years at most."""


WorkflowOrOthers = Annotated[str, msgspec.Meta(max_length=NAME_LENGTH_MAX, pattern=NAME_OR_NONE)]
"""The name of a workflow; '' stands for all workflows for which nothing was set."""


class SetRetention(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keep jobs of a kind for so long after they have ended, or for ever (None); answered with the entry that says so.

    Without a kind it holds for all kinds for which nothing was set. With a workflow it holds for the runs of that, and
    says nothing of their jobs; '' stands for all workflows for which nothing was set. What is older is pruned from now
    on, a run not before its jobs.
    """

    kind: Name | None = None
    workflow: WorkflowOrOthers | None = None
    keep_seconds: KeepSeconds | None = None
    reason: Reason = ""


class PreviewRetention(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many jobs or runs would be pruned at once if this were set; nothing is changed or recorded."""

    kind: Name | None = None
    workflow: WorkflowOrOthers | None = None
    keep_seconds: KeepSeconds | None = None


class ListRetention(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long jobs are kept, by kind, and runs, by workflow."""


class RetentionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How long jobs of a kind are kept (None: those of all kinds for which nothing was set), and how many were pruned.

    With a `workflow` it is about the runs of that, or of all for which nothing was set (''). `entry` is the newest
    entry about it; `keep_seconds` None is for ever.
    """

    kind: str | None
    keep_seconds: int | None
    pruned: int
    entry: int
    workflow: str | None = None


class RetentionPreview(msgspec.Struct, frozen=True, kw_only=True):
    """How many jobs or runs would be pruned, and how many are old enough but still needed.

    `is_more`: it was not counted on.
    """

    jobs: int
    needed: int
    is_more: bool = False
    runs: int = 0
