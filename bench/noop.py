"""The job that everything here runs: it does nothing, with 100 bytes of input or without any."""

from __future__ import annotations

import time
from typing import Final

from sheratan import Context, job

__all__ = ["PAYLOAD", "STEPS", "noop", "nothing", "stamp", "started", "ten_steps"]

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


STEPS: Final = 10


async def _act() -> str:
    return "done"


@job
async def ten_steps(ctx: Context) -> None:
    """Take ten steps."""
    for _ in range(STEPS):
        await ctx.step("act", _act)
