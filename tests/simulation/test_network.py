"""The simulated network: who connects to a server that has ended is refused, instead of waiting for it for ever."""

from __future__ import annotations

from sheratan.gateway.api import Api
from sheratan.simulation.choices import Choices
from sheratan.simulation.coverage import Coverage
from sheratan.simulation.loop import SimulatedLoop
from sheratan.simulation.network import Connection, Network
from sheratan.simulation.options import draw_options


class Listening:
    """A server without work."""

    api: Api | None = None

    def __init__(self, node: str) -> None:
        self.node = node


def test_nobody_listens_where_a_server_has_ended() -> None:
    choices = Choices(1)
    network = Network(SimulatedLoop(choices, "fifo"), choices, Coverage(), draw_options(choices))
    assert Connection(network, "client").is_broken
    network.server = Listening("server1")
    before = Connection(network, "client")
    assert not before.is_broken
    network.reset("server1")
    assert before.is_broken
    assert Connection(network, "client").is_broken
    # The end of one that was deposed is nothing to those that have another.
    network.server = Listening("server2")
    network.reset("server1")
    assert not Connection(network, "client").is_broken
