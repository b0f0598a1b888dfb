"""How many calls of a dependency may be under way at once: as many as are set, and fewer while it is slow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

__all__ = ["Concurrency", "adapt"]

_TOLERANCE: Final = 2.0
"""Slow is what takes longer than so many times what it took when it was quickest."""

_GRADIENT_MIN: Final = 0.5
"""No window halves the limit at more than once."""

_WEIGHT: Final = 0.2
"""The part that a window has in the limit."""

_WINDOWS_MAX: Final = 300
"""After so many windows what was quickest before is forgotten: a dependency may become slower for good."""


class Concurrency(msgspec.Struct, frozen=True):
    """A limit, and what it goes by: the smallest 90th percentile of all windows lately, and of those before them."""

    limit: float
    fastest_us: int = 0
    fastest_before_us: int = 0
    windows: int = 0


def adapt(state: Concurrency, latencies_us: Sequence[int], in_flight: int, most: int) -> Concurrency:
    """The limit after a window of calls, of which at most `in_flight` were under way at once.

    The gradient is how quick a dependency was at its best to how quick it is now (Netflix, "Performance Under Load",
    2018). Above the gradient the limit tries a little more, by its square root; but only where it was made use of.
    """
    slow_us = max(1, sorted(latencies_us)[len(latencies_us) * 9 // 10])
    fastest_us = min(slow_us, state.fastest_us or slow_us)
    best_us = min(fastest_us, state.fastest_before_us or fastest_us)
    gradient = min(1.0, max(_GRADIENT_MIN, _TOLERANCE * best_us / slow_us))
    limit = state.limit
    if gradient < 1.0 or in_flight * 2 >= limit:
        limit += _WEIGHT * (limit * gradient + math.sqrt(limit) - limit)
    windows = state.windows + 1
    is_full = windows >= _WINDOWS_MAX
    return Concurrency(
        limit=min(float(most), max(1.0, limit)),
        fastest_us=0 if is_full else fastest_us,
        fastest_before_us=fastest_us if is_full else state.fastest_before_us,
        windows=0 if is_full else windows,
    )
