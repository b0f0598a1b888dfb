"""Planted bugs in what becomes of jobs whose code has changed, in patches, and in versions of a kind."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_CODE = "engine/code.py"
_SETTLE = "engine/settle.py"
_WORKERS = "engine/workers.py"
_BATCH = "engine/batch.py"
_INPUT = "engine/lease_input.py"
_INTAKE = "engine/intake.py"
_RULE = "kernel/code.py"
_STEPS = "sdk/steps.py"
_REPLAY = "sdk/step_replay.py"

BUGS: Final = (
    Bug(
        "changed-code-is-a-failure",
        "an attempt that finds its code changed counts as a failed one",
        "safety",
        "E4",
        (Change(_SETTLE, '    elif chosen == "code_changed":\n', "    elif False:\n"),),
    ),
    Bug(
        "changed-code-costs-an-attempt",
        "a job that is blocked by its code has used up an attempt",
        "safety",
        "E10",
        (
            Change(
                _CODE,
                "    attempt, losses, steps = lease.attempt, lease.losses, lease.steps\n",
                "    attempt, losses, steps = lease.attempt + 1, lease.losses, lease.steps\n",
            ),
        ),
    ),
    Bug(
        "blocked-job-loses-its-steps",
        "a job that is blocked by its code goes on as if it had recorded nothing",
        "safety",
        "E6",
        (
            Change(
                _CODE,
                "    attempt, losses, steps = row.attempt, row.losses, row.steps\n",
                "    attempt, losses, steps = row.attempt, row.losses, 0\n",
            ),
        ),
    ),
    Bug(
        "blocking-code-is-not-stored",
        "which code has blocked a job is known only until the engine stops",
        "safety",
        "J5",
        (Change(_CODE, "        batch.unit.blocking[job.number, code] = True\n", ""),),
    ),
    Bug(
        "blocking-code-outlives-its-job",
        "which code has blocked a job is kept when the job has ended",
        "safety",
        "J5",
        (Change(_BATCH, "                self._allow_code(after.number, code)\n", "                pass\n"),),
    ),
    Bug(
        "same-code-gets-it-again",
        "a job goes on although code that has blocked it is on duty",
        "safety",
        "E14",
        (Change(_RULE, "    if again:\n", "    if False:\n"),),
    ),
    Bug(
        "going-worker-releases-nothing",
        "a job stays blocked when the last worker with the code that blocked it goes",
        "liveness",
        "E9",
        (Change(_WORKERS, "    batch.state.look_again(session.offers)\n", ""),),
    ),
    Bug(
        "coming-worker-releases-nothing",
        "a job stays blocked when a worker with other code comes on duty",
        "liveness",
        "E9",
        (Change(_WORKERS, "    batch.state.look_again(offers)\n", ""),),
    ),
    Bug(
        "anything-is-unblocked",
        "a person lets a job start that waits for other jobs",
        "safety",
        "E11",
        (
            Change(_CODE, " or location.reason != CODE_CHANGED", ""),
            Change(_CODE, "sorted(state.blocking[job.number])", "sorted(state.blocking.get(job.number, ()))"),
        ),
    ),
    Bug(
        "blocked-by-unknown-code",
        "a job is said to be blocked by code that its worker has not",
        "safety",
        "E14",
        (Change(_CODE, '"") if session else ""', '"")[:3] if session else ""'),),
    ),
    Bug(
        "any-version-will-do",
        "a job is given to a worker that offers another version of its kind",
        "safety",
        "E4",
        (Change(_INPUT, "if lane.offered_as in session.offers", "if lane.kind in session.offers"),),
    ),
    Bug(
        "version-is-forgotten",
        "a job comes in under the first version of its kind, whichever it is for",
        "safety",
        "J14",
        (
            Change(
                _INTAKE,
                "    key = (by.tenant, new.queue, new.kind, new.version)\n",
                "    key = (by.tenant, new.queue, new.kind, 1)\n",
            ),
        ),
    ),
    Bug(
        "version-is-not-recorded",
        "the journal does not say of which version of its kind a job is",
        "safety",
        "J14",
        (Change("engine/submitted.py", '"version": new.version, "partition"', '"version": 1, "partition"'),),
    ),
    Bug(
        "patch-is-not-recorded",
        "which way a patched handler goes is not recorded, so that a later attempt goes another",
        "safety",
        "E1",
        (
            Change(
                _STEPS,
                '            await self._begin(lambda: self._record((f"{PATCH_PREFIX}{name}", 1), output=data))\n',
                "            del data\n",
            ),
        ),
    ),
    Bug(
        "patch-is-always-new",
        "a job that is past a patch is sent the new way",
        "safety",
        "E1",
        (
            Change(
                _STEPS,
                "            known = self._patches[name] = self._replay.is_over\n",
                "            known = self._patches[name] = True\n",
            ),
        ),
    ),
    Bug(
        "new-step-before-recorded-ones",
        "a step that was never recorded is run before those that are were asked for",
        "safety",
        "E1",
        (
            Change(
                _REPLAY,
                "        if place is None:\n            self._new.append(asked)\n",
                "        if place is None:\n            return None\n",
            ),
        ),
    ),
)
