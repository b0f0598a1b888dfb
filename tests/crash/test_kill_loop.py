"""A server that is killed again and again under load: what was acknowledged is done, once, and the journal says so.

The kills come after a number of acknowledgements that the seed decides; `SEED=n` in the environment replays one.
Judged by what the clients saw and by the verification of the data, which is not the engine's own code.
"""

from __future__ import annotations

import asyncio
import os
import random
import select
import signal
from collections import Counter
from pathlib import Path

from sheratan import Client, SheratanError
from sheratan.contracts.errors import Unavailable
from sheratan.engine.replay import replay
from sheratan.engine.verify import verify
from sheratan.kernel.chain import decode_entry, split_page
from sheratan.wiring import open_offline
from tests.support import Server, running_server

KINDS = "tests.cli.sample_kinds"
CALLERS = 8
JOBS = 600
KILLS = 5


class Clients:
    """Callers that submit jobs under keys, and submit again what nobody has acknowledged."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._numbers = iter(range(JOBS))
        self.acknowledged: dict[int, str] = {}
        self.news = asyncio.Event()

    async def call(self) -> None:
        """Submit jobs until there are none left, over as many connections as it takes."""
        number = next(self._numbers, None)
        while number is not None:
            try:
                async with await Client.connect(self._data) as client:
                    while number is not None:
                        await self._submit(client, number)
                        number = next(self._numbers, None)
            except Unavailable:
                # The server was killed: the answer is unknown, so the same key is sent again.
                await asyncio.sleep(0)

    async def _submit(self, client: Client, number: int) -> None:
        handle = await client.submit("add", {"left": number, "right": 1}, key=f"job {number}")
        known = self.acknowledged.setdefault(number, handle.id)
        assert known == handle.id
        self.news.set()

    async def wait_acknowledged(self, count: int) -> None:
        """Wait until so many have been acknowledged."""
        while len(self.acknowledged) < count:
            self.news.clear()
            await self.news.wait()


async def results(data: Path, ids: dict[int, str]) -> dict[int, object]:
    """What each job has given."""
    async with await Client.connect(data) as client:
        records = await asyncio.gather(*(client.wait(job_id, timeout_seconds=20) for job_id in ids.values()))
        return {number: record.output for number, record in zip(ids, records, strict=True)}


def kill(server: Server) -> None:
    assert server.stop(signal.SIGKILL) == -signal.SIGKILL


async def scenario(data: Path, draw: random.Random) -> tuple[dict[int, str], dict[int, object]]:
    clients = Clients(data)
    calls = [asyncio.create_task(clients.call()) for _ in range(CALLERS)]
    for kill_number in range(KILLS):
        with running_server(data, [KINDS]) as server:
            target = (kill_number + 1) * JOBS // (KILLS + 1) + draw.randrange(20)
            await clients.wait_acknowledged(target)
            await asyncio.to_thread(kill, server)
    with running_server(data, [KINDS]):
        await asyncio.gather(*calls)
        return clients.acknowledged, await results(data, clients.acknowledged)


def test_a_server_killed_under_load_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED", "20261120"))
    print(f"seed {seed}")
    acknowledged, found = asyncio.run(scenario(tmp_path, random.Random(seed)))
    assert len(acknowledged) == len(set(acknowledged.values())) == JOBS
    assert found == {number: number + 1 for number in range(JOBS)}
    reader = open_offline(tmp_path)
    try:
        verification, replayed = verify(reader), replay(reader)
        entries = [decode_entry(line) for _, _, body in reader.pages() for line in split_page(body)]
    finally:
        reader.close()
    assert verification.problems == []
    assert replayed.differences == []
    ends = Counter(entry.subject for entry in entries if entry.type == "job.succeeded")
    assert ends == dict.fromkeys(acknowledged.values(), 1)
    assert sum(entry.type == "engine.started" for entry in entries) == KILLS + 1


def test_a_handler_in_a_process_ends_with_the_server_that_was_killed(tmp_path: Path) -> None:
    fifo = tmp_path / "pid"
    os.mkfifo(fifo)
    with running_server(tmp_path / "data", [KINDS]) as server:
        server.submit("spin", f'"{fifo}"')
        handler = os.pidfd_open(int(fifo.read_text()))
        kill(server)
        ended = select.poll()
        ended.register(handler, select.POLLIN)
        assert ended.poll(20_000), "it computes on although nobody waits for it"
    os.close(handler)


def test_a_caller_without_a_server_is_told_so(tmp_path: Path) -> None:
    async def connect() -> str:
        try:
            await Client.connect(tmp_path)
        except SheratanError as error:
            return error.code
        return "connected"

    assert asyncio.run(connect()) == "unavailable"
