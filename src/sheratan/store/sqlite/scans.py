"""Reads of whole tables, for checks: in steps, so that no single read lasts long."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain, starmap
from typing import Any, Final, TypeVar

import apsw
import msgspec

from sheratan.contracts.errors import CorruptData, TimedOut
from sheratan.contracts.jobs import JobError
from sheratan.store.rows import (
    AfterRow,
    AwaitedRow,
    Blocked,
    BulkRow,
    FailedRow,
    FailureRow,
    FailureWord,
    JobRow,
    KeyRow,
    Lease,
    Ready,
    Result,
    ScheduleRow,
    SignalRow,
    StepRow,
    TagRow,
    Timer,
    WaitRow,
)
from sheratan.store.sqlite.migrate import schema_problems
from sheratan.store.sqlite.statements import insert_rows, sql
from sheratan.store.sqlite.trees import tree_problems

__all__ = ["SqliteScans"]

_LOWEST: Final = -(1 << 63)
_HIGHEST: Final = (1 << 63) - 1
_ROWS_AT_ONCE: Final = 4_096
_PAYLOADS_AT_ONCE: Final = 16
"""Payloads may have a megabyte each."""

_SWEPT_MIN: Final = 16

Row = TypeVar("Row", JobRow, Result)
Value = int | str | bytes | None


class SqliteScans:
    """A connection, its reads by name, and the reads that only checks make."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """Within it, all reads see the same committed state. Hold it briefly: the log grows meanwhile."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def integrity(self) -> list[str]:
        """What is wrong with the files, as SQLite finds it, and with the schema; empty when all is well."""
        found = [str(row[0]) for row in self._rows("check_integrity")]
        if found != ["ok"]:
            return found + schema_problems(self._connection)
        return tree_problems(self._connection) + schema_problems(self._connection)

    def locations(self) -> Iterator[Ready | Timer | Lease | Blocked]:
        """Where the open jobs are: every ready, timer, lease and blocked row, by key within each table."""
        yield from starmap(Ready, self._steps("select_ready_from", 3))
        yield from starmap(Timer, self._steps("select_timers_from", 2))
        yield from starmap(Lease, self._steps("select_leases_from", 1))
        yield from starmap(Blocked, self._steps("select_blocked_from", 1))

    def job_numbers(self, above: int | None = None) -> Iterator[int]:
        """The numbers of all jobs, or of those above one, in order."""
        return chain.from_iterable(self._steps("select_job_numbers", 1, above=above))

    def result_numbers(self, above: int | None = None) -> Iterator[int]:
        """The numbers of all jobs that have ended, or of those above one, in order."""
        return chain.from_iterable(self._steps("select_result_numbers", 1, above=above))

    def results(self, numbers: Sequence[int]) -> list[Result]:
        """The results of these jobs, in no particular order; a job that has not ended has none."""
        return self._rows_of(Result, "select_results", numbers)

    def after_rows(self, numbers: Sequence[int]) -> list[AfterRow]:
        """What these jobs were named to run after, by job and in the order they were named."""
        return list(starmap(AfterRow, self._rows("select_after_rows", (json.dumps(numbers),))))

    def failure_rows(self, numbers: Sequence[int]) -> list[FailureRow]:
        """How attempts of these jobs failed."""
        return list(starmap(FailureRow, self._rows("select_failure_rows", (json.dumps(numbers),))))

    def step_rows(self, keys: Sequence[tuple[int, int]]) -> list[StepRow]:
        """Steps by job and step; those that are not there are left out."""
        return list(starmap(StepRow, self._rows("select_step_rows", (json.dumps(keys),))))

    def known_payloads(self, digests: Sequence[bytes]) -> set[bytes]:
        """Those of these digests under which a payload is kept."""
        named = json.dumps([digest.hex() for digest in digests])
        return {row[0] for row in self._rows("select_known_payloads", (named,))}

    def payloads(self, above: int | None = None) -> Iterator[tuple[int, bytes, bytes]]:
        """Every payload that is kept apart, or those that came later: its place, its digest and its body."""
        return self._steps("select_payloads_from", 1, _PAYLOADS_AT_ONCE, above=above)

    def after_keys(self, above: int | None = None) -> Iterator[tuple[int, int]]:
        """(job, ordinal) of every named predecessor, or of jobs above one, in order."""
        return self._steps("select_after_from", 2, above=above)

    def step_keys(self, above: int | None = None) -> Iterator[tuple[int, int]]:
        """(job, step) of every recorded step, or of jobs above one, in order."""
        return self._steps("select_steps_from", 2, above=above)

    def all_waits(self) -> Iterator[WaitRow]:
        """What handlers wait for, by job."""
        yield from starmap(WaitRow, self._steps("select_waits_from", 3))

    def all_awaited(self) -> Iterator[AwaitedRow]:
        """The jobs that handlers wait for, by who waits."""
        yield from starmap(AwaitedRow, self._steps("select_awaited_from", 4))

    def all_signals(self) -> Iterator[SignalRow]:
        """The signals that were not received yet, by job."""
        yield from starmap(SignalRow, self._steps("select_signals_from", 2))

    def tag_rows(self, numbers: Sequence[int]) -> list[TagRow]:
        """The tags of these jobs, by job and in order."""
        return list(starmap(TagRow, self._rows("select_tag_rows", (json.dumps(numbers),))))

    def tag_keys(self, above: int | None = None) -> Iterator[tuple[int, str]]:
        """(job, tag) of every tag, or of jobs above one, in order."""
        key: tuple[int, str] = (_LOWEST if above is None else above + 1, "")
        while True:
            found = list(self._rows("select_tags_from", (*key, _ROWS_AT_ONCE)))
            yield from found
            if len(found) < _ROWS_AT_ONCE:
                return
            if found[-1] <= key:
                raise CorruptData("the tags are out of order")
            key = found[-1]

    def failed_rows(self, wanted: Sequence[FailedRow]) -> set[FailedRow]:
        """Those of these rows about failed jobs that are there."""
        classes = sorted({row.error_class for row in wanted})
        numbers = json.dumps([row.number for row in wanted])
        return set(starmap(FailedRow, self._rows("select_failed_rows", (json.dumps(classes), numbers))))

    def failed_count(self) -> int:
        """How many rows about failed jobs there are."""
        jobs: int = self._one("select_failed_jobs_count", ())[0]
        return jobs

    def failure_words(self) -> Iterator[FailureWord]:
        """What a search for text looks at, by word."""
        self._connection.execute(sql("create_failure_word"))
        yield from starmap(FailureWord, self._rows("select_failure_words"))

    def words_of_failures(self) -> Iterator[FailureWord]:
        """What it should look at: the words of the errors that ended jobs, made anew."""
        fresh = apsw.Connection(":memory:")
        try:
            fresh.execute(sql("create_failure_text"))
            fresh.execute(sql("create_failure_word"))
            for number, error in self._rows("select_last_errors"):
                found = msgspec.json.decode(error, type=JobError)
                insert_rows(fresh, "insert_failure_text", [(number, found.type, found.message)])
            yield from starmap(FailureWord, fresh.execute(sql("select_failure_words")))
        finally:
            fresh.close()

    def dead_letters(self) -> Iterator[int]:
        """Every dead letter, in order."""
        return chain.from_iterable(self._steps("select_dead_letters_from", 1))

    def all_bulks(self) -> Iterator[BulkRow]:
        """Every bulk operation, in order."""
        yield from starmap(BulkRow, self._steps("select_bulks_from", 1))

    def all_schedules(self) -> Iterator[ScheduleRow]:
        """Every schedule, those that were deleted included."""
        for row in self._steps("select_schedules_from", 1):
            yield ScheduleRow(*row[1:])

    def failure_keys(self) -> Iterator[tuple[int, int]]:
        """(job, entry) of every failed attempt, in order."""
        return self._steps("select_failures_from", 2)

    def all_mentions(self) -> Iterator[tuple[int, int]]:
        """(job, entry) of every mention, in order."""
        return self._steps("select_mentions_from", 2)

    def alarms(self) -> Iterator[tuple[int, int]]:
        """(instant, job) of every limit on waiting in a queue, in order."""
        return self._steps("select_alarms_from", 2)

    def key_rows(self, above: int | None = None) -> Iterator[KeyRow]:
        """Every idempotency key, or those of jobs above one, in order."""
        lowest = _LOWEST if above is None else above
        return starmap(KeyRow, self._key_steps("select_keys_from", lowest))

    def _key_steps(self, name: str, *given: int) -> Iterator[Any]:
        """Rows of a query that goes on after a tenant and a key, which are the first columns of each row."""
        key: tuple[str, str] = ("", "")
        while True:
            found = list(self._rows(name, (*key, *given, _ROWS_AT_ONCE)))
            yield from found
            if len(found) < _ROWS_AT_ONCE:
                return
            if found[-1][:2] <= key:
                raise CorruptData("the idempotency keys are out of order")
            key = found[-1][:2]

    def _steps(
        self, name: str, columns: int, limit: int = _ROWS_AT_ONCE, *, above: int | None = None
    ) -> Iterator[Any]:
        """Rows of a query that goes on after a key: the first `columns` of each row, all integers.

        With `above`, only those whose first column is above it.
        """
        key: tuple[int, ...] = (
            (_LOWEST,) * columns if above is None else (above, *(_HIGHEST,) * (columns - 1))
        )
        while True:
            found = list(self._rows(name, (*key, limit)))
            yield from found
            if len(found) < limit:
                return
            if found[-1][:columns] <= key:
                raise CorruptData(f"the rows of {name} are out of order")
            key = found[-1][:columns]

    def _rows_of(self, row_type: type[Row], name: str, numbers: Sequence[int]) -> list[Row]:
        """The rows with these numbers; of consecutive ones in one sweep, which takes half the time."""
        first, count = min(numbers, default=0), len(numbers)
        if count >= _SWEPT_MIN and max(numbers) - first == count - 1 == len(set(numbers)) - 1:
            rows = list(self._rows(f"{name}_between", (first, first + count - 1)))
        else:
            rows = list(self._rows(name, (json.dumps(numbers),)))
        if rows and len(rows[0]) != len(row_type._fields):
            raise CorruptData(f"the rows of {name} have {len(rows[0])} columns")
        # The columns are counted once for all rows: naming them one by one would take longer than reading them.
        return list(map(partial(tuple.__new__, row_type), rows))

    def _rows(self, name: str, bindings: Sequence[Value] = ()) -> Iterator[Any]:
        return iter(self._run(sql(name), bindings, name))

    def _run(self, text: str, bindings: Sequence[Value], name: str) -> list[Any]:
        # Fetched at once: no statement stays half read, so none keeps an old view of the database open.
        try:
            return self._connection.execute(text, bindings).fetchall()
        except apsw.InterruptError as error:
            raise TimedOut(f"the read ({name}) took longer than any read may") from error
        except (
            apsw.CorruptError,
            apsw.NotADBError,
            apsw.IOError,
            apsw.SQLError,
            UnicodeDecodeError,
        ) as error:
            raise CorruptData(f"the database cannot be read ({name}): {error}") from error

    def _one(self, name: str, bindings: Sequence[Value]) -> Any:
        for row in self._rows(name, bindings):
            return row
        raise CorruptData(f"the database has no row for {name}")
