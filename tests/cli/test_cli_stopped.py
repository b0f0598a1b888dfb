"""What can be read, and what cannot be done, without a server."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Stopped
from tests.support import clean_environment, run_cli
from tools.source_tree import ROOT

NONE = {"concurrency": None, "rate": None, "weight": 1, "ageing_seconds": None, "per_partition": None}


def test_jobs_are_listed_and_shown(stopped: Stopped) -> None:
    listed = run_cli("job", "list", "-o", "jsonl", data=stopped.data)
    found = {item["id"]: item["state"] for item in map(json.loads, listed.stdout.splitlines())}
    assert found == {stopped.succeeded: "succeeded", stopped.failed: "failed", stopped.queued: "queued"}
    shown = json.loads(run_cli("job", "show", stopped.succeeded, "-o", "json", data=stopped.data).stdout)
    assert (shown["input"], shown["output"]) == ({"left": 1, "right": 2}, 3)


def test_queues_are_listed_with_what_waits_in_them(stopped: Stopped) -> None:
    listed = json.loads(run_cli("queue", "list", "-o", "json", data=stopped.data).stdout)
    assert listed == [
        {
            "name": "default",
            "paused": False,
            "queued": 0,
            "running": 0,
            "paused_reason": None,
            "limits": NONE,
        },
        {
            "name": "slow",
            "paused": True,
            "queued": 1,
            "running": 0,
            "paused_reason": "a rest",
            "limits": NONE,
        },
    ]


def test_why_tells_stories_of_everything(stopped: Stopped) -> None:
    story = run_cli("why", stopped.succeeded, data=stopped.data).stdout
    worker = re.search(r"worker:\S+/\d+", story)
    assert worker is not None
    for subject in ("engine", "queue:slow", worker[0]):
        done = run_cli("why", subject, data=stopped.data)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{subject} is ")


def test_why_tells_a_failed_job_with_the_text_of_its_error(stopped: Stopped) -> None:
    assert "The error says: the disk" in run_cli("why", stopped.failed, data=stopped.data).stdout


def test_watch_tells_a_job_that_has_ended(stopped: Stopped) -> None:
    done = run_cli("job", "watch", stopped.succeeded, "-o", "json", data=stopped.data)
    assert done.returncode == 0
    assert json.loads(done.stdout)[-1]["type"] == "job.succeeded"


def test_watch_of_an_open_job_says_that_nothing_will_happen(stopped: Stopped) -> None:
    done = run_cli("job", "watch", stopped.queued, data=stopped.data)
    assert done.returncode == 1
    assert "no server runs" in done.stderr


def test_status_is_red_and_names_how_to_start_a_server(stopped: Stopped) -> None:
    done = run_cli("status", "-o", "json", data=stopped.data)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["ready"], found["state"], found["pid"]) == (False, "stopped", None)
    assert f"sheratan up --data {stopped.data}" in found["problems"][0]


@pytest.mark.parametrize(
    "command",
    [
        ("job", "submit", "add"),
        ("job", "cancel", "ID"),
        ("job", "retry", "ID"),
        ("job", "watch"),
        ("queue", "pause", "slow"),
        ("queue", "resume", "slow"),
    ],
)
def test_a_command_that_writes_names_how_to_start_a_server(
    stopped: Stopped, command: tuple[str, ...]
) -> None:
    given = [stopped.failed if part == "ID" else part for part in command]
    done = run_cli(*given, data=stopped.data)
    assert done.returncode == 1
    assert f"start one with `sheratan up --data {stopped.data}` (unavailable)" in done.stderr


@pytest.mark.parametrize("command", [("job", "list"), ("queue", "list"), ("status",), ("why", "engine")])
def test_a_directory_without_a_database_is_not_found(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = run_cli(*command, data=tmp_path / "none")
    assert done.returncode == 3
    assert done.stderr.startswith("error: data: ")
    assert not (tmp_path / "none").exists()


def test_a_reader_that_goes_away_is_no_error_worth_a_word(stopped: Stopped) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "sheratan", "job", "list"],
        stdout=write,
        stderr=subprocess.PIPE,
        env=clean_environment(SHERATAN_DATA=str(stopped.data)),
        cwd=ROOT,
        check=False,
    )
    os.close(write)
    assert done.stderr == b""


def test_a_terminal_gets_a_table_without_colour_if_it_asks_so(stopped: Stopped) -> None:
    coloured = on_terminal(stopped, TERM="xterm")
    assert b"\x1b[" in coloured
    assert stopped.failed.encode() in coloured
    plain = on_terminal(stopped, TERM="xterm", NO_COLOR="1")
    assert b"\x1b[3" not in plain


def on_terminal(stopped: Stopped, **env: str) -> bytes:
    """What `job list` writes to a terminal of 200 columns."""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "sheratan", "job", "list"],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        env=clean_environment(SHERATAN_DATA=str(stopped.data), COLUMNS="200", **env),
        cwd=ROOT,
        check=True,
    )
    os.close(theirs)
    del done
    found = b""
    while True:
        try:
            part = os.read(ours, 65_536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not part:
            break
        found += part
    os.close(ours)
    return found
