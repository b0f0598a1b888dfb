"""T16: many processes append at once while they and the server are killed; the journal stays one chain."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from crash.case import Case, Outcome, Run
from crash.clients import Appending, wait_idle
from crash.history import History
from crash.judge import judge, read_journal
from crash.nursery import Child, Nursery
from crash.server import Server

__all__ = ["CASE"]

CLIENTS = 8
BATCH = 10
SERVER_SHARE = 1 / 3
"""How many of the kills are meant for the server."""
SECONDS_MAX = 600.0
IN_USE = 5
"""The exit code of a server that finds its data directory in use."""


@dataclass(frozen=True)
class _Options:
    jobs: int
    """Of one client. Each job makes two entries, and some share a third."""
    pause_ms: int
    kill_ms: tuple[int, int]
    faults: str = ""


@dataclass
class Appender:
    """One client: the processes that it was, each with a log of its own."""

    folder: Path
    plan: Appending
    logs: list[Path] = field(default_factory=list)
    process: Child | None = None
    is_done: bool = False

    def start(self, nursery: Nursery, data: Path) -> None:
        """Start a process that goes on where the last one was killed."""
        self.logs.append(self.folder / f"{self.plan['name']}-{len(self.logs)}")
        logs = [str(log) for log in self.logs]
        self.process = nursery.start("crash.clients:append", str(data), logs, self.plan)

    def kill(self) -> bool:
        """Kill its process; False when it had done all it was to do."""
        assert self.process is not None
        self.is_done = not self.process.is_alive
        if not self.is_done:
            self.process.kill()
        return not self.is_done


def run(run: Run) -> Outcome:
    """Append, kill, and judge."""
    jobs = run.size(slice=150, full=9_700)
    return _storm(run, _Options(jobs, run.size(slice=60, full=150), (20, run.size(slice=250, full=700))))


def control(run: Run) -> Outcome:
    """A server that writes one entry of every tenth page otherwise than it hashed it."""
    outcome = _storm(run, _Options(100, 0, (50, 300), "rewrite-page"))
    outcome.violations = [text for text in outcome.violations if "does not name the hash" in text]
    return outcome


def _storm(run: Run, given: _Options) -> Outcome:
    data = run.folder / "data"
    server = Server(
        data, ("--kinds", "crash.kinds", "--limit", "worker_losses_max=1000000"), {}, given.faults
    )
    plans: list[Appending] = [
        {"name": f"client-{number}", "count": given.jobs, "batch": BATCH, "pause_ms": given.pause_ms}
        for number in range(CLIENTS)
    ]
    appenders = [Appender(run.folder, plan) for plan in plans]
    outcome = Outcome()
    with Nursery("crash.clients") as nursery:
        server.start()
        try:
            for appender in appenders:
                appender.start(nursery, data)
            killed = _kill(run.draw, given, server, appenders, nursery)
            _finish(server, appenders, outcome)
        finally:
            server.close()
    _judge(outcome, server, appenders, given)
    outcome.figures |= {"kills of the server": len(server.lives) - 1, "kills of clients": killed}
    return outcome


def _kill(
    draw: random.Random, given: _Options, server: Server, appenders: list[Appender], nursery: Nursery
) -> int:
    """Kill at drawn moments until the clients have done what they were to do; return how many of them died."""
    killed, deadline = 0, time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        server.wait(draw.randint(*given.kill_ms) / 1_000)
        at_work = [appender for appender in appenders if not appender.is_done]
        if not at_work:
            break
        if draw.random() < SERVER_SHARE:
            server.kill()
            server.start()
        else:
            victim = draw.choice(at_work)
            if victim.kill():
                killed += 1
                victim.start(nursery, server.data)
        for appender in at_work:
            assert appender.process is not None
            appender.is_done = not appender.process.is_alive
    return killed


def _finish(server: Server, appenders: list[Appender], outcome: Outcome) -> None:
    """Let all jobs end; show that nobody else can append meanwhile; stop."""
    if not all(appender.is_done for appender in appenders):
        outcome.violations.append(f"the clients were not done after {SECONDS_MAX:g} s")
        return
    server.wait_ready()
    wait_idle(str(server.data))
    rival = Server(server.data, server.options)
    rival.start()
    if not rival.wait(30) or rival.lives[0].code != IN_USE:
        outcome.violations.append(
            f"a second server on the same data ended with {rival.lives[0].code}, not {IN_USE}"
        )
    rival.close()
    code = server.stop()
    if code != 0:
        outcome.violations.append(f"the server's last process ended with code {code}")


def _judge(outcome: Outcome, server: Server, appenders: list[Appender], given: _Options) -> None:
    database = server.data / "sheratan.db"
    history = History.read(*(log for appender in appenders for log in appender.logs if log.exists()))
    outcome.violations += judge(database, history) + server.second_opinion()
    journal = read_journal(database)
    wanted = {f"{appender.plan['name']} {number}" for appender in appenders for number in range(given.jobs)}
    acknowledged = {call.key for call in history.acknowledged("submit")}
    if acknowledged != wanted:
        outcome.violations.append(f"{len(wanted - acknowledged)} jobs were never acknowledged")
    done = journal.counts.get("job.succeeded", 0)
    if done != len(wanted):
        outcome.violations.append(f"{len(wanted)} jobs were appended and {done} succeeded")
    ended = [life.code for life in server.lives[:-1] if life.code != -9]
    if ended:
        outcome.violations.append(f"processes of the server ended by themselves with codes {ended}")
    outcome.figures |= {
        "entries": journal.seq,
        "jobs": len(journal.stories),
        "processes that append": CLIENTS,
        "calls for a job without an answer": history.count("submit", "unknown"),
    }


CASE = Case(
    id="T16",
    name="append-storm",
    promise="8 processes append 160,000 entries while they and the server are killed at random:"
    " one chain, no gap, no number twice",
    run=run,
    control=control,
    control_does="a server that writes a page otherwise than it was hashed",
)
