"""Planted bugs of the ends of attempts: reports, losses, retries."""

from __future__ import annotations

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_SETTLE = "engine/settle.py"
_STARTUP = "engine/startup.py"
_WORKERS = "engine/workers.py"

BUGS = (
    Bug(
        "retry-lost",
        "a retry is recorded, and the job stays where it was",
        "safety",
        "J5",
        (Change(_SETTLE, "        batch.place(job, lease, timer)\n", ""),),
    ),
    Bug(
        "retry-never-due",
        "a retry is set for the end of time",
        "liveness",
        "E9",
        (
            Change(
                _SETTLE,
                'due_us = batch.at_us + verdict.chosen["delay_us"]',
                'due_us = batch.at_us + verdict.chosen["delay_us"] + 2**60',
            ),
        ),
    ),
    Bug(
        "backoff-input-not-recorded",
        "the decision about a retry records another seed than the one it was drawn from",
        "explanation",
        "E14",
        (
            Change(
                _SETTLE,
                "record = decision(rule, given, verdict)",
                'record = decision(rule, {**given, "seed": 7}, verdict)',
            ),
        ),
    ),
    Bug(
        "failure-row-forgotten",
        "how an attempt failed is not stored",
        "explanation",
        "J14",
        (
            Change(
                _SETTLE,
                "        batch.place(job, lease, ready)\n    batch.unit.failures",
                "        batch.place(job, lease, ready)\n        batch.unit.failures",
            ),
        ),
    ),
    Bug(
        "losses-not-in-result",
        "the loss that ended a job is missing from its result",
        "explanation",
        "E10",
        (Change(_SETTLE, "losses = lease.losses if losses is None else losses", "losses = lease.losses"),),
    ),
    Bug(
        "loss-counts-as-failure",
        "losses of workers are not counted, so they use up attempts",
        "safety",
        "E10",
        (
            Change(
                _SETTLE,
                'losses = lease.losses + (error.error_class == "lost_lease")',
                "losses = lease.losses",
            ),
        ),
    ),
    Bug(
        "output-digest-of-another",
        "the entry of a success names the digest of another output",
        "explanation",
        "J14",
        (Change(_SETTLE, '"output": digest(output)}\n    end(', '"output": digest(b"null")}\n    end('),),
    ),
    Bug(
        "output-lost",
        "an output that fits into its row is not stored",
        "safety",
        "E1",
        (
            Change(
                _SETTLE,
                "Said(data, record, by), output=output)",
                "Said(data, record, by), output=output[:0])",
            ),
        ),
    ),
    Bug(
        "handed-back-counts",
        "a job that was handed back is on its next attempt",
        "safety",
        "E6",
        (
            Change(
                _SETTLE,
                "attempt, losses, steps = lease.attempt, lease.losses,",
                "attempt, losses, steps = lease.attempt + 1, lease.losses,",
            ),
        ),
    ),
    Bug(
        "stale-report-leaves-no-trace",
        "a stale report is not written down",
        "explanation",
        "E3",
        (
            Change(
                _SETTLE,
                "        keep_evidence(batch, report, by)\n",
                "",
            ),
        ),
    ),
    Bug(
        "previous-is-the-lease",
        "the end of an attempt links to its lease, past what came in between",
        "explanation",
        "J14",
        (Change(_SETTLE, "previous=held.lease.entry", "previous=held.lease.fence"),),
    ),
    Bug(
        "lost-cancelled-job-goes-on",
        "a job that was to be cancelled and lost its worker is tried again",
        "safety",
        "E12",
        (Change(_SETTLE, "    if not lease.cancel_us:\n", "    if lease.number:\n"),),
    ),
    Bug(
        "orphans-kept-after-restart",
        "attempts of the engine before are left as they are",
        "liveness",
        "E9",
        (
            Change(
                _STARTUP,
                "    for lease in leases:\n        lose(",
                "    for lease in leases[:0]:\n        lose(",
            ),
        ),
    ),
    Bug(
        "cancel-lost-over-restart",
        "a restart forgets that a job was to be cancelled",
        "safety",
        "E12",
        (
            Change(
                _STARTUP,
                "lose(batch, state.held[lease.number], error, cause=entry)",
                "found = state.held[lease.number]\n"
                "        lose(batch, found._replace(lease=lease._replace(cancel_us=0)), error, cause=entry)",
            ),
        ),
    ),
    Bug(
        "dependents-forgotten-at-start",
        "jobs that run after one that a restart has ended wait for ever",
        "liveness",
        "E9",
        (
            Change(
                "engine/decider.py",
                "        startup.start(batch, version, shard.epoch, self.limits)\n"
                "        advance_runs(batch, follow(batch, 0))\n",
                "        startup.start(batch, version, shard.epoch, self.limits)\n",
            ),
        ),
    ),
    Bug(
        "policy-of-the-engine-before",
        "entries name the limits of the engine before",
        "explanation",
        "J10",
        (Change(_STARTUP, "    batch.unit.policy = batch.unit.next_seq\n", ""),),
    ),
    Bug(
        "lost-worker-keeps-its-jobs",
        "the jobs of a worker that is gone are left to it",
        "liveness",
        "E9",
        (Change(_WORKERS, "    for number in held:\n", "    for number in held[:0]:\n"),),
    ),
    Bug(
        "replaced-lease-call-not-answered",
        "a lease call that a later one replaces is never answered",
        "liveness",
        "E9",
        (
            Change(
                _WORKERS,
                "    if session.waiting is not None:\n"
                "        batch.answers.append((session.waiting, [], None))\n    session.waiting, session",
                "    session.waiting, session",
            ),
        ),
    ),
    Bug(
        "lost-workers-call-not-answered",
        "the lease call of a worker that is taken for lost is never answered",
        "liveness",
        "E9",
        (
            Change(
                _WORKERS,
                "    if session.waiting is not None:\n"
                "        batch.answers.append((session.waiting, [], None))\n    error",
                "    error",
            ),
        ),
    ),
    Bug(
        "heard-of-only-once",
        "a worker's silence is counted from its registration",
        "safety",
        "E8",
        (Change(_WORKERS, "    session.heard_us = batch.monotonic_us\n", ""),),
    ),
)
