"""The tables that only grow, against the journal: no row may stand there that no entry tells of.

That every entry has left its rows, and that they say what it says, was seen while the journal was walked. Rows that
were looked at once are not looked at again: a later look costs what has been added since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice, repeat, zip_longest
from typing import Any, Final, NamedTuple

from sheratan.engine.problems import Problems
from sheratan.kernel.canonical import digest
from sheratan.kernel.facts import KeyFact, Mention
from sheratan.kernel.fold import Fold
from sheratan.kernel.lifecycle import TERMINAL_STATES
from sheratan.kernel.new_facts import FactCount
from sheratan.store.port import Reader
from sheratan.store.rows import KeyRow
from sheratan.store.run_rows import RunKeyRow

__all__ = ["Looked", "compare_grown"]

_OPEN_AT_ONCE: Final = 1_000
_NUMBERS_AT_ONCE: Final = 4_096


class Looked(NamedTuple):
    """How far the tables that only grow were looked at; None and 0 before the first look."""

    newest: int | None = None
    payload: int | None = None
    mentions: int = 0
    keys: int = 0
    run_keys: int = 0
    run_mentions: int = 0
    expected: FactCount = FactCount()
    pruned: int = 0
    pruned_runs: int = 0


def compare_grown(
    reader: Reader, fold: Fold, expected: FactCount, since: Looked, problems: Problems
) -> Looked:
    """Compare the rows added since the last look; returns how far this one came.

    The first look goes through everything. The reader must stand where the fold has ended.
    """
    payload = since.payload
    with problems.reading("jobs and results"):
        _compare_numbers(reader, fold, since.newest, problems)
    with problems.reading("idempotency"):
        _compare_keys(reader, fold, since, problems)
    with problems.reading("mention"):
        first = since.newest is None
        _compare_mentions(reader, fold.mentions[since.mentions :], problems, first=first)
        _compare_run_mentions(reader, fold.run_mentions[since.run_mentions :], problems, first=first)
    with problems.reading("after and failure"):
        gone = reader.remains_count(since.newest)
        grown = expected.after - since.expected.after - gone.parents
        _compare_count("after", reader.after_keys(since.newest), grown, problems)
        grown = expected.tags - since.expected.tags - gone.tags
        _compare_count("tag", reader.tag_keys(since.newest), grown, problems)
        pruned = fold.pruned.count
        if since.newest is None or (expected.failed, pruned) != (since.expected.failed, since.pruned):
            _compare_failed(reader, expected.failed - fold.pruned.count_of("failed"), problems)
        if since.newest is None:
            # A job that runs may record more steps, so later looks count on what was read while walking.
            _compare_count("step", reader.step_keys(), expected.steps - gone.steps, problems)
            _compare_count("failure", reader.failure_keys(), expected.failures - gone.failures, problems)
            _compare_run_counts(reader, expected, problems)
    with problems.reading("pruned"):
        _compare_pruned("pruned", reader.pruned_count, fold.pruned.count, since.pruned, problems)
    with problems.reading("pruned_run"):
        _compare_pruned(
            "pruned_run",
            lambda: reader.run_remains_count().runs,
            fold.pruned_runs.count,
            since.pruned_runs,
            problems,
        )
    with problems.reading("ledger"):
        _compare_ledger(reader, expected, since, problems)
    with problems.reading("payload"):
        payload = _compare_payloads(reader, since.payload, problems)
    return Looked(
        fold.outcomes.newest,
        payload,
        len(fold.mentions),
        len(fold.keys),
        len(fold.run_keys),
        len(fold.run_mentions),
        expected,
        fold.pruned.count,
        fold.pruned_runs.count,
    )


def _compare_numbers(reader: Reader, fold: Fold, above: int | None, problems: Problems) -> None:
    """Every job and every result was made by an entry."""
    outcomes = fold.outcomes
    for chunk in _chunks(reader.job_numbers(above), _NUMBERS_AT_ONCE):
        for number in outcomes.unless(chunk, ("open", *TERMINAL_STATES)):
            problems.add("E2", "nobody submitted this job", row=f"job {number}")
    for chunk in _chunks(reader.result_numbers(above), _NUMBERS_AT_ONCE):
        for number in outcomes.unless(chunk, TERMINAL_STATES):
            _say_result(fold, number, problems)
    if above is None:
        return
    for chunk in _chunks((number for number in fold.open if number <= above), _OPEN_AT_ONCE):
        for row in reader.results(chunk):
            _say_result(fold, row.number, problems)


def _say_result(fold: Fold, number: int, problems: Problems) -> None:
    outcome = fold.outcomes.get(number)
    said = f"it is {fold.open[number].state}" if outcome else "nobody submitted it"
    problems.add(
        "E3" if outcome else "E2",
        f"job {number} has a result; by the journal {said}",
        row=f"result {number}",
    )


def _compare_keys(reader: Reader, fold: Fold, since: Looked, problems: Problems) -> None:
    if since.newest is None or len(fold.keys) != since.keys:
        rows = reader.key_rows(since.newest)
        _compare_key_rows("idempotency", rows, fold.keys, problems, count=since.keys)
    if since.newest is None or len(fold.run_keys) != since.run_keys:
        _compare_key_rows("run_key", reader.run_key_rows(), fold.run_keys, problems)


def _compare_key_rows(
    table: str,
    rows: Iterable[KeyRow | RunKeyRow],
    told: dict[tuple[str, bytes], KeyFact],
    problems: Problems,
    count: int = 0,
) -> None:
    """Each key stands for what the journal says; `count` of them were looked at before."""
    for tenant, key, request, number in rows:
        count += 1
        name = f"{table} {tenant}/{key}"
        fact = told.get((tenant, bytes.fromhex(digest(key.encode()))))
        if fact is None or fact.number != number:
            said = "nobody's" if fact is None else f"that of {fact.number}"
            problems.add("E7", f"it stands for number {number}; by the journal it is {said}", row=name)
        elif fact.request not in (None, request):
            problems.add("E7", "the request that it stands for is not the one that was made", row=name)
    if count != len(told):
        problems.add("E7", f"there are {count} keys; the journal tells of {len(told)}", row=table)


def _compare_mentions(reader: Reader, told: list[Mention], problems: Problems, *, first: bool) -> None:
    """The mentions that were told of since the last look; at the first look, the whole table."""
    stands = reader.all_mentions() if first else _mentions(reader.mentions, told)
    _compare_told("mention", told, stands, problems)


def _compare_run_mentions(reader: Reader, told: list[Mention], problems: Problems, *, first: bool) -> None:
    stands = reader.all_run_mentions() if first else _mentions(reader.run_mentions, told)
    _compare_told("run_mention", told, stands, problems)


def _mentions(read: Callable[[int], list[int]], told: list[Mention]) -> list[tuple[int, int]]:
    """The rows about what these mentions are about, since the oldest of them."""
    numbers = sorted({mention.number for mention in told})
    oldest = min((mention.entry for mention in told), default=0)
    return [(number, entry) for number in numbers for entry in read(number) if entry >= oldest]


def _compare_told(
    table: str, told: list[Mention], stands: Iterable[tuple[int, int]], problems: Problems
) -> None:
    said: dict[tuple[Any, ...], None] = {tuple(mention): None for mention in told}
    problems.differ(table, said, dict.fromkeys(stands))


def _compare_pruned(
    table: str, count_rows: Callable[[], int], told: int, looked: int, problems: Problems
) -> None:
    """Of everything that was pruned something is left, which was seen while walking, and of nothing else."""
    if told == looked and looked:
        return
    count = count_rows()
    if count != told:
        problems.add("R1", f"there are {count} rows; the journal tells of {told} that were pruned", row=table)


def _compare_failed(reader: Reader, expected: int, problems: Problems) -> None:
    count = reader.failed_count()
    if count != expected:
        text = f"there are {count} rows; the journal tells of {expected} failed jobs"
        problems.add("J5", text, row="failed_job")
    for stands, said in zip_longest(reader.failure_words(), reader.words_of_failures()):
        if stands != said:
            problems.add("J5", f"a search finds {stands}; by the errors it is {said}", row="failure_text")
            return


def _compare_count(
    table: str, keys: Iterable[tuple[int, int | str]], expected: int, problems: Problems
) -> None:
    """Each expected row was found while walking, so one more than that is a row that no entry made."""
    count = sum(1 for _ in keys)
    if count != expected:
        problems.add("J5", f"there are {count} rows; the journal tells of {expected}", row=table)


def _compare_run_counts(reader: Reader, expected: FactCount, problems: Problems) -> None:
    """An open run may get more rows, so later looks count on what was read while walking, too."""
    gone = reader.run_remains_count()
    _compare_count(
        "run", ((number, 0) for number in reader.run_numbers()), expected.runs - gone.runs, problems
    )
    ends = ((number, 0) for number in reader.run_result_numbers())
    _compare_count("run_result", ends, expected.runs_ended - gone.runs, problems)
    for table, counts, told in (
        ("node", reader.node_counts(), expected.nodes - gone.nodes),
        ("node_job", reader.node_job_counts(), expected.node_jobs - gone.jobs),
    ):
        _compare_count(
            table, (key for run, count in counts for key in repeat((run, 0), count)), told, problems
        )


def _compare_ledger(reader: Reader, expected: FactCount, since: Looked, problems: Problems) -> None:
    """No transfer that no entry tells of; and at the first look the tables add up, whatever the journal says."""
    known = since.expected.transfers
    count = known + reader.transfer_count(known)
    if count != expected.transfers:
        text = f"there are {count} rows; the journal tells of {expected.transfers}"
        problems.add("J5", text, row="ledger_transfer")
    if since.newest is None:
        for table, count, told in (
            ("ledger_resolved", reader.resolved_count(), expected.resolved),
            ("charge", reader.charge_count(), expected.charges),
            ("job_budget", reader.job_budget_count(), expected.job_budgets),
            ("run_budget", reader.run_budget_count(), expected.run_budgets),
            ("run_spender", reader.run_spender_count(), expected.run_spenders),
        ):
            if count != told:
                text = f"there are {count} rows; the journal tells of {told}"
                problems.add("J5", text, row=table)
        for check, about, text in reader.ledger_findings():
            problems.add("L11", f"{about}: {text}", row=f"ledger {check}")


def _compare_payloads(reader: Reader, above: int | None, problems: Problems) -> int | None:
    """What is kept apart is what its digest says; returns the place of the last one."""
    for place, kept_as, body in reader.payloads(above):
        above = place
        if digest(body) != kept_as.hex():
            problems.add(
                "J14", "the bytes that are kept are not those that were", row=f"payload {kept_as.hex()}"
            )
    return above


def _chunks(numbers: Iterable[int], size: int) -> Iterator[list[int]]:
    source = iter(numbers)
    while chunk := list(islice(source, size)):
        yield chunk
