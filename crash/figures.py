"""Figures of a run."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["p99"]


def p99(values: Sequence[float]) -> float:
    """The value that one in a hundred is above; 0 when there are none."""
    return round(sorted(values)[min(len(values) - 1, len(values) * 99 // 100)], 3) if values else 0.0
