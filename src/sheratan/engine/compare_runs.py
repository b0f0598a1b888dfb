"""The rows of runs that never change, against the journal; and those of open runs, as they stand at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sheratan.contracts.ids import parse_run_id
from sheratan.contracts.journal import Entry
from sheratan.engine.compare_run_remains import RunRemainsRows
from sheratan.engine.problems import Problems, kept_digest
from sheratan.engine.run_ids import run_id
from sheratan.kernel.fold import Fold
from sheratan.kernel.new_facts import PrunedFact
from sheratan.kernel.run_facts import NodeFact, NodeJobFact, RunEnded
from sheratan.store.port import Reader
from sheratan.store.run_rows import ITEM_ONLY, RunRow

__all__ = ["RunRows", "compare_open_runs"]

_RUN_FACTS: Final = (
    "id", "tenant", "workflow", "version", "plan", "created_us", "due_us", "started_by", "origin", "input",
    "parent", "node", "item",
)  # fmt: skip


class RunRows:
    """Compares runs, their ends, what was decided about their nodes, and the nodes' jobs."""

    def __init__(self, reader: Reader, problems: Problems) -> None:
        self._reader = reader
        self._problems = problems
        self._remains = RunRemainsRows(reader, problems)

    def compare_runs(self, entries: Sequence[Entry]) -> None:
        """Compare runs with the entries that began them."""
        with self._problems.reading("run"):
            rows = {row.number: row for row in self._reader.runs([entry.data["number"] for entry in entries])}
            for entry in self._remains.take_runs(entries, rows):
                number = entry.data["number"]
                row = rows.get(number)
                if row is None:
                    text = f"{entry.subject} was started and has no row"
                    self._problems.missing(f"run {number}", entry.seq, text)
                else:
                    self._problems.differ_in(
                        f"run {number}", entry.seq, _RUN_FACTS, _said(entry), _stands(row)
                    )
            kept = [(row.number, row.plan) for row in rows.values()]
            kept += [(row.number, row.payload) for row in rows.values() if row.payload is not None]
            self._check_kept("run", kept)

    def compare_ends(self, facts: Sequence[RunEnded]) -> None:
        """Compare how runs have ended."""
        with self._problems.reading("run_result"):
            rows = {row.number: row for row in self._reader.run_results([fact.number for fact in facts])}
            for fact in self._remains.take_ends(facts, rows):
                row, name = rows.get(fact.number), f"run_result {fact.number}"
                if row is None:
                    text = f"run {fact.number} has {fact.state} and has no result"
                    self._problems.missing(name, fact.entry, text)
                    continue
                is_empty = row.output is None and row.payload is None
                output = None if is_empty else kept_digest(row.output, row.payload)
                stands = RunEnded(*row[:4], output, row.entry)
                self._problems.differ_in(name, fact.entry, RunEnded._fields, fact, stands)
            kept = [(row.number, row.payload) for row in rows.values() if row.payload is not None]
            self._check_kept("run_result", kept)

    def compare_nodes(self, facts: Sequence[NodeFact]) -> None:
        """Compare what was decided about nodes; that there are no others is seen where rows are counted."""
        with self._problems.reading("node"):
            found = self._reader.nodes(sorted({fact.run for fact in facts}))
            rows = {(row.run, row.name): row for row in found}
            gone = self._remains.gone({fact.run for fact in facts if (fact.run, fact.name) not in rows})
            for fact in facts:
                if fact.run in gone:
                    continue
                row, name = rows.get((fact.run, fact.name)), f"node {fact.run}/{fact.name}"
                if row is None:
                    text = "something was decided about it, and it has no row"
                    self._problems.missing(name, fact.entry, text)
                else:
                    self._problems.differ_in(name, fact.entry, NodeFact._fields, fact, row)
                if fact.source is not None:
                    self._check_source(fact, fact.source)

    def _check_source(self, fact: NodeFact, source: int) -> None:
        """A node that was taken over has ended so in the run that it was taken over from, and stays so."""
        if not _has_ended_so(self._reader, fact, source) and not self._remains.gone([source]):
            text = f"it is {fact.state} from run {source}, where it has not ended like that"
            self._problems.add("E18", text, seq=fact.entry, row=f"node {fact.run}/{fact.name}")

    def compare_node_jobs(self, facts: Sequence[NodeJobFact]) -> None:
        """Compare the jobs of nodes."""
        with self._problems.reading("node_job"):
            rows = self._reader.nodes_of_jobs([fact.job for fact in facts])
            found = {(row.run, row.job): row for row in rows}
            for fact in self._remains.take_node_jobs(facts, found):
                row, name = found.get((fact.run, fact.job)), f"node_job {fact.run}/{fact.node}/{fact.item}"
                if row is None:
                    self._problems.missing(name, fact.entry, f"job {fact.job} was submitted for it")
                else:
                    self._problems.differ_in(name, fact.entry, NodeJobFact._fields[:4], fact[:4], row)

    def compare_pruned(self, facts: list[PrunedFact]) -> None:
        """Compare what is left of the runs that entries say were pruned."""
        self._remains.compare_pruned(facts)

    def _check_kept(self, table: str, kept: Sequence[tuple[int, bytes]]) -> None:
        known = self._reader.known_payloads(sorted({payload for _, payload in kept}))
        missing = [(number, payload) for number, payload in kept if payload not in known]
        gone = self._remains.gone(number for number, _ in missing)
        for number, payload in missing:
            if number not in gone:
                text = f"its payload {payload.hex()} is not kept"
                self._problems.add("J5", text, row=f"{table} {number}")


def _has_ended_so(reader: Reader, fact: NodeFact, source: int) -> bool:
    is_skipped = fact.state == "skipped"
    row = (source, fact.name, fact.state if is_skipped else "started", fact.items)
    if row not in {row[:4] for row in reader.nodes([source]) if row.source is None}:
        return False
    wanted = 0 if is_skipped else 1 if fact.items < 0 else fact.items
    ends = [end[1:] for end in reader.node_ends(source) if end[0] == fact.name]
    return ends == ([(False, "succeeded", wanted)] if wanted else [])


def compare_open_runs(reader: Reader, fold: Fold, problems: Problems) -> None:
    """Every open run stands as the journal says, and no other does."""
    stands = {(row.number,): tuple(row[1:]) for row in reader.open_runs()}
    said = {
        (run.number,): (run.state, run.ending, int(run.keeps), run.jobs, run.since_us, run.entry)
        for run in fold.runs.values()
    }
    problems.differ("run_open", said, stands)
    for seq, (run, origin) in fold.forked.items():
        problems.add("E18", f"{run} continues {origin}, whose story does not say so", seq=seq)


def _said(entry: Entry) -> tuple[Any, ...]:
    told, origin, parent = entry.data.get, entry.data.get("origin"), entry.data.get("parent")
    return (
        entry.subject, entry.tenant, told("workflow"), told("version"), told("plan"), entry.at, told("due_us"),
        entry.on_behalf_of, None if origin is None else parse_run_id(origin).number, told("input"),
        None if parent is None else parse_run_id(parent).number, told("node"),
        None if parent is None else told("item", ITEM_ONLY),
    )  # fmt: skip


def _stands(row: RunRow) -> tuple[Any, ...]:
    return (
        run_id(row), row.tenant, row.workflow, row.version.hex(), row.plan.hex(), row.created_us, row.due_us,
        row.started_by, row.origin, kept_digest(row.input, row.payload), *row[12:],
    )  # fmt: skip
