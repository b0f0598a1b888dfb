"""Procrastinate on PostgreSQL, its asynchronous worker, woken by LISTEN/NOTIFY."""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import Any

from bench.peers.scripts import common

__all__ = ["ProcrastinateScript"]

CONCURRENCY = 10
UNFINISHED = "SELECT count(*) AS jobs FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"


class ProcrastinateScript(common.AsyncScript):
    """Jobs stay in the table, as its default is."""

    def __init__(self) -> None:
        super().__init__()
        package = importlib.import_module("procrastinate")
        self._app: Any = package.App(connector=package.PsycopgConnector(conninfo=common.url()))
        self._is_open = False

        async def noop(text: str) -> None:
            common.stamp()

        self._task: Any = self._app.task(name="noop")(noop)

    def prepare(self) -> None:
        self.run(self._prepare())

    async def _prepare(self) -> None:
        await self._open()
        await self._app.schema_manager.apply_schema_async()

    async def submit_async(self, count: int) -> None:
        await self._open()
        for _ in range(count):
            await self._task.defer_async(text=common.PAYLOAD)

    async def bulk_async(self, count: int) -> None:
        await self._open()
        for start in range(0, count, common.BULK_JOBS):
            jobs = min(common.BULK_JOBS, count - start)
            await self._task.batch_defer_async(*({"text": common.PAYLOAD} for _ in range(jobs)))

    async def left_async(self) -> int:
        await self._open()
        row = await self._app.connector.execute_query_one_async(UNFINISHED)
        count: int = row["jobs"]
        return count

    def work(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        async with self._app.open_async():
            await self._app.run_worker_async(concurrency=CONCURRENCY)

    async def _open(self) -> None:
        if not self._is_open:
            await self._app.open_async()
            self._is_open = True

    async def close_async(self) -> None:
        if self._is_open:
            await self._app.close_async()


if __name__ == "__main__":
    common.main(ProcrastinateScript(), sys.argv[1:])
