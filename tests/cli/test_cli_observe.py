"""Logs and metrics of a server as a process."""

from __future__ import annotations

import json
import re
import socket
import urllib.request
from pathlib import Path

from tests.support import run_cli, running_server

KINDS = "tests.cli.sample_kinds"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def test_every_line_is_json_where_that_is_wanted(tmp_path: Path) -> None:
    env = {"SHERATAN_LOG__FORMAT": "json", "SHERATAN_LOG__LEVEL": "info"}
    with running_server(tmp_path / "data", [KINDS], env=env) as server:
        failed = server.submit("fail")
        server.wait_said(lambda line: '"event":"job.failed"' in line)
        assert server.stop() == 0
        lines = [json.loads(line) for line in server.said]
    assert all(line["timestamp"] and line["level"] and line["event"] for line in lines)
    [told] = [line for line in lines if line["event"] == "job.failed"]
    assert (told["job"], told["kind"], told["queue"], told["level"]) == (failed, "fail", "default", "warning")
    assert "disk" not in told["text"], "what a handler says stays with the job"
    assert {"engine.started", "engine.stopped", "server.said"} <= {line["event"] for line in lines}


def test_a_file_takes_the_log_and_stderr_stays_for_people(tmp_path: Path) -> None:
    env = {
        "SHERATAN_LOG__FORMAT": "json",
        "SHERATAN_LOG__FILE": str(tmp_path / "log"),
        "SHERATAN_LOG__LEVEL": "info",
    }
    with running_server(tmp_path / "data", [KINDS], env=env) as server:
        assert server.said[-1] == "ready"
        assert server.stop() == 0
    told = [json.loads(line)["event"] for line in (tmp_path / "log").read_text("utf-8").splitlines()]
    assert told[-1] == "engine.stopped"


def test_metrics_are_served_where_the_setting_says_and_printed_by_the_command(tmp_path: Path) -> None:
    port = free_port()
    listen = f"127.0.0.1:{port}"
    with running_server(tmp_path / "data", [KINDS], env={"SHERATAN_METRICS__LISTEN": listen}) as server:
        assert server.cli("job", "submit", "add", "--input", '{"left": 1}', "--wait").returncode == 0
        with urllib.request.urlopen(f"http://{listen}/metrics", timeout=20) as answer:
            scraped = answer.read().decode()
        printed = server.cli("metrics")
        wanted = 'sheratan_jobs_ended_total{kind="add",queue="default",state="succeeded"} 1.0'
        assert wanted in scraped.splitlines()
        assert wanted in printed.stdout.splitlines()
        assert wanted in json.loads(server.cli("metrics", "-o", "json").stdout)["metrics"]
        taken = run_cli(
            "up", "--data", str(tmp_path / "second"), "-o", "json", env={"SHERATAN_METRICS__LISTEN": listen}
        )
        assert taken.returncode == 5
        told = json.loads(taken.stderr.splitlines()[-1])
        assert (told["code"], told["field"]) == ("address_in_use", "metrics.listen")
    assert run_cli("metrics", data=tmp_path / "data").returncode == 1, "a stopped one has none"


def test_a_handler_that_blocks_the_loop_is_named_with_its_job(tmp_path: Path) -> None:
    env = {"SHERATAN_LOG__FORMAT": "json"}
    with running_server(tmp_path / "data", [KINDS], env=env) as server:
        blocks = server.submit("block")
        line = server.wait_said(lambda line: '"event":"loop.blocked"' in line and '"block"' in line)
        counted = server.cli("metrics")
    told = json.loads(line)
    assert (told["job"], told["kind"], told["function"]) == (blocks, "block", "block")
    assert told["level"] == "warning"
    assert told["file"].endswith("tests/cli/sample_kinds.py")
    assert told["blocked_us"] >= 100_000
    assert "sheratan_loop_blocked_total 0.0" not in counted.stdout


def test_a_server_that_is_short_of_memory_takes_nothing_in_and_says_so(tmp_path: Path) -> None:
    with running_server(
        tmp_path / "data", [KINDS], env={"SHERATAN_PRESSURE__MEMORY_BYTES_MAX": "1"}
    ) as server:
        server.wait_said(lambda line: "pressure.changed" in line)
        refused = server.cli("job", "submit", "add", "--input", '{"left": 1}')
        status = server.cli("status")
    assert refused.returncode == 1
    assert "pressure: no new work that is not critical is taken in: " in refused.stderr
    assert status.returncode == 1
    assert re.search(r"^ready +no$", status.stdout, re.MULTILINE)
    assert re.search(
        r"^problem +critical pressure: \d+ of 0 MiB of memory are used$", status.stdout, re.MULTILINE
    )
    assert re.search(r"^pressure +critical, \d+ of 0 MiB", status.stdout, re.MULTILINE)
