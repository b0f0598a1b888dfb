"""What the checks of mentions share: a name that must not stand in a file, and the few places where it may."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.source_tree import Fault, Unparsable, parse, python_files


@dataclass(frozen=True)
class Exemption:
    """One mention that may stay: where, of what, and why."""

    path: str
    name: str
    reason: str


@dataclass(frozen=True)
class Mention:
    """A forbidden name at a line, before exemptions are applied."""

    line: int
    name: str
    message: str


def check_mentions(
    root: Path,
    folder: str,
    mentions: Callable[[str, ast.Module], Iterator[Mention]],
    exemptions: Collection[Exemption],
) -> list[Fault]:
    """Return the mentions in every file under a folder that no exemption covers, and the exemptions of nothing."""
    faults: list[Fault] = []
    used: set[Exemption] = set()
    for path, file in python_files(root, folder):
        try:
            _, tree = parse(path, file)
        except Unparsable as unparsable:
            faults.append(unparsable.fault)
            continue
        for mention in dict.fromkeys(mentions(path, tree)):
            matching = {e for e in exemptions if (e.path, e.name) == (path, mention.name)}
            used |= matching
            if not matching:
                faults.append(Fault(path, mention.line, mention.message))
    stale = [e for e in exemptions if e not in used]
    faults += [Fault(e.path, 1, f"exemption for {e.name} matches nothing any more: remove it") for e in stale]
    return sorted(faults)
