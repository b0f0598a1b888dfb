"""Random handlers whose steps run beside each other: however their attempts end, none is taken for changed code."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from sheratan.contracts.errors import LostLease
from sheratan.contracts.worker import Assignment, StepRecord, StepReport
from sheratan.sdk.errors import CodeChanged
from sheratan.sdk.steps import Steps
from sheratan.sdk.surroundings import Surroundings

Tree = Any
"""A step's name, a patch of two steps, or a list of trees: beside each other, or one after the other."""

Work = Callable[[Steps], Awaitable[None]]
ATTEMPTS_MAX = 200


def grow(draw: random.Random, depth: int, names: list[str]) -> Tree:
    """A random handler. Branches have names of their own; one after the other, a name may be used again."""
    if depth == 0 or draw.random() < 0.2:
        names.append(f"step-{len(names)}")
        return [">", *[names[-1]] * draw.choice((1, 1, 1, 3))]
    return [draw.choice(">="), *(grow(draw, depth - 1, names) for _ in range(draw.randint(1, 4)))]


class Job:
    """A job, what it has recorded, and attempts at it that end at random."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.recorded: list[StepRecord] = []
        self.done: list[str] = []
        self._left = 0

    async def attempt(self, tree: Tree, number: int) -> bool:
        """Run a handler; whether it has come to its end."""
        self._left = self.draw.randint(0, 6)
        given = Assignment(
            id="job_x", number=1, kind="durable", queue="default", attempt=number, attempts_max=1_000_000,
            worker_losses=0, fence=number, input=msgspec.Raw(b"null"), run_timeout_us=60_000_000, created_us=1,
            steps=len(self.recorded),
        )  # fmt: skip
        task = asyncio.current_task()
        assert task is not None
        around = Surroundings(self._send, task.cancel, lambda: False)
        steps = Steps(given, list(self.recorded), around)
        try:
            await self._walk(steps, tree)
            steps.finish()
        except LostLease:
            return False
        except asyncio.CancelledError:
            task.uncancel()
            if isinstance(steps.failure, CodeChanged):
                raise steps.failure from None
            return False
        finally:
            steps.close()
            await steps.wait_ended()
        return True

    async def _send(self, step: Any) -> None:
        assert isinstance(step, StepReport)
        if self._left == 0:
            raise LostLease("a crash")
        self._left -= 1
        assert step.step == len(self.recorded) + 1
        self.recorded.append(
            StepRecord(
                step=step.step,
                name=step.name,
                occurrence=step.occurrence,
                entry=step.step,
                output=step.output,
            )
        )

    async def _walk(self, steps: Steps, tree: Tree) -> None:
        for _ in range(self.draw.choice((0, 0, 1, 5))):
            await asyncio.sleep(0)
        if isinstance(tree, str):
            await self._step(steps, tree)
        elif isinstance(tree, tuple):
            new, old = tree
            await self._step(steps, new if await steps.patched("patch") else old)
        elif tree[0] == ">":
            for part in tree[1:]:
                await self._walk(steps, part)
        else:
            branches = [asyncio.ensure_future(self._walk(steps, part)) for part in tree[1:]]
            try:
                await asyncio.gather(*branches)
            finally:
                for branch in branches:
                    branch.cancel()
                await asyncio.gather(*branches, return_exceptions=True)

    async def _step(self, steps: Steps, name: str) -> None:
        async def act() -> str:
            for _ in range(self.draw.choice((0, 1, 3))):
                await asyncio.sleep(0)
            if self.draw.random() < 0.05:
                raise ValueError("another attempt may do better")
            self.done.append(name)
            return name

        assert await steps.run(name, act, ()) == name


@pytest.mark.parametrize("seed", range(150))
def test_a_handler_that_stays_as_it_is_is_never_taken_for_another(seed: int) -> None:
    draw = random.Random(seed)
    names: list[str] = []
    tree = grow(draw, 4, names)

    async def scenario() -> None:
        job, number = Job(draw), 1
        while not await job.attempt(tree, number):
            number += 1
            assert number < ATTEMPTS_MAX
        assert {record.name for record in job.recorded} == set(names)

    asyncio.run(scenario())


def patched(draw: random.Random, tree: Tree, old: str) -> Tree:
    """The handler with another step in the place of one, for jobs that are not past it."""
    if tree == old:
        return ("new", old)
    if isinstance(tree, str):
        return tree
    return [tree[0], *(patched(draw, part, old) for part in tree[1:])]


@pytest.mark.parametrize("seed", range(150))
def test_a_patch_between_any_two_attempts_never_blocks_a_job_and_goes_one_way(seed: int) -> None:
    draw = random.Random(seed)
    names: list[str] = []
    tree = grow(draw, 3, names)
    old = draw.choice(names)
    deployed = draw.randint(1, 6)

    async def scenario() -> None:
        job, number = Job(draw), 1
        while not await job.attempt(tree if number < deployed else patched(draw, tree, old), number):
            number += 1
            assert number < ATTEMPTS_MAX
        found = {record.name for record in job.recorded}
        assert not {"new", old} <= found
        assert found - {"new", old, "patch:patch"} == set(names) - {old}

    asyncio.run(scenario())
