"""The fold of entries about queues and kinds: what is set for them, and how much of their limits is used."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.journal import Entry
from sheratan.kernel.facts import FlowFact, OpenJob, Violation
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.fold_dead import DeadFold
from sheratan.kernel.rate import UNPACED, Pace, Rate, advance, earliest_us, refit

__all__ = ["FlowFold", "limit_columns"]

Key = tuple[str, str]
"""A tenant, and `queue:NAME` or `kind:NAME`."""


def limit_columns(told: dict[str, Any]) -> tuple[int, int, int, int, int]:
    """The limits that an entry tells of: concurrency, the three numbers of the rate, weight; 0 is no limit."""
    count, period_us, burst = told.get("rate", (0, 0, 0))
    return told.get("concurrency", 0), count, period_us, burst, told.get("weight", 1)


class FlowFold(DeadFold):
    """What each entry about a queue or a kind does, and whether leases keep to what is set."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.flows: dict[Key, FlowFact] = {}
        self.paces: dict[Key, Pace] = {}
        self._started: dict[Key, set[int]] = {}
        """Of queues and kinds with a concurrency, the jobs that run, and some that have ended."""

    def flow_set(self, entry: Entry) -> None:
        """A queue or a kind was paused, resumed or limited."""
        key, data = (entry.tenant, entry.subject), entry.data
        known = self.flows.get(key) or FlowFact(0, "", (0, 0, 0, 0, 1), 0, None)
        if entry.previous != known.entry:
            self.say(
                entry,
                "previous",
                f"entry {known.entry} came last in this story, it names {entry.previous}",
            )
        if entry.type == "flow.limited":
            declared = int(data.get("declared", False))
            known = known._replace(limits=limit_columns(data["limits"]), declared=declared)
            self._limit(entry, key, known)
        elif entry.type.endswith(".paused"):
            known = known._replace(paused=entry.seq, reason=data["reason"])
        else:
            known = known._replace(paused=0, reason="")
        self.flows[key] = known._replace(entry=entry.seq)

    def check_flows(self, entry: Entry) -> None:
        """A worker was given jobs: nothing that is paused, and no more than the limits in force let."""
        for number, *_ in entry.data["jobs"]:
            job = self.open.get(number)
            if job is not None:
                for key in _keys_of(job):
                    self._check_start(entry, job, key)
        for limit in decision_of(entry)["input"].get("limits", ()):
            self._check_told(entry, limit)

    def _limit(self, entry: Entry, key: Key, fact: FlowFact) -> None:
        pace, rate = self.paces.pop(key, None), _rate(fact)
        if pace is not None and rate is not None:
            self.paces[key] = refit(rate, pace, entry.at)
        self._started.pop(key, None)
        if fact.limits[0]:
            running = [job for job in self.open.values() if job.state == "running"]
            self._started[key] = {job.number for job in running if key in _keys_of(job)}

    def _check_start(self, entry: Entry, job: OpenJob, key: Key) -> None:
        fact = self.flows.get(key)
        if fact is None:
            return
        if fact.paused:
            self.say(entry, "F1", f"job {job.number} was started while {key[1]} is paused")
        if fact.limits[0]:
            started = self._started[key]
            started.add(job.number)
            if len(started) > fact.limits[0]:
                self._started[key] = started = self._running(started)
            if len(started) > fact.limits[0]:
                text = f"job {job.number} was started as number {len(started)} of {key[1]}, which runs {fact.limits[0]}"
                self.say(entry, "F1", text)
        rate = _rate(fact)
        if rate is not None:
            pace = self.paces.get(key, UNPACED)
            if earliest_us(rate, pace, job.cost) > entry.at:
                self.say(entry, "F1", f"job {job.number} was started before its turn by the rate of {key[1]}")
            self.paces[key] = advance(rate, pace, entry.at, job.cost)

    def _running(self, numbers: set[int]) -> set[int]:
        found = [self.open.get(number) for number in numbers]
        return {job.number for job in found if job is not None and job.state == "running"}

    def _check_told(self, entry: Entry, limit: list[Any]) -> None:
        """What a decision was told of a limit is what is set."""
        subject, _, most, _, rate = limit
        fact = self.flows.get((entry.tenant, subject))
        said = (most, *(rate[:3] if rate else (0, 0, 0)))
        if fact is None or fact.limits[:4] != said:
            self.say(entry, "F1", f"the decision was told {said} of {subject}, which is not what is set")


def _rate(fact: FlowFact) -> Rate | None:
    return Rate(*fact.limits[1:4]) if fact.limits[1] else None


def _keys_of(job: OpenJob) -> tuple[Key, Key]:
    return (job.tenant, f"queue:{job.queue}"), (job.tenant, f"kind:{job.kind}")
