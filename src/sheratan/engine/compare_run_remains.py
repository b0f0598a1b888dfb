"""What is left of runs that were pruned, against the journal: what their entries say, and no more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sheratan.contracts.ids import parse_run_id
from sheratan.contracts.journal import Entry
from sheratan.engine.problems import Problems
from sheratan.kernel.new_facts import PrunedFact
from sheratan.kernel.retention import OTHER_RUNS, scope_of_run
from sheratan.kernel.run_facts import NodeJobFact, RunEnded
from sheratan.store.port import Reader
from sheratan.store.retention_rows import RunRemains

__all__ = ["RunRemainsRows"]

_RUN_FACTS = ("id", "tenant", "workflow", "created_us", "parent")
_RESULT_FACTS = ("state", "finished_us", "entry")


class RunRemainsRows:
    """Compares what stands in place of a run's rows when they are not there because the run was pruned.

    As with jobs, the rows are read first: what is not there by then has left its remains.
    """

    def __init__(self, reader: Reader, problems: Problems) -> None:
        self._reader = reader
        self._problems = problems

    def gone(self, numbers: Iterable[int]) -> dict[int, RunRemains]:
        """What is left of those of these runs that were pruned."""
        wanted = list(numbers)
        return {left.number: left for left in self._reader.run_remains(wanted)} if wanted else {}

    def take_runs(self, entries: Sequence[Entry], stand: Collection[int]) -> list[Entry]:
        """The entries of runs that were not pruned; what is left of the others is compared with theirs."""
        remains = self.gone(entry.data["number"] for entry in entries if entry.data["number"] not in stand)
        for entry in entries:
            left = remains.get(entry.data["number"])
            if left is not None:
                parent = entry.data.get("parent")
                above = None if parent is None else parse_run_id(parent).number
                said = (entry.subject, entry.tenant, entry.data["workflow"], entry.at, above)
                stands = (left.id, left.tenant, left.workflow, left.created_us, left.parent)
                self._problems.differ_in(f"pruned_run {left.number}", entry.seq, _RUN_FACTS, said, stands)
        return [entry for entry in entries if entry.data["number"] not in remains]

    def take_ends(self, facts: Sequence[RunEnded], stand: Collection[int]) -> list[RunEnded]:
        """The ends of runs that were not pruned; what is left of the others is compared with these facts."""
        remains = self.gone(fact.number for fact in facts if fact.number not in stand)
        for fact in facts:
            left = remains.get(fact.number)
            if left is not None:
                said, stands = (
                    (fact.state, fact.finished_us, fact.entry),
                    (left.state, left.finished_us, left.entry),
                )
                self._problems.differ_in(f"pruned_run {left.number}", fact.entry, _RESULT_FACTS, said, stands)
        return [fact for fact in facts if fact.number not in remains]

    def take_node_jobs(
        self, facts: Sequence[NodeJobFact], stand: Collection[tuple[int, int]]
    ) -> list[NodeJobFact]:
        """The jobs of runs that were not pruned; those of the others were pruned before their runs."""
        remains = self.gone({fact.run for fact in facts if (fact.run, fact.job) not in stand})
        self._check_jobs([fact for fact in facts if fact.run in remains], remains)
        return [fact for fact in facts if fact.run not in remains]

    def _check_jobs(self, facts: Sequence[NodeJobFact], remains: dict[int, RunRemains]) -> None:
        """Jobs of runs that were pruned were so before."""
        before = {left.number: left.pruned_by for left in self._reader.remains([fact.job for fact in facts])}
        for fact in facts:
            pruned_by = remains[fact.run].pruned_by
            if before.get(fact.job, pruned_by) >= pruned_by:
                text = f"run {fact.run} was pruned, and its job {fact.job} was not, before it"
                self._problems.add("R1", text, seq=pruned_by, row=f"pruned_run {fact.run}")

    def compare_pruned(self, facts: list[PrunedFact]) -> None:
        """Runs that entries say were pruned: they left their remains and nothing else, and it was time."""
        for fact in facts:
            with self._problems.reading("pruned_run"):
                self._compare_pruned(fact)

    def _compare_pruned(self, fact: PrunedFact) -> None:
        remains = self.gone(fact.numbers)
        for number in fact.numbers:
            if number not in remains or remains[number].pruned_by != fact.entry:
                text = f"run {number} was pruned by entry {fact.entry}, and no row says so"
                self._problems.missing(f"pruned_run {number}", fact.entry, text)
        for row in self._reader.runs(fact.numbers):
            self._say(fact, f"run {row.number} was pruned, and its row stands", f"run {row.number}")
        newest_us = max((left.finished_us for left in remains.values()), default=fact.newest_us)
        if newest_us != fact.newest_us:
            text = f"the last of these runs ended at {newest_us}; the decision was told {fact.newest_us}"
            self._say(fact, text, f"pruned_run {fact.numbers[0]}")
        self._compare_needed(fact, remains)
        for left in remains.values():
            self._compare_workflow(fact, left)

    def _compare_workflow(self, fact: PrunedFact, left: RunRemains) -> None:
        scope = scope_of_run(left.workflow)
        is_meant = scope not in fact.apart if fact.scope == OTHER_RUNS else scope == fact.scope
        if left.tenant != fact.tenant or not is_meant:
            text = f"a run of {left.workflow} was pruned, for which something else is set"
            self._say(fact, text, f"pruned_run {left.number}")

    def _compare_needed(self, fact: PrunedFact, remains: dict[int, RunRemains]) -> None:
        """Nobody needed them any more: not a run that has them run, nor one that goes by what they have done."""
        above = self.gone({left.parent for left in remains.values() if left.parent is not None})
        for left in remains.values():
            if left.parent is not None and (
                left.parent not in above or above[left.parent].pruned_by >= fact.entry
            ):
                text = f"run {left.number} was pruned before run {left.parent}, which has it run"
                self._say(fact, text, f"pruned_run {left.number}")
        for source, run in self._reader.taken_from_pruned(fact.numbers):
            text = f"run {source} was pruned while run {run} was open, which has taken over nodes of it"
            self._say(fact, text, f"pruned_run {source}")

    def _say(self, fact: PrunedFact, text: str, row: str) -> None:
        self._problems.add("R1", text, seq=fact.entry, row=row)
