"""The demo's course of events: serve, submit, kill, serve again, wait, prove."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from sheratan.cli.program import Program
from sheratan.contracts.api import Story
from sheratan.contracts.errors import InternalError
from sheratan.contracts.journal import Entry
from sheratan.engine.replay import Replay, replay
from sheratan.engine.verify import Verification, verify
from sheratan.kernel.chain import decode_entry, split_page
from sheratan.sdk.client import Client
from sheratan.sdk.socket import connect

if TYPE_CHECKING:
    from sheratan.engine.views import Reader

__all__ = ["DemoResult", "ExactlyOnce", "Progress", "run_demo"]

KINDS = "sheratan.kinds.audit.jobs"
PLANNED_FAILURES = 2
_ENDS = ("job.succeeded", "job.failed", "job.cancelled")
_READY = b"ready"


class Progress(NamedTuple):
    """How the demo tells where it is: sentences, and jobs done of all."""

    Count = Callable[[int, int], None]

    say: Callable[[str], None]
    count: Callable[[int, int], None]


class ExactlyOnce(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal says about the file jobs."""

    ok: bool
    files: int
    ended_once: int
    attempts_lost: int


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo found and proved."""

    report: dict[str, Any]
    markdown: str
    json_file: str
    why: Story
    verify: Verification
    replay: Replay
    exactly_once: ExactlyOnce
    jobs: int
    killed_after: int
    seconds: float
    jobs_per_second: float
    data: str


class _Server:
    """The demo's own server, a process like any other."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._process: asyncio.subprocess.Process | None = None
        self._talk: asyncio.Task[None] | None = None

    async def start(self) -> Client:
        """Start it and connect to it once it is ready."""
        command = (sys.executable, "-m", "sheratan", "up", "--data", str(self._data), "--kinds", KINDS)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SHERATAN_")}
        self._process = await asyncio.create_subprocess_exec(
            *command, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, env=environment
        )
        assert self._process.stderr is not None
        said = b""
        while line := await self._process.stderr.readline():
            said += line
            if line.strip() == _READY:
                self._talk = asyncio.create_task(self._listen(self._process.stderr))
                return Client(await connect(self._data))
        raise InternalError(f"the demo's server did not start: {said.decode(errors='replace')}")

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        """Keep the pipe empty, so that the server never waits for us."""
        while await stderr.read(65_536):
            pass

    async def end(self, how: signal.Signals) -> None:
        """Send a signal and wait until the process is gone."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            await self._process.wait()
        if self._talk is not None:
            await self._talk


async def run_demo(program: Program, data: Path, root: Path, progress: Progress) -> DemoResult:
    """Audit `root` on a server that is killed once on the way, then check the journal it leaves."""
    server = _Server(data)
    progress.say(f"starting a server on {data}")
    client = await server.start()
    try:
        began = time.monotonic()
        killed_after, jobs, output = await _until_killed(server, client, data, root, progress)
        progress.say(f"killed the server with SIGKILL after {killed_after} of {jobs} jobs; starting it again")
        client = await server.start()
        report = await _until_reported(client, output["report"], jobs, progress)
        seconds = time.monotonic() - began
        why = await client.why(output["drill"] or output["report"])
        await client.close()
    finally:
        await server.end(signal.SIGTERM)
    progress.say("stopped the server; checking its journal")
    reader = program.open_reader(data)
    try:
        result = DemoResult(
            report=report["report"],
            markdown=report["markdown"],
            json_file=report["json_file"],
            why=why,
            verify=verify(reader),
            replay=replay(reader),
            exactly_once=count_ends(reader),
            jobs=jobs,
            killed_after=killed_after,
            seconds=seconds,
            jobs_per_second=jobs / seconds,
            data=str(data),
        )
    finally:
        reader.close()
    return result


async def _until_killed(
    server: _Server, client: Client, data: Path, root: Path, progress: Progress
) -> tuple[int, int, dict[str, Any]]:
    """Submit the audit and kill the server once a third of its jobs have ended."""
    given = {"root": str(root), "output": str(data / "report"), "planned_failures": PLANNED_FAILURES}
    ended, enough = 0, asyncio.Event()
    wanted = 0

    async def follow() -> None:
        nonlocal ended
        async for entry in client.watch():
            ended += entry.type in _ENDS
            if wanted:
                progress.count(ended, total)
                if ended >= wanted:
                    enough.set()
                    return

    follower = asyncio.create_task(follow())
    handle = await client.submit("audit.repository", given, key="demo")
    output: dict[str, Any] = await handle.result()
    total = output["files"] + output["groups"] + 2
    wanted = max(1, total // 3)
    if ended >= wanted:
        enough.set()
    await enough.wait()
    await server.end(signal.SIGKILL)
    follower.cancel()
    await asyncio.gather(follower, return_exceptions=True)
    await client.close()
    return ended, total, output


async def _until_reported(client: Client, report_id: str, total: int, progress: Progress) -> dict[str, Any]:
    async def follow() -> None:
        stream = client.watch()
        ended = (await client.status()).counts["result"]
        async for entry in stream:
            ended += entry.type in _ENDS
            progress.count(min(ended, total), total)

    follower = asyncio.create_task(follow())
    record = await client.wait(report_id)
    follower.cancel()
    await asyncio.gather(follower, return_exceptions=True)
    if record.state != "succeeded":
        raise InternalError(f"the report {report_id} is {record.state}: {record.error}")
    output: dict[str, Any] = record.output
    return output


def count_ends(reader: Reader) -> ExactlyOnce:
    """Count, from the journal alone, how often each file job ended and how many attempts were lost."""
    ends: dict[str, int] = {}
    lost = 0
    for entry in _entries(reader):
        if entry.type == "job.submitted" and entry.data["kind"] == "audit.file":
            ends[entry.subject] = 0
        elif entry.subject in ends:
            ends[entry.subject] += entry.type in _ENDS
            lost += entry.type == "job.requeued"
    once = sum(count == 1 for count in ends.values())
    return ExactlyOnce(ok=once == len(ends), files=len(ends), ended_once=once, attempts_lost=lost)


def _entries(reader: Reader) -> list[Entry]:
    return [decode_entry(line) for _, _, body in reader.pages() for line in split_page(body)]
