"""Oban for Python on PostgreSQL, woken by its notifier."""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys
from typing import Any

from bench.peers.scripts import common

__all__ = ["ObanScript"]

LIMIT = 50
UNFINISHED = (
    "SELECT count(*) FROM oban_jobs WHERE state IN ('available', 'scheduled', 'executing', 'retryable')"
)


class ObanScript(common.AsyncScript):
    """Jobs stay in the table; it prunes them after a day."""

    def __init__(self) -> None:
        super().__init__()
        self._package = importlib.import_module("oban")
        self._pool: Any = None
        self._oban: Any = None

        class Noop:
            async def process(self, job: Any) -> None:
                common.stamp()

        self._worker: Any = self._package.worker(queue="default")(Noop)

    def prepare(self) -> None:
        self.run(self._prepare())

    async def _prepare(self) -> None:
        await importlib.import_module("oban.schema").install(await self._opened_pool())

    async def submit_async(self, count: int) -> None:
        oban = await self._opened({})
        for _ in range(count):
            await oban.enqueue(self._worker.new({"text": common.PAYLOAD}))

    async def bulk_async(self, count: int) -> None:
        oban = await self._opened({})
        for start in range(0, count, common.BULK_JOBS):
            jobs = min(common.BULK_JOBS, count - start)
            await oban.enqueue_many([self._worker.new({"text": common.PAYLOAD}) for _ in range(jobs)])

    async def left_async(self) -> int:
        pool = await self._opened_pool()
        async with pool.connection() as connection:
            row = await (await connection.execute(UNFINISHED)).fetchone()
        count: int = row[0]
        return count

    def work(self) -> None:
        importlib.import_module("uvloop").run(self._work())

    async def _work(self) -> None:
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        await self._opened({"default": LIMIT})
        await stopped.wait()
        await self.close_async()

    async def _opened_pool(self) -> Any:
        if self._pool is None:
            pool = importlib.import_module("psycopg_pool").AsyncConnectionPool
            self._pool = pool(conninfo=common.url(), open=False)
            await self._pool.open()
        return self._pool

    async def _opened(self, queues: dict[str, int]) -> Any:
        if self._oban is None:
            self._oban = self._package.Oban(pool=await self._opened_pool(), queues=queues)
            await self._oban.start()
        return self._oban

    async def close_async(self) -> None:
        if self._oban is not None:
            await self._oban.stop()
        if self._pool is not None:
            await self._pool.close()


if __name__ == "__main__":
    common.main(ObanScript(), sys.argv[1:])
