"""A workflow as an SVG image: boxes in layers, lines from each node to its children. It needs nothing beside itself."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from sheratan.contracts.workflows import Node, NodeState, Workflow
from sheratan.kernel.graph import graph_of
from sheratan.kernel.picture import Statuses, describe_state, describe_work, notes, shorten
from sheratan.kernel.picture_layout import Layout, Slot, lay_out

__all__ = ["draw_svg"]

_CHARACTERS_MIN: Final = 12
_CHARACTERS_MAX: Final = 24
_CHARACTER: Final = 7.8  # the advance of 13 px monospace, which each line is also told to keep to
_LINE: Final = 18.0
_PADDING: Final = 12.0
_SIGN: Final = 18.0
_GAP_ACROSS: Final = 28.0
_GAP_LAYERS: Final = 54.0
_MARGIN: Final = 20.0
_STACK: Final = 4.0
_WIDTH_GOOD: Final = 1_200.0
"""Up to here layers go down the page; a wider drawing is turned, so that they go to the right, if that is narrower."""

_STYLE: Final = """<style>
  .back { fill: #ffffff } .box { fill: #f6f8fa; stroke: #818b98; stroke-width: 1.2 } .if { stroke-dasharray: 5 3 }
  .line { fill: none; stroke: #818b98; stroke-width: 1.3 } .tip { fill: #818b98 }
  text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328 }
  .name { font-weight: 600 } .faint { fill: #59636e }
  .sign { fill: none; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round }
  .waiting { stroke: #59636e } .running { stroke: #0969da } .succeeded { stroke: #1a7f37 } .failed { stroke: #cf222e }
  .cancelled { stroke: #9a6700 } .skipped { stroke: #818b98 } .undone { stroke: #8250df }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0d1117 } .box { fill: #151b23; stroke: #656c76 } .line { stroke: #656c76 } .tip { fill: #656c76 }
    text { fill: #f0f6fc } .faint { fill: #9198a1 }
    .waiting { stroke: #9198a1 } .running { stroke: #4493f8 } .succeeded { stroke: #3fb950 }
    .failed { stroke: #f85149 } .cancelled { stroke: #d29922 } .skipped { stroke: #656c76 }
    .undone { stroke: #ab7df8 }
  }
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">\
<path class="tip" d="M0 0.5 8 4 0 7.5z"/></marker></defs>
"""

# How a state looks: its colour, and a sign within 12 by 12.
_LOOKS: Final[dict[NodeState, tuple[str, str]]] = {
    "blocked": ("waiting", "M3.5 2v8M8.5 2v8"),
    "scheduled": ("waiting", "M6 1a5 5 0 1 0 .01 0zM6 3.5V6l2 1.5"),
    "queued": ("waiting", "M2 3h8M2 6h8M2 9h8"),
    "waiting": ("waiting", "M2 2h8M2 10h8M3 2l3 4 3-4M3 10l3-4 3 4"),
    "running": ("running", "M3 1.5 10 6 3 10.5z"),
    "succeeded": ("succeeded", "M1.5 6.5 5 10 10.5 2.5"),
    "failed": ("failed", "M2 2 10 10M10 2 2 10"),
    "cancelled": ("cancelled", "M6 1a5 5 0 1 0 .01 0zM2.5 9.5 9.5 2.5"),
    "skipped": ("skipped", "M2 2 6 6 2 10M6.5 2 10.5 6 6.5 10"),
    "compensating": ("undone", "M5 1.5 1.5 5 5 8.5M1.5 5H7a3 3 0 0 1 3 3"),
    "compensated": ("undone", "M5 1.5 1.5 5 5 8.5M1.5 5H7a3 3 0 0 1 0 6H5"),
}


def draw_svg(workflow: Workflow, statuses: Statuses | None = None) -> str:
    """The image, for light and dark pages. What does not fit into a box is shortened, and whole in its title."""
    known = statuses or {}
    layout = lay_out(graph_of(workflow))
    sheet = _sheet(workflow, known, layout)
    title = _escaped(f"Workflow {workflow.name}")
    description = f"<desc>{_escaped(workflow.description)}</desc>\n" if workflow.description else ""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {sheet.width:.0f} {sheet.height:.0f}"'
        f' width="{sheet.width:.0f}" height="{sheet.height:.0f}" role="img" aria-label="{title}">\n',
        f"<title>{title}</title>\n{description}{_STYLE}",
        '<rect class="back" width="100%" height="100%" rx="6"/>\n',
        *(_line(sheet, upper, lower) for upper, lower in layout.connections),
        *(_box(sheet, node, known) for node in workflow.nodes),
        "</svg>\n",
    ]
    return "".join(parts)


class _Sheet(NamedTuple):
    """Sizes in pixels, and the way from a slot to its place."""

    width: float
    height: float
    box_width: float
    box_height: float
    characters: int
    sideways: bool
    layout: Layout

    def corner(self, slot: Slot) -> tuple[float, float]:
        """The upper left corner of the box that would stand at a slot."""
        across, layer = self.layout.across[slot], slot.layer
        if self.sideways:
            x, y = layer * (self.box_width + _GAP_LAYERS), across * (self.box_height + _GAP_ACROSS)
        else:
            x, y = across * (self.box_width + _GAP_ACROSS), layer * (self.box_height + _GAP_LAYERS)
        return x + _MARGIN, y + _MARGIN

    def ends(self, slot: Slot) -> tuple[tuple[float, float], tuple[float, float]]:
        """Where a line enters the place of a slot, and where it leaves it."""
        x, y = self.corner(slot)
        if self.sideways:
            middle = y + self.box_height / 2
            return (x, middle), (x + self.box_width, middle)
        middle = x + self.box_width / 2
        return (middle, y), (middle, y + self.box_height)


def _sheet(workflow: Workflow, statuses: Statuses, layout: Layout) -> _Sheet:
    texts = [text for node in workflow.nodes for text in _texts(node, statuses)]
    characters = min(max(_CHARACTERS_MIN, *map(len, texts)), _CHARACTERS_MAX)
    rows = max(len(_texts(node, statuses)) for node in workflow.nodes)
    box_width = characters * _CHARACTER + _SIGN + 2 * _PADDING
    box_height = rows * _LINE + _PADDING
    across, layers = max(layout.across.values()), max(layout.layers.values())
    down = (across + 1) * (box_width + _GAP_ACROSS), (layers + 1) * (box_height + _GAP_LAYERS)
    right = (layers + 1) * (box_width + _GAP_LAYERS), (across + 1) * (box_height + _GAP_ACROSS)
    sideways = down[0] > _WIDTH_GOOD and right[0] < down[0]
    width, height = right if sideways else down
    spare = (_GAP_LAYERS, _GAP_ACROSS) if sideways else (_GAP_ACROSS, _GAP_LAYERS)
    edge = 2 * _MARGIN + _STACK
    return _Sheet(
        width - spare[0] + edge, height - spare[1] + edge, box_width, box_height, characters, sideways, layout
    )


def _texts(node: Node, statuses: Statuses) -> list[str]:
    """The lines of a box, one under the other; empty ones are left out."""
    status = statuses.get(node.name)
    said = [node.name, describe_work(node), " · ".join(notes(node, status)), describe_state(status)]
    return [text for text in said if text]


def _box(sheet: _Sheet, node: Node, statuses: Statuses) -> str:
    texts = _texts(node, statuses)
    x, y = sheet.corner(Slot(node.name, sheet.layout.layers[node.name]))
    status = statuses.get(node.name)
    colour, sign = _LOOKS[status.state] if status else ("", "")
    classes = " ".join(filter(None, ["box", colour, "if" if node.when is not None else ""]))
    frame = f'width="{sheet.box_width:.1f}" height="{sheet.box_height:.1f}" rx="6"/>'
    parts = [f"<g><title>{_escaped(' · '.join(texts))}</title>"]
    if node.for_each is not None:
        parts.append(f'<rect class="{classes}" x="{x + _STACK:.1f}" y="{y + _STACK:.1f}" {frame}')
    parts.append(f'<rect class="{classes}" x="{x:.1f}" y="{y:.1f}" {frame}')
    for number, text in enumerate(texts):
        style = ' class="name"' if number == 0 else ' class="faint"'
        short = shorten(text, sheet.characters)
        baseline = y + _PADDING / 2 + (number + 0.72) * _LINE
        parts.append(
            f'<text{style} x="{x + _PADDING:.1f}" y="{baseline:.1f}"'
            f' textLength="{len(short) * _CHARACTER:.1f}">{_escaped(short)}</text>'
        )
    if status:
        place = f"translate({x + sheet.box_width - _PADDING - 12:.1f} {y + _PADDING / 2 + 3:.1f})"
        parts.append(f'<path class="sign {colour}" transform="{place}" d="{sign}"/>')
    return "".join([*parts, "</g>\n"])


def _line(sheet: _Sheet, upper: Slot, lower: Slot) -> str:
    """A bow from one slot to the next, and straight on where it only passes through."""
    (_, start), (end, beyond) = sheet.ends(upper), sheet.ends(lower)
    middle_x, middle_y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    # It leaves and arrives in the direction of the layers.
    if sheet.sideways:
        bends = f"{middle_x:.1f} {start[1]:.1f} {middle_x:.1f} {end[1]:.1f}"
    else:
        bends = f"{start[0]:.1f} {middle_y:.1f} {end[0]:.1f} {middle_y:.1f}"
    arrives = sheet.layout.layers[lower.name] == lower.layer
    rest = ' marker-end="url(#tip)"' if arrives else ""
    on = "" if arrives else f"L{beyond[0]:.1f} {beyond[1]:.1f}"
    path = f"M{start[0]:.1f} {start[1]:.1f}C{bends} {end[0]:.1f} {end[1]:.1f}{on}"
    return f'<path class="line"{rest} d="{path}"/>\n'


def _escaped(text: str) -> str:
    """Text for XML 1.0, which cannot hold control characters at all."""
    plain = re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
