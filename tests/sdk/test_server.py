"""A server's own part: the kinds it loads, how it drains, what it does to its process."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

import sheratan
from sheratan import Client, Worker, job
from sheratan.contracts.errors import Unavailable
from sheratan.settings import Settings
from sheratan.wiring import open_offline
from sheratan.wiring.server import Server, load_kinds
from tests.sdk import sample_kinds
from tests.support import running_server

KINDS = "tests.cli.sample_kinds"


def module(monkeypatch: pytest.MonkeyPatch, name: str, **names: object) -> str:
    """A module that can be imported by its name."""
    made = ModuleType(name)
    vars(made).update(names)
    monkeypatch.setitem(sys.modules, name, made)
    return name


def test_two_modules_that_define_one_kind_are_a_problem_that_names_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @job(kind="same")
    async def one() -> None: ...

    @job(kind="same")
    async def other() -> None: ...

    names = [module(monkeypatch, "first_module", one=one), module(monkeypatch, "second_module", other=other)]
    _, problems = load_kinds(names)
    assert len(problems) == 1
    assert "both define the kind same" in problems[0]


def test_a_kind_that_two_modules_share_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = sample_kinds.nothing
    names = [module(monkeypatch, "first_module", a=shared), module(monkeypatch, "second_module", b=shared)]
    kinds, problems = load_kinds(names)
    assert (kinds, problems) == ([shared], [])


async def is_taken_in(client: Client) -> bool:
    """Whether a server takes a job in."""
    try:
        await client.submit("slow")
    except Unavailable:
        return False
    return True


def test_a_server_that_stops_waits_for_a_job_in_another_worker(tmp_path: Path) -> None:
    async def scenario() -> str:
        started, may_end = asyncio.Event(), asyncio.Event()

        @job
        async def slow() -> str:
            started.set()
            await may_end.wait()
            return "ended"

        server = Server(Settings(data=str(tmp_path)), program="a test")
        await server.start([])
        async with await Client.connect(tmp_path) as client:
            worker = Worker(client, [slow], name="elsewhere")
            await worker.start()
            handle = await client.submit(slow)
            await started.wait()
            stopping = asyncio.create_task(server.stop(20, "a test says so"))
            # Once it refuses new jobs it drains; only then may the running one end.
            while await is_taken_in(client):
                pass
            assert not stopping.done()
            may_end.set()
            await stopping
            await worker.stop()
        return handle.id

    job_id = asyncio.run(scenario())
    reader = open_offline(tmp_path)
    try:
        types = [json.loads(line)["type"] for _, _, body in reader.pages() for line in body.split(b"\n")]
    finally:
        reader.close()
    assert "job.succeeded" in types, job_id
    assert "job.requeued" not in types


def test_a_server_spares_the_collector_of_its_own_process(tmp_path: Path) -> None:
    with running_server(tmp_path, [KINDS]) as server:
        done = server.cli("job", "submit", "collector", "--wait", "-o", "json")
    assert json.loads(done.stdout)["output"] == [20_000, 20, 20]


def test_an_engine_inside_a_program_leaves_the_collector_alone(tmp_path: Path) -> None:
    before = gc.get_threshold()

    async def scenario() -> None:
        async with sheratan.open(tmp_path, [sample_kinds.nothing]) as client:
            await client.run(sample_kinds.nothing)
            assert gc.get_threshold() == before

    asyncio.run(scenario())


def test_an_output_that_is_too_long_for_the_socket_fails_its_attempt_and_no_other(tmp_path: Path) -> None:
    @job(attempts_max=1)
    async def gives(size: int) -> str:
        return "x" * size

    async def scenario() -> None:
        server = Server(Settings(data=str(tmp_path)), program="a test")
        await server.start([])
        async with await Client.connect(tmp_path) as client, await Client.connect(tmp_path) as connection:
            worker = Worker(connection, [gives], name="elsewhere")
            await worker.start()
            # Their outputs are reported together, and together they are longer than a request may be.
            many = await asyncio.gather(*(client.run(gives, 900_000) for _ in range(4)))
            assert [len(one) for one in many] == [900_000] * 4
            handle = await client.submit(gives, 3_000_000)
            ended = await client.wait(handle.id)
            assert ended.error is not None
            assert (ended.error.error_class, ended.error.type) == ("bug", "InvalidOutput")
            assert "longer than any payload" in ended.error.message
            assert await client.run(gives, 3) == "xxx"
            await worker.stop()
        await server.stop(0.0, "the test is over")

    asyncio.run(scenario())
