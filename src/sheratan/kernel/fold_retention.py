"""The fold of entries about retention: how long jobs and runs are kept, and which ones were pruned."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.journal import Entry
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.fold_flow import FlowFold
from sheratan.kernel.lifecycle import TERMINAL_STATES
from sheratan.kernel.new_facts import PrunedFact, RetentionFact
from sheratan.kernel.outcomes import Outcomes
from sheratan.kernel.retention import is_of_runs, within

__all__ = ["RetentionFold"]

_NOTHING_SET = RetentionFact(None, -1, None, 0)


class RetentionFold(FlowFold):
    """What each entry about retention does, and what it must fit."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.retentions: dict[tuple[str, str], RetentionFact] = {}
        """By tenant and scope."""
        self.pruned = Outcomes()
        """The jobs whose rows were taken out, each with how it had ended."""
        self.pruned_runs = Outcomes()
        """The runs whose rows were taken out; of these it says no more than that."""

    def retention_set(self, entry: Entry) -> None:
        """Somebody says how long jobs or runs are kept."""
        key = entry.tenant, _scope_of(entry)
        known = self.retentions.get(key, _NOTHING_SET)
        self.check_previous(entry, known.entry)
        self.retentions[key] = RetentionFact(entry.data["keep_us"], entry.seq, entry.seq, known.pruned)

    def retention_pruned(self, entry: Entry) -> None:
        """Jobs were pruned: each had ended and is no dead letter, and it was time by what is set."""
        fact = self._pruned_by(entry, "jobs", self.outcomes.newest)
        for number in fact.numbers:
            self._prune(entry, number)
        self.new.pruned.append(fact)

    def retention_runs_pruned(self, entry: Entry) -> None:
        """Runs were pruned: each had ended and is not the last one of a schedule, and it was time by what is set."""
        fact = self._pruned_by(entry, "runs", self.newest_run)
        still_open = {run.number for run in self.runs.values()}
        scheduled = {one.last_run for one in self.schedules.values() if one.state != "deleted"}
        for number in fact.numbers:
            if number in still_open:
                self.say(entry, "R1", f"run number {number} was pruned, and it has not ended")
            if number in scheduled:
                self.say(entry, "R1", f"run number {number} was pruned, and it is the last one of a schedule")
            if self.pruned_runs.get(number):
                self.say(entry, "R1", f"run number {number} was pruned before")
            self.pruned_runs.put(number, "succeeded")
        self.new.pruned_runs.append(fact)

    def _pruned_by(self, entry: Entry, what: str, newest: int) -> PrunedFact:
        """Jobs or runs, as the decision calls them, were pruned by what is set for them."""
        key = entry.tenant, _scope_of(entry)
        known = self.retentions.get(key, _NOTHING_SET)
        self.check_previous(entry, known.entry)
        decided, numbers = decision_of(entry), within(entry.data["numbers"], newest)
        self._check_decided(entry, decided, known, (what, len(numbers)))
        if is_of_runs(key[1]) != (what == "runs"):
            self.say(entry, "R1", f"{entry.subject} says nothing of {what}")
        apart = frozenset(scope for tenant, scope in self.retentions if tenant == entry.tenant and scope)
        self.retentions[key] = known._replace(entry=entry.seq, pruned=known.pruned + len(numbers))
        return PrunedFact(entry.seq, *key, apart, decided["input"]["newest_us"], numbers)

    def _check_decided(
        self, entry: Entry, decided: dict[str, Any], known: RetentionFact, pruned: tuple[str, int]
    ) -> None:
        given, (what, count) = decided["input"], pruned
        if decided["chosen"] != "prune":
            self.say(entry, "E14", f"{decided['chosen']} was chosen, and {what} were pruned")
        if entry.cause != known.set_entry or given["keep_us"] != known.keep_us:
            text = f"it goes by {given['keep_us']} of entry {entry.cause}; {known.keep_us} of {known.set_entry} is set"
            self.say(entry, "R1", text)
        if given[what] != count or given["now_us"] != entry.at:
            text = f"the decision was told {given[what]} {what} at {given['now_us']}; it is {count} at {entry.at}"
            self.say(entry, "R1", text)

    def _prune(self, entry: Entry, number: int) -> None:
        outcome = self.outcomes.get(number)
        if outcome not in TERMINAL_STATES:
            self.say(entry, "R1", f"job number {number} was pruned, and it has not ended")
            return
        if number in self.dead:
            self.say(entry, "R1", f"job number {number} was pruned, and it is a dead letter")
        if self.pruned.get(number):
            self.say(entry, "R1", f"job number {number} was pruned before")
        self.pruned.put(number, outcome)


def _scope_of(entry: Entry) -> str:
    return entry.subject.partition(":")[2]
