"""T41: one job in fifty crashes, never ends, or returns what nobody can read; the others do not notice.

The run that it is compared with has healthy jobs in the place of the poison that compute as long: what a shared
processor costs is no poison's doing. What the others would need on an idle processor is a figure of its own.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crash.case import Case, Outcome, Run
from crash.clients import Running
from crash.effects import EFFECTS_VARIABLE
from crash.figures import p99
from crash.history import History
from crash.judge import judge
from crash.nursery import Child, Nursery
from crash.server import Server

__all__ = ["CASE"]

ONE_IN = 50
PER_SECOND = 100.0
PAUSE_MS = 20
"""What a harmless job does: it waits so long for something outside, as most jobs do."""
CRUNCH_MS = 500
"""About as much as a poisonous job costs: its attempts, and new processes in the place of those that it took."""
SLOWDOWN_MAX = 1.2
POISON = {
    "crash_hard": 0,
    "spin": 0,
    "babble": 100_000_000,
    "return_much": 2 << 20,
    "return_garbage": 5,
}
"""The harmful kinds and what each is given: how many bytes to print, or to return, which is twice what it may."""
FINISH_SECONDS_MAX = 60.0


@dataclass(frozen=True)
class _Options:
    folder: Path
    count: int
    """Of harmless jobs."""
    poison: list[list[Any]]
    """Or what stands in its place."""
    finish_seconds: float = FINISH_SECONDS_MAX


def run(run: Run) -> Outcome:
    """The same load with healthy work, and with poison in its place."""
    count = run.size(slice=200, full=6_000)
    # A slice is short, and has at least one of each.
    poison = _poison(run, max(len(POISON), count // ONE_IN))
    work = [["crunch", CRUNCH_MS, f"crunch {number}"] for number in range(len(poison))]
    outcome = Outcome()
    healthy = _load(_Options(run.folder / "healthy", count, work), outcome)
    poisoned = _load(_Options(run.folder / "poisoned", count, poison), outcome)
    ratio = round(poisoned / healthy, 2) if healthy else 0.0
    outcome.figures |= {"p99 with healthy work s": healthy, "p99 with poison s": poisoned, "ratio": ratio}
    # A slice has too few jobs for a 99th percentile, and runs beside other tests.
    if run.scale == "full":
        outcome.figures["p99 with neither s"] = _load(_Options(run.folder / "alone", count, []), outcome)
        if ratio > SLOWDOWN_MAX:
            outcome.violations.append(f"p99 of the harmless jobs grew {ratio} times")
    return outcome


def control(run: Run) -> Outcome:
    """A job that crashes in a thread of the server."""
    outcome = Outcome()
    _load(_Options(run.folder / "inside", 50, [["crash_inside", 0, "crash_inside 0"]], 2.0), outcome)
    outcome.violations = [text for text in outcome.violations if "the server ended" in text]
    return outcome


def _poison(run: Run, count: int) -> list[list[Any]]:
    """Every kind of poison in turn. The first that prints has the full size; printing more proves nothing more."""
    sizes = {**POISON, "babble": run.size(slice=100, full=10_000) * 1_000_000}
    jobs: list[list[Any]] = []
    for number in range(count):
        kind = list(POISON)[number % len(POISON)]
        jobs.append([kind, sizes[kind], f"{kind} {number}"])
        sizes[kind] = POISON[kind]
    return jobs


def _load(given: _Options, outcome: Outcome) -> float:
    """Run harmless jobs, and poison beside them; return the 99th percentile of the harmless ones in seconds."""
    given.folder.mkdir()
    environment = {EFFECTS_VARIABLE: str(given.folder / "effects")}
    jobs = [["add", {"left": n, "right": 1, "pause_ms": PAUSE_MS}, f"add {n}"] for n in range(given.count)]
    harmless: Running = {"name": "harmless", "callers": 16, "per_second": PER_SECOND, "jobs": jobs}
    harmful: Running = {
        "name": "harmful",
        "callers": 4,
        "per_second": PER_SECOND / ONE_IN,
        "jobs": given.poison,
    }
    logs = [given.folder / "harmless", given.folder / "harmful"]
    server = Server(given.folder / "data", ("--kinds", "crash.kinds", "--kinds", "crash.poison"), environment)
    with Nursery("crash.clients") as nursery:
        server.start()
        try:
            server.wait_ready()
            arguments = zip(logs, (harmless, harmful), strict=True)
            function, data = "crash.clients:run_list", str(server.data)
            clients = [nursery.start(function, data, str(log), plan) for log, plan in arguments]
            seconds = given.count / PER_SECOND + given.finish_seconds
            _wait(server, clients, seconds, outcome)
            server.stop()
        finally:
            server.close()
    return _judge(given, server, History.read(*logs), outcome)


def _wait(server: Server, clients: list[Child], seconds: float, outcome: Outcome) -> None:
    deadline = time.monotonic() + seconds
    while server.is_alive and time.monotonic() < deadline:
        if all(not client.is_alive for client in clients):
            return
        server.wait(0.02)
    if not server.is_alive:
        outcome.violations.append(f"the server ended with code {server.lives[-1].code}")
    else:
        outcome.violations.append(f"the jobs had not ended after {seconds:g} s")


def _judge(given: _Options, server: Server, history: History, outcome: Outcome) -> float:
    outcome.violations += judge(server.data / "sheratan.db", history, given.folder / "effects")
    sent = {call.answer: call for call in history.acknowledged("submit")}
    waits: list[float] = []
    poisoned: Counter[str] = Counter()
    for call in history.acknowledged("wait"):
        first = sent[call.given]
        kind, number = str(first.key).split(" ")
        if kind == "add":
            waits.append((call.heard_ns - first.sent_ns) / 1e9)
            if call.answer != ["succeeded", int(number) + 1]:
                outcome.violations.append(f"{first.key} ended as {call.answer}")
        else:
            poisoned[kind] += 1
            if call.answer[0] != ("succeeded" if kind == "crunch" else "failed"):
                outcome.violations.append(f"{first.key} ended as {call.answer[0]}")
    if len(waits) != given.count or poisoned.total() != len(given.poison):
        outcome.violations.append(f"{len(waits)} harmless and {poisoned.total()} harmful jobs have ended")
    if given.poison:
        outcome.figures |= {"harmless": len(waits), **poisoned}
    return p99(waits)


CASE = Case(
    id="T41",
    name="poison",
    promise="1 job in 50 crashes its process, never ends, prints 10 GB, or returns too much or garbage: each fails,"
    f" all others succeed, their p99 at most {SLOWDOWN_MAX:g} times that with healthy work in its place",
    run=run,
    control=control,
    control_does="a job that crashes in a thread of the server",
)
