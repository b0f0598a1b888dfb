"""A chart of bars as one SVG, written by hand: readable in light and dark, and every bar says its value."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from bench.report import number

__all__ = ["Bar", "Panel", "Scale", "as_svg"]

WIDTH = 820
LABEL_WIDTH = 210
VALUE_WIDTH = 110
MARGIN = 16
ROW = 19
BAR = 12
HEAD = 46
FOOT = 26
NOTE_LENGTH = 80

_STYLE = """
  .back { fill: #ffffff } .text { fill: #1f2328 } .faint { fill: #59636e } .grid { stroke: #d1d9e0 }
  .ours { fill: #0969da } .theirs { fill: #9198a1 }
  text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif } .title { font-size: 15px; font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0d1117 } .text { fill: #f0f6fc } .faint { fill: #9198a1 } .grid { stroke: #3d444d }
    .ours { fill: #4493f8 } .theirs { fill: #656c76 }
  }
"""


@dataclass(frozen=True)
class Bar:
    """One line of a panel. Without a value, `note` says why there is none."""

    label: str
    value: float | None
    is_ours: bool = False
    note: str = ""


@dataclass(frozen=True)
class Panel:
    """Bars of one measure; `hint` says which end is good."""

    title: str
    unit: str
    bars: Sequence[Bar]
    is_log: bool = False
    hint: str = ""


class Scale:
    """From values to widths: linear from 0, or logarithmic between whole powers of ten."""

    def __init__(self, values: Sequence[float], width: float, *, is_log: bool) -> None:
        positive = [value for value in values if value > 0] or [1.0]
        self._width = width
        self._is_log = is_log
        self._low = math.floor(math.log10(min(positive))) if is_log else 0.0
        if is_log and 10.0**self._low == min(positive):
            self._low -= 1  # or the smallest would have no length
        self._high = max(math.ceil(math.log10(max(positive))), self._low + 1) if is_log else max(positive)

    def width(self, value: float) -> float:
        """How long the bar of a value is."""
        if value <= 0:
            return 0.0
        at = math.log10(value) if self._is_log else value
        return self._width * (at - self._low) / (self._high - self._low)

    def ticks(self) -> list[float]:
        """Where lines are drawn."""
        if self._is_log:
            return [10.0**power for power in range(int(self._low), int(self._high) + 1)]
        step = 10.0 ** math.floor(math.log10(self._high))
        if self._high / step < 2:
            step /= 5
        elif self._high / step < 5:
            step /= 2
        return [index * step for index in range(int(self._high / step) + 1)]


def as_svg(title: str, description: str, panels: Sequence[Panel]) -> str:
    """The chart. Its own background makes it readable on any page."""
    heights = [HEAD + ROW * len(panel.bars) + FOOT for panel in panels]
    height = sum(heights) + 2 * MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
        f' height="{height}" role="img" aria-label={quoteattr(title)}>',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(description)}</desc>",
        f"<style>{_STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{height}" rx="6"/>',
    ]
    top = float(MARGIN)
    for panel, taken in zip(panels, heights, strict=True):
        lines += _panel(panel, top)
        top += taken
    return "\n".join([*lines, "</svg>"]) + "\n"


def _panel(panel: Panel, top: float) -> Iterator[str]:
    width = WIDTH - LABEL_WIDTH - VALUE_WIDTH - 2 * MARGIN
    scale = Scale([bar.value for bar in panel.bars if bar.value], width, is_log=panel.is_log)
    left = MARGIN + LABEL_WIDTH
    first, last = top + HEAD, top + HEAD + ROW * len(panel.bars)
    yield _text(MARGIN, top + 16, panel.title, "text title")
    words = [panel.unit, "logarithmic scale" if panel.is_log else "", panel.hint]
    yield _text(MARGIN, top + 33, ", ".join(filter(None, words)), "faint")
    for tick in scale.ticks():
        x = left + scale.width(tick)
        yield f'<line class="grid" x1="{x:.1f}" y1="{first - 2:.1f}" x2="{x:.1f}" y2="{last:.1f}"/>'
        yield _text(x, last + 14, _tick(tick), "faint", anchor="middle")
    for index, bar in enumerate(panel.bars):
        yield from _bar(bar, scale, left, first + index * ROW)


def _bar(bar: Bar, scale: Scale, left: float, y: float) -> Iterator[str]:
    yield _text(left - 8, y + 11, bar.label, "text", anchor="end")
    if bar.value is None:
        yield _text(left + 6, y + 11, textwrap.shorten(bar.note, NOTE_LENGTH, placeholder=" ..."), "faint")
        return
    width = max(1.0, scale.width(bar.value))
    kind = "ours" if bar.is_ours else "theirs"
    yield f'<rect class="{kind}" x="{left}" y="{y + 1:.1f}" width="{width:.1f}" height="{BAR}" rx="2"/>'
    yield _text(left + width + 6, y + 11, number(bar.value), "text")


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _tick(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 or value == 0 else f"{value:g}"
