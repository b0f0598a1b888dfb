"""Planted bugs in gates."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_ENGINE = "engine/gates.py"
_KERNEL = "kernel/gates.py"

BUGS: Final = (
    Bug(
        "debounce-forgets-the-first",
        "a debounced job is put off for as long as others come, since each counts as the first",
        "safety",
        "G1",
        (
            Change(
                _ENGINE,
                "(at_us, 0) if known is None or waiting is None else (known.since_us, known.jobs)",
                "(at_us, 0) if known is None or waiting is None else (at_us, known.jobs)",
            ),
        ),
    ),
    Bug(
        "superseded-job-runs",
        "the job whose place another one has taken runs all the same",
        "safety",
        "G1",
        (
            Change(
                _ENGINE,
                "    _supersede(batch, waiting, job, {",
                "    False and _supersede(batch, waiting, job, {",
            ),
        ),
    ),
    Bug(
        "cancelled-job-is-superseded",
        "the job that waited under a key is taken to wait although somebody has cancelled it",
        "safety",
        "E5",
        (
            Change(
                _ENGINE,
                "return job if job is not None and type(batch.locate(job)) is Timer else None",
                "return job",
            ),
        ),
    ),
    Bug(
        "throttle-counts-for-ever",
        "a period of a throttle never ends",
        "safety",
        "G1",
        (
            Change(
                _ENGINE,
                "known.until_us <= batch.at_us:",
                'known.until_us <= batch.at_us and gate.what == "debounce":',
            ),
        ),
    ),
    Bug(
        "throttle-lets-one-more-in",
        "a throttle takes one job more than it may",
        "safety",
        "G1",
        (Change(_KERNEL, 'if made < given["jobs"]:', 'if made <= given["jobs"]:'),),
    ),
    Bug(
        "dropped-without-a-word",
        "a submission is dropped and nothing says so",
        "safety",
        "G1",
        (
            Change(
                _ENGINE,
                "            _drop(batch, command, known, decision(THROTTLE, given, verdict), by)\n",
                "",
            ),
        ),
    ),
    Bug(
        "kinds-share-gates",
        "submissions of all kinds share the keys of their gates",
        "safety",
        "G1",
        (
            Change(
                _ENGINE, "key = (by.tenant, command.job.kind, gate.what,", 'key = (by.tenant, "", gate.what,'
            ),
        ),
    ),
    Bug(
        "gates-lost-with-a-crash",
        "what is known of keys is not written",
        "safety",
        "G1",
        (Change("store/sqlite/unit_rows.py", "        _write_gates(connection, unit)\n", "        pass\n"),),
    ),
    Bug(
        "keys-in-use-make-room",
        "keys are taken out that still mean something",
        "safety",
        "G1",
        (
            Change(
                "store/sqlite/queries/delete_gates.sql",
                "WHERE until_us <= ?",
                "WHERE until_us <= 10000000 + ?",
            ),
        ),
    ),
)
