"""The job that everything here runs: it does nothing, with 100 bytes of input."""

from __future__ import annotations

import time

from sheratan import job

__all__ = ["PAYLOAD", "noop", "stamp", "started"]

PAYLOAD = "x" * 98
"""100 bytes as JSON."""

started: list[float] = []
"""When handlers of `stamp` started."""


@job
async def noop(text: str) -> None:
    """Do nothing."""


@job
async def stamp(text: str) -> None:
    """Take down when it started."""
    started.append(time.perf_counter())
