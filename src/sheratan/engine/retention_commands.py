"""The command of retention."""

from __future__ import annotations

import msgspec

__all__ = ["KeepJobs"]


class KeepJobs(msgspec.Struct, frozen=True, kw_only=True):
    """Keep jobs of a kind for so long after they have ended, or for ever (None).

    '' stands for all kinds that nothing is set for.
    """

    kind: str
    keep_us: int | None
    reason: str
