"""Code that changes under running jobs: noticed before it does anything, and let go once it is mended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import BaseModel, field_serializer

import sheratan
from sheratan import Client, Context, JobHandle, Kind, Retryable, job
from sheratan.contracts.errors import Conflict, UnknownKind
from sheratan.contracts.jobs import JobRecord
from sheratan.sdk import step_replay
from sheratan.sdk.code import code_digest
from tests.sdk.journal import check_journal

SECONDS_MAX = 60

Handler = Callable[[Context], Awaitable[Any]]
Scenario = Callable[[Client, JobHandle], Awaitable[None]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that these handlers do between their steps takes time."""
    monkeypatch.setattr(step_replay, "PATIENCE_SECONDS", 0.05)


def kind_of(handler: Handler, **options: Any) -> Kind[Any, Any]:
    """The kind of a handler."""
    kind: Kind[Any, Any] = job(kind="durable", backoff_base_seconds=0.0, **options)(handler)
    return kind


def run(folder: Path, handler: Handler, scenario: Scenario, **options: Any) -> None:
    """Run a job of this handler beside a scenario."""

    async def main() -> None:
        kind = kind_of(handler, **options)
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(folder / "data", [kind]) as client:
            await scenario(client, await client.submit(kind))

    asyncio.run(main())


def deploy(folder: Path, job_id: str, *handlers: Handler) -> JobRecord:
    """Run a program with other handlers on the same data until a job has ended."""

    async def main() -> JobRecord:
        kinds = [kind_of(handler) for handler in handlers]
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(folder / "data", kinds) as client:
            record = await client.wait(job_id)
            return await client.job(record.id)

    record = asyncio.run(main())
    check_journal(folder / "data")
    return record


async def reach(client: Client, job_id: str, state: str) -> JobRecord:
    """The job, once it is in a state."""
    while (record := await client.job(job_id)).state != state:
        assert record.finished_us is None, record.error
        await asyncio.sleep(0)
    return record


def is_blocked_by(folder: Path, handler: Handler) -> JobRecord:
    """A job that this handler has come to be blocked by."""
    found: list[JobRecord] = []

    async def scenario(client: Client, handle: JobHandle) -> None:
        found.append(await reach(client, handle.id, "blocked"))

    run(folder, handler, scenario)
    return found[0]


@pytest.mark.parametrize(
    ("before", "after", "what", "step", "recorded", "asked"),
    [
        (["a", "b"], ["a", "c"], "other", 2, ("b", 1), ("c",)),
        (["a", "b"], ["b", "a"], "order", 1, ("a", 1), ("b",)),
        (["a", "b"], ["a"], "missing", 2, ("b", 1), ()),
        (["a", "b"], ["new", "a", "b"], "other", 1, ("a", 1), ("new",)),
        (["a", "a"], ["a"], "missing", 2, ("a", 2), ()),
    ],
)
def test_changed_code_under_a_job_is_noticed_before_it_does_anything(
    tmp_path: Path, before: list[str], after: list[str], what: str, step: int, recorded: Any, asked: Any
) -> None:
    done: list[str] = []
    calls: list[int] = []

    async def handler(ctx: Context) -> None:
        calls.append(ctx.attempt)
        for name in before if len(calls) == 1 else after:
            await ctx.step(name, lambda name=name: done.append(name))
        if len(calls) == 1:
            raise Retryable("the code changes now")

    record = is_blocked_by(tmp_path, handler)
    assert record.blocked_reason == "code_changed"
    found = record.difference
    assert found is not None
    assert (found.what, found.step, (found.recorded, found.occurrence), found.asked) == (
        what, step, recorded, asked,
    )  # fmt: skip
    assert done == before
    assert calls == [1, 2]
    assert record.attempt == 1


def test_a_wait_or_a_spawn_in_the_place_of_a_step_is_a_change(tmp_path: Path) -> None:
    calls: list[int] = []

    async def handler(ctx: Context) -> None:
        calls.append(1)
        if len(calls) == 1:
            await ctx.step("a", lambda: 1)
            raise Retryable("the code changes now")
        await ctx.sleep(0.0)

    difference = is_blocked_by(tmp_path, handler).difference
    assert difference is not None
    assert (difference.recorded, difference.asked) == ("a", ("wait:sleep",))


class Old(BaseModel):
    """What a step gave."""

    cents: int


class New(BaseModel):
    """What it is to give now."""

    cents: int
    currency: str


def test_an_output_of_another_type_is_a_change_that_no_handler_catches(tmp_path: Path) -> None:
    calls: list[int] = []

    def old() -> Old:
        return Old(cents=5)

    def new() -> New:
        raise AssertionError("it must not be run")

    async def handler(ctx: Context) -> None:
        calls.append(1)
        if len(calls) == 1:
            await ctx.step("a", old)
            raise Retryable("the code changes now")
        try:
            await ctx.step("a", new)
        except Exception:
            calls.append(7)

    difference = is_blocked_by(tmp_path, handler).difference
    assert difference is not None
    assert (difference.what, difference.asked) == ("output", ("currency: missing",))
    assert calls == [1, 1]


class OneWay(BaseModel):
    """What is written in a way in which it cannot be read."""

    cents: int

    @field_serializer("cents")
    def write(self, cents: int) -> str:
        return "much"


def test_an_output_that_its_own_type_cannot_read_is_no_change(tmp_path: Path) -> None:
    def one_way() -> OneWay:
        return OneWay(cents=5)

    async def handler(ctx: Context) -> None:
        await ctx.step("a", one_way)

    async def scenario(client: Client, handle: JobHandle) -> None:
        record = await client.wait(handle.id)
        assert record.error is not None
        assert (record.error.type, record.state) == ("InvalidOutput", "failed")
        assert "cents: int_parsing" in record.error.message

    run(tmp_path, handler, scenario)


def test_what_an_output_holds_is_not_told(tmp_path: Path) -> None:
    calls: list[int] = []

    def old() -> dict[str, dict[str, str]]:
        return {"ada@example.org": {"cents": "secret"}}

    def new() -> dict[str, Old]:
        raise AssertionError("it must not be run")

    async def handler(ctx: Context) -> None:
        calls.append(1)
        await ctx.step("a", old if len(calls) == 1 else new)
        if len(calls) == 1:
            raise Retryable("the code changes now")

    difference = is_blocked_by(tmp_path, handler).difference
    assert difference is not None
    assert difference.asked == ("….cents: int_parsing",)


def test_only_async_handlers_are_patched(tmp_path: Path) -> None:
    def handler(ctx: Context) -> None:
        asyncio.run(ctx.patched("better"))

    async def scenario(client: Client, handle: JobHandle) -> None:
        record = await client.wait(handle.id)
        assert record.error is not None
        assert (record.error.type, record.attempt) == ("Fatal", 1)

    run(tmp_path, handler, scenario)  # type: ignore[arg-type]


def blocked_job(folder: Path) -> JobRecord:
    """A job with steps a and b, whose next attempt asks for a and c."""
    calls: list[int] = []

    async def broken(ctx: Context) -> None:
        calls.append(1)
        await ctx.step("a", lambda: 1)
        await ctx.step("b" if len(calls) == 1 else "c", lambda: 2)
        if len(calls) == 1:
            raise Retryable("the code changes now")

    return is_blocked_by(folder, broken)


async def mended(ctx: Context) -> list[int]:
    return [await ctx.step("a", lambda: 0), await ctx.step("b", lambda: 0), await ctx.step("d", lambda: 3)]


def test_a_mended_program_lets_the_job_go_on(tmp_path: Path) -> None:
    blocked = blocked_job(tmp_path)
    record = deploy(tmp_path, blocked.id, mended)
    assert (record.state, record.output) == ("succeeded", [1, 2, 3])
    assert record.attempt == 2
    assert record.difference is None


def test_a_person_lets_it_go_on(tmp_path: Path) -> None:
    calls: list[int] = []

    async def handler(ctx: Context) -> str:
        calls.append(1)
        if len(calls) != 2:
            await ctx.step("a", lambda: 1)
        if len(calls) == 1:
            raise Retryable("the code changes now")
        return "done"

    async def scenario(client: Client, handle: JobHandle) -> None:
        await reach(client, handle.id, "blocked")
        entry = await client.unblock(handle.id, "it was the weather")
        assert await handle.result() == "done"
        told = {line.entry: line.text for line in (await handle.why()).lines}
        assert "it was the weather" in told[entry]
        with pytest.raises(Conflict):
            await client.unblock(handle.id)

    run(tmp_path, handler, scenario)
    assert len(calls) == 3


def test_a_step_that_never_was_recorded_may_go(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> int:
        found: int = await ctx.step("a", lambda: 1)
        if ctx.attempt == 1:
            await ctx.step("bad", lambda: 1 / 0)
        return found + await ctx.step("better", lambda: 1)

    async def scenario(client: Client, handle: JobHandle) -> None:
        assert await handle.result() == 2

    run(tmp_path, handler, scenario)


def test_a_process_that_has_stood_still_takes_nobody_for_changed(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> list[Any]:
        loop = asyncio.get_running_loop()

        async def slow() -> Any:
            soon = asyncio.Event()
            loop.call_later(0.001, soon.set)
            await soon.wait()
            return await ctx.step("a", lambda: 1)

        async def quick() -> Any:
            if ctx.attempt > 1:
                loop.call_soon(loop.call_soon, stand_still, loop)
                return await ctx.step("b", lambda: 2)
            await first.wait()
            return await ctx.step("b", lambda: 2)

        first = asyncio.Event()
        a = asyncio.create_task(slow())
        b = asyncio.create_task(quick())
        found = await a
        first.set()
        outputs = [found, await b]
        if ctx.attempt == 1:
            raise Retryable("once more")
        return outputs

    def stand_still(loop: asyncio.AbstractEventLoop) -> None:
        until = loop.time() + 10 * step_replay.PATIENCE_SECONDS
        while loop.time() < until:
            pass

    async def scenario(client: Client, handle: JobHandle) -> None:
        assert await handle.result() == [1, 2]

    run(tmp_path, handler, scenario)


def test_an_attempt_does_not_run_out_of_time_before_its_change_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_replay, "PATIENCE_SECONDS", 3_600.0)
    calls: list[int] = []

    async def handler(ctx: Context) -> None:
        calls.append(1)
        await ctx.step("a" if len(calls) == 1 else "b", lambda: 1)
        if len(calls) == 1:
            raise Retryable("the code changes now")

    async def scenario(client: Client, handle: JobHandle) -> None:
        assert (await reach(client, handle.id, "blocked")).difference is not None

    run(tmp_path, handler, scenario, run_timeout_seconds=0.5)


# ----------------------------------------------------------------------------------------------------------------------
# Patches


def test_a_patch_goes_the_new_way_in_a_new_job_and_in_all_its_attempts(tmp_path: Path) -> None:
    told: list[bool] = []

    async def handler(ctx: Context) -> str:
        told.append(await ctx.patched("better"))
        told.append(await ctx.patched("better"))
        found: str = await ctx.step("new" if told[-1] else "old", lambda: "done")
        if ctx.attempt == 1:
            raise Retryable("once more")
        return found

    async def scenario(client: Client, handle: JobHandle) -> None:
        assert await handle.result() == "done"
        assert [step.name for step in await client.steps(handle.id)] == ["patch:better", "new"]

    run(tmp_path, handler, scenario)
    assert told == [True] * 4


def test_a_job_that_is_past_a_patch_goes_the_old_way_to_its_end(tmp_path: Path) -> None:
    calls: list[bool | None] = []

    async def handler(ctx: Context) -> list[Any]:
        first = not calls
        calls.append(None if first else await ctx.patched("better"))
        steps = [await ctx.step("new" if calls[-1] else "old", lambda: 1)]
        if len(calls) == 1:
            raise Retryable("the code changes now")
        steps.append(await ctx.patched("later"))
        if len(calls) == 2:
            raise Retryable("once more")
        return steps

    async def scenario(client: Client, handle: JobHandle) -> None:
        assert await handle.result() == [1, True]
        names = [step.name for step in await client.steps(handle.id)]
        assert names == ["old", "patch:better", "patch:later"]

    run(tmp_path, handler, scenario)
    assert calls == [None, False, False]


def test_a_patch_that_is_not_asked_for_any_more_is_no_change(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> int:
        if ctx.attempt == 1:
            assert await ctx.patched("better")
        found: int = await ctx.step("new", lambda: 7)
        if ctx.attempt == 1:
            raise Retryable("the patch goes now")
        return found

    async def scenario(client: Client, handle: JobHandle) -> None:
        assert await handle.result() == 7

    run(tmp_path, handler, scenario)


# ----------------------------------------------------------------------------------------------------------------------
# Versions


def test_versions_of_a_kind_stand_side_by_side(tmp_path: Path) -> None:
    @job(kind="pay")
    async def pay_old(cents: int) -> str:
        return f"old {cents}"

    @job(kind="pay", version=2)
    def pay(cents: int) -> str:
        return f"new {cents}"

    async def main() -> None:
        async with sheratan.open(tmp_path / "data", [pay, pay_old]) as client:
            assert await client.run(pay, 1) == "new 1"
            assert await client.run(pay, 2, version=1) == "old 2"
            assert await client.run("pay", 3) == "new 3"
            assert [(kind.name, kind.version) for kind in await client.kinds()] == [("pay", 1), ("pay", 2)]
            with pytest.raises(UnknownKind):
                await client.submit(pay, 4, version=3)

    asyncio.run(main())
    assert (repr(pay_old), repr(pay)) == ("<kind pay>", "<kind pay@2>")


def test_a_job_waits_for_its_version(tmp_path: Path) -> None:
    @job(kind="pay")
    async def pay_old(ctx: Context) -> Any:
        return await ctx.wait_signal("go")

    @job(kind="pay", version=2)
    async def pay(ctx: Context) -> str:
        return "new"

    async def first() -> str:
        async with sheratan.open(tmp_path / "data", [pay_old]) as client:
            handle = await client.submit(pay_old)
            await reach(client, handle.id, "waiting")
            return handle.id

    async def second(job_id: str) -> None:
        async with sheratan.open(tmp_path / "data", [pay]) as client:
            await client.signal(job_id, "go", "old")
            record = await reach(client, job_id, "queued")
            assert record.waiting_for == "a worker that offers version 1 of pay, and none does"
            assert (await client.why(job_id)).waiting_for == record.waiting_for
            assert await client.run(pay) == "new"

    async def third(job_id: str) -> None:
        async with sheratan.open(tmp_path / "data", [pay, pay_old]) as client:
            assert (await client.wait(job_id)).output == "old"

    job_id = asyncio.run(first())
    asyncio.run(second(job_id))
    asyncio.run(third(job_id))


# ----------------------------------------------------------------------------------------------------------------------
# What tells one state of the code from another


def with_number(number: int) -> Handler:
    """Handlers that differ in a constant, by how they are made."""
    text = f"async def handler(ctx):\n    return {number}\n"
    found: dict[str, Any] = {}
    exec(compile(text, "<made>", "exec"), found)
    return cast("Handler", found["handler"])


def test_the_digest_is_that_of_the_code_and_of_its_file() -> None:
    assert code_digest(with_number(1)) == code_digest(with_number(1))
    assert code_digest(with_number(1)) != code_digest(with_number(2))
    assert code_digest(mended) != code_digest(blocked_job)
    assert len(code_digest(mended)) == 16


def test_only_handlers_that_have_steps_have_a_digest() -> None:
    async def plain() -> None: ...

    def in_a_thread(ctx: Context) -> None: ...

    assert job(plain).description.code == ""
    assert job(in_a_thread).description.code == ""
    assert job(kind="durable")(mended).description.code == code_digest(mended)
