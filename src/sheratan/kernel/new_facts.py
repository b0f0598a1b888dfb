"""What entries have brought that rows must say, until it was compared with them."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, NamedTuple

from sheratan.contracts.journal import Entry
from sheratan.kernel.facts import Ended, FailedFact, FailureFact, StepFact
from sheratan.kernel.ledger_facts import OriginalFact, ResolvedFact, TransferFact
from sheratan.kernel.run_facts import NodeFact, NodeJobFact, RunEnded

__all__ = [
    "ChargeMade",
    "FactCount",
    "NewFacts",
    "PlainJobs",
    "PrunedFact",
    "RetentionFact",
    "RunSpent",
    "no_facts",
]


class PlainJobs(NamedTuple):
    """Jobs that came in with nothing unusual about them, as columns: what their rows must say.

    `lanes` are tenant, queue, kind and version; `inputs` digests; `entries` the entries, or their lines when undecoded.
    """

    numbers: list[int]
    salts: list[int]
    lanes: list[tuple[str, str, str, int]]
    priorities: list[int]
    created_us: list[int]
    options: list[list[int]]
    inputs: list[str]
    entries: list[Entry | bytes]

    def columns(self) -> tuple[list[Any], ...]:
        """The columns, whatever they hold."""
        return tuple(self)

    def add(self, *facts: Any) -> None:
        """Add one job, by its facts in the order of the columns."""
        for column, fact in zip(self.columns(), facts, strict=True):
            column.append(fact)

    def extend(self, others: PlainJobs) -> None:
        """Add other jobs."""
        for column, facts in zip(self.columns(), others.columns(), strict=True):
            column.extend(facts)

    def without(self, numbers: Container[int]) -> PlainJobs:
        """The jobs but for these."""
        places = [place for place, number in enumerate(self.numbers) if number not in numbers]
        return PlainJobs(*([column[place] for place in places] for column in self.columns()))

    def part(self, start: int, stop: int) -> PlainJobs:
        """Some of the jobs."""
        return PlainJobs(*(column[start:stop] for column in self.columns()))


class RetentionFact(NamedTuple):
    """How long jobs or runs are kept (None: for ever), by which entry, the newest one, and how many were pruned."""

    keep_us: int | None
    set_entry: int
    entry: int | None
    pruned: int


class PrunedFact(NamedTuple):
    """Jobs or runs that an entry says were pruned: by what was set for their scope, or for all but the scopes apart.

    `newest_us` is when the last of them ended, as the decision was told.
    """

    entry: int
    tenant: str
    scope: str
    apart: frozenset[str]
    newest_us: int
    numbers: list[int]


class ChargeMade(NamedTuple):
    """An attempt that costs something, as its row must say it: what was reserved for it is a transfer's."""

    number: int
    fence: int
    transfer: int
    metered: int
    worker: str | None


class RunSpent(NamedTuple):
    """What the jobs of a run might have spent in a unit, and what they did: nothing of it changes any more."""

    run: int
    unit: str
    amount: int
    reserved: int
    charged: int


class NewFacts(NamedTuple):
    """What entries have said since it was last asked, and what no later entry can change."""

    plain: PlainJobs
    submitted: list[Entry]
    ended: list[Ended]
    failures: list[FailureFact]
    steps: list[StepFact]
    failed: list[FailedFact]
    runs: list[Entry]
    runs_ended: list[RunEnded]
    nodes: list[NodeFact]
    node_jobs: list[NodeJobFact]
    pruned: list[PrunedFact]
    pruned_runs: list[PrunedFact]
    transfers: list[TransferFact]
    resolved: list[ResolvedFact]
    charges: list[ChargeMade]
    originals: list[OriginalFact]
    runs_spent: list[RunSpent]


class FactCount(NamedTuple):
    """How many rows the journal tells of, in the tables that only grow."""

    after: int = 0
    failures: int = 0
    steps: int = 0
    tags: int = 0
    failed: int = 0
    runs: int = 0
    runs_ended: int = 0
    nodes: int = 0
    node_jobs: int = 0
    transfers: int = 0
    resolved: int = 0
    charges: int = 0
    job_budgets: int = 0
    run_budgets: int = 0
    run_spenders: int = 0

    def plus(self, facts: NewFacts) -> FactCount:
        """As many, and those that these facts tell of."""
        return FactCount(
            self.after + sum(_size(entry, "after") for entry in facts.submitted),
            self.failures + len(facts.failures),
            self.steps + len(facts.steps),
            self.tags + sum(_size(entry, "tags") for entry in facts.submitted),
            self.failed + len(facts.failed),
            self.runs + len(facts.runs),
            self.runs_ended + len(facts.runs_ended),
            self.nodes + len(facts.nodes),
            self.node_jobs + len(facts.node_jobs),
            self.transfers + len(facts.transfers),
            self.resolved + len(facts.resolved),
            self.charges + len(facts.charges),
            self.job_budgets + sum(_size(entry, "budget") for entry in facts.submitted),
            self.run_budgets + sum(_size(entry, "spend") for entry in facts.runs),
            self.run_spenders + sum(_size(entry, "spends_for") for entry in facts.submitted),
        )


def _size(entry: Entry, name: str) -> int:
    value = entry.data.get(name)
    return len(value) if isinstance(value, list) else 0


def no_facts() -> NewFacts:
    """Room for facts."""
    return NewFacts(
        PlainJobs([], [], [], [], [], [], [], []),
        [],
        [],
        [],
        [],
        [],
        [],
        [],
        [],
        [],
        [],
        [],
        [],
        [],
        [],
        [],
        [],
    )
