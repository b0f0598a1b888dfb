"""Planted bugs of runs that continue another one: too much taken over, or undone, or forgotten."""

from __future__ import annotations

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_PAGE = "docs/how-to/run-a-workflow.md"
_FORK = "engine/run_fork.py"
_RULE = "kernel/fork.py"
_RUNS = "engine/runs.py"

BUGS = (
    Bug(
        "failed-and-taken-over",
        "nodes that have failed are taken over as if they had succeeded",
        "safety",
        "E18",
        (
            Change(
                _FORK,
                'return next((state for state in ("failed", "cancelled") if state in ends), "succeeded")',
                'return "succeeded"',
            ),
        ),
    ),
    Bug(
        "taken-over-and-undone",
        "a run that fails undoes what another one has done",
        "safety",
        _PAGE,
        (Change(_RUNS, " and self.nodes[name].source is None", ""),),
    ),
    Bug(
        "only-the-next-runs-anew",
        "of what follows a node that runs anew, only its children do, too",
        "safety",
        _PAGE,
        (Change(_RULE, "        if parent in anew:", "        if parent == start:"),),
    ),
    Bug(
        "other-input-forgotten",
        "what reads another input is taken over all the same",
        "safety",
        _PAGE,
        (Change(_FORK, "has_other_input = inputs[0] != inputs[1]", "has_other_input = False"),),
    ),
    Bug(
        "other-declaration-forgotten",
        "what is declared otherwise is taken over all the same",
        "safety",
        _PAGE,
        (Change(_FORK, "    if before is after or name not in before.nodes:", "    if True:"),),
    ),
    Bug(
        "taken-over-from-nowhere",
        "where a node was taken over from is forgotten by a restart",
        "safety",
        _PAGE,
        (
            Change(
                _RUNS,
                "                run.take_over(row)\n",
                "                run.take_over(row._replace(source=row.run))\n",
            ),
        ),
    ),
    Bug(
        "continued-without-a-word",
        "the story of an ended run does not name the one that continues it",
        "explanation",
        "J5",
        (Change(_FORK, "    batch.unit.run_mentions.append((row.number, entry))\n", ""),),
    ),
)
