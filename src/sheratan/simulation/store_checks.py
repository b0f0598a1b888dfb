"""What is stored, checked after a commit: by the journal's own rules, by its decisions, and by the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from sheratan.contracts.limits import Limits
from sheratan.engine.problems import Problem
from sheratan.engine.replay import Replayer
from sheratan.engine.state import State
from sheratan.engine.verify import Verifier
from sheratan.kernel.chain import Head
from sheratan.simulation.beside import faults_beside
from sheratan.simulation.kept_reads import Changes
from sheratan.simulation.model import Model
from sheratan.store.archive import Archive
from sheratan.store.port import Store
from sheratan.store.sqlite.reader import SqliteReader

__all__ = ["StoreChecks", "commits_until_look"]

_COMMITS_PER_LOOK: Final = 6
_JOBS_PER_COMMIT: Final = 12
"""With so many more jobs everything is looked at one commit later: a look takes the longer, the more jobs there are."""


def commits_until_look(head: Head, jobs: int) -> int:
    """After how many commits everything is looked at again: what one of them gets wrong mostly stays so until then.

    Drawn from the end of the journal: now after this and now after that, and in each run of a world after the same.
    """
    mean = _COMMITS_PER_LOOK + jobs // _JOBS_PER_COMMIT
    return 1 + int(head.hash[:8], 16) % (2 * mean - 1)


class StoreChecks:
    """Checks of one database, from its beginning on. What nothing was written to is as it was found before.

    With an archive the beginning is the first entry of all, without one the first that is in the journal.
    """

    def __init__(self, reader: SqliteReader, changes: Changes, archive: Archive | None = None) -> None:
        self._reader = reader
        self._changes = changes
        self._verifier, self._replayer = Verifier(reader, archive=archive), Replayer(reader)
        self._verifier.check_files()
        self._checked_at = -1
        self._memory: State | None = None

    def new_faults(self) -> Iterator[str]:
        """What was written since the last look obeys the journal's rules, and every decision can be derived again."""
        if self._checked_at != self._changes.count:
            yield from self._journal_faults(self._verifier.read_on())

    def _journal_faults(self, problems: list[Problem]) -> Iterator[str]:
        differences = self._replayer.step()
        if problems:
            yield f"verification: {problems[0].invariant} {problems[0].text}"
        if differences:
            yield f"replay: {differences[0]}"

    def faults(self, model: Model) -> Iterator[str]:
        """The journal is whole and obeys its rules, every decision can be derived again, the tables follow from it."""
        if self._checked_at != self._changes.count:
            self._checked_at, self._memory = self._changes.count, None
            yield from self._journal_faults(self._verifier.step())
        yield from faults_beside(self._reader, model)
        states = [job.state for job in model.jobs.values()]
        counts = {
            "ready": states.count("queued"),
            "timer": states.count("scheduled"),
            "waiting": states.count("waiting"),
            "lease": states.count("running"),
            "blocked": states.count("blocked"),
        }
        counts["result"] = len(states) - sum(counts.values())
        if self._reader.counts() != counts:
            yield f"the store counts {self._reader.counts()}; the model counts {counts}"

    def fresh_memory(self, limits: Limits) -> State:
        """What an engine would remember that starts with what was last checked."""
        if self._memory is None or self._memory.limits is not limits:
            # Between two batches a memory only reads.
            self._memory = State(cast(Store, self._reader), limits)
        return self._memory
