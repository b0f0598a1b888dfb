"""Planted bugs of what comes in, what people ask for, and what follows from an end."""

from __future__ import annotations

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_INTAKE = "engine/intake.py"
_BY_JOBS = "engine/by_jobs.py"
_KEYS = "engine/keys.py"
_CONTROL = "engine/control.py"
_FOLLOW = "engine/follow.py"

BUGS = (
    Bug(
        "key-ignores-input",
        "the same key with another input gives the old job",
        "safety",
        "E7",
        (Change(_KEYS, '        "input": new.digest,\n        "priority"', '        "priority"'),),
    ),
    Bug(
        "key-ignores-priority",
        "the same key with another priority gives the old job",
        "safety",
        "E7",
        (Change(_KEYS, '        "priority": new.priority,\n        "delay_us"', '        "delay_us"'),),
    ),
    Bug(
        "key-not-looked-up-in-batch",
        "a key that the same batch has used is not found",
        "safety",
        "E7",
        (
            Change(
                _KEYS,
                "batch.unit.keys.get((tenant, key)) or batch.state.store.find_key(",
                "batch.state.store.find_key(",
            ),
        ),
    ),
    Bug(
        "key-of-another-tenant",
        "a key is looked up for somebody else",
        "safety",
        "E7",
        (Change(_KEYS, "find_key(batch, by.tenant, new.key)", "find_key(batch, by.actor, new.key)"),),
    ),
    Bug(
        "batch-not-counted-against-queue",
        "the jobs of one call are not counted against queue_jobs_max",
        "safety",
        "E16",
        (
            Change(
                _INTAKE,
                "_plan(batch, new, by, coming.get(new.queue, 0), source)",
                "_plan(batch, new, by, 0, source)",
            ),
        ),
    ),
    Bug(
        "fan-out-not-counted",
        "what a job has submitted before is not counted",
        "safety",
        "E16",
        (Change(_BY_JOBS, "    state.fan_out[by_job] = submitted\n", ""),),
    ),
    Bug(
        "stale-fence-may-submit",
        "an attempt that has lost its lease submits jobs",
        "safety",
        "E3",
        (Change(_BY_JOBS, "if held is None or held.lease.fence != fence:", "if held is None:"),),
    ),
    Bug(
        "not-all-or-none",
        "a refused call has taken in the jobs before the refused one",
        "safety",
        "E2",
        (
            Change(
                _INTAKE,
                '        if plan.verdict.chosen == "refuse":\n            refuse(batch, plan, by)\n        coming',
                '        if plan.verdict.chosen == "refuse":\n'
                "            for early in planned:\n"
                "                if not isinstance(early, str):\n"
                "                    _take_in(batch, early, _make(batch, early.new, by, None, None), by, None)\n"
                "            refuse(batch, plan, by)\n        coming",
            ),
        ),
    ),
    Bug(
        "ended-parents-are-waited-for",
        "a job waits for jobs that have ended before it came",
        "liveness",
        "E9",
        (
            Change(
                _INTAKE,
                "sum(type(location) is not Result for location in parents.values())",
                "len(parents)",
            ),
        ),
    ),
    Bug(
        "submission-names-wrong-depth",
        "the decision about a job records an empty queue",
        "explanation",
        "E14",
        (
            Change(
                _INTAKE,
                "        decision=decision(ADMISSION, plan.given, plan.verdict),\n        cause",
                '        decision=decision(ADMISSION, {**plan.given, "depth": 0}, plan.verdict),\n        cause',
            ),
        ),
    ),
    Bug(
        "job-submits-on-its-own-behalf",
        "for a job that a job has submitted, nobody is named on whose behalf it runs",
        "explanation",
        "J10",
        (
            Change(
                _BY_JOBS,
                'auth="lease", on_behalf_of=by.on_behalf_of,',
                'auth="lease", on_behalf_of=held.id,',
            ),
        ),
    ),
    Bug(
        "cancel-not-signalled",
        "an attempt is not told that its job was cancelled",
        "liveness",
        "E12",
        (
            Change(
                _CONTROL,
                "        batch.ask_to_stop(asked, StopRequest(number=job.number, fence=location.fence,"
                ' reason="cancel"))\n',
                "",
            ),
        ),
    ),
    Bug(
        "cancel-again-extends-grace",
        "each request to cancel gives the attempt ten more seconds",
        "safety",
        "E12",
        (Change("engine/batch.py", "if asked_us is None and after.cancel_us:", "if after.cancel_us:"),),
    ),
    Bug(
        "run-again-with-other-options",
        "a job that is run again is not as urgent as it was",
        "safety",
        "E4",
        (Change("engine/dead_letters.py", "priority=job.priority,", "priority=5,"),),
    ),
    Bug(
        "drain-only-recorded",
        "an engine that drains says so and goes on as before",
        "safety",
        "E17",
        (Change("engine/system.py", "    _put(batch, row._replace(draining=entry))\n", ""),),
    ),
    Bug(
        "resume-leaves-it-paused",
        "a queue is said to be resumed and stays paused",
        "liveness",
        "E9",
        (
            Change(
                "engine/flow.py",
                'row._replace(paused=0, reason="")',
                'row._replace(reason="")',
            ),
        ),
    ),
    Bug(
        "first-parent-releases",
        "a job starts when the first of those that it runs after has ended",
        "safety",
        "E11",
        (Change(_FOLLOW, "missing = location.missing - 1", "missing = 0"),),
    ),
    Bug(
        "cancelled-blocked-job-strands-others",
        "cancelling a job that waits leaves those that wait for it",
        "liveness",
        "E9",
        (
            Change(
                _FOLLOW,
                "        ended = batch.ended[done:]\n",
                "        ended = [one for one in batch.ended[done:] if one[1].attempt or one[1].state == 'failed']\n",
            ),
        ),
    ),
    Bug(
        "chain-of-cancellations-stops",
        "jobs that wait for a job that was cancelled with its parent wait for ever",
        "liveness",
        "E9",
        (
            Change(
                _FOLLOW,
                "            _parent_ended(batch, batch.job(child), parent_job, result)\n",
                "            _parent_ended(batch, batch.job(child), parent_job, result)\n"
                "        done = len(batch.ended)\n",
            ),
        ),
    ),
    Bug(
        "fresh-dependents-forgotten",
        "jobs that were submitted in the batch in which their parent ended wait for ever",
        "liveness",
        "E9",
        (Change(_FOLLOW, "sorted({*stored, *fresh})", "sorted({*stored, *fresh[:0]})"),),
    ),
    Bug(
        "release-names-wrong-cause",
        "a job that was released names its own entry as the cause",
        "explanation",
        "J14",
        (
            Change(
                _FOLLOW,
                "previous=location.entry, cause=result.entry",
                "previous=location.entry, cause=location.entry",
            ),
        ),
    ),
)
