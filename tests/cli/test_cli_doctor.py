"""The doctor finds what is wrong and names the way out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Stopped
from tests.support import Server, change_journal, run_cli


def findings(data: Path) -> tuple[int, dict[str, str]]:
    done = run_cli("doctor", "-o", "json", data=data)
    return done.returncode, {one["check"]: one["result"] for one in json.loads(done.stdout)}


@pytest.fixture
def copy(stopped: Stopped, tmp_path: Path) -> Path:
    data = tmp_path / "copy"
    shutil.copytree(stopped.data, data)
    data.chmod(0o700)
    return data


def test_all_is_well_beside_a_running_server(server: Server) -> None:
    done = server.cli("doctor")
    assert done.returncode == 0, done.stdout
    assert "the server answers and is ready" in done.stdout
    assert f"process {server.process.pid} (sheratan up) owns it" in done.stdout


def test_all_is_well_on_a_stopped_directory(stopped: Stopped) -> None:
    code, found = findings(stopped.data)
    assert code == 0
    assert set(found.values()) == {"ok"}
    assert set(found) == {
        "settings", "library", "directory", "disk", "owner", "database", "code", "ledger", "state", "journal",
        "clock", "socket",
    }  # fmt: skip


def test_a_directory_that_does_not_exist_yet_is_only_worth_a_warning(tmp_path: Path) -> None:
    code, found = findings(tmp_path / "none")
    assert (code, found["directory"], found["database"]) == (0, "warn", "warn")


def test_a_directory_that_is_none_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    code, found = findings(tmp_path / "file")
    assert (code, found["directory"]) == (1, "fail")


def test_a_directory_that_others_may_read_is_a_warning_with_the_way_out(copy: Path) -> None:
    copy.chmod(0o755)
    done = run_cli("doctor", data=copy)
    assert done.returncode == 0
    assert f"-> chmod 700 {copy}" in done.stdout


def test_a_database_that_is_none_fails(copy: Path) -> None:
    (copy / "sheratan.db").write_bytes(b"no database" * 1_000)
    code, found = findings(copy)
    assert (code, found["database"]) == (1, "fail")


def test_an_entry_that_was_changed_fails(copy: Path) -> None:
    change_journal(copy, "a rest", "b rest")
    code, found = findings(copy)
    assert (code, found["journal"]) == (1, "fail")


def test_settings_that_are_not_valid_are_a_finding_too() -> None:
    done = run_cli("doctor", "-o", "json", env={"SHERATAN_NO_SUCH": "1"})
    assert done.returncode == 1
    assert [one["result"] for one in json.loads(done.stdout)] == ["fail"]
