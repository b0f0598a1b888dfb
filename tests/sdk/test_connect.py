"""Connecting to a server that cannot accept everybody at once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sheratan.contracts.errors import Unavailable
from sheratan.contracts.wire import SOCKET_NAME
from sheratan.sdk import socket as transport


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[socket.socket]:
    """A server that has not accepted anybody yet, and has no more room for those who wait for it."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(tmp_path / SOCKET_NAME))
    listening.listen(0)
    first = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    first.connect(str(tmp_path / SOCKET_NAME))
    yield listening
    first.close()
    listening.close()


def test_who_comes_to_a_crowded_server_waits_until_it_is_accepted(
    tmp_path: Path, crowded: socket.socket
) -> None:
    async def scenario() -> int:
        calls = [asyncio.create_task(transport.connect(tmp_path)) for _ in range(3)]
        await asyncio.sleep(0)
        assert not any(call.done() for call in calls)
        crowded.listen(10)
        connected = await asyncio.gather(*calls)
        for one in connected:
            await one.close()
        return len(connected)

    assert asyncio.run(scenario()) == 3


def test_a_server_that_accepts_nobody_is_unavailable(
    tmp_path: Path, crowded: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_BUSY_SECONDS", 0.05)
    with pytest.raises(Unavailable, match="has accepted no connection"):
        asyncio.run(transport.connect(tmp_path))
