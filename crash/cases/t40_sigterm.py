"""T40: SIGTERM under load. The server drains, gives back what does not end in time, and is gone soon after."""

from __future__ import annotations

import random
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from crash.case import Case, Outcome, Run
from crash.clients import Plan
from crash.effects import EFFECTS_VARIABLE, Effect, read_effects
from crash.figures import p99
from crash.history import History
from crash.judge import judge, read_journal
from crash.nursery import Child, Nursery
from crash.server import Server

__all__ = ["CASE"]

EXIT_SECONDS_MAX = 30.0
RELEASE_SECONDS_MAX = 1
SLICE_RELEASE_SECONDS_MAX = 10
"""In a slice, which shares its cores with other tests: that a stop does not wait for something that never comes."""
LOAD_MS = (50, 400)
"""For how long the server works before it is told to stop."""
PAUSE_MS_MAX = 400
"""How long handlers take. The shortest drain is shorter, so that some do not end in it."""
DRAINS = (5.0, 5.0, 0.1)
JOBS_PER_STOP = 80
"""So many come in a second, too, which is about as long as a stop and the next start take."""
FINISH_SECONDS_MAX = 120.0


@dataclass
class Stop:
    """One stop: when it was asked for and when the process had ended, on the monotonic clock, and what it left."""

    drain_seconds: float
    began_us: int
    ended_us: int = 0
    code: int = 0
    leases: int = 0
    clean: int = 0

    def release_seconds(self, ends: list[Effect]) -> float:
        """From the last handler's end, or from the end of the drain, to the end of the process."""
        over_us = self.began_us + int(self.drain_seconds * 1_000_000)
        last_us = max((end.at_us for end in ends if end.at_us <= self.ended_us), default=0)
        return (self.ended_us - max(self.began_us, min(last_us, over_us))) / 1_000_000


@dataclass
class World:
    """A server that is stopped again and again, a worker beside it, and clients that never rest."""

    run: Run
    server: Server
    stops: list[Stop] = field(default_factory=list)

    @property
    def effects(self) -> Path:
        """The log of the handlers."""
        return self.run.folder / "effects"


def run(run: Run) -> Outcome:
    """Stop the server again and again."""
    return _stops(run, run.size(slice=3, full=500), signal.SIGTERM)


def control(run: Run) -> Outcome:
    """A server that is not asked but killed: it releases nothing and does not end well."""
    return _stops(run, 1, signal.SIGKILL)


def _stops(run: Run, stops: int, number: signal.Signals) -> Outcome:
    environment = {EFFECTS_VARIABLE: str(run.folder / "effects")}
    world = World(run, Server(run.folder / "data", ("--kinds", "crash.kinds"), environment))
    outcome, draw, log = Outcome(), run.draw, run.folder / "client"
    plan: Plan = {
        "name": "client",
        "first": 0,
        "count": stops * JOBS_PER_STOP,
        "callers": 8,
        "per_second": float(JOBS_PER_STOP),
        "pause_ms_max": PAUSE_MS_MAX,
        "seed": run.seed,
    }
    data = str(world.server.data)
    with Nursery("crash.clients", "crash.kinds", environment=environment) as nursery:
        nursery.start("crash.clients:work", data, "beside", "crash.kinds", 16)
        client = nursery.start("crash.clients:submit_and_wait", data, str(log), plan)
        try:
            for count in range(stops):
                world.stops.append(_stop(world, draw, number))
                if count % 50 == 49:
                    run.say(f"T40: {count + 1} stops of {stops}")
            _finish(world, client, outcome)
        finally:
            world.server.close()
    _judge(world, History.read(log), outcome)
    return outcome


def _stop(world: World, draw: random.Random, number: signal.Signals) -> Stop:
    server, drain_seconds = world.server, DRAINS[len(world.stops) % len(DRAINS)]
    server.options = ("--kinds", "crash.kinds", "--drain-seconds", f"{drain_seconds:g}")
    server.start()
    server.wait_ready()
    server.wait(draw.randint(*LOAD_MS) / 1_000)
    stop = Stop(drain_seconds, time.monotonic_ns() // 1_000)
    server.signal(number)
    if not server.wait(EXIT_SECONDS_MAX):
        server.kill()
    stop.ended_us, stop.code = time.monotonic_ns() // 1_000, server.lives[-1].code
    connection = apsw.Connection(str(server.data / "sheratan.db"), flags=apsw.SQLITE_OPEN_READONLY)
    query = "SELECT (SELECT count(*) FROM lease), clean FROM shard"
    stop.leases, stop.clean = connection.execute(query).fetchall()[0]
    connection.close()
    return stop


def _finish(world: World, client: Child, outcome: Outcome) -> None:
    world.server.start()
    if not client.wait(FINISH_SECONDS_MAX):
        outcome.violations.append(f"after the last stop the jobs did not end in {FINISH_SECONDS_MAX:g} s")
    world.server.stop()


def _judge(world: World, history: History, outcome: Outcome) -> None:
    effects = read_effects(world.effects)
    ends = [effect for effect in effects if effect.what == "end"]
    exits = [(stop.ended_us - stop.began_us) / 1_000_000 for stop in world.stops]
    releases = [stop.release_seconds(ends) for stop in world.stops]
    release_max = world.run.size(slice=SLICE_RELEASE_SECONDS_MAX, full=RELEASE_SECONDS_MAX)
    for count, (stop, release) in enumerate(zip(world.stops, releases, strict=True)):
        if stop.code != 0:
            outcome.violations.append(f"stop {count} ended with code {stop.code}")
        if stop.leases or not stop.clean:
            outcome.violations.append(f"stop {count} left {stop.leases} leases and clean = {stop.clean}")
        if release > release_max:
            outcome.violations.append(f"stop {count} ended {release:.2f} s after its handlers")
    database = world.server.data / "sheratan.db"
    outcome.violations += judge(database, history, world.effects)
    wrong = [call.given for call in history.acknowledged("wait") if call.answer[0] != "succeeded"]
    outcome.violations += [f"{job} did not succeed" for job in wrong]
    jobs = sum(1 for _ in history.acknowledged("submit"))
    waits = sum(1 for _ in history.acknowledged("wait"))
    if waits != jobs or jobs != len(world.stops) * JOBS_PER_STOP:
        outcome.violations.append(f"{jobs} jobs were acknowledged, and {waits} have ended")
    journal = read_journal(database)
    outcome.figures |= {
        "stops": len(world.stops),
        "jobs": jobs,
        "handed back or lost": journal.counts.get("job.requeued", 0),
        "exit, p99 s": p99(exits),
        "exit, most s": round(max(exits), 3),
        "end after the handlers, p99 s": p99(releases),
        "end after the handlers, most s": round(max(releases), 3),
    }


CASE = Case(
    id="T40",
    name="sigterm",
    promise="500 stops by SIGTERM under load: the server is gone within 30 s and within 1 s after its handlers, no"
    " lease is left, nothing is lost",
    run=run,
    control=control,
    control_does="a server that is killed instead",
)
