"""The jobs of the battery. Each attempt writes its beginning and its end to the log of effects."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel

from crash.effects import note_effect
from sheratan import Context, job

__all__ = ["Sum", "add", "add_in_steps", "tick"]


class Sum(BaseModel):
    """Two numbers, and for how long the handler is to be in the middle of its work."""

    left: int
    right: int
    pause_ms: int = 0


@job(attempts_max=100, backoff_base_seconds=0.01, backoff_max_seconds=0.1)
async def add(ctx: Context, given: Sum) -> int:
    """Add two numbers, slowly; between the beginning and the end is where a kill hurts."""
    note_effect("begin", ctx.job_id, ctx.attempt, ctx.fence)
    if given.pause_ms:
        await asyncio.sleep(given.pause_ms / 1_000)
    note_effect("end", ctx.job_id, ctx.attempt, ctx.fence)
    return given.left + given.right


@job(attempts_max=100, backoff_base_seconds=0.01, backoff_max_seconds=0.1)
async def add_in_steps(ctx: Context, given: Sum) -> int:
    """The same in durable steps, two of them beside each other, and a sleep; each step writes that it was done."""
    note_effect("begin", ctx.job_id, ctx.attempt, ctx.fence)

    async def fetch(name: str, number: int) -> int:
        note_effect("step", f"{ctx.job_id}/{name}", ctx.attempt, ctx.fence)
        await asyncio.sleep(given.pause_ms / 3_000)
        return number

    left, right = await asyncio.gather(
        ctx.step("left", fetch, "left", given.left), ctx.step("right", fetch, "right", given.right)
    )
    await ctx.sleep(given.pause_ms / 1_000)
    total = int(await ctx.step("sum", fetch, "sum", left + right))
    note_effect("end", ctx.job_id, ctx.attempt, ctx.fence)
    return total


@job(attempts_max=100)
async def tick(number: int) -> int:
    """Do nothing, so that the journal grows as fast as it can."""
    return number
