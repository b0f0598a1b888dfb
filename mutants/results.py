"""What runs have found so far, kept in a file: a run that was cut short goes on from there."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mutants.bug import Bug
from mutants.copies import ROOT, Found
from mutants.page import Row, first_words

__all__ = ["Results"]


class Results:
    """What came of each bug, by its name; written to `file` (if there is one) after each of them.

    What the file holds of a bug counts as long as the bug is planted in the same way, and by as many seeds. The
    sources may have changed since, so each result names the commit that it was found with.
    """

    def __init__(self, file: Path | None, seeds: int) -> None:
        self._file = file
        self._seeds = seeds
        self._commit = _commit()
        self._records: dict[str, dict[str, Any]] = {}
        if file is not None and file.exists():
            self._records = json.loads(file.read_text("utf-8"))

    def __contains__(self, bug: Bug) -> bool:
        record = self._records.get(bug.name)
        return record is not None and (record["bug"], record["seeds"]) == (_digest(bug), self._seeds)

    def row(self, bug: Bug) -> Row:
        """What came of a bug that has been run."""
        record = self._records[bug.name]
        return Row(bug, Found(record["seed"], record["text"]), record["commit"])

    def keep(self, bug: Bug, found: Found) -> Row:
        """Take what came of a bug; once this returns, a run that goes on need not run it again."""
        self._records[bug.name] = {
            "bug": _digest(bug),
            "seeds": self._seeds,
            "seed": found.seed,
            "text": first_words(found.text),
            "commit": self._commit,
        }
        if self._file is not None:
            beside = self._file.with_name(self._file.name + ".new")
            beside.write_text(json.dumps(self._records, indent=1, sort_keys=True) + "\n", "utf-8")
            beside.replace(self._file)
        return self.row(bug)


def _digest(bug: Bug) -> str:
    """What the bug changes, in 16 hexadecimal digits."""
    changes = json.dumps([asdict(change) for change in bug.changes])
    return hashlib.sha256(changes.encode()).hexdigest()[:16]


def _commit() -> str:
    """The commit of the sources, in short; `changed` behind it when they are not as it has them."""
    asked = ["git", "describe", "--always", "--dirty=, changed"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
