"""What only blocks, in a thread: one thing at a time for each that is talked to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

__all__ = ["Turn"]

T = TypeVar("T")


class Turn(Generic[T]):
    """Whoever does not answer holds one thread, however often he is tried."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads
        self._last: Future[T] | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """Do it in a thread; OSError while the last one that was given up on still goes on."""
        if self._last is not None and not self._last.done():
            raise OSError("no answer to the last try yet")
        self._last = self._threads.submit(work)
        return await asyncio.wrap_future(self._last)
