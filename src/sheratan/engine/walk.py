"""Entries into a trail and a fold: whole pages where nothing is wrong with them, entry by entry where something is."""

from __future__ import annotations

from sheratan.contracts.journal import Entry
from sheratan.kernel.fold import Fold
from sheratan.kernel.stencil import Run
from sheratan.kernel.trail import Trail

__all__ = ["LINES_AT_ONCE", "apply_parts", "take_lines"]

LINES_AT_ONCE = 500
"""As many take less time together than one by one."""


def apply_parts(fold: Fold, parts: list[list[Entry] | Run]) -> None:
    """The next entries, with whose form nothing is wrong."""
    for part in parts:
        if isinstance(part, Run):
            fold.apply_run(part)
        else:
            fold.apply_all(part)


def take_lines(trail: Trail, fold: Fold, lines: list[bytes]) -> None:
    """The next entries, as bytes."""
    parts = trail.take_page(lines)
    if parts is not None:
        apply_parts(fold, parts)
        return
    for line in lines:
        entry = trail.read(line)
        if entry is not None:
            fold.apply(entry)
