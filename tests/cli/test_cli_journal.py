"""The journal from the outside: verified, replayed, exported."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Stopped
from tests.support import Server, change_journal, run_cli


@pytest.fixture
def exported(stopped: Stopped, tmp_path: Path) -> Path:
    target = tmp_path / "journal.jsonl"
    done = run_cli("journal", "export", "--output", str(target), data=stopped.data)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["journal.jsonl"]
    return target


def test_a_stopped_journal_verifies_with_its_tables(stopped: Stopped) -> None:
    done = run_cli("journal", "verify", "-o", "json", data=stopped.data)
    found = json.loads(done.stdout)
    assert done.returncode == 0, found["problems"]
    assert (found["ok"], found["tables_compared"], found["jobs"], found["open_jobs"]) == (True, True, 3, 1)


def test_a_journal_verifies_and_replays_beside_a_running_server(server: Server) -> None:
    server.cli("job", "submit", "fail", "--wait")
    verified, replayed = server.cli("journal", "verify"), server.cli("journal", "replay")
    assert verified.returncode == 0, verified.stdout
    assert replayed.returncode == 0, replayed.stdout
    assert "retry.backoff@1" in replayed.stdout


def test_a_forged_entry_is_found_and_located(stopped: Stopped, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(stopped.data, data)
    change_journal(data, "a rest", "b rest")
    done = run_cli("journal", "verify", data=data)
    assert done.returncode == 1
    assert "it was changed after it was written" in done.stdout
    assert json.loads(run_cli("journal", "verify", "-o", "json", data=data).stdout)["ok"] is False


def test_the_export_is_what_was_hashed_and_verifies_alone(stopped: Stopped, exported: Path) -> None:
    to_stdout = run_cli("journal", "export", data=stopped.data)
    assert to_stdout.stdout.encode() == exported.read_bytes()
    head = json.loads(run_cli("status", "-o", "json", data=stopped.data).stdout)["head"]
    for extra in ((), ("--head", head)):
        assert run_cli("journal", "verify", "--file", str(exported), *extra).returncode == 0
    assert run_cli("journal", "verify", "--file", "-", stdin=exported.read_bytes()).returncode == 0
    assert run_cli("journal", "replay", "--file", str(exported)).returncode == 0


def test_an_export_that_was_cut_is_found_by_the_head_alone(exported: Path) -> None:
    lines = exported.read_bytes().splitlines(keepends=True)
    whole = json.loads(run_cli("journal", "verify", "--file", str(exported), "-o", "json").stdout)["head"]
    cut = b"".join(lines[:-1])
    assert run_cli("journal", "verify", "--file", "-", stdin=cut).returncode == 0
    assert run_cli("journal", "verify", "--file", "-", "--head", whole, stdin=cut).returncode == 1


def test_another_rule_tells_what_would_have_been_decided(stopped: Stopped) -> None:
    swap = ("journal", "replay", "--rule", "job.settle@1=job.settle@1")
    assert run_cli(*swap, data=stopped.data).returncode == 0
    other = run_cli(
        "journal", "replay", "--rule", "job.settle=retry.backoff@1", "-o", "json", data=stopped.data
    )
    found = json.loads(other.stdout)
    assert other.returncode == 0
    assert found["different"] == found["counts"]["job.settle@1"]["decisions"] > 0


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (
            ("replay", "--rule", "retry.backoff@1=retry.backoff@99"),
            3,
            "error: rule: no rule 'retry.backoff@99'",
        ),
        (("replay", "--rule", "retry.backoff@1"), 2, "error: --rule: 'retry.backoff@1' is not OLD=NEW"),
        (("verify", "--file", "no-such-file"), 2, "error: --file: no-such-file cannot be read"),
        (("verify", "--head", "0"), 2, "error: --head goes with --file"),
        (
            ("export", "--output", "no/such/folder/file"),
            2,
            "error: --output: no/such/folder/file cannot be written",
        ),
    ],
)
def test_what_is_not_valid_is_refused(
    stopped: Stopped, arguments: tuple[str, ...], exit_code: int, said: str
) -> None:
    done = run_cli("journal", *arguments, data=stopped.data)
    assert done.returncode == exit_code
    assert done.stderr.startswith(said)


@pytest.mark.parametrize("command", ["verify", "replay", "export"])
def test_a_directory_without_a_journal_is_not_found(tmp_path: Path, command: str) -> None:
    assert run_cli("journal", command, data=tmp_path / "none").returncode == 3


def test_a_file_that_is_no_journal_is_a_finding_not_a_crash() -> None:
    for command in ("verify", "replay"):
        done = run_cli("journal", command, "--file", "-", stdin=b"no entry\n{}\n")
        assert (done.returncode, done.stderr) == (1, "")
