"""What the host says of itself and of what it can reach: room on a disk, memory, and whether somebody answers."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from sheratan.ambient.memory import Memory, read_memory
from sheratan.contracts.health import Address

__all__ = ["HostSensors", "Room", "Sensors"]

_THREADS: Final = 16
"""Looking up a name may take as long as the resolver likes, and no other work may wait for it."""

_STATUS_BYTES_MAX: Final = 1_024
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
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, address.host, address.port)
        context = None
        if address.scheme == "https":
            import ssl  # noqa: PLC0415 - costs more to load than most programs need

            context = await loop.run_in_executor(self._threads, ssl.create_default_context)
        failure: OSError = OSError("the name has no address")
        for host, port in found:
            try:
                reader, writer = await asyncio.open_connection(
                    host,
                    port,
                    ssl=context,
                    server_hostname=address.host if context else None,
                    limit=_STATUS_BYTES_MAX,
                )
            except OSError as error:
                failure = _in_words(error)
                continue
            try:
                if address.scheme != "tcp":
                    await _ask(reader, writer, address)
                return
            finally:
                writer.transport.abort()
        raise failure

    def close(self) -> None:
        """Give the threads back; what they look up nobody waits for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._memory_thread.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[tuple[str, int]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(str(address[0]), int(address[1])) for *_, address in found]


def _in_words(error: OSError) -> OSError:
    """An error without the address, which is known and says nothing of what is wrong."""
    if isinstance(error, ConnectionError) and error.errno is not None:
        return OSError(os.strerror(error.errno))
    return error


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: Address) -> None:
    host = f"[{address.host}]" if ":" in address.host else address.host
    writer.write(
        f"GET {address.target} HTTP/1.1\r\nHost: {host}:{address.port}\r\nUser-Agent: sheratan\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n".encode("ascii")
    )
    line = b""
    with suppress(ValueError):
        # A line that is too long is none of HTTP.
        line = await reader.readline()
    words = line.split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise OSError("it does not speak HTTP")
    if int(words[1]) >= _HEALTHY_BELOW:
        raise OSError(f"HTTP status {int(words[1])}")
