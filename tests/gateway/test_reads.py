"""What a read tells is true of one instant, whatever is committed while it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw

from sheratan import Context, Kind, job
from sheratan.contracts.api import GetJob
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import Principal
from sheratan.gateway.api import Api
from sheratan.settings import WorkerSettings
from sheratan.store.sqlite.reader import SqliteReader
from sheratan.store.sqlite.scans import Value
from sheratan.store.sqlite.store import DATABASE_NAME
from sheratan.wiring.server import Server

SECONDS_MAX = 60
BY = Principal(actor="local:tester", auth="embedded", on_behalf_of="local:tester")


class _InterruptedReader(SqliteReader):
    """A reader beside which something happens once, between two of its statements."""

    def __init__(self, path: Path, after: str, meanwhile: Callable[[], None]) -> None:
        super().__init__(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY))
        self._after, self._meanwhile = after, meanwhile
        self.interrupted = False

    def _rows(self, name: str, bindings: Sequence[Value] = ()) -> Iterator[Any]:
        yield from super()._rows(name, bindings)
        if name == self._after and not self.interrupted:
            self.interrupted = True
            self._meanwhile()


def test_a_job_that_starts_while_it_is_read_is_found_where_it_was(tmp_path: Path) -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def handler(ctx: Context) -> None:
        started.set()
        await release.wait()

    kind: Kind[Any, Any] = job(kind="started", backoff_base_seconds=0.0)(handler)

    async def main() -> None:
        server = Server(tmp_path, Limits(), WorkerSettings(), program="test")
        loop, client = asyncio.get_running_loop(), server.client()

        async def start_it() -> None:
            await client.resume("default")
            await started.wait()

        def meanwhile() -> None:
            asyncio.run_coroutine_threadsafe(start_it(), loop).result(SECONDS_MAX)

        # A job that is ready is looked for last, after all the tables that it may move to.
        reader = _InterruptedReader(tmp_path / DATABASE_NAME, "select_result", meanwhile)
        try:
            await server.start([kind])
            await client.pause("default", reason="until it is read")
            handle = await client.submit(kind)
            api = Api(server.engine, reader, str(tmp_path))
            record = await api.handle(GetJob(id=handle.id), BY)
            assert reader.interrupted
            assert record.state == "queued"
            assert (await api.handle(GetJob(id=handle.id), BY)).state == "running"
            api.close()
        finally:
            release.set()
            await server.stop(1.0, "the test is over")
            reader.close()

    async def bounded() -> None:
        async with asyncio.timeout(SECONDS_MAX):
            await main()

    asyncio.run(bounded())
