"""Connections are file descriptors: so many as there is room for are served, whatever the limits would allow."""

from __future__ import annotations

import os
import resource
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from sheratan.contracts import api
from sheratan.contracts.errors import LimitReached
from sheratan.contracts.limits import Limits
from sheratan.gateway.socket import _DESCRIPTORS_SPARE, _room
from tests.gateway.served import Connections, served


def descriptors(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """From now on the system says that a process may have so many open files."""

    def limit(resource_number: int) -> tuple[int, int]:
        assert resource_number == resource.RLIMIT_NOFILE
        return most, resource.RLIM_INFINITY

    monkeypatch.setattr(resource, "getrlimit", limit)


@pytest.mark.parametrize(
    ("most", "wanted", "room"),
    [
        (1_024, 10_000, (492, 492)),
        (1_024, 492, (492, 492)),
        (1_024, 300, (300, 300)),
        (1_024, 600, (492, 492)),
        (20_000, 10_000, (9_980, 9_980)),
        (100_000, 10_000, (10_000, 10_000)),
        (resource.RLIM_INFINITY, 10_000, (10_000, 10_000)),
        (45, 10_000, (2, 3)),
        (42, 10_000, (1, 1)),
        (10, 10_000, (1, 1)),
    ],
)
def test_half_of_the_descriptors_are_for_callers_and_half_for_those_who_are_refused(
    monkeypatch: pytest.MonkeyPatch, most: int, wanted: int, room: tuple[int, int]
) -> None:
    descriptors(monkeypatch, most)
    assert _room(wanted) == room


@pytest.mark.parametrize("wanted", [1, 2, 100, 10_000])
def test_the_database_always_finds_a_descriptor(monkeypatch: pytest.MonkeyPatch, wanted: int) -> None:
    for most in range(_DESCRIPTORS_SPARE + 2, 3_000):
        descriptors(monkeypatch, most)
        connected, accepted = _room(wanted)
        assert 1 <= connected <= wanted
        assert accepted >= 1
        assert connected + accepted + _DESCRIPTORS_SPARE <= most


def test_a_caller_too_many_for_the_descriptors_is_refused_and_the_others_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(connections: Connections) -> None:
        callers = [await connections.transport() for _ in range(2)]
        for caller in callers:
            await caller.call(api.ListQueues())
        with pytest.raises(LimitReached, match="ulimit -n"):
            await (await connections.client()).queues()
        for caller in callers:
            await caller.call(api.ListQueues())

    descriptors(monkeypatch, _DESCRIPTORS_SPARE + 4)
    served(tmp_path, scenario, limits=Limits(connections_max=1_000))


def test_no_more_callers_queue_up_at_once_than_there_are_descriptors_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(connections: Connections) -> None:
        folder = os.open(connections.data, os.O_PATH)
        with ExitStack() as opened:
            opened.callback(os.close, folder)
            # The loop is held up meanwhile and accepts nobody; then it would accept as many as wait.
            waiting = 0
            while waiting < 50:
                caller = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                caller.setblocking(False)
                if caller.connect_ex(f"/proc/self/fd/{folder}/sheratan.sock"):
                    break
                waiting += 1
            assert waiting <= 3, "the system lets one more wait than it was told"

    descriptors(monkeypatch, _DESCRIPTORS_SPARE + 4)
    served(tmp_path, scenario, limits=Limits(connections_max=1_000))
