"""T09: jobs that take far more memory than there is. They fail; the server and every other job live."""

from __future__ import annotations

import time
from typing import Any

from crash.case import Case, Outcome, Run
from crash.clients import Running
from crash.effects import EFFECTS_VARIABLE
from crash.history import History
from crash.judge import judge, read_journal
from crash.memory import MemoryGroup, limited_memory, why_not
from crash.nursery import Child, Nursery
from crash.server import Server

__all__ = ["CASE"]

MEMORY_BYTES = 1 << 27
HOG_BYTES = 1 << 30
ONE_IN = 10
LOSSES_MAX = 3
"""`limits.worker_losses_max` as it is by default."""
SECONDS_MAX = 120.0


def run(run: Run) -> Outcome:
    """Hogs in processes of their own, as CPU-bound kinds are run."""
    return _run_jobs(run, run.size(slice=20, full=100), "hog", SECONDS_MAX)


def control(run: Run) -> Outcome:
    """The same hogs in threads of the server."""
    outcome = _run_jobs(run, 10, "hog_inside", 3.0)
    outcome.violations = [text for text in outcome.violations if "the server ended" in text]
    return outcome


def _run_jobs(run: Run, count: int, hog: str, seconds_max: float) -> Outcome:
    environment = {EFFECTS_VARIABLE: str(run.folder / "effects")}
    log = run.folder / "client"
    outcome = Outcome()
    with limited_memory(MEMORY_BYTES) as group, Nursery("crash.clients") as nursery:
        options = ("--kinds", "crash.kinds", "--kinds", "crash.poison")
        server = Server(run.folder / "data", options, environment, prefix=group.prefix)
        server.start()
        try:
            server.wait_ready()
            jobs = _jobs(run, count, hog)
            plan: Running = {"name": "client", "callers": 8, "per_second": 0.0, "jobs": jobs}
            client = nursery.start("crash.clients:run_list", str(server.data), str(log), plan)
            have_ended = _wait(server, client, seconds_max)
            if server.wait(0):
                outcome.violations.append(f"the server ended with code {server.lives[0].code}")
            elif not have_ended:
                outcome.violations.append(f"the jobs had not ended after {seconds_max:g} s")
            outcome.figures |= {"jobs": count, "kills by the kernel": group.kills}
            server.stop()
            client.kill()
        finally:
            server.close()
            _empty(group)
    if server.lives[0].code != -9:
        _judge(run, server, count, outcome)
    return outcome


def _jobs(run: Run, count: int, hog: str) -> list[list[Any]]:
    """One in ten takes too much; the others are half in the server's loop and half in processes."""
    jobs: list[list[Any]] = []
    for number in range(count):
        if number % ONE_IN == ONE_IN // 2:
            jobs.append([hog, HOG_BYTES, f"hog {number}"])
        elif number % 2:
            jobs.append(["reckon", number, f"job {number}"])
        else:
            jobs.append(["add", {"left": number, "right": 1, "pause_ms": 1}, f"job {number}"])
    run.draw.shuffle(jobs)
    return jobs


def _wait(server: Server, client: Child, seconds: float) -> bool:
    """Wait until the client is done; False when it takes too long, or the server has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.is_alive:
        if client.wait(0.02):
            return True
    return False


def _empty(group: MemoryGroup) -> None:
    """Wait until the last process has left the group: those of handlers end by themselves after their server."""
    deadline = time.monotonic() + 10.0
    while group.path.joinpath("cgroup.procs").read_text() and time.monotonic() < deadline:
        time.sleep(0.01)


def _judge(run: Run, server: Server, count: int, outcome: Outcome) -> None:
    database = server.data / "sheratan.db"
    history = History.read(run.folder / "client")
    outcome.violations += judge(database, history, run.folder / "effects")
    keys = {call.answer: str(call.key) for call in history.acknowledged("submit")}
    ends = {keys[call.given]: call.answer for call in history.acknowledged("wait")}
    if len(ends) != count:
        outcome.violations.append(f"{len(ends)} of {count} jobs have ended")
    journal = read_journal(database)
    attempts = {keys[story.id]: len(story.leases) for story in journal.stories.values() if story.id in keys}
    for key, (state, output) in sorted(ends.items()):
        name, number = key.split(" ")
        if name == "hog" and (state, attempts[key]) != ("failed", LOSSES_MAX):
            outcome.violations.append(f"{key} is {state} after {attempts[key]} attempts")
        elif name == "job" and (state, output) != ("succeeded", _output(int(number))):
            outcome.violations.append(f"{key} is {state} with output {output}")
    harmless = [count for key, count in attempts.items() if key.startswith("job ")]
    outcome.figures |= {
        "hogs failed": sum(key.startswith("hog ") and end[0] == "failed" for key, end in ends.items()),
        "others done": sum(key.startswith("job ") and end[0] == "succeeded" for key, end in ends.items()),
        "others begun again": sum(count > 1 for count in harmless),
    }


def _output(number: int) -> int:
    return sum(range(number)) + number if number % 2 else number + 1


CASE = Case(
    id="T09",
    name="oom",
    promise="100 jobs in 128 MiB, of which 1 in 10 takes 1 GiB: the server never dies, each hog fails after"
    f" {LOSSES_MAX} lost processes, all others succeed",
    run=run,
    control=control,
    control_does="the same hogs in threads of the server, which then dies of them",
    needs=why_not,
)
