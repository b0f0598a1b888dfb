"""Kinds for the tests of worlds."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

from sheratan import Context, Fatal, Retryable, WaitTimedOut, job

DAY = 86_400

EFFECTS: list[str] = []
"""What the kinds have done to the world outside; each test clears it first."""

FINALLY: list[str] = []
"""Whose clean-up has run."""

RELEASE = threading.Event()
"""What a plain function that hangs waits for."""


async def charge(key: str) -> str:
    EFFECTS.append(f"charged {key}")
    return f"charge of {key}"


def print_invoice(charged: str) -> str:
    """A plain function: it runs in a thread."""
    EFFECTS.append("printed")
    return f"invoice for {charged}"


@job
async def order(ctx: Context, name: str) -> str:
    try:
        charged = await ctx.step("charge", charge, name)
        await ctx.sleep(30 * DAY)
        return await ctx.step("invoice", print_invoice, charged)
    finally:
        FINALLY.append(name)


@job(attempts_max=4, backoff_base_seconds=60.0)
async def stubborn(ctx: Context) -> int:
    if ctx.attempt < 4:
        raise Retryable("not yet")
    return ctx.attempt


@job(run_timeout_seconds=3_600.0, attempts_max=1)
async def hangs() -> None:
    await asyncio.Event().wait()


@job
async def reminded(ctx: Context) -> str:
    try:
        return str(await ctx.wait_signal("paid", timeout_seconds=14 * DAY))
    except WaitTimedOut:
        return "reminded"


@job
async def waits_for_ever(ctx: Context) -> Any:
    return await ctx.wait_signal("never")


@job
async def asks(ctx: Context) -> str:
    approval = await ctx.approve("Go on?", subject={"what": "this"}, timeout_seconds=3 * DAY)
    return approval.by[0].actor


@job
def doubled(number: int) -> int:
    return 2 * number


@job(cpu_bound=True)
def squared(number: int) -> int:
    return number * number


@job
def stuck() -> None:
    RELEASE.wait()


@job
async def reaches_out(how: str) -> None:
    if how == "socket":
        await asyncio.open_connection("127.0.0.1", 9)
    elif how == "process":
        await asyncio.create_subprocess_exec("true")
    elif how == "reader":
        ours, theirs = socket.socketpair()
        with ours, theirs:
            asyncio.get_running_loop().add_reader(ours, EFFECTS.clear)
    else:
        await asyncio.get_running_loop().getaddrinfo("localhost", 80)


@job
async def parent(ctx: Context, count: int) -> int:
    children = [await ctx.spawn(doubled, number) for number in range(count)]
    return sum(await ctx.gather(*children))


@job
async def nightly(day: str) -> str:
    EFFECTS.append(day)
    return day


@job
async def poison() -> None:
    raise Fatal("poison")
