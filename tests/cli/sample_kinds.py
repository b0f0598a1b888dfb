"""Kinds for the tests of the command line."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from pathlib import Path

from pydantic import BaseModel

from sheratan import Context, Fatal, Proposal, ProposalBudget, Retryable, job


class Sum(BaseModel):
    left: int
    right: int = 0


@job
async def add(ctx: Context, given: Sum) -> int:
    """Add two numbers."""
    return given.left + given.right


@job(kind="fail", attempts_max=2, backoff_base_seconds=0.01, backoff_max_seconds=0.01)
async def fail_kind() -> None:
    raise Fatal("the disk\nis \x1b[31mred")


@job(attempts_max=1)
async def call_outside(ctx: Context, port: int) -> None:
    """Connect to a port of this machine, through a guard."""
    async with ctx.guard("mail"):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()


@job(queue="slow")
async def until_cancelled() -> None:
    """Run until told to stop."""
    await asyncio.Event().wait()


@job(queue="slow")
def until_told(fifo: str) -> str:
    """Run until somebody writes into a named pipe."""
    return Path(fifo).read_text()


def _is_there(path: str) -> bool:
    return Path(path).exists()


@job(attempts_max=2, backoff_base_seconds=0.0)
async def forgetful(ctx: Context, marker: str) -> str:
    """Ask for a step in the first attempt, and in no other until a file says so."""
    if ctx.attempt == 1 or _is_there(marker):
        await ctx.step("think", lambda: "of something")
    if ctx.attempt == 1:
        raise Retryable("once more")
    return "it came back"


@job
def stuck() -> None:
    """Block a thread for good."""
    threading.Event().wait()


@job
async def block() -> None:
    """Block the loop for a while, as a call does that is not awaited."""
    threading.Event().wait(1.0)


@job(cpu_bound=True)
def spin(fifo: str) -> None:
    """Tell the process's number through a named pipe, and compute for ever."""
    Path(fifo).write_text(str(os.getpid()))
    while True:
        pass


class Payment(BaseModel):
    cents: int
    approvers: list[str] = []
    self_approval: bool = True


@job
async def pay(ctx: Context, given: Payment) -> str:
    """Pay once somebody has approved it."""
    subject = {"cents": given.cents}
    approval = await ctx.approve(
        f"Pay {given.cents} cents?",
        subject=subject,
        approvers=given.approvers,
        self_approval=given.self_approval,
    )
    return approval.id


@job
async def collector() -> list[int]:
    """How the process's garbage collector is set."""
    return list(gc.get_threshold())


@job(proposals=ProposalBudget(jobs_max=7, depth_max=2))
async def planner(ctx: Context) -> int:
    """Propose a job, and one that can be none; go on once somebody says so."""
    wanted = [Proposal(kind="add", input={"left": 1}), Proposal(kind="subtract", input={"left": 1})]
    outcome = await ctx.propose(wanted)
    [found] = await ctx.gather(*outcome.accepted)
    await ctx.wait_signal("go")
    return found
