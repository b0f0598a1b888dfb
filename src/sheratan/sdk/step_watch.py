"""Who watches the steps of a worker: each is told of before its function is run."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

from sheratan.contracts.worker import Assignment

__all__ = ["WATCHER", "tell_of"]

WATCHER: Final[ContextVar[Callable[[Assignment, str], object] | None]] = ContextVar(
    "sheratan_step_watcher", default=None
)
"""Set where a worker is started, it holds for all of its attempts."""


def tell_of(assignment: Assignment, name: str) -> None:
    """The function of a step is about to be run."""
    watcher = WATCHER.get()
    if watcher is not None:
        watcher(assignment, name)
