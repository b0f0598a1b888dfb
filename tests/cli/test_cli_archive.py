"""The archive on the command line, over a running server and on what it left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import KINDS
from tests.support import Server, running_server

SUM = '{"left": 1, "right": 2}'
_LOOKS_MAX = 50
"""The server archives beside whoever asks; each look takes longer than that."""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path / "data", [KINDS]) as running:
        yield running


def test_entries_are_archived_listed_and_checked(own: Server, tmp_path: Path) -> None:
    job = own.cli("job", "submit", "add", "--input", SUM).stdout.strip()
    own.cli("job", "watch", job)
    assert own.cli("journal", "segments", "-o", "json").stdout.strip() == "[]"
    whole = tmp_path / "whole.jsonl"
    own.cli("journal", "export", "--output", str(whole))
    preview = own.cli("journal", "archive", "--older-than", "0s", "--dry-run")
    assert preview.stdout.endswith("entries would be archived\n")
    done = json.loads(
        own.cli("journal", "archive", "--older-than", "0s", "--reason", "old", "-o", "json").stdout
    )
    assert done[0]["first"] == 0
    assert json.loads(own.cli("journal", "segments", "-o", "json").stdout) == done
    archive = tmp_path / "data" / "archive"
    assert [file.name for file in archive.iterdir()] == [done[0]["file"]]

    plain = own.cli("journal", "verify")
    assert plain.returncode == 0
    assert f"{done[0]['file']}, sha256 {done[0]['digest']}, not checked here" in plain.stdout
    checked = own.cli("journal", "verify", "--archive", str(archive))
    assert checked.returncode == 0
    assert "not checked here" not in checked.stdout
    assert "entries before these, not read" in own.cli("journal", "replay").stdout
    assert own.cli("journal", "replay", "--archive", str(archive)).returncode == 0

    exported = tmp_path / "exported.jsonl"
    told = own.cli("journal", "export", "--output", str(exported))
    assert "are archived and not in it" in told.stderr
    told = own.cli("journal", "export", "--output", str(exported), "--archive", str(archive))
    assert "archived" not in told.stderr
    assert exported.read_bytes().startswith(whole.read_bytes())
    assert own.cli("journal", "verify", "--file", str(exported)).returncode == 0

    story = own.cli("why", job)
    assert (
        f"is archived, the last of it in {done[0]['file']} (entries 0 to {done[0]['last']})." in story.stdout
    )
    assert ": old." in own.cli("why", "journal").stdout
    assert own.cli("status").returncode == 0
    assert own.cli("doctor").returncode == 0
    assert own.cli("job", "show", job).returncode == 0


def test_files_lie_where_the_setting_says(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere" / "deep"
    with running_server(tmp_path / "data", [KINDS], env={"SHERATAN_ARCHIVE": str(folder)}) as own:
        own.cli("journal", "archive", "--older-than", "0s")
        assert len(list(folder.iterdir())) == 1
        assert own.cli("journal", "verify", "--archive", str(folder)).returncode == 0


def test_a_file_of_another_journal_is_in_the_way(own: Server, tmp_path: Path) -> None:
    first = json.loads(own.cli("journal", "archive", "--before-entry", "3", "--dry-run", "-o", "json").stdout)
    archive = tmp_path / "data" / "archive"
    archive.mkdir()
    name = f"journal-{0:012}-{first['entries'] - 1:012}.jsonl.zst"
    (archive / name).write_bytes(b"another")
    refused = own.cli("journal", "archive", "--before-entry", "3", "-o", "json")
    assert (refused.returncode, json.loads(refused.stderr)["code"]) == (5, "conflict")
    assert own.cli("journal", "verify").returncode == 0


def test_what_is_kept_is_set_shown_and_told(own: Server, tmp_path: Path) -> None:
    assert own.cli("journal", "keep").stdout == "entries are kept for ever\n"
    done = own.cli("journal", "keep", "90d", "--reason", "a disk is small")
    assert done.stdout.startswith("entries are kept 90d (entry ")
    shown = json.loads(own.cli("journal", "keep", "-o", "json").stdout)
    assert shown["keep_seconds"] == 90 * 86_400
    assert own.cli("journal", "segments").stdout.splitlines()[-1] == done.stdout.strip()
    assert ": a disk is small." in own.cli("why", "journal").stdout
    assert own.cli("journal", "keep", "forever").stdout.startswith("entries are kept for ever (entry ")
    assert own.cli("journal", "verify").returncode == 0


def warned_of(own: Server) -> str:
    """What `doctor` says of the archive itself; an alert about it may be open for longer."""
    checks = json.loads(own.cli("doctor", "-o", "json").stdout)
    return "".join(one["detail"] for one in checks if one["check"] == "archive")


def test_what_is_due_is_archived_by_the_server_and_what_keeps_it_from_that_is_told(
    own: Server, tmp_path: Path
) -> None:
    archive = tmp_path / "data" / "archive"
    archive.write_text("no folder")
    own.cli("job", "submit", "add", "--input", SUM, "--delay", "1100ms", "--wait")
    own.cli("journal", "keep", "1s")
    assert any("due could not be archived: " in warned_of(own) for _ in range(_LOOKS_MAX))
    assert str(archive) in own.cli("status").stdout
    assert own.cli("doctor").returncode == 0
    archive.unlink()
    own.cli("journal", "keep", "1s")
    assert any(json.loads(own.cli("journal", "segments", "-o", "json").stdout) for _ in range(_LOOKS_MAX))
    assert any(not warned_of(own) for _ in range(_LOOKS_MAX))
    assert own.cli("journal", "verify", "--archive", str(archive)).returncode == 0


@pytest.mark.parametrize("time", ["soon", "0s", "1.5s", "never"])
def test_a_time_that_is_none_is_refused(own: Server, time: str) -> None:
    assert own.cli("journal", "keep", time).returncode == 2


@pytest.mark.parametrize("options", [(), ("--older-than", "soon"), ("--before-entry", "-1")])
def test_a_misuse_is_refused(own: Server, options: tuple[str, ...]) -> None:
    assert own.cli("journal", "archive", *options).returncode == 2


def test_an_exported_file_has_no_archive(own: Server) -> None:
    assert own.cli("journal", "verify", "--file", "x", "--archive", "y").returncode == 2
