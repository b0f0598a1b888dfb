"""The system's state on the command line."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sheratan.store.port_system import Latch
from sheratan.store.sqlite.latch import write_latch
from tests.cli.conftest import KINDS
from tests.support import Server, run_cli, running_server

SUM = '{"left": 1, "right": 2}'


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path / "data", [KINDS]) as running:
        yield running


def test_the_state_is_shown_changed_and_listed(own: Server) -> None:
    shown = json.loads(own.cli("state", "show", "-o", "json").stdout)
    assert (shown["state"], shown["since_us"]) == ("operational", None)
    assert own.cli("state", "pause", "--reason", "maintenance").stdout == "the system is paused\n"
    assert own.cli("state", "pause", "--reason", "again").stdout == "the system is paused, as it was\n"
    told = own.cli("state", "show").stdout
    assert "maintenance" in told
    assert "dispatch defer" in told
    job = own.submit("add", SUM)
    assert "maintenance" in own.cli("job", "show", job).stdout
    assert "it waits for the system" in own.cli("why", job).stdout
    assert "maintenance" in own.cli("status").stdout
    assert own.cli("state", "resume", "--reason", "done", "--from", "paused").returncode == 0
    assert own.cli("job", "watch", job).returncode == 0
    listed = json.loads(own.cli("state", "history", "-o", "json").stdout)
    assert [(one["source"], one["to"], one["reason"]) for one in listed] == [
        ("paused", "operational", "done"),
        ("operational", "paused", "maintenance"),
    ]
    assert "from operational to paused: maintenance." in own.cli("why", "system").stdout


def test_a_halt_outlasts_a_kill_and_ends_by_a_person(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_server(data, [KINDS]) as running:
        assert running.cli("state", "halt", "--reason", "look at this").returncode == 0
        running.stop(signal.SIGKILL)
    assert "look at this" in run_cli("state", "show", data=data).stdout
    doctor = run_cli("doctor", data=data)
    assert doctor.returncode == 1
    assert "look at this" in doctor.stdout
    with running_server(data, [KINDS]) as running:
        refused = running.cli("job", "submit", "add", "--input", SUM)
        assert refused.returncode == 1
        assert "state_refuses" in refused.stderr
        assert "sheratan state recover" in refused.stderr
        status = running.cli("status")
        assert status.returncode == 1
        early = running.cli("state", "resume", "--reason", "it is well")
        assert early.returncode == 5
        assert running.cli("state", "recover", "--reason", "looked at").returncode == 0
        assert running.cli("state", "resume", "--reason", "it is well").returncode == 0
        assert running.cli("job", "submit", "add", "--input", SUM, "--wait").returncode == 0
        assert running.stop() == 0


def test_a_halt_that_is_kept_beside_the_database_is_told_before_the_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_server(data, [KINDS]) as running:
        assert running.stop() == 0
    write_latch(str(data / "sheratan.db"), Latch("rows are missing", 1))
    shown = run_cli("state", "show", data=data).stdout
    assert "rows are missing" in shown
    assert "not in the journal yet" in shown
    with running_server(data, [KINDS]) as running:
        assert "rows are missing" in running.cli("why", "system").stdout


@pytest.mark.parametrize("options", [(), ("--reason", ""), ("--reason", "x", "--from", "asleep")])
def test_a_misuse_is_refused(own: Server, options: tuple[str, ...]) -> None:
    refused = own.cli("state", "pause", *options)
    assert refused.returncode == 2
    assert json.loads(own.cli("state", "history", "-o", "json").stdout) == []
