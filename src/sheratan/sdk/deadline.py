"""Deadlines: how much time the calls of a client have, told to the server with each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from sheratan.contracts import api
from sheratan.contracts.errors import DeadlineExceeded, TimedOut

__all__ = ["Timed", "deadline"]

_DUE: Final = ContextVar[float | None]("sheratan_due", default=None)


@contextmanager
def deadline(seconds: float) -> Generator[None]:
    """Give all calls of clients within it so many seconds together; within another one, no more than that has left.

    A call that is not answered in time raises TimedOut, and whether it was done is not known: who has to know asks
    again under the same idempotency key. DeadlineExceeded says that it was not done: no time was left to ask, or the
    server did not come to it in time. A server that is behind does not begin what nobody waits for any more.
    """
    due, before = asyncio.get_running_loop().time() + seconds, _DUE.get()
    token = _DUE.set(due if before is None else min(before, due))
    try:
        yield
    finally:
        _DUE.reset(token)


class Timed:
    """A transport whose calls keep the deadline of whoever calls. A worker's own calls have none, so it has another."""

    def __init__(self, inner: api.Transport) -> None:
        self._inner = inner

    def call(self, request: api.Request, seconds: float | None = None) -> Awaitable[Any]:
        """The answer to a request, in time."""
        due = _DUE.get()
        return self._inner.call(request, seconds) if due is None else self._call(request, due)

    async def _call(self, request: api.Request, due: float) -> Any:
        left = due - asyncio.get_running_loop().time()
        if left <= 0:
            raise DeadlineExceeded("the deadline had passed before this was asked; nothing was done")
        try:
            async with asyncio.timeout_at(due):
                return await self._inner.call(request, left)
        except TimeoutError:
            text = "no answer came before the deadline; whether it was done is not known"
            raise TimedOut(text) from None

    def stream(self, request: api.Request) -> AsyncIterator[Any]:
        """The items of a stream, for as long as it takes."""
        return self._inner.stream(request)

    async def close(self) -> None:
        """Hang up."""
        await self._inner.close()
