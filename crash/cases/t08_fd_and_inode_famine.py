"""T08: a server with 64 file descriptors and 500 callers; and a folder in which no file can be made any more."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from crash.case import Case, Outcome, Run
from crash.server import Server
from crash.storage_disk import can_mount, small_disk
from sheratan import Client
from sheratan.contracts.errors import SheratanError

__all__ = ["CASE"]

_OPTIONS = ("--kinds", "crash.storage_kinds", "--drain-seconds", "1")
_DESCRIPTORS = 64
_CLEAN = {"unavailable", "limit_reached"}
_ANSWER_SECONDS_MAX, _RECOVERS_WITHIN = 4.0, 10.0
_GROWTH_MAX = 32 << 20
_INODES = 16


def _run(run: Run, *, descriptors: int = _DESCRIPTORS) -> Outcome:
    outcome = Outcome()
    few = ("bash", "-c", f'ulimit -n {descriptors}; exec "$@"', "--")
    server = Server(run.folder / "few-descriptors", _OPTIONS, prefix=few)
    server.start()
    try:
        server.wait_ready()
        asyncio.run(_crowd(server, run.size(slice=150, full=500), outcome))
        if server.stop() != 0:
            outcome.violations.append(f"the server did not stop cleanly: {server.last_words()[-300:]}")
        outcome.violations += server.second_opinion()
    finally:
        server.close()
    if can_mount():
        _starve_of_inodes(run, outcome)
    else:
        outcome.figures["inodes"] = "not run: only root mounts a tmpfs"
    return outcome


async def _crowd(server: Server, count: int, outcome: Outcome) -> None:
    """Everybody connects, submits one job and stays; then all go, and one comes again."""
    before = _resident(server.number)
    leave = asyncio.Event()
    codes: Counter[str] = Counter()
    calls = [_Call(number) for number in range(count)]
    callers = [asyncio.create_task(call.run(server.data, leave, codes)) for call in calls]
    # Each of them comes to an end, or stays on: none waits for an answer any longer.
    await asyncio.gather(*(call.answered.wait() for call in calls))
    held = _resident(server.number)
    leave.set()
    await asyncio.gather(*callers)
    recovered = await _recovers(server.data)
    outcome.figures |= {
        "callers": count,
        "answers": dict(codes),
        "grown, MB": round((held - before) / (1 << 20), 1),
        "seconds until it recovered": round(recovered, 2),
    }
    unclean = {code: number for code, number in codes.items() if code not in _CLEAN | {"acknowledged"}}
    if unclean:
        outcome.violations.append(f"not every refusal was a clean one: {unclean}")
    if held - before > _GROWTH_MAX:
        outcome.violations.append(f"the server has grown by {held - before} bytes")
    if recovered > _RECOVERS_WITHIN:
        outcome.violations.append("it does not recover once the callers have gone")


@dataclass
class _Call:
    """One caller, who stays connected after an answer until all leave."""

    number: int
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, data: Path, leave: asyncio.Event, codes: Counter[str]) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS_MAX) as patience, await Client.connect(data) as client:
                await client.submit("weigh", "x", key=f"caller {self.number}")
                codes["acknowledged"] += 1
                patience.reschedule(None)
                self.answered.set()
                await leave.wait()
        except SheratanError as error:
            codes[error.code] += 1
        except TimeoutError:
            codes["no answer"] += 1
        finally:
            self.answered.set()


async def _recovers(data: Path) -> float:
    """Seconds until a job is submitted and done again."""
    began = time.monotonic()
    while time.monotonic() - began <= _RECOVERS_WITHIN:
        try:
            async with asyncio.timeout(2), await Client.connect(data) as client:
                if await client.run("weigh", "four") == 4:
                    break
        except (SheratanError, TimeoutError):
            await asyncio.sleep(0.1)
    return time.monotonic() - began


def _starve_of_inodes(run: Run, outcome: Outcome) -> None:
    """Where no file can be made a server does not start; one that runs already goes on."""
    with small_disk(run.folder, 8 << 20, inodes=_INODES, mounted=True) as disk:
        # The server's own log lies beside its data, where there is room.
        data = run.folder / "starved"
        data.symlink_to(disk.folder)
        server = Server(data, _OPTIONS)
        try:
            files = _use_up_inodes(disk.folder)
            server.start()
            code = server.lives[-1].code if server.wait(20) else None
            outcome.figures["exit code without inodes"] = code
            if not code:
                outcome.violations.append("it started, or did not end, without an inode for its files")
            for file in files:
                file.unlink()
            server.start()
            server.wait_ready()
            _use_up_inodes(disk.folder)
            outcome.violations += asyncio.run(_still_works(data))
        finally:
            server.close()


def _use_up_inodes(folder: Path) -> list[Path]:
    """Make files until there can be no more of them."""
    made: list[Path] = []
    for number in range(_INODES + 1):
        file = folder / f"filler-{number}"
        try:
            file.touch()
        except OSError:
            return made
        made.append(file)
    raise AssertionError("this disk has more inodes than it was given")


async def _still_works(data: Path) -> list[str]:
    """A server that runs needs no new file to do its work."""
    try:
        async with asyncio.timeout(20), await Client.connect(data) as client:
            done = await client.run("weigh", "four")
    except (SheratanError, TimeoutError) as error:
        return [f"a server that ran when the inodes went: {type(error).__name__}: {error}"]
    return [] if done == 4 else [f"a server that ran when the inodes went weighs {done}"]


def _resident(process: int) -> int:
    """The memory of a process."""
    pages = int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _control(run: Run) -> Outcome:
    """So few descriptors that not even the database's files fit beside the loop's own."""
    try:
        return _run(run, descriptors=14)
    except AssertionError as error:
        return Outcome({}, [f"it does not serve at all: {str(error)[:300]}"])


def _needs() -> str | None:
    if shutil.which("bash") is None:
        return "bash limits the descriptors of the server, and there is none"
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return (
        None
        if hard > 700 or hard == resource.RLIM_INFINITY
        else f"500 callers need more than {hard} descriptors"
    )


CASE = Case(
    id="T08",
    name="fd-and-inode-famine",
    promise=(
        "64 descriptors and 500 callers: every one is served or cleanly refused, memory stays within 32 MB of what it"
        " was, and 10 s after they went it serves again; without inodes it does not start, or goes on"
    ),
    run=_run,
    control=_control,
    control_does="14 descriptors: the server cannot even open what it needs",
    needs=_needs,
)
