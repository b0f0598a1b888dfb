"""The judge: what a stopped database holds against what its clients and handlers saw.

It shares no code with the engine. It opens the file itself, for reading only, and computes with hashlib and json.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

from crash.effects import Effect, read_effects
from crash.history import Call, History
from crash.judge_steps import steps_as_done, steps_as_kept
from crash.stories import Journal, Story

__all__ = ["VIOLATIONS_MAX", "judge", "read_head", "read_journal"]

VIOLATIONS_MAX = 200
"""One fault can break a promise for every job; nobody reads more than these."""

_PLACES = ("ready", "timer", "lease", "blocked", "result")


def judge(database: Path, history: History, effects: Path | None = None) -> list[str]:
    """Every promise that was broken, each in a sentence. `effects`: the log of handlers that write all they do."""
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    found: list[str] = []
    try:
        connection.execute("BEGIN")
        found += _files(connection)
        if not found:
            journal = Journal(connection)
            found += journal.violations
            found += _end_of_chain(connection, journal)
            found += _places(connection, journal)
            found += _keys(connection, journal)
            found += _payloads(connection, journal)
            found += steps_as_kept(connection, journal)
            found += _claims(journal, history, connection)
            if effects is not None:
                done = read_effects(effects)
                found += _effects(journal, [effect for effect in done if effect.what != "step"])
                found += steps_as_done(journal, [effect for effect in done if effect.what == "step"])
    except (apsw.Error, ValueError) as error:
        found.append(f"the database cannot be read: {type(error).__name__}: {error}")
    finally:
        connection.close()
    return _few(found)


def read_journal(database: Path) -> Journal:
    """The journal of a database, for figures and look-ups; `judge` says what is wrong with it."""
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return Journal(connection)
    finally:
        connection.close()


def read_head(database: Path) -> tuple[int, str]:
    """How many entries the journal has, and the hash of the last one."""
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        seq, head = connection.execute("SELECT seq, head FROM shard").fetchall()[0]
        return seq, head
    finally:
        connection.close()


def _few(found: list[str]) -> list[str]:
    rest = len(found) - VIOLATIONS_MAX
    return found if rest <= 0 else [*found[:VIOLATIONS_MAX], f"and {rest} more"]


def _files(connection: apsw.Connection) -> list[str]:
    said = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    return [] if said == ["ok"] else [f"SQLite finds damage: {text}" for text in said]


def _end_of_chain(connection: apsw.Connection, journal: Journal) -> Iterator[str]:
    shards = connection.execute("SELECT seq, head, at_us, next_number FROM shard").fetchall()
    if len(shards) != 1:
        yield f"the database has {len(shards)} shards instead of one"
    for seq, head, at_us, next_number in shards:
        if seq != journal.seq:
            yield f"the shard goes on at entry {seq}, the journal ends before {journal.seq}"
        if head != journal.head:
            yield "the shard's head is not the hash of the last entry"
        if at_us != journal.at:
            yield f"the shard's instant is {at_us}, the last entry's {journal.at}"
        highest = max(journal.stories, default=0)
        if next_number != highest + 1:
            yield f"the next job number is {next_number}, the highest that was given {highest}"


def _places(connection: apsw.Connection, journal: Journal) -> Iterator[str]:
    """Every job in exactly one place, and in the place that its story ends in."""
    places: defaultdict[int, list[str]] = defaultdict(list)
    for name in _PLACES:
        for (number,) in connection.execute(f"SELECT number FROM {name}"):  # noqa: S608 - names from here
            places[number].append(name)
    jobs = {number for (number,) in connection.execute("SELECT number FROM job")}
    for number in sorted(jobs - journal.stories.keys()):
        yield f"job number {number} is in the table and was never submitted"
    for number in sorted(places.keys() - jobs):
        yield f"job number {number} is in {places[number]} and has no row"
    yield from _pruned(connection, journal, jobs | places.keys())
    for number, story in journal.stories.items():
        if story.pruned_by is not None:
            continue
        if number not in jobs:
            yield f"{story.id} was submitted and has no row"
        if len(places[number]) != 1:
            yield f"{story.id} is in {len(places[number])} places: {places[number]}"
        wanted = {"open": ("ready", "timer", "blocked"), "leased": ("lease",)}.get(story.state, ("result",))
        if not set(places[number]) <= set(wanted):
            yield f"{story.id} is {story.state} by its story, and in {places[number]}"
    yield from _leases(connection, journal)
    yield from _results(connection, journal)


def _pruned(connection: apsw.Connection, journal: Journal, stand: set[int]) -> Iterator[str]:
    """Of a job that was pruned its remains are there, and nothing else."""
    told = {
        number: story.pruned_by for number, story in journal.stories.items() if story.pruned_by is not None
    }
    kept = dict(connection.execute("SELECT number, pruned_by FROM pruned"))
    for number in sorted(told.keys() | kept.keys()):
        if kept.get(number) != told.get(number):
            yield f"job number {number} was pruned by {kept.get(number)}; by the journal by {told.get(number)}"
    for number in sorted(told.keys() & stand):
        yield f"job number {number} was pruned, and rows of it stand"


def _leases(connection: apsw.Connection, journal: Journal) -> Iterator[str]:
    for number, attempt, fence in connection.execute("SELECT number, attempt, fence FROM lease"):
        story = journal.stories.get(number)
        if story is not None and (attempt, fence) != (story.attempt, story.fence):
            told = f"attempt {story.attempt} under fence {story.fence}"
            yield f"the lease of {story.id} is attempt {attempt} under fence {fence}, its story says {told}"


def _results(connection: apsw.Connection, journal: Journal) -> Iterator[str]:
    query = "SELECT number, state, attempt, output, payload, entry FROM result"
    for number, state, _, output, payload, entry in connection.execute(query):
        story = journal.stories.get(number)
        if story is None or story.end is None:
            continue
        if (state, entry) != (story.state, story.end):
            yield f"{story.id} is {story.state} by entry {story.end}, its result says {state} by {entry}"
        kept = payload.hex() if payload is not None else None if output is None else _sha(output)
        if state == "succeeded" and kept != story.output:
            yield f"the output of {story.id} is not the one whose digest its entry holds"


def _keys(connection: apsw.Connection, journal: Journal) -> Iterator[str]:
    keyed = Counter(story.key for story in journal.stories.values() if story.key is not None)
    for key, count in keyed.items():
        if count > 1:
            yield f"one idempotency key (SHA-256 {key[:12]}) has made {count} jobs"
    rows = 0
    for key, number in connection.execute("SELECT key, number FROM idempotency"):
        rows += 1
        story = journal.stories.get(number)
        if story is None or story.key != _sha(key.encode()):
            yield f"the key {key!r} is kept for job number {number}, whose entry does not name it"
    if rows != len(keyed):
        yield f"{len(keyed)} keys were used and {rows} are kept"


def _payloads(connection: apsw.Connection, journal: Journal) -> Iterator[str]:
    kept = set()
    for digest, body in connection.execute("SELECT digest, body FROM payload"):
        kept.add(digest)
        if _sha(body) != digest.hex():
            yield f"the payload {digest.hex()[:12]} has other bytes than its digest says"
    for number, given, payload in connection.execute("SELECT number, input, payload FROM job"):
        story = journal.stories.get(number)
        digest = payload.hex() if payload is not None else _sha(given or b"")
        if story is not None and digest != story.input:
            yield f"the input of {story.id} is not the one whose digest its entry holds"
        if payload is not None and payload not in kept:
            yield f"the input of job number {number} is not kept"


def _claims(journal: Journal, history: History, connection: apsw.Connection) -> Iterator[str]:
    """What clients were told must be so, and nothing may be there that nobody asked for."""
    by_key: dict[str, Story] = {
        story.key: story for story in journal.stories.values() if story.key is not None
    }
    answers: defaultdict[str, set[str]] = defaultdict(set)
    for call in history.calls:
        if call.outcome == "acknowledged":
            yield from _CLAIMS[call.verb](journal, call, connection)
        if call.verb == "submit" and call.key is not None and call.outcome == "acknowledged":
            answers[call.key].add(call.answer)
    for key, ids in answers.items():
        if len(ids) > 1:
            yield f"the same key {key!r} was answered with {len(ids)} ids: {sorted(ids)[:3]}"
    yield from _refusals(history, by_key)
    if history.complete:
        yield from _uninvited(journal, history)


def _submitted(journal: Journal, call: Call, connection: apsw.Connection) -> Iterator[str]:
    story = journal.by_id(call.answer)
    if story is None:
        yield f"{call.answer} was acknowledged to {call.client} and does not exist"
        return
    given = call.given or {}
    if "kind" in given and given["kind"] != story.kind:
        yield f"{call.answer} was submitted as {given['kind']} and is kept as {story.kind}"
    if "input" in given and _canonical(given["input"]) != story.input:
        yield f"{call.answer} was submitted with another input than its entry holds"
    if call.key is not None and story.key != _sha(call.key.encode()):
        yield f"{call.answer} was acknowledged for the key {call.key!r}, which its entry does not name"


def _cancelled(journal: Journal, call: Call, connection: apsw.Connection) -> Iterator[str]:
    story = journal.by_id(call.given)
    if story is None:
        yield f"a cancellation of {call.given} was acknowledged, and there is no such job"
    elif call.answer == "cancelled" and story.state != "cancelled":
        yield f"{call.given} was acknowledged as cancelled and is {story.state}"
    elif call.answer == "requested" and not story.cancel_requested:
        yield f"the request to cancel {call.given} was acknowledged and is not in its story"


def _settled(journal: Journal, call: Call, connection: apsw.Connection) -> Iterator[str]:
    given = call.given
    story = journal.stories.get(given["number"])
    if story is None:
        yield f"a report about job number {given['number']} was acknowledged, and there is no such job"
        return
    if call.answer and given["outcome"] == "succeeded":
        if (story.state, story.end_fence) != ("succeeded", given["fence"]):
            yield f"the success of {story.id} under fence {given['fence']} was acknowledged and is not kept"
    elif not call.answer and given["fence"] not in story.fenced_off:
        yield f"a report for {story.id} under fence {given['fence']} was refused without an entry that says so"


def _seen(journal: Journal, call: Call, connection: apsw.Connection) -> Iterator[str]:
    story = journal.by_id(call.given)
    state, output = call.answer
    if story is None or story.state != state:
        yield f"{call.given} was shown as {state} and is {story.state if story else 'unknown'}"
    elif state == "succeeded" and _canonical(output) != story.output:
        yield f"{call.given} was shown with another output than its entry holds"


_CLAIMS = {"submit": _submitted, "cancel": _cancelled, "settle": _settled, "wait": _seen}


def _refusals(history: History, by_key: dict[str, Story]) -> Iterator[str]:
    """A refused call has changed nothing: only another call with its key can have made the key's job."""
    asked = {call.key for call in history.calls if call.verb == "submit" and call.outcome != "refused"}
    for call in history.calls:
        if call.verb != "submit" or call.outcome != "refused" or call.key is None:
            continue
        story = by_key.get(_sha(call.key.encode()))
        if story is not None and call.key not in asked:
            yield f"a submission under {call.key!r} was refused ({call.answer}), and made {story.id}"
        if call.answer == "idempotency_conflict":
            if story is None:
                yield f"a submission under {call.key!r} was refused as a conflict with a job that does not exist"
            elif _canonical(call.given["input"]) == story.input and call.given["kind"] == story.kind:
                yield f"a submission under {call.key!r} was refused as a conflict with the same request"


def _uninvited(journal: Journal, history: History) -> Iterator[str]:
    """Jobs that no call explains. A call without a key whose answer never came may have made one job."""
    calls = [call for call in history.calls if call.verb == "submit"]
    keys = {_sha(call.key.encode()) for call in calls if call.key is not None}
    known = {call.answer for call in calls if call.outcome == "acknowledged"}
    spare = sum(call.key is None and call.outcome == "unknown" for call in calls)
    for story in journal.stories.values():
        if not story.by_client or story.id in known or story.key in keys:
            continue
        if story.key is None and spare > 0:
            spare -= 1
            continue
        yield f"nobody submitted {story.id}"


def _effects(journal: Journal, effects: list[Effect]) -> Iterator[str]:
    """Handlers against the journal: each attempt under its lease, each success done exactly once."""
    seen: Counter[tuple[str, str, int]] = Counter()
    for effect in effects:
        seen[effect.what, effect.job, effect.fence] += 1
        story = journal.by_id(effect.job)
        if story is None:
            yield f"a handler ran for {effect.job}, which nobody submitted"
        elif story.leases.get(effect.fence) != effect.attempt:
            yield f"a handler ran attempt {effect.attempt} of {effect.job} under fence {effect.fence}: no such lease"
    for (what, job, fence), count in seen.items():
        if count > 1:
            yield f"a handler did {what} {count} times for {job} under fence {fence}"
    for story in journal.stories.values():
        if story.state == "succeeded" and story.end_fence is not None:
            done = seen["end", story.id, story.end_fence]
            if done != 1:
                yield f"{story.id} succeeded under fence {story.end_fence}, and its handler ended {done} times"


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _canonical(value: Any) -> str:
    """The digest of a value as canonical JSON; enough for integers and ASCII text, of which histories are made."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return _sha(text.encode())
