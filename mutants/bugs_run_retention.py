"""Planted bugs in which runs are kept and which are pruned."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_NEEDED = "store/sqlite/queries/select_runs_still_needed.sql"

BUGS: Final = (
    Bug(
        "runs-pruned-before-their-jobs",
        "a run is pruned while jobs of it stand",
        "safety",
        "R1",
        (Change(_NEEDED, "JOIN job ON job.number = node_job.job", "JOIN job ON 0"),),
    ),
    Bug(
        "runs-of-nodes-pruned-first",
        "a run of a node is pruned before the run that has it",
        "safety",
        "R1",
        (Change(_NEEDED, "JOIN run AS parent ON parent.number = run.parent", "JOIN run AS parent ON 0"),),
    ),
    Bug(
        "nodes-outlive-their-run",
        "what was decided about nodes of runs that were pruned stays",
        "safety",
        "J5",
        (Change("store/sqlite/prune.py", '("prune_node", ', "("),),
    ),
    Bug(
        "pruned-runs-numbered-again",
        "a run gets the number of one that was pruned",
        "safety",
        "E2",
        (
            Change(
                "store/sqlite/queries/select_last_run.sql",
                "coalesce((SELECT max(number) FROM pruned_run), 0)",
                "0",
            ),
        ),
    ),
    Bug(
        "other-workflows-pruned",
        "a workflow for which something is set goes by what is set for the others",
        "safety",
        "R1",
        (
            Change(
                "engine/retention_state.py",
                "return own or self.rows.get((row.tenant, OTHER_RUNS))",
                "return self.rows.get((row.tenant, OTHER_RUNS)) or own",
            ),
        ),
    ),
    Bug(
        "key-of-a-pruned-run",
        "a key whose run was pruned breaks the batch that it came in",
        "liveness",
        "E7",
        (
            Change(
                "engine/run_keys.py",
                "return next(iter(batch.state.store.runs([number])), None) if known is None else known.row",
                "return batch.state.store.runs([number])[0] if known is None else known.row",
            ),
        ),
    ),
)
