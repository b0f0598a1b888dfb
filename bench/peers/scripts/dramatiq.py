"""Dramatiq on Valkey. Its own program runs the workers: `dramatiq bench.peers.scripts.dramatiq`."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from bench.peers.scripts import common

__all__ = ["DramatiqScript", "actor", "broker"]


def declare() -> tuple[Any, Any]:
    """The broker and the actor."""
    package = importlib.import_module("dramatiq")
    made = importlib.import_module("dramatiq.brokers.redis").RedisBroker(url=common.url())
    package.set_broker(made)

    def noop(text: str) -> None:
        common.stamp()

    return made, package.actor(noop, actor_name="noop")


broker, actor = declare() if common.url() else (None, None)


class DramatiqScript(common.Script):
    """A message stays until it is acknowledged, after the actor has run."""

    def submit(self, count: int) -> None:
        assert actor is not None
        for _ in range(count):
            actor.send(common.PAYLOAD)

    def left(self) -> int:
        assert broker is not None
        count: int = broker.client.hlen("dramatiq:default.msgs")
        return count


if __name__ == "__main__":
    common.main(DramatiqScript(), sys.argv[1:])
