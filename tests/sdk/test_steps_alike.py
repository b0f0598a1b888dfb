"""Every attempt sees the same: what a step gives, as which type, and how it failed."""

from __future__ import annotations

import asyncio
import functools
import math
import sys
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from pydantic import BaseModel, ConfigDict

import sheratan
from sheratan import Context, Limits, RateLimited, Retryable, job
from sheratan.contracts.errors import LostLease
from sheratan.contracts.worker import Assignment, StepReport
from sheratan.sdk.steps import Steps
from sheratan.sdk.surroundings import Alone, Surroundings
from tests.sdk.test_steps import SECONDS_MAX, run

T = TypeVar("T")


class Charge(BaseModel):
    """What one step gives."""

    cents: int


class Refund(BaseModel):
    """What another gives."""

    reason: str


class Strict(BaseModel):
    """Takes nothing for an instant but an instant."""

    model_config = ConfigDict(strict=True)
    at: datetime


def twice(
    folder: Path, handler: Callable[[Context], Awaitable[Any]], **options: Any
) -> tuple[list[Any], int]:
    """What a handler returned in each of two attempts, and in which attempt its job ended."""
    told: list[Any] = []

    async def again(ctx: Context) -> None:
        told.append(await handler(ctx))
        if len(told) == 1:
            raise Retryable("once more")

    record, _ = run(folder, again, **options)
    assert record.error is None, record.error
    return told, record.attempt


def test_the_keys_of_an_output_keep_their_order(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> list[Any]:
        parts = await ctx.step("parts", lambda: {"b": 1, "a": 2})
        return [await ctx.step(f"do-{name}", lambda name=name: name) for name in parts]

    assert twice(tmp_path, handler) == ([["b", "a"]] * 2, 2)


@pytest.mark.parametrize("value", [1.0, -0.0, 1e20, 0.1, "\x00\u2028", [[]], {"": None}])
def test_a_value_stays_what_it_is(tmp_path: Path, value: Any) -> None:
    async def handler(ctx: Context) -> str:
        return repr(await ctx.step("value", lambda: value))

    assert twice(tmp_path, handler)[0] == [repr(value)] * 2


@pytest.mark.parametrize("value", [math.nan, math.inf, 1 << 60, "\ud800"])
def test_what_json_cannot_carry_is_no_output(tmp_path: Path, value: Any) -> None:
    async def handler(ctx: Context) -> None:
        await ctx.step("value", lambda: value)

    record, recorded = run(tmp_path, handler)
    assert record.error is not None
    assert (record.error.type, record.attempt, recorded) == ("InvalidOutput", 1, ["value"])


def traced(function: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """What many programs put around their functions."""

    @functools.wraps(function)
    async def wrapper(*arguments: Any) -> T:
        return await function(*arguments)

    return wrapper


@traced
async def charge() -> Charge:
    return Charge(cents=5)


@traced
async def refund() -> Refund:
    return Refund(reason="late")


def test_functions_of_one_decorator_have_their_own_types(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> list[Any]:
        return [await ctx.step("charge", charge), await ctx.step("refund", refund)]

    assert twice(tmp_path, handler)[0] == [[Charge(cents=5), Refund(reason="late")]] * 2


async def charge_of(cents: int) -> Charge:
    return Charge(cents=cents)


async def strict() -> Strict:
    return Strict(at=datetime(2026, 11, 21, tzinfo=UTC))


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (functools.partial(charge_of, 7), Charge(cents=7)),
        (strict, Strict(at=datetime(2026, 11, 21, tzinfo=UTC))),
    ],
)
def test_a_type_is_found_and_kept(tmp_path: Path, function: Any, given: Any) -> None:
    async def handler(ctx: Context) -> Any:
        return await ctx.step("step", function)

    assert twice(tmp_path, handler)[0] == [given] * 2


async def returns_a_lock() -> threading.Lock:
    raise AssertionError("it must not be run")


async def returns_nothing_known() -> Unknown:  # type: ignore[name-defined]  # noqa: F821
    raise AssertionError("it must not be run")


@pytest.mark.parametrize("function", [returns_a_lock, returns_nothing_known])
def test_a_type_that_nothing_can_be_made_of_is_noticed_before_the_step_is_run(
    tmp_path: Path, function: Any
) -> None:
    async def handler(ctx: Context) -> None:
        await ctx.step("step", function)

    record, recorded = run(tmp_path, handler, attempts_max=5)
    assert record.error is not None
    assert (record.error.type, record.attempt, recorded) == ("Fatal", 1, [])


@pytest.mark.parametrize("name", [None, 5, "", "a b", "x" * 200, "\ud800", "wait:sleep"])
def test_a_name_that_is_none_is_refused_before_the_step_is_run(tmp_path: Path, name: Any) -> None:
    async def handler(ctx: Context) -> None:
        await ctx.step(name, returns_a_lock)

    record, recorded = run(tmp_path, handler, attempts_max=5)
    assert record.error is not None
    assert (record.error.type, record.attempt, recorded) == ("Fatal", 1, [])
    assert "is no name for a step" in record.error.message


def test_more_steps_than_a_job_may_have_end_it_for_good(tmp_path: Path) -> None:
    done: list[int] = []

    @job(kind="durable", attempts_max=5, backoff_base_seconds=0.0)
    async def handler(ctx: Context) -> None:
        for number in range(4):
            await ctx.step("step", done.append, number)

    async def scenario() -> None:
        limits = Limits(steps_max=2)
        async with (
            asyncio.timeout(SECONDS_MAX),
            sheratan.open(tmp_path / "data", [handler], limits=limits) as client,
        ):
            handle = await client.submit(handler)
            record = await client.wait(handle.id)
            assert record.error is not None
            assert (record.error.type, record.attempt) == ("NotRecorded", 1)
            assert "limits.steps_max" in record.error.message

    asyncio.run(scenario())
    assert done == [0, 1, 2]


def test_a_handler_that_tidies_up_in_steps_ends_as_the_first_one_failed(tmp_path: Path) -> None:
    told: list[str] = []

    async def limited() -> None:
        raise RateLimited("slow down", retry_after_seconds=0.0)

    async def handler(ctx: Context) -> None:
        try:
            if ctx.attempt == 1:
                await ctx.step("bad", limited)
        finally:
            told.append("tidy")
            if ctx.attempt == 1:
                await ctx.step("tidy", lambda: told.append("tidied"))

    record, recorded = run(tmp_path, handler)
    assert (record.state, record.attempt, recorded, told) == ("succeeded", 2, [], ["tidy", "tidy"])


def test_of_two_failures_the_first_counts(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> None:
        first_failed = asyncio.Event()

        async def first() -> None:
            first_failed.set()
            raise ValueError("first")

        async def second() -> None:
            await first_failed.wait()
            await asyncio.sleep(0)
            raise Retryable("second")

        if ctx.attempt == 1:
            await asyncio.gather(ctx.step("second", second), ctx.step("first", first))

    record, _ = run(tmp_path, handler)
    assert record.attempt == 2
    assert "first" in failures_of(tmp_path, record.id)[0]


def failures_of(folder: Path, job_id: str) -> list[str]:
    """How the attempts at a job failed."""

    async def told() -> list[str]:
        async with sheratan.open(folder / "data", []) as client:
            return [line.text for line in (await client.why(job_id)).lines if line.type == "job.retried"]

    return asyncio.run(told())


def test_a_step_that_exits_fails_its_attempt_and_nothing_else(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> str:
        beside = ctx.step("beside", lambda: 1)
        if ctx.attempt == 1:
            await asyncio.gather(ctx.step("exits", sys.exit, 3), beside)
        return f"alive {await beside}"

    record, _ = run(tmp_path, handler)
    assert (record.output, record.attempt) == ("alive 1", 2)


def test_a_step_that_its_handler_leaves_behind_ends_before_the_next_attempt_begins(tmp_path: Path) -> None:
    told: list[str] = []

    async def handler(ctx: Context) -> None:
        begun = asyncio.Event()

        async def slow() -> None:
            begun.set()
            for _ in range(50):
                await asyncio.sleep(0)
            told.append("slow has ended")

        async def fails() -> None:
            await begun.wait()
            told.append("the handler fails")
            raise Retryable("by itself")

        told.append(f"attempt {ctx.attempt}")
        if ctx.attempt == 1:
            await asyncio.gather(ctx.step("slow", slow), fails())
        await ctx.step("slow", slow)

    record, recorded = run(tmp_path, handler)
    assert (record.state, recorded) == ("succeeded", ["slow"])
    assert told == ["attempt 1", "the handler fails", "slow has ended", "attempt 2"]


def test_plain_functions_wait_beside_each_other_in_many_threads(tmp_path: Path) -> None:
    together = threading.Barrier(24, timeout=SECONDS_MAX)

    async def handler(ctx: Context) -> None:
        await asyncio.gather(*(ctx.step(f"step-{number}", together.wait) for number in range(24)))

    record, recorded = run(tmp_path, handler)
    assert (record.state, len(recorded)) == ("succeeded", 24)


# ----------------------------------------------------------------------------------------------------------------------
# Steps alone, with a way to the engine that a test holds in its hand


GIVEN = Assignment(
    id="job_x", number=1, kind="durable", queue="default", attempt=1, attempts_max=3, worker_losses=0, fence=1,
    input=msgspec.Raw(b"null"), run_timeout_us=60_000_000, created_us=1,
)  # fmt: skip


class Way:
    """A way to the engine: steps are recorded when a test says so."""

    def __init__(self) -> None:
        self.sent: list[StepReport | Alone] = []
        self.was_asked = asyncio.Event()
        self.answers: asyncio.Queue[BaseException | None] = asyncio.Queue()
        self.is_cancelled = False

    async def send(self, report: StepReport | Alone) -> None:
        """Wait for the test's word."""
        self.sent.append(report)
        self.was_asked.set()
        answer = await self.answers.get()
        if answer is not None:
            raise answer

    def steps(self) -> Steps:
        """The steps of an attempt over this way."""
        return Steps(GIVEN, [], Surroundings(self.send, lambda: None, lambda: self.is_cancelled))


def test_a_step_that_is_given_up_while_it_is_recorded_counts() -> None:
    async def scenario() -> None:
        way = Way()
        steps = way.steps()
        asked = asyncio.create_task(steps.run("step", lambda: 7, ()))
        await way.was_asked.wait()
        waiting = asyncio.create_task(asyncio.wait_for(asked, 0))
        for _ in range(5):
            await asyncio.sleep(0)
        way.answers.put_nowait(None)
        assert await waiting == 7

    asyncio.run(scenario())


def test_an_attempt_that_is_to_stop_does_not_wait_until_its_step_is_recorded() -> None:
    async def scenario() -> None:
        way = Way()
        asked = asyncio.create_task(way.steps().run("step", lambda: 7, ()))
        await way.was_asked.wait()
        way.is_cancelled = True
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked

    asyncio.run(scenario())


def test_an_attempt_that_was_given_up_begins_no_more_steps() -> None:
    async def scenario() -> None:
        way = Way()
        steps = way.steps()
        way.answers.put_nowait(LostLease("it was given up"))
        for name in ("first", "second"):
            with pytest.raises(LostLease):
                await steps.run(name, lambda: 7, ())
        assert [one.name for one in way.sent] == ["first"]

    asyncio.run(scenario())


def test_a_task_that_a_step_has_started_may_ask_another_job_for_steps() -> None:
    async def scenario() -> None:
        mine, other = Way(), Way()
        mine.answers.put_nowait(None)
        other.answers.put_nowait(None)

        async def act() -> int:
            return int(await other.steps().run("step", lambda: 7, ()))

        assert await mine.steps().run("step", act, ()) == 7

    asyncio.run(scenario())
