"""Planted bugs of the telemetry: it tells too early, too little or something else, or stands in the way."""

from __future__ import annotations

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_DRIVER = "engine/driver.py"
_TELEMETRY = "engine/telemetry.py"

BUGS = (
    Bug(
        "told-before-commit",
        "the log and the metrics hear of a batch before it is committed",
        "explanation",
        "H5",
        (
            Change(
                _DRIVER,
                "        unit = batch.unit\n        if not unit.is_empty:\n",
                "        unit = batch.unit\n        self._telemetry.committed(batch, commit_us)\n"
                "        if not unit.is_empty:\n",
            ),
            Change(
                _DRIVER,
                "        self.on_commit(batch)\n        self._telemetry.committed(batch, commit_us)\n",
                "        self.on_commit(batch)\n",
            ),
        ),
    ),
    Bug(
        "listener-stops-the-engine",
        "a listener that fails takes the engine with it",
        "liveness",
        "H5",
        (
            Change(
                _TELEMETRY,
                "                except Exception:\n",
                "                except ZeroDivisionError:\n",
            ),
        ),
    ),
    Bug(
        "starts-not-counted",
        "metrics count no start of an attempt",
        "explanation",
        "H5",
        (Change("engine/dispatch.py", "    batch.leased += chosen\n", ""),),
    ),
    Bug(
        "trace-of-a-child-is-lost",
        "a job that a running job submits is not in the trace of its caller",
        "explanation",
        "H5",
        (Change("engine/by_jobs.py", "    if held.job.trace is None:\n", "    if held.job.trace:\n"),),
    ),
    Bug(
        "trace-is-not-told-of",
        "of jobs that come in together only the first has a span",
        "explanation",
        "H5",
        (
            Change(
                "engine/spans.py",
                "    for row in batch.unit.jobs:\n",
                "    for row in batch.unit.jobs[:1]:\n",
            ),
        ),
    ),
)
