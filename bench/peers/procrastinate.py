"""Procrastinate on PostgreSQL."""

from __future__ import annotations

from bench.peers.peer import Peer, Sizes, own_workers

__all__ = ["PEERS"]

PEERS = (
    Peer(
        name="Procrastinate",
        environment="procrastinate",
        script="procrastinate",
        package="procrastinate",
        settings="2 processes, concurrency 10 each, LISTEN/NOTIFY, jobs kept",
        stores="PostgreSQL",
        sizes=Sizes(1_000, 2_000),
        workers=own_workers(2),
        server="postgres",
    ),
)
