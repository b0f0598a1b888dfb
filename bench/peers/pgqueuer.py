"""PgQueuer on PostgreSQL."""

from __future__ import annotations

from bench.peers.peer import Peer, Sizes, own_workers

__all__ = ["PEERS"]

PEERS = (
    Peer(
        name="PgQueuer",
        environment="pgqueuer",
        script="pgqueuer",
        package="pgqueuer",
        settings="asyncpg, uvloop, 2 processes, batches of 100, tables logged (durable)",
        stores="PostgreSQL",
        sizes=Sizes(2_000, 20_000),
        workers=own_workers(2),
        server="postgres",
    ),
)
