"""The judge of the crash battery finds each kind of damage: a judge that finds nothing would prove nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest

import sheratan
from crash.effects import note_effect
from crash.history import History
from crash.judge import judge, read_head, read_journal
from crash.packed import body_of
from crash.storage_check import check_database
from crash.storage_notes import Notes
from crash.storage_script import fill as fill_storage
from sheratan import Context, job

JOBS = 6


@job(attempts_max=1)
async def twice(ctx: Context, number: int) -> int:
    """Double a number; four is too much for it, and three takes a step."""
    if number == 4:
        raise ValueError("four")
    if number == 3:
        return int(await ctx.step("double", lambda: number * 2))
    return number * 2


@dataclass
class World:
    """A database, what its clients saw, and the log of its handlers."""

    database: Path
    history: History
    effects: Path
    ids: list[str]

    def run(self, text: str, *values: Any) -> list[Any]:
        connection = apsw.Connection(str(self.database))
        for trigger in ("page_is_never_updated", "page_is_deleted_once_archived"):
            connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        rows = connection.execute(text, values).fetchall()
        connection.close()
        return rows

    def judge(self) -> list[str]:
        return judge(self.database, self.history, self.effects)

    def rewrite(self, change: Callable[[list[dict[str, Any]]], None]) -> None:
        """Change entries and recompute every hash and the head after them, as a forger with time would."""
        pages = self.run("SELECT body, codec FROM page ORDER BY first_seq")
        entries = [json.loads(line) for page in pages for line in body_of(*page).split(b"\n")]
        change(entries)
        head = "0" * 64
        lines: list[bytes] = []
        for seq, entry in enumerate(entries):
            entry["seq"], entry["prev"] = seq, head
            lines.append(json.dumps(entry, sort_keys=True, separators=(",", ":")).encode())
            head = hashlib.sha256(lines[-1]).hexdigest()
        self.run("DELETE FROM page")
        self.run("INSERT INTO page VALUES (0, ?, ?, 0)", len(lines), b"\n".join(lines))
        self.run("UPDATE shard SET seq = ?, head = ?", len(lines), head)


async def fill(data: Path, world: World) -> None:
    history = world.history
    async with sheratan.open(data, [twice]) as client:
        for number in range(JOBS):
            given = {"kind": "twice", "input": number}
            call = history.send("client", "submit", given, key=f"job {number}")
            handle = await client.submit(twice, number, key=f"job {number}")
            history.acknowledge(call, handle.id)
            world.ids.append(handle.id)
            record = await client.wait(handle.id)
            history.acknowledge(history.send("client", "wait", handle.id), [record.state, record.output])
        waiting = history.send("client", "submit", {"kind": "twice", "input": 99}, key="later")
        handle = await client.submit(twice, 99, key="later", delay_seconds=1_000)
        history.acknowledge(waiting, handle.id)
        cancel = history.send("client", "cancel", handle.id)
        history.acknowledge(cancel, await handle.cancel())
        waiting = history.send("client", "submit", {"kind": "twice", "input": 100})
        handle = await client.submit(twice, 100, delay_seconds=1_000)
        history.acknowledge(waiting, handle.id)
        world.ids.append(handle.id)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("judged")
    world = World(folder / "data" / "sheratan.db", History(), folder / "effects", [])
    asyncio.run(fill(folder / "data", world))
    for number, job_id in enumerate(world.ids[:JOBS]):
        [fence] = read_journal(world.database).stories[number + 1].leases
        note_effect("begin", job_id, 1, fence, str(world.effects))
        if number == 3:
            note_effect("step", f"{job_id}/double", 1, fence, str(world.effects))
        note_effect("end", job_id, 1, fence, str(world.effects))
    return world


@pytest.fixture
def world(original: World, tmp_path: Path) -> World:
    """A copy that a test may damage. Its history is a copy, too."""
    shutil.copytree(original.database.parent, tmp_path / "data")
    shutil.copy(original.effects, tmp_path / "effects")
    history = History()
    history.calls += original.history.calls
    return World(tmp_path / "data" / "sheratan.db", history, tmp_path / "effects", list(original.ids))


def test_what_is_whole_is_not_faulted(world: World) -> None:
    assert world.judge() == []


def _drop_job(world: World) -> None:
    """An acknowledged job gone from every table and from the journal, which is chained anew."""
    lost = world.ids[-1]

    def change(entries: list[dict[str, Any]]) -> None:
        entries[:] = [entry for entry in entries if entry["subject"] != lost]

    world.rewrite(change)
    for table in ("job", "timer"):
        world.run(f"DELETE FROM {table} WHERE number = ?", JOBS + 2)
    world.run("UPDATE shard SET next_number = ?", JOBS + 2)


def _flip_entry(world: World) -> None:
    for first, stored, codec in world.run("SELECT first_seq, body, codec FROM page"):
        forged = body_of(stored, codec).replace(b"twice", b"thrice")
        world.run("UPDATE page SET body = ?, codec = 0 WHERE first_seq = ?", forged, first)


def _fork_chain(world: World) -> None:
    first, count, body, codec = world.run("SELECT * FROM page ORDER BY first_seq DESC LIMIT 1")[0]
    world.run("INSERT INTO page VALUES (?, ?, ?, ?)", first + count, count, body, codec)


def _drop_page(world: World) -> None:
    world.run("DELETE FROM page WHERE first_seq = (SELECT max(first_seq) FROM page)")


def _drop_shard(world: World) -> None:
    world.run("DELETE FROM shard")


def _turn_time_back(world: World) -> None:
    def change(entries: list[dict[str, Any]]) -> None:
        entries[5]["at"] = entries[4]["at"] - 1

    world.rewrite(change)


def _two_places(world: World) -> None:
    world.run("INSERT INTO ready VALUES (1, 5, 1, 1, 0, 0, 0, 0)")


def _no_place(world: World) -> None:
    world.run("DELETE FROM timer")


def _two_ends(world: World) -> None:
    def change(entries: list[dict[str, Any]]) -> None:
        end = next(entry for entry in entries if entry["type"] == "job.succeeded")
        entries.append(dict(end, at=entries[-1]["at"]))

    world.rewrite(change)


def _two_leases(world: World) -> None:
    def change(entries: list[dict[str, Any]]) -> None:
        at = next(place for place, entry in enumerate(entries) if entry["type"] == "worker.leased")
        entries.insert(at + 1, dict(entries[at]))

    world.rewrite(change)


def _stale_fence(world: World) -> None:
    def change(entries: list[dict[str, Any]]) -> None:
        end = next(entry for entry in entries if entry["type"] == "job.succeeded")
        end["decision"]["input"]["fence"] -= 1

    world.rewrite(change)


def _other_output(world: World) -> None:
    world.run("UPDATE result SET output = CAST('7' AS BLOB) WHERE number = 1")


def _other_input(world: World) -> None:
    world.run("UPDATE job SET input = CAST('7' AS BLOB) WHERE number = 1")


def _other_state(world: World) -> None:
    world.run("UPDATE result SET state = 'failed' WHERE number = 1")


def _forget_key(world: World) -> None:
    world.run("DELETE FROM idempotency WHERE number = 1")


def _uninvited_job(world: World) -> None:
    world.history.calls[:] = [call for call in world.history.calls if call.key != "job 2"]


def _never_kept(world: World) -> None:
    call = world.history.send("client", "submit", {"kind": "twice", "input": 1})
    world.history.acknowledge(call, "job_" + "0" * 32)


def _two_answers(world: World) -> None:
    call = world.history.send("client", "submit", {"kind": "twice", "input": 1}, key="job 1")
    world.history.acknowledge(call, world.ids[2])


def _undone_cancel(world: World) -> None:
    call = world.history.send("client", "cancel", world.ids[0])
    world.history.acknowledge(call, "cancelled")


def _refused_and_done(world: World) -> None:
    world.history.calls[:] = [call for call in world.history.calls if call.key != "job 2"]
    world.history.fail(
        world.history.send("client", "submit", {"kind": "twice"}, key="job 2"), "limit_reached"
    )


def _wrong_conflict(world: World) -> None:
    call = world.history.send("client", "submit", {"kind": "twice", "input": 2}, key="job 2")
    world.history.fail(call, "idempotency_conflict")


def _unkept_report(world: World) -> None:
    call = world.history.send("client", "settle", {"number": 5, "fence": 3, "outcome": "succeeded"})
    world.history.acknowledge(call, True)


def _unrecorded_refusal(world: World) -> None:
    call = world.history.send("client", "settle", {"number": 5, "fence": 3, "outcome": "succeeded"})
    world.history.acknowledge(call, False)


def _other_answer(world: World) -> None:
    world.history.acknowledge(world.history.send("client", "wait", world.ids[1]), ["succeeded", 3])


def _double_effect(world: World) -> None:
    line = world.effects.read_text().splitlines()[1]
    with world.effects.open("a") as file:
        file.write(f"{line}\n")


def _missing_effect(world: World) -> None:
    lines = world.effects.read_text().splitlines(keepends=True)
    world.effects.write_text("".join(lines[:1] + lines[2:]))


def _unleased_effect(world: World) -> None:
    note_effect("begin", world.ids[0], 2, 1, str(world.effects))


def _step_at(world: World, fence: int) -> None:
    note_effect("step", f"{world.ids[3]}/double", 1, fence, str(world.effects))


def _step_done_again(world: World) -> None:
    _step_at(world, 1_000)


def _step_done_twice(world: World) -> None:
    _step_at(world, next(iter(read_journal(world.database).stories[4].leases)))


def _step_never_done(world: World) -> None:
    lines = world.effects.read_text().splitlines(keepends=True)
    world.effects.write_text("".join(line for line in lines if not line.startswith("step ")))


def _step_lost(world: World) -> None:
    world.run("DELETE FROM step")


def _step_changed(world: World) -> None:
    world.run("UPDATE step SET output = x'37'")


def _step_out_of_turn(world: World) -> None:
    def change(entries: list[dict[str, Any]]) -> None:
        next(entry for entry in entries if entry["type"] == "step.succeeded")["data"]["step"] = 2

    world.rewrite(change)


def _step_of_nobody(world: World) -> None:
    def change(entries: list[dict[str, Any]]) -> None:
        next(entry for entry in entries if entry["type"] == "step.succeeded")["subject"] = world.ids[0]

    world.rewrite(change)


def _damaged_file(world: World) -> None:
    data = bytearray(world.database.read_bytes())
    data[4096:8192] = bytes(4096)
    world.database.write_bytes(data)


DAMAGE: dict[Callable[[World], None], str] = {
    _drop_job: "was acknowledged to client and does not exist",
    _flip_entry: "does not name the hash of the entry before it",
    _fork_chain: "stands where",
    _drop_page: "the shard goes on at entry",
    _drop_shard: "0 shards instead of one",
    _turn_time_back: "time runs backwards",
    _two_places: "is in 2 places",
    _no_place: "is in 0 places",
    _two_ends: "has a second end",
    _two_leases: "which is leased",
    _stale_fence: "counts under fence",
    _other_output: "the output of",
    _other_input: "the input of",
    _other_state: "its result says failed",
    _forget_key: "keys were used and",
    _uninvited_job: "nobody submitted",
    _never_kept: "does not exist",
    _two_answers: "was answered with 2 ids",
    _undone_cancel: "was acknowledged as cancelled and is succeeded",
    _refused_and_done: "was refused (limit_reached), and made",
    _wrong_conflict: "as a conflict with the same request",
    _unkept_report: "was acknowledged and is not kept",
    _unrecorded_refusal: "was refused without an entry",
    _other_answer: "was shown with another output",
    _double_effect: "2 times",
    _missing_effect: "its handler ended 0 times",
    _unleased_effect: "no such lease",
    _step_done_again: "and done again under 1000",
    _step_done_twice: "was done 2 times under fence",
    _step_never_done: "under which nobody did it",
    _step_lost: "has the steps []",
    _step_changed: "by its story",
    _step_out_of_turn: "is step 2 of",
    _step_of_nobody: "which is succeeded",
    _damaged_file: "malformed",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__.strip("_"))
def test_damage_is_noticed(world: World, damage: Callable[[World], None]) -> None:
    damage(world)
    found = world.judge()
    assert any(DAMAGE[damage] in text for text in found), found


CHAIN = (_flip_entry, _fork_chain, _drop_page, _drop_shard, _turn_time_back)


def check(world: World, seq: int, head: str) -> list[str]:
    """What the check of storage finds by its own reading, given the end of the journal that a caller was told."""
    notes = Notes()
    notes.history = world.history
    notes.note_end(seq, head)
    return [text for text in check_database(world.database, notes) if not text.startswith("verify")]


@pytest.mark.parametrize("damage", CHAIN, ids=lambda damage: damage.__name__.strip("_"))
def test_the_check_of_storage_notices_a_broken_chain(world: World, damage: Callable[[World], None]) -> None:
    end = read_head(world.database)
    assert check(world, *end) == []
    damage(world)
    found = check(world, *end)
    assert any(DAMAGE[damage] in text for text in found), found


def test_the_check_of_storage_misses_an_entry_that_was_acknowledged(world: World) -> None:
    seq, head = read_head(world.database)
    assert check(world, seq + 1, head) == [f"{seq + 1} entries were acknowledged, {seq} are there"]
    assert check(world, seq - 1, head) == [f"entry {seq - 2} is not the one that was acknowledged"]


def test_a_call_without_an_answer_may_have_been_obeyed_or_not(world: World) -> None:
    done = next(call for call in world.history.calls if call.key == "job 3")
    world.history.calls.remove(done)
    world.history.send("client", "submit", {"kind": "twice", "input": 3}, key="job 3")
    world.history.send("client", "submit", {"kind": "twice", "input": 77}, key="job 77")
    assert world.judge() == []


def test_a_history_is_read_back_from_the_logs_of_killed_clients(tmp_path: Path) -> None:
    log = tmp_path / "client"
    history = History(log)
    history.acknowledge(history.send("one", "submit", {"kind": "twice", "input": 1}, key="a"), "job_1")
    history.fail(history.send("one", "cancel", "job_1"), "already_ended")
    history.fail(history.send("one", "submit", None, key="b"), "disconnected")
    history.close()
    with log.open("ab") as file:
        file.write(b'["one", 3, "sub')
    assert History.read(log).calls == history.calls
    assert [call.outcome for call in history.calls] == ["acknowledged", "refused", "unknown"]


def is_of_firing(entry: dict[str, Any]) -> bool:
    """Whether an entry takes in the job of a firing."""
    return entry["type"] == "job.submitted" and "firing" in entry["data"]


def _of_another_firing(entry: dict[str, Any]) -> None:
    entry["data"]["firing"] = "2001-01-01T00:00:00Z"


def _of_another_schedule(entry: dict[str, Any]) -> None:
    entry["data"]["schedule"] = "nobody"


def _by_another_cause(entry: dict[str, Any]) -> None:
    entry["cause"] = 1


@pytest.mark.parametrize(
    ("forge", "said"),
    [
        (_of_another_firing, "not under the key"),
        (_of_another_schedule, "that no entry tells of"),
        (_by_another_cause, "that no entry tells of"),
    ],
)
def test_the_job_of_a_firing_stands_behind_it(
    tmp_path: Path, forge: Callable[[dict[str, Any]], None], said: str
) -> None:
    notes = fill_storage(tmp_path / "sheratan.db", 1, 200)
    world = World(tmp_path / "sheratan.db", notes.history, tmp_path / "effects", [])
    assert judge(world.database, world.history) == []

    def change(entries: list[dict[str, Any]]) -> None:
        forge(next(entry for entry in entries if is_of_firing(entry)))

    world.rewrite(change)
    assert any(said in text for text in judge(world.database, world.history))


def is_of_node(entry: dict[str, Any]) -> bool:
    """Whether an entry takes in the job of a node."""
    return entry["type"] == "job.submitted" and "node" in entry["data"]


def _of_another_run(entry: dict[str, Any]) -> None:
    entry["data"]["workflow"] = entry["data"]["workflow"][:-1] + "x"


def _of_one_node(entry: dict[str, Any]) -> None:
    entry["data"]["node"] = "first"
    entry["data"].pop("item", None)


@pytest.mark.parametrize(
    ("forge", "said"),
    [
        (_of_another_run, "by no entry about it"),
        (_by_another_cause, "by no entry about it"),
        (_of_one_node, "has a second job"),
    ],
)
def test_the_jobs_of_a_run_stand_behind_it(
    tmp_path: Path, forge: Callable[[dict[str, Any]], None], said: str
) -> None:
    notes = fill_storage(tmp_path / "sheratan.db", 1, 200)
    world = World(tmp_path / "sheratan.db", notes.history, tmp_path / "effects", [])

    def change(entries: list[dict[str, Any]]) -> None:
        for entry in filter(is_of_node, entries):
            forge(entry)

    world.rewrite(change)
    assert any(said in text for text in judge(world.database, world.history))


def test_a_firing_that_has_two_jobs_is_caught(tmp_path: Path) -> None:
    notes = fill_storage(tmp_path / "sheratan.db", 1, 200)
    world = World(tmp_path / "sheratan.db", notes.history, tmp_path / "effects", [])

    def change(entries: list[dict[str, Any]]) -> None:
        first, second, *_ = filter(is_of_firing, entries)
        second["data"] |= {name: first["data"][name] for name in ("schedule", "firing", "key")}

    world.rewrite(change)
    assert any("has a second job" in text for text in judge(world.database, world.history))
