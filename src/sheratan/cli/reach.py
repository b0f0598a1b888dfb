"""Ways to an answer: the socket of a running server or, for reading, a stopped data directory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec

from sheratan.cli.session import Session
from sheratan.contracts.api import Request, Transport
from sheratan.contracts.errors import InvalidInput, TimedOut, Unavailable
from sheratan.contracts.values import convert
from sheratan.sdk.socket import connect

__all__ = ["ask", "checked", "reach", "request"]

T = TypeVar("T")
R = TypeVar("R", bound=Request)


def ask(
    session: Session,
    work: Callable[[Transport], Awaitable[T]],
    *,
    offline: bool = False,
    seconds_max: float | None = None,
) -> T:
    """Run `work` with a transport; with `offline`, one that only reads will do when no server runs."""

    async def run() -> T:
        async with asyncio.timeout(seconds_max), reach(session, offline=offline) as transport:
            return await work(transport)

    try:
        return asyncio.run(run())
    except TimeoutError as error:
        raise TimedOut(
            f"the server on {session.data} did not answer within {seconds_max:g} seconds"
        ) from error


@asynccontextmanager
async def reach(session: Session, *, offline: bool = False) -> AsyncGenerator[Transport]:
    """The way to the server, or to the data it left."""
    transport = await _connect(session, offline=offline)
    try:
        yield transport
    finally:
        await transport.close()


async def _connect(session: Session, *, offline: bool) -> Transport:
    data = session.data
    try:
        return await connect(data)
    except Unavailable:
        holder = session.program.read_holder(data)
        if holder is not None:
            who = f"process {holder.pid} ({holder.program})"
            text = f"{who} owns {data} but does not answer: it is starting or stopping"
            raise Unavailable(text) from None
        if not offline:
            raise
    from sheratan.cli.offline import OfflineTransport  # noqa: PLC0415 - with it comes the engine, which takes longer

    reader = session.program.open_reader(data)
    return OfflineTransport(reader, session.settings, session.program.version())


def request(wanted: type[R], **given: Any) -> R:
    """A request, checked here: what was not given takes its default, what is not valid is refused by name."""
    return checked({name: value for name, value in given.items() if value is not None}, wanted)


def checked(given: dict[str, Any], wanted: type[T]) -> T:
    """A value of a type of the contracts, or InvalidInput naming the field."""
    try:
        found = convert(given, wanted)
        msgspec.json.encode(found)
    except UnicodeEncodeError as error:
        raise InvalidInput("an argument is not valid UTF-8 text") from error
    return found
