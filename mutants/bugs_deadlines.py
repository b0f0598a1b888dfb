"""Planted bugs in deadlines of whole jobs: some outlive them, or those who have submitted them."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_INTAKE = "engine/intake.py"

BUGS: Final = (
    Bug(
        "deadline-without-a-timer",
        "no timer is set for the deadline of a job",
        "liveness",
        "E19",
        (Change(_INTAKE, "batch.set_alarm(job.number, job.deadline_us)", "pass"),),
    ),
    Bug(
        "deadline-is-not-inherited",
        "a job that a running job submits has its own deadline alone",
        "safety",
        "E19",
        (Change(_INTAKE, "0 if by_job is None else batch.job(by_job).deadline_us", "0 * (by_job or 0)"),),
    ),
    Bug(
        "deadline-does-not-keep-retries-back",
        "an attempt is tried again however late that is",
        "safety",
        "E19",
        (Change("kernel/retry.py", "    if delay >= left:\n", "    if delay < 0:\n"),),
    ),
    Bug(
        "deadline-does-not-end-attempts",
        "an attempt may take all of its run timeout, whatever is left until the deadline of its job",
        "liveness",
        "E19",
        (Change("engine/state.py", "    if job.deadline_us:\n", "    if job.deadline_us < 0:\n"),),
    ),
)
