"""The local socket: the API for other processes of the same user."""

from __future__ import annotations

import asyncio
import os
import pwd
import re
import resource
import socket
import struct
from contextlib import aclosing, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sheratan.contracts.api import RegisterWorker
from sheratan.contracts.errors import (
    InternalError,
    InvalidInput,
    LimitReached,
    NotFound,
    SheratanError,
    TooLarge,
    Unavailable,
)
from sheratan.contracts.limits import Limits
from sheratan.contracts.methods import METHODS, STREAMS
from sheratan.contracts.principal import Principal
from sheratan.contracts.values import misfit
from sheratan.contracts.wire import (
    CANCEL,
    FRAME_BYTES_SPARE,
    SOCKET_NAME,
    AnswerFrame,
    CancelParams,
    RequestFrame,
)
from sheratan.gateway.api import Api

__all__ = ["SocketServer"]

T = TypeVar("T")

_DESCRIPTORS_SPARE = 40
"""File descriptors that are not connections: the database and its log, readers, pipes to handlers, the loop's own."""

_REQUESTS_AT_ONCE = 1_024
"""Requests of one connection that are being answered; further ones stay in the socket until one is done."""

_CROWD_SECONDS_MAX = 1
"""How long the first request of a caller too many is waited for; it holds a descriptor meanwhile."""

_SKIP_SECONDS_MAX = 5
"""How long the rest of a request that is too long is read and thrown away."""

_ID_BYTES = 40
_BEGINS_WITH_ID = re.compile(rb'\s*\{\s*"id"\s*:\s*(\d{1,18})\s*,')
"""A request that is too long to be read is known by its number, where it begins with that as ours do."""

_decode_frame = msgspec.json.Decoder(RequestFrame).decode
_encode = msgspec.json.Encoder().encode


class SocketServer:
    """Serves an API on `DIR/sheratan.sock` to the user who owns the directory, and to root."""

    def __init__(self, api: Api, directory: Path, limits: Limits) -> None:
        self._api = api
        self._path = directory / SOCKET_NAME
        self._limits = limits
        self._connections_max, self._crowd = _room(limits.connections_max)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to listen. The caller owns the data directory, so a socket that lies there is a dead one's."""
        self._path.unlink(missing_ok=True)
        limit = self._limits.payload_bytes_max * 2 + FRAME_BYTES_SPARE
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        folder = os.open(self._path.parent, os.O_PATH | os.O_CLOEXEC)
        try:
            # A socket's path has 107 bytes at most; through the folder's descriptor it is always short.
            listening.bind(f"/proc/self/fd/{folder}/{SOCKET_NAME}")
        finally:
            os.close(folder)
        self._path.chmod(0o600)
        self._server = await asyncio.start_unix_server(
            self._connected, sock=listening, limit=limit, backlog=self._crowd
        )

    async def stop(self) -> None:
        """Hang up on everybody."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        connection = _Connection(self._api, reader, writer)
        try:
            by = _peer(writer)
            if len(self._connections) > self._connections_max:
                await connection.refuse(
                    LimitReached("too many connections (limits.connections_max, ulimit -n)")
                )
                await connection.skip_rest(_CROWD_SECONDS_MAX)
            else:
                await connection.serve(by)
        except (ConnectionError, asyncio.CancelledError):
            pass
        except SheratanError as error:
            await connection.refuse(error)
        finally:
            self._connections.discard(task)
            await connection.close()


def _room(connections_max: int) -> tuple[int, int]:
    """How many may be connected, and how many may be accepted at once, with the file descriptors that there are.

    Each connection is a descriptor, and one that is to be refused is accepted first. Without any left nobody could
    be refused, the database could not open its files, and the loop would accept nobody for a second at a time.
    """
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        return connections_max, connections_max
    room = max(2, most - _DESCRIPTORS_SPARE)
    served = max(1, min(connections_max, room // 2))
    return served, max(1, min(connections_max, room - served))


class _Connection:
    """One caller. Requests are answered as they are done, not in order."""

    def __init__(self, api: Api, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._api = api
        self._reader = reader
        self._writer = writer
        self._places = asyncio.Semaphore(_REQUESTS_AT_ONCE)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._sessions: list[int] = []

    async def serve(self, by: Principal) -> None:
        """Answer until the caller hangs up."""
        while True:
            try:
                line = await self._reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                if not await self._refuse_too_long():
                    return
            except asyncio.IncompleteReadError:
                # What it has not sent to its end it has not asked.
                return
            else:
                await self._take(line, by)

    async def _refuse_too_long(self) -> bool:
        """Refuse a request that is longer than any may be, and pass over it; False when that can't be done."""
        error = TooLarge("the request is longer than any payload may be (limits.payload_bytes_max)")
        begins = _BEGINS_WITH_ID.match(await self._reader.readexactly(_ID_BYTES))
        if begins is None or not await self.skip_rest(_SKIP_SECONDS_MAX):
            # Without its number nobody can be told which request it was; without its end there is no next one.
            await self.refuse(error)
            return False
        self._send(AnswerFrame(id=int(begins[1]), error=error.to_wire()))
        return True

    async def _take(self, line: bytes, by: Principal) -> None:
        """Begin to answer a request, or end one that nobody waits for any more before the next is read."""
        try:
            frame = _read_frame(line)
            if frame.method == CANCEL:
                await self._cancel(_read_params(frame, CancelParams).id)
                return
            if frame.id in self._tasks:
                raise InvalidInput(f"request {frame.id} is still being answered", field="id")
        except SheratanError as error:
            self._send(AnswerFrame(id=-1, error=error.to_wire()))
            return
        await self._places.acquire()
        task = asyncio.create_task(self._answer(frame, by))
        self._tasks[frame.id] = task
        task.add_done_callback(lambda done: self._done(frame.id, done))

    async def skip_rest(self, seconds: float) -> bool:
        """Read to the end of a request and throw it away; False when that end did not come in so many seconds.

        Hung up on while it is still sending, a caller would not see a refusal.
        """
        with suppress(TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        await self._reader.readuntil(b"\n")
                    except asyncio.LimitOverrunError as error:
                        await self._reader.readexactly(error.consumed)
                    else:
                        return True
        return False

    def _done(self, number: int, done: asyncio.Task[None]) -> None:
        self._places.release()
        if self._tasks.get(number) is done:
            del self._tasks[number]

    async def _cancel(self, number: int) -> None:
        task = self._tasks.get(number)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def refuse(self, error: SheratanError) -> None:
        """Tell the caller why it is hung up on."""
        self._send(AnswerFrame(id=-1, error=error.to_wire()))
        with suppress(ConnectionError):
            await self._writer.drain()

    async def close(self) -> None:
        """Forget the caller; a worker that it was has gone with it."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for session in self._sessions:
            with suppress(SheratanError):
                await self._api.close_session(session)
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _answer(self, frame: RequestFrame, by: Principal) -> None:
        number = frame.id
        try:
            if frame.method not in METHODS and frame.method not in STREAMS:
                raise NotFound(f"there is no method {frame.method!r}", field="method")
            if frame.method in STREAMS:
                value = await self._show(frame)
            else:
                value = await self._call(frame, by)
            self._send(AnswerFrame(id=number, value=msgspec.Raw(_encode(value))))
        except SheratanError as error:
            self._send(AnswerFrame(id=number, error=error.to_wire()))
        except ConnectionError:
            return
        except Exception as error:
            bug = InternalError(f"{type(error).__name__}: {error}")
            self._send(AnswerFrame(id=number, error=bug.to_wire()))
        with suppress(ConnectionError):
            await self._writer.drain()

    async def _call(self, frame: RequestFrame, by: Principal) -> Any:
        request = _read_params(frame, METHODS[frame.method][0])
        with nullcontext() if frame.timeout_us is None else self._api.waited_for(frame.timeout_us):
            value = await self._api.handle(request, by, self._sessions)
        if isinstance(request, RegisterWorker):
            self._sessions.append(value.session)
        return value

    async def _show(self, frame: RequestFrame) -> None:
        stream = self._api.stream(_read_params(frame, STREAMS[frame.method][0]))
        async with aclosing(stream):
            async for item in stream:
                self._send(AnswerFrame(id=frame.id, value=msgspec.Raw(_encode(item)), done=False))
                await self._writer.drain()

    def _send(self, frame: AnswerFrame) -> None:
        if not self._writer.is_closing():
            self._writer.write(_encode(frame) + b"\n")


def _read_frame(line: bytes) -> RequestFrame:
    try:
        return _decode_frame(line)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"not a request: {error}") from error


def _read_params(frame: RequestFrame, wanted: type[T]) -> T:
    try:
        return msgspec.json.decode(frame.params, type=wanted)
    except msgspec.ValidationError as error:
        raise misfit(error, wanted) from error
    except msgspec.DecodeError as error:
        raise InvalidInput(f"not valid JSON: {error}") from error


def _peer(writer: asyncio.StreamWriter) -> Principal:
    """Who is at the other end, as the kernel says (unix(7), SO_PEERCRED)."""
    raw = writer.get_extra_info("socket").getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
    )
    _, uid, _ = struct.unpack("3i", raw)
    if uid not in (0, os.getuid()):
        raise Unavailable("this socket serves its owner and root only")
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    actor = f"local:{name}"
    return Principal(actor=actor, auth="peer", on_behalf_of=actor)
