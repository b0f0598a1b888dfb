"""A planted bug: a change of the sources that breaks a promise, and how it is put into a copy of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Breaks", "Bug", "Change", "Rotten", "planted"]

Breaks = Literal["safety", "liveness", "explanation"]
"""What somebody would suffer from: something wrong, something that never happens, or a record that says it wrong."""


@dataclass(frozen=True)
class Change:
    """A text that stands exactly once in a file below `src/sheratan`, and what replaces it."""

    file: str
    before: str
    after: str


@dataclass(frozen=True)
class Bug:
    """One planted bug. `promise` is what it breaks: an id of RELIABILITY's invariants, or the page that promises it."""

    name: str
    what: str
    breaks: Breaks
    promise: str
    changes: tuple[Change, ...]


class Rotten(Exception):
    """The sources have moved on: a text that a bug replaces is not there exactly once any more."""


def planted(bug: Bug, package: Path) -> dict[Path, str]:
    """The new text of each file that a bug changes in the package `sheratan` at this path. Nothing is written."""
    texts: dict[Path, str] = {}
    for change in bug.changes:
        file = package / change.file
        text = texts[file] if file in texts else file.read_text("utf-8")
        count = text.count(change.before)
        if count != 1:
            first = change.before.strip().partition("\n")[0]
            raise Rotten(f"{bug.name}: {first!r} stands {count} times in {change.file}, not once")
        texts[file] = text.replace(change.before, change.after)
    return texts
