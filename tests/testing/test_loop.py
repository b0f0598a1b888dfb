"""The virtual loop: what it refuses, and how it says that a test can come to no end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from sheratan import testing
from sheratan.contracts.errors import JobFailed
from tests.testing import sample_kinds as kinds


@pytest.mark.parametrize("how", ["socket", "process", "reader", "address"])
@testing.in_world([kinds])
async def test_real_input_and_output_fails_the_job_and_says_what_to_do(
    world: testing.World, how: str
) -> None:
    with pytest.raises(JobFailed, match=r"NoRealIO: .* plain function .* stand-in"):
        await world.client.run(kinds.reaches_out, how)
    [job] = await world.jobs()
    assert job.attempt == 1


def test_a_test_that_waits_for_what_never_comes_is_told_so_where_it_waits() -> None:
    async def scenario() -> None:
        async with testing.world([kinds]) as world:
            handle = await world.client.submit(kinds.waits_for_ever)
            await handle.result()

    with pytest.raises(testing.NothingLeft, match="nothing is left to happen") as refused:
        testing.run(scenario)
    [note, where] = refused.value.__notes__
    assert "of kind waits_for_ever is waiting; it waits for" in note
    assert "never" in note
    assert "2030-01-01" in where
    assert isinstance(refused.value.__cause__, asyncio.CancelledError)


def test_a_loop_without_a_world_says_so_too() -> None:
    with pytest.raises(testing.NothingLeft):
        testing.run(lambda: asyncio.Event().wait())


def test_a_thread_that_hangs_is_not_waited_for_for_ever() -> None:
    kinds.RELEASE.clear()

    async def scenario() -> None:
        async with testing.world([kinds]) as world:
            await world.client.run(kinds.stuck)

    try:
        with pytest.raises(testing.TooSlow, match="1 threads run"):
            testing.run(scenario, real_seconds_max=0.2)
    finally:
        kinds.RELEASE.set()


def test_a_loop_that_never_rests_comes_to_an_end_too() -> None:
    async def scenario() -> None:
        async with testing.world([kinds]) as world:
            while True:
                await world.settle()

    with pytest.raises(testing.TooSlow, match=r"0\.2 real seconds"):
        testing.run(scenario, real_seconds_max=0.2)


def test_a_world_needs_a_virtual_loop() -> None:
    async def scenario() -> None:
        async with testing.world():
            raise AssertionError("there is a world")

    with pytest.raises(testing.WorldError, match=r"testing\.run"):
        asyncio.run(scenario())


def test_any_runner_can_make_the_loop() -> None:
    async def scenario() -> int:
        async with testing.world([kinds]) as world:
            return int(await world.client.run(kinds.stubborn))

    with asyncio.Runner(loop_factory=testing.VirtualLoop) as runner:
        assert runner.run(scenario()) == 4


def test_threads_of_the_loop_itself_are_waited_for_to_the_last() -> None:
    async def scenario() -> str:
        return await asyncio.to_thread(lambda: threading.current_thread().name)

    assert testing.run(scenario).startswith("asyncio")


def test_a_frozen_node_does_nothing_until_it_is_buried() -> None:
    done: list[str] = []

    async def busy(loop: testing.VirtualLoop, wait: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            while True:
                done.append("turn")
                await wait()
        except asyncio.CancelledError:
            done.append("cancelled")
            raise

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, testing.VirtualLoop)
        task = loop.spawn("node", busy(loop, loop.settle))
        await loop.settle()
        loop.freeze("node")
        before = list(done)
        await loop.settle()
        task.cancel()
        await loop.settle()
        assert done == before
        loop.bury("node")
        await asyncio.gather(task, return_exceptions=True)
        assert done == [*before, "cancelled"]

    testing.run(scenario)
