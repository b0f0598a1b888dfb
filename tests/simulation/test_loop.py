"""The loop of the simulator: what goes wrong where nobody would have seen it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from sheratan.contracts.errors import Unavailable
from sheratan.simulation.choices import Choices
from sheratan.simulation.loop import SimulatedLoop
from sheratan.simulation.store import Killed


async def fail(error: BaseException) -> None:
    raise error


async def leave(error: BaseException) -> None:
    """Wait for the end of a task that fails, and do not ask how it has ended."""
    await asyncio.wait([asyncio.create_task(fail(error))])


def accidents_of(scenario: Coroutine[Any, Any, None]) -> list[str]:
    loop = SimulatedLoop(Choices(1), "fifo")
    loop.run(scenario)
    loop.bury()
    return loop.accidents


def test_an_error_of_a_task_that_nobody_has_asked_for_is_an_accident() -> None:
    assert accidents_of(leave(TypeError("of no use"))) == ["fail: TypeError('of no use')"]


@pytest.mark.parametrize("error", [Killed(), Unavailable("an answer")])
def test_neither_the_end_of_a_process_is_one_nor_an_answer_that_nobody_has_come_for(
    error: BaseException,
) -> None:
    assert accidents_of(leave(error)) == []


def test_an_error_that_somebody_has_seen_is_none() -> None:
    async def scenario() -> None:
        await asyncio.gather(asyncio.create_task(fail(TypeError())), return_exceptions=True)

    assert accidents_of(scenario()) == []
