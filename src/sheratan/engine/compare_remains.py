"""What is left of jobs that were pruned, against the journal: what their entries say, and no more."""

from __future__ import annotations

from collections.abc import Iterable

from sheratan.contracts.ids import look_up_job_id
from sheratan.contracts.journal import Entry
from sheratan.engine.problems import Problems
from sheratan.kernel.facts import Ended
from sheratan.kernel.new_facts import PlainJobs, PrunedFact
from sheratan.store.partition_rows import lane_of, partition_of
from sheratan.store.port import Reader
from sheratan.store.retention_rows import Remains
from sheratan.store.rows import JobRow, Lane, Result, StepRow

__all__ = ["RemainsRows"]

_JOB_FACTS = ("salt", "lane", "partition", "created_us", "submitted_by")
_JobFacts = tuple[int, tuple[str, str, str, int], str | None, int, int | None]
_RESULT_FACTS = ("state", "finished_us", "entry")


class RemainsRows:
    """Compares what stands in place of a job's rows when they are not there because the job was pruned.

    The rows are read first: whoever is not there by then, because it is pruned meanwhile, has left its remains.
    """

    def __init__(self, reader: Reader, problems: Problems) -> None:
        self._reader = reader
        self._problems = problems
        self._lanes: dict[int, Lane] = {}
        self._partitions: dict[int, str] = {}

    def gone(self, numbers: Iterable[int]) -> set[int]:
        """Those of these jobs that were pruned."""
        return set(self._remains(numbers))

    def take_plain(self, facts: PlainJobs, rows: list[JobRow]) -> PlainJobs:
        """The jobs that were not pruned; what is left of the others is compared with these facts."""
        stand = {row.number for row in rows}
        remains = self._remains(number for number in facts.numbers if number not in stand)
        if not remains:
            return facts
        told = zip(facts.numbers, facts.salts, facts.lanes, facts.created_us, strict=True)
        for number, salt, lane, created_us in told:
            if number in remains:
                self._compare_job(remains[number], (salt, lane, None, created_us, None))
        return facts.without(remains)

    def take_jobs(self, entries: list[Entry], rows: list[JobRow]) -> list[Entry]:
        """The entries of jobs that were not pruned; what is left of the others is compared with theirs."""
        stand = {row.number for row in rows}
        remains = self._remains(
            entry.data["number"] for entry in entries if entry.data["number"] not in stand
        )
        for entry in entries:
            left = remains.get(entry.data["number"])
            if left is not None:
                data = entry.data
                lane = (entry.tenant, data["queue"], data["kind"], data.get("version", 1))
                salt = left.salt if left.id == entry.subject else -1
                by_job = data.get("by_job")
                submitter = None if by_job is None else look_up_job_id(by_job).number
                self._compare_job(left, (salt, lane, data.get("partition"), entry.at, submitter))
        return [entry for entry in entries if entry.data["number"] not in remains]

    def take_results(self, facts: list[Ended], rows: list[Result]) -> list[Ended]:
        """The ends of jobs that were not pruned; what is left of the others is compared with these facts."""
        stand = {row.number for row in rows}
        remains = self._remains(fact.number for fact in facts if fact.number not in stand)
        for fact in facts:
            left = remains.get(fact.number)
            if left is not None:
                said, stands = (
                    (fact.state, fact.finished_us, fact.entry),
                    (left.state, left.finished_us, left.entry),
                )
                self._problems.differ_in(f"pruned {fact.number}", fact.entry, _RESULT_FACTS, said, stands)
        return [fact for fact in facts if fact.number not in remains]

    def compare_pruned(self, facts: list[PrunedFact]) -> None:
        """Jobs that entries say were pruned: they left their remains and nothing else, and it was time."""
        for fact in facts:
            with self._problems.reading("pruned"):
                self._compare_pruned(fact)

    def check_kept(self, table: str, rows: Iterable[JobRow | Result | StepRow]) -> None:
        """Payloads apart from the rows must be there; that each is what its digest says is checked for all at once."""
        kept = [(row.number, row.payload) for row in rows if row.payload is not None]
        known = self._reader.known_payloads(sorted({payload for _, payload in kept})) if kept else set()
        missing = [(number, payload) for number, payload in kept if payload not in known]
        gone = self.gone(number for number, _ in missing)
        for number, payload in missing:
            if number not in gone:
                text = f"its payload {payload.hex()} is not kept"
                self._problems.add("J5", text, row=f"{table} {number}")

    def _compare_pruned(self, fact: PrunedFact) -> None:
        remains = self._remains(fact.numbers)
        for number in fact.numbers:
            if number not in remains or remains[number].pruned_by != fact.entry:
                text = f"job {number} was pruned by entry {fact.entry}, and no row says so"
                self._problems.missing(f"pruned {number}", fact.entry, text)
        for row in self._reader.jobs(fact.numbers):
            text = f"job {row.number} was pruned, and its row stands"
            self._problems.add("R1", text, seq=fact.entry, row=f"job {row.number}")
        newest_us = max((left.finished_us for left in remains.values()), default=fact.newest_us)
        if newest_us != fact.newest_us:
            text = f"the last of these jobs ended at {newest_us}; the decision was told {fact.newest_us}"
            self._problems.add("R1", text, seq=fact.entry, row=f"pruned {fact.numbers[0]}")
        for lane in {left.lane for left in remains.values()}:
            self._compare_kind(fact, lane)

    def _compare_kind(self, fact: PrunedFact, number: int) -> None:
        lane = self._lane(number)
        meant = lane is not None and lane.tenant == fact.tenant
        if lane is None or not meant or (lane.kind != fact.scope if fact.scope else lane.kind in fact.apart):
            text = f"entry {fact.entry} has pruned jobs of lane {number}, for which something else is set"
            self._problems.add("R1", text, seq=fact.entry, row=f"lane {number}")

    def _compare_job(self, left: Remains, said: _JobFacts) -> None:
        lane = self._lane(left.lane)
        names = None if lane is None else (lane.tenant, lane.queue, lane.kind, lane.version)
        stands = (left.salt, names, self._partition(left.lane), left.created_us, left.submitted_by)
        if said != stands:
            self._problems.differ_in(f"pruned {left.number}", left.entry, _JOB_FACTS, said, stands)

    def _partition(self, number: int) -> str | None:
        partition = partition_of(number)
        if partition and partition not in self._partitions:
            self._partitions.update(self._reader.partitions([partition]))
        return self._partitions.get(partition)

    def _lane(self, number: int) -> Lane | None:
        if lane_of(number) not in self._lanes:
            self._lanes = {lane.lane: lane for lane in self._reader.lanes()}
        return self._lanes.get(lane_of(number))

    def _remains(self, numbers: Iterable[int]) -> dict[int, Remains]:
        wanted = list(numbers)
        return {left.number: left for left in self._reader.remains(wanted)} if wanted else {}
