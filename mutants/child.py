"""A process that runs seeds against one copy of the sources: `python -m mutants.child FOLDER FIRST END SECONDS`.

It says each seed before it runs it, and what came of it afterwards; a seed that computes for more than SECONDS ends
the process.
"""

from __future__ import annotations

import importlib
import json
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["WAITS", "main"]

WAITS = 10
"""How many times longer than it may compute a seed may take: others compute, too."""

_BYTES_MAX = 4 << 30
"""A planted bug may fill the memory; that is found, too."""


def main(arguments: Sequence[str]) -> int:
    """Run seeds from FIRST up to END until one is broken; 1 then."""
    folder, first, end, seconds = Path(arguments[0]), *map(int, arguments[1:4])
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES_MAX, _BYTES_MAX))
    world = importlib.import_module("sheratan.simulation.world")
    # Whatever else is installed or lies about: what runs is the copy.
    assert Path(str(world.__file__)).is_relative_to(folder), f"{world.__file__} is not in {folder}"
    for seed in range(first, end):
        _say({"seed": seed})
        # Nothing handles these signals, so they end the process, whatever that is doing: computing, or waiting.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.alarm(WAITS * seconds)
        outcome = world.simulate(seed)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        if outcome.violation is not None:
            _say({"seed": seed, "violation": outcome.violation})
            return 1
    return 0


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
