"""Planted bugs in what becomes of jobs that a job spawns and waits for."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_CHILDREN = "engine/children.py"
_WAITS = "engine/waits.py"
_BATCH = "engine/batch.py"
_FOLLOW = "engine/follow.py"

BUGS: Final = (
    Bug(
        "spawn-leaves-no-step",
        "jobs are submitted and the step that says so is not recorded: the next attempt submits them again",
        "safety",
        "E1",
        (Change(_CHILDREN, "    write_answer(batch, command, ids, by)\n", ""),),
    ),
    Bug(
        "spawn-under-any-fence",
        "an attempt that was given up submits jobs",
        "safety",
        "E3",
        (
            Change(
                _CHILDREN,
                "    held = find_running(batch, command.number, command.fence)\n",
                "    held = batch.state.held.get(command.number) or find_running(batch, command.number, None)\n",
            ),
            Change(_CHILDREN, "fence=command.fence), by)", "fence=held.lease.fence), by)"),
        ),
    ),
    Bug(
        "spawn-that-comes-again-gives-nothing",
        "jobs that were spawned and are asked for again are not named any more",
        "safety",
        "E1",
        (
            Change(
                _CHILDREN,
                "        return msgspec.json.decode(known, type=list[str])\n",
                "        return []\n",
            ),
        ),
    ),
    Bug(
        "end-wakes-nobody",
        "a handler that waits for jobs is not told that they have ended",
        "liveness",
        "E9",
        (Change(_FOLLOW, "    if batch.state.awaiting and first < done:\n", "    if False:\n"),),
    ),
    Bug(
        "first-end-is-enough",
        "a handler that waits for several jobs goes on when the first of them has ended",
        "safety",
        "E11",
        (
            Change(_WAITS, "        if batch.awaited_left(key):\n            continue\n", ""),
            Change(
                _WAITS,
                'wait.what == "jobs" and not batch.awaited_left(wait_key(wait))',
                'wait.what == "jobs" and ended',
            ),
        ),
    ),
    Bug(
        "fresh-wait-misses-an-end",
        "a wait that begins in the batch in which its last job ends is never over",
        "liveness",
        "E9",
        (
            Change(
                _BATCH,
                "for number in jobs.keys() & set(ended) if jobs[number]]",
                "for number in () if jobs[number]]",
            ),
        ),
    ),
    Bug(
        "end-in-this-batch-is-waited-for",
        "a job that has ended in the batch in which the wait begins is waited for, and never ends again",
        "liveness",
        "E9",
        (
            Change(
                _BATCH,
                "        return here | self.state.store.ended(numbers)\n",
                "        return self.state.store.ended(numbers) - here\n",
            ),
        ),
    ),
    Bug(
        "awaited-jobs-not-stored",
        "what a handler waits for is only in memory",
        "safety",
        "J5",
        (
            Change(
                "store/sqlite/unit_rows.py",
                '    _change_rows(connection, "awaited", _awaited_rows(unit), 4)\n',
                "",
            ),
        ),
    ),
    Bug(
        "awaited-rows-stay",
        "a wait for jobs that is over leaves rows behind",
        "explanation",
        "J5",
        (
            Change(
                _BATCH,
                "self.unit.awaited[key] = dict.fromkeys(stored, False)",
                "self.unit.awaited.pop(key, stored)",
            ),
        ),
    ),
    Bug(
        "waiters-forgotten-at-start",
        "after a restart nobody looks for handlers that wait for jobs",
        "liveness",
        "E9",
        (Change("engine/state.py", "self.awaiting = store.any_awaited()", "self.awaiting = False"),),
    ),
    Bug(
        "children-outlive-their-parent",
        "jobs go on although the one that spawned them has failed or was cancelled",
        "safety",
        "docs/how-to/children.md",
        (Change(_FOLLOW, "        if job.number in parents:\n", "        if False:\n"),),
    ),
    Bug(
        "children-end-with-a-success",
        "jobs are cancelled although the one that spawned them has succeeded",
        "safety",
        "docs/how-to/children.md",
        (
            Change(
                _BATCH,
                '            if after.state != "succeeded":\n                self.parents_lost',
                "            if after.state:\n                self.parents_lost",
            ),
            # Both keep from it: one spares a look at what was spawned, and the other one decides.
            Change(
                _CHILDREN,
                '        if not has_proposed and result.state == "succeeded":\n',
                "        if False:\n",
            ),
        ),
    ),
    Bug(
        "orphan-names-no-cause",
        "a job that is cancelled with its parent does not say which entry led to it",
        "explanation",
        "J14",
        (
            Change(
                _CHILDREN,
                "cancel_job(batch, job, ENGINE, reason, result.entry)",
                "cancel_job(batch, job, ENGINE, reason)",
            ),
        ),
    ),
)
