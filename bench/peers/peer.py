"""What the harness has to know of a peer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["NOOP", "STEPS", "Command", "Peer", "Sizes", "own_program", "own_workers"]

Command = tuple[str, ...]
"""Arguments of the peer's Python."""

Workers = Callable[[str], tuple[Command, ...]]

NOOP = "noop"
STEPS = "steps"
"""What handlers do: nothing, or ten durable steps one after the other."""


@dataclass(frozen=True)
class Sizes:
    """How many jobs: submitted one at a time, submitted in bulk (0: the peer has no such call), started when idle."""

    submits: int
    bulk: int = 0
    starts: int = 200

    @property
    def quick(self) -> Sizes:
        """About a tenth of it."""
        return Sizes(max(50, self.submits // 10), self.bulk // 10, min(self.starts, 20))


def own_workers(count: int) -> Workers:
    """So many processes of the peer's script that work."""
    return lambda script: ((("-m", script, "work")),) * count


def own_program(*arguments: str) -> Workers:
    """The peer's own program, one time; it starts its processes itself. `{script}` is the script's module."""
    return lambda script: (tuple(argument.format(script=script) for argument in arguments),)


@dataclass(frozen=True)
class Peer:
    """A queue, one way to run it, and how much of it.

    `environment` names the lock and the virtual environment, `script` the module in `scripts/`, `server` what
    `services.serving` starts, `task` what its handlers do, `processes` how many of its processes run jobs (Sheratan is
    run with as many beside it), `stores` what its row says where jobs are kept, `lacks` why a measure is not there,
    `seconds_max` how long a drain or a start may take.
    """

    name: str
    environment: str
    script: str
    package: str
    settings: str
    stores: str
    sizes: Sizes
    workers: Workers
    server: str = ""
    mode: str = ""
    task: str = NOOP
    processes: int = 2
    python: tuple[int, int] = (3, 11)
    built: tuple[str, ...] = ()
    lacks: str = ""
    seconds_max: float = 300.0
    is_ours: bool = False
    starts_alone: bool = False
    """Whether starts are measured in one process, without the workers."""

    @property
    def module(self) -> str:
        """The script as a module; a name with a dot is one already."""
        return self.script if "." in self.script else f"bench.peers.scripts.{self.script}"
