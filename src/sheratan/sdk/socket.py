"""The API over the local socket of a running server."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from sheratan.contracts.api import Request, RunJob, SettleJobs, SubmitGated, SubmitJobs
from sheratan.contracts.errors import Disconnected, InvalidInput, SheratanError, Unavailable, error_from_wire
from sheratan.contracts.methods import METHODS, STREAMS
from sheratan.contracts.values import check_json
from sheratan.contracts.wire import CANCEL, SOCKET_NAME, AnswerFrame, CancelParams, RequestFrame

__all__ = ["SocketTransport", "connect"]

_FRAME_BYTES_MAX = 1 << 28
_BUSY_SECONDS = 5.0
_AGAIN_SECONDS = 0.02
_METHOD_OF = {request: (method, answer) for method, (request, answer) in (METHODS | STREAMS).items()}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AnswerFrame).decode
Answers = asyncio.Queue[AnswerFrame | SheratanError]


async def connect(data: Path) -> SocketTransport:
    """Connect to the server of a data directory; Unavailable when none runs."""
    raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    raw.setblocking(False)
    try:
        folder = os.open(data, os.O_PATH | os.O_CLOEXEC)
        try:
            await _reach(raw, f"/proc/self/fd/{folder}/{SOCKET_NAME}")
        finally:
            os.close(folder)
    except BlockingIOError as error:
        raw.close()
        raise Unavailable(
            f"the server on {data} has accepted no connection for {_BUSY_SECONDS:g} s"
        ) from error
    except OSError as error:
        raw.close()
        raise Unavailable(f"no server runs on {data}; start one with `sheratan up --data {data}`") from error
    reader, writer = await asyncio.open_unix_connection(sock=raw, limit=_FRAME_BYTES_MAX)
    return SocketTransport(reader, writer)


async def _reach(raw: socket.socket, path: str) -> None:
    """Connect, and wait while too many others wait to be accepted.

    The kernel says EAGAIN then, which the loop's own `sock_connect` takes for a connection that is being made.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + _BUSY_SECONDS
    while True:
        try:
            raw.connect(path)
        except BlockingIOError:
            if loop.time() >= until:
                raise
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            return


class SocketTransport:
    """Requests and answers over one connection, many at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = count(1)
        self._waiting: dict[int, Answers] = {}
        self._gone: SheratanError | None = None
        self._loop_task = asyncio.create_task(self._read_loop(), name="sheratan-client")

    async def call(self, request: Request, seconds: float | None = None) -> Any:
        """The answer to a request; Unavailable when the server goes away before it."""
        _, answer_type = _METHOD_OF[type(request)]
        number, answers = self._send(request, None if seconds is None else max(1, round(seconds * 1_000_000)))
        try:
            await self._writer.drain()
            frame = await answers.get()
        except ConnectionError as error:
            raise Disconnected("the server hung up") from error
        except asyncio.CancelledError:
            self._abandon(number)
            raise
        finally:
            del self._waiting[number]
        return _value(frame, answer_type)

    async def stream(self, request: Request) -> AsyncIterator[Any]:
        """The items of a stream."""
        _, item_type = _METHOD_OF[type(request)]
        number, answers = self._send(request)
        over = False
        try:
            await self._writer.drain()
            while not over:
                frame = await answers.get()
                over = not isinstance(frame, AnswerFrame) or frame.done
                if isinstance(frame, AnswerFrame) and over and frame.error is None:
                    return
                yield _value(frame, item_type)
        finally:
            if not over:
                self._abandon(number)
            del self._waiting[number]

    async def close(self) -> None:
        """Hang up."""
        self._loop_task.cancel()
        await asyncio.gather(self._loop_task, return_exceptions=True)
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)

    def _send(self, request: Request, timeout_us: int | None = None) -> tuple[int, Answers]:
        if self._gone is not None:
            raise self._gone
        _check_values(request)
        method, _ = _METHOD_OF[type(request)]
        number = next(self._numbers)
        try:
            frame = _encode(RequestFrame(number, method, msgspec.Raw(_encode(request)), timeout_us))
        except UnicodeEncodeError as error:
            raise InvalidInput("text with a lone surrogate cannot be written as UTF-8") from error
        answers: Answers = asyncio.Queue()
        self._waiting[number] = answers
        self._writer.write(frame + b"\n")
        return number, answers

    def _abandon(self, number: int) -> None:
        """Tell the server that nobody waits for this any more."""
        if self._gone is None and not self._writer.is_closing():
            params = msgspec.Raw(_encode(CancelParams(number)))
            self._writer.write(_encode(RequestFrame(next(self._numbers), CANCEL, params)) + b"\n")

    async def _read_loop(self) -> None:
        reason: SheratanError = Disconnected("the server hung up")
        try:
            while line := await self._reader.readline():
                frame = _decode(line)
                if frame.id == -1 and frame.error is not None:
                    reason = error_from_wire(frame.error)
                    return
                waiting = self._waiting.get(frame.id)
                if waiting is not None:
                    waiting.put_nowait(frame)
        except (OSError, ValueError) as error:
            reason = Disconnected(f"the connection broke: {error}")
        finally:
            self._gone = reason
            for waiting in self._waiting.values():
                waiting.put_nowait(reason)


def _value(frame: AnswerFrame | SheratanError, wanted: Any) -> Any:
    if isinstance(frame, SheratanError):
        raise frame
    if frame.error is not None:
        raise error_from_wire(frame.error)
    return msgspec.json.decode(frame.value, type=wanted)


def _check_values(request: Request) -> None:
    """Refuse what JSON cannot carry here, by name: the encoder would turn NaN into null without a word."""
    if isinstance(request, SubmitJobs):
        for submission in request.jobs:
            check_json(submission.input, "input")
    elif isinstance(request, RunJob | SubmitGated):
        check_json(request.job.input, "input")
    elif isinstance(request, SettleJobs):
        for report in request.reports:
            check_json(report.output, "output")
