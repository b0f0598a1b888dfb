"""What all scripts share: `python -m bench.peers.scripts.NAME COMMAND [COUNT]`, one line of JSON as the answer.

prepare   make what has to be there before the first job
submit N  submit one job, then N one after the other, and say how long those took
bulk N    submit one job, then N in bulk, and say how long those took
end N     say `ready`, wait until N jobs have started and nothing is unfinished, and say when that was
latency N N times: pause at random, submit one job, wait until it has started; say how long each took
work      run jobs until SIGTERM

The folder, the server's URL and the way to run come in the environment. A handler takes down when it ran: 8 bytes of
the machine's monotonic clock in a file that is opened for appending, so start and end are known whichever process
runs it. That costs a few microseconds, and every side pays it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import struct
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import cache
from pathlib import Path
from typing import Any

__all__ = [
    "PAYLOAD",
    "RAN",
    "STAMP_BYTES",
    "STEPS",
    "AsyncScript",
    "Script",
    "act",
    "act_now",
    "folder",
    "main",
    "mode",
    "stamp",
    "stamps",
    "task",
    "url",
]

PAYLOAD = "x" * 98
"""100 bytes as JSON."""

STEPS = 10

RAN = "ran"
STAMP_BYTES = struct.calcsize("d")
BULK_JOBS = 1_000

PAUSE_SECONDS = (0.01, 0.06)
"""Before a job is submitted to an idle system: at random, so that no polling loop is always met at the same point."""

POLL_SECONDS = 0.001
END_POLL_SECONDS = 0.005


def folder() -> Path:
    """Where this run keeps its files."""
    return Path(os.environ["PEER_FOLDER"])


def url() -> str:
    """The server's URL, if there is one."""
    return os.environ.get("PEER_URL", "")


def mode() -> str:
    """Which of several ways the peer is run."""
    return os.environ.get("PEER_MODE", "")


def task() -> str:
    """What handlers do: `noop`, nothing, or `steps`, ten durable ones after one another."""
    return os.environ["PEER_TASK"]


async def act(number: int) -> str:
    """A step. The first one takes down that the handler runs: it runs once, however often the handler is entered."""
    return act_now(number)


def act_now(number: int) -> str:
    """The same where steps are plain functions."""
    if number == 0:
        stamp()
    return "done"


def stamp() -> None:
    """Take down that a handler runs."""
    os.write(_handle(), struct.pack("d", time.monotonic()))


@cache
def _handle() -> int:
    return os.open(folder() / RAN, os.O_CREAT | os.O_WRONLY | os.O_APPEND)


def stamps(place: Path) -> list[float]:
    """When handlers ran, in order of their writing."""
    path = place / RAN
    data = path.read_bytes() if path.exists() else b""
    return [instant for (instant,) in struct.iter_unpack("d", data[: len(data) // STAMP_BYTES * STAMP_BYTES])]


class Script:
    """What a peer's script can do. `submit` is called again and again: it keeps what it has opened."""

    def prepare(self) -> None:
        """Make what has to be there before the first job."""

    def submit(self, count: int) -> None:
        """Submit jobs one after the other, each durable before the next."""
        raise NotImplementedError

    def bulk(self, count: int) -> None:
        """Submit jobs in as few calls as the peer wants."""
        raise NotImplementedError

    def left(self) -> int:
        """How many jobs are unfinished."""
        raise NotImplementedError

    def work(self) -> None:
        """Run jobs until the process is ended."""
        raise NotImplementedError

    def submit_one(self) -> float:
        """Submit one job; returns when that was begun."""
        began = time.monotonic()
        self.submit(1)
        return began

    def pause(self, seconds: float) -> None:
        """Do nothing for a while."""
        time.sleep(seconds)

    def close(self) -> None:
        """Give back what is open."""


class AsyncScript(Script):
    """The same for a peer that is used from an event loop. One loop lives as long as the script."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    async def submit_async(self, count: int) -> None:
        """`submit` on the loop."""
        raise NotImplementedError

    async def bulk_async(self, count: int) -> None:
        """`bulk` on the loop."""
        raise NotImplementedError

    async def left_async(self) -> int:
        """`left` on the loop."""
        raise NotImplementedError

    async def close_async(self) -> None:
        """`close` on the loop."""

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run something on the script's loop."""
        return self._runner.run(coroutine)

    def submit(self, count: int) -> None:
        self.run(self.submit_async(count))

    def bulk(self, count: int) -> None:
        self.run(self.bulk_async(count))

    def left(self) -> int:
        found: int = self.run(self.left_async())
        return found

    def submit_one(self) -> float:
        began: float = self.run(self._submit_one())
        return began

    async def _submit_one(self) -> float:
        began = time.monotonic()
        await self.submit_async(1)
        return began

    def pause(self, seconds: float) -> None:
        # On the loop: what lives on it (a connection, our whole engine) goes on meanwhile.
        self.run(asyncio.sleep(seconds))

    def close(self) -> None:
        self.run(self.close_async())
        self._runner.close()


def main(script: Script, arguments: Sequence[str]) -> None:
    """Do what the command says, and answer with a line of JSON."""
    command, count = arguments[0], int(arguments[1]) if len(arguments) > 1 else 0
    if command == "work":
        script.work()
        return
    try:
        answer = _COMMANDS[command](script, count)
    finally:
        script.close()
    print(json.dumps(answer), flush=True)


def _prepare(script: Script, _: int) -> Any:
    script.prepare()


def _submit(script: Script, count: int) -> Any:
    return _timed(script, script.submit, count)


def _bulk(script: Script, count: int) -> Any:
    return _timed(script, script.bulk, count)


def _timed(script: Script, way: Callable[[int], None], count: int) -> Any:
    script.submit(1)  # so that no connection is opened while the clock runs
    began = time.perf_counter()
    way(count)
    return {"seconds": time.perf_counter() - began, "jobs": count + 1}


def _end(script: Script, count: int) -> Any:
    script.left()
    print("ready", flush=True)
    until = _deadline()
    while _started() < count:
        _expect_time(until, f"{_started()} of {count} jobs started")
        time.sleep(END_POLL_SECONDS)
    while (left := script.left()) > 0:
        _expect_time(until, f"{left} jobs stayed unfinished")
        time.sleep(END_POLL_SECONDS)
    return {"at": time.monotonic()}


def _latency(script: Script, count: int) -> Any:
    pauses = random.Random(1)
    script.left()
    return {"seconds": [_one_start(script, pauses.uniform(*PAUSE_SECONDS)) for _ in range(count)]}


def _one_start(script: Script, pause: float) -> float:
    script.pause(pause)
    before = _started()
    began = script.submit_one()
    until = _deadline()
    while _started() == before:
        _expect_time(until, "a job did not start")
        script.pause(POLL_SECONDS)
    return stamps(folder())[-1] - began


def _started() -> int:
    path = folder() / RAN
    return path.stat().st_size // STAMP_BYTES if path.exists() else 0


def _deadline() -> float:
    return time.monotonic() + float(os.environ["PEER_SECONDS"])


def _expect_time(until: float, what: str) -> None:
    if time.monotonic() > until:
        sys.exit(f"after {os.environ['PEER_SECONDS']} s: {what}")


_COMMANDS: dict[str, Callable[[Script, int], Any]] = {
    "prepare": _prepare,
    "submit": _submit,
    "bulk": _bulk,
    "end": _end,
    "latency": _latency,
}
