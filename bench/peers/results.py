"""What the runs of the peers came to: as a table, as a chart, and for programs."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.chart import Bar, Panel, as_svg
from bench.harness import Figure, Samples, figure, ratio
from bench.peers.peer import Peer
from bench.peers.suites import Suite
from bench.report import number

__all__ = ["Result", "as_block", "as_chart", "as_json"]

_MEASURES = {
    "submit": "submit, jobs/s",
    "bulk": "in bulk, jobs/s",
    "drain": "drain, jobs/s",
    "p50": "start p50, ms",
    "p99": "p99, ms",
    "workers": "workers, MB",
    "server": "server, MB",
}
_WITH_RANGE = ("submit", "drain")
_RATIOS = {"drain": "Sheratan's drain over it", "submit": "Sheratan's submit over it"}


@dataclass
class Result:
    """A peer's figures, and ours of the run beside each of its own.

    `reason` is why there are none, or no more.
    """

    peer: Peer
    version: str
    samples: Samples = field(default_factory=dict)
    ours: Samples = field(default_factory=dict)
    server_version: str = ""
    reason: str = ""

    def add(self, figures: Mapping[str, float], ours: Mapping[str, float]) -> None:
        """Take the figures of one round."""
        for name, value in figures.items():
            self.samples.setdefault(name, []).append(value)
        for name, value in ours.items():
            self.ours.setdefault(name, []).append(value)

    def figure(self, measure: str) -> Figure | None:
        """One measure over the rounds."""
        values = self.samples.get(measure)
        return figure(values) if values else None

    def ratio(self, measure: str) -> Figure | None:
        """Ours over it, pair by pair."""
        if measure not in self.samples or measure not in self.ours:
            return None
        return ratio(self.ours[measure], self.samples[measure])


def as_block(
    machine: Mapping[str, str], results: Sequence[Result], notes: Sequence[str], suite: Suite
) -> str:
    """The section of the page."""
    lines = [
        f"## {suite.title}",
        "",
        *notes,
        "",
        f"![Drain, submit and start of {len(results)} queues]({suite.chart})",
        "",
    ]
    lines += [f"- {name}: {value}" for name, value in machine.items()]
    head = ["queue", "version", "jobs are kept in", *_MEASURES.values(), *_RATIOS.values()]
    lines += ["", _line(head), _line(["---"] * 3 + ["---:"] * (len(head) - 3))]
    lines += [_line(_cells(result)) for result in results]
    lines += ["", "How each is run:", ""]
    lines += [f"- {result.peer.name}: {_how(result)}." for result in results]
    return "\n".join(lines) + "\n"


def as_chart(results: Sequence[Result], when: str, suite: Suite) -> str:
    """Three panels, the best drain on top."""
    order = sorted(results, key=lambda result: -statistics.median(result.samples.get("drain", [0.0])))
    panels = (
        Panel("Drain", "jobs/s", _bars(order, "drain"), is_log=True, hint="longer is better"),
        Panel(
            "Submit, one after the other", "durable jobs/s", _bars(order, "submit"), hint="longer is better"
        ),
        Panel(
            "Submit to start on an idle system, p50",
            "ms",
            _bars(order, "p50"),
            is_log=True,
            hint="shorter is better",
        ),
    )
    return as_svg(f"Sheratan: {suite.title.lower()}", f"{suite.jobs}. {when}", panels)


def as_json(machine: Mapping[str, str], results: Sequence[Result], notes: Sequence[str]) -> str:
    """The same for programs, with every sample."""
    peers: list[dict[str, Any]] = []
    for result in results:
        peer = {name: value for name, value in dataclasses.asdict(result.peer).items() if name != "workers"}
        row = {
            name: getattr(result, name) for name in ("version", "server_version", "reason", "samples", "ours")
        }
        peers.append(row | {"peer": peer})
    document = {"machine": dict(machine), "notes": list(notes), "peers": peers}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _bars(results: Sequence[Result], measure: str) -> list[Bar]:
    bars: list[Bar] = []
    for result in results:
        found = result.figure(measure)
        value = None if found is None else found.median
        bars.append(Bar(result.peer.name, value, result.peer.is_ours, result.reason or result.peer.lacks))
    return bars


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cells(result: Result) -> list[str]:
    cells = [result.peer.name, result.version, result.peer.stores]
    if not result.samples:
        return [*cells, result.reason or "not run", *[""] * (len(_MEASURES) + len(_RATIOS) - 1)]
    for measure in _MEASURES:
        found = result.figure(measure)
        cells.append("-" if found is None else _figure(found, measure))
    for measure in _RATIOS:
        times = result.ratio(measure)
        cells.append(
            "" if times is None else f"{number(times.median)} [{number(times.low)} to {number(times.high)}]"
        )
    return cells


def _figure(found: Figure, measure: str) -> str:
    if measure not in _WITH_RANGE:
        return number(found.median)
    return f"**{number(found.median)}** [{number(found.low)} to {number(found.high)}]"


def _how(result: Result) -> str:
    parts = [result.peer.settings, result.server_version, result.peer.lacks, result.reason]
    if result.samples and "bulk" not in result.samples:
        parts.append("no call for many jobs at once")
    return "; ".join(filter(None, parts))
