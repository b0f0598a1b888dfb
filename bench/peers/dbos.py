"""DBOS on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

from bench.peers.peer import STEPS, Peer, Sizes, own_workers

__all__ = ["DURABLE", "PEERS"]

POLLING = "2 processes that poll every 50 ms (1 s is the default)"

PEERS = (
    Peer(
        name="DBOS",
        environment="dbos",
        script="dbos",
        package="dbos",
        settings=f"a workflow without steps, {POLLING}",
        stores="PostgreSQL",
        sizes=Sizes(1_500),
        workers=own_workers(2),
        server="postgres",
    ),
)

DURABLE = (replace(PEERS[0], task=STEPS, sizes=Sizes(300, starts=100), settings=POLLING),)
