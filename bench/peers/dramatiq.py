"""Dramatiq on Valkey."""

from __future__ import annotations

from bench.peers.peer import Peer, Sizes, own_program
from bench.services import APPEND_FSYNC

__all__ = ["PEERS"]


def _peer(fsync: str) -> Peer:
    return Peer(
        name=f"Dramatiq, {fsync}",
        environment="dramatiq",
        script="dramatiq",
        package="dramatiq",
        settings="2 processes of 64 threads",
        stores=f"Valkey, {fsync}",
        sizes=Sizes(10_000),
        workers=own_program("-m", "dramatiq", "{script}", "-p", "2", "-t", "64"),
        server=f"valkey-{fsync}",
    )


PEERS = tuple(_peer(fsync) for fsync in APPEND_FSYNC)
