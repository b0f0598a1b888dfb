"""Archiving over an engine: a segment is made ready on a thread of its own, and then the engine is told."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from sheratan.contracts.archive import ArchiveJournal, SegmentRecord
from sheratan.contracts.errors import Unavailable
from sheratan.contracts.principal import Principal
from sheratan.engine.archive import prepare_segment
from sheratan.engine.engine import Engine
from sheratan.store.archive import Archive
from sheratan.store.port import Reader

__all__ = ["Archiving"]


class Archiving:
    """One segment after the other, whoever asks. The reader is its own, for it reads for long."""

    def __init__(self, engine: Engine, reader: Reader, archive: Archive) -> None:
        self._engine = engine
        self._reader = reader
        self._archive = archive
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sheratan-archive")
        self._turn = asyncio.Lock()
        self._closed = False

    async def archive(self, request: ArchiveJournal, by: Principal) -> SegmentRecord | None:
        """Archive the next segment; None when there is nothing to archive."""
        async with self._turn:
            if self._closed:
                raise Unavailable("the engine has stopped")
            command = await asyncio.get_running_loop().run_in_executor(
                self._thread, prepare_segment, self._reader, self._archive, request, self._engine.limits
            )
            record: SegmentRecord | None = None
            if command is not None:
                record = await self._engine.ask(command, by)
            return record

    def close(self) -> None:
        """Give the thread back, once it has ended what it does."""
        self._closed = True
        self._thread.shutdown()
