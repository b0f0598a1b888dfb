"""Each invariant of a story has a bad journal that breaks it and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sheratan.contracts.journal import GENESIS
from sheratan.engine.verify import Verification, verify_lines
from sheratan.kernel.canonical import canonical
from sheratan.kernel.fold import Fold
from sheratan.kernel.outcomes import Outcomes
from tests.journal.tamper import Entry, lines_of, rechained
from tests.journal.world import SECOND_US, World, new

Entries = list[Entry]
Change = Callable[[Entries], object]


def entries_of(world: World) -> Entries:
    return [msgspec.json.decode(line) for _, _, body in world.store.pages() for line in body.split(b"\n")]


def judged(entries: Entries) -> Verification:
    """Verify entries as if somebody had written them just so: chained, and with the head to go with it."""
    lines = rechained([canonical(entry) for entry in entries], lambda entry: None)
    return verify_lines(lines)


def written(entries: Entries) -> list[bytes]:
    """The same without numbering or chaining anew what a change has set."""
    return [canonical(entry) for entry in entries]


def story() -> Entries:
    """A journal with a job that fails and succeeds, one that waits for it, one that is cancelled, one with a key."""
    world = World()
    session = world.worker()
    first, _ = world.submit(new(), new(key="once", priority=6))
    world.submit(new(after=(first,), delay_us=60 * SECOND_US))
    (held,) = world.lease(session, 1)
    world.settle(session, held, "failed", error="retryable")
    world.tick(10)
    (held,) = world.lease(session, 1)
    world.settle(session, held)
    (held,) = world.lease(session, 1)
    world.settle(session, held)
    world.tick(100)
    (held,) = world.lease(session, 1)
    world.settle(session, held)
    assert not world.settle(session, held)
    lost = world.worker(name="lost")
    world.submit(new())
    world.lease(lost)
    world.restart()
    found = entries_of(world)
    assert judged(found).ok
    return found


def first(entries: Entries, entry_type: str, nth: int = 0) -> Entry:
    return [entry for entry in entries if entry["type"] == entry_type][nth]


def again(entries: Entries, entry: Entry, **changes: Any) -> Entry:
    """The same entry once more, at the end."""
    copy: Entry = (
        msgspec.json.decode(canonical(entry)) | changes | {"seq": len(entries), "at": entries[-1]["at"]}
    )
    copy["policy"] = entries[-1]["policy"]
    entries.append(copy)
    return copy


def set_in(entry: Entry, *path: Any) -> None:
    target: Any = entry
    for name in path[:-2]:
        target = target[name]
    target[path[-2]] = path[-1]


def submit_again(entries: Entries, *, number: int | None = None, **data: Any) -> Entry:
    """One more submission, with an id of its own."""
    number = (
        1 + max(e["data"]["number"] for e in entries if e["type"] == "job.submitted")
        if number is None
        else number
    )
    copy = again(entries, first(entries, "job.submitted"))
    value = (copy["at"] // 1000 << 80) | (0x7 << 76) | (0b10 << 62) | (number << 20)
    copy["subject"] = f"job_{value:032x}"
    copy["data"] |= {"number": number, **data}
    return copy


BAD: list[tuple[str, str, Change]] = [
    ("E2", "a number is given twice", lambda x: submit_again(x, number=1)),
    ("E2", "an id of another number", lambda x: set_in(submit_again(x), "data", "number", 77)),
    ("E2", "an entry about nobody's job", lambda x: again(
        x, first(x, "job.due"), subject="job_" + "0" * 12 + "7000" + "8" + "0" * 15)),
    ("E2", "it runs after nobody's job", lambda x: submit_again(x, after=[999])),
    ("E2", "it repeats a job that runs on", lambda x: submit_again(x, origin=first(x, "job.submitted", 3)["subject"])),
    ("E3", "settled under another fence", lambda x:
        set_in(first(x, "job.succeeded"), "decision", "input", "fence", 1)),
    ("E3", "settled for another lease", lambda x:
        set_in(first(x, "job.succeeded"), "decision", "input", "fence_current", 1)),
    ("E3", "the owner is refused", lambda x:
        set_in(first(x, "job.fenced_off"), "decision", "input", "fence_current", 5)),
    ("E3", "submitted by a job that does not run", lambda x:
        submit_again(x, by_job=first(x, "job.submitted")["subject"])),
    ("E4", "a job that waits is unblocked", lambda x: again(
        x, first(x, "job.unblocked"), subject=first(x, "job.submitted", 3)["subject"],
        previous=first(x, "job.requeued")["seq"])),
    ("E4", "a job that waits is asked to stop", lambda x: again(
        x, first(x, "job.succeeded"), type="job.cancel_requested", subject=first(x, "job.submitted", 3)["subject"],
        previous=first(x, "job.requeued")["seq"], data={"reason": "no"})),
    ("E5", "something follows an end", lambda x: again(x, first(x, "job.due"))),
    ("E7", "a key makes two jobs", lambda x: submit_again(x, key=first(x, "job.submitted", 1)["data"]["key"])),
    ("E10", "an attempt is skipped", lambda x: set_in(first(x, "job.succeeded"), "data", "attempt", 5)),
    ("E10", "the decision counts failures otherwise", lambda x:
        set_in(first(x, "job.retried"), "decision", "input", "failures", 2)),
    ("E10", "the decision knows another limit", lambda x:
        set_in(first(x, "job.requeued"), "decision", "input", "losses_max", 9)),
    ("E10", "tried again beyond its attempts", lambda x: (
        set_in(first(x, "job.submitted"), "data", "options", 0, 1),
        set_in(first(x, "job.retried"), "decision", "input", "attempts_max", 1))),
    ("E10", "tried again beyond the losses allowed", lambda x: [
        limit(entry, 1) for entry in x if entry["type"] in ("policy.set", "job.requeued")]),
    ("E11", "started while a job it runs after is open", lambda x: (
        set_in(first(x, "job.submitted", 3), "data", "after", [2]),
        set_in(first(x, "job.submitted", 3), "decision", "input", "waits_for", 1),
        x.remove(first(x, "job.succeeded", 1)), renumber(x))),
    ("E11", "the decision waits for nothing", lambda x: submit_again(x, after=[4])),
    ("E12", "a job ends twice", lambda x: again(x, first(x, "job.succeeded"))),
    ("E13", "a timer rings early", lambda x:
        set_in(first(x, "job.due", 1), "data", "due_us", first(x, "job.due", 1)["at"] + 1)),
    ("E13", "a timer rings for another instant", lambda x: set_in(first(x, "job.due"), "data", "due_us", 5)),
    ("E14", "another choice than what was done", lambda x:
        set_in(first(x, "job.retried"), "decision", "chosen", "action", "fail")),
    ("E14", "other jobs than those chosen", lambda x: set_in(first(x, "worker.leased"), "decision", "chosen", [3])),
    ("E14", "taken in by its refusal", lambda x:
        again(x, first(x, "job.submitted"), type="job.refused", subject="queue:q")),
    ("J8", "a decision is missing", lambda x: first(x, "engine.started", 1).pop("decision")),
    ("J8", "data of another type", lambda x: set_in(first(x, "job.fenced_off"), "data", {})),
    ("J8", "an entry of an unknown type", lambda x: again(x, x[0], type="job.forgotten")),
    ("J8", "an entry of a later version", lambda x: set_in(x[-1], "v", 2)),
    ("J8", "limits with another digest", lambda x: set_in(x[0], "data", "digest", "0" * 64)),
    ("J9", "time runs backwards", lambda x: set_in(x[-1], "at", x[-2]["at"] - 1)),
    ("J10", "nobody acted", lambda x: set_in(first(x, "job.succeeded"), "actor", "")),
    ("J10", "for nobody", lambda x: set_in(first(x, "job.succeeded"), "on_behalf_of", "")),
    ("J10", "known by no means", lambda x: set_in(first(x, "job.succeeded"), "auth", "")),
    ("J10", "an entry that sets no policy", lambda x: set_in(first(x, "job.succeeded"), "policy", 1)),
    ("J13", "a private key", lambda x: set_in(x[-1], "on_behalf_of", "-----BEGIN RSA PRIVATE KEY-----")),
    ("J13", "a cloud key", lambda x: set_in(x[-1], "on_behalf_of", "AKIA" + "ABCDEFGH" * 2)),
    ("J13", "a forge token", lambda x: set_in(x[-1], "on_behalf_of", "ghp_" + "a1" * 18)),
    ("J13", "a chat token", lambda x: set_in(x[-1], "on_behalf_of", "xoxb-1234567890")),
    ("J13", "a bearer token", lambda x: set_in(x[-1], "on_behalf_of", "Bearer " + "a1" * 18)),
    ("J16", "an owner that is not newer", lambda x: set_in(first(x, "engine.started", 1), "data", "epoch", 1)),
    ("previous", "a story that skips an entry", lambda x: set_in(first(x, "job.succeeded"), "previous", 3)),
    ("previous", "a lease that skips an entry", lambda x:
        first(x, "worker.leased")["data"]["jobs"][0].__setitem__(2, 0)),
    ("previous", "a worker's story that skips an entry", lambda x:
        set_in(first(x, "worker.leased", 2), "previous", 2)),
    ("previous", "an engine's story without its beginning", lambda x: first(x, "engine.started", 1).pop("previous")),
    ("previous", "a new job with a past", lambda x: set_in(submit_again(x), "previous", 4)),
    ("cause", "an effect before its cause", lambda x: set_in(first(x, "job.unblocked"), "cause", 5_000)),
]  # fmt: skip


def limit(entry: Entry, losses_max: int) -> None:
    if entry["type"] == "policy.set":
        entry["data"]["limits"]["worker_losses_max"] = losses_max
        entry["data"]["digest"] = hashlib.sha256(canonical(entry["data"]["limits"])).hexdigest()
    else:
        entry["decision"]["input"]["losses_max"] = losses_max


def renumber(entries: Entries) -> None:
    """Close the gap that a removed entry left, in every place that names a number."""
    order = {entry["seq"]: place for place, entry in enumerate(entries)}
    for entry in entries:
        for name in ("seq", "previous", "policy", "cause"):
            if name in entry:
                entry[name] = order.get(entry[name], 0)
        for job in entry["data"].get("jobs", ()):
            job[2] = order[job[2]]
        given = entry.get("decision", {}).get("input", {})
        for name in ("fence", "fence_current"):
            if given.get(name) is not None:
                given[name] = order[given[name]]


@pytest.mark.parametrize(
    ("invariant", "change"), [(bad[0], bad[2]) for bad in BAD], ids=[f"{b[0]}: {b[1]}" for b in BAD]
)
def test_a_story_that_cannot_be_breaks_exactly_its_invariant(invariant: str, change: Change) -> None:
    entries = story()
    change(entries)
    found = judged(entries)
    assert {problem.invariant for problem in found.problems} == {invariant}, found.problems
    assert not found.ok


def test_a_journal_is_judged_to_its_end_whatever_its_entries_say() -> None:
    entries = story()
    for entry in entries[5:]:
        for rubbish in (b"{}", b'{"jobs":[[1]]}', b'{"number":"x"}', b'{"attempt":null}'):
            kept, entry["data"] = entry["data"], msgspec.json.decode(rubbish)
            assert judged(entries).entries == len(entries)
            entry["data"] = kept


@pytest.mark.parametrize(
    ("invariant", "old", "new_bytes"),
    [
        ("J1", b'"seq":7,', b'"seq":8,'),
        ("J8", b'"data":{', b'"data": {'),
        ("J8", b'"data":{', b'"data":{"a":1.5,'),
        ("J8", b'"data":{', b'"data":{"a":1e3,'),
        ("J8", b'"data":{', b'"data":{"a":12345678901234567890,'),
        ("J8", b'"data":{', b'"data":{"a":-99999999999999999,'),
        ("J8", b'"data":{', b'"data":{"zz":1,'),
        ("J8", b'"data":{', b'"data":{"a":1,"a":1,'),
        ("J8", b'"data":{', b'"data":{"a":"\\u0041",'),
        ("J8", b'"data":{', b'"data":{"a":"\\ud800",'),
        ("J8", b'"data":{', b'"data":{"a":"\xff",'),
        ("J8", b'"data":{', '"data":{"\U0001f600":1,"\uff01":1,'.encode()),
        ("J8", b'"data":{', b'"dat":{},"data":{'),
        ("J8", b'"data":{', b'"cause":null,"data":{'),
        ("J8", b"}", b"} "),
    ],
)
def test_bytes_that_are_not_the_canonical_form_are_refused(
    invariant: str, old: bytes, new_bytes: bytes
) -> None:
    lines = rechained(written(story()), lambda entry: None)
    lines[7] = lines[7].replace(old, new_bytes, 1) if old != b"}" else lines[7] + b" "
    later = lines[7]
    # The rest is chained onto the bad bytes, so that nothing but their form is wrong.
    prev = hashlib.sha256(later).hexdigest()
    for place in range(8, len(lines)):
        entry: Entry = msgspec.json.decode(lines[place])
        entry["prev"] = prev
        lines[place] = canonical(entry)
        prev = hashlib.sha256(lines[place]).hexdigest()
    found = verify_lines(lines)
    first_problem = found.problems[0]
    assert (first_problem.invariant, first_problem.seq) == (invariant, 7)


def test_text_beyond_ascii_is_canonical_as_it_is() -> None:
    world = World()
    session = world.worker()
    world.submit(new(key="schlüssel"))
    from_where = world.lease(session)
    world.settle(session, from_where[0], output='"größe 😀"'.encode())
    entries = entries_of(world)
    entries[-1]["on_behalf_of"] = "local:zoë 😀"
    assert judged(entries).ok


def test_what_became_of_a_million_jobs_takes_about_a_megabyte() -> None:
    outcomes = Outcomes()
    for number in range(1, 1_000_001):
        outcomes.put(number, "succeeded")
    chunks = outcomes._chunks.values()
    assert outcomes.count == outcomes.newest == 1_000_000
    assert sum(map(len, chunks)) < 1_100_000
    assert outcomes.get(1_000_001) == outcomes.get(1 << 41) == ""


def test_a_story_of_bytes_that_begin_nowhere_is_refused(data: Path) -> None:
    lines = lines_of(data)
    found = verify_lines(lines[5:])
    assert found.problems[0].invariant == "J1"
    forged = lines[0].replace(GENESIS.encode(), b"1" * 64)
    assert verify_lines([forged]).problems[0].invariant == "J2"


def test_no_part_of_the_fold_replaces_what_another_one_has_for_itself() -> None:
    """The parts are one object: a private name that two of them use is that of the last one alone."""
    owners: dict[str, list[str]] = {}
    for part in Fold.__mro__[:-1]:
        for name in vars(part):
            if name.startswith("_") and not name.startswith("__"):
                owners.setdefault(name, []).append(part.__name__)
    assert [f"{name} in {parts}" for name, parts in owners.items() if len(parts) > 1] == []
