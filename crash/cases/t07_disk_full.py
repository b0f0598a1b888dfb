"""T07: a server's disk fills under load, stays full for a while, and has room again; the server goes on by itself."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from crash.case import Case, Outcome, Run
from crash.history import History
from crash.judge import judge, read_journal
from crash.server import Server
from crash.storage_disk import SmallDisk, can_mount, small_disk
from crash.storage_limits import SWALLOW_FULL
from sheratan import Client
from sheratan.contracts.errors import SheratanError

__all__ = ["CASE"]

_PAYLOAD = 64 * 1_024
_PER_SECOND = 200
_REFUSED_WITHIN, _SAYS_SO_WITHIN, _RESUMES_WITHIN = 2.0, 2.0, 10.0
_FULL_SECONDS_MAX = 120.0


@dataclass
class _Load:
    """Submissions, so many in a second, and what became of them."""

    client: Client
    history: History
    number: int = 0
    last_id: str = ""
    slowest_refusal: float = 0.0
    codes: Counter[str] = field(default_factory=Counter)
    refused: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[bool]] = field(default_factory=set)

    async def run(self, until: asyncio.Event, seconds_max: float) -> None:
        """Submit until told otherwise."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        first = self.number
        while not until.is_set() and loop.time() - began < seconds_max:
            task = asyncio.create_task(self.submit())
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
            await asyncio.sleep(max(0.0, began + (self.number - first) / _PER_SECOND - loop.time()))
        await asyncio.gather(*self.tasks)

    async def submit(self) -> bool:
        """Submit one job; True when it was acknowledged."""
        self.number += 1
        key = f"job {self.number}"
        given = {"kind": "weigh", "input": f"{self.number} ".ljust(_PAYLOAD, "x")}
        call = self.history.send("load", "submit", given, key=key)
        began = time.monotonic()
        try:
            handle = await self.client.submit("weigh", given["input"], key=key)
        except SheratanError as error:
            self.history.fail(call, error.code)
            self.codes[error.code] += 1
            self.slowest_refusal = max(self.slowest_refusal, time.monotonic() - began)
            self.refused.set()
            return False
        self.history.acknowledge(call, handle.id)
        self.last_id = handle.id
        self.codes["acknowledged"] += 1
        return True


def _run(run: Run, *, broken: bool = False) -> Outcome:
    outcome = Outcome()
    room = run.size(slice=8, full=64) << 20
    with small_disk(run.folder, room, mounted=can_mount()) as disk:
        outcome.figures["disk"] = disk.kind
        data = disk.folder / "data"
        environment = {**disk.environment, **({SWALLOW_FULL: "1"} if broken else {})}
        options = ["--kinds", "crash.storage_kinds", "--drain-seconds", "1"]
        server = Server(data, options, environment, prefix=disk.prefix)
        server.start()
        try:
            server.wait_ready()
            history = History()
            # What is broken on purpose need not be waited for as long as a promise allows.
            patience = 1.0 if broken else _RESUMES_WITHIN
            full_seconds = run.size(slice=1, full=30)
            asyncio.run(_fill(disk, server, _Plan(history, full_seconds, patience), outcome))
            if server.stop() != 0:
                outcome.violations.append(f"the server did not stop cleanly: {server.last_words()[-300:]}")
            outcome.violations += judge(data / "sheratan.db", history)
            outcome.violations += _find_untold(data / "sheratan.db", outcome)
            outcome.violations += server.second_opinion()
        finally:
            server.close()
    return outcome


@dataclass(frozen=True)
class _Plan:
    history: History
    full_seconds: float
    patience: float


async def _fill(disk: SmallDisk, server: Server, plan: _Plan, outcome: Outcome) -> None:
    process = server.number
    async with await Client.connect(server.data) as client:
        load = _Load(client, plan.history)
        await load.run(load.refused, _FULL_SECONDS_MAX)
        if not load.refused.is_set():
            outcome.violations.append("the disk never was full")
            return
        outcome.figures["acknowledged until full"] = load.codes["acknowledged"]
        told, _ = await asyncio.gather(
            _only_reads(client, load), load.run(asyncio.Event(), plan.full_seconds)
        )
        disk.free()
        freed = time.monotonic()
        resumed = await _resumes(load, freed, plan.patience)
        outcome.figures["seconds until it resumed"] = round(resumed, 2)
        await load.run(asyncio.Event(), 0.5)
        if not (await client.status()).ready:
            outcome.violations.append("it takes jobs in again and says that it is not ready")
    refusals = {code: count for code, count in load.codes.items() if code != "acknowledged"}
    outcome.figures |= {
        "refusals": dict(refusals),
        "slowest refusal, seconds": round(load.slowest_refusal, 2),
        "seconds until it said that it only reads": round(told, 2),
    }
    if told > _SAYS_SO_WITHIN:
        outcome.violations.append(f"{told:.1f} s after the first refusal it did not say that it only reads")
    outcome.violations += _find_broken(load, refusals, resumed, plan.patience)
    if server.number != process or not server.is_alive:
        outcome.violations.append("the server's process has ended")


def _find_broken(load: _Load, refusals: dict[str, int], resumed: float, patience: float) -> list[str]:
    found = []
    if set(refusals) - {"unavailable"}:
        found.append(f"not every refusal was `unavailable`: {refusals}")
    if load.slowest_refusal > _REFUSED_WITHIN:
        found.append(f"a refusal took {load.slowest_refusal:.1f} s")
    if resumed > patience:
        found.append(f"{resumed:.1f} s after there was room it still took nothing in")
    return found


async def _only_reads(client: Client, load: _Load) -> float:
    """Seconds until the server says of itself that nothing can be written, while it still answers what only reads."""
    began = time.monotonic()
    while time.monotonic() - began <= _SAYS_SO_WITHIN:
        status = await client.status()
        if status.state == "degraded_critical" and not status.ready:
            await client.job(load.last_id)
            break
        await asyncio.sleep(0.02)
    return time.monotonic() - began


def _find_untold(database: Path, outcome: Outcome) -> list[str]:
    """The journal tells of the fault itself, and of no fewer refusals than the clients have seen."""
    outages = read_journal(database).outages
    seen = sum(outcome.figures.get("refusals", {}).values())
    told = sum(outage.refused for outage in outages)
    longest_us = max((one.until_us - one.since_us for one in outages), default=0)
    outcome.figures["times without a commit in the journal"] = (
        f"{len(outages)}, the longest of {longest_us / 1e6:.1f} s"
    )
    if not outages or told < seen:
        return [f"the journal tells of {told} refusals in {len(outages)} outages, the clients saw {seen}"]
    return []


async def _resumes(load: _Load, since: float, patience: float) -> float:
    """Seconds until a submission is acknowledged again."""
    while time.monotonic() - since <= patience:
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                if await load.submit():
                    break
        await asyncio.sleep(0.05)
    return time.monotonic() - since


CASE = Case(
    id="T07",
    name="disk-full",
    promise=(
        "a full disk under 200 submissions of 64 KB a second: refusals are `unavailable` and take 2 s at most, within"
        " 2 s it says of itself that it only reads, nothing acknowledged is lost or half written, it resumes within"
        " 10 s of having room, without a restart, and the journal tells of the fault and of every refusal"
    ),
    run=_run,
    control=lambda run: _run(run, broken=True),
    control_does="the store reports what did not fit as written",
)
