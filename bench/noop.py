"""The job that everything here runs: it does nothing, with 100 bytes of input or without any."""

from __future__ import annotations

import time

from sheratan import job

__all__ = ["PAYLOAD", "noop", "nothing", "stamp", "started"]

PAYLOAD = "x" * 98
"""100 bytes as JSON."""

started: list[float] = []
"""When handlers of `stamp` started."""


@job
async def noop(text: str) -> None:
    """Do nothing."""


@job
async def nothing() -> None:
    """Do nothing, with nothing: its input is null."""


@job
async def stamp(text: str) -> None:
    """Take down when it started."""
    started.append(time.perf_counter())
