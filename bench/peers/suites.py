"""What peers are compared by: no-op jobs, or handlers of ten durable steps. Each has its section of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.peers.ours import OURS, OURS_DURABLE
from bench.peers.peer import Peer
from bench.peers.registry import DURABLE_PEERS, PEERS

__all__ = ["DURABLE", "QUEUES", "Suite"]

_HOW: Final = (
    "Each round runs Sheratan beside every peer, with as many processes as it has; a ratio is the median of the ratios"
    " of such pairs. Each run has a new server and empty files on the same disk."
)


@dataclass(frozen=True)
class Suite:
    """Peers, and ours beside them, and the words of their section.

    `arguments` is how the suite is asked for, `chart` the file of its picture, `about` what its paragraphs say.
    """

    title: str
    arguments: str
    chart: str
    jobs: str
    ours: Sequence[Peer]
    peers: Sequence[Peer]
    about: Sequence[str]

    @property
    def section(self) -> str:
        """Who writes its section of the page."""
        return f"make bench-peers {self.arguments}".rstrip()

    @property
    def names(self) -> tuple[str, ...]:
        """What `--only` may name."""
        return tuple(dict.fromkeys(peer.environment for peer in self.peers))

    def ours_for(self, peer: Peer) -> Peer:
        """The way of running Sheratan that has as many processes as a peer."""
        return next(one for one in self.ours if one.processes == peer.processes)


QUEUES: Final = Suite(
    title="Beside other queues",
    arguments="",
    chart="benchmarks-peers.svg",
    jobs="No-op jobs with 100 bytes of input",
    ours=OURS,
    peers=PEERS,
    about=(
        f"{_HOW} Every handler writes down when it started, ours too.",
        "Submit: one job after the other, each durable before the next, while nothing runs. Drain: workers are started"
        " on what was submitted; from the first start of a handler until the peer holds no unfinished job. Start: from"
        " the call that submits to the first line of the handler in a worker that waits. Memory: PSS of all worker"
        " processes after the drain, and of the server's.",
        "What is compared is not the same: Sheratan also writes a hash-chained journal with every decision, and keeps"
        " jobs and results; DBOS and Absurd are built for workflows with steps; Huey deletes a task when it is taken,"
        " RQ, Dramatiq, Celery and PgQueuer delete a job when it has ended. Valkey with `everysec`, its usual"
        " setting, may lose a second of acknowledged jobs; with `always` it syncs as the others do.",
    ),
)

DURABLE: Final = Suite(
    title="Durable steps beside other engines",
    arguments="--durable",
    chart="benchmarks-durable.svg",
    jobs="Handlers of ten durable steps, with 100 bytes of input",
    ours=OURS_DURABLE,
    peers=DURABLE_PEERS,
    about=(
        f"{_HOW} Each step gives a short text, and is recorded before the next one begins. The first step writes down"
        " when it ran, ours too.",
        "Submit, drain, start and memory are measured as above; a start is that of the first step.",
        "What is compared is not the same: Sheratan also writes a hash-chained journal with every decision; DBOS and"
        " Absurd keep their rows in PostgreSQL, Restate has a server of its own with a log and replicates it when there"
        " are several.",
    ),
)
