"""Huey: a small queue, here on SQLite."""

from __future__ import annotations

from bench.peers.peer import Peer, Sizes, own_workers

__all__ = ["PEERS"]

POLLING = "polling every 10 ms (100 ms, growing, is the default)"


def _peer(name: str, mode: str, settings: str, processes: int, sizes: Sizes, lacks: str = "") -> Peer:
    return Peer(
        name=name,
        environment="huey",
        script="huey",
        package="huey",
        settings=f"SqliteHuey with fsync=True, no results; {settings}; a task is deleted when it is taken",
        stores="SQLite",
        sizes=sizes,
        workers=own_workers(1),
        mode=mode,
        processes=processes,
        lacks=lacks,
    )


PEERS = (
    _peer("Huey, 2 threads", "thread", f"its consumer with 2 threads, {POLLING}", 1, Sizes(4_000)),
    _peer("Huey, 2 processes", "process", f"its consumer with 2 processes, {POLLING}", 2, Sizes(4_000)),
    _peer(
        "Huey, bare loop", "loop", "one loop that takes and runs tasks, polling every 5 ms", 1, Sizes(4_000)
    ),
)
