"""Celery on Valkey."""

from __future__ import annotations

from bench.peers.peer import Command, Peer, Sizes
from bench.services import APPEND_FSYNC

__all__ = ["PEERS"]


def _workers(script: str) -> tuple[Command, ...]:
    options = ("--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "ERROR")
    return tuple(
        ("-m", "celery", "-A", script, "worker", "-P", "solo", "-n", f"w{number}@bench", *options)
        for number in range(2)
    )


def _peer(fsync: str) -> Peer:
    return Peer(
        name=f"Celery, {fsync}",
        environment="celery",
        script="celery",
        package="celery",
        settings="acks_late, no results, prefetch 64, 2 solo workers",
        stores=f"Valkey, {fsync}",
        sizes=Sizes(4_000),
        workers=_workers,
        server=f"valkey-{fsync}",
    )


PEERS = tuple(_peer(fsync) for fsync in APPEND_FSYNC)
