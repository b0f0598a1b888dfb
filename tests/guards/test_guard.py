"""A guard: who is let through, who waits, who is refused, and that every permit comes back exactly once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from sheratan.contracts.errors import (
    DependencyUnavailable,
    InternalError,
    InvalidInput,
    LimitReached,
    TimedOut,
    error_from_wire,
)
from sheratan.contracts.guards import CALL_OUTCOMES, GUARDS_MAX, GuardSettings
from sheratan.guards.guard import Guard
from sheratan.guards.outcomes import outcome_of
from tests.guards.guarding import NAME, Dependency, Guarded, passing, virtually

Scenario = Callable[[Guarded, Dependency], Awaitable[None]]


class Declined(Exception):
    """What clients raise for an answer that says no."""

    status_code = 404


def guarded(scenario: Scenario, **settings: Any) -> None:
    """Run a scenario in virtual time, with a guard that is set so."""

    async def whole() -> None:
        await scenario(Guarded(**settings), Dependency())

    virtually(whole())


async def fail(guards: Guarded, times: int, error: Exception | None = None) -> None:
    for _ in range(times):
        with pytest.raises(type(error or OSError())):
            async with guards.call():
                raise error or OSError("gone")


async def hold(guards: Guarded, count: int, seconds: float = 5.0) -> list[asyncio.Task[str]]:
    """So many calls that are under way for so long."""
    slow = Dependency(answers_after=seconds)
    tasks = [asyncio.create_task(slow.ask_through(guards.call())) for _ in range(count)]
    await passing(0)
    return tasks


async def drive(guards: Guarded, dependency: Dependency, seconds: float, callers: int = 20) -> None:
    """So many who call, one call after the other."""
    end = asyncio.get_running_loop().time() + seconds

    async def go_on() -> None:
        while asyncio.get_running_loop().time() < end:
            await dependency.ask_through(guards.call())

    await asyncio.gather(*(go_on() for _ in range(callers)))


def test_five_failures_open_the_breaker_and_the_refusal_says_all_that_is_needed() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        await fail(guards, 5)
        with pytest.raises(
            DependencyUnavailable,
            match=r"^stripe is not called: its breaker is open for another 5.0 s; "
            r"5 calls in a row have failed, the last with: OSError$",
        ) as refused:
            async with guards.call():
                await dependency.ask()
        assert dependency.reached_at == []
        error = refused.value
        assert (error.code, error.status, error.retryable) == ("dependency_unavailable", 503, True)
        assert error.extra["dependency"] == NAME
        assert 5 <= error.retry_after_seconds <= 25
        again = error_from_wire(error.to_wire())
        assert isinstance(again, DependencyUnavailable)
        assert again.retry_after_seconds == error.retry_after_seconds
        assert guards.record.state == "open"
        assert guards.record.because == "5 calls in a row have failed, the last with: OSError"
        assert guards.record.calls == {**dict.fromkeys(CALL_OUTCOMES, 0), "failed": 5, "refused": 1}

    guarded(scenario)


def test_five_errors_of_the_caller_change_nothing() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        await fail(guards, 20, Declined())
        await fail(guards, 20, ValueError("no amount"))
        assert await dependency.ask_through(guards.call()) == "answered"
        assert guards.told == []
        assert guards.record.calls == {
            "succeeded": 1, "failed": 0, "declined": 20, "abandoned": 20, "refused": 0
        }  # fmt: skip

    guarded(scenario)


def test_those_who_were_refused_do_not_all_come_back_at_once() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        await fail(guards, 5)
        after = []
        for _ in range(400):
            with pytest.raises(DependencyUnavailable) as refused:
                async with guards.call():
                    await dependency.ask()
            after.append(refused.value.retry_after_seconds)
        buckets = [sum(5 + second <= one < 6 + second for one in after) for second in range(20)]
        assert sum(buckets) == 400
        assert max(buckets) <= 3 * 400 / 20

    guarded(scenario)


def test_it_tells_when_the_breaker_opens_half_opens_and_closes() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        await fail(guards, 5)
        await passing(5.01)
        assert await dependency.ask_through(guards.call()) == "answered"
        because = "5 calls in a row have failed, the last with: OSError"
        assert guards.told == [
            (0, "breaker.opened", because),
            (5, "breaker.half_opened", because),
            (5, "breaker.closed", because),
        ]
        assert (guards.record.state, guards.record.because, guards.record.until_us) == ("closed", "", None)

    guarded(scenario)


def test_a_call_that_takes_too_long_is_ended_and_has_failed() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        dependency.answers_after = 60.0
        began = asyncio.get_running_loop().time()
        call = guards.call()
        with pytest.raises(TimedOut, match=r"^stripe has not answered within 2 s$"):
            async with call:
                await dependency.ask()
        assert call.timeout_seconds == 2.0
        assert asyncio.get_running_loop().time() == pytest.approx(began + 2)
        assert (dependency.live, guards.record.in_flight, guards.record.calls["failed"]) == (0, 0, 1)

    guarded(scenario, timeout_seconds=2.0)


def test_one_that_swallows_its_end_has_failed_all_the_same() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        dependency.answers_after = 60.0
        async with guards.call():
            with suppress(asyncio.CancelledError):
                await dependency.ask()
        assert guards.record.calls["failed"] == 1

    guarded(scenario, timeout_seconds=2.0)


def test_no_more_are_under_way_than_may_be_and_those_who_wait_come_in_order() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        order: list[int] = []

        async def ask(number: int) -> None:
            async with guards.call():
                order.append(number)
                await dependency.ask()

        await asyncio.gather(*map(ask, range(12)))
        assert (order, dependency.peak) == (list(range(12)), 3)

    guarded(scenario, concurrency=3)


def test_who_waits_for_too_long_or_behind_too_many_is_refused() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        tasks = await hold(guards, 2)
        waiting = [asyncio.create_task(dependency.ask_through(guards.call())) for _ in range(3)]
        await passing(0)
        assert (guards.record.in_flight, guards.record.waiting) == (2, 3)
        began = asyncio.get_running_loop().time()
        with pytest.raises(
            DependencyUnavailable, match="2 calls are under way, as many as may be"
        ) as refused:
            async with guards.call():
                await dependency.ask()
        assert refused.value.extra["reason"] == "full"
        assert asyncio.get_running_loop().time() == began, "it has waited although there was no room to wait"
        assert await asyncio.gather(*waiting) == ["refused: full"] * 3
        assert guards.record.waiting == 0
        assert await asyncio.gather(*tasks) == ["answered"] * 2
        assert await dependency.ask_through(guards.call()) == "answered"

    guarded(scenario, concurrency=2, waiting_max=3)


def test_nobody_waits_for_room_whom_the_breaker_would_not_let_through() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        await fail(guards, 5)
        await passing(5.1)
        [trial] = await hold(guards, 1)
        asked_at = asyncio.get_running_loop().time()
        assert await dependency.ask_through(guards.call()) == "refused: breaker"
        assert asyncio.get_running_loop().time() == asked_at
        assert (guards.record.waiting, await trial) == (0, "answered")

    guarded(scenario, concurrency=1)


def test_who_waits_is_refused_at_once_when_the_breaker_opens() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        failing = Dependency(answers_after=0.5)
        failing.error = ConnectionResetError()
        tasks = [asyncio.create_task(failing.ask_through(guards.call())) for _ in range(6)]
        # The third has begun when the first had failed, and before the second did.
        assert await asyncio.gather(*tasks) == ["ConnectionResetError"] * 3 + ["refused: breaker"] * 3
        assert asyncio.get_running_loop().time() == pytest.approx(1.0)

    guarded(scenario, concurrency=2, failures_max=2, wait_seconds=60.0)


@pytest.mark.parametrize("ended", ["in time", "cancelled"])
def test_a_waiter_that_is_cancelled_leaves_its_place_and_a_holder_its_permit(ended: str) -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        [holder] = await hold(guards, 1, seconds=0.5)
        first, second = (asyncio.create_task(dependency.ask_through(guards.call())) for _ in range(2))
        await passing(0)
        first.cancel()
        if ended == "cancelled":
            holder.cancel()
        assert await second == "answered"
        assert dependency.peak == 1
        assert (guards.record.in_flight, guards.record.waiting) == (0, 0)
        assert guards.record.calls["abandoned"] == (ended == "cancelled")

    guarded(scenario, concurrency=1)


def test_code_that_is_closed_in_the_middle_of_its_call_gives_its_permit_back() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        async def lines() -> AsyncGenerator[str]:
            async with guards.call():
                yield "one"
                yield "two"

        for _ in range(3):
            said = lines()
            assert await anext(said) == "one"
            assert guards.record.in_flight == 1
            await said.aclose()
            assert guards.record.in_flight == 0
        assert guards.record.calls["abandoned"] == 3

    guarded(scenario, concurrency=1)


def test_a_permit_that_was_given_in_the_turn_of_the_cancellation_goes_to_the_next() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        gate = asyncio.Event()

        async def hold_until_told() -> None:
            async with guards.call():
                await gate.wait()
            # The first who waits has its permit now, and does not know it yet.
            first.cancel()

        holder = asyncio.create_task(hold_until_told())
        await passing(0)
        first, second = (asyncio.create_task(dependency.ask_through(guards.call())) for _ in range(2))
        await passing(0)
        gate.set()
        assert await second == "answered"
        await asyncio.gather(holder, first, return_exceptions=True)
        assert first.cancelled()
        assert (guards.record.in_flight, guards.record.waiting) == (0, 0)

    guarded(scenario, concurrency=1)


def test_a_permit_that_comes_back_in_the_turn_of_a_cancellation_passes_over_who_was_cancelled() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        guard = guards.guards._find(NAME)
        held = await guard.acquire()
        first, second = (asyncio.create_task(dependency.ask_through(guards.call())) for _ in range(2))
        await passing(0)
        first.cancel()
        guard.release(held, "succeeded")
        assert await second == "answered"
        await asyncio.gather(first, return_exceptions=True)
        assert first.cancelled()
        assert (guards.record.in_flight, guards.record.waiting) == (0, 0)

    guarded(scenario, concurrency=1)


def test_a_permit_of_a_holder_that_never_ends_is_taken_back_after_its_lease_and_late_ends_change_nothing() -> (
    None
):
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        guard = guards.guards._find(NAME)
        lost = await guard.acquire()
        await passing(3.9)
        assert await dependency.ask_through(guards.call()) == "refused: full", "its lease is not over"
        await passing(0.1)
        assert await dependency.ask_through(guards.call()) == "answered"
        held = await guard.acquire()
        before = guards.record
        for _ in range(2):
            guard.release(lost, "succeeded")
        assert guards.record == before
        assert before.in_flight == 1
        guard.release(held, "succeeded")
        assert guards.record.in_flight == 0

    guarded(scenario, concurrency=1, timeout_seconds=2.0, wait_seconds=0.05)


def test_a_dependency_that_gets_slow_gets_fewer_calls_at_once_and_then_all_again() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        dependency.answers_after = 0.1
        await drive(guards, dependency, 5)
        assert guards.record.limit == 20
        dependency.answers_after = 1.0
        await drive(guards, dependency, 60)
        slow = guards.record.limit
        dependency.peak = 0
        await drive(guards, dependency, 2)
        assert slow <= 8
        assert dependency.peak <= slow
        dependency.answers_after = 0.1
        await drive(guards, dependency, 60)
        assert guards.record.limit == 20

    guarded(scenario, wait_seconds=60.0)


def test_a_limit_that_has_fallen_does_not_grow_before_it_is_made_use_of() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        for seconds in (0.1, 1.0):
            dependency.answers_after = seconds
            await drive(guards, dependency, 30)
        slow = guards.record.limit
        assert slow < 15
        dependency.answers_after = 0.01
        await drive(guards, dependency, 30, callers=1)
        assert guards.record.limit == slow

    guarded(scenario, wait_seconds=60.0)


def test_quick_refusals_by_the_dependency_do_not_make_its_answers_look_slow() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        dependency.answers_after, dependency.error = 0.01, Declined()
        await drive(guards, dependency, 5)
        dependency.answers_after, dependency.error = 0.1, None
        await drive(guards, dependency, 20)
        assert guards.record.limit == 20

    guarded(scenario)


def test_calls_that_end_by_their_time_limit_are_slow_ones() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        dependency.answers_after = 0.1
        hanging = Dependency(answers_after=60.0)
        await drive(guards, dependency, 5)
        await asyncio.gather(drive(guards, hanging, 30, callers=15), drive(guards, dependency, 30, callers=2))
        assert guards.record.calls["failed"] > 50
        assert guards.record.limit < 20

    guarded(scenario, timeout_seconds=2.0, failures_max=10_000, failing_permille=1_000)


def test_it_stays_at_what_is_set_where_that_is_wanted() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        for seconds in (0.01, 0.5):
            dependency.answers_after = seconds
            for _ in range(60):
                await asyncio.gather(*(dependency.ask_through(guards.call()) for _ in range(20)))
        assert guards.record.limit == 20

    guarded(scenario, adaptive=False)


def test_retries_are_refused_while_calls_fail_and_cost_nothing_while_none_does() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        for _ in range(100):
            assert await dependency.ask_through(guards.call(is_retry=True)) == "answered"
        await fail(guards, 1)
        said = [await dependency.ask_through(guards.call(is_retry=True)) for _ in range(30)]
        assert said == ["answered"] * 10 + ["refused: retries"] * 20
        for _ in range(20):
            await dependency.ask_through(guards.call())
        said = [await dependency.ask_through(guards.call(is_retry=True)) for _ in range(3)]
        assert said == ["answered"] * 2 + ["refused: retries"]

    guarded(scenario)


def test_a_retry_may_be_the_trial_of_a_half_open_breaker() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        await fail(guards, 5)
        await passing(5.1)
        assert await dependency.ask_through(guards.call(is_retry=True)) == "answered"

    guarded(scenario)


def test_a_plain_function_in_a_thread_is_guarded_too() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        def ask() -> str:
            with guards.call() as call:
                return (
                    f"{threading.current_thread() is not threading.main_thread()}, {call.timeout_seconds:g} s"
                )

        def fails() -> None:
            with guards.call():
                raise ConnectionRefusedError

        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(None, ask) == "True, 10 s"
        for _ in range(5):
            with pytest.raises(ConnectionRefusedError):
                await loop.run_in_executor(None, fails)
        with pytest.raises(DependencyUnavailable):
            await loop.run_in_executor(None, ask)
        assert guards.record.in_flight == 0
        assert guards.record.calls["succeeded"] == 1
        assert guards.record.calls["failed"] == 5

    guarded(scenario)


def test_a_plain_with_on_the_loop_is_refused_where_it_would_hang() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        with pytest.raises(InternalError, match="async with"), guards.call():
            raise AssertionError
        async with guards.call() as call:
            pass
        with pytest.raises(InternalError, match="once"):
            async with call:
                raise AssertionError

    guarded(scenario)


@pytest.mark.parametrize("name", ["", "Stripe", "a" * 33, "host/1", "a\n"])
def test_a_name_that_no_dependency_can_have_is_refused(name: str) -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        with pytest.raises(InvalidInput) as refused:
            guards.call(name)
        assert refused.value.field == "dependency"

    guarded(scenario)


def test_names_that_are_made_of_data_come_to_an_end() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        for number in range(GUARDS_MAX - 1):
            assert await dependency.ask_through(guards.call(f"host{number}")) == "answered"
        with pytest.raises(LimitReached, match="must not be made of data"):
            async with guards.call("one-more"):
                raise AssertionError
        assert await dependency.ask_through(guards.call("host0")) == "answered"
        assert len(guards.guards.records) == GUARDS_MAX

    guarded(scenario)


def test_what_is_declared_is_there_from_the_start_and_the_rest_has_the_defaults() -> None:
    async def scenario(guards: Guarded, dependency: Dependency) -> None:
        assert [one.dependency for one in guards.guards.records] == [NAME]
        await dependency.ask_through(guards.call("other"))
        other = guards.guards.records[1]
        assert (guards.record.concurrency, other.concurrency) == (7, GuardSettings().concurrency)
        assert isinstance(guards.guards._find("other"), Guard)
        assert outcome_of(None) == "succeeded"

    guarded(scenario, concurrency=7)
