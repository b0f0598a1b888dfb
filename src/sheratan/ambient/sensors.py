"""What the host says of itself and of what it can reach: room on a disk, memory, and whether somebody answers."""

from __future__ import annotations

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from sheratan.ambient.http import ask, connect
from sheratan.ambient.memory import Memory, read_memory
from sheratan.contracts.health import Address

__all__ = ["HostSensors", "Room", "Sensors"]

_THREADS: Final = 16
"""Looking up a name may take as long as the resolver likes, and no other work may wait for it."""

_HEALTHY_BELOW: Final = 500


class Room(NamedTuple):
    """How large a disk is, and how much of it is free, in bytes."""

    free: int
    total: int


class Sensors(Protocol):
    """How an engine looks at what it stands on. What goes wrong is raised as an OSError, with the reason."""

    async def room(self) -> Room:
        """The disk that holds the data."""
        ...

    async def memory(self) -> Memory:
        """What is used of the memory that there is."""
        ...

    async def reach(self, address: Address) -> None:
        """Connect to somebody and, for HTTP, ask: any status below 500 will do."""
        ...

    def close(self) -> None:
        """Give back what is needed for it."""
        ...


class HostSensors:
    """The host's disk, memory and network; of the memory `memory_bytes_max`, or as much as there is (0)."""

    def __init__(self, data: Path, memory_bytes_max: int = 0) -> None:
        self._data = data
        self._memory_bytes_max = memory_bytes_max
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sheratan-sensors")
        # Names that are looked up may take all the others, and whoever is short of memory cannot wait.
        self._memory_thread = ThreadPoolExecutor(1, thread_name_prefix="sheratan-memory")

    async def room(self) -> Room:
        """The disk that holds the data directory."""
        usage = await asyncio.get_running_loop().run_in_executor(self._threads, shutil.disk_usage, self._data)
        return Room(usage.free, usage.total)

    async def memory(self) -> Memory:
        """The closest of the limits that this process has."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._memory_thread, read_memory, self._memory_bytes_max)

    async def reach(self, address: Address) -> None:
        """Connect to the first of a host's addresses that takes the connection."""
        stream = await connect(address, self._threads)
        try:
            if (
                address.scheme != "tcp"
                and (status := await ask(stream, address, "GET", {})) >= _HEALTHY_BELOW
            ):
                raise OSError(f"HTTP status {status}")
        finally:
            stream[1].transport.abort()

    def close(self) -> None:
        """Give the threads back; what they look up nobody waits for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._memory_thread.shutdown(wait=False, cancel_futures=True)
