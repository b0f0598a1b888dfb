"""What is left when a server was killed: nobody who computes for it, and a plain answer for who calls it."""

from __future__ import annotations

import asyncio
import os
import select
import signal
from pathlib import Path

from sheratan import Client, SheratanError
from tests.support import running_server

KINDS = "tests.cli.sample_kinds"


def test_a_handler_in_a_process_ends_with_the_server_that_was_killed(tmp_path: Path) -> None:
    fifo = tmp_path / "pid"
    os.mkfifo(fifo)
    with running_server(tmp_path / "data", [KINDS]) as server:
        server.submit("spin", f'"{fifo}"')
        handler = os.pidfd_open(int(fifo.read_text()))
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        ended = select.poll()
        ended.register(handler, select.POLLIN)
        assert ended.poll(20_000), "it computes on although nobody waits for it"
    os.close(handler)


def test_a_caller_without_a_server_is_told_so(tmp_path: Path) -> None:
    async def connect() -> str:
        try:
            await Client.connect(tmp_path)
        except SheratanError as error:
            return error.code
        return "connected"

    assert asyncio.run(connect()) == "unavailable"
