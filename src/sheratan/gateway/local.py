"""The door within the process: the API for code in the engine's own process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import Any

from sheratan.contracts import api
from sheratan.contracts.principal import Principal
from sheratan.gateway.api import Api

__all__ = ["LocalTransport"]


class LocalTransport:
    """The API for code in the engine's own process."""

    def __init__(self, served: Api, by: Principal) -> None:
        self._api = served
        self._by = by
        self._sessions: list[int] = []

    def call(self, request: api.Request, seconds: float | None = None) -> Awaitable[Any]:
        """The answer to a request."""
        if seconds is not None:
            return self._call(request, seconds)
        if type(request) is api.RegisterWorker:
            return self._register(request)
        return self._api.handle(request, self._by, self._sessions)

    def stream(self, request: api.Request) -> AsyncIterator[Any]:
        """The items of a stream."""
        return self._api.stream(request)

    async def close(self) -> None:
        """Nothing to hang up."""

    async def _call(self, request: api.Request, seconds: float) -> Any:
        with self._api.waited_for(round(seconds * 1_000_000)):
            return await self.call(request)

    async def _register(self, request: api.RegisterWorker) -> api.WorkerSession:
        granted: api.WorkerSession = await self._api.handle(request, self._by)
        self._sessions.append(granted.session)
        return granted
