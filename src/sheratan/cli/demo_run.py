"""The demo's course of events: serve, schedule, run, kill, serve again, approve, wait, prove."""

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
from sheratan.contracts.api import Story, WatchedEntry
from sheratan.contracts.approvals import ApprovalRecord, ListApprovals
from sheratan.contracts.errors import InternalError, InvalidInput, TimedOut
from sheratan.contracts.journal import Entry
from sheratan.contracts.runs import NodeRecord, RunRecord
from sheratan.contracts.workflows import Workflow
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
SCHEDULE = "audit-nightly"
NIGHTLY = "30 2 * * *"
VALUE_BYTES_MAX = 64 << 20
"""What the demo's server lets one value have: the reports on all files of a large repository."""

_LOOK_SECONDS = 0.2
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


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """What a person was asked, the command that answers it, and who did."""

    id: str
    question: str
    digest: str
    command: str
    by: str


class Nightly(msgspec.Struct, frozen=True, kw_only=True):
    """The schedule that the demo leaves, and when it fires next."""

    name: str
    workflow: str
    next: str


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo found and proved."""

    run: str
    """The id of the workflow's run."""
    report: dict[str, Any]
    markdown: str
    json_file: str
    approval: Approval
    schedule: Nightly
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
        for limit in ("PAYLOAD_BYTES_MAX", "RESULT_BYTES_MAX", "WORKFLOW_OUTPUT_BYTES_MAX"):
            environment[f"SHERATAN_LIMITS__{limit}"] = str(VALUE_BYTES_MAX)
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
    given = {"root": str(root), "output": str(data / "report"), "planned_failures": PLANNED_FAILURES}
    try:
        schedule = await _schedule(client, program.audit_workflow(), given)
        began = time.monotonic()
        run, killed_after, jobs = await _until_killed(client, program.audit_workflow(), given, progress)
        await server.end(signal.SIGKILL)
        await client.close()
        progress.say(f"killed the server with SIGKILL after {killed_after} of {jobs} jobs; starting it again")
        client = await server.start()
        output, approval = await _until_published(client, run, data, jobs, progress)
        seconds = time.monotonic() - began
        why = await client.why(_node(await client.workflow_run(run), "file").jobs[0])
        await client.close()
    finally:
        await server.end(signal.SIGTERM)
    progress.say("stopped the server; checking its journal")
    reader = program.open_reader(data)
    try:
        result = DemoResult(
            run=run,
            report=msgspec.json.decode(await asyncio.to_thread(Path(output["json_file"]).read_bytes)),
            markdown=output["markdown"],
            json_file=output["json_file"],
            approval=approval,
            schedule=schedule,
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


async def _schedule(client: Client, workflow: Workflow, given: dict[str, Any]) -> Nightly:
    """Have the same audit each night."""
    await client.create_schedule(SCHEDULE, workflow, given, cron=NIGHTLY)
    [firing] = await client.next_firings(SCHEDULE, 1)
    return Nightly(name=SCHEDULE, workflow=workflow.name, next=firing.local)


async def _until_killed(
    client: Client, workflow: Workflow, given: dict[str, Any], progress: Progress
) -> tuple[str, int, int]:
    """Start the audit, and return its run and how far it is once a third of its jobs have ended."""
    told: asyncio.Queue[WatchedEntry] = asyncio.Queue()

    async def follow() -> None:
        async for entry in client.watch():
            told.put_nowait(entry)

    follower = asyncio.create_task(follow())
    ended = total = 0
    try:
        run = (await client.run_workflow(workflow, given)).id
        while not total or ended < max(1, total // 3):
            entry = await told.get()
            ended += entry.type in _ENDS
            if entry.type == "workflow.ended":
                raise await _failed(client, run)
            if not total and entry.type == "workflow.advanced":
                total = _jobs_of(await client.workflow_run(run), given["root"])
            if total:
                progress.count(ended, total)
    finally:
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)
    return run, ended, total


def _jobs_of(record: RunRecord, root: str) -> int:
    """How many jobs an audit has in all, one for each file and each other node; 0 until the files are known."""
    files = _node(record, "file").items
    if files == 0:
        raise InvalidInput(f"there is no file to audit below {root}; name another folder", field="--repo")
    return len(record.nodes) - 1 + files if files else 0


async def _until_published(
    client: Client, run: str, data: Path, total: int, progress: Progress
) -> tuple[dict[str, Any], Approval]:
    """Follow the audit to its end; give the approval that it waits for, as a person at a terminal would."""

    async def follow() -> None:
        stream = client.watch()
        ended = (await client.status()).counts["result"]
        async for entry in stream:
            ended += entry.type in _ENDS
            progress.count(min(ended, total), total)

    follower = asyncio.create_task(follow())
    try:
        request = await _until_asked(client, run)
        command = f"sheratan approval approve {request.id} --digest {request.digest} --data {data}"
        progress.say(f"{request.question} ({request.id} waits; the demo gives it as you would)")
        progress.say(f"$ {command}")
        await client.approve(request.id, request.digest, "given by the demo")
        record = await client.wait_for_run(run)
    finally:
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)
    if record.state != "succeeded":
        raise await _failed(client, run)
    output: dict[str, Any] = record.output
    approval = Approval(
        id=request.id, question=request.question, digest=request.digest, command=command, by=output["by"]
    )
    return output, approval


async def _until_asked(client: Client, run: str) -> ApprovalRecord:
    """The request for approval, once there is one."""
    while True:
        open_ones = (await client.approvals(ListApprovals(state="open"))).items
        if open_ones:
            return open_ones[0]
        try:
            await client.wait_for_run(run, timeout_seconds=_LOOK_SECONDS)
        except TimedOut:
            continue
        raise await _failed(client, run)


async def _failed(client: Client, run: str) -> InternalError:
    record = await client.workflow_run(run)
    return InternalError(f"the audit {run} is {record.state}: {record.reason}")


def _node(record: RunRecord, name: str) -> NodeRecord:
    return next(node for node in record.nodes if node.name == name)


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
