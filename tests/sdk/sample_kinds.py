"""Kinds for the tests of the SDK. Those that are CPU-bound are found by other processes by this module's name."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from sheratan import Context, Fatal, RateLimited, Retryable, job


class Order(BaseModel):
    """An input with fields."""

    name: str
    count: int = Field(default=1, ge=1)


@job
async def echo(value: Any) -> Any:
    return value


@job
async def typed(order: Order) -> str:
    return f"{order.count} x {order.name}"


@job
async def nothing() -> None:
    return None


@job
async def about_me(ctx: Context) -> dict[str, Any]:
    return {"id": ctx.job_id, "attempt": ctx.attempt, "queue": ctx.queue, "most": ctx.attempts_max}


@job
async def promised_a_number(value: Any) -> int:
    return value  # type: ignore[no-any-return]


@job(backoff_base_seconds=0.0, attempts_max=3)
async def fails_until(ctx: Context, attempt: int) -> int:
    if ctx.attempt < attempt:
        raise Retryable("not yet")
    return ctx.attempt


@job(attempts_max=3, backoff_base_seconds=0.0)
async def raises(what: str) -> None:
    if what == "fatal":
        raise Fatal("no use")
    if what == "limited":
        raise RateLimited("slow down", retry_after_seconds=0.01)
    if what == "surrogate":
        raise OSError("no such file: \udcff.txt")
    if what == "exit":
        sys.exit("enough")
    if what == "cancel":
        raise asyncio.CancelledError
    raise ValueError(what)


@job
async def gives(what: str) -> Any:
    return {
        "nan": math.nan,
        "object": object(),
        "surrogate": "\udcff",
        "large": "x" * 2_000_000,
        "huge": 1 << 70,
        "keys": {1: 2},
        "set": {1},
    }[what]


@job(run_timeout_seconds=60)
async def waits_for_ever() -> None:
    await asyncio.Event().wait()


@job(run_timeout_seconds=0.05, attempts_max=1)
async def too_slow() -> None:
    await asyncio.Event().wait()


@job
async def spawns(ctx: Context, count: int) -> list[str]:
    first = await ctx.submit([echo.submission(n, key=f"{ctx.job_id}/{n}") for n in range(count)])
    again = await ctx.submit([echo.submission(n, key=f"{ctx.job_id}/{n}") for n in range(count)])
    assert first == again
    return first


@job
async def collects(ctx: Context) -> list[Any]:
    return [[ended.kind, ended.state, ended.output] async for ended in ctx.after_results()]


# ---------------------------------------------------------------------------------------------------------------------
# In threads

MEETING = threading.Barrier(3)
"""Only three handlers that run at the same time get past it."""


@job
def meets() -> str:
    MEETING.wait(timeout=20)
    return threading.current_thread().name


@job
def in_a_thread(ctx: Context, value: int) -> list[Any]:
    return [value + 1, threading.current_thread() is threading.main_thread(), ctx.attempt]


LOOKED = threading.Event()


@job
def until_cancelled(ctx: Context) -> str:
    while not ctx.cancelled:
        LOOKED.wait(0.01)
    raise Retryable("stopped as asked")


@job(attempts_max=1)
def leaves_the_program() -> None:
    sys.exit(3)


# ---------------------------------------------------------------------------------------------------------------------
# In processes


@job(cpu_bound=True)
def standing() -> list[int]:
    """How it stands towards others that want the CPU or the memory."""
    return [os.nice(0), int(Path("/proc/self/oom_score_adj").read_text("ascii"))]


@job(cpu_bound=True)
def in_a_process(value: int) -> list[int]:
    return [value * 2, os.getpid()]


@job(cpu_bound=True, attempts_max=1)
def dies() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


@job(cpu_bound=True, run_timeout_seconds=1.0, attempts_max=1)
def spins(file: str) -> None:
    Path(file).write_text(str(os.getpid()))
    while True:
        pass


class Unpicklable(Exception):
    """An exception that cannot be put back together."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")
        self.lock = threading.Lock()


class UnpicklableFatal(Fatal):
    """A handler's own error that cannot be put back together."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


@job(cpu_bound=True, attempts_max=1)
def guards_in_a_process(ctx: Context) -> None:
    with ctx.guard("stripe"):
        raise AssertionError


@job(cpu_bound=True, attempts_max=1)
def raises_in_a_process(what: str) -> None:
    if what == "unpicklable":
        raise Unpicklable("this", "that")
    if what == "own":
        raise UnpicklableFatal("this", "that")
    if what == "limited":
        raise RateLimited("slow down", retry_after_seconds=0.01)
    raise Fatal("no use")


@job(cpu_bound=True, attempts_max=1)
def gives_in_a_process() -> Any:
    return threading.Lock()


@job(cpu_bound=True, attempts_max=1, run_timeout_seconds=50)
def time_left_in_a_process(ctx: Context) -> list[float]:
    return [ctx.seconds_left, ctx.deadline_us]


@job(attempts_max=1, run_timeout_seconds=50)
def time_left_in_a_thread(ctx: Context) -> list[float]:
    return [ctx.seconds_left, ctx.deadline_us]


@job(attempts_max=1, run_timeout_seconds=50)
async def time_left(ctx: Context) -> list[float]:
    return [ctx.seconds_left, ctx.deadline_us]
