"""T25: a thousand clients ask for the same under one key, and the server dies before it answers."""

from __future__ import annotations

import random
import resource
import time
from dataclasses import dataclass, field
from pathlib import Path

from crash.case import Case, Outcome, Run
from crash.clients import Stampede, wait_idle
from crash.effects import EFFECTS_VARIABLE
from crash.history import History
from crash.judge import judge, read_head, read_journal
from crash.nursery import Child, Nursery
from crash.server import Server

__all__ = ["CASE"]

DEATHS = ("die-after-commit", "die-before-commit", "")
"""How the server of a round dies: at one of two exact moments, or at a drawn one."""
DRAWN_DEATH_MS_MAX = 30
ROUND_SECONDS_MAX = 60.0


@dataclass
class World:
    """One run: its server, its clients, and the logs they have written."""

    run: Run
    nursery: Nursery
    server: Server
    processes: int
    callers: int
    faults: str
    outcome: Outcome
    logs: list[Path] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)

    def ask(self, name: str, key: str, inputs: list[dict[str, int]]) -> None:
        """Let every client ask at the same moment. Afterwards `wait` for them."""
        seconds = 0.1 + self.processes * self.callers / 2_000
        at_ns = time.monotonic_ns() + int(seconds * 1e9)
        self.children = []
        for process in range(self.processes):
            log = self.run.folder / f"{name}-{process}"
            plan: Stampede = {
                "name": f"{name}-{process}",
                "callers": self.callers,
                "key": key,
                "inputs": inputs,
                "at_ns": at_ns,
            }
            self.logs.append(log)
            function = "crash.clients:stampede"
            self.children.append(self.nursery.start(function, str(self.server.data), str(log), plan))
        self.server.wait(seconds)

    def wait(self) -> None:
        """Wait until every client has its answer."""
        deadline = time.monotonic() + ROUND_SECONDS_MAX
        for child in self.children:
            if not child.wait(max(0.0, deadline - time.monotonic())):
                self.outcome.violations.append(f"a client had no answer after {ROUND_SECONDS_MAX:g} s")
                child.kill()


def run(run: Run) -> Outcome:
    """Rounds of stampedes, each with a death of the server."""
    size = (run.size(slice=2, full=8), run.size(slice=32, full=125))
    return _rounds(run, run.size(slice=3, full=30), size)


def control(run: Run) -> Outcome:
    """A server that keeps no keys: the same request, sent again, is another job."""
    outcome = _rounds(run, 1, (2, 16), "forget-keys")
    outcome.violations = [text for text in outcome.violations if "was answered with" in text]
    return outcome


def _rounds(run: Run, rounds: int, size: tuple[int, int], faults: str = "") -> Outcome:
    _allow_many_files()
    environment = {EFFECTS_VARIABLE: str(run.folder / "effects")}
    processes, callers = size
    limits = (
        "--limit",
        f"connections_max={processes * callers + 50}",
        "--limit",
        "worker_losses_max=1000000",
    )
    outcome = Outcome()
    draw = run.draw
    with Nursery("crash.clients") as nursery:
        server = Server(run.folder / "data", ("--kinds", "crash.kinds", *limits), environment)
        world = World(run, nursery, server, processes, callers, faults, outcome)
        try:
            for number in range(rounds):
                _round(world, number, draw)
        finally:
            server.close()
    _judge(world, rounds)
    return outcome


def _allow_many_files() -> None:
    """A connection is a file; the usual limit of 1,024 is for programs with fewer of them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _round(world: World, number: int, draw: random.Random) -> None:
    """A stampede over the death of the server; then another request under the same key."""
    server, death = world.server, DEATHS[number % len(DEATHS)]
    key = f"round {number}"
    given = {"left": number, "right": 1}
    server.close()
    server.start(",".join(filter(None, (world.faults, death))))
    server.wait_ready()
    # In some rounds the clients do not agree on what the key is for: then one of the two requests wins.
    inputs = [given, {"left": number, "right": 2}] if number % 4 == 2 else [given]
    world.ask(f"round-{number}", key, inputs)
    if death:
        if not server.wait(10):
            world.outcome.violations.append(f"{death}: it did not, so nothing was asked of it")
    else:
        server.wait(draw.randint(0, DRAWN_DEATH_MS_MAX) / 1_000)
    server.kill()
    server.start(world.faults)
    server.wait_ready()
    world.wait()
    _ask_for_something_else(world, number, key)
    world.run.say(f"T25: round {number + 1}")


def _ask_for_something_else(world: World, number: int, key: str) -> None:
    database = world.server.data / "sheratan.db"
    wait_idle(str(world.server.data))
    before = read_head(database)
    world.ask(f"other-{number}", key, [{"left": number, "right": 3}])
    world.wait()
    wait_idle(str(world.server.data))
    if read_head(database) != before:
        world.outcome.violations.append(f"round {number}: refused requests have changed the journal")


def _judge(world: World, rounds: int) -> None:
    database = world.server.data / "sheratan.db"
    history = History.read(*world.logs)
    found = judge(database, history, world.run.folder / "effects")
    submits = [call for call in history.calls if call.verb == "submit"]
    conflicts = [call for call in submits if call.answer == "idempotency_conflict"]
    answered = [call for call in submits if call.outcome == "acknowledged"]
    others = [call for call in answered if call.given["input"]["right"] == 3]
    if others:
        found.append(f"{len(others)} other requests under a used key were taken in")
    clients = world.processes * world.callers
    # Each caller hears twice in each round: an id, or a conflict; and then a conflict.
    if len(answered) + len(conflicts) != 2 * clients * rounds:
        found.append(
            f"{len(answered)} ids and {len(conflicts)} conflicts for {2 * clients * rounds} requests"
        )
    jobs = len(read_journal(database).stories)
    if jobs != rounds:
        found.append(f"{rounds} keys have made {jobs} jobs")
    world.outcome.violations += found
    world.outcome.figures |= {
        "clients": clients,
        "keys": rounds,
        "jobs": jobs,
        "calls without an answer": history.count("submit", "unknown"),
        "answers with the job's id": len(answered),
        "conflicts": len(conflicts),
    }


CASE = Case(
    id="T25",
    name="same-key-stampede",
    promise="1,000 clients with one key, and a server that dies before it answers: one job, identical answers;"
    " another request under the key is refused and changes nothing",
    run=run,
    control=control,
    control_does="a server that keeps no keys",
)
