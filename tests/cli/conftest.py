"""A server that several tests of a module share, and a data directory that one has left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support import Server, running_server

KINDS = "tests.cli.sample_kinds"


class Stopped(NamedTuple):
    """A data directory without a server, and what is in it."""

    data: Path
    succeeded: str
    failed: str
    queued: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server") / "data", [KINDS]) as running:
        yield running


@pytest.fixture(scope="session")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    data = tmp_path_factory.mktemp("stopped") / "data"
    with running_server(data, [KINDS]) as running:
        done = running.cli("job", "submit", "add", "--input", '{"left":1,"right":2}', "--wait", "-o", "json")
        assert done.returncode == 0, done.stderr
        failed = running.submit("fail", "null")
        assert running.cli("job", "watch", failed).returncode == 0
        assert running.cli("queue", "pause", "slow", "--reason", "a rest").returncode == 0
        queued = running.submit("until_cancelled", "null")
        assert running.stop() == 0, running.said
    return Stopped(data, json.loads(done.stdout)["id"], failed, queued)
