"""Calls by somebody who has not much time left: they take no longer, and the dependency is not blamed for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from sheratan.contracts.errors import TimedOut
from tests.guards.guarding import Dependency, Guarded, passing, virtually


def guarded(scenario: Callable[[Guarded, Dependency], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        await scenario(Guarded(**settings), Dependency(answers_after=60.0))

    virtually(run())


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_call_ends_with_the_time_of_whoever_makes_it_and_that_is_no_failure() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        began = now()
        call = guards.call(seconds_left=3.0)
        assert await dependency.ask_through(call) == "timed out"
        assert call.timeout_seconds == 3.0
        assert now() == pytest.approx(began + 3)
        assert (guards.record.calls["abandoned"], guards.record.calls["failed"]) == (1, 0)

    guarded(scenario, timeout_seconds=10.0)


def test_a_client_that_gives_up_when_no_time_is_left_says_nothing_of_the_dependency() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        async def gives_up_after(seconds: float) -> None:
            async with guards.call(seconds_left=3.0):
                with suppress(asyncio.CancelledError):
                    await passing(seconds)
                raise ConnectionResetError

        for seconds in (3.5, 2.5):
            with pytest.raises(ConnectionResetError):
                await gives_up_after(seconds)
        assert (guards.record.calls["abandoned"], guards.record.calls["failed"]) == (1, 1)

    guarded(scenario, timeout_seconds=10.0)


def test_a_dependency_that_had_all_the_time_it_is_given_has_failed() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        assert await dependency.ask_through(guards.call(seconds_left=10.0)) == "timed out"
        assert await dependency.ask_through(guards.call(seconds_left=30.0)) == "timed out"
        assert (guards.record.calls["abandoned"], guards.record.calls["failed"]) == (0, 2)

    guarded(scenario, timeout_seconds=10.0)


@pytest.mark.parametrize("seconds_left", [0.0, -1.0])
def test_no_call_begins_when_no_time_is_left(seconds_left: float) -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        with pytest.raises(TimedOut, match="no time is left for a call of stripe, so it was not made"):
            await guards.call(seconds_left=seconds_left).__aenter__()
        assert dependency.reached_at == []
        assert set(guards.record.calls.values()) == {0}

    guarded(scenario)


def test_nobody_waits_for_room_longer_than_they_have_time() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        holder = asyncio.create_task(dependency.ask_through(guards.call()))
        await passing(0)
        began = now()
        assert await dependency.ask_through(guards.call(seconds_left=0.25)) == "refused: full"
        assert now() == pytest.approx(began + 0.25)
        holder.cancel()

    guarded(scenario, concurrency=1)
