"""What attempts at jobs have left, against the journal: how they failed, and the steps that they recorded."""

from __future__ import annotations

from sheratan.engine.compare_remains import RemainsRows
from sheratan.engine.problems import Problems, kept_digest
from sheratan.kernel.canonical import digest
from sheratan.kernel.facts import FailedFact, FailureFact, StepFact
from sheratan.store.port import Reader
from sheratan.store.rows import FailedRow, StepRow

__all__ = ["AttemptRows"]


class AttemptRows:
    """Compares failures, the search for failed jobs, and steps. What is not there may have been pruned."""

    def __init__(self, reader: Reader, problems: Problems, remains: RemainsRows) -> None:
        self._reader = reader
        self._problems = problems
        self._remains = remains

    def compare_failed(self, facts: list[FailedFact]) -> None:
        """Compare what is kept of failed jobs: the class of their error."""
        with self._problems.reading("failed_job"):
            rows = self._reader.failed_rows([FailedRow(*fact[:2]) for fact in facts])
            missing = [fact for fact in facts if fact[:2] not in rows]
            gone = self._remains.gone(fact.number for fact in missing)
            for fact in missing:
                if fact.number not in gone:
                    text = f"job {fact.number} failed with {fact.error_class}, and no row says so"
                    self._problems.missing(f"failed_job {fact.number}", fact.entry, text)

    def compare_failures(self, facts: list[FailureFact], entries: range) -> int:
        """Compare how attempts failed, by these entries: they are all that those of these jobs tell of.

        Returns how many rows there are of which no entry tells.
        """
        with self._problems.reading("failure"):
            rows = self._failures(facts)
            gone = self._remains.gone(fact.number for fact in facts if fact[:2] not in rows)
            for fact in facts:
                if fact.number not in gone:
                    self._compare_failure(fact, rows.get(fact[:2]))
            told = {fact[:2] for fact in facts}
            return self._say_strays([key for key in rows if key[1] in entries and key not in told])
        return 0

    def _failures(self, facts: list[FailureFact]) -> dict[tuple[int, int], bytes]:
        """The errors that are kept of these jobs, by job and entry."""
        rows = self._reader.failure_rows(sorted({fact.number for fact in facts}))
        return {(row.number, row.entry): row.error for row in rows}

    def _say_strays(self, strays: list[tuple[int, int]]) -> int:
        for number, entry in strays:
            text = f"job {number} has the text of a failed attempt of which no entry tells"
            self._problems.add("J5", text, row=f"failure {number}/{entry}")
        return len(strays)

    def _compare_failure(self, fact: FailureFact, error: bytes | None) -> None:
        name = f"failure {fact.number}/{fact.entry}"
        if error is None:
            text = f"the failed attempt of job {fact.number} has no error text"
            self._problems.missing(name, fact.entry, text)
        else:
            self._problems.differ_in(name, fact.entry, ("error",), (fact.digest,), (digest(error),))

    def compare_steps(self, facts: list[StepFact]) -> None:
        """Compare recorded steps; that there are no others is seen where rows are counted."""
        with self._problems.reading("step"):
            found = self._reader.step_rows([(fact.number, fact.step) for fact in facts])
            rows = {(row.number, row.step): row for row in found}
            gone = self._remains.gone(fact.number for fact in facts if fact[:2] not in rows)
            for fact in facts:
                if fact.number not in gone:
                    self._compare_step(fact, rows.get(fact[:2]))
            self._remains.check_kept("step", found)

    def _compare_step(self, fact: StepFact, row: StepRow | None) -> None:
        name = f"step {fact.number}/{fact.step}"
        if row is None:
            text = f"step {fact.step} of job {fact.number} has no row"
            self._problems.missing(name, fact.entry, text)
        else:
            stands = StepFact(*row[:5], kept_digest(row.output, row.payload), row.entry)
            self._problems.differ_in(name, fact.entry, StepFact._fields, fact, stands)
