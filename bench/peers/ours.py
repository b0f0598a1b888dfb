"""Sheratan itself, as the peers are run."""

from __future__ import annotations

from dataclasses import replace

from bench.peers.peer import STEPS, Peer, Sizes, own_workers

__all__ = ["OURS", "OURS_DURABLE"]

SERVER = Peer(
    name="Sheratan, 2 worker processes",
    environment="",
    script="sheratan",
    package="",
    settings="a server and 2 worker processes on its socket; journal and decisions recorded",
    stores="SQLite, synchronous FULL",
    sizes=Sizes(2_000, 40_000, starts=100),
    workers=own_workers(2),
    server="sheratan",
    mode="server",
    is_ours=True,
)

EMBEDDED = Peer(
    name="Sheratan, embedded",
    environment="",
    script="sheratan",
    package="",
    settings="one process that holds the engine and its worker; journal and decisions recorded",
    stores="SQLite, synchronous FULL",
    sizes=Sizes(2_000, 40_000, starts=100),
    workers=own_workers(1),
    mode="embedded",
    processes=1,
    is_ours=True,
    starts_alone=True,
)

OURS = (SERVER, EMBEDDED)

OURS_DURABLE = tuple(replace(one, task=STEPS, sizes=Sizes(500, 5_000, starts=100)) for one in OURS)
