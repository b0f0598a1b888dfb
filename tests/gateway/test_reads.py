"""What a read tells is true of one instant, whatever is committed while it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest

import sheratan
from sheratan import Context, Kind, job
from sheratan.cli.offline import OfflineTransport
from sheratan.contracts.api import GetJob
from sheratan.contracts.errors import TimedOut
from sheratan.contracts.ids import look_up_job_id
from sheratan.contracts.principal import Principal
from sheratan.gateway.api import Api
from sheratan.settings import Settings
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
        server = Server(Settings(data=str(tmp_path)), program="test")
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

    run(main)


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run it, for a while at most."""

    async def bounded() -> None:
        async with asyncio.timeout(SECONDS_MAX):
            await main()

    asyncio.run(bounded())


@sheratan.job
async def done() -> None:
    """Nothing to do."""


async def with_a_blocked_job(
    data: Path, look: Callable[[Server, SqliteReader, str], Awaitable[None]]
) -> None:
    """Look at a blocked job through a reader to which it vanishes from its table before that is read."""
    server = Server(Settings(data=str(data)), program="test")
    vanishing = apsw.Connection(str(data / DATABASE_NAME))

    def vanish() -> None:
        # What a commit does that moves it on, to a table that was read before.
        vanishing.execute("DELETE FROM blocked")

    # The reader's connection must see the blocked row in the snapshot, and none without one.
    reader = _InterruptedReader(data / DATABASE_NAME, "select_lease", vanish)
    try:
        await server.start([done])
        client = server.client()
        await client.pause("default")
        first = await client.submit(done)
        blocked = await client.submit(done, after=(first.id,))
        await look(server, reader, blocked.id)
        assert reader.interrupted
    finally:
        reader.close()
        vanishing.close()
        server.engine.state.cached.clear()
        await server.stop(0.0, "the test is over")


def test_a_stopped_directory_is_read_at_one_instant(tmp_path: Path) -> None:
    async def look(server: Server, reader: SqliteReader, job_id: str) -> None:
        transport = OfflineTransport(reader, Settings(data=str(tmp_path)), "1")
        assert (await transport.call(GetJob(id=job_id))).state == "blocked"

    run(lambda: with_a_blocked_job(tmp_path, look))


def test_who_waits_for_a_job_looks_at_one_instant(tmp_path: Path) -> None:
    async def look(server: Server, reader: SqliteReader, job_id: str) -> None:
        server.engine.state.cached.clear()
        server.engine._reader = reader
        with pytest.raises(TimedOut):
            await server.engine.wait_end(look_up_job_id(job_id), 0.01)

    run(lambda: with_a_blocked_job(tmp_path, look))
