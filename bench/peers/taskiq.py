"""taskiq on a stream of Valkey."""

from __future__ import annotations

from bench.peers.peer import Peer, Sizes, own_program
from bench.services import APPEND_FSYNC

__all__ = ["PEERS"]

OPTIONS = ("--workers", "2", "--log-level", "ERROR")


def _peer(fsync: str) -> Peer:
    return Peer(
        name=f"taskiq, {fsync}",
        environment="taskiq",
        script="taskiq",
        package="taskiq",
        settings="RedisStreamBroker, xread_count 200, acknowledged when saved, 2 worker processes",
        stores=f"Valkey, {fsync}",
        sizes=Sizes(10_000),
        workers=own_program("-m", "taskiq", "worker", "{script}:broker", *OPTIONS),
        server=f"valkey-{fsync}",
    )


PEERS = tuple(_peer(fsync) for fsync in APPEND_FSYNC)
