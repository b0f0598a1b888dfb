"""The published page: which bugs were planted, and after how many seeds each was found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import wrap
from typing import Final, NamedTuple

from mutants.bug import Bug
from mutants.copies import Found

__all__ = ["Row", "first_words", "page", "summary"]

_WIDTH: Final = 118
_HEAD: Final = """\
# Planted bugs

The simulator runs the real engine and the real store in worlds that go wrong, and it must be able to fail. Each bug
below is planted in a copy of the sources, alone, and the simulator runs seeds 0, 1, 2, … on that copy until one
breaks a promise. `make mutants` does it again; this page is what it wrote. A run of all takes hours, so it is made in
parts, which `mutants/results.json` keeps: the last column names the commit that each bug was planted in.
"""


class Row(NamedTuple):
    """A bug and what came of it."""

    bug: Bug
    found: Found
    commit: str
    """With which sources it came to that."""

    @property
    def fails(self) -> bool:
        """Whether this bug breaks safety and was not found."""
        return self.found.seed is None and self.bug.breaks == "safety"


def page(rows: Sequence[Row], seeds: int, missing: Sequence[str] = ()) -> str:
    """The page, in Markdown; `missing` are the names of bugs that were not run."""
    lines = [
        _HEAD,
        *wrap(summary(rows, seeds), _WIDTH),
        *(["", *wrap(_not_run(missing), _WIDTH, break_on_hyphens=False)] if missing else []),
        "",
        "| Bug | What is wrong | Breaks | Found after | How it showed | Commit |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [_line(row, seeds) for row in rows]
    return "\n".join(lines) + "\n"


def _not_run(missing: Sequence[str]) -> str:
    """What is said of bugs of which this page knows nothing."""
    return f"Not run yet, or changed since they were: {len(missing)} others, which are {', '.join(missing)}."


def summary(rows: Sequence[Row], seeds: int) -> str:
    """The figures, in a sentence or two."""
    hits = sorted(row.found.seeds for row in rows if row.found.seed is not None)
    safety = [row for row in rows if row.bug.breaks == "safety"]
    safe = sum(not row.fails for row in safety)
    text = f"{len(hits)} of {len(rows)} bugs are found within {seeds} seeds; {safe} of {len(safety)} that break safety."
    if hits:
        text += f" Half of those found take {hits[(len(hits) - 1) // 2]} seeds or fewer, the last {hits[-1]}."
    return text


def first_words(text: str) -> str:
    """The first words of a violation, without what belongs to the machine that it was found on."""
    text = re.sub(r"/\S*/sheratan-simulation-[^/]*", "…", " ".join(text.split()))
    return text[:100].replace("|", "/").replace("`", "")


def _line(row: Row, seeds: int) -> str:
    bug, found, commit = row
    took = f"not within {seeds}" if found.seed is None else str(found.seeds)
    shown = f"`{found.text}`" if found.text else ""
    breaks = f"{bug.breaks}: {bug.promise}"
    return f"| {bug.name} | {bug.what} | {breaks} | {took} | {shown} | {commit} |"
