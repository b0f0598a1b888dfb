"""DBOS on PostgreSQL."""

from __future__ import annotations

from bench.peers.peer import Peer, Sizes, own_workers

__all__ = ["PEERS"]

PEERS = (
    Peer(
        name="DBOS",
        environment="dbos",
        script="dbos",
        package="dbos",
        settings="a workflow without steps, 2 processes that poll every 50 ms (1 s is the default)",
        stores="PostgreSQL",
        sizes=Sizes(1_500),
        workers=own_workers(2),
        server="postgres",
    ),
)
