"""Durable steps: what a handler has done once it does not do again, however often its job is run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

import sheratan
from sheratan import Client, Context, Kind, Retryable, StepFailed, job
from sheratan.contracts.jobs import JobRecord
from sheratan.sdk.step_output import StepOutput

SECONDS_MAX = 60

Handler = Callable[[Context], Awaitable[Any]]


class Receipt(BaseModel):
    """What a step gives."""

    number: int


def run(folder: Path, handler: Handler, **options: Any) -> tuple[JobRecord, list[str]]:
    """Run a job of this handler to its end; returns it, and the names of its recorded steps."""
    kind: Kind[Any, Any] = job(kind="durable", backoff_base_seconds=0.0, **options)(handler)

    async def scenario() -> tuple[JobRecord, list[str]]:
        async with (
            asyncio.timeout(SECONDS_MAX),
            sheratan.open(folder / "data", [kind], drain_seconds=0.1) as client,
        ):
            handle = await client.submit(kind)
            record = await client.wait(handle.id)
            return record, await names(client, handle.id)

    return asyncio.run(scenario())


async def names(client: Client, job_id: str) -> list[str]:
    """The names of a job's recorded steps, in order."""
    return [step.name for step in await client.steps(job_id)]


def test_a_step_that_is_recorded_is_not_run_again(tmp_path: Path) -> None:
    done: list[str] = []

    async def act(name: str) -> str:
        done.append(name)
        return f"{name} {len(done)}"

    async def handler(ctx: Context) -> list[str]:
        first = await ctx.step("first", act, "first")
        if ctx.attempt < 3:
            raise Retryable("not yet")
        return [first, await ctx.step("second", act, "second")]

    record, recorded = run(tmp_path, handler, attempts_max=5)
    assert record.output == ["first 1", "second 2"]
    assert done == ["first", "second"]
    assert recorded == ["first", "second"]


def test_a_name_may_be_used_in_a_loop(tmp_path: Path) -> None:
    done: list[int] = []

    async def act(number: int) -> int:
        done.append(number)
        return number * number

    async def handler(ctx: Context) -> list[int]:
        squares = []
        for number in range(6):
            squares.append(await ctx.step("square", act, number))
            if len(squares) == ctx.attempt * 2:
                raise Retryable("again")
        return squares

    record, _ = run(tmp_path, handler, attempts_max=9)
    assert record.state == "succeeded"
    assert record.output == [0, 1, 4, 9, 16, 25]
    assert done == [0, 1, 2, 3, 4, 5]


def test_a_step_gives_the_type_that_its_function_names_in_every_attempt(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def fetch() -> Receipt:
        return Receipt(number=7)

    async def handler(ctx: Context) -> int:
        receipt = await ctx.step("fetch", fetch)
        seen.append(receipt)
        if ctx.attempt == 1:
            raise Retryable("again")
        return int(receipt.number)

    record, _ = run(tmp_path, handler)
    assert record.output == 7
    assert seen == [Receipt(number=7)] * 2


async def due() -> datetime:
    return datetime(2026, 11, 21, tzinfo=UTC)


async def promised_a_number() -> int:
    return "no number"  # type: ignore[return-value]


def test_a_type_that_json_knows_only_as_text_comes_back_as_itself(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def handler(ctx: Context) -> None:
        seen.append(await ctx.step("due", due))
        if ctx.attempt == 1:
            raise Retryable("again")

    run(tmp_path, handler)
    assert seen == [datetime(2026, 11, 21, tzinfo=UTC)] * 2


def test_an_output_of_another_type_than_its_function_names_is_a_bug(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> None:
        await ctx.step("count", promised_a_number)

    record, recorded = run(tmp_path, handler)
    assert record.error is not None
    assert (record.error.type, record.error.error_class) == ("InvalidOutput", "bug")
    assert (record.attempt, recorded) == (1, ["count"])


def test_a_step_that_names_no_type_gives_plain_json_in_every_attempt(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def handler(ctx: Context) -> None:
        seen.append(await ctx.step("pair", lambda: (1, Receipt(number=2))))
        if ctx.attempt == 1:
            raise Retryable("again")

    run(tmp_path, handler)
    assert seen == [[1, {"number": 2}]] * 2


def test_a_plain_function_runs_in_a_thread_and_what_it_awaits_runs_here(tmp_path: Path) -> None:
    main = threading.get_ident()

    async def where() -> bool:
        return threading.get_ident() == main

    async def handler(ctx: Context) -> list[bool]:
        plain = await ctx.step("plain", lambda: threading.get_ident() == main)
        awaited = await ctx.step("awaited", lambda: where())
        return [plain, awaited]

    record, _ = run(tmp_path, handler)
    assert record.output == [False, True]


def test_steps_beside_each_other_are_given_back_in_the_order_in_which_they_ended(tmp_path: Path) -> None:
    told: list[list[str]] = []
    done: list[str] = []

    async def act(name: str, before: asyncio.Event | None, after: asyncio.Event) -> str:
        if before is not None:
            await before.wait()
        done.append(name)
        after.set()
        return name

    async def handler(ctx: Context) -> None:
        order: list[str] = []
        told.append(order)
        a_ended, b_ended, last = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def branch(name: str, before: asyncio.Event | None, after: asyncio.Event) -> None:
            order.append(await ctx.step(name, act, name, before, after))
            order.append(await ctx.step(f"{name}-more", act, f"{name}-more", None, last))

        await asyncio.gather(branch("a", b_ended, a_ended), branch("b", None, b_ended))
        if ctx.attempt == 1:
            raise Retryable("again")

    record, _ = run(tmp_path, handler)
    assert record.state == "succeeded"
    assert sorted(done) == ["a", "a-more", "b", "b-more"]
    assert told[0] == told[1]


def test_a_step_that_fails_is_run_again_by_the_next_attempt(tmp_path: Path) -> None:
    done: list[int] = []
    told: list[BaseException] = []

    async def act() -> int:
        done.append(1)
        if len(done) < 3:
            raise ValueError("no")
        return len(done)

    async def handler(ctx: Context) -> int:
        try:
            return int(await ctx.step("act", act))
        except BaseException as error:
            told.append(error)
            raise

    record, recorded = run(tmp_path, handler, attempts_max=5)
    assert record.output == 3
    assert recorded == ["act"]
    assert [type(error) for error in told] == [asyncio.CancelledError] * 2


def test_a_step_beside_one_that_fails_ends_and_is_recorded_before_the_attempt_is_over(tmp_path: Path) -> None:
    done: list[str] = []

    async def handler(ctx: Context) -> list[str]:
        has_begun, has_failed = asyncio.Event(), asyncio.Event()

        async def fails_once() -> str:
            done.append("bad")
            if ctx.attempt == 1:
                await has_begun.wait()
                has_failed.set()
                raise Retryable("once")
            return "bad"

        async def good() -> str:
            has_begun.set()
            await has_failed.wait()
            for _ in range(20):
                await asyncio.sleep(0)
            done.append("good")
            return "good"

        async def branch() -> str:
            found = str(await ctx.step("good", good))
            return found + str(await ctx.step("more", lambda: done.append("more")))

        return list(await asyncio.gather(ctx.step("bad", fails_once), branch()))

    record, recorded = run(tmp_path, handler)
    assert record.output == ["bad", "goodNone"], record.error
    assert sorted(done[:2]) == ["bad", "good"]
    assert sorted(done[2:]) == ["bad", "more"]
    assert recorded[0] == "good"


def test_a_handler_cannot_outlive_an_attempt_that_is_to_end(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> str:
        try:
            await ctx.step("act", lambda: 1 / (ctx.attempt - 1))
        except asyncio.CancelledError:
            return "as if nothing had happened"
        return "done"

    record, recorded = run(tmp_path, handler)
    assert (record.output, record.attempt, recorded) == ("done", 2, ["act"])


def test_an_attempt_fails_as_its_step_did(tmp_path: Path) -> None:
    async def act() -> None:
        raise sheratan.Fatal("never")

    async def handler(ctx: Context) -> None:
        await ctx.step("act", act)

    record, recorded = run(tmp_path, handler, attempts_max=5)
    assert (record.attempt, recorded) == (1, ["act"])
    assert record.error is not None
    said = "in step 'act': never"
    assert (record.error.type, record.error.error_class, record.error.message) == ("Fatal", "fatal", said)


def test_in_the_last_attempt_a_handler_hears_of_the_failure_and_can_make_up_for_it(tmp_path: Path) -> None:
    done: list[str] = []

    async def ship() -> None:
        done.append("ship")
        raise ValueError("no van")

    async def handler(ctx: Context) -> str:
        await ctx.step("charge", lambda: done.append("charge"))
        try:
            await ctx.step("ship", ship)
        except StepFailed as failed:
            await ctx.step("refund", lambda: done.append("refund"))
            return failed.error.message
        return "shipped"

    record, recorded = run(tmp_path, handler, attempts_max=3)
    assert record.output == "no van"
    assert done == ["charge", "ship", "ship", "ship", "refund"]
    assert recorded == ["charge", "ship", "refund"]


def test_a_failure_that_is_for_good_is_recorded_and_stays(tmp_path: Path) -> None:
    done: list[str] = []

    async def charge() -> None:
        done.append("charge")
        raise ValueError("no money")

    async def handler(ctx: Context) -> str:
        said = ""
        try:
            await ctx.step("charge", charge, retry=False)
        except StepFailed as error:
            said = f"{error.error.type}: {error.error.message}"
        await ctx.step("apologise", lambda: done.append("apologise"))
        if ctx.attempt == 1:
            raise Retryable("again")
        return said

    record, recorded = run(tmp_path, handler)
    assert record.output == "ValueError: no money"
    assert done == ["charge", "apologise"]
    assert recorded == ["charge", "apologise"]


def test_a_failure_that_is_for_good_and_let_through_ends_the_job(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> None:
        await ctx.step("act", lambda: 1 / 0, retry=False)

    record, _ = run(tmp_path, handler, attempts_max=5)
    assert (record.state, record.attempt) == ("failed", 1)
    assert record.error is not None
    assert (record.error.type, record.error.error_class) == ("ZeroDivisionError", "fatal")


def test_a_job_that_is_cancelled_while_a_step_ends_its_attempt_is_cancelled(tmp_path: Path) -> None:
    async def scenario() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        @job(backoff_base_seconds=0.0)
        async def handler(ctx: Context) -> None:
            async def slow() -> None:
                begun.set()
                await go_on.wait()

            await asyncio.gather(ctx.step("bad", lambda: 1 / 0), ctx.step("slow", slow))

        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", [handler]) as client:
            submitted = await client.submit(handler)
            await begun.wait()
            await client.cancel(submitted.id)
            assert (await client.wait(submitted.id)).state == "cancelled"

    asyncio.run(scenario())


def test_a_step_that_comes_after_all_that_were_recorded_is_no_change(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> list[int]:
        found = [await ctx.step("a", lambda: 1)]
        if ctx.attempt == 1:
            raise Retryable("the code grows now")
        return [*found, await ctx.step("new", lambda: 2)]

    record, _ = run(tmp_path, handler)
    assert record.output == [1, 2]


def test_a_step_has_no_steps_of_its_own(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> None:
        await ctx.step("outer", lambda: ctx.step("inner", lambda: 1))

    record, _ = run(tmp_path, handler)
    assert record.error is not None
    assert "a step has no steps of its own" in record.error.message


def test_only_async_handlers_have_steps(tmp_path: Path) -> None:
    def handler(ctx: Context) -> None:
        asyncio.run(ctx.step("a", lambda: 1))

    record, _ = run(tmp_path, handler)  # type: ignore[arg-type]
    assert record.error is not None
    assert "only an async handler has steps" in record.error.message


@pytest.mark.parametrize("what", ["no json", "too large"])
def test_an_output_that_cannot_be_recorded_fails_its_attempt_and_no_other(tmp_path: Path, what: str) -> None:
    async def handler(ctx: Context) -> None:
        other = asyncio.create_task(ctx.step("good", lambda: 1))
        output: Any = object() if what == "no json" else "x" * 2_000_000
        try:
            await ctx.step("bad", lambda: output)
        finally:
            assert await other == 1

    record, recorded = run(tmp_path, handler, attempts_max=1)
    assert record.error is not None
    assert (record.error.type, record.error.error_class) == ("InvalidOutput", "bug")
    assert recorded[-1] == "good"


def test_steps_of_many_jobs_are_recorded_together(tmp_path: Path) -> None:
    @job
    async def five(ctx: Context) -> int:
        return sum([await ctx.step("one", lambda: 1) for _ in range(5)])

    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", [five]) as client:
            assert await asyncio.gather(*(client.run(five) for _ in range(100))) == [5] * 100
            counts = [entry for entry in await client.entries(0, 1000) if '"type":"step.succeeded"' in entry]
            assert len(counts) == 500

    asyncio.run(scenario())


class Clerk:
    """Somebody whose methods are steps."""

    async def number(self) -> Annotated[int, ["unhashable, so that nothing but the function tells it apart"]]:
        """A number."""
        return 1


def test_what_a_function_says_that_it_returns_is_read_once() -> None:
    clerk = Clerk()
    assert StepOutput.of(clerk.number) is StepOutput.of(clerk.number)
    assert StepOutput.of(Clerk().number) is StepOutput.of(partial(clerk.number))
