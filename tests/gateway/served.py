"""An engine whose socket is open, and connections to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import sheratan
from sheratan import Client
from sheratan.contracts.limits import Limits
from sheratan.sdk.socket import SocketTransport, connect
from tests.sdk import sample_kinds as kinds

__all__ = ["SECONDS_MAX", "Connections", "ask_raw", "served"]

SECONDS_MAX = 60


class Connections:
    """A running engine, and connections to it that are closed at the end."""

    def __init__(self, data: Path, local: Client) -> None:
        self.data = data
        self.local = local
        self._transports: list[SocketTransport] = []

    async def transport(self) -> SocketTransport:
        """A new connection."""
        made = await connect(self.data)
        self._transports.append(made)
        return made

    async def client(self) -> Client:
        """A client on a new connection."""
        return Client(await self.transport())

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection without anything that knows the protocol."""
        return await asyncio.open_unix_connection(str(self.data / "sheratan.sock"))

    async def close(self) -> None:
        """Hang up everywhere."""
        for transport in self._transports:
            await transport.close()


def served(
    folder: Path,
    scenario: Callable[[Connections], Awaitable[None]],
    *,
    limits: Limits | None = None,
    modules: tuple[Any, ...] = (kinds,),
) -> None:
    """Run a scenario against an engine whose socket is open."""

    async def run() -> None:
        async with (
            asyncio.timeout(SECONDS_MAX),
            sheratan.open(folder, modules, limits=limits, drain_seconds=0.1) as local,
        ):
            connections = Connections(folder, local)
            try:
                await scenario(connections)
            finally:
                await connections.close()

    asyncio.run(run())


async def ask_raw(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes) -> Any:
    """Send a line and read the next one."""
    writer.write(line + b"\n")
    await writer.drain()
    return json.loads(await reader.readline())
