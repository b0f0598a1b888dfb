"""Reads of workflows' runs, their nodes and the nodes' jobs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import starmap

from sheratan.kernel.lifecycle import node_end
from sheratan.store.port import NodeJobView
from sheratan.store.run_rows import NodeJobRow, NodeRow, RunKeyRow, RunOpen, RunPlace, RunResult, RunRow
from sheratan.store.sqlite.search import SqliteSearch

__all__ = ["SqliteRuns"]


class SqliteRuns(SqliteSearch):
    """The part of the store port that knows runs."""

    def last_run(self) -> int:
        """The highest number that a run has had, 0 before the first one."""
        number: int = self._one("select_last_run", ())[0]
        return number

    def open_runs(self) -> list[RunOpen]:
        """Every run that has not ended."""
        return list(starmap(RunOpen, self._rows("select_open_runs")))

    def runs(self, numbers: Sequence[int]) -> list[RunRow]:
        """The runs with these numbers, in no particular order."""
        return list(starmap(RunRow, self._rows("select_runs", (json.dumps(numbers),))))

    def find_run_key(self, tenant: str, key: str) -> RunKeyRow | None:
        """What an idempotency key of a run stands for."""
        return next((RunKeyRow(*row) for row in self._rows("select_run_key", (tenant, key))), None)

    def run_place(self, number: int) -> RunPlace | None:
        """Where a run stands."""
        for row in self._rows("select_run_open", (number,)):
            return RunOpen(*row)
        return next(iter(self.run_results([number])), None)

    def run_results(self, numbers: Sequence[int]) -> list[RunResult]:
        """How these runs have ended, in no particular order; a run that has not is left out."""
        return list(starmap(RunResult, self._rows("select_run_results", (json.dumps(numbers),))))

    def list_runs(self, *, state: str | None, workflow: str | None, below: int, limit: int) -> list[int]:
        """Numbers of runs, newest first, below a number."""
        return [row[0] for row in self._rows("list_runs", (below, state, workflow, limit))]

    def nodes(self, runs: Sequence[int]) -> list[NodeRow]:
        """What was decided about the nodes of these runs, by run and name."""
        return list(starmap(NodeRow, self._rows("select_nodes", (json.dumps(runs),))))

    def node_jobs(self, runs: Sequence[int]) -> list[NodeJobView]:
        """The jobs of these runs, by run, node and item, each with how it has ended."""
        rows = self._rows("select_node_jobs", (json.dumps(runs),))
        return [NodeJobView(NodeJobRow(*row[:4]), row[4], row[5]) for row in rows]

    def node_ends(self, run: int) -> list[tuple[str, bool, str, int]]:
        """How the jobs and runs of a run's nodes have ended: whether they undo it, each state and how many."""
        ends = [(row[0], bool(row[1]), *row[2:]) for row in self._rows("select_node_ends", (run,))]
        sub_runs = Counter((view.row.node, view.state or "open") for view in self.sub_runs([run]))
        return ends + [(name, False, state, count) for (name, state), count in sorted(sub_runs.items())]

    def sub_runs(self, runs: Sequence[int], limit: int = -1) -> list[NodeJobView]:
        """The runs that these runs have for their nodes, by run, node and item, each as a job would have ended."""
        rows = self._rows("select_sub_runs", (json.dumps(runs), limit))
        return [
            NodeJobView(NodeJobRow(*row[:4]), None if row[4] is None else node_end(row[4]), None)
            for row in rows
        ]

    def runs_of_node(self, run: int, name: str, limit: int = -1) -> list[int]:
        """The numbers of the first runs of a node, in the order of its items; all of them without a limit."""
        return [row[0] for row in self._rows("select_runs_of_node", (run, name, limit))]

    def pruned_nodes(self, runs: Collection[int]) -> set[tuple[int, str]]:
        """The nodes of these runs of which a job was pruned: run and name."""
        return set(self._rows("select_pruned_nodes", (json.dumps(list(runs)),)))

    def jobs_of_node(self, run: int, name: str, limit: int = -1) -> list[int]:
        """The numbers of the first jobs of a node, in the order of its items; all of them without a limit."""
        return [row[0] for row in self._rows("select_jobs_of_node", (run, name, limit))]

    def run_mentions(self, number: int) -> list[int]:
        """The entries that tell of a run beside its story, in order."""
        return [row[0] for row in self._rows("select_run_mentions", (number,))]

    def nodes_of_jobs(self, jobs: Sequence[int]) -> list[NodeJobRow]:
        """The nodes that these jobs belong to, by job and run."""
        return list(starmap(NodeJobRow, self._rows("select_nodes_of_jobs", (json.dumps(jobs),))))

    def run_numbers(self) -> Iterator[int]:
        """The numbers of all runs, in order."""
        return (row[0] for row in self._steps("select_runs_from", 1))

    def run_key_rows(self) -> Iterator[RunKeyRow]:
        """Every idempotency key of a run, in order."""
        return starmap(RunKeyRow, self._key_steps("select_run_keys_from"))

    def all_run_mentions(self) -> Iterator[tuple[int, int]]:
        """(run, entry) of every mention of a run, in order."""
        return self._steps("select_run_mentions_from", 2)

    def run_result_numbers(self) -> Iterator[int]:
        """The numbers of all runs that have ended, in order."""
        return (row[0] for row in self._steps("select_run_results_from", 1))

    def node_counts(self) -> Iterator[tuple[int, int]]:
        """How many nodes of each run something was decided about, by run."""
        return self._steps("select_node_counts_from", 1)

    def node_job_counts(self) -> Iterator[tuple[int, int]]:
        """How many jobs each run has, by run."""
        return self._steps("select_node_job_counts_from", 1)
