"""Planted bugs in what is kept and what is pruned."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_RETENTION = "engine/retention.py"
_STATE = "engine/retention_state.py"
_NEEDED = "store/sqlite/queries/select_still_needed.sql"
_PAYLOADS = "store/sqlite/queries/prune_payload.sql"

BUGS: Final = (
    Bug(
        "pruned-by-its-beginning",
        "a job is kept for so long after it came in, not after it has ended",
        "safety",
        "R1",
        (
            Change(_STATE, "row.finished_us + keep_us <= now_us", "row.created_us + keep_us <= now_us"),
            Change(
                _RETENTION,
                '"newest_us": max(row.finished_us for row in some),',
                '"newest_us": max(row.created_us for row in some),',
            ),
        ),
    ),
    Bug(
        "dead-letters-pruned",
        "a dead letter is pruned before anybody has dealt with it",
        "safety",
        "R1",
        (Change(_NEEDED, "EXISTS (SELECT 1 FROM dead_letter WHERE number = wanted.value)", "0"),),
    ),
    Bug(
        "predecessors-pruned",
        "a job is pruned that an open one runs after",
        "safety",
        "R1",
        (Change(_NEEDED, "WHERE parent = wanted.value AND NOT EXISTS", "WHERE 0 AND NOT EXISTS"),),
    ),
    Bug(
        "jobs-of-open-runs-pruned",
        "a job of a run is pruned that has not ended",
        "safety",
        "R1",
        (Change(_NEEDED, "JOIN run_open ON run_open.number = node_job.run", "JOIN run_open ON 0"),),
    ),
    Bug(
        "tags-outlive-their-job",
        "tags of jobs that were pruned stay",
        "safety",
        "R1",
        (Change("store/sqlite/prune.py", '"prune_after", "prune_tag", ', '"prune_after", '),),
    ),
    Bug(
        "shared-payload-pruned",
        "a large input goes with the first of the jobs that have it",
        "safety",
        "J5",
        (Change(_PAYLOADS, "AND NOT EXISTS (SELECT 1 FROM job WHERE payload = digest)", ""),),
    ),
    Bug(
        "other-kinds-pruned",
        "a kind for which something is set goes by what is set for the others",
        "safety",
        "R1",
        (
            Change(
                _STATE,
                'return self.rows.get((lane.tenant, lane.kind)) or self.rows.get((lane.tenant, ""))',
                'return self.rows.get((lane.tenant, "")) or self.rows.get((lane.tenant, lane.kind))',
            ),
        ),
    ),
    Bug(
        "pruned-once-and-never-again",
        "after the first walk nothing is pruned any more",
        "liveness",
        "R1",
        (Change(_STATE, "monotonic_us + rest_us(", "monotonic_us + 1_000_000 * rest_us("),),
    ),
    Bug(
        "late-report-about-a-pruned-job",
        "a stale report about a job that was pruned breaks the batch that it came in",
        "liveness",
        "E3",
        (
            Change(
                "engine/settle.py",
                "batch.trace(report.number).id, batch",
                "(batch.job(report.number), batch.trace(report.number).id)[1], batch",
            ),
        ),
    ),
)
