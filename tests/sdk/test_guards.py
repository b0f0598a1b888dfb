"""Handlers that call something outside: what the guard refuses the engine tries again, when the guard says so."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import sheratan
from sheratan import (
    Context,
    DependencyUnavailable,
    Fatal,
    Guards,
    GuardSettings,
    StepRetry,
    Worker,
    job,
    testing,
)
from sheratan.contracts.errors import JobFailed
from tests.sdk import sample_kinds as kinds


class Stripe:
    """Somebody outside, who is down for a while."""

    def __init__(self) -> None:
        self.calls = 0
        self.fails_until = 0
        self.error: Exception = ConnectionResetError()

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self.fails_until:
            raise self.error
        return self.calls


STRIPE = Stripe()


@pytest.fixture(autouse=True)
def stripe() -> Stripe:
    STRIPE.__init__()  # type: ignore[misc]
    return STRIPE


@job(attempts_max=20, backoff_base_seconds=0.1, backoff_max_seconds=0.1)
async def charge(ctx: Context, amount: int) -> int:
    async with ctx.guard("stripe"):
        return STRIPE()


@job(attempts_max=20, backoff_base_seconds=0.1, backoff_max_seconds=0.1)
def charge_in_a_thread(ctx: Context, amount: int) -> int:
    with ctx.guard("stripe") as call:
        assert call.timeout_seconds == 10.0
        return STRIPE()


@job(attempts_max=1)
async def charge_in_a_step(ctx: Context) -> Any:
    def pay() -> int:
        with ctx.guard("stripe"):
            return STRIPE()

    return await ctx.step("pay", pay, retry=StepRetry(tries_max=20, backoff_base_seconds=0.1))


@job(attempts_max=1)
async def charge_once(ctx: Context, error: str) -> int:
    async with ctx.guard("stripe", is_fault=lambda found: isinstance(found, KeyError)):
        if error == "fatal":
            raise Fatal("no such customer")
        if error:
            raise KeyError(error)
        return STRIPE()


@job(attempts_max=1)
async def charge_after_a_step(ctx: Context) -> Any:
    async def first() -> int:
        async with ctx.guard("stripe"):
            return STRIPE()

    await ctx.step("first", first, retry=StepRetry(tries_max=3, backoff_base_seconds=0.1))
    async with ctx.guard("stripe"):
        return STRIPE()


@job(attempts_max=1, run_timeout_seconds=60)
async def hangs(ctx: Context) -> None:
    async with ctx.guard("stripe"):
        await asyncio.Event().wait()


ALL = [charge, charge_in_a_thread, charge_in_a_step, charge_after_a_step, charge_once, hangs]


@pytest.mark.parametrize("kind", [charge, charge_in_a_thread])
@testing.in_world(ALL)
async def test_what_is_refused_is_tried_again_when_the_guard_says_so(
    world: testing.World, stripe: Stripe, kind: Any
) -> None:
    stripe.fails_until = 5
    handle = await world.client.submit(kind, 1)
    assert await handle.result() == 6, "the dependency was called no more often than the breaker lets"
    assert stripe.calls == 6
    record = await world.client.job(handle.id)
    told = await world.why(handle.id)
    assert record.attempt > 6, "an attempt that is refused is one, too"
    assert "failed with ConnectionResetError (retryable)" in told
    assert "failed with DependencyUnavailable (retryable)" in told
    assert "that were asked for" in told


async def open_breaker(world: testing.World, stripe: Stripe) -> None:
    stripe.fails_until = 1_000
    for _ in range(5):
        with pytest.raises(JobFailed):
            await world.client.run(charge, 1, attempts_max=1)


@testing.in_world(ALL)
async def test_a_refusal_says_which_dependency_and_for_how_long(world: testing.World, stripe: Stripe) -> None:
    await open_breaker(world, stripe)
    with pytest.raises(JobFailed) as refused:
        await world.client.run(charge, 1, attempts_max=1)
    assert "DependencyUnavailable: stripe is not called: its breaker is open for another " in str(
        refused.value
    )
    assert "5 calls in a row have failed, the last with: ConnectionResetError" in str(refused.value)
    assert stripe.calls == 5
    record = await world.client.job((await world.jobs())[-1].id)
    assert record.error is not None
    assert record.error.retry_after_seconds is not None
    assert 4 < record.error.retry_after_seconds < 25
    assert record.error.traceback == ""


@testing.in_world(ALL)
async def test_all_kinds_and_attempts_of_a_worker_share_a_guard(world: testing.World, stripe: Stripe) -> None:
    await open_breaker(world, stripe)
    with pytest.raises(JobFailed, match="DependencyUnavailable"):
        await world.client.run(charge_in_a_thread, 1, attempts_max=1)
    assert stripe.calls == 5


@testing.in_world(ALL)
async def test_what_the_handler_does_wrong_changes_nothing(world: testing.World, stripe: Stripe) -> None:
    stripe.fails_until, stripe.error = 20, ValueError("no amount")
    for _ in range(20):
        with pytest.raises(JobFailed, match="ValueError"):
            await world.client.run(charge, 1, attempts_max=1)
    for _ in range(20):
        with pytest.raises(JobFailed, match="no such customer"):
            await world.client.run(charge_once, "fatal")
    assert await world.client.run(charge, 1) == 21


@testing.in_world(ALL)
async def test_who_knows_the_client_better_says_what_a_fault_is(world: testing.World, stripe: Stripe) -> None:
    for _ in range(5):
        with pytest.raises(JobFailed, match="KeyError"):
            await world.client.run(charge_once, "customer")
    with pytest.raises(JobFailed, match="DependencyUnavailable"):
        await world.client.run(charge_once, "")
    assert stripe.calls == 0


@testing.in_world(ALL)
async def test_a_step_with_tries_of_its_own_waits_as_the_guard_says(
    world: testing.World, stripe: Stripe
) -> None:
    stripe.fails_until = 5
    handle = await world.client.submit(charge_in_a_step)
    assert await handle.result() == 6
    assert (await world.client.job(handle.id)).attempt == 1
    assert stripe.calls == 6


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each call that guards were asked for was a retry."""
    found: list[bool] = []
    call = Guards.call

    def heard(self: Guards, dependency: str, classify: Any, *, is_retry: bool, **more: Any) -> Any:
        found.append(is_retry)
        return call(self, dependency, classify, is_retry=is_retry, **more)

    monkeypatch.setattr(Guards, "call", heard)
    return found


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (charge, [False, True, True]),
        (charge_in_a_step, [False, True, True]),
        (charge_after_a_step, [False, True, True, False]),
    ],
)
@testing.in_world(ALL)
async def test_a_later_try_of_a_step_and_a_later_attempt_are_retries(
    world: testing.World, stripe: Stripe, asked: list[bool], kind: Any, wanted: list[bool]
) -> None:
    stripe.fails_until = 2
    await world.client.run(kind, 1 if kind is charge else None)
    assert asked == wanted


@testing.in_world(ALL)
async def test_an_attempt_after_one_that_was_lost_with_its_worker_is_no_retry(
    world: testing.World, asked: list[bool]
) -> None:
    world.crash_at("job:end", kind="charge")
    handle = await world.client.submit(charge, 1)
    await handle.result()
    assert (await world.client.job(handle.id)).attempt == 2
    assert asked == [False, False]


@testing.in_world(ALL)
async def test_a_call_that_hangs_ends_its_attempt_in_time(world: testing.World) -> None:
    with pytest.raises(JobFailed, match="TimedOut: stripe has not answered within 10 s"):
        await world.client.run(hangs)


@testing.in_world(ALL)
async def test_a_job_that_is_cancelled_gives_its_permit_back(world: testing.World) -> None:
    for _ in range(25):
        handle = await world.client.submit(hangs)
        await world.settle()
        await handle.cancel("enough")
        await world.settle()
    assert await world.client.run(charge, 1) == 1


def test_a_worker_by_itself_guards_as_it_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with sheratan.open(tmp_path / "data") as client:
            worker = Worker(client, [charge])
            worker.guards = Guards({"stripe": GuardSettings(failures_max=1)})
            async with worker:
                STRIPE.fails_until = 1_000
                with pytest.raises(JobFailed, match="ConnectionResetError"):
                    await client.run(charge, 1, attempts_max=1)
                with pytest.raises(JobFailed, match="DependencyUnavailable"):
                    await client.run(charge, 1, attempts_max=1)
                [found] = worker.guards.records
                assert (found.dependency, found.state, found.calls["failed"]) == ("stripe", "open", 1)

    asyncio.run(scenario())


def test_a_handler_in_a_process_of_its_own_has_none_and_is_told_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with sheratan.open(tmp_path / "data", [kinds]) as client:
            with pytest.raises(
                JobFailed, match="Unavailable: a handler in a process of its own has no guards"
            ):
                await client.run(kinds.guards_in_a_process)

    asyncio.run(scenario())


def test_what_a_guard_refuses_is_an_error_of_this_package() -> None:
    assert issubclass(DependencyUnavailable, sheratan.SheratanError)
