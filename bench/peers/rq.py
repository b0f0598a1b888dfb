"""RQ on Valkey."""

from __future__ import annotations

from bench.peers.peer import Peer, Sizes, own_workers
from bench.services import APPEND_FSYNC

__all__ = ["PEERS"]


def _peer(fsync: str) -> Peer:
    return Peer(
        name=f"RQ, {fsync}",
        environment="rq",
        script="rq",
        package="rq",
        settings="2 SimpleWorkers (a job runs in the worker's process), results not kept",
        stores=f"Valkey, {fsync}",
        sizes=Sizes(1_000, 1_000),
        workers=own_workers(2),
        server=f"valkey-{fsync}",
    )


PEERS = tuple(_peer(fsync) for fsync in APPEND_FSYNC)
