"""Every peer, in the order of the table."""

from __future__ import annotations

from bench.peers import (
    absurd,
    celery,
    dbos,
    dramatiq,
    huey,
    oban,
    persist_queue,
    pgqueuer,
    procrastinate,
    restate,
    rq,
    taskiq,
)
from bench.peers.peer import Peer

__all__ = ["DURABLE_PEERS", "PEERS"]

PEERS: tuple[Peer, ...] = (
    *huey.PEERS,
    *persist_queue.PEERS,
    *pgqueuer.PEERS,
    *oban.PEERS,
    *procrastinate.PEERS,
    *dbos.PEERS,
    *absurd.PEERS,
    *taskiq.PEERS,
    *dramatiq.PEERS,
    *celery.PEERS,
    *rq.PEERS,
)

DURABLE_PEERS: tuple[Peer, ...] = (*dbos.DURABLE, *absurd.DURABLE, *restate.DURABLE)
