"""persist-queue: a durable queue on SQLite, without workers of its own."""

from __future__ import annotations

from bench.peers.peer import Peer, Sizes, own_workers

__all__ = ["PEERS"]

PEERS = (
    Peer(
        name="persist-queue",
        environment="persist-queue",
        script="persist_queue",
        package="persist-queue",
        settings="SQLiteAckQueue, a commit per call; one process gets and acknowledges, nothing is run",
        stores="SQLite",
        sizes=Sizes(4_000, starts=0),
        workers=own_workers(1),
        processes=1,
        lacks="no start: nothing wakes a process that waits",
    ),
)
