"""Absurd on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

from bench.peers.peer import STEPS, Peer, Sizes, own_workers

__all__ = ["DURABLE", "PEERS"]

PEERS = (
    Peer(
        name="Absurd",
        environment="absurd",
        script="absurd",
        package="absurd-sdk",
        settings="2 processes, concurrency 20, claims of 100, polling every 10 ms (250 ms is the default)",
        stores="PostgreSQL",
        sizes=Sizes(2_500),
        workers=own_workers(2),
        server="postgres",
    ),
)

DURABLE = (replace(PEERS[0], task=STEPS, sizes=Sizes(300, starts=100)),)
