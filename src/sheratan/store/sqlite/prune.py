"""Takes the rows of jobs and runs out that are kept no longer. What an id and a story need of them is left."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import apsw
import msgspec

from sheratan.contracts.errors import CorruptData
from sheratan.contracts.jobs import JobError
from sheratan.store.sqlite.statements import delete_rows, sql

__all__ = ["prune_jobs", "prune_runs"]

_WITHOUT_PAYLOADS: Final = ("prune_after", "prune_tag", "prune_failure")
_WITH_PAYLOADS: Final = ("prune_step", "prune_result", "prune_job")
_OF_RUNS: Final = ("prune_node", "prune_node_job", "prune_run_result", "prune_run")


def prune_jobs(connection: apsw.Connection, pruned: Mapping[int, list[int]]) -> None:
    """Take out the jobs that each of these entries prunes, and the payloads that no other row names."""
    payloads: set[bytes | None] = set()
    for entry, numbers in pruned.items():
        wanted = _leave_remains(connection, "insert_pruned", entry, numbers)
        _forget_failures(connection, wanted)
        for name in _WITHOUT_PAYLOADS:
            connection.execute(sql(name), (wanted,))
        for name in _WITH_PAYLOADS:
            payloads.update(row[0] for row in connection.execute(sql(name), (wanted,)))
    _drop_payloads(connection, payloads)


def prune_runs(connection: apsw.Connection, pruned: Mapping[int, list[int]]) -> None:
    """Take out the runs that each of these entries prunes, and the payloads and plans that no other row names."""
    payloads: set[bytes | None] = set()
    for entry, numbers in pruned.items():
        wanted = _leave_remains(connection, "insert_pruned_run", entry, numbers)
        for name in _OF_RUNS:
            payloads.update(kept for row in connection.execute(sql(name), (wanted,)) for kept in row)
    _drop_payloads(connection, payloads)


def _leave_remains(connection: apsw.Connection, name: str, entry: int, numbers: list[int]) -> str:
    """Put what is left of jobs or runs in their place; returns their numbers as a query takes them."""
    wanted = json.dumps(numbers)
    connection.execute(sql(name), (entry, wanted))
    if connection.changes() != len(numbers):
        raise CorruptData("what was to be pruned had not ended, as the engine believed it had")
    return wanted


def _drop_payloads(connection: apsw.Connection, payloads: Iterable[bytes | None]) -> None:
    wanted = [payload.hex() for payload in payloads if payload is not None]
    if wanted:
        # Rows that this very commit brings name theirs by now.
        connection.execute(sql("prune_payload"), (json.dumps(wanted),))


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
