"""As much of HTTP as is needed: connect, ask once, read the status. Nothing is followed, and no answer is read."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from sheratan.contracts.health import Address

__all__ = ["Stream", "ask", "connect", "in_words"]

_STATUS_BYTES_MAX: Final = 1_024

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(address: Address, threads: ThreadPoolExecutor) -> Stream:
    """Connect to the first of a host's addresses that takes the connection, by TLS for `https`; OSError when none does.

    Looking up a name may take as long as the resolver likes, so a thread does it.
    """
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(threads, _look_up, address.host, address.port)
    context = None
    if address.scheme == "https":
        import ssl  # noqa: PLC0415 - costs more to load than most programs need

        context = await loop.run_in_executor(threads, ssl.create_default_context)
    failure: OSError = OSError("the name has no address")
    for host, port in found:
        try:
            return await asyncio.open_connection(
                host,
                port,
                ssl=context,
                server_hostname=address.host if context else None,
                limit=_STATUS_BYTES_MAX,
            )
        except OSError as error:
            failure = in_words(error)
    raise failure


async def ask(
    stream: Stream, address: Address, head: str, headers: Mapping[str, str], body: bytes = b""
) -> int:
    """Send a request that begins with `head` (`GET`, `POST`) and return the status; OSError where none comes."""
    reader, writer = stream
    host = f"[{address.host}]" if ":" in address.host else address.host
    lines = [f"{head} {address.target} HTTP/1.1", f"Host: {host}:{address.port}", "User-Agent: sheratan"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += ["Accept: */*", "Connection: close", "", ""]
    writer.write("\r\n".join(lines).encode("ascii") + body)
    line = b""
    with suppress(ValueError):
        # A line that is too long is none of HTTP.
        line = await reader.readline()
    words = line.split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise OSError("it does not speak HTTP")
    return int(words[1])


def in_words(error: OSError) -> OSError:
    """An error without the address, which is known and says nothing of what is wrong."""
    if isinstance(error, ConnectionError) and error.errno is not None:
        return OSError(os.strerror(error.errno))
    return error


def _look_up(host: str, port: int) -> list[tuple[str, int]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(str(address[0]), int(address[1])) for *_, address in found]
