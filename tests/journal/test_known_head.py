"""A head that somebody noted earlier finds out a journal that was cut, put back or replaced since."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from sheratan.contracts.errors import InvalidInput
from sheratan.engine.verify import Verification, verify, verify_lines, verify_opened
from sheratan.kernel.chain import Head, format_head, parse_head
from tests.journal.tamper import Entry, at, invariants, lines_of, reader_of, rehash
from tests.journal.world import World, new
from tests.support import run_cli


def head_of(path: Path, seq: int | None = None) -> Head:
    """The head that a journal had when it held so many entries."""
    lines = lines_of(path)[:seq]
    return Head(len(lines), hashlib.sha256(lines[-1]).hexdigest())


def checked(path: Path, known: Head) -> Verification:
    return verify_opened(lambda: reader_of(path), known=known)


@pytest.mark.parametrize("seq", [None, 1, 2, 30, 57])
def test_a_noted_head_is_met_at_the_end_and_after_the_journal_has_grown(data: Path, seq: int | None) -> None:
    assert checked(data, head_of(data, seq)).problems == []
    lines = lines_of(data)
    assert verify_lines(lines, known=head_of(data, seq)).problems == []


def test_the_head_of_an_empty_journal_fits_every_journal(data: Path) -> None:
    assert checked(data, Head()).problems == []


def test_an_older_copy_is_whole_in_itself_and_found_out_by_a_later_head(tmp_path: Path) -> None:
    path = tmp_path / "sheratan.db"
    world = World(path)
    world.submit(new())
    world.stop()
    world.close()
    older = path.read_bytes()
    world = World(path)
    world.submit(new())
    world.stop()
    world.close()
    known = head_of(path)
    assert checked(path, known).problems == []
    path.write_bytes(older)
    for name in ("sheratan.db-wal", "sheratan.db-shm"):
        path.with_name(name).unlink(missing_ok=True)
    end = head_of(path).seq
    assert verify_opened(lambda: reader_of(path)).problems == []
    found = checked(path, known)
    assert at(found, "J1") == [end]
    assert not found.ok
    # It goes on from there as if nothing had been: then it is long enough, and another.
    world = World(path)
    for _ in range(9):
        world.submit(new(kind="report"))
    world.stop()
    world.close()
    assert head_of(path).seq > known.seq
    assert verify_opened(lambda: reader_of(path)).problems == []
    assert at(checked(path, known), "J2") == [known.seq - 1]


def test_a_rewritten_journal_that_is_whole_again_is_found_out(data: Path) -> None:
    known = head_of(data, 40)

    def slip(entry: Entry) -> None:
        if entry["seq"] == 20:
            entry["actor"] = "local:nobody"

    rehash(data, slip)
    assert verify_opened(lambda: reader_of(data)).problems == []
    assert at(checked(data, known), "J2") == [39]


def test_a_noted_entry_that_cannot_be_read_or_is_missing_is_said(data: Path) -> None:
    known = head_of(data, 31)
    lines = lines_of(data)
    assert 30 in at(verify_lines([*lines[:30], b"rubbish", *lines[31:]], known=known), "J2")
    assert 30 in at(verify_lines([*lines[:30], *lines[31:]], known=known), "J2")
    assert invariants(verify_lines(lines[:30], known=known)) == {"J1"}


def test_every_wrong_digit_of_a_noted_hash_is_noticed(data: Path) -> None:
    known = head_of(data, 33)
    for place in range(64):
        wrong = f"{(int(known.hash[place], 16) + 1) % 16:x}"
        other = Head(known.seq, known.hash[:place] + wrong + known.hash[place + 1 :])
        assert at(checked(data, other), "J2") == [32]


def test_a_noted_head_beside_a_server_is_read_while_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "sheratan.db"
    world = World(path)
    world.submit(new())
    known = world.store.shard().head
    for _ in range(3):
        assert verify(world.store, known=known).problems == []
        world.submit(new())
    world.close()


@pytest.mark.parametrize(
    "text", ["", "5", "5:", ":00", "-1:" + "0" * 64, "5:" + "0" * 63, "5:" + "g" * 64, "٣:" + "0" * 64]
)
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no head"):
        parse_head(text)


def test_a_head_is_read_as_it_is_written() -> None:
    assert parse_head(format_head(12, "ab" * 32)) == Head(12, "ab" * 32)


def test_the_head_that_is_printed_is_the_head_that_is_accepted(data: Path, tmp_path: Path) -> None:
    folder = data.parent
    shown = run_cli("journal", "verify", data=folder)
    printed = next(line for line in shown.stdout.splitlines() if line.startswith("head")).split()[1]
    assert run_cli("journal", "verify", "--head", printed, data=folder).returncode == 0
    copy = tmp_path / "copy.jsonl"
    exported = run_cli("journal", "export", "--output", str(copy), data=folder)
    assert printed in exported.stderr
    assert run_cli("journal", "verify", "--file", str(copy), "--head", printed).returncode == 0
    seq, _, last = printed.partition(":")
    for other in (f"{int(seq) + 1}:{last}", f"{int(seq) - 1}:{last}"):
        done = run_cli("journal", "verify", "-o", "json", "--head", other, data=folder)
        assert (done.returncode, json.loads(done.stdout)["problems_count"]) == (1, 1)
    refused = run_cli("journal", "verify", "--head", "5:abc", data=folder)
    assert (refused.returncode, refused.stderr.startswith("error: head: '5:abc' is no head")) == (2, True)


def test_a_copy_that_was_put_back_is_noticed_from_the_command_line(data: Path, tmp_path: Path) -> None:
    older = tmp_path / "older"
    older.mkdir()
    shutil.copy(data, older / "sheratan.db")
    world = World(data, seed=9)
    world.submit(new())
    world.stop()
    world.close()
    known = head_of(data)
    printed = format_head(known.seq, known.hash)
    assert run_cli("journal", "verify", "--head", printed, data=data.parent).returncode == 0
    assert run_cli("journal", "verify", data=older).returncode == 0
    done = run_cli("journal", "verify", "--head", printed, data=older)
    assert done.returncode == 1
    assert f"it had {known.seq} entries when its head was noted" in done.stdout
