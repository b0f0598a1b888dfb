"""T02: a process is killed before each operation on its files in turn; each time the script is taken up again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from crash.case import Case, Outcome, Run
from crash.child import ask
from crash.storage_check import check_database
from crash.storage_notes import Notes
from crash.storage_sweep import DATABASE, Found, Order

__all__ = ["CASE"]

_STEPS = 200
_CALLS = ("pwrite64", "fdatasync", "ftruncate", "unlink")


def _run(run: Run) -> Outcome:
    draw = run.draw
    points = None if run.scale == "full" else [draw.random() for _ in range(24)]
    order = Order(folder=str(run.folder), seed=run.seed, steps=_STEPS, points=points)
    outcome = _sweep(order)
    _kill_from_outside(run, outcome)
    return outcome


def _control(run: Run) -> Outcome:
    draw = run.draw
    points = [draw.random() for _ in range(10)]
    order = Order(
        folder=str(run.folder), seed=run.seed, steps=_STEPS, points=points, without_transaction=True
    )
    return _sweep(order)


def _sweep(order: Order) -> Outcome:
    found = ask("crash.storage_sweep", order, Found)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(found.kinds.items()))
    return Outcome(
        {"operations": f"{found.operations} ({kinds})", "killed before": found.kills}, found.violations
    )


def _kill_from_outside(run: Run, outcome: Outcome) -> None:
    """The same with a killer that knows nothing of SQLite, where there is one: strace kills at a system call."""
    strace = shutil.which("strace")
    if strace is None or not _can_trace(strace):
        outcome.figures["killed by strace"] = "no strace here"
        return
    counts = _count_calls(run, strace)
    draw, kills = run.draw, 0
    for number in range(run.size(slice=2, full=100)):
        name = draw.choice([name for name in _CALLS if counts.get(name)])
        at = draw.randrange(1, counts[name] + 1)
        place = run.folder / f"traced-{number}"
        inject = f"--inject={name}:signal=KILL:when={at}"
        kills += (
            _once(place, run.seed, [strace, "-f", "-qq", "-o", os.devnull, f"--trace={name}", inject]) != 0
        )
        found = check_database(place / DATABASE, Notes.read(place / "log.0"))
        outcome.violations += [f"killed at {name} number {at}: {text}" for text in found]
        shutil.rmtree(place)
    outcome.figures["killed by strace"] = kills
    outcome.figures["system calls"] = ", ".join(f"{count} {name}" for name, count in counts.items())


def _can_trace(strace: str) -> bool:
    traced = [strace, "-qq", "-o", os.devnull, "--trace=none", sys.executable, "-c", ""]
    return subprocess.run(traced, stderr=subprocess.DEVNULL, check=False).returncode == 0


def _count_calls(run: Run, strace: str) -> dict[str, int]:
    log = run.folder / "calls"
    trace = [strace, "-f", "-qq", "-o", str(log), f"--trace={','.join(_CALLS)}"]
    assert _once(run.folder / "traced", run.seed, trace) == 0, (
        "the script does not come to its end under strace"
    )
    lines = log.read_text("ascii", errors="replace").splitlines()
    return {name: sum(f" {name}(" in line for line in lines) for name in _CALLS}


def _once(place: Path, seed: int, prefix: list[str]) -> int:
    order = {"folder": str(place), "seed": seed, "steps": _STEPS, "once": True}
    command = [*prefix, sys.executable, "-m", "crash.storage_sweep"]
    done = subprocess.run(command, input=json.dumps(order).encode(), check=False)
    return done.returncode


CASE = Case(
    id="T02",
    name="crash-point-sweep",
    promise=(
        "killed before every write, sync, truncation and deletion of a script of 200 steps: 100 % of them covered,"
        " 0 violations, and the script comes to its end each time"
    ),
    run=_run,
    control=_control,
    control_does="a commit is no transaction: its statements are durable one by one",
)
