"""Absurd on PostgreSQL: its asynchronous worker, which polls."""

from __future__ import annotations

import asyncio
import importlib
import sys
from functools import partial
from typing import Any

from bench.peers.scripts import common

__all__ = ["AbsurdScript"]

CONCURRENCY = 20
BATCH = 100
POLL_SECONDS = 0.01
QUEUE = "default"
UNFINISHED = "SELECT count(*) FROM absurd.t_default WHERE state NOT IN ('completed', 'failed', 'cancelled')"


class AbsurdScript(common.Script):
    """The schema is the one that its command line carries."""

    def __init__(self) -> None:
        self._package = importlib.import_module("absurd_sdk")
        self._client: Any = None
        self._connection: Any = None

    def prepare(self) -> None:
        self._connected().execute(importlib.import_module("absurdctl").BUNDLED_SCHEMA_SQL)
        self._opened().create_queue(QUEUE)

    def submit(self, count: int) -> None:
        client = self._opened()
        for _ in range(count):
            client.spawn(common.task(), {"text": common.PAYLOAD}, queue=QUEUE)

    def left(self) -> int:
        count: int = self._connected().execute(UNFINISHED).fetchone()[0]
        return count

    def work(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        client = self._package.AsyncAbsurd(common.url(), queue_name=QUEUE)

        async def noop(given: Any, context: Any) -> None:
            common.stamp()

        async def steps(given: Any, context: Any) -> None:
            for number in range(common.STEPS):
                await context.step("act", partial(common.act, number))

        client.register_task("noop")(noop)
        client.register_task("steps")(steps)
        await client.start_worker(concurrency=CONCURRENCY, batch_size=BATCH, poll_interval=POLL_SECONDS)

    def _opened(self) -> Any:
        if self._client is None:
            self._client = self._package.Absurd(common.url(), queue_name=QUEUE)
        return self._client

    def _connected(self) -> Any:
        if self._connection is None:
            psycopg = importlib.import_module("psycopg")
            self._connection = psycopg.connect(common.url(), autocommit=True)
        return self._connection

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        if self._connection is not None:
            self._connection.close()


if __name__ == "__main__":
    common.main(AbsurdScript(), sys.argv[1:])
