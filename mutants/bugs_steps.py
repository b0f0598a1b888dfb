"""Planted bugs of durable steps: recorded under the wrong fence, twice, never, or run again although recorded."""

from __future__ import annotations

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_STEPS = "engine/steps.py"
_SETTLE = "engine/settle.py"
_SDK = "sdk/steps.py"
_REPLAY = "sdk/step_replay.py"

BUGS = (
    Bug(
        "step-of-anybody",
        "any step about a running job is recorded, whatever its fence",
        "safety",
        "E3",
        (
            Change(
                _STEPS,
                "    if held is None or held.lease.fence != step.fence:\n        keep_evidence",
                "    if held is None:\n        keep_evidence",
            ),
        ),
    ),
    Bug(
        "stale-step-leaves-no-trace",
        "a stale step is not written down",
        "explanation",
        "E3",
        (Change(_STEPS, "        keep_evidence(batch, step, by)\n", ""),),
    ),
    Bug(
        "step-said-to-be-lost",
        "whoever sends a step again hears that it did not count",
        "safety",
        "E7",
        (
            Change(
                _STEPS,
                "        write_step(batch, held, step, by)\n    return True\n",
                "        write_step(batch, held, step, by)\n        return True\n    return False\n",
            ),
        ),
    ),
    Bug(
        "step-recorded-twice",
        "a step that comes again is recorded again",
        "safety",
        "E6",
        (Change(_STEPS, "    if step.step > held.lease.steps:\n", "    if held is not None:\n"),),
    ),
    Bug(
        "step-without-its-row",
        "a step is in the journal and no later attempt finds it",
        "safety",
        "J5",
        (Change(_STEPS, "    unit.steps.append(\n", "    list[StepRow]().append(\n"),),
    ),
    Bug(
        "steps-forgotten-by-a-retry",
        "a job that is tried again later is said to have no steps",
        "safety",
        "E6",
        (
            Change(
                _SETTLE,
                "batch.at_us, entry, lease.steps\n        )\n        batch.place(job, lease, timer)",
                "batch.at_us, entry, 0\n        )\n        batch.place(job, lease, timer)",
            ),
        ),
    ),
    Bug(
        "steps-forgotten-when-handed-back",
        "a job that is handed back is said to have no steps",
        "safety",
        "E6",
        (Change(_SETTLE, "lease.attempt, lease.losses, lease.steps", "lease.attempt, lease.losses, 0"),),
    ),
    Bug(
        "steps-forgotten-by-a-timer",
        "when a backoff is over the job is said to have no steps",
        "safety",
        "E6",
        (
            Change(
                "engine/timers.py",
                "timer.attempt, timer.losses, timer.steps",
                "timer.attempt, timer.losses, 0",
            ),
        ),
    ),
    Bug(
        "steps-forgotten-after-failed-commit",
        "after a commit that failed, running jobs are taken to be where their leases began",
        "safety",
        "E6",
        (
            Change(
                "engine/decider.py",
                "        leases = newest_leases(self.store)\n",
                "        leases = self.store.leases()\n",
            ),
        ),
    ),
    Bug(
        "steps-forgotten-by-a-restart",
        "after a restart, jobs that ran are taken to be where their leases began",
        "safety",
        "E6",
        (
            Change(
                "engine/startup.py",
                "    leases = newest_leases(state.store)\n",
                "    leases = state.store.leases()\n",
            ),
        ),
    ),
    Bug(
        "recorded-step-runs-again",
        "a later attempt runs what is recorded",
        "safety",
        "E6",
        (
            Change(
                _REPLAY,
                "        if self._next == len(self._recorded):\n            return None\n        asked",
                "        if self._next >= 0:\n            return None\n        asked",
            ),
        ),
    ),
    Bug(
        "steps-of-a-name-are-one",
        "all steps of one name are taken for the same",
        "safety",
        "E6",
        (Change(_SDK, "        return name, self._names[name]\n", "        return name, 1\n"),),
    ),
    Bug(
        "step-given-back-to-the-next",
        "a later attempt gets the output of the step after",
        "safety",
        "E6",
        (
            Change(
                _REPLAY,
                "            record = self._recorded[self._next]\n            self._next",
                "            record = self._recorded[-1]\n            self._next",
            ),
        ),
    ),
    Bug(
        "new-step-never-runs",
        "a step that was never recorded waits for ever behind those that were",
        "liveness",
        "E9",
        (Change(_REPLAY, "                    new.future.set_result(None)\n", "                    pass\n"),),
    ),
    Bug(
        "failure-for-good-not-recorded",
        "a step that has failed for good is told to its handler and not recorded",
        "safety",
        "E6",
        (Change(_SDK, "        await self._record(key, error=described)\n", ""),),
    ),
)
