"""Planted bugs of dead letters and bulk operations: lost, dealt with twice, done to others, or never over."""

from __future__ import annotations

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_DEAD = "engine/dead_letters.py"
_BULK = "engine/bulk.py"
_SEARCH = "store/sqlite/search.py"

BUGS = (
    Bug(
        "failed-job-is-no-dead-letter",
        "a job that has used up its attempts is not kept as a dead letter",
        "safety",
        "J5",
        (
            Change(
                "engine/settle.py",
                "        batch.bury(job.number, error)\n",
                '        if error.error_class != "retryable":\n            batch.bury(job.number, error)\n',
            ),
        ),
    ),
    Bug(
        "queue-timeout-is-no-dead-letter",
        "a job that waited too long is not kept as a dead letter",
        "safety",
        "J5",
        (Change("engine/unstarted.py", "    batch.bury(job.number, error)\n", ""),),
    ),
    Bug(
        "replayed-letter-stays",
        "a dead letter that was replayed can be replayed again",
        "safety",
        "J5",
        (
            Change(
                _DEAD,
                "    batch.unbury(job.number)\n    record = decision(REPLAY, given, verdict)\n",
                "    record = decision(REPLAY, given, verdict)\n",
            ),
        ),
    ),
    Bug(
        "discarded-letter-stays",
        "a dead letter that was discarded can be replayed",
        "safety",
        "J5",
        (
            Change(
                _DEAD,
                "    batch.unbury(job.number)\n    record = decision(DISCARD, given, verdict)\n",
                "    record = decision(DISCARD, given, verdict)\n",
            ),
        ),
    ),
    Bug(
        "poison-needs-no-word",
        "a quarantined job is replayed like any other",
        "safety",
        "E14",
        (
            Change(
                "kernel/dead_letters.py",
                '    if given["is_quarantined"] and not given["poison"]:\n',
                '    if given["is_quarantined"] and given["poison"] is None:\n',
            ),
        ),
    ),
    Bug(
        "tags-are-not-inherited",
        "a job that is run again has lost its tags",
        "safety",
        "E1",
        (Change(_DEAD, "        tags=batch.tags(job.number),\n", ""),),
    ),
    Bug(
        "edit-is-forgotten",
        "a dead letter that is edited is run again as it was",
        "safety",
        "E1",
        (Change(_DEAD, "    new = again.edited or _copy(batch, job)\n", "    new = _copy(batch, job)\n"),),
    ),
    Bug(
        "replay-leaves-no-trace",
        "a story does not tell that its job was run again or discarded",
        "explanation",
        "J9",
        (Change(_DEAD, "    batch.unit.mentions.append((job.number, entry))\n", ""),),
    ),
    Bug(
        "bulk-passes-over-jobs",
        "a piece that is full goes on behind all jobs that it could have looked at",
        "safety",
        "E1",
        (
            Change(
                _BULK,
                "numbers[-1] if len(numbers) == share else below - 1",
                "below - 1 if numbers else below - 1",
            ),
        ),
    ),
    Bug(
        "bulk-forgets-where-it-was",
        "after a restart a bulk operation begins anew, and counts from nothing",
        "safety",
        "E6",
        (Change(_BULK, "        batch.unit.bulks[entry] = row\n", "        pass\n"),),
    ),
    Bug(
        "bulk-is-not-taken-up-again",
        "a bulk operation does not go on after a restart",
        "liveness",
        "E9",
        (Change("engine/state.py", "= _open_bulks(store)\n", "= {}\n"),),
    ),
    Bug(
        "bulk-waits-for-a-command",
        "a bulk operation goes on only when somebody asks for something",
        "liveness",
        "E9",
        (
            Change(
                "engine/decider.py",
                "        goes_on = bool(self.state.bulks) or self.state.retention.is_walking\n",
                "        goes_on = self.state.retention.is_walking\n",
            ),
        ),
    ),
    Bug(
        "bulk-names-no-cause",
        "the entries of a bulk cancel do not name it",
        "explanation",
        "E6",
        (
            Change(
                _BULK,
                "cancel_job(batch, job, by, command.reason, cause)",
                "cancel_job(batch, job, by, command.reason)",
            ),
        ),
    ),
    Bug(
        "bulk-goes-on-against-a-refusal",
        "a bulk operation goes on although a queue is full",
        "safety",
        "E6",
        (Change(_BULK, "            refused = str(error)\n            break\n", "            continue\n"),),
    ),
    Bug(
        "search-ignores-the-tag",
        "a bulk operation by tag is for jobs without it",
        "safety",
        "E1",
        (
            Change(
                _SEARCH,
                '_row_in(8, "tag", "{0}.tag = ?", wanted.tag)',
                '_row_in(8, "tag", "{0}.tag > ?", "")',
            ),
        ),
    ),
    Bug(
        "search-takes-poison-along",
        "a bulk replay takes quarantined jobs along",
        "safety",
        "E14",
        (
            Change(
                _SEARCH,
                'looks=f"NOT {criterion.looks}")',
                'looks=f"(1 OR {criterion.looks})")',
            ),
        ),
    ),
    Bug(
        "ends-are-not-counted",
        "jobs that are cancelled are not counted among those that have ended",
        "safety",
        "J14",
        (
            Change(
                "store/sqlite/store.py",
                'map(ends.count, ("succeeded", "failed", "cancelled"))',
                'map(ends.count, ("succeeded", "failed", "nothing"))',
            ),
        ),
    ),
    Bug(
        "errors-cannot-be-found",
        "a search for the words of errors finds nothing",
        "explanation",
        "J5",
        (
            Change(
                "store/sqlite/unit_rows.py",
                '    insert_rows(connection, "insert_failure_text", unit.failure_texts)\n',
                "",
            ),
        ),
    ),
)
