"""Restate, with its own server."""

from __future__ import annotations

from bench.peers.peer import STEPS, Peer, Sizes, own_workers

__all__ = ["DURABLE"]

DURABLE = (
    Peer(
        name="Restate",
        environment="restate",
        script="restate",
        package="restate-sdk",
        settings="hypercorn in 2 processes on one port; invocations are tried again every 100 ms while none is there",
        stores="its own log and RocksDB",
        sizes=Sizes(500, starts=100),
        workers=own_workers(2),
        server="restate",
        task=STEPS,
    ),
)
