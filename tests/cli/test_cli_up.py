"""The server as a process: its start, its stop, and a second one."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from tests.support import run_cli, running_server

KINDS = "tests.cli.sample_kinds"


def test_it_prints_what_is_in_force_and_where_it_listens(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_server(data, [KINDS], "--limit", "list_jobs_max=3") as server:
        said = "\n".join(server.said)
        assert f"setting: data={data} (flag)" in said
        assert "setting: limits.list_jobs_max=3 (flag)" in said
        assert "worker.slots=256" in said
        assert f"listening on {data}/sheratan.sock" in said
        assert server.said[-1] == "ready"
        refused = server.cli("job", "list", "--limit", "4")
        assert (refused.returncode, "limits.list_jobs_max" in refused.stderr) == (2, True)


def test_a_second_server_on_the_directory_is_refused_with_the_holder(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        done = run_cli("up", "--data", str(tmp_path / "data"), "-o", "json")
        assert done.returncode == 5
        told = json.loads(done.stderr)
        assert told["code"] == "data_directory_in_use"
        assert f"process {server.process.pid} (sheratan up)" in told["detail"]
        assert server.cli("status").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_running_jobs_end_first(tmp_path: Path, number: signal.Signals) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with running_server(tmp_path / "data", [KINDS], drain_seconds=30) as server:
        job = server.submit("until_told", json.dumps(str(fifo)))
        # Opening it for writing waits for the handler's end.
        with fifo.open("w") as pipe:
            server.process.send_signal(number)
            server.wait_said(lambda line: line.startswith(f"{number.name}: draining"))
            refused = server.cli("job", "submit", "add", "--input", '{"left": 1}')
            pipe.write("told")
        assert server.wait() == 0
        assert server.said[-1] == "stopped"
        assert (refused.returncode, "(state_refuses)" in refused.stderr) == (1, True)
    shown = json.loads(run_cli("job", "show", job, "-o", "json", data=tmp_path / "data").stdout)
    assert (shown["state"], shown["output"]) == ("succeeded", "told")


def test_a_second_signal_stops_at_once_and_loses_nothing(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", [KINDS], drain_seconds=3600) as server:
        job = server.submit("until_cancelled")
        server.cli("job", "watch", server.submit("add", '{"left": 1}'))
        server.process.send_signal(signal.SIGTERM)
        server.wait_said(lambda line: "draining" in line)
        assert server.stop(signal.SIGINT) == 130
    shown = json.loads(run_cli("job", "show", job, "-o", "json", data=tmp_path / "data").stdout)
    assert shown["state"] == "running"
    with running_server(tmp_path / "data", [KINDS]) as server:
        assert "EngineRestarted" in server.cli("why", job).stdout


def test_a_blocking_handler_that_never_ends_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", [KINDS], drain_seconds=0) as server:
        job = server.submit("stuck")
        server.cli("job", "watch", server.submit("add", '{"left": 1}'))
        assert server.stop() == 0
        assert "a blocking handler was still running; its attempt was handed back" in server.said
    shown = json.loads(run_cli("job", "show", job, "-o", "json", data=tmp_path / "data").stdout)
    assert shown["state"] == "queued"


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("raise RuntimeError('no key')", "kinds of module broken failed to load: RuntimeError: no key"),
        ("import sys\nsys.exit(3)", "kinds of module broken failed to load: SystemExit: 3"),
        ("def (", "kinds of module broken failed to load: SyntaxError"),
        ("", "module broken defines no kinds"),
    ],
)
def test_a_module_that_does_not_load_leaves_the_server_up_but_not_ready(
    tmp_path: Path, source: str, complaint: str
) -> None:
    (tmp_path / "broken.py").write_text(source, "utf-8")
    (tmp_path / "sound.py").write_text(
        "from sheratan import job\n@job\nasync def ping() -> int:\n    return 7\n", "utf-8"
    )
    with running_server(tmp_path / "data", ["broken", "sound"], cwd=tmp_path) as server:
        assert "ready" not in server.said
        assert any(complaint in line for line in server.said)
        done = server.cli("status", "-o", "json")
        assert done.returncode == 1
        status = json.loads(done.stdout)
        assert status["ready"] is False
        assert complaint in status["problems"][0]
        assert server.cli("job", "submit", "ping", "--wait").returncode == 0


def test_a_server_that_hangs_does_not_hang_who_asks_for_its_status(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        server.process.send_signal(signal.SIGSTOP)
        try:
            done = server.cli("status")
        finally:
            server.process.send_signal(signal.SIGCONT)
    assert done.returncode == 124
    assert "(timed_out)" in done.stderr


def test_a_service_manager_is_told_that_it_is_ready(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0sheratan-test-{os.getpid()}-{tmp_path.name}")
        manager.settimeout(30)
        address = "@" + manager.getsockname()[1:].decode()
        with running_server(tmp_path / "data", env={"NOTIFY_SOCKET": address}) as server:
            assert manager.recv(100) == b"READY=1"
            assert server.stop() == 0
            assert manager.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize(
    ("limit", "field"),
    [
        ("list_jobs_max", "--limit"),
        ("no_such=1", "limits.no_such"),
        ("list_jobs_max=many", "limits.list_jobs_max"),
    ],
)
def test_a_limit_that_is_not_valid_is_refused_by_name(tmp_path: Path, limit: str, field: str) -> None:
    done = run_cli("up", "--data", str(tmp_path / "data"), "--limit", limit, "-o", "json")
    assert done.returncode == 2
    assert json.loads(done.stderr)["field"] == field
    assert not (tmp_path / "data").exists()


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("", "utf-8")
    done = run_cli("up", "--data", str(tmp_path / "data"))
    assert done.returncode == 2
    assert done.stderr.startswith("error: data: ")
