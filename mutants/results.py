"""What a run has found so far, kept in a file: a run that was cut short goes on from there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from mutants.bug import Bug
from mutants.copies import ROOT, Found
from mutants.page import Row

__all__ = ["Results", "digest_of_sources"]


class Results:
    """What came of each bug, by its name; written to `file` (if there is one) after each of them.

    What the file holds already counts when it was found in the same sources, with the same bugs, by as many seeds;
    else it is written anew.
    """

    def __init__(self, file: Path | None, seeds: int) -> None:
        self._file = file
        self._head = {"sources": digest_of_sources(), "seeds": seeds}
        self._records: dict[str, dict[str, Any]] = {}
        if file is not None and file.exists():
            held = json.loads(file.read_text("utf-8"))
            if {name: held[name] for name in self._head} == self._head:
                self._records = {record["name"]: record for record in held["bugs"]}

    def __contains__(self, bug: Bug) -> bool:
        return bug.name in self._records

    def row(self, bug: Bug) -> Row:
        """What came of a bug that has been run."""
        record = self._records[bug.name]
        return Row(bug, Found(record["seed"], record["text"]))

    def keep(self, row: Row) -> None:
        """Take what came of a bug; once this returns, a run that goes on need not run it again."""
        bug, found = row
        self._records[bug.name] = {
            "name": bug.name,
            "what": bug.what,
            "breaks": bug.breaks,
            "promise": bug.promise,
            "seed": found.seed,
            "text": found.text,
        }
        if self._file is not None:
            text = json.dumps(self._head | {"bugs": list(self._records.values())}, indent=2) + "\n"
            beside = self._file.with_name(self._file.name + ".new")
            beside.write_text(text, "utf-8")
            beside.replace(self._file)


def digest_of_sources() -> str:
    """SHA-256 of all that a result depends on: the sources and the bugs."""
    digest = hashlib.sha256()
    for file in sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "mutants").rglob("*.py")]):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(ROOT)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
