"""Sheratan, measured as the peers are. MODE: `server` (workers in processes of their own), or `embedded` (one process).

The journal is on, as always: there is no way to run without it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import Any

import sheratan
from bench.peers.scripts import common
from sheratan import Client, Context, Worker, job
from sheratan.ambient.collector import spare_collector
from sheratan.contracts.jobs import Submission
from sheratan.wiring import open_offline

__all__ = ["DATA", "SheratanScript", "noop", "steps"]

DATA = "data"
QUEUE = "default"


@job
async def noop(text: str) -> None:
    """Do nothing."""
    common.stamp()


@job
async def steps(ctx: Context, text: str) -> None:
    """Take ten steps."""
    for number in range(common.STEPS):
        await ctx.step("act", common.act, number)


class SheratanScript(common.AsyncScript):
    """A client of the server on the folder, or an engine within this process."""

    def __init__(self) -> None:
        super().__init__()
        self._is_embedded = common.mode() == "embedded"
        self._is_latency = sys.argv[1:2] == ["latency"]
        self._kind = {"noop": noop, "steps": steps}[common.task()]
        self._data = common.folder() / DATA
        self._client: Client | None = None
        self._opened: Any = None
        spare_collector()

    def prepare(self) -> None:
        self.run(self._prepare())

    async def _prepare(self) -> None:
        """Make the kind known: a server refuses jobs of kinds that no worker has offered yet."""
        client = await self._open()
        if self._is_embedded:
            await client.pause(QUEUE, "a benchmark fills it")
        else:
            async with Worker(client, [self._kind], name="first"):
                pass

    async def submit_async(self, count: int) -> None:
        client = await self._open()
        for _ in range(count):
            await client.submit(self._kind, common.PAYLOAD)

    async def bulk_async(self, count: int) -> None:
        client = await self._open()
        submission = Submission(kind=self._kind.name, input=common.PAYLOAD)
        for start in range(0, count, common.BULK_JOBS):
            await client.submit_many([submission] * min(common.BULK_JOBS, count - start))

    async def left_async(self) -> int:
        if self._is_embedded:
            if self._is_latency:
                await (await self._open()).resume(QUEUE)
            return self._rows_left()
        queues = await (await self._open()).queues()
        return sum(queue.queued + queue.running for queue in queues)

    def _rows_left(self) -> int:
        reader = open_offline(self._data)
        try:
            return sum(rows for place, rows in reader.counts().items() if place != "result")
        finally:
            reader.close()

    def work(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        client = await self._open()
        if self._is_embedded:
            stopped = asyncio.Event()
            loop.add_signal_handler(signal.SIGTERM, stopped.set)
            await client.resume(QUEUE)
            await stopped.wait()
            await client.pause(QUEUE, "a benchmark ends")
        else:
            # It ends by itself, too, when the server is gone.
            worker = asyncio.create_task(Worker(client, [self._kind], name=f"bench-{os.getpid()}").run())
            loop.add_signal_handler(signal.SIGTERM, worker.cancel)
            with suppress(asyncio.CancelledError):
                await worker
        await self.close_async()

    async def _open(self) -> Client:
        if self._client is None:
            if self._is_embedded:
                self._opened = sheratan.open(self._data, [self._kind])
                self._client = await self._opened.__aenter__()
            else:
                self._client = await Client.connect(self._data)
        assert self._client is not None
        return self._client

    async def close_async(self) -> None:
        client, self._client = self._client, None
        if self._opened is not None:
            await self._opened.__aexit__(None, None, None)
        elif client is not None:
            await client.close()


if __name__ == "__main__":
    common.main(SheratanScript(), sys.argv[1:])
