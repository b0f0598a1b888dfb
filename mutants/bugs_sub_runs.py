"""Planted bugs of runs of nodes: forgotten above, or below, or beyond budgets that hold for all of them."""

from __future__ import annotations

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_PAGE = "docs/how-to/sub-workflows.md"
_ADVANCE = "engine/advance.py"
_SUB_RUNS = "engine/sub_runs.py"
_CONTROL = "engine/run_control.py"

BUGS = (
    Bug(
        "end-below-not-heard",
        "a node never hears that its run has ended",
        "liveness",
        _PAGE,
        (
            Change(
                "engine/run_end.py",
                "    batch.state.runs.sub_run_ended(run, state, entry)\n",
                "",
            ),
        ),
    ),
    Bug(
        "jobs-below-not-counted",
        "the jobs of runs below are not counted above",
        "safety",
        "E10",
        (Change(_ADVANCE, "jobs=above.place.jobs + wanted", "jobs=above.place.jobs"),),
    ),
    Bug(
        "budgets-above-ignored",
        "a run below goes beyond what the run above may use up",
        "safety",
        "E10",
        (
            Change(
                _ADVANCE,
                '        given["above"] = [_budget(above) for above in run.above()]\n',
                '        given["above"] = []\n',
            ),
        ),
    ),
    Bug(
        "any-depth",
        "runs below runs may be as deep as they like",
        "safety",
        "E10",
        (Change("kernel/advance.py", "if is_deeper and depth > depth_max:", "if False:"),),
    ),
    Bug(
        "stopped-above-alone",
        "what runs below a run that is stopped goes on",
        "safety",
        _PAGE,
        (
            Change(
                _CONTROL, "            _stop_sub_runs(batch, run, node.jobs, entry)\n", "            pass\n"
            ),
        ),
    ),
    Bug(
        "kept-above-undone-below",
        "what a run keeps that is stopped, the runs below it undo",
        "safety",
        _PAGE,
        (Change(_CONTROL, "    if run.place.keeps:\n", "    if False:\n"),),
    ),
    Bug(
        "longer-than-above",
        "a run below has its own time, however little is left above",
        "safety",
        _PAGE,
        (
            Change(
                _SUB_RUNS,
                "min(parent.row.due_us, batch.at_us + plan.wall_us)",
                "batch.at_us + plan.wall_us",
            ),
        ),
    ),
    Bug(
        "no-room-to-begin-with",
        "runs that wait for the runs of their nodes take up all the room for these",
        "liveness",
        _PAGE,
        (Change(_SUB_RUNS, "if parent.running and len(", "if len("),),
    ),
    Bug(
        "runs-below-forgotten-by-a-restart",
        "after a restart a run does not know that runs of its nodes are open",
        "safety",
        _PAGE,
        (
            Change(
                "engine/runs.py",
                "            node.jobs.append(number)\n            if state is None:\n"
                "                run.running += 1\n            else:\n                node.count_end(state)\n",
                "            if state is not None:\n                node.count_end(state)\n",
            ),
        ),
    ),
    Bug(
        "changed-below-and-taken-over",
        "what a run below would do otherwise is taken over all the same",
        "safety",
        _PAGE,
        (
            Change(
                "kernel/fork.py",
                'return declared | {"workflow": [_declared_workflow(plan, known[each]) for each in reached]}',
                "return declared",
            ),
        ),
    ),
)
