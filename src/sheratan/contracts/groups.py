"""Groups: jobs of one kind that run together in one call of their handler."""

from __future__ import annotations

from typing import Annotated

import msgspec

__all__ = ["Collect"]


class Collect(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Start jobs of a kind in groups: when so many are ready, or when the next one has waited so long."""

    jobs_max: Annotated[int, msgspec.Meta(ge=1, le=1_000)]
    """In one group; fewer where the worker has fewer places, or a limit lets fewer start."""
    wait_seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)]
