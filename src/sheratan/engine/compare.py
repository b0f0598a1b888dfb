"""The tables against the journal: every row must follow from entries, and every entry must have left its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Final, TypeVar

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.journal import Entry
from sheratan.contracts.tracing import unpack
from sheratan.engine.compare_attempts import AttemptRows
from sheratan.engine.compare_ledger import LedgerRows
from sheratan.engine.compare_remains import RemainsRows
from sheratan.engine.compare_runs import RunRows
from sheratan.engine.ids import job_id
from sheratan.engine.problems import Problems, kept_digest
from sheratan.kernel.canonical import digest
from sheratan.kernel.chain import decode_entry
from sheratan.kernel.facts import Ended
from sheratan.kernel.new_facts import FactCount, NewFacts, PlainJobs, no_facts
from sheratan.store.partition_rows import lane_of, partition_of
from sheratan.store.port import Reader
from sheratan.store.rows import JobRow, Lane, Result

__all__ = ["FinalRows"]

_JOBS_AT_ONCE: Final = 1_000
_first = itemgetter(0)
_JOB_FACTS: Final = (
    "id", "created_us", "tenant, queue, kind and version", "priority", "options", "after_failure", "submitted_by",
    "origin", "input", "cost", "partition", "traceparent", "deadline_after_us", "deadline_us",
)  # fmt: skip
Fact = TypeVar("Fact")


class FinalRows:
    """Compares the rows that never change once they are there: jobs, predecessors, results, failures.

    It does so while the journal is walked, a thousand jobs at a time. So nothing about a job has to be kept in
    memory once it has ended, and no snapshot is needed: what is committed beside it changes none of these rows.
    All rows of a thousand jobs are compared at once, and one by one only when something differs. It begins behind
    entry `read_to`, up to which the journal has told of so many rows.
    """

    def __init__(self, reader: Reader, problems: Problems, told: FactCount, read_to: int) -> None:
        self.told = told
        self._strays = 0
        self._reader = reader
        self._problems = problems
        self._runs = RunRows(reader, problems)
        self._remains = RemainsRows(reader, problems)
        self._attempts = AttemptRows(reader, problems, self._remains)
        self._ledger = LedgerRows(reader, problems)
        self._lanes: dict[int, Lane] = {}
        self._waiting = no_facts()
        self._read_to = read_to
        self._compared_to = read_to

    @property
    def expected(self) -> FactCount:
        """How many rows there are to be: those of which the journal tells, and those found without an entry."""
        return self.told._replace(failures=self.told.failures + self._strays)

    def take(self, facts: NewFacts, read_to: int) -> None:
        """Take the facts of the entries before `read_to`; they are compared when there are enough of them."""
        waiting = self._waiting
        self.told = self.told.plus(facts)
        waiting.plain.extend(facts.plain)
        waiting.submitted.extend(facts.submitted)
        waiting.ended.extend(facts.ended)
        waiting.failures.extend(facts.failures)
        waiting.steps.extend(facts.steps)
        waiting.failed.extend(facts.failed)
        waiting.runs.extend(facts.runs)
        waiting.runs_ended.extend(facts.runs_ended)
        waiting.nodes.extend(facts.nodes)
        waiting.node_jobs.extend(facts.node_jobs)
        waiting.pruned.extend(facts.pruned)
        waiting.pruned_runs.extend(facts.pruned_runs)
        waiting.transfers.extend(facts.transfers)
        waiting.resolved.extend(facts.resolved)
        waiting.charges.extend(facts.charges)
        waiting.originals.extend(facts.originals)
        waiting.runs_spent.extend(facts.runs_spent)
        self._read_to = read_to
        if max(map(len, (waiting.plain.numbers, *waiting[1:]))) >= _JOBS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Compare what waits."""
        waiting, self._waiting = self._waiting, no_facts()
        for start in range(0, len(waiting.plain.numbers), _JOBS_AT_ONCE):
            self._compare_plain(waiting.plain.part(start, start + _JOBS_AT_ONCE))
        for chunk in _chunks(waiting.submitted):
            self._compare_jobs(chunk)
        for chunk in _chunks(waiting.ended):
            self._compare_results(chunk)
        for chunk in _chunks(waiting.failures):
            read_to = self._read_to if chunk[-1] is waiting.failures[-1] else chunk[-1].entry + 1
            self._strays += self._attempts.compare_failures(chunk, range(self._compared_to, read_to))
            self._compared_to = read_to
        for steps in _chunks(waiting.steps):
            self._attempts.compare_steps(steps)
        for failed in _chunks(waiting.failed):
            self._attempts.compare_failed(failed)
        self._compare_runs(waiting)
        self._remains.compare_pruned(waiting.pruned)
        self._compare_ledger(waiting)
        self._compared_to = self._read_to

    def _compare_runs(self, waiting: NewFacts) -> None:
        for runs in _chunks(waiting.runs):
            self._runs.compare_runs(runs)
        for ends in _chunks(waiting.runs_ended):
            self._runs.compare_ends(ends)
        for nodes in _chunks(waiting.nodes):
            self._runs.compare_nodes(nodes)
        for jobs in _chunks(waiting.node_jobs):
            self._runs.compare_node_jobs(jobs)
        self._runs.compare_pruned(waiting.pruned_runs)

    def _compare_ledger(self, waiting: NewFacts) -> None:
        for transfers in _chunks(waiting.transfers):
            self._ledger.compare_transfers(transfers)
        for resolved in _chunks(waiting.resolved):
            self._ledger.compare_resolved(resolved)
        for charges in _chunks(waiting.charges):
            self._ledger.compare_charges(charges)
        for originals in _chunks(waiting.originals):
            self._ledger.compare_originals(originals)
        for spent in _chunks(waiting.runs_spent):
            self._ledger.compare_run_budgets(spent)

    def _compare_plain(self, facts: PlainJobs) -> None:
        with self._problems.reading("job"):
            rows = self._reader.jobs(facts.numbers)
            if len(rows) < len(facts.numbers):
                facts = self._remains.take_plain(facts, rows)
            self._learn_lanes(rows)
            if facts.numbers and not _plain_stand(facts, rows, self._lanes):
                entries = [
                    entry if isinstance(entry, Entry) else decode_entry(entry) for entry in facts.entries
                ]
                self._compare_each_job(entries, {row.number: row for row in rows})
            self._remains.check_kept("job", rows)

    def _compare_jobs(self, entries: list[Entry]) -> None:
        self._ledger.compare_job_budgets(entries)
        self._ledger.compare_spenders(entries)
        with self._problems.reading("job"):
            rows = self._reader.jobs([entry.data["number"] for entry in entries])
            if len(rows) < len(entries):
                entries = self._remains.take_jobs(entries, rows)
            self._learn_lanes(rows)
            self._compare_each_job(entries, {row.number: row for row in rows})
            self._remains.check_kept("job", rows)
            self._compare_after([entry for entry in entries if "after" in entry.data])
            self._compare_tags([entry for entry in entries if "tags" in entry.data])

    def _compare_each_job(self, entries: list[Entry], rows: dict[int, JobRow]) -> None:
        names = self._reader.partitions({partition_of(row.lane) for row in rows.values()} - {0})
        for entry in entries:
            row = rows.get(entry.data["number"])
            if row is None:
                text = f"{entry.subject} was submitted and has no row"
                self._problems.missing(f"job {entry.data['number']}", entry.seq, text)
            else:
                self._compare_job(entry, row, names)

    def _learn_lanes(self, rows: Iterable[JobRow]) -> None:
        if not {lane_of(row.lane) for row in rows} <= self._lanes.keys():
            self._lanes = {lane.lane: lane for lane in self._reader.lanes()}

    def _compare_job(self, entry: Entry, row: JobRow, names: dict[int, str]) -> None:
        data, lane = entry.data, self._lanes.get(lane_of(row.lane))
        said = (
            entry.subject,
            entry.at,
            (entry.tenant, data["queue"], data["kind"], data.get("version", 1)),
            data["priority"],
            data["options"],
            data.get("after_failure", "cancel"),
            _number_in(data, "by_job"),
            _number_in(data, "origin"),
            data.get("input"),
            data.get("cost", 1),
            data.get("partition"),
            data.get("traceparent"),
            data.get("deadline_after_us", 0),
            data.get("deadline_us", 0),
        )
        stands = (
            job_id(row),
            row.created_us,
            lane[1:] if lane is not None else None,
            row.priority,
            [
                row.attempts_max,
                row.backoff_base_us,
                row.backoff_cap_us,
                row.run_timeout_us,
                row.queue_timeout_us,
            ],
            row.after_failure,
            row.submitted_by,
            row.origin,
            kept_digest(row.input, row.payload),
            row.cost,
            names.get(partition_of(row.lane)),
            unpack(row.trace),
            row.deadline_after_us,
            row.deadline_us,
        )
        if said != stands:
            self._problems.differ_in(f"job {row.number}", entry.seq, _JOB_FACTS, said, stands)

    def _compare_after(self, entries: list[Entry]) -> None:
        rows = self._reader.after_rows([entry.data["number"] for entry in entries]) if entries else []
        found: dict[int, list[Any]] = {}
        for row in rows:
            found.setdefault(row.number, []).append((row.ordinal, row.parent))
        said = {entry.seq: list(enumerate(entry.data["after"])) for entry in entries}
        self._compare_lists("after", "parents", entries, said, found)

    def _compare_tags(self, entries: list[Entry]) -> None:
        rows = self._reader.tag_rows([entry.data["number"] for entry in entries]) if entries else []
        found: dict[int, list[Any]] = {}
        for row in rows:
            found.setdefault(row.number, []).append(row.tag)
        said = {entry.seq: list(entry.data["tags"]) for entry in entries}
        self._compare_lists("tag", "tags", entries, said, found)

    def _compare_lists(
        self,
        table: str,
        name: str,
        entries: list[Entry],
        said: dict[int, list[Any]],
        found: dict[int, list[Any]],
    ) -> None:
        other = [entry for entry in entries if said[entry.seq] != found.get(entry.data["number"], [])]
        # What is not there may have been pruned since its job's row was read.
        gone = self._remains.gone(entry.data["number"] for entry in other)
        for entry in other:
            number = entry.data["number"]
            if number not in gone:
                stands = found.get(number, [])
                self._problems.differ_in(
                    f"{table} {number}", entry.seq, (name,), (said[entry.seq],), (stands,)
                )

    def _compare_results(self, facts: list[Ended]) -> None:
        with self._problems.reading("result"):
            rows = self._reader.results([fact.number for fact in facts])
            if len(rows) < len(facts):
                facts = self._remains.take_results(facts, rows)
            if facts and not _results_stand(facts, rows):
                self._compare_each_result(facts, {row.number: row for row in rows})
            self._remains.check_kept("result", rows)

    def _compare_each_result(self, facts: list[Ended], rows: dict[int, Result]) -> None:
        for fact in facts:
            row = rows.get(fact.number)
            name = f"result {fact.number}"
            if row is None:
                text = f"job {fact.number} has {fact.state} and has no result"
                self._problems.missing(name, fact.entry, text)
                continue
            stands = Ended(*row[:5], _output_of(row.output, row.payload), row.entry)
            if stands != fact:
                self._problems.differ_in(name, fact.entry, Ended._fields, fact, stands)


class _Digests(dict[bytes, str]):
    """Digests of values, each made once: within a thousand jobs, inputs and outputs often repeat."""

    def __missing__(self, value: bytes) -> str:
        found = self[value] = digest(value)
        return found


def _plain_stand(facts: PlainJobs, rows: list[JobRow], lanes: dict[int, Lane]) -> bool:
    """Whether these jobs' rows say what their entries say, compared column by column.

    False is a doubt: then each job is to be compared.
    """
    count = len(facts.numbers)
    if len(rows) != count:
        return False
    rows.sort(key=_first)
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True))
    names = {number: tuple(lane[1:]) for number, lane in lanes.items()}
    return (
        [*columns[0]] == facts.numbers
        and [*columns[1]] == facts.salts
        and [names.get(lane) for lane in columns[2]] == facts.lanes
        and [*columns[3]] == facts.priorities
        and [*columns[4]] == facts.created_us
        and _are_plain(columns, facts)
    )


def _are_plain(columns: list[tuple[Any, ...]], facts: PlainJobs) -> bool:
    """The rest of the columns: options, nothing that a plain job has not, and the inputs."""
    count = len(facts.numbers)
    return (
        [*map(list, zip(*columns[5:10], strict=True))] == facts.options
        and columns[10].count("cancel") == columns[11].count(None) == columns[12].count(None) == count
        and columns[15].count(1) == columns[16].count(None) == count
        and columns[17].count(0) == columns[18].count(0) == count
        and _digests_of(columns[13], columns[14]) == facts.inputs
    )


def _results_stand(facts: list[Ended], rows: list[Result]) -> bool:
    """Whether these results say what their entries say. False is a doubt: each is to be compared."""
    if len(rows) != len(facts):
        return False
    rows.sort(key=_first)
    said: list[tuple[Any, ...]] = list(zip(*sorted(facts, key=_first), strict=True))
    stands: list[tuple[Any, ...]] = list(zip(*rows, strict=True))
    return (
        said[:5] == stands[:5]
        and said[6] == stands[7]
        and [*said[5]] == _digests_of(stands[5], stands[6], absent=None)
    )


def _digests_of(
    inline: Sequence[bytes | None], payloads: Sequence[bytes | None], absent: bytes | None = b""
) -> list[str | None]:
    """The digests of values that are kept inline or apart; None where a value may be absent and is."""
    digests = _Digests()
    of_nothing = None if absent is None else digest(absent)
    return [
        kept_digest(value, payload) if payload is not None else of_nothing if value is None else digests[value]
        for value, payload in zip(inline, payloads, strict=True)
    ]  # fmt: skip


def _number_in(data: dict[str, Any], name: str) -> int | None:
    """The number of the job that an entry names; -1, which no job has, when what it names is no id."""
    if name not in data:
        return None
    try:
        return parse_job_id(data[name]).number
    except InvalidInput:
        return -1


def _output_of(output: bytes | None, payload: bytes | None) -> str | None:
    return None if output is None and payload is None else kept_digest(output, payload)


def _chunks(items: list[Fact]) -> Iterable[list[Fact]]:
    return [items[start : start + _JOBS_AT_ONCE] for start in range(0, len(items), _JOBS_AT_ONCE)]
