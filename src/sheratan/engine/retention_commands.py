"""The commands of retention."""

from __future__ import annotations

import msgspec

__all__ = ["KeepJobs", "KeepRuns"]


class KeepJobs(msgspec.Struct, frozen=True, kw_only=True):
    """Keep jobs of a kind for so long after they have ended, or for ever (None).

    '' stands for all kinds that nothing is set for.
    """

    kind: str
    keep_us: int | None
    reason: str


class KeepRuns(msgspec.Struct, frozen=True, kw_only=True):
    """Keep runs of a workflow for so long after they have ended, or for ever (None).

    '' stands for all workflows that nothing is set for.
    """

    workflow: str
    keep_us: int | None
    reason: str
