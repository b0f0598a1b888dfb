"""A small HTTP listener for probes and scrapers: it reads, knows no callers and tells no secrets.

One answer per connection, all of it within a few seconds, from few connections: whoever is slow is hung up on.
"""

from __future__ import annotations

import asyncio
import errno
import json
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from sheratan.contracts import api
from sheratan.contracts.errors import AddressInUse, InvalidInput, SheratanError
from sheratan.contracts.principal import Principal
from sheratan.engine.engine import Engine
from sheratan.gateway.api import Api
from sheratan.telemetry.exposition import CONTENT_TYPE

__all__ = ["HealthServer"]

SECONDS_MAX: Final = 10.0
"""For a whole exchange; Prometheus gives up after 10 seconds, too, unless it is told otherwise."""

CONNECTIONS_MAX: Final = 16
"""A scraper and some probes, each on its own; more than that are turned away."""

_HEAD_BYTES_MAX: Final = 8_192
_REQUEST: Final = re.compile(rb"([A-Z]{1,16}) (\S{1,2000}) HTTP/1\.[01]\r\n")
_ADDRESS: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+)):(\d{1,5})")
_PROBE: Final = Principal(actor="http", auth="none", on_behalf_of="http")


class _Answer(NamedTuple):
    status: HTTPStatus
    body: str
    kind: str = "text/plain; charset=utf-8"


class HealthServer:
    """Serves `/livez`, `/readyz`, `/startupz`, `/version` and `/metrics`; `listen` is HOST:PORT."""

    def __init__(self, served: Api, engine: Engine, listen: str) -> None:
        self._api = served
        self._engine = engine
        self._host, self._port = _address(listen)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._pages: dict[str, Callable[[str], Awaitable[_Answer]]] = {
            "/livez": self._live,
            "/healthz": self._live,
            "/readyz": self._ready,
            "/startupz": self._started,
            "/version": self._version,
            "/metrics": self._metrics,
        }

    @property
    def port(self) -> int:
        """The port that it listens on, once it has started."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Begin to listen, or AddressInUse."""
        try:
            self._server = await asyncio.start_server(
                self._connected, self._host, self._port, limit=_HEAD_BYTES_MAX, backlog=CONNECTIONS_MAX
            )
        except OSError as error:
            where = f"{self._host}:{self._port}"
            if error.errno == errno.EADDRINUSE:
                raise AddressInUse(
                    f"another program listens on {where}; choose another port", field="metrics.listen"
                ) from error
            raise InvalidInput(
                f"cannot listen on {where}: {error.strerror}", field="metrics.listen"
            ) from error

    async def stop(self) -> None:
        """Hang up on everybody."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        # Else what a slow caller has not read yet would lie here after the answer, without a limit of time.
        writer.transport.set_write_buffer_limits(high=0)
        try:
            async with asyncio.timeout(SECONDS_MAX):
                if len(self._connections) <= 2 * CONNECTIONS_MAX:
                    writer.write(await self._exchange(reader))
                    await writer.drain()
                    writer.write_eof()
                    # Hung up on while it still sends, a caller would not see the answer.
                    while await reader.read(_HEAD_BYTES_MAX):
                        pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._connections.discard(task)

    async def _exchange(self, reader: asyncio.StreamReader) -> bytes:
        """Read a request and return the bytes of the answer."""
        if len(self._connections) > CONNECTIONS_MAX:
            return _write(_Answer(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections\n"))
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _write(_Answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request is too long\n"))
        found = _REQUEST.match(head)
        if found is None:
            return _write(_Answer(HTTPStatus.BAD_REQUEST, "not a request of HTTP/1\n"))
        method, target = found[1].decode(), found[2].decode("latin-1")
        if method not in ("GET", "HEAD"):
            return _write(_Answer(HTTPStatus.METHOD_NOT_ALLOWED, "GET or HEAD only\n"))
        return _write(await self._answer(target), with_body=method == "GET")

    async def _answer(self, target: str) -> _Answer:
        try:
            parts = urlsplit(target)
        except ValueError:
            return _Answer(HTTPStatus.BAD_REQUEST, "not a path\n")
        page = self._pages.get(parts.path)
        if page is None:
            return _Answer(HTTPStatus.NOT_FOUND, f"there are {', '.join(self._pages)}\n")
        try:
            return await page(parts.query)
        except SheratanError as error:
            # Not its text: that is for callers who are known.
            return _Answer(HTTPStatus.SERVICE_UNAVAILABLE, f"{error.code}\n")

    async def _live(self, query: str) -> _Answer:
        # That this runs at all says that the loop does.
        return _Answer(HTTPStatus.OK, "ok\n")

    async def _started(self, query: str) -> _Answer:
        return _told({"engine": self._engine.has_started}, query)

    async def _ready(self, query: str) -> _Answer:
        return _told(self._engine.checks, query)

    async def _version(self, query: str) -> _Answer:
        text = json.dumps({"version": self._engine.version}) + "\n"
        return _Answer(HTTPStatus.OK, text, "application/json")

    async def _metrics(self, query: str) -> _Answer:
        return _Answer(HTTPStatus.OK, await self._api.handle(api.GetMetrics(), _PROBE), CONTENT_TYPE)


def _told(checks: dict[str, bool], query: str) -> _Answer:
    """Whether all checks pass; with `verbose`, which. Why one fails `sheratan status` says, to those who may ask it."""
    is_well = all(checks.values())
    lines = [f"{name}: {'ok' if passes else 'failed'}" for name, passes in checks.items()]
    text = "\n".join([*(lines if query == "verbose" else ()), "ok" if is_well else "not ready"])
    return _Answer(HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE, text + "\n")


def _write(answer: _Answer, *, with_body: bool = True) -> bytes:
    body = answer.body.encode()
    head = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\nContent-Type: {answer.kind}\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")


def _address(listen: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(listen)
    if found is None or int(found[3]) > 65_535:
        raise InvalidInput(f"{listen!r} is not HOST:PORT, as 127.0.0.1:9464", field="metrics.listen")
    return found[1] or found[2], int(found[3])
