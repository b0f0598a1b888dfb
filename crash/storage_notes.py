"""What callers of the battery asked and were told: kept, so that what was promised can be looked for."""

from __future__ import annotations

import json
import os
from pathlib import Path

from crash.history import History
from sheratan.kernel.chain import Head

__all__ = ["SHORT", "Notes"]

SHORT = "short"
"""The kind of jobs that are not kept for long: nobody asks for one of them again."""


class Notes:
    """What callers asked and were told. With a `log` it is kept in files, for whoever outlives the one who notes."""

    def __init__(self, log: Path | None = None, *, before: Notes | None = None) -> None:
        self.history = History(log)
        self.jobs: list[str] = list(before.jobs) if before else []
        """The ids that were given, in the order of the answers."""
        self.submitted: list[str] = list(before.submitted) if before else []
        """Those of them that submissions gave: what is kept in the log, so that whoever repeats a step finds them."""
        self.seq = before.seq if before else 0
        self.head = before.head if before else ""
        """The journal's end after the last answer: the next number, and the hash of the last entry."""
        self.step = before.step if before else 0
        """The step of the script that was begun last."""
        self._ends = (
            None if log is None else os.open(_ends_of(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        )

    @property
    def known(self) -> Head | None:
        """The head that a caller knows, as the verification takes it."""
        return Head(self.seq, self.head) if self.seq else None

    def note_end(self, seq: int, head: str) -> None:
        """Note the end of the journal that an answer stands on. What was once told stays told."""
        if seq >= self.seq:
            self.seq, self.head = seq, head
            self._write()

    def begin(self, step: int) -> None:
        """Note that a step of the script begins."""
        self.step = step
        self._write()

    def close(self) -> None:
        """Give the files back."""
        self.history.close()
        if self._ends is not None:
            os.close(self._ends)

    @classmethod
    def read(cls, *logs: Path) -> Notes:
        """The notes that several have written, one after the other."""
        notes = cls()
        notes.history = History.read(*logs)
        submitted = notes.history.acknowledged("submit")
        notes.submitted = [call.answer for call in submitted if call.given["kind"] != SHORT]
        notes.jobs = list(notes.submitted)
        for log in logs:
            for line in _ends_of(log).read_text("ascii").splitlines(keepends=True):
                if line.endswith("\n"):
                    notes.seq, notes.head, notes.step = json.loads(line)
        return notes

    def _write(self) -> None:
        if self._ends is not None:
            os.write(self._ends, json.dumps([self.seq, self.head, self.step]).encode() + b"\n")


def _ends_of(log: Path) -> Path:
    return log.with_name(f"{log.name}.ends")
