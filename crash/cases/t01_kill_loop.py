"""T01: a server or a worker is killed every few milliseconds, and nothing acknowledged is lost or done twice."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crash.case import Case, Outcome, Run
from crash.clients import Plan
from crash.effects import EFFECTS_VARIABLE, read_effects
from crash.figures import p99
from crash.history import History
from crash.judge import judge, read_journal
from crash.nursery import Child, Nursery
from crash.server import Life, Server

__all__ = ["CASE"]

WORKERS = 4
CLIENTS = 2
CALLERS = 4
PAUSE_MS_MAX = 20
KILL_MS = (5, 500)
MORE_KILLS_MAX = 50
"""Kills beyond those of the plan, where a slow machine has got next to nothing done before each of them."""

ACKNOWLEDGED_MIN = 20
"""Jobs that must have been acknowledged before a kill: without them there is nothing to judge."""

FIRST_CLAIM_SECONDS_MAX = 5.0
ANSWER_SECONDS_MAX = 10.0
FINISH_SECONDS_MAX = 120.0
"""How long the rest of the jobs may take once nothing is killed any more."""


@dataclass(frozen=True)
class _Options:
    kills: int
    jobs: int
    server_share: float = 1 / 3
    """How many of the kills are meant for the server."""
    faults: str = ""
    finish_seconds: float = FINISH_SECONDS_MAX
    answers_max: int | None = None
    """A server is killed once it has acknowledged 1 to so many jobs, or all; None: after a time, whatever it did."""


@dataclass
class World:
    """The processes of a run: a server, its workers, its clients, and where they write."""

    run: Run
    nursery: Nursery
    server: Server
    given: _Options
    workers: list[Child] = field(default_factory=list)
    clients: list[Child] = field(default_factory=list)
    kills: int = 0

    @property
    def effects(self) -> Path:
        """The log of the handlers."""
        return self.run.folder / "effects"

    @property
    def logs(self) -> list[Path]:
        """The logs of the clients."""
        return [self.run.folder / f"client-{number}" for number in range(CLIENTS)]

    @property
    def acknowledged(self) -> int:
        """How many jobs the clients have heard to be accepted."""
        heard = History.read(*(log for log in self.logs if log.exists()))
        return heard.count("submit", "acknowledged")

    @property
    def has_enough(self) -> bool:
        """Whether so much was acknowledged that a run says something."""
        return self.acknowledged >= min(ACKNOWLEDGED_MIN, self.given.jobs)

    def start_worker(self, number: int) -> Child:
        """Start a worker process."""
        arguments = (str(self.server.data), f"worker-{number}", "crash.kinds", 16)
        return self.nursery.start("crash.clients:work", *arguments)

    def start_client(self, number: int) -> Child:
        """Start a client process. Its jobs come just fast enough to last as long as the kills do."""
        share = self.given.jobs // CLIENTS
        seconds = self.given.kills * sum(KILL_MS) / 2_000
        plan: Plan = {
            "name": f"client-{number}",
            "first": number * share,
            "count": share,
            "callers": CALLERS,
            "per_second": share / seconds,
            "pause_ms_max": PAUSE_MS_MAX,
            "seed": self.run.seed,
        }
        log = str(self.logs[number])
        return self.nursery.start("crash.clients:submit_and_wait", str(self.server.data), log, plan)


def run(run: Run) -> Outcome:
    """Kill, and judge."""
    given = _Options(kills=run.size(slice=12, full=3_000), jobs=run.size(slice=400, full=50_000))
    return _kill_loop(run, given)


def control(run: Run) -> Outcome:
    """A server that answers before it commits, killed: only the loss itself counts as noticed."""
    options = _Options(
        kills=5,
        jobs=500,
        server_share=1.0,
        faults="acknowledge-early",
        finish_seconds=0.5,
        # A kill that meets no answer whose commit is under way can lose nothing.
        answers_max=30,
    )
    outcome = _kill_loop(run, options)
    outcome.violations = [text for text in outcome.violations if "was acknowledged" in text]
    return outcome


def _kill_loop(run: Run, given: _Options) -> Outcome:
    data, effects = run.folder / "data", run.folder / "effects"
    options = ("--limit", "worker_losses_max=1000000")
    environment = {EFFECTS_VARIABLE: str(effects)}
    outcome = Outcome()
    with Nursery("crash.clients", "crash.kinds", environment=environment) as nursery:
        world = World(run, nursery, Server(data, options, environment, given.faults), given)
        world.server.start()
        try:
            world.workers = [world.start_worker(number) for number in range(WORKERS)]
            world.clients = [world.start_client(number) for number in range(CLIENTS)]
            _kill(world, run.draw)
            _finish(world, outcome)
        finally:
            world.server.close()
    _judge(world, outcome)
    return outcome


def _kill(world: World, draw: random.Random) -> None:
    """Kill the server or a worker at drawn moments; who was killed is started again at once."""
    while world.kills < world.given.kills:
        _kill_one(world, draw)
        if world.kills % 250 == 0:
            world.run.say(f"T01: {world.kills} kills of {world.given.kills}")
    while not world.has_enough and world.kills < world.given.kills + MORE_KILLS_MAX:
        # Under load a server may take longer to start than it is left alive.
        world.server.wait_ready()
        _kill_one(world, draw)


def _kill_one(world: World, draw: random.Random) -> None:
    if world.given.answers_max is not None:
        _wait_answered(world, draw.randint(1, world.given.answers_max))
    else:
        # A wait that ends early is a server that ended by itself; the judge will not like why.
        world.server.wait(draw.randint(*KILL_MS) / 1_000)
    target = draw.randrange(WORKERS)
    if draw.random() < world.given.server_share:
        world.server.kill()
        world.server.start()
    else:
        world.workers[target].kill()
        world.workers[target] = world.start_worker(target)
    world.kills += 1


def _wait_answered(world: World, answers: int) -> None:
    """Wait until so many more jobs are acknowledged, or all of them."""
    enough = min(world.acknowledged + answers, world.given.jobs)
    deadline = time.monotonic() + ANSWER_SECONDS_MAX
    while world.acknowledged < enough and time.monotonic() < deadline:
        world.server.wait(0.002)


def _finish(world: World, outcome: Outcome) -> None:
    deadline = time.monotonic() + world.given.finish_seconds
    for client in world.clients:
        if not client.wait(max(0.0, deadline - time.monotonic())):
            outcome.violations.append(
                f"after the last kill the jobs did not end in {world.given.finish_seconds:g} s"
            )
            return
    # The jobs can have ended before the last kill; then its server has only begun to start.
    world.server.wait_ready()
    code = world.server.stop()
    if code != 0:
        outcome.violations.append(f"the server's last process ended with code {code}")


def _judge(world: World, outcome: Outcome) -> None:
    history = History.read(*world.logs)
    found = judge(world.server.data / "sheratan.db", history, world.effects)
    acknowledged = {call.key: call.answer for call in history.acknowledged("submit")}
    found += world.server.second_opinion()
    found += _wrong_results(world, history, acknowledged)
    journal = read_journal(world.server.data / "sheratan.db")
    claims, late = _first_claims(world.server.lives, journal.starts)
    found += late
    ended = [life for life in world.server.lives[:-1] if life.code != -9]
    found += [f"a process of the server ended by itself with code {life.code}" for life in ended]
    outcome.violations += found
    effects = read_effects(world.effects)
    count = Counter(effect.what for effect in effects)
    steps = {effect.job for effect in effects if effect.what == "step"}
    outcome.figures |= {
        "kills": world.kills,
        "of the server": len(world.server.lives) - 1,
        "jobs": len(acknowledged),
        "submissions without an answer": history.count("submit", "unknown"),
        "attempts": count["begin"],
        "attempts cut off": count["begin"] - count["end"],
        "ends repeated": count["end"] - len({e.job for e in effects if e.what == "end"}),
        "steps": len(steps),
        "steps repeated": count["step"] - len(steps),
        "recorded steps done again": sum("done again under" in text for text in found),
        "acknowledged and lost": sum("does not exist" in text for text in found),
        "effective twice": sum("its handler ended" in text for text in found),
        "first claim after a start, p99 s": p99(claims),
        "starts with a claim": len(claims),
    }


def _wrong_results(world: World, history: History, acknowledged: dict[str | None, Any]) -> list[str]:
    """Each job was acknowledged, ended well, and gave the right sum."""
    numbers = {job_id: int(str(key).removeprefix("job ")) for key, job_id in acknowledged.items()}
    ends = {call.given: call.answer for call in history.acknowledged("wait")}
    found = [
        f"job {number} was never acknowledged"
        for number in range(world.given.jobs)
        if f"job {number}" not in acknowledged
    ]
    for job_id, number in numbers.items():
        if ends.get(job_id) != ["succeeded", number + 1]:
            found.append(f"{job_id} should have given {number + 1} and gave {ends.get(job_id)}")
    return found


def _first_claims(
    lives: Sequence[Life], starts: Sequence[tuple[int, int | None]]
) -> tuple[list[float], list[str]]:
    """Seconds from each start of a process to its first lease. A process that lived on without one is a violation."""
    claims: list[float] = []
    late: list[str] = []
    for life in lives:
        within = [start for start in starts if life.began_us <= start[0] <= (life.ended_us or 1 << 62)]
        leased_us = within[0][1] if within else None
        if leased_us is not None:
            claims.append((leased_us - life.began_us) / 1_000_000)
        elif life is not lives[-1] and life.ended_us - life.began_us > FIRST_CLAIM_SECONDS_MAX * 1_000_000:
            late.append(
                f"a server lived for {(life.ended_us - life.began_us) / 1_000_000:.1f} s and gave no job away"
            )
    if claims and p99(claims) > FIRST_CLAIM_SECONDS_MAX:
        late.append(f"the first claim after a start took {p99(claims)} s at p99")
    return claims, late


CASE = Case(
    id="T01",
    name="kill-loop",
    promise="3,000 kills of server or workers under load: nothing acknowledged lost, nothing effective twice;"
    f" the first claim after a restart within {FIRST_CLAIM_SECONDS_MAX:g} s at p99",
    run=run,
    control=control,
    control_does="a server that answers before it commits",
)
