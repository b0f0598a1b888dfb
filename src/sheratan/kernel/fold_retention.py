"""The fold of entries about retention: how long jobs are kept, and which ones were pruned."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.journal import Entry
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.fold_flow import FlowFold
from sheratan.kernel.lifecycle import TERMINAL_STATES
from sheratan.kernel.new_facts import PrunedFact, RetentionFact
from sheratan.kernel.outcomes import Outcomes
from sheratan.kernel.retention import within

__all__ = ["RetentionFold"]

_NOTHING_SET = RetentionFact(None, -1, None, 0)


class RetentionFold(FlowFold):
    """What each entry about retention does, and what it must fit."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.retentions: dict[tuple[str, str], RetentionFact] = {}
        """By tenant and kind; '' stands for all kinds that nothing is set for."""
        self.pruned = Outcomes()
        """The jobs whose rows were taken out, each with how it had ended."""

    def retention_set(self, entry: Entry) -> None:
        """Somebody says how long jobs are kept."""
        key = entry.tenant, _kind_of(entry)
        known = self.retentions.get(key, _NOTHING_SET)
        self.check_previous(entry, known.entry)
        self.retentions[key] = RetentionFact(entry.data["keep_us"], entry.seq, entry.seq, known.jobs)

    def retention_pruned(self, entry: Entry) -> None:
        """Jobs were pruned: each had ended and is no dead letter, and it was time by what is set."""
        key = entry.tenant, _kind_of(entry)
        known = self.retentions.get(key, _NOTHING_SET)
        self.check_previous(entry, known.entry)
        decided = decision_of(entry)
        given = decided["input"]
        numbers = within(entry.data["numbers"], self.outcomes.newest)
        self._check_decided(entry, decided, known, len(numbers))
        for number in numbers:
            self._prune(entry, number)
        apart = frozenset(kind for tenant, kind in self.retentions if tenant == entry.tenant and kind)
        self.new.pruned.append(PrunedFact(entry.seq, *key, apart, given["newest_us"], numbers))
        self.retentions[key] = known._replace(entry=entry.seq, jobs=known.jobs + len(numbers))

    def _check_decided(self, entry: Entry, decided: dict[str, Any], known: RetentionFact, jobs: int) -> None:
        given = decided["input"]
        if decided["chosen"] != "prune":
            self.say(entry, "E14", f"{decided['chosen']} was chosen, and jobs were pruned")
        if entry.cause != known.set_entry or given["keep_us"] != known.keep_us:
            text = f"it goes by {given['keep_us']} of entry {entry.cause}; {known.keep_us} of {known.set_entry} is set"
            self.say(entry, "R1", text)
        if given["jobs"] != jobs or given["now_us"] != entry.at:
            text = (
                f"the decision was told {given['jobs']} jobs at {given['now_us']}; it is {jobs} at {entry.at}"
            )
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


def _kind_of(entry: Entry) -> str:
    return entry.subject.partition(":")[2]
