"""The part of a unit that changes runs of workflows."""

from __future__ import annotations

from sheratan.contracts.journal import Entry
from sheratan.kernel.lifecycle import check_run_transition
from sheratan.store.run_rows import NodeJobRow, NodeRow, RunKeyRow, RunOpen, RunPlace, RunRow

__all__ = ["RunChanges"]


class RunChanges:
    """Everything about runs that one batch changes."""

    first_seq: int
    entries: list[Entry]

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[RunRow] = []
        self.run_keys: dict[tuple[str, str], RunKeyRow] = {}
        self.run_mentions: list[tuple[int, int]] = []
        """Runs, each with an entry that tells of it beside its story."""
        self.run_moves: dict[int, tuple[RunOpen | None, RunPlace]] = {}
        self.nodes: list[NodeRow] = []
        self.node_jobs: list[NodeJobRow] = []

    def count_jobs(self, before: RunOpen, after: RunOpen) -> None:
        """A run below an open one has got more jobs, by an entry of this unit: those count for both."""
        assert after == before._replace(jobs=after.jobs)
        known = self.run_moves.get(after.number)
        assert known is None or known[1] == before
        self.run_moves[after.number] = (before if known is None else known[0], after)

    def move_run(self, before: RunOpen | None, after: RunPlace) -> None:
        """Take a run from where it stands (None: it is new) to where it goes, by an entry of this unit."""
        known = self.run_moves.get(after.number)
        assert known is None or known[1] == before
        position = after.entry - self.first_seq
        assert position >= 0
        if before is None or before.state != after.state:
            source = "new" if before is None else before.state
            check_run_transition(source, after.state, self.entries[position].type)
        self.run_moves[after.number] = (before if known is None else known[0], after)
