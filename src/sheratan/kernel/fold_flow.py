"""The fold of entries about queues, kinds and tenants: what is set for them, and how much of their limits is used."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.journal import Entry
from sheratan.kernel.collecting import still_collecting
from sheratan.kernel.facts import FlowFact, OpenJob, Violation
from sheratan.kernel.fold_billing import BillingFold
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.rate import UNPACED, Pace, Rate, advance, earliest_us, refit

__all__ = ["FlowFold", "limit_columns", "partition_columns"]

Key = tuple[str, str]
"""A tenant, and `queue:NAME`, `kind:NAME` or `tenant:NAME`."""

PartitionKey = tuple[str, str, str]
"""The same, and the name of a partition."""


def limit_columns(told: dict[str, Any]) -> tuple[int, int, int, int, int]:
    """The limits that an entry tells of: concurrency, the three numbers of the rate, weight; 0 is no limit."""
    count, period_us, burst = told.get("rate", (0, 0, 0))
    return told.get("concurrency", 0), count, period_us, burst, told.get("weight", 1)


def partition_columns(told: dict[str, Any]) -> tuple[int, int, int, int]:
    """What an entry says that holds for each partition: concurrency and the three numbers of the rate."""
    return limit_columns(told.get("per_partition", {}))[:4]


class FlowFold(BillingFold):
    """What each entry about a queue, kind or tenant does, and whether leases keep to what is set."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.flows: dict[Key, FlowFact] = {}
        self.bounds: set[Key] = set()
        """Those of them that keep jobs from starting, or may."""
        self.paces: dict[Key, Pace] = {}
        self.partition_paces: dict[PartitionKey, Pace] = {}
        self._tenants: set[str] = set()
        """Who has set anything: a decision says of its lanes and limits whose they are in no other way."""
        self._ages = False
        """Whether ageing was ever set."""
        self._started: dict[Key | PartitionKey, set[int]] = {}
        """Of what has a concurrency, partitions among it: the jobs that run, and some that have ended."""

    def flow_set(self, entry: Entry) -> None:
        """A queue, kind or tenant was paused, resumed or limited."""
        key, data = (entry.tenant, entry.subject), entry.data
        known = self.flows.get(key) or _NOTHING
        self._tenants.add(entry.tenant)
        if entry.previous != known.entry:
            self.say(
                entry,
                "previous",
                f"entry {known.entry} came last in this story, it names {entry.previous}",
            )
        if entry.type == "flow.limited":
            declared = int(data.get("declared", False))
            each = partition_columns(data["limits"])
            if each[1:] != known.per_partition[1:]:
                # All partitions begin anew.
                self.partition_paces = {
                    one: pace for one, pace in self.partition_paces.items() if one[:2] != key
                }
            known = known._replace(
                limits=limit_columns(data["limits"]),
                declared=declared,
                per_partition=each,
                ageing_us=data["limits"].get("ageing_us", 0),
            )
            self._ages = self._ages or known.ageing_us > 0
            self._limit(entry, key, known)
        elif entry.type.endswith(".paused"):
            known = known._replace(paused=entry.seq, reason=data["reason"])
        else:
            known = known._replace(paused=0, reason="")
        self.flows[key] = known._replace(entry=entry.seq)
        if _bounds(known):
            self.bounds.add(key)
        else:
            self.bounds.discard(key)

    def find_bounds(self) -> None:
        """Look up what keeps jobs from starting, or may, where all flows have come at once."""
        self.bounds = {key for key, fact in self.flows.items() if _bounds(fact)}

    def check_flows(self, entry: Entry) -> None:
        """A worker was given jobs: nothing that is paused, and no more than the limits in force let."""
        for number, *_ in entry.data["jobs"] if self.bounds else ():
            job = self.open.get(number)
            if job is not None:
                for key in _keys_of(job):
                    if key in self.bounds:
                        self._check_start(entry, job, key)
        given = decision_of(entry)["input"]
        for limit in given.get("limits", ()):
            self._check_told(entry, limit)
        if self._ages or "ageing" in given:
            self._check_ageing(entry, given)

    def check_aged(self, entry: Entry) -> None:
        """Workers are about to be given jobs: none has gained by waiting before it was ready."""
        for head, since_us in decision_of(entry)["input"].get("aged", ()):
            job = self.open.get(head[2])
            if job is None or since_us < job.since_us:
                self.say(
                    entry, "F1", f"job {head[2]} has not waited since {since_us}, as the decision was told"
                )

    def _limit(self, entry: Entry, key: Key, fact: FlowFact) -> None:
        pace, rate = self.paces.pop(key, None), _rate(fact.limits[1:4])
        if pace is not None and rate is not None:
            self.paces[key] = refit(rate, pace, entry.at)
        self._started = {one: started for one, started in self._started.items() if one[:2] != key}
        for job in self.open.values():
            if job.state == "running" and key in _keys_of(job):
                self._started.setdefault(key, set()).add(job.number)
                self._started.setdefault((*key, job.partition), set()).add(job.number)

    def _check_start(self, entry: Entry, job: OpenJob, key: Key) -> None:
        fact = self.flows[key]
        if fact.paused:
            self.say(entry, "F1", f"job {job.number} was started while {key[1]} is paused")
        self._check_running(entry, job, key, fact.limits[0])
        rate = _rate(fact.limits[1:4])
        if rate is not None:
            self.paces[key] = self._paced(entry, job, rate, (self.paces.get(key, UNPACED), key[1]))
        if job.partition:
            each = (*key, job.partition)
            self._check_running(entry, job, each, fact.per_partition[0])
            rate = _rate(fact.per_partition[1:])
            if rate is not None:
                pace = self.partition_paces.get(each, UNPACED)
                whose = f"each partition of {key[1]}"
                self.partition_paces[each] = self._paced(entry, job, rate, (pace, whose))

    def _check_running(self, entry: Entry, job: OpenJob, key: Key | PartitionKey, most: int) -> None:
        """A job starts: of what is limited no more run than may."""
        if not most:
            return
        started = self._started.setdefault(key, set())
        started.add(job.number)
        if len(started) > most:
            self._started[key] = started = self._running(started)
        if len(started) > most:
            whose = " and partition ".join(key[1:])
            text = f"job {job.number} was started as number {len(started)} of {whose}, which runs {most}"
            self.say(entry, "F1", text)

    def _paced(self, entry: Entry, job: OpenJob, rate: Rate, used: tuple[Pace, str]) -> Pace:
        """A job starts: how far the rate is used up then, of which it was known how far and whose it is."""
        pace, whose = used
        if earliest_us(rate, pace, job.cost) > entry.at:
            self.say(entry, "F1", f"job {job.number} was started before its turn by the rate of {whose}")
        return advance(rate, pace, entry.at, job.cost)

    def _running(self, numbers: set[int]) -> set[int]:
        found = [self.open.get(number) for number in numbers]
        return {job.number for job in found if job is not None and job.state == "running"}

    def _check_told(self, entry: Entry, limit: list[Any]) -> None:
        """What a decision was told of a limit is what is set."""
        subject, _, most, running, rate, *partition = limit
        if running is None:
            # It is what an account pays for, which is looked at where the attempts start.
            return
        said = (most, *(rate[:3] if rate else (0, 0, 0)))
        facts = [self.flows.get((tenant, subject), _NOTHING) for tenant in self._tenants]
        if said not in [fact.per_partition if partition else fact.limits[:4] for fact in facts]:
            self.say(entry, "F1", f"the decision was told {said} of {subject}, which is not what is set")

    def _check_ageing(self, entry: Entry, given: dict[str, Any]) -> None:
        """A decision was told exactly of the ageing that is set, for the lanes that may start."""
        said, passed_over = dict(given.get("ageing", ())), still_collecting(given)
        for index, lane in enumerate(given["lanes"]):
            may_start = lane[3] == "open" and index not in passed_over
            stands = {self._ageing_of(tenant, lane) for tenant in self._tenants} if may_start else {0}
            if said.get(index, 0) not in stands:
                whose = f"{lane[0]}/{lane[1]}, which is not what is set"
                self.say(
                    entry, "F1", f"the decision was told of an ageing of {said.get(index, 0)} us of {whose}"
                )

    def _ageing_of(self, tenant: str, lane: list[Any]) -> int:
        keys = f"queue:{lane[0]}", f"kind:{lane[1].partition('@')[0]}", f"tenant:{tenant}"
        facts = (self.flows.get((tenant, subject), _NOTHING) for subject in keys)
        return min((fact.ageing_us for fact in facts if fact.ageing_us), default=0)


_NOTHING = FlowFact(0, "", (0, 0, 0, 0, 1), 0, None)


def _bounds(fact: FlowFact) -> bool:
    return bool(fact.paused or any(fact.limits[:2]) or any(fact.per_partition[:2]))


def _rate(numbers: tuple[int, ...]) -> Rate | None:
    return Rate(*numbers) if numbers[0] else None


def _keys_of(job: OpenJob) -> tuple[Key, Key, Key]:
    tenant = job.tenant
    return (tenant, f"queue:{job.queue}"), (tenant, f"kind:{job.kind}"), (tenant, f"tenant:{tenant}")
