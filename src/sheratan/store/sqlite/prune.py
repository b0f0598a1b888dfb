"""Takes the rows of jobs out that are kept no longer. What an id and a story need of them is left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import apsw
import msgspec

from sheratan.contracts.errors import CorruptData
from sheratan.contracts.jobs import JobError
from sheratan.store.sqlite.statements import delete_rows, sql

__all__ = ["prune_jobs"]

_WITHOUT_PAYLOADS: Final = ("prune_after", "prune_tag", "prune_failure")
_WITH_PAYLOADS: Final = ("prune_step", "prune_result", "prune_job")


def prune_jobs(connection: apsw.Connection, pruned: Mapping[int, list[int]]) -> None:
    """Take out the jobs that each of these entries prunes, and the payloads that no other row names."""
    payloads: set[bytes] = set()
    for entry, numbers in pruned.items():
        wanted = json.dumps(numbers)
        connection.execute(sql("insert_pruned"), (entry, wanted))
        if connection.changes() != len(numbers):
            raise CorruptData("a job that was to be pruned had not ended, as the engine believed it had")
        _forget_failures(connection, wanted)
        for name in _WITHOUT_PAYLOADS:
            connection.execute(sql(name), (wanted,))
        for name in _WITH_PAYLOADS:
            payloads.update(row[0] for row in connection.execute(sql(name), (wanted,)) if row[0] is not None)
    if payloads:
        # Rows that this very commit brings name theirs by now.
        connection.execute(sql("prune_payload"), (json.dumps([payload.hex() for payload in payloads]),))


def _forget_failures(connection: apsw.Connection, wanted: str) -> None:
    """Jobs that failed are found by their error no more. The index of words has to be told what it is to forget."""
    errors: list[tuple[int, JobError]] = [
        (number, msgspec.json.decode(error, type=JobError))
        for number, error in connection.execute(sql("select_errors_of"), (wanted,))
    ]
    for number, error in errors:
        connection.execute(sql("forget_failure_text"), (number, error.type, error.message))
    keys: list[tuple[Any, ...]] = [(error.error_class, number) for number, error in errors]
    if delete_rows(connection, "delete_failed_job", keys) != len(keys):
        raise CorruptData("a job that was to be pruned could not be found by its error")
