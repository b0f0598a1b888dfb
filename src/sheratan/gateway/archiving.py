"""Archiving over an engine: a segment is made ready on a thread of its own, and then the engine is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from sheratan.contracts.archive import ArchiveJournal, KeepJournal, SegmentRecord
from sheratan.contracts.errors import SheratanError, StateRefuses, Unavailable
from sheratan.contracts.principal import ENGINE, Principal
from sheratan.engine.archive import prepare_due, prepare_segment
from sheratan.engine.commands import ArchiveSegment, KeepEntries
from sheratan.engine.engine import Engine
from sheratan.engine.retention_state import rest_us
from sheratan.kernel.archiving import least_us
from sheratan.store.archive import Archive
from sheratan.store.port import Reader

__all__ = ["Archiving"]


class Archiving:
    """One segment after the other, whoever asks. The reader is its own, for it reads for long."""

    def __init__(self, engine: Engine, reader: Reader, archive: Archive) -> None:
        self.problem: str | None = None
        """Why what is due could not be archived when it was last tried; None when it could, or nothing was due."""
        self._engine = engine
        self._reader = reader
        self._archive = archive
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sheratan-archive")
        self._turn = asyncio.Lock()
        self._is_set_anew = asyncio.Event()
        self._upkeep: asyncio.Task[None] | None = None
        self._closed = False

    def start(self) -> None:
        """Archive what is due by what is set, now and every so often."""
        self._upkeep = asyncio.get_running_loop().create_task(self._keep_up())

    async def archive(self, request: ArchiveJournal, by: Principal) -> SegmentRecord | None:
        """Archive the next segment; None when there is nothing to archive."""
        limits = self._engine.limits
        return await self._archive_prepared(
            partial(prepare_segment, self._reader, self._archive, request, limits), by
        )

    async def keep(self, request: KeepJournal, by: Principal) -> int:
        """Set how long entries are kept; returns the entry that says so."""
        keep_us = None if request.keep_seconds is None else request.keep_seconds * 1_000_000
        entry: int = await self._engine.ask(KeepEntries(keep_us=keep_us, reason=request.reason), by)
        self._is_set_anew.set()
        return entry

    def close(self) -> None:
        """Give the thread back, once it has ended what it does."""
        self._closed = True
        if self._upkeep is not None:
            self._upkeep.cancel()
        self._thread.shutdown()

    async def _archive_prepared(
        self, prepare: Callable[[], ArchiveSegment | None], by: Principal
    ) -> SegmentRecord | None:
        async with self._turn:
            if self._closed:
                raise Unavailable("the engine has stopped")
            command = await asyncio.get_running_loop().run_in_executor(self._thread, prepare)
            record: SegmentRecord | None = None
            if command is not None:
                record = await self._engine.ask(command, by)
            return record

    async def _keep_up(self) -> None:
        while True:
            self._is_set_anew.clear()
            keep_us = self._engine.state.journal_kept.keep_us
            self.problem = None if keep_us is None else await self._archive_due(keep_us)
            seconds = None if keep_us is None else rest_us(least_us(keep_us)) / 1_000_000
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._is_set_anew.wait()

    async def _archive_due(self, keep_us: int) -> str | None:
        """Archive segment by segment what is due; what has kept it from that, which is tried again later."""
        engine = self._engine
        try:
            while engine.state.allowed.upkeep == "allow" and await self._archive_prepared(
                partial(prepare_due, self._reader, self._archive, keep_us, engine.now_us(), engine.limits),
                ENGINE,
            ):
                pass
        except StateRefuses:
            # The state has changed meanwhile; once it lets the engine, it goes on.
            return None
        except SheratanError as error:
            return str(error)
        except Exception as error:
            return f"a bug: {type(error).__name__}: {error}"
        return None
