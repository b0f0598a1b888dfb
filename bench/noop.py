"""The jobs that everything here runs: most do nothing, with 100 bytes of input or without any."""

from __future__ import annotations

import time
from typing import Final

from sheratan import Context, job

__all__ = [
    "CHILDREN",
    "KINDS",
    "PAYLOAD",
    "STEPS",
    "fan",
    "noop",
    "nothing",
    "sleeper",
    "stamp",
    "started",
    "ten_steps",
]

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


CHILDREN: Final = 1_000


@job
async def fan(ctx: Context) -> int:
    """Submit children and wait until all of them have ended."""
    children = await ctx.spawn_many([noop.submission(PAYLOAD)] * CHILDREN)
    return len(await ctx.gather(*children))


@job
async def sleeper(ctx: Context) -> None:
    """Sleep for a day."""
    await ctx.sleep(86_400.0)


KINDS: Final = (noop, nothing, stamp, ten_steps, fan, sleeper)
