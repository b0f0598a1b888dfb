"""Where the nodes of a graph go in a drawing: layers, an order in each that crosses few lines, and places.

The steps are those of Sugiyama, Tagawa and Toda ("Methods for Visual Understanding of Hierarchical System
Structures", 1981). The same graph is laid out in the same way on any machine.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from sheratan.contracts.errors import TooLarge
from sheratan.kernel.graph import Graph

__all__ = ["CONNECTIONS_MAX", "Layout", "Slot", "lay_out"]

CONNECTIONS_MAX: Final = 10_000
"""An image with more would be a grey area of many megabytes."""

_SWEEPS: Final = 8
_BEND_WIDTH: Final = 0.3


class Slot(NamedTuple):
    """A place in a layer: of a node, or of the lines from that node that pass through the layer on their way."""

    name: str
    layer: int


class Layout(msgspec.Struct, frozen=True):
    """The layer of each node, counted from 0; the places of slots across, 1 apart for neighbours; the connections.

    A connection leads from a slot to one in the next layer.
    """

    layers: dict[str, int]
    across: dict[Slot, float]
    connections: list[tuple[Slot, Slot]]


def lay_out(graph: Graph) -> Layout:
    """The layout of a graph; TooLarge for one with more connections than anyone could follow.

    Lines from one node share their slots, so that a bundle is drawn once.
    """
    layers = _layers(graph)
    connections = _connections(graph, layers)
    net = _Net(layers, connections)
    return Layout(layers, net.placed(net.uncrossed()), connections)


def _connections(graph: Graph, layers: dict[str, int]) -> list[tuple[Slot, Slot]]:
    """From each node through a slot in each layer down to its lowest child, and off to the others on the way."""
    found: list[tuple[Slot, Slot]] = []
    for parent in graph.order:
        lowest = max((layers[child] for child in graph.children[parent]), default=0)
        through = [Slot(parent, layer) for layer in range(layers[parent], lowest)]
        found += itertools.pairwise(through)
        found += [
            (Slot(parent, layers[child] - 1), Slot(child, layers[child])) for child in graph.children[parent]
        ]
        if len(found) > CONNECTIONS_MAX:
            raise TooLarge(f"more than {CONNECTIONS_MAX} lines to draw; look at it as text", field="nodes")
    return found


def _layers(graph: Graph) -> dict[str, int]:
    """Each node one layer below its lowest parent."""
    layers: dict[str, int] = {}
    for name in graph.order:
        layers[name] = max((layers[parent] + 1 for parent in graph.parents[name]), default=0)
    return layers


Rows = list[list[Slot]]


class _Net:
    """The slots of a drawing and what connects them."""

    def __init__(self, layers: dict[str, int], connections: Sequence[tuple[Slot, Slot]]) -> None:
        self._layers = layers
        slots = dict.fromkeys([*itertools.starmap(Slot, layers.items()), *itertools.chain(*connections)])
        self._above: dict[Slot, list[Slot]] = {slot: [] for slot in slots}
        self._below: dict[Slot, list[Slot]] = {slot: [] for slot in slots}
        self._rows: Rows = [[] for _ in range(max(layers.values()) + 1)]
        for upper, lower in connections:
            self._below[upper].append(lower)
            self._above[lower].append(upper)
        for slot in slots:
            self._rows[slot.layer].append(slot)

    def uncrossed(self) -> Rows:
        """The rows in the best order found: each row in turn follows the middle of what it is connected to."""
        best = rows = self._rows
        fewest = self._crossings(rows)
        for sweep in range(_SWEEPS):
            if fewest == 0:
                break
            rows = self._swept(rows, downwards=sweep % 2 == 0)
            crossings = self._crossings(rows)
            if crossings < fewest:
                best, fewest = rows, crossings
        return best

    def placed(self, rows: Rows) -> dict[Slot, float]:
        """Each slot near the middle of what it is connected to, as far as its neighbours let it; from 0 on."""
        across = {slot: place for row in rows for slot, place in zip(row, self._packed(row), strict=True)}
        for sweep in range(_SWEEPS):
            connected = self._below if sweep % 2 else self._above
            for row in reversed(rows) if sweep % 2 else rows:
                wanted = [_middle([across[other] for other in connected[slot]], across[slot]) for slot in row]
                across.update(zip(row, self._spread(row, wanted), strict=True))
        first = min(across.values())
        return {slot: place - first for slot, place in across.items()}

    def _swept(self, rows: Rows, *, downwards: bool) -> Rows:
        swept = [list(row) for row in rows]
        connected = self._above if downwards else self._below
        places = {slot: float(place) for row in swept for place, slot in enumerate(row)}
        for row in swept if downwards else reversed(swept):
            row.sort(key=lambda slot: _middle([places[other] for other in connected[slot]], places[slot]))
            places.update((slot, float(place)) for place, slot in enumerate(row))
        return swept

    def _crossings(self, rows: Rows) -> int:
        """How many pairs of connections cross: for each, those before it that end further along."""
        total = 0
        for upper, lower in itertools.pairwise(rows):
            places = {slot: place for place, slot in enumerate(lower)}
            ends: list[int] = []
            for slot in upper:
                own = sorted(places[below] for below in self._below[slot])
                total += sum(len(ends) - bisect_right(ends, end) for end in own)
                for end in own:
                    insort(ends, end)
        return total

    def _packed(self, row: Sequence[Slot]) -> list[float]:
        places = [0.0]
        for left, right in itertools.pairwise(row):
            places.append(places[-1] + self._gap(left, right))
        return [place - places[-1] / 2 for place in places]

    def _spread(self, row: Sequence[Slot], wanted: Sequence[float]) -> list[float]:
        """Places near those wanted with the gaps kept: half-way between pushing all to one side and to the other."""
        gaps = [self._gap(left, right) for left, right in itertools.pairwise(row)]
        forth, back = list(wanted), list(wanted)
        for place, gap in enumerate(gaps):
            forth[place + 1] = max(forth[place + 1], forth[place] + gap)
        for place in reversed(range(len(gaps))):
            back[place] = min(back[place], back[place + 1] - gaps[place])
        return [(one + other) / 2 for one, other in zip(forth, back, strict=True)]

    def _gap(self, left: Slot, right: Slot) -> float:
        return (self._width(left) + self._width(right)) / 2

    def _width(self, slot: Slot) -> float:
        return 1.0 if self._layers[slot.name] == slot.layer else _BEND_WIDTH


def _middle(places: Sequence[float], otherwise: float) -> float:
    return sum(places) / len(places) if places else otherwise
