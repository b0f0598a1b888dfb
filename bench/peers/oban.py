"""Oban for Python on PostgreSQL."""

from __future__ import annotations

from bench.peers.peer import Peer, Sizes, own_workers

__all__ = ["PEERS"]

PEERS = (
    Peer(
        name="Oban-py",
        environment="oban",
        script="oban",
        package="oban",
        settings="uvloop, 2 processes, limit 50 each, jobs kept",
        stores="PostgreSQL",
        sizes=Sizes(2_000, 6_000),
        workers=own_workers(2),
        server="postgres",
        python=(3, 12),
        built=("erlpack",),
    ),
)
