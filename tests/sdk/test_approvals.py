"""Handlers that ask people give their slot back, and go on with what was decided."""

from __future__ import annotations

import asyncio
import getpass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sheratan import (
    Approval,
    ApprovalChanged,
    ApprovalDenied,
    ApprovalExpired,
    Client,
    Context,
    JobHandle,
    StepFailed,
    WaitTimedOut,
    Worker,
    job,
)
from sheratan.contracts.approvals import ApprovalRecord, ListApprovals
from sheratan.contracts.errors import Conflict, InvalidInput, NotAllowed
from sheratan.contracts.worker import Assignment, StepRecord
from sheratan.sdk import step_replay
from sheratan.sdk.steps import Steps
from sheratan.sdk.surroundings import Surroundings
from tests.sdk.test_waits import nothing, run, waiting
from tests.support import running_server

ME = f"local:{getpass.getuser()}"
SUBJECT = {"to": "IBAN 7", "cents": 12_000_000}


async def inbox(client: Client, handle: JobHandle) -> ApprovalRecord:
    """The request of a job that waits for it."""
    await waiting(client, handle)
    [found] = (await client.approvals(ListApprovals(state="open"))).items
    return await client.approval(found.id)


def test_a_handler_gets_who_approved_what_and_when(tmp_path: Path) -> None:
    ran: list[int] = []

    async def handler(ctx: Context) -> Any:
        ran.append(await ctx.step("before", lambda: 1))
        given = await ctx.approve("Pay?", subject=SUBJECT, self_approval=True, timeout_seconds=600)
        assert isinstance(given, Approval)
        return [given.id, given.digest, [(one.actor, one.comment) for one in given.by]]

    seen: list[ApprovalRecord] = []

    async def scenario(client: Client, handle: JobHandle) -> None:
        found = await inbox(client, handle)
        seen.append(found)
        assert (found.subject, found.question, found.requester) == (SUBJECT, "Pay?", ME)
        record = await client.job(handle.id)
        assert record.waiting_for == f"{found.id} by anyone of 'Pay?'"
        assert (await client.queues())[0].running == 0
        assert [one.id for one in (await client.approvals(ListApprovals(mine=True))).items] == [found.id]
        assert "1 approval open, the oldest approval:" in (await client.status()).doing
        with pytest.raises(Conflict, match="look at it again"):
            await client.approve(found.id, "0" * 64)
        entry = await client.approve(found.id, found.digest, "as agreed")
        assert await client.approve(found.id, found.digest) == entry
        assert (await client.why(found.id)).state == "approved"

    record = run(tmp_path, handler, scenario)
    assert record.output == [seen[0].id, seen[0].digest, [[ME, "as agreed"]]]
    assert ran == [1, 1]


def test_a_denial_and_a_deadline_are_errors_of_their_own(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> list[str]:
        told: list[str] = []
        try:
            await ctx.approve("Pay?", self_approval=True)
        except ApprovalDenied as error:
            told.append(error.error.message.partition(" has denied")[0])
        try:
            await ctx.approve("Really?", timeout_seconds=0)
        except ApprovalExpired as error:
            told.append(error.error.type)
        return told

    async def scenario(client: Client, handle: JobHandle) -> None:
        found = await inbox(client, handle)
        await client.deny(found.id, found.digest, "too much")

    assert run(tmp_path, handler, scenario).output == [ME, "ApprovalExpired"]
    assert issubclass(ApprovalExpired, WaitTimedOut)
    assert issubclass(ApprovalDenied, StepFailed)


def test_a_denial_that_is_let_through_ends_the_job(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> None:
        await ctx.approve("Pay?", self_approval=True)

    async def scenario(client: Client, handle: JobHandle) -> None:
        found = await inbox(client, handle)
        await client.deny(found.id, found.digest, "too much")

    record = run(tmp_path, handler, scenario, attempts_max=5)
    assert record.error is not None
    assert (record.state, record.attempt, record.error.type) == ("failed", 1, "ApprovalDenied")
    assert "too much" in record.error.message


def test_whoever_asked_for_the_job_may_not_decide_and_approves_nothing_by_handing_on(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> None:
        await ctx.approve("Pay?", approvers=["local:anna", ME])

    async def scenario(client: Client, handle: JobHandle) -> None:
        found = await inbox(client, handle)
        assert (await client.approvals(ListApprovals(mine=True))).items == []
        with pytest.raises(NotAllowed, match="has asked for the job"):
            await client.approve(found.id, found.digest)
        with pytest.raises(NotAllowed):
            await client.delegate(found.id, "local:ben")
        with pytest.raises(InvalidInput):
            await client.delegate(found.id, "worker:w")
        await client.cancel(handle.id)
        assert (await client.approval(found.id)).state == "cancelled"

    assert run(tmp_path, handler, scenario).state == "cancelled"


@pytest.mark.parametrize("decided", [False, True])
def test_a_changed_subject_is_never_passed_for_the_approved_one(tmp_path: Path, decided: bool) -> None:
    amounts = iter([1, 1_000_000])

    async def handler(ctx: Context) -> str:
        subject = {"cents": next(amounts)}
        try:
            if decided:
                await ctx.approve("Pay?", subject=subject, self_approval=True)
                return "paid"
            both = ctx.approve("Pay?", subject=subject), ctx.wait_signal("go")
            await asyncio.gather(*both)
        except ApprovalChanged as error:
            return str(error)
        return "paid"

    async def scenario(client: Client, handle: JobHandle) -> None:
        found = await inbox(client, handle)
        if decided:
            await client.approve(found.id, found.digest)
        else:
            await client.signal(handle.id, "go")

    assert "was asked for with another subject" in run(tmp_path, handler, scenario).output


def test_the_same_name_is_asked_for_again_and_others_beside_it(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> list[str]:
        both = await asyncio.gather(
            ctx.approve("One?", self_approval=True), ctx.approve("Two?", self_approval=True, name="two")
        )
        again = await ctx.approve("Three?", self_approval=True)
        return [one.id for one in (*both, again)]

    async def scenario(client: Client, handle: JobHandle) -> None:
        for turn in (2, 1, 1):
            await waiting(client, handle)
            found = (await client.approvals(ListApprovals(state="open"))).items
            assert len(found) == turn
            await client.approve(found[0].id, found[0].digest)

    record = run(tmp_path, handler, scenario)
    assert len(set(record.output)) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"question": ""}, "question"),
        ({"question": "?", "approvers": ["anna"]}, "approvers"),
        ({"question": "?", "approvers": ["worker:w"]}, "approvers"),
        ({"question": "?", "subject": object()}, "subject"),
        ({"question": "?", "approvals": 0}, "approvals"),
        ({"question": "?", "approvers": [ME]}, "approvals"),
        ({"question": "?", "timeout_seconds": 1, "deadline_us": 1}, "until_us"),
        ({"question": "?", "name": "x" * 300}, "name"),
    ],
)
def test_what_cannot_be_asked_ends_the_job_and_says_why(
    tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    async def handler(ctx: Context) -> None:
        await ctx.approve(**given)

    record = run(tmp_path, handler, nothing, attempts_max=5)
    assert record.error is not None
    assert (record.state, record.attempt, record.error.type) == ("failed", 1, "Fatal")
    assert said in record.error.message


def test_only_async_handlers_ask(tmp_path: Path) -> None:
    def handler(ctx: Context) -> None:
        asyncio.run(ctx.approve("?"))

    record = run(tmp_path, handler, nothing, attempts_max=1)  # type: ignore[arg-type]
    assert record.error is not None
    assert "only an async handler" in record.error.message


@job(kind="asks")
async def asks(ctx: Context) -> str:
    return (await ctx.approve("Pay?", self_approval=True)).by[0].actor


def test_a_connection_over_which_a_worker_is_on_duty_decides_nothing(tmp_path: Path) -> None:
    async def scenario(data: Path) -> None:
        async with (
            await Client.connect(data) as client,
            await Client.connect(data) as other,
            Worker(other, [asks]),
        ):
            handle = await client.submit("asks")
            found = await inbox(client, handle)
            for decide in (other.approve, other.deny):
                with pytest.raises(NotAllowed, match="worker:worker/"):
                    await decide(found.id, found.digest)
            await client.approve(found.id, found.digest)
            assert await handle.result() == ME

    with running_server(tmp_path / "data", []) as server:
        asyncio.run(scenario(server.data))


def test_an_embedded_worker_decides_nothing_either(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> str:
        return (await ctx.approve("Pay?", self_approval=True)).id

    async def scenario(client: Client, handle: JobHandle) -> None:
        found = await inbox(client, handle)
        async with Worker(client, [asks]):
            with pytest.raises(NotAllowed, match="worker:worker/"):
                await client.approve(found.id, found.digest)
        await client.approve(found.id, found.digest)

    assert run(tmp_path, handler, scenario).state == "succeeded"


def test_nobody_loses_patience_with_an_approval_while_the_engine_is_slow_to_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(step_replay, "PATIENCE_SECONDS", 0)
    given = Assignment(
        id="job_1", number=1, kind="asks", queue="default", attempt=1, attempts_max=3, worker_losses=0, fence=7,
        input=msgspec.Raw(b"null"), run_timeout_us=1, created_us=1, steps=2,
    )  # fmt: skip
    recorded = [
        StepRecord(step=1, name="wait:approval", occurrence=1, entry=8, output=msgspec.Raw(b"1")),
        StepRecord(step=2, name="wait:sleep", occurrence=1, entry=9),
    ]

    async def scenario() -> None:
        answered = asyncio.Event()

        async def send(what: object) -> str:
            await answered.wait()
            return "approval:5"

        steps = Steps(given, recorded, Surroundings(send, lambda: None, lambda: False))
        asked = asyncio.create_task(steps.approve("wait:approval", {"question": "Pay?"}))
        slept = asyncio.create_task(steps.wait("sleep", "wait:sleep", {"seconds": 1.0}))
        for _ in range(20):
            await asyncio.sleep(0)
        answered.set()
        assert await asked == 1
        assert await slept is None
        steps.finish()

    asyncio.run(scenario())
