"""The short ways of a verification, by page and by run, find what the long way finds: entry by entry, line by line."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import pytest

from sheratan.contracts.journal import Entry as JournalEntry
from sheratan.contracts.ledger import ISSUE, Transfer
from sheratan.engine.commands import ApplyTransfers, OpenAccount, PriceKind
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold import Fold
from sheratan.kernel.stencil import Run
from sheratan.kernel.trail import Trail
from tests.journal.tamper import Entry, rechained
from tests.journal.world import World, eventful, new

JOBS = 24


class LongFold(Fold):
    """The fold, with the short ways closed."""

    def _comes_in(self, entry: JournalEntry) -> bool:
        return False

    def _succeeds(self, entry: JournalEntry) -> bool:
        return False


class Found(NamedTuple):
    """What comes of reading a journal."""

    violations: list[Violation]
    state: Any
    in_runs: int


def long_way(pages: Sequence[Sequence[bytes]]) -> Found:
    violations: list[Violation] = []
    trail, fold = Trail(violations), LongFold(violations)
    for line in (line for page in pages for line in page):
        entry = trail.read(line)
        if entry is not None:
            fold.apply(entry)
    return Found(violations + trail.unread(trail.head), _state(trail, fold), 0)


def short_way(pages: Sequence[Sequence[bytes]], fold_type: type[Fold] = Fold) -> Found:
    violations: list[Violation] = []
    trail, fold = Trail(violations), fold_type(violations)
    in_runs = 0
    for page in pages:
        parts = trail.take_page([*page])
        if parts is None:
            for line in page:
                entry = trail.read(line)
                if entry is not None:
                    fold.apply(entry)
            continue
        for part in parts:
            if isinstance(part, Run):
                fold.apply_run(part)
                in_runs += len(part.lines)
            else:
                fold.apply_all(part)
    return Found(violations + trail.unread(trail.head), _state(trail, fold), in_runs)


def _state(trail: Trail, fold: Fold) -> Any:
    """All that the fold knows; of jobs that came in plainly, the same whether they were decoded or not."""
    new_facts = fold.take_facts()
    submitted = [*new_facts.submitted, *new_facts.plain.entries]
    decoded = [
        entry if isinstance(entry, JournalEntry) else msgspec.json.decode(entry, type=JournalEntry)
        for entry in submitted
    ]
    said = list(zip(*new_facts.plain[:-1], strict=True))
    for entry, facts in zip(new_facts.plain.entries, said, strict=True):
        whole = entry if isinstance(entry, JournalEntry) else msgspec.json.decode(entry, type=JournalEntry)
        data = whole.data
        lane = (whole.tenant, data["queue"], data["kind"], 1)
        salt = int(whole.subject[-5:], 16)
        assert facts == (
            data["number"], salt, lane, data["priority"], whole.at, data["options"], data["input"],
        )  # fmt: skip
    outcomes = {number: fold.outcomes.get(number) for number in range(-2, 200)}
    return (
        trail.head, {number: msgspec.structs.asdict(job) for number, job in fold.open.items()}, outcomes,
        fold.outcomes.count, fold.outcomes.newest, fold.keys, fold.mentions, fold.counts, fold.flows, fold.policy,
        fold.engine_entry, fold.epoch, fold.last_type, sorted(fold.by_subject), fold.followers,
        sorted(new_facts.ended), new_facts.failures,
        sorted((msgspec.structs.asdict(entry) for entry in decoded), key=lambda entry: int(entry["seq"])),
    )  # fmt: skip


def pages_of(world: World) -> list[list[bytes]]:
    return [body.split(b"\n") for _, _, body in world.store.pages()]


@pytest.fixture(scope="module")
def busy_pages() -> list[list[bytes]]:
    """Bulk submissions, and many jobs that succeed in one batch: as a busy server writes them."""
    world = World(seed=3)
    session = world.worker(slots=256)
    for round_number in range(4):
        ids = world.submit(*(new() for _ in range(JOBS)))
        if round_number == 1:
            world.submit(*(new(after=(ids[0],), after_failure="run") for _ in range(2)))
        assignments = world.lease(session, JOBS)
        world.clock.advance(1_000)
        world.settle_all(session, assignments)
    return pages_of(world)


@pytest.fixture(scope="module")
def eventful_pages() -> list[list[bytes]]:
    return pages_of(eventful(World(seed=5)))


def test_a_good_journal_goes_the_short_way_and_comes_to_the_same(
    busy_pages: list[list[bytes]], eventful_pages: list[list[bytes]]
) -> None:
    found = short_way(busy_pages)
    assert found.violations == []
    assert found.in_runs > 3 * JOBS
    assert found._replace(in_runs=0) == long_way(busy_pages)
    one_page = [[line for page in eventful_pages for line in page]]
    for pages in (eventful_pages, one_page):
        assert short_way(pages)._replace(in_runs=0) == long_way(eventful_pages)


def test_ends_of_attempts_that_are_charged_go_the_long_way() -> None:
    world = World(seed=3)
    world.ask(OpenAccount(account="tenant:default", unit="credits", scale=None, reason=""))
    grant = Transfer(
        id=f"transfer_{1:032x}", debit=ISSUE, credit="tenant:default", unit="credits", amount=JOBS
    )
    world.ask(ApplyTransfers(transfers=(grant,), reason=""))
    session = world.worker(slots=256)
    for round_number in range(4):
        if round_number == 3:
            world.ask(PriceKind(kind="count", unit="credits", amount=1, metered=False, reason=""))
        world.submit(*(new() for _ in range(JOBS)))
        world.settle_all(session, world.lease(session, JOBS))
    found = short_way(pages_of(world))
    assert found.violations == []
    assert found.in_runs > 3 * JOBS


def test_jobs_that_are_more_or_less_critical_go_the_short_way_too() -> None:
    world = World(seed=3)
    for _ in range(4):
        world.submit(*(new(criticality="critical") for _ in range(JOBS)))
        world.submit(*(new(criticality="sheddable") for _ in range(JOBS)))
    found = short_way(pages_of(world))
    assert found.violations == []
    assert found.in_runs > 3 * JOBS
    assert found._replace(in_runs=0) == long_way(pages_of(world))


def flip(line: bytes, places: random.Random) -> bytes:
    """A line with something else in one place."""
    at = places.randrange(len(line))
    choice = places.randrange(6)
    if choice == 0:
        return line[:at] + bytes([line[at] ^ 1 << places.randrange(8)]) + line[at + 1 :]
    digits = [index for index, byte in enumerate(line) if byte in b"0123456789abcdef"]
    at = places.choice(digits)
    if choice == 1:
        return line[:at] + places.choice([b"0", b"A", b"_", b" ", b"+", b"-", b"."]) + line[at + 1 :]
    if choice == 2:
        return line[:at] + places.choice([b"0", b"00", b"1" * 17, b"\n"]) + line[at:]
    if choice == 3:
        return line[:at] + b"%x" % places.randrange(16) + line[at + 1 :]
    if choice == 4:
        return line.replace(
            b'"tenant":"default"', places.choice([b'"tenant":""', b'"tenant":"d\xc3\xa9faut"'])
        )
    return line.replace(
        b'"auth":"embedded"', b'"auth":"%s"' % places.choice([b"xoxb-1234567890", b"Bearer " + b"a" * 16])
    )


@pytest.mark.parametrize("seed", range(150))
def test_whatever_is_changed_in_a_line_both_ways_say_the_same(
    busy_pages: list[list[bytes]], eventful_pages: list[list[bytes]], seed: int
) -> None:
    places = random.Random(seed)
    pages = [list(page) for page in places.choice([busy_pages, eventful_pages])]
    page = places.choice(pages)
    index = places.randrange(len(page))
    page[index] = flip(page[index], places)
    found = short_way(pages)
    assert found._replace(in_runs=0) == long_way(pages)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places in a value."""
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in leaves(item, (*path, key))] + [path]
    if isinstance(value, list):
        return [found for index, item in enumerate(value) for found in leaves(item, (*path, index))] + [path]
    return [path]


def forge(entry: Entry, places: random.Random) -> None:
    """Another value in one place of an entry, or none."""
    path = places.choice([path for path in leaves(entry) if path and path[0] not in ("prev", "seq")])
    holder: Any = entry
    for step in path[:-1]:
        holder = holder[step]
    old = holder[path[-1]]
    if places.random() < 0.2 and isinstance(holder, dict) and len(path) > 1:
        del holder[path[-1]]
    elif isinstance(old, bool):
        holder[path[-1]] = not old
    elif isinstance(old, int):
        holder[path[-1]] = old + places.choice([-1, 1, 1 << 43, -old, 7])
    elif isinstance(old, str):
        digits = "0123456789abcdef"
        at = places.randrange(len(old) or 1)
        holder[path[-1]] = places.choice(
            [old[:at] + places.choice(digits) + old[at + 1 :], old + "é", "", old.upper()]
        )
    else:
        holder[path[-1]] = places.choice([None, 1, "text", [], {}, [[1]]])


@pytest.mark.parametrize("seed", range(300))
def test_whatever_an_entry_is_forged_to_say_both_ways_say_the_same(
    busy_pages: list[list[bytes]], eventful_pages: list[list[bytes]], seed: int
) -> None:
    places = random.Random(seed)
    pages = busy_pages if seed % 3 else eventful_pages
    lines = [line for page in pages for line in page]
    targets = {places.randrange(len(lines)) for _ in range(places.choice([1, 1, 2]))}
    forged = rechained(lines, lambda entry: forge(entry, places) if entry["seq"] in targets else None)
    sizes, start = [len(page) for page in pages], 0
    again: list[list[bytes]] = []
    for size in sizes:
        again.append(forged[start : start + size])
        start += size
    found = short_way(again)
    assert found._replace(in_runs=0) == long_way(again)


class Careless(Fold):
    """A short way that does not look at the fences."""

    def run_succeeds(self, run: Run) -> bool:
        self._end_all([self.by_subject["job_" + text] for text in run.texts("id")], run)
        return True


def test_a_short_way_that_looks_at_too_little_is_noticed(busy_pages: list[list[bytes]]) -> None:
    lines = [line for page in busy_pages for line in page]
    page = next(page for page in reversed(busy_pages) if b'"job.succeeded"' in page[-1] and len(page) >= JOBS)
    target = lines.index(page[2])

    def steal(entry: Entry) -> None:
        if entry["seq"] == target:
            given = entry["decision"]["input"]
            given["fence"] = given["fence_current"] = given["fence"] - 1

    forged = rechained(lines, steal)
    assert {violation.invariant for violation in long_way([forged]).violations} == {"E3"}
    one_by_one = [[line] for line in forged[: target - 2]]
    pages = [forged[: target - 2 - JOBS], forged[target - 2 - JOBS : target - 2], forged[target - 2 :]]
    assert short_way(one_by_one).in_runs == 0
    assert short_way(pages)._replace(in_runs=0) == long_way(pages)
    assert short_way(pages, Careless).violations == []
