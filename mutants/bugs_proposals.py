"""Planted bugs in what becomes of jobs that a job proposes."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_ENGINE = "engine/proposals.py"
_TREES = "engine/trees.py"
_KERNEL = "kernel/proposals.py"
_STORE = "store/sqlite/unit_rows.py"
_CHILDREN = "engine/children.py"

BUGS: Final = (
    Bug(
        "repeat-of-another-input",
        "what was proposed of a kind is taken for the same whatever the input",
        "safety",
        "P1",
        (Change(_KERNEL, 'f"{kind} {input_digest}"', 'f"{kind}"'),),
    ),
    Bug(
        "repeats-within-a-call",
        "the same is made twice when it is proposed twice in one call",
        "safety",
        "P1",
        (Change(_KERNEL, "    if same is not None:\n", "    if False:\n"),),
    ),
    Bug(
        "budget-counted-after-the-call",
        "a call is within the budget when what was made before it is",
        "safety",
        "P1",
        (Change(_KERNEL, "if jobs + new >= jobs_max:", "if jobs >= jobs_max:"),),
    ),
    Bug(
        "one-deeper-than-it-may",
        "a job is made that is one deeper than the budget allows",
        "safety",
        "P1",
        (Change(_KERNEL, "    if depth > depth_max:\n", "    if depth > depth_max + 1:\n"),),
    ),
    Bug(
        "time-never-over",
        "jobs are made of proposals when the time of the budget is over",
        "safety",
        "P1",
        (Change(_KERNEL, "    if elapsed_us >= wall_us:\n", "    if False:\n"),),
    ),
    Bug(
        "nobody-stalls",
        "a job may propose for ever what is not accepted",
        "safety",
        "P1",
        (Change(_KERNEL, 'given["fruitless"] + 1\n', "1\n"),),
    ),
    Bug(
        "rejected-and-made",
        "a job is made of a proposal that is rejected as a repeat",
        "safety",
        "P1",
        (
            Change(
                _ENGINE,
                "if code == ACCEPTED and not isinstance(job, Rejection)",
                'if code in (ACCEPTED, "repeat") and not isinstance(job, Rejection)',
            ),
        ),
    ),
    Bug(
        "made-and-forgotten",
        "nobody remembers of which kinds and inputs jobs were made",
        "safety",
        "P1",
        (
            Change(
                _ENGINE,
                "        changes.made[tree.root, like] = MadeRow(tree.root, like, number)\n",
                "        MadeRow(tree.root, like, number)\n",
            ),
        ),
    ),
    Bug(
        "rejection-not-recorded",
        "a call in which nothing is accepted leaves no decision in the journal",
        "explanation",
        "P1",
        (
            Change(
                _ENGINE,
                "    entry = _record(batch, held, tree.jobs + len(planned), decision(PROPOSE, given, verdict), by)\n",
                "    entry = batch.unit.next_seq\n"
                "    if planned:\n"
                "        _record(batch, held, tree.jobs + len(planned), decision(PROPOSE, given, verdict), by)\n",
            ),
        ),
    ),
    Bug(
        "budgets-lost-with-a-crash",
        "what is used of budgets is not written",
        "safety",
        "P1",
        (Change(_STORE, "    write_proposals(connection, unit.proposals)\n", ""),),
    ),
    Bug(
        "trees-forgotten-at-start",
        "after a restart nobody looks for trees",
        "safety",
        "P1",
        (Change("engine/state.py", "self.trees = store.tree_count()", "self.trees = 0"),),
    ),
    Bug(
        "detour-around-the-budget",
        "what a job of a tree submits, without proposing it, has a budget of its own",
        "safety",
        "P1",
        (Change("engine/by_jobs.py", "    if member is not None:\n", "    if False:\n"),),
    ),
    Bug(
        "tree-outlives-its-jobs",
        "a tree stays when its last job has ended",
        "explanation",
        "J14",
        (Change(_TREES, "if tree.members > 1:", "if tree.members > 0:"),),
    ),
    Bug(
        "run-does-not-count-proposals",
        "jobs that were made of proposals do not count for the run that they belong to",
        "safety",
        "E10",
        (Change(_ENGINE, "        _count_in_runs(batch, tree.run, len(planned))\n", ""),),
    ),
    Bug(
        "run-above-does-not-count-proposals",
        "jobs that were made of proposals count for their run, and not for those above it",
        "safety",
        "E10",
        (Change(_ENGINE, "(run, *run.above())", "(run,)"),),
    ),
    Bug(
        "stopped-run-takes-proposals-in",
        "jobs come into a run that is being stopped",
        "safety",
        "P1",
        (Change(_KERNEL, '    if run_state != "running":\n', "    if False:\n"),),
    ),
    Bug(
        "proposed-jobs-outlive-a-success",
        "jobs that were proposed go on when the job that has proposed them has succeeded",
        "safety",
        "docs/how-to/follow-up-jobs.md",
        (
            Change(
                _CHILDREN,
                'if not has_proposed and result.state == "succeeded":',
                'if result.state == "succeeded":',
            ),
        ),
    ),
    Bug(
        "proposals-that-come-again-are-made-again",
        "what was proposed and is asked again is decided about anew",
        "safety",
        "E1",
        (
            Change(
                _ENGINE,
                "        return msgspec.json.decode(known, type=ProposalAnswer)\n",
                "        command = replace(command, step=held.lease.steps + 1)\n",
            ),
        ),
    ),
)
