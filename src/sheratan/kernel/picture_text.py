"""A workflow as text for a terminal: a line per node, in an order in which they can run, with lanes on the left.

A node's lane runs from it down to its last child. A child stands at the end of a lane that joins its parents'
lanes: `├─○` takes from a lane that goes on, `╰─○` from one that ends, and straight below is a child, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sheratan.contracts.workflows import NodeState, Workflow
from sheratan.kernel.graph import Graph, graph_of
from sheratan.kernel.picture import Statuses, describe_state, describe_work, notes, shorten

__all__ = ["COLUMNS_MAX", "draw_text"]

COLUMNS_MAX: Final = 100
_LANES_MAX: Final = 20

_SIGNS: Final[dict[NodeState | None, str]] = {
    None: "○",
    "blocked": "○",
    "scheduled": "◷",
    "queued": "○",
    "waiting": "◔",
    "running": "▶",
    "succeeded": "✓",
    "failed": "✗",
    "cancelled": "⊘",
    "skipped": "»",
    "compensating": "◁",
    "compensated": "↶",
}
_ASCII: Final = str.maketrans({
    "○": "o", "◷": "o", "◔": "o", "▶": ">", "✓": "*", "✗": "x", "⊘": "!", "»": "~", "◁": "<", "↶": "<",
    "│": "|", "─": "-", "├": "+", "┤": "+", "┼": "+", "┴": "+", "╰": "+", "╯": "+", "…": "~",
})  # fmt: skip

# Where lines leave a joint that comes from above: down, left, right.
_JOINTS: Final = {
    (True, False, True): "├",
    (True, True, False): "┤",
    (True, True, True): "┼",
    (False, False, True): "╰",
    (False, True, False): "╯",
    (False, True, True): "┴",
}


def draw_text(workflow: Workflow, statuses: Statuses | None = None, *, ascii_only: bool = False) -> str:
    """The picture, at most `COLUMNS_MAX` wide. A graph with too many lanes for that says its parents in words."""
    graph = graph_of(workflow)
    known = statuses or {}
    drawn = _lanes(graph, known)
    in_words = max(map(len, drawn)) > 2 * _LANES_MAX
    if in_words:
        drawn = [_sign(name, known) for name in graph.order]
    indent = max(map(len, drawn))
    rows = _fitted(_rows(workflow, graph, known, with_parents=in_words), COLUMNS_MAX - indent)
    text = "".join(
        f"{lane.ljust(indent)}{row}".rstrip() + "\n" for lane, row in zip(drawn, rows, strict=True)
    )
    return text.translate(_ASCII) if ascii_only else text


def _rows(
    workflow: Workflow, graph: Graph, statuses: Statuses, *, with_parents: bool
) -> list[tuple[str, ...]]:
    """What is said of each node, in the graph's order."""
    nodes = {node.name: node for node in workflow.nodes}
    rows: list[tuple[str, ...]] = []
    for name in graph.order:
        node, status = nodes[name], statuses.get(name)
        parents = f"after {', '.join(graph.parents[name])}" if with_parents and graph.parents[name] else ""
        said = ", ".join(notes(node, status))
        rows.append((name, describe_work(node), describe_state(status), said, parents))
    return rows


def _fitted(rows: list[tuple[str, ...]], columns: int) -> list[str]:
    """The cells under one another, with two spaces before each; the widest give way until all fit."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    while sum(width + 2 for width in widths if width) > columns:
        widths[widths.index(max(widths))] -= 1
    return [
        "".join(f"  {shorten(cell, width):{width}}" for cell, width in zip(row, widths, strict=True) if width)
        for row in rows
    ]


def _lanes(graph: Graph, statuses: Statuses) -> list[str]:
    """The left side of each line."""
    left = {name: len(children) for name, children in graph.children.items()}
    lanes = _Lanes()
    drawn: list[str] = []
    for name in graph.order:
        parents = graph.parents[name]
        for parent in parents:
            left[parent] -= 1
        ending = {parent for parent in parents if left[parent] == 0}
        drawn.append(lanes.line(_sign(name, statuses), parents, ending))
        lanes.begin(name if left[name] else None)
    return drawn


def _sign(name: str, statuses: Statuses) -> str:
    return _SIGNS[statuses[name].state if name in statuses else None]


class _Lanes:
    """The lanes of one line after the other: whose each is, and where the last node was put."""

    def __init__(self) -> None:
        self._owners: list[str | None] = []
        # Straight below something means to be its child: a lane that ended in the line above is not free yet.
        self._just_ended: set[int] = set()
        self._own = 0

    def line(self, sign: str, parents: Sequence[str], ending: set[str]) -> str:
        """Draw a node beside the lanes, joined to those of its parents; lanes that end here become free."""
        joined = [lane for lane, owner in enumerate(self._owners) if owner in parents]
        ends = [lane for lane in joined if self._owners[lane] in ending]
        self._own = ends[0] if ends else self._free()
        text = self._joined(sign, joined, ending)
        for lane in ends:
            self._owners[lane] = None
        self._just_ended = set(ends)
        return text

    def _joined(self, sign: str, joined: Sequence[int], ending: set[str]) -> str:
        first, last = min([*joined, self._own]), max([*joined, self._own])
        text = ""
        for lane, owner in enumerate(self._owners):
            if lane == self._own:
                text += sign
            elif lane in joined:
                text += _JOINTS[owner not in ending, lane > first, lane < last]
            elif owner is not None:
                text += "│"
            else:
                text += _filled(first < lane < last)
            text += _filled(first <= lane < last)
        return text.rstrip()

    def begin(self, name: str | None) -> None:
        """Give the last node the lane that it was put in, when it has children."""
        self._owners[self._own] = name
        self._just_ended.add(self._own)

    def _free(self) -> int:
        for lane, owner in enumerate(self._owners):
            if owner is None and lane not in self._just_ended:
                return lane
        self._owners.append(None)
        return len(self._owners) - 1


def _filled(across: bool) -> str:
    return "─" if across else " "
