"""The local socket: what crosses it, what it refuses, and what becomes of those who hang up."""

from __future__ import annotations

import asyncio
import gc
import json
import math
import multiprocessing
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
import pytest

import sheratan
from sheratan import Client, Worker
from sheratan.contracts import api
from sheratan.contracts.errors import (
    InternalError,
    InvalidInput,
    LimitReached,
    SheratanError,
    TooLarge,
    Unavailable,
    error_classes,
)
from sheratan.contracts.gates import Throttle
from sheratan.contracts.jobs import Submission
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import Principal
from sheratan.gateway import socket as gateway_socket
from sheratan.gateway.socket import SocketServer
from sheratan.sdk.socket import connect
from tests.gateway.served import SECONDS_MAX, Connections, ask_raw, served
from tests.sdk import sample_kinds as kinds


async def until_running(client: Client, job: str) -> None:
    """Wait until a job runs."""
    await until(client, job, "running")


async def until(client: Client, job: str, state: str) -> None:
    """Wait until a job is in a state."""
    found = await client.job(job)
    while found.state != state:
        found = await client.job(job)


# ---------------------------------------------------------------------------------------------------------------------
# Requests and answers


def test_a_client_over_the_socket_works_like_one_within_the_process(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        client = await connections.client()
        assert await client.run(kinds.typed, {"name": "nut", "count": 2}) == "2 x nut"
        handle = await client.submit(kinds.echo, {"ü": [1, None]})
        assert await handle.result() == {"ü": [1, None]}
        assert (await handle.why()).lines[0].type == "job.submitted"
        assert (await client.job(handle.id)).state == "succeeded"
        assert (await client.status()).ready
        assert "echo" in {kind.name for kind in await client.kinds()}
        assert await client.pause("q", "rest")
        assert not await client.pause("q")
        assert [queue.name for queue in await client.queues() if queue.paused] == ["q"]
        assert json.loads((await client.entries(0, 1))[0])["seq"] == 0

    served(tmp_path, scenario)


class Refuses:
    """An API that refuses everything in one way."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def handle(self, request: api.Request, by: Principal, sessions: Sequence[int] = ()) -> Any:
        raise self._error

    async def stream(self, request: api.Request) -> AsyncIterator[Any]:
        raise self._error
        yield


@asynccontextmanager
async def refusing(folder: Path, error: Exception) -> AsyncGenerator[Client]:
    """A socket whose every answer is a refusal, and a client of it."""
    server = SocketServer(Refuses(error), folder, Limits())  # type: ignore[arg-type]
    await server.start()
    try:
        async with Client(await connect(folder)) as client:
            yield client
    finally:
        await server.stop()


@pytest.mark.parametrize("cls", error_classes().values(), ids=lambda cls: cls.code)
def test_every_error_class_crosses_the_wire(tmp_path: Path, cls: type[SheratanError]) -> None:
    async def run() -> None:
        made = cls("so it is", field="a/b", job="job_1", count=2)
        async with asyncio.timeout(SECONDS_MAX), refusing(tmp_path, made) as client:
            with pytest.raises(cls) as refused:
                await client.job("job_1")
            assert type(refused.value) is cls
            assert (refused.value.detail, refused.value.field) == ("so it is", "a/b")
            assert refused.value.extra == {"job": "job_1", "count": 2}
            with pytest.raises(cls):
                async for _ in client.watch():
                    pass

    asyncio.run(run())


def test_a_bug_behind_the_socket_is_told_and_ends_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with asyncio.timeout(SECONDS_MAX), refusing(tmp_path, ZeroDivisionError("oops")) as client:
            for _ in range(2):
                with pytest.raises(InternalError, match="ZeroDivisionError: oops"):
                    await client.status()

    asyncio.run(run())


@pytest.mark.parametrize("value", [math.nan, [1, math.inf], {"a": {"b": -math.inf}}])
def test_nan_and_infinity_are_refused_by_name_and_not_made_null(tmp_path: Path, value: Any) -> None:
    async def scenario(connections: Connections) -> None:
        client = await connections.client()
        throttled = partial(client.submit, gate=Throttle(key="k", period_seconds=1))
        for kind in ("echo", kinds.echo):
            for call in (client.submit, client.run, throttled):
                with pytest.raises(InvalidInput, match="NaN") as refused:
                    await call(kind, value)
                assert str(refused.value.field).startswith("input")
        assert (await client.jobs()).items == []
        assert await client.run("echo", 1) == 1

    served(tmp_path, scenario)


@pytest.mark.parametrize("value", ["\ud800", ["a\udfff"], {"\udc00": 1}])
def test_lone_surrogates_are_refused_and_the_connection_lives_on(tmp_path: Path, value: Any) -> None:
    async def scenario(connections: Connections) -> None:
        client = await connections.client()
        for call in (client.submit, client.run):
            with pytest.raises(InvalidInput, match="surrogate"):
                await call("echo", value)
        assert await client.run("echo", 1) == 1

    served(tmp_path, scenario)


def test_an_integer_beyond_2_to_53_is_refused_by_field(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        client = await connections.client()
        with pytest.raises(InvalidInput) as refused:
            await client.submit("echo", {"id": 1 << 53})
        assert refused.value.field == "input/id"

    served(tmp_path, scenario)


def test_two_thousand_requests_at_once_are_all_answered(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        client = await connections.client()
        found = await asyncio.gather(*(client.run("echo", n) for n in range(2_000)))
        assert found == list(range(2_000))

    served(tmp_path, scenario)


def test_a_stampede_of_one_key_over_many_connections_makes_one_job(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        clients = [await connections.client() for _ in range(10)]
        handles = await asyncio.gather(*(clients[n % 10].submit("echo", 7, key="k") for n in range(200)))
        assert len({handle.id for handle in handles}) == 1
        assert [handle.existing for handle in handles].count(False) == 1
        assert len((await connections.local.jobs()).items) == 1

    served(tmp_path, scenario)


# ---------------------------------------------------------------------------------------------------------------------
# What is refused


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense",
        b"\xff\xfe\x00",
        b"[]",
        b"{}",
        b"null",
        b'{"id": "one", "method": "status"}',
        b'{"id": 1}',
        b'{"id": 1, "method": "status", "extra": 1}',
        b'{"id": 1, "method": "status", "params": {}',
        b"[" * 100_000,
    ],
)
def test_garbage_is_refused_and_the_connection_lives_on(tmp_path: Path, line: bytes) -> None:
    async def scenario(connections: Connections) -> None:
        reader, writer = await connections.raw()
        answer = await ask_raw(reader, writer, line)
        assert (answer["id"], answer["error"]["code"]) == (-1, "invalid_input")
        answer = await ask_raw(reader, writer, b'{"id": 5, "method": "queue.list"}')
        assert (answer["id"], answer["value"]) == (5, [])
        writer.close()
        await writer.wait_closed()

    served(tmp_path, scenario)


@pytest.mark.parametrize(
    ("method", "params", "code", "field"),
    [
        ("job.fly", "{}", "not_found", "method"),
        ("job.get", '{"id": 5}', "invalid_input", "id"),
        ("job.get", "{}", "invalid_input", None),
        ("job.get", '{"id": "x", "colour": 1}', "invalid_input", None),
        ("job.submit", '{"jobs": [{"kind": 3}]}', "invalid_input", "jobs[0].kind"),
        ("job.submit", '{"jobs": []}', "invalid_input", "jobs"),
        (
            "job.submit",
            '{"jobs": [{"kind": "echo", "options": {"priority": 99}}]}',
            "invalid_input",
            "jobs[0].options.priority",
        ),
        ("job.wait", '{"id": "x", "timeout_seconds": 0}', "invalid_input", "timeout_seconds"),
        ("job.list", '{"limit": 100000}', "invalid_input", "limit"),
        ("worker.lease", '{"session": 99, "slots": 1}', "not_found", "session"),
        ("worker.lease", '{"session": 99, "slots": 0}', "invalid_input", "slots"),
        ("journal.entries", '{"first_seq": -1}', "invalid_input", "first_seq"),
    ],
)
def test_a_request_that_is_not_valid_is_refused_under_its_own_number(
    tmp_path: Path, method: str, params: str, code: str, field: str | None
) -> None:
    async def scenario(connections: Connections) -> None:
        reader, writer = await connections.raw()
        line = f'{{"id": 7, "method": "{method}", "params": {params}}}'
        answer = await ask_raw(reader, writer, line.encode())
        assert (answer["id"], answer["error"]["code"], answer["error"]["field"]) == (7, code, field)
        writer.close()
        await writer.wait_closed()

    served(tmp_path, scenario)


def test_a_frame_that_is_too_long_is_refused_with_the_name_of_the_limit(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        client = await connections.client()
        with pytest.raises(TooLarge, match=r"limits\.payload_bytes_max"):
            await client.submit("echo", "x" * 1_000)
        assert await client.run("echo", 1) == 1
        for size in (80_000, 3_000_000):
            with pytest.raises(TooLarge, match=r"limits\.payload_bytes_max"):
                await client.submit("echo", "x" * size)
            assert await client.run("echo", 1) == 1
        assert await connections.local.run("echo", 1) == 1

    served(tmp_path, scenario, limits=Limits(payload_bytes_max=500))


def test_what_is_asked_beside_a_frame_that_is_too_long_is_answered(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        client = await connections.client()
        long = [client.submit("echo", "x" * size) for size in (70_000, 1_000_000)]
        beside = [client.run("echo", number) for number in range(20)]
        told = await asyncio.gather(
            beside[0], long[0], *beside[1:10], long[1], *beside[10:], return_exceptions=True
        )
        assert [type(one) for one in told if not isinstance(one, int)] == [TooLarge, TooLarge]
        assert [one for one in told if isinstance(one, int)] == list(range(20))

    served(tmp_path, scenario, limits=Limits(payload_bytes_max=500))


@pytest.mark.parametrize(
    "line", [b'{"method": "status", "id": 1, "params": "%s"}\n', b'{"id": 1, "params": "%s']
)
def test_a_frame_that_is_too_long_and_has_no_number_or_no_end_is_hung_up_on(
    tmp_path: Path, line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_socket, "_SKIP_SECONDS_MAX", 0.05)

    async def scenario(connections: Connections) -> None:
        reader, writer = await connections.raw()
        writer.write(line % (b"x" * 100_000))
        answer = json.loads(await reader.readline())
        assert (answer["id"], answer["error"]["code"]) == (-1, "too_large")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()

    served(tmp_path, scenario, limits=Limits(payload_bytes_max=500))


@pytest.mark.parametrize("size", [100_000, 200_000])
def test_a_caller_that_hangs_up_within_a_frame_that_is_too_long_leaves_nothing_behind(
    tmp_path: Path, size: int
) -> None:
    unhandled: list[dict[str, Any]] = []

    async def scenario(connections: Connections) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        reader, writer = await connections.raw()
        writer.write(b'{"id": 1, "params": "' + b"x" * size)
        writer.write_eof()
        answer = json.loads(await reader.readline())
        assert (answer["id"], answer["error"]["code"]) == (-1, "too_large")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        gc.collect()

    served(tmp_path, scenario, limits=Limits(payload_bytes_max=500))
    assert unhandled == []


@pytest.mark.parametrize(("end", "jobs"), [(b"", 0), (b"\n", 1)])
def test_a_request_that_has_not_come_to_its_end_is_not_done(tmp_path: Path, end: bytes, jobs: int) -> None:
    async def scenario(connections: Connections) -> None:
        reader, writer = await connections.raw()
        params = msgspec.json.encode(api.SubmitJobs(jobs=(Submission(kind="echo", input=1),)))
        writer.write(b'{"id": 1, "method": "job.submit", "params": ' + params + b"}" + end)
        if jobs:
            assert json.loads(await reader.readline())["id"] == 1
        writer.write_eof()
        assert await reader.read() == b""
        assert len((await connections.local.jobs()).items) == jobs
        writer.close()
        await writer.wait_closed()

    served(tmp_path, scenario)


def test_connections_above_their_limit_are_refused_and_a_place_that_is_given_back_is_free(
    tmp_path: Path,
) -> None:
    async def scenario(connections: Connections) -> None:
        first, second = await connections.transport(), await connections.transport()
        await first.call(api.ListQueues())
        await second.call(api.ListQueues())
        with pytest.raises(LimitReached, match=r"limits\.connections_max"):
            await (await connections.client()).queues()
        await first.call(api.ListQueues())
        await second.close()
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                with suppress(LimitReached):
                    await (await connections.client()).queues()
                    break

    served(tmp_path, scenario, limits=Limits(connections_max=2))


def test_no_server_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="sheratan up"):
        asyncio.run(connect(tmp_path))


def test_a_caller_that_waits_is_told_when_the_server_goes(tmp_path: Path) -> None:
    async def run() -> None:
        async with asyncio.timeout(SECONDS_MAX):
            async with sheratan.open(tmp_path, [kinds], drain_seconds=0.0):
                client = Client(await connect(tmp_path))
                waiting = asyncio.create_task(client.run(kinds.waits_for_ever))
                found = await client.jobs()
                while not found.items:
                    found = await client.jobs()
            with pytest.raises(Unavailable):
                await waiting
            with pytest.raises(Unavailable):
                await client.status()
            await client.close()

    asyncio.run(run())


def test_the_socket_is_its_owners_alone_and_replaces_a_dead_one_at_any_depth(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 100) / ("b" * 100)
    deep.mkdir(parents=True)
    (deep / "sheratan.sock").write_text("left behind")

    async def scenario(connections: Connections) -> None:
        assert (deep / "sheratan.sock").stat().st_mode & 0o777 == 0o600
        assert await (await connections.client()).run("echo", 1) == 1

    served(deep, scenario)
    assert not (deep / "sheratan.sock").exists()


# ---------------------------------------------------------------------------------------------------------------------
# Workers


def test_a_worker_over_the_socket_runs_jobs(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        worker = Worker(await connections.client(), [kinds.echo, kinds.typed, kinds.gives, kinds.raises])
        await worker.start()
        client = await connections.client()
        assert await client.run("echo", {"a": 1}) == {"a": 1}
        for what in ("nan", "surrogate", "object", "huge"):
            handle = await client.submit("gives", what)
            record = await client.wait(handle.id)
            assert record.error is not None
            assert (what, record.error.error_class) == (what, "bug")
        handle = await client.submit("raises", "surrogate", attempts_max=1)
        assert (await client.wait(handle.id)).state == "failed"
        assert await client.run("echo", 5) == 5
        await worker.stop()

    served(tmp_path, scenario, modules=())


def test_a_result_that_cannot_be_carried_over_does_not_take_its_neighbours_with_it(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        worker = Worker(await connections.client(), [kinds.echo, kinds.gives])
        await worker.start()
        client = await connections.client()
        jobs = [Submission(kind="echo", input=1), Submission(kind="gives", input="surrogate")] * 10
        handles = await client.submit_many(jobs)
        states = [(await client.wait(handle.id)).state for handle in handles]
        assert states == ["succeeded", "failed"] * 10
        await worker.stop()

    served(tmp_path, scenario, modules=())


def test_the_jobs_of_a_worker_whose_connection_drops_are_run_again(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        transport = await connections.transport()
        worker = Worker(Client(transport), [kinds.waits_for_ever], name="first")
        await worker.start()
        client = await connections.client()
        handle = await client.submit("waits_for_ever")
        await until_running(client, handle.id)
        transport._writer.transport.abort()
        await until(client, handle.id, "queued")
        record = await client.job(handle.id)
        assert record.worker_losses == 1
        assert (await client.status()).workers == []
        await worker.stop()

    served(tmp_path, scenario, modules=())


def test_a_worker_that_stops_hands_back_what_it_has_not_finished(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        worker = Worker(await connections.client(), [kinds.waits_for_ever])
        await worker.start()
        client = await connections.client()
        handle = await client.submit("waits_for_ever")
        await until_running(client, handle.id)
        await worker.stop()
        record = await client.job(handle.id)
        assert (record.state, record.worker_losses, record.attempt) == ("queued", 0, 0)

    served(tmp_path, scenario, modules=())


def test_a_job_on_a_remote_worker_is_cancelled(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        worker = Worker(await connections.client(), [kinds.waits_for_ever])
        await worker.start()
        client = await connections.client()
        handle = await client.submit("waits_for_ever")
        await until_running(client, handle.id)
        assert await handle.cancel() == "requested"
        assert (await client.wait(handle.id)).state == "cancelled"
        await worker.stop()

    served(tmp_path, scenario, modules=())


# ---------------------------------------------------------------------------------------------------------------------
# Streams


def _ask_as(user: int, folder: Path, said: Connection) -> None:
    """In a process of its own: connect as another user, and pass on what comes back."""
    os.chdir(folder)
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(SECONDS_MAX)
        stream.connect("sheratan.sock")
        said.send(stream.makefile().readline())


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_another_user_is_refused_whatever_the_permissions_say(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        connections.data.chmod(0o711)
        (connections.data / "sheratan.sock").chmod(0o666)
        context = multiprocessing.get_context("fork")
        heard, said = context.Pipe(duplex=False)
        other = context.Process(target=_ask_as, args=(65_534, connections.data, said))
        other.start()
        said.close()
        answer = await asyncio.to_thread(heard.recv)
        other.join()
        assert "serves its owner and root only" in answer
        assert other.exitcode == 0

    served(tmp_path, scenario)
