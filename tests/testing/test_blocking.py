"""A world with `blocked_seconds`: async handlers that hold up the loop are named at its end, and nobody else is."""

from __future__ import annotations

import asyncio
import threading

import pytest

from sheratan import job, testing

SECONDS = 0.05
BLOCKED = 4 * SECONDS


def wait_for_real() -> None:
    """Real time goes by, as in a client that waits for an answer."""
    threading.Event().wait(BLOCKED)


@job(kind="holds_up")
async def holds_up(number: int) -> int:
    wait_for_real()
    return number


@job(kind="in_a_thread")
def in_a_thread(number: int) -> int:
    wait_for_real()
    return number


@job(kind="awaits")
async def awaits(number: int) -> int:
    await asyncio.to_thread(wait_for_real)
    return number


@pytest.mark.parametrize("blocked_seconds", [SECONDS, None])
def test_a_handler_that_holds_up_the_loop_is_named_if_that_is_asked_for(
    blocked_seconds: float | None,
) -> None:
    @testing.in_world([holds_up], blocked_seconds=blocked_seconds)
    async def scenario(world: testing.World) -> None:
        assert await world.client.run(holds_up, 7) == 7

    if blocked_seconds is None:
        scenario()
        return
    with pytest.raises(testing.HandlerBlocked) as told:
        scenario()
    message = str(told.value)
    assert "a handler of kind holds_up has blocked the event loop for 0." in message
    assert f"in wait_for_real ({__file__}:" in message


def test_what_waits_in_a_thread_or_for_the_loop_holds_up_nobody() -> None:
    @testing.in_world([in_a_thread, awaits], blocked_seconds=SECONDS)
    async def scenario(world: testing.World) -> None:
        assert await world.client.run(in_a_thread, 1) == 1
        assert await world.client.run(awaits, 2) == 2

    scenario()


def test_what_the_test_itself_does_is_none_of_a_handler() -> None:
    @testing.in_world([awaits], blocked_seconds=SECONDS)
    async def scenario(world: testing.World) -> None:
        wait_for_real()
        assert await world.client.run(awaits, 2) == 2

    scenario()
