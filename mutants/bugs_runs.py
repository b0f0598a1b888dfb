"""Planted bugs of workflows' runs: nodes too early, twice, or never; budgets without an end; things left undone."""

from __future__ import annotations

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_ADVANCE = "engine/advance.py"
_END = "engine/run_end.py"
_RUNS = "engine/runs.py"

_KEYS = "engine/run_keys.py"

BUGS = (
    Bug(
        "run-key-forgotten-in-its-batch",
        "two callers in one batch get a run each under the same key",
        "safety",
        "E7",
        (
            Change(
                _KEYS,
                "batch.unit.run_keys.get((tenant, key)) or batch.state",
                "batch.state",
            ),
        ),
    ),
    Bug(
        "run-key-for-anything",
        "the key of a run stands for whatever is asked under it",
        "safety",
        "docs/how-to/run-a-workflow.md",
        (Change(_KEYS, "if found.digest.hex() == request.digest:", "if found.digest:"),),
    ),
    Bug(
        "run-key-not-told",
        "the journal does not say under which key a run was asked for",
        "safety",
        "E7",
        (
            Change(
                "engine/run_start.py",
                "data |= use_key(batch, new.key, new.request, row)",
                "use_key(batch, new.key, new.request, row)",
            ),
        ),
    ),
    Bug(
        "node-before-its-parents",
        "a node starts when the first of its parents has ended",
        "safety",
        "E11",
        (Change(_ADVANCE, 'if node.state != "waiting" or node.missing:', 'if node.state != "waiting":'),),
    ),
    Bug(
        "failed-parent-forgotten",
        "a node does not hear that a parent has failed",
        "safety",
        "E11",
        (
            Change(
                _ADVANCE,
                '"failed": [parent for parent, state in parents.items() if state in ("failed", "cancelled")],',
                '"failed": [parent for parent, state in parents.items() if state == "cancelled"],',
            ),
        ),
    ),
    Bug(
        "condition-ignored",
        "a node starts whose condition does not hold",
        "safety",
        "E11",
        (Change(_ADVANCE, "    if condition is None:\n", "    if condition is None or True:\n"),),
    ),
    Bug(
        "jobs-beyond-the-budget",
        "what a run has used of its jobs is forgotten",
        "safety",
        "E10",
        (Change(_ADVANCE, '"jobs": place.jobs, "wanted"', '"jobs": 0, "wanted"'),),
    ),
    Bug(
        "run-without-an-end-in-time",
        "a run that waits for a person may do so for ever",
        "liveness",
        "docs/how-to/run-a-workflow.md",
        (Change(_RUNS, 'run.place.state in ("running", "blocked")', 'run.place.state == "running"'),),
    ),
    Bug(
        "first-things-undone-first",
        "compensations run in the order of the nodes",
        "safety",
        "docs/how-to/run-a-workflow.md",
        (Change(_RUNS, "for name in reversed(self.plan.graph.order)", "for name in self.plan.graph.order"),),
    ),
    Bug(
        "kept-and-undone",
        "what is to be kept is compensated all the same",
        "safety",
        "docs/how-to/run-a-workflow.md",
        (
            Change(
                _END,
                '"undo": 0 if run.place.keeps else len(run.undo_order()),',
                '"undo": len(run.undo_order()),',
            ),
        ),
    ),
    Bug(
        "failed-compensation-forgotten",
        "a run whose compensation has failed ends as if all were undone",
        "explanation",
        "docs/how-to/run-a-workflow.md",
        (
            Change(
                _END,
                'ending = run.place.ending if verdict.chosen == "end" else "compensation_failed"',
                "ending = run.place.ending",
            ),
        ),
    ),
    Bug(
        "fan-out-forgotten-by-a-restart",
        "the items that were not submitted before a restart never are",
        "liveness",
        "docs/how-to/run-a-workflow.md",
        (
            Change(
                _RUNS,
                "                    run.hungry[name] = None\n            if node.has_ended and",
                "                    pass\n            if node.has_ended and",
            ),
        ),
    ),
    Bug(
        "stopped-run-goes-on",
        "the jobs of a run that was stopped go on",
        "safety",
        "docs/how-to/run-a-workflow.md",
        (
            Change(
                "engine/run_control.py",
                "            _cancel_jobs(batch, run, node.jobs, entry)\n",
                "            pass\n",
            ),
        ),
    ),
    Bug(
        "more-items-at-once",
        "a fan-out may have one more job open than it says",
        "safety",
        "docs/how-to/run-a-workflow.md",
        (Change("engine/feed.py", "else min(free, most - (", "else min(free, most + 1 - ("),),
    ),
)
