"""PgQueuer on PostgreSQL through asyncpg, woken by LISTEN/NOTIFY."""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys
from typing import Any

from bench.peers.scripts import common

__all__ = ["PgQueuerScript"]

BATCH = 100
UNFINISHED = "SELECT count(*) AS jobs FROM pgqueuer"


class PgQueuerScript(common.AsyncScript):
    """A job leaves its table when it has ended."""

    def __init__(self) -> None:
        super().__init__()
        self._asyncpg = importlib.import_module("asyncpg")
        self._package = importlib.import_module("pgqueuer")
        self._connection: Any = None
        self._queries: Any = None

    def prepare(self) -> None:
        self.run(self._prepare())

    async def _prepare(self) -> None:
        await self._open()
        await self._queries.install()

    async def submit_async(self, count: int) -> None:
        await self._open()
        payload = common.PAYLOAD.encode()
        for _ in range(count):
            await self._queries.enqueue("noop", payload)

    async def bulk_async(self, count: int) -> None:
        await self._open()
        payload: bytes | None = common.PAYLOAD.encode()
        for start in range(0, count, common.BULK_JOBS):
            jobs = min(common.BULK_JOBS, count - start)
            await self._queries.enqueue(["noop"] * jobs, [payload] * jobs, [0] * jobs)

    async def left_async(self) -> int:
        await self._open()
        count: int = await self._connection.fetchval(UNFINISHED)
        return count

    def work(self) -> None:
        importlib.import_module("uvloop").run(self._work())

    async def _work(self) -> None:
        await self._open()
        queuer = self._package.PgQueuer(self._package.AsyncpgDriver(self._connection))

        async def noop(job: Any) -> None:
            common.stamp()

        queuer.entrypoint("noop")(noop)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, queuer.shutdown.set)
        await queuer.run(batch_size=BATCH)

    async def _open(self) -> None:
        if self._connection is None:
            self._connection = await self._asyncpg.connect(common.url())
            self._queries = self._package.Queries(self._package.AsyncpgDriver(self._connection))

    async def close_async(self) -> None:
        if self._connection is not None:
            await self._connection.close()


if __name__ == "__main__":
    common.main(PgQueuerScript(), sys.argv[1:])
