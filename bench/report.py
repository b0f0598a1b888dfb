"""The result as a Markdown page and as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from bench.harness import Figure, Row, Section, Target

__all__ = ["as_json", "as_markdown", "number", "targets"]

_HEAD = ("| measured | median | least to most | unit | target | met | beside | its median | ratio |",)
_RULE = ("|---|---:|---:|---|---|---|---|---:|---:|",)


def as_markdown(facts: Mapping[str, str], sections: Sequence[Section], notes: Sequence[str]) -> str:
    """The page: the machine, the targets, then every measurement."""
    lines = ["# Benchmarks", "", *notes, "", "## Machine", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", "## Targets", "", *targets(sections)]
    for section in sections:
        lines += ["", f"## {section.title}", "", *_paragraphs(section.about), "", *_HEAD, *_RULE]
        lines += [_line(row) for row in section.rows]
    return "\n".join(lines) + "\n"


def targets(sections: Sequence[Section]) -> list[str]:
    """One line per target: met or missed."""
    found = [(section, row) for section in sections for row in section.rows if row.target is not None]
    met = sum(1 for _, row in found if row.is_met)
    lines = [f"{met} of {len(found)} targets met.", ""]
    for section, row in found:
        verdict = "met" if row.is_met else "**missed**"
        lines.append(
            f"- {verdict}: {section.title}, {row.what}: {number(row.figure.median)} {row.unit}"
            f" (target {_target(row.target)})".replace("  ", " ")
        )
    return lines


def as_json(facts: Mapping[str, str], sections: Sequence[Section], notes: Sequence[str]) -> str:
    """The same for programs."""
    document: dict[str, Any] = {"machine": dict(facts), "notes": list(notes), "sections": []}
    for section in sections:
        rows = [dataclasses.asdict(row) | {"met": row.is_met} for row in section.rows]
        document["sections"].append({"title": section.title, "rows": rows})
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def number(value: float) -> str:
    """A number with as many digits as one can trust."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _line(row: Row) -> str:
    met = {None: "", True: "met", False: "**missed**"}[row.is_met]
    beside = "" if row.beside_figure is None else number(row.beside_figure.median)
    ratio = "" if row.ratio is None else f"{number(row.ratio.median)} [{_range(row.ratio)}]"
    cells = (
        row.what,
        f"**{number(row.figure.median)}**",
        _range(row.figure),
        row.unit,
        _target(row.target),
        met,
        row.beside,
        beside,
        ratio,
    )
    return "| " + " | ".join(cells) + " |"


def _target(target: Target | None) -> str:
    if target is None:
        return ""
    return ("≤ " if target.is_upper else "≥ ") + f"{target.value:,g}"


def _range(figure: Figure) -> str:
    return f"{number(figure.low)} to {number(figure.high)}"


def _paragraphs(about: str) -> list[str]:
    """A docstring without its indentation."""
    return [line.strip() for line in about.strip().splitlines()]
