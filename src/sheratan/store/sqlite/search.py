"""The search for jobs: one table leads through the jobs by number, every other criterion is looked up for each.

Every table that may lead has the numbers in order within what is asked for, except those of ready jobs and of
idempotency keys: of the first all that wait are sorted, of the second there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.filters import JobFilter
from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.limits import LANES_MAX
from sheratan.kernel.dead_letters import POISON
from sheratan.store.port import Search, Shard
from sheratan.store.sqlite.scans import SqliteScans
from sheratan.store.sqlite.statements import words

__all__ = ["SqliteSearch"]


class _Criterion(NamedTuple):
    """A condition on jobs: as the table that leads to them, or as a look at each. The least `rank` leads."""

    rank: int
    leads: str
    """`FROM` and the first condition; the number is `at.number`."""
    looks: str
    """A condition on the job `at.number`."""
    values: tuple[Any, ...] = ()
    is_sorted: bool = True
    """Whether the table that leads has the numbers in order, so that a short range of them is found at once."""


_NEXT_NUMBER: Final = Shard._fields.index("next_number") + 2
"""The head of the journal is three columns and one field."""

_NEVER: Final = 99
_END_OF_TIME_US: Final = 1 << 62
_NOTHING: Final = _Criterion(-3, "job AS at WHERE 0", "0")
_WHOLE: Final = _Criterion(50, "job AS at WHERE 1", "1")


def _row_in(rank: int, table: str, condition: str, *values: Any) -> _Criterion:
    """A criterion that is a row of a table which has the job's number."""
    # Tables and conditions are constants of this module; what callers say is bound.
    looks = f"EXISTS (SELECT 1 FROM {table} AS it WHERE it.number = at.number AND {condition.format('it')})"  # noqa: S608
    return _Criterion(rank, f"{table} AS at WHERE {condition.format('at')}", looks, values)


_STATES: Final[dict[str, _Criterion]] = {
    "running": _row_in(10, "lease", "1"),
    "blocked": _row_in(12, "blocked", "1"),
    "waiting": _row_in(13, "timer", "{0}.what = 3"),
    "scheduled": _row_in(13, "timer", "{0}.what < 3"),
    "failed": _row_in(20, "result", "{0}.state = 'failed' AND {0}.state <> 'succeeded'"),
    "cancelled": _row_in(20, "result", "{0}.state = 'cancelled' AND {0}.state <> 'succeeded'"),
    "succeeded": _row_in(45, "result", "{0}.state = 'succeeded'"),
    "queued": _Criterion(
        30,
        "ready AS at WHERE 1",
        "EXISTS (SELECT 1 FROM job JOIN ready ON ready.lane = job.lane AND ready.priority = job.priority"
        " AND ready.number = job.number WHERE job.number = at.number)",
        is_sorted=False,
    ),
}
# A condition that names a constant is what lets SQLite use the index that leaves successes out.

_STANDING: Final[dict[str, tuple[_Criterion, ...]]] = {
    "any": (),
    "open": (_Criterion(_NEVER, "", "NOT EXISTS (SELECT 1 FROM result AS it WHERE it.number = at.number)"),),
    "ended": (_row_in(_NEVER, "result", "1"),),
    "dead": (_row_in(5, "dead_letter", "1"),),
}


class SqliteSearch(SqliteScans):
    """Finds jobs."""

    def find_jobs(self, search: Search) -> list[int]:
        """The numbers of the jobs that are meant, in the order that is asked for."""
        search = self._within_instants(search)
        found: set[int] = set()
        if search.above < search.below - 1:
            base = list(self._criteria(search))
            for way in self._ways(search.wanted.text):
                found.update(self._find(search, [*base, *way]))
        return sorted(found, reverse=not search.is_oldest_first)[: search.limit]

    def _find(self, search: Search, criteria: Sequence[_Criterion]) -> Iterable[int]:
        leads = [one for one in criteria if one.is_sorted or not search.is_window]
        lead = min((*leads, _WHOLE), key=lambda one: one.rank)
        rest = [one for one in criteria if one is not lead]
        conditions = ["at.number > ? AND at.number < ?", *(one.looks for one in rest)]
        order = "ASC" if search.is_oldest_first else "DESC"
        text = f"SELECT at.number FROM {lead.leads} AND {' AND '.join(conditions)}"  # noqa: S608 - as above
        values = [*lead.values, search.above, search.below, *chain.from_iterable(one.values for one in rest)]
        rows = self._run(f"{text} ORDER BY at.number {order} LIMIT ?", (*values, search.limit), "find_jobs")
        return [row[0] for row in rows]

    def _criteria(self, search: Search) -> Iterable[_Criterion]:
        wanted = search.wanted
        yield from _STANDING[search.standing]
        if search.is_poison_left_out:
            yield _left_out(_row_in(_NEVER, "failed_job", "{0}.error_class = ?", POISON))
        if wanted.state is not None:
            yield _STATES[wanted.state]
        if wanted.tag is not None:
            yield _row_in(8, "tag", "{0}.tag = ?", wanted.tag)
        if wanted.error_class is not None:
            yield _row_in(6, "failed_job", "{0}.error_class = ?", wanted.error_class)
        if wanted.partition is not None:
            yield self._in_partition(wanted.partition)
        if wanted.kind is not None or wanted.queue is not None:
            yield _of_lanes(self._lanes_of(wanted))
        yield from _ended_within(wanted)

    def _ways(self, text: str | None) -> Iterable[list[_Criterion]]:
        """The ways to jobs that a text finds: by id, by key, by the names of kind and queue, by error."""
        if text is None:
            yield []
            return
        try:
            address = parse_job_id(text)
        except InvalidInput:
            pass
        else:
            condition = "{0}.number = ? AND {0}.salt = ?"
            yield [_row_in(0, "job", condition, address.number, address.salt)]
        lanes = self._lanes()
        for tenant in self._tenants():
            condition = "{0}.tenant = ? AND {0}.key = ?"
            # A key outlives its job.
            yield [_row_in(0, "idempotency", condition, tenant, text), _row_in(_NEVER, "job", "1")]
        part = text.lower()
        yield [_of_lanes([row[0] for row in lanes if part in row[2].lower() or part in row[3].lower()])]
        query = words(text)
        # The text is looked up first: a look per job would search all of it each time.
        inner = "(SELECT rowid AS number FROM failure_text WHERE failure_text MATCH ?)"
        yield [_Criterion(-2, f"{inner} AS at WHERE 1", f"at.number IN {inner}", (query,))] if query else []

    def _in_partition(self, name: str) -> _Criterion:
        """The jobs of a partition. What is not limited in number leads to fewer jobs, and is looked at for each."""
        rows = [row for tenant in self._tenants() for row in self._rows("select_partition", (tenant, name))]
        if not rows:
            return _NOTHING
        among = ",".join(str(row[0]) for row in rows)
        # As the index has it; a job without a partition is not in that.
        condition = f"{{0}}.lane >> {LANES_MAX.bit_length()} IN ({among}) AND {{0}}.lane > {LANES_MAX}"
        return _row_in(11, "job", condition)

    def _tenants(self) -> list[str]:
        return sorted({row[1] for row in self._lanes()})

    def _lanes(self) -> list[tuple[int, str, str, str, int]]:
        return list(self._rows("select_lanes"))

    def _lanes_of(self, wanted: JobFilter) -> list[int]:
        return [
            lane
            for lane, _, queue, kind, _ in self._lanes()
            if wanted.kind in (None, kind) and wanted.queue in (None, queue)
        ]

    def _within_instants(self, search: Search) -> Search:
        """The search within the jobs that were created when they should: numbers ascend with the instants."""
        wanted, above, below = search.wanted, search.above, search.below
        if wanted.created_from_us is not None:
            above = max(above, self._first_created(wanted.created_from_us) - 1)
        if wanted.created_until_us is not None:
            below = min(below, self._first_created(wanted.created_until_us))
        return search._replace(above=above, below=below)

    def _first_created(self, instant_us: int) -> int:
        """The number of the first job that was created at an instant or after it, by halving."""
        low, high = 1, self._one("select_shard", ())[_NEXT_NUMBER]
        while low < high:
            middle = (low + high) // 2
            created = next(iter(self._rows("select_created_from", (middle,))), None)
            if created is None or created[0] >= instant_us:
                high = middle
            else:
                low = middle + 1
        return low


def _ended_within(wanted: JobFilter) -> Iterable[_Criterion]:
    first, end = wanted.finished_from_us, wanted.finished_until_us
    if first is not None or end is not None:
        condition = "{0}.finished_us >= ? AND {0}.finished_us < ?"
        yield _row_in(40, "result", condition, first or 0, _END_OF_TIME_US if end is None else end)


def _left_out(criterion: _Criterion) -> _Criterion:
    return criterion._replace(looks=f"NOT {criterion.looks}")


def _of_lanes(lanes: list[int]) -> _Criterion:
    """The jobs of some lanes: no table leads to them by number, so the jobs themselves are gone through."""
    if not lanes:
        return _NOTHING
    # Numbers of our own, written out: compared with a list that is bound, each job would cost twice as much.
    among = f"IN ({','.join(map(str, lanes))})"
    condition = f"lane & {LANES_MAX} {among}"
    looks = f"EXISTS (SELECT 1 FROM job AS it WHERE it.number = at.number AND it.{condition})"  # noqa: S608
    return _Criterion(48, f"job AS at WHERE at.{condition}", looks)
