"""What a server archives by itself: at once when it is set, after a rest, and again after it could not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from sheratan import Client
from sheratan.ambient.folder import HostFolder
from sheratan.ambient.randomness import SeededRandomness
from sheratan.contracts.errors import Unavailable
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import Principal
from sheratan.engine.decider import Decider
from sheratan.engine.engine import Engine
from sheratan.gateway.api import Api
from sheratan.gateway.archiving import Archiving
from sheratan.gateway.local import LocalTransport
from sheratan.store.archive import Archive
from sheratan.store.sqlite.store import open_reader, open_store
from sheratan.testing import in_world, run
from sheratan.testing.host import WorldClock
from sheratan.testing.loop import VirtualLoop
from sheratan.testing.world import World

PERSON = Principal(actor="local:tester", auth="embedded", on_behalf_of="local:tester")
START_US = 2_000_000_000_000_000
MINUTE, HOUR, DAY = 60, 3_600, 86_400


class Served:
    """A running engine with an archive, on a virtual loop."""

    def __init__(self, folder: Path, client: Client, engine: Engine, loop: VirtualLoop) -> None:
        self.archive = folder / "archive"
        self.client = client
        self.engine = engine
        self._loop = loop

    async def skip(self, seconds: float) -> None:
        """Let time go by, and all happen that is due then."""
        passed = self._loop.create_future()
        self._loop.call_later(seconds, passed.set_result, None)
        await passed
        await self._loop.settle()

    async def note(self) -> None:
        """Have something written down, so that there is something to archive."""
        await self.client.pause("q")
        await self.client.resume("q")

    async def problem(self) -> str | None:
        """What keeps the server from archiving, as its status says it."""
        return (await self.client.status()).archive_problem

    async def ends(self) -> list[int]:
        """Where each segment ends."""
        return [one.last for one in await self.client.archived_segments()]


@asynccontextmanager
async def _served(folder: Path) -> AsyncGenerator[Served]:
    loop = cast(VirtualLoop, asyncio.get_running_loop())
    clock, path, limits = WorldClock(loop, START_US), folder / "sheratan.db", Limits()
    store = open_store(path, clock.now_us())
    readers = [open_reader(path, clock=clock.monotonic_us) for _ in range(3)]
    engine = Engine(Decider(store, clock, SeededRandomness(1), limits), readers[0], version="test")
    archiving = Archiving(engine, readers[1], Archive(HostFolder(folder / "archive")))
    api = Api(engine, readers[2], str(folder), archiving)
    await engine.start()
    archiving.start()
    try:
        yield Served(folder, Client(LocalTransport(api, PERSON)), engine, loop)
    finally:
        await engine.stop()
        api.close()
        for each in (*readers, store):
            each.close()


def in_time(folder: Path, scenario: Callable[[Served], Awaitable[None]]) -> None:
    """Run a scenario on a virtual loop."""

    async def within() -> None:
        async with _served(folder) as made:
            await scenario(made)

    run(within)


def test_it_archives_at_once_what_is_old_when_it_is_set_and_then_every_so_often(tmp_path: Path) -> None:
    async def scenario(server: Served) -> None:
        await server.note()
        await server.skip(DAY)
        assert await server.ends() == []
        await server.client.keep_journal(keep_seconds=10 * HOUR, reason="a test")
        await server.skip(0)
        [first] = await server.ends()
        await server.note()
        await server.skip(10 * HOUR - MINUTE)
        assert await server.ends() == [first]
        await server.skip(HOUR + MINUTE)
        [_, second] = await server.ends()
        assert second > first
        assert await server.problem() is None

    in_time(tmp_path, scenario)


def test_what_is_set_anew_is_heard_of_at_once(tmp_path: Path) -> None:
    async def scenario(server: Served) -> None:
        await server.client.keep_journal(keep_seconds=100 * DAY)
        await server.skip(2 * MINUTE)
        await server.client.keep_journal(keep_seconds=MINUTE)
        await server.skip(0)
        assert len(await server.ends()) == 1
        await server.client.keep_journal(keep_seconds=None)
        await server.note()
        await server.skip(DAY)
        assert len(await server.ends()) == 1

    in_time(tmp_path, scenario)


def test_what_was_set_before_the_start_holds(tmp_path: Path) -> None:
    async def first(server: Served) -> None:
        await server.note()
        await server.client.keep_journal(keep_seconds=HOUR)

    async def second(server: Served) -> None:
        await server.skip(2 * HOUR)
        assert len(await server.ends()) >= 1

    in_time(tmp_path, first)
    in_time(tmp_path, second)


def test_a_file_in_the_way_is_named_until_it_is_gone(tmp_path: Path) -> None:
    async def scenario(server: Served) -> None:
        await server.note()
        preview = await server.client.preview_archive(before_us=1 << 53)
        name = f"journal-{0:012}-{preview.entries - 1:012}.jsonl.zst"
        server.archive.mkdir()
        (server.archive / name).write_bytes(b"another")
        await server.skip(2 * HOUR)
        await server.client.keep_journal(keep_seconds=HOUR)
        await server.skip(0)
        assert name in (await server.problem() or "")
        status = await server.client.status()
        assert status.ready
        assert await server.ends() == []
        (server.archive / name).unlink()
        await server.skip(10 * MINUTE)
        assert await server.problem() is None
        assert len(await server.ends()) == 1

    in_time(tmp_path, scenario)


def test_a_bug_in_it_ends_nothing_but_the_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(server: Served) -> None:
        await server.skip(2 * HOUR)
        with monkeypatch.context() as broken:
            broken.delattr("sheratan.engine.archive.decide_archive")
            await server.client.keep_journal(keep_seconds=HOUR)
            await server.skip(0)
            assert (await server.problem() or "").startswith("a bug: NameError")
        await server.skip(10 * MINUTE)
        assert await server.problem() is None
        assert len(await server.ends()) == 1

    in_time(tmp_path, scenario)


def test_it_rests_while_the_system_is_paused(tmp_path: Path) -> None:
    async def scenario(server: Served) -> None:
        await server.client.change_state("paused", reason="a rest")
        await server.client.keep_journal(keep_seconds=HOUR)
        await server.skip(DAY)
        assert (await server.ends(), await server.problem()) == ([], None)
        assert not server.archive.exists()
        await server.client.change_state("operational", reason="it is over")
        await server.skip(10 * MINUTE)
        assert len(await server.ends()) == 1

    in_time(tmp_path, scenario)


def test_it_rests_while_the_server_drains(tmp_path: Path) -> None:
    async def scenario(server: Served) -> None:
        await server.skip(2 * HOUR)
        await server.engine.drain("a test")
        await server.client.keep_journal(keep_seconds=HOUR)
        await server.skip(DAY)
        assert await server.ends() == []

    in_time(tmp_path, scenario)


@in_world()
async def test_where_the_journal_is_in_memory_nothing_can_be_set(world: World) -> None:
    with pytest.raises(Unavailable, match="in memory"):
        await world.client.keep_journal(keep_seconds=DAY)
    assert (await world.client.journal_retention()).keep_seconds is None
