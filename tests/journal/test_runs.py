"""What is looked at when many lines are taken at once: each thing by a case that goes unnoticed without the look."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence

import msgspec
import pytest

from sheratan.contracts.journal import GENESIS
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold import Fold
from sheratan.kernel.stencil import Run
from sheratan.kernel.trail import Trail
from tests.journal.tamper import Entry, rechained
from tests.journal.test_short_ways import LongFold, long_way, pages_of, short_way
from tests.journal.world import World, new

JOBS = 30
Pages = list[list[bytes]]


@pytest.fixture(scope="module")
def pages() -> Pages:
    """Batches of jobs that come in and succeed: the last ones as runs, with numbers of three digits throughout."""
    world = World(seed=11)
    session = world.worker(slots=256)
    for _ in range(8):
        world.submit(*(new() for _ in range(JOBS)))
        world.settle_all(session, world.lease(session, JOBS))
    return pages_of(world)


def runs_of(pages: Sequence[Sequence[bytes]], entry_type: str) -> list[Run]:
    trail = Trail([])
    parts = [part for page in pages for part in trail.take_page([*page]) or []]
    return [part for part in parts if isinstance(part, Run) and part.stencil.entry.type == entry_type]


def paged(lines: Sequence[bytes], pages: Pages) -> Pages:
    """Lines in pages of the sizes that they had."""
    found: Pages = []
    for page in pages:
        start = sum(map(len, found))
        found.append(list(lines[start : start + len(page)]))
    return found


def chained(lines: Sequence[bytes]) -> list[bytes]:
    """Lines as they are, but each with the hash of the one before it."""
    made: list[bytes] = []
    prev = GENESIS.encode()
    for line in lines:
        made.append(re.sub(rb'"prev":"[0-9a-f]{64}"', b'"prev":"' + prev + b'"', line))
        prev = hashlib.sha256(made[-1]).hexdigest().encode()
    return made


def last_run(pages: Pages, entry_type: str) -> Run:
    run = runs_of(pages, entry_type)[-1]
    assert len(run.lines) > 10
    return run


def both_ways(pages: Pages) -> list[Violation]:
    """What the long way finds, once it is clear that the short way finds the same."""
    expected = long_way(pages)
    assert short_way(pages)._replace(in_runs=0) == expected
    return expected.violations


# One line of a run with other digits of the same number: which place, what becomes of it, what is then said.
EDITS: list[tuple[str, bytes, Callable[[bytes], bytes], str]] = [
    ("job.submitted", rb'"number":(\d+)', lambda old: b"0" + old[1:], "J8"),
    ("job.submitted", rb'"depth":(\d+)', lambda old: b"0" * len(old) if len(old) > 1 else b"-", "J8"),
    ("job.submitted", rb'"at":(\d+)', lambda old: b"0" + old[1:], "J8"),
    ("job.submitted", rb'"at":(\d+)', lambda _: b"9" * 16, "J8"),
    ("job.submitted", rb'"seq":(\d+)', lambda old: b"0" + old[1:], "J8"),
    ("job.submitted", rb'"seq":(\d+)', lambda old: b"%d" % (int(old) + 5), "J1"),
    ("job.submitted", rb'"number":(\d+)', lambda old: b"%d" % (int(old) + 1), "E2"),
    ("job.submitted", rb'"input":"(\w+)"', lambda old: b"\x1f" + old[1:], "J8"),
    ("job.submitted", rb'"subject":"job_(\w+)"', lambda old: old[:3] + b"f" + old[4:], "E2"),
    ("job.submitted", rb'"subject":"job_(\w+)"', lambda old: old[:13] + b"1" + old[14:], "E2"),
    ("job.submitted", rb'"subject":"job_(\w+)"', lambda old: old[:25] + b"7" + old[26:], "E2"),
    ("job.submitted", rb'"subject":"job_(\w+)"', lambda old: old[:-2] + b"AA", "E2"),
    ("job.submitted", rb'"subject":"job_(\w+)"', lambda old: old[:-3] + b"0_0", "E2"),
    ("job.succeeded", rb'"output":"(\w+)"', lambda old: b'"' + old[1:], "J8"),
    ("job.succeeded", rb'"fence":(\d+)', lambda old: b"0" + old[1:], "J8"),
    ("job.succeeded", rb'"fence":(\d+)', lambda old: b"%d" % (int(old) - 1), "E3"),
    ("job.succeeded", rb'"fence_current":(\d+)', lambda old: b"%d" % (int(old) - 1), "E3"),
    ("job.succeeded", rb'"previous":(\d+)', lambda old: b"0" + old[1:], "J8"),
    ("job.succeeded", rb'"previous":(\d+)', lambda old: b"%d" % (int(old) - 1), "previous"),
    ("job.succeeded", rb'"subject":"job_(\w+)"', lambda old: old[:-1] + b"%x" % (int(old[-1:], 16) ^ 1), "E2"),
]  # fmt: skip


@pytest.mark.parametrize(("entry_type", "place", "change", "invariant"), EDITS, ids=range(len(EDITS)))
def test_a_digit_in_the_midst_of_a_run_is_looked_at(
    pages: Pages, entry_type: str, place: bytes, change: Callable[[bytes], bytes], invariant: str
) -> None:
    lines = [line for page in pages for line in page]
    target = last_run(pages, entry_type).first_seq + 5
    match = re.search(place, lines[target])
    assert match is not None
    lines[target] = lines[target][: match.start(1)] + change(match[1]) + lines[target][match.end(1) :]
    found = {violation.invariant for violation in both_ways(paged(chained(lines), pages))}
    assert invariant in found


@pytest.mark.parametrize(
    ("at", "invariants"), [(2**53 - 1, set[str]()), (2**53, {"J8"}), (10**16 - 1, {"J8"})]
)
def test_the_last_instant_of_a_run_is_an_integer_that_json_can_tell(
    pages: Pages, at: int, invariants: set[str]
) -> None:
    lines = [line for page in pages for line in page]
    lines[-1] = re.sub(rb'"at":\d+', b'"at":%d' % at, lines[-1])
    assert {violation.invariant for violation in both_ways(paged(lines, pages))} == invariants


def test_an_end_that_is_told_twice_within_a_run_is_noticed(pages: Pages) -> None:
    run = last_run(pages, "job.succeeded")
    lines = [line for page in pages for line in page]
    target = run.first_seq + 5
    number = b'"seq":%d' % target
    lines[target] = lines[target - 1].replace(b'"seq":%d' % (target - 1), number)
    assert "E12" in {violation.invariant for violation in both_ways(paged(chained(lines), pages))}


def test_a_number_that_is_missing_in_a_chain_that_is_whole_is_missed(pages: Pages) -> None:
    lines = chained([line for page in pages for line in page][:-1])
    for gap in (3, 40, len(lines) - 5):
        without = chained(lines[:gap] + lines[gap + 1 :])
        assert "J1" in {violation.invariant for violation in both_ways([without])}
        assert "J1" in {violation.invariant for violation in both_ways([[line] for line in without])}


# What a whole batch says otherwise than it should.
LITERALS: list[tuple[str, Callable[[Entry], None], str]] = [
    ("job.succeeded", lambda entry: entry["data"].update(attempt=2), "E10"),
    ("job.succeeded", lambda entry: entry["decision"].update(rule="retry.backoff@1"), "J8"),
    ("job.succeeded", lambda entry: entry["decision"].update(rule="job.mystery@1"), ""),
    ("job.succeeded", lambda entry: entry.update(policy=7), "J10"),
    ("job.succeeded", lambda entry: entry.update(cause=10**6), "cause"),
    ("job.succeeded", lambda entry: entry.update(on_behalf_of=""), "J10"),
    ("job.submitted", lambda entry: entry["decision"]["input"].update(waits_for=1), "E11"),
    ("job.submitted", lambda entry: entry.update(previous=3), "previous"),
    ("job.submitted", lambda entry: entry["data"].update(options=[3, 1]), "J8"),
    ("job.submitted", lambda entry: entry["data"].update(note=1), ""),
    ("job.submitted", lambda entry: entry.update(actor="xoxb-1234567890"), "J13"),
    ("job.submitted", lambda entry: entry["decision"].update(because="-----BEGIN PRIVATE KEY-----"), "J13"),
]


@pytest.mark.parametrize(("entry_type", "change", "invariant"), LITERALS, ids=range(len(LITERALS)))
def test_what_all_lines_of_a_batch_say_is_looked_at(
    pages: Pages, entry_type: str, change: Callable[[Entry], None], invariant: str
) -> None:
    lines = [line for page in pages for line in page]
    forged = rechained(lines, lambda entry: change(entry) if entry["type"] == entry_type else None)
    found = {violation.invariant for violation in both_ways(paged(forged, pages))}
    assert not invariant or invariant in found


@pytest.mark.parametrize("batch", [b"kind", "größe".encode()])
def test_keys_beyond_ascii_are_in_the_order_of_the_standard(pages: Pages, batch: bytes) -> None:
    """By UTF-16, a key of the first plane may come after one of the second; by code points, never."""
    high, astral = "\uffff".encode(), "\U00010000".encode()
    wrong = b'"input":{"' + high + b'":1,"' + astral + b'":"' + batch + b'"},"rule"'
    lines = [re.sub(rb'"input":\{[^}]*\},"rule"', wrong, line) for page in pages[:2] for line in page]
    assert any(violation.invariant == "J8" for violation in both_ways([chained(lines)]))


# A fold that has another idea of the jobs, or of the world, than the run: either way it says so.
BENDS: list[tuple[str, Callable[[Fold, int], object], str]] = [
    ("job.succeeded", lambda fold, number: setattr(fold.open[number], "state", "queued"), "E4"),
    ("job.succeeded", lambda fold, number: setattr(fold.open[number], "attempt", 2), "E10"),
    ("job.succeeded", lambda fold, number: setattr(fold.open[number], "fence", 1), "E3"),
    ("job.succeeded", lambda fold, number: setattr(fold.open[number], "entry", 1), "previous"),
    ("job.succeeded", lambda fold, number: setattr(fold, "policy", 7), "J10"),
    ("job.submitted", lambda fold, number: setattr(fold, "policy", 7), "J10"),
    ("job.submitted", lambda fold, number: fold.outcomes.put(number, "failed"), "E2"),
    ("job.submitted", lambda fold, number: fold.outcomes.put(number + JOBS * 2, "failed"), ""),
]


@pytest.mark.parametrize(("entry_type", "bend", "invariant"), BENDS, ids=range(len(BENDS)))
def test_a_run_is_held_against_what_was_before_it(
    pages: Pages, entry_type: str, bend: Callable[[Fold, int], object], invariant: str
) -> None:
    run = last_run(pages, entry_type)
    long_violations: list[Violation] = []
    short_violations: list[Violation] = []
    long_fold, short_fold = LongFold(long_violations), Fold(short_violations)
    earlier = [line for page in pages for line in page][: run.first_seq]
    for fold in (long_fold, short_fold):
        for line in earlier:
            fold.apply(Run(run.stencil, [line], 0, [], {}).entries()[0])
        bend(fold, int(run.columns["id"][5], 16) >> 20 & (1 << 42) - 1)
    long_fold.apply_all(run.entries())
    short_fold.apply_run(run)
    assert short_violations == long_violations
    assert not invariant or invariant in {violation.invariant for violation in short_violations}
    for name in ("counts", "last_type", "keys", "followers"):
        assert getattr(short_fold, name) == getattr(long_fold, name)
    opened = [
        {n: msgspec.structs.asdict(job) for n, job in fold.open.items()} for fold in (short_fold, long_fold)
    ]
    assert opened[0] == opened[1]
    assert short_fold.outcomes.__dict__ == long_fold.outcomes.__dict__
