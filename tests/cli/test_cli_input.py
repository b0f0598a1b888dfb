"""What is not valid is refused by name, with an exit code that says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sheratan.cli.text import clean, instant
from sheratan.cli.values import DURATION
from tests.support import Server, clean_environment, run_cli
from tools.source_tree import ROOT

JOB = "job_0000000000007000800000000000000a"


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        (("--input", "{"), "invalid_input", "input"),
        (("--input", '{"left": 1, "left": 2}'), "invalid_input", "input"),
        (("--input", "NaN"), "invalid_input", "input"),
        (("--input", '{"left": 9007199254740993}'), "invalid_input", "input/left"),
        (("--input", '"\\ud800"'), "invalid_input", "input"),
        (("--input", "[" * 100_000), "invalid_input", "input"),
        (("--input", '{"left": "x"}'), "invalid_input", "input/left"),
        (("--input", "{}"), "invalid_input", "input/left"),
        (("--input", "@no-such-file"), "invalid_input", "input"),
        (("--priority", "10"), "invalid_input", "priority"),
        (("--priority", "high"), "usage", "--priority"),
        (("--attempts", "0"), "invalid_input", "attempts_max"),
        (("--timeout", "0"), "invalid_input", "run_timeout_seconds"),
        (("--timeout", "8d"), "too_large", "run_timeout_seconds"),
        (("--deadline", "0"), "invalid_input", "deadline_seconds"),
        (("--deadline", "401d"), "too_large", "deadline_seconds"),
        (("--delay", "5 s"), "usage", "--delay"),
        (("--delay", "-1"), "usage", "--delay"),
        (("--queue", "a queue"), "invalid_input", "queue"),
        (("--key", "k" * 257), "too_large", "key"),
        (("--after", "job_1"), "invalid_input", "after"),
        (("--after-failure", "ignore"), "usage", "--after-failure"),
        (("--wait-timeout", "0"), "invalid_input", "timeout_seconds"),
    ],
)
def test_a_submission_that_is_not_valid_names_its_field(
    server: Server, arguments: tuple[str, ...], code: str, field: str
) -> None:
    options = arguments if "--input" in arguments else ("--input", '{"left": 1}', *arguments)
    done = server.cli("job", "submit", "add", "-o", "json", *options)
    told = json.loads(done.stderr.splitlines()[-1])
    assert (done.returncode, told["code"], told["field"]) == (2, code, field)
    assert done.stdout == ""


def test_an_input_that_is_nested_too_deeply_is_refused(server: Server) -> None:
    done = server.cli("job", "submit", "add", "--input", "[" * 200 + "]" * 200, "-o", "json")
    told = json.loads(done.stderr)
    assert (done.returncode, told["field"][:9]) == (2, "input/0/0")
    assert "nested deeper" in told["detail"]


def test_an_input_that_is_not_utf_8_is_refused(server: Server) -> None:
    done = server.cli("job", "submit", "add", "--input", "-", stdin=b'"\xff"')
    assert (done.returncode, done.stderr) == (2, "error: input: not valid UTF-8: byte 1 (invalid_input)\n")


def test_an_unknown_kind_names_those_that_are_loaded(server: Server) -> None:
    done = server.cli("job", "submit", "nothing")
    assert done.returncode == 2
    assert "error: kind: no kind 'nothing' is loaded; loaded: add, " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (("job", "show", "job_1"), 3),
        (("why", "job_1"), 3),
        (("job", "show", JOB), 3),
        (("job", "cancel", JOB), 3),
        (("job", "retry", JOB), 3),
        (("job", "watch", JOB), 3),
        (("why", JOB), 3),
        (("why", "queue:none"), 3),
        (("why", "nothing"), 3),
        (("job", "list", "--limit", "0"), 2),
        (("job", "list", "--limit", "501"), 2),
        (("job", "list", "--cursor", "here"), 2),
        (("job", "list", "--state", "done"), 2),
        (("queue", "pause", "a queue"), 2),
        (("queue", "limit", "q"), 2),
        (("queue", "limit", "q", "--none", "--weight", "2"), 2),
        (("queue", "limit", "q", "--burst", "2"), 2),
        (("queue", "limit", "q", "--partition-burst", "2"), 2),
        (("queue", "limit", "q", "--partition-concurrency", "0"), 2),
        (("job", "submit", "add", "--partition", "two words"), 2),
        (("queue", "limit", "q", "--rate", "5"), 2),
        (("queue", "limit", "q", "--rate", "5/2d"), 2),
        (("queue", "limit", "q", "--concurrency", "0"), 2),
        (("kind", "limit", "k", "--weight", "1001"), 2),
        (("why", "kind:none"), 3),
        (("job", "show"), 2),
        (("job",), 2),
        ((), 2),
        (("no-such-command",), 2),
        (("status", "--no-such-option"), 2),
        (("status", "-o", "yaml"), 2),
    ],
)
def test_exit_codes(server: Server, arguments: tuple[str, ...], exit_code: int) -> None:
    done = server.cli(*arguments)
    assert done.returncode == exit_code, done.stderr
    assert done.stdout == ""
    assert done.stderr


def test_an_unknown_setting_is_refused_by_name_wherever_it_stands(tmp_path: Path) -> None:
    variable = run_cli("config", "show", env={"SHERATAN_WORKERS": "3"})
    assert variable.returncode == 2
    assert variable.stderr.startswith("error: workers: environment SHERATAN_WORKERS sets it")
    (tmp_path / "sheratan.toml").write_text("[limits]\nno_such = 1\n", "utf-8")
    file = run_cli("config", "show", cwd=tmp_path)
    assert file.returncode == 2
    assert file.stderr.startswith(f"error: limits.no_such: file {tmp_path / 'sheratan.toml'} sets it")


def test_a_setting_of_the_wrong_type_is_refused_with_its_origin(tmp_path: Path) -> None:
    done = run_cli("status", data=tmp_path, env={"SHERATAN_WORKER__SLOTS": "many"})
    assert done.returncode == 2
    assert done.stderr.startswith("error: worker.slots: ")
    assert "(set by environment SHERATAN_WORKER__SLOTS)" in done.stderr


def test_help_lists_every_command_and_the_exit_codes() -> None:
    done = run_cli("--help")
    assert done.returncode == 0
    commands = (
        "up",
        "demo",
        "status",
        "job",
        "queue",
        "why",
        "journal",
        "doctor",
        "config",
        "schema",
        "version",
    )
    assert all(f"\n  {command} " in done.stdout for command in commands)
    assert "124  it took longer than the time given" in done.stdout


def test_version_says_the_same_in_every_format() -> None:
    text = run_cli("version")
    document = run_cli("version", "-o", "json")
    assert text.stdout == f"sheratan {json.loads(document.stdout)['version']}\n"


def test_a_command_that_needs_no_engine_does_not_load_one() -> None:
    done = run_cli("version", env={"PYTHONPROFILEIMPORTTIME": "1"})
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "sheratan.cli.version" in loaded
    assert not loaded & {"asyncio", "pydantic", "rich", "apsw", "sheratan.engine.engine", "sheratan.sdk.kind"}


def test_a_full_disk_under_stdout_is_told() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "sheratan", "version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(),
            cwd=ROOT,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "error: No space left on device (error)\n")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1.5s", 1.5),
        ("2m", 120),
        ("1h", 3600),
        ("3d", 259_200),
        ("20ms", 0.02),
        (".5", 0.5),
        ("0", 0),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert DURATION.convert(text, None, None) == seconds


def test_text_loses_its_control_characters_but_keeps_lines() -> None:
    assert clean("a\x1b[2J\r\x00\x9bb\n\tc\ud800") == "a\\x1b[2J\\x0d\\x00\\x9bb\n\tc\\ud800"


def test_instants_are_utc_to_the_millisecond() -> None:
    assert instant(1_795_215_602_108_419) == "2026-11-20T23:00:02.108Z"
    assert instant(0) == "1970-01-01T00:00:00.000Z"
    assert instant(None) == "-"
