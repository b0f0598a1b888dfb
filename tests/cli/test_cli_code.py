"""Jobs whose code has changed, and versions of kinds, on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support import Server


def shown(server: Server, job: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.cli("job", "show", job, "-o", "json").stdout)
    return found


def blocked(server: Server, marker: Path) -> str:
    """A job that is blocked because its handler does not ask for a step that is recorded."""
    job = server.submit("forgetful", json.dumps(str(marker)))
    while shown(server, job)["state"] != "blocked":
        assert shown(server, job)["finished_us"] is None
    return job


def test_a_blocked_job_is_listed_shown_told_and_let_go_on(server: Server, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    job = blocked(server, marker)
    record = shown(server, job)
    assert record["blocked_reason"] == "code_changed"
    assert record["difference"] == {
        "what": "missing", "step": 1, "recorded": "think", "occurrence": 1, "asked": [],
    }  # fmt: skip
    assert "difference  expected step 1, think; the handler ended" in server.cli("job", "show", job).stdout
    listed = server.cli("job", "list", "--state", "blocked", "--kind", "forgetful", "-o", "jsonl").stdout
    assert [json.loads(line)["id"] for line in listed.splitlines()] == [job]
    told = server.cli("why", job).stdout
    assert told.startswith(f"{job} is blocked; it waits for other code of its handler")
    assert "step 1 is recorded as think, and the handler ends without asking for it" in told
    assert json.loads(server.cli("status", "-o", "json").stdout)["code_changed"] == 1
    assert "1 job blocked because of changed code" in server.cli("doctor").stdout
    marker.touch()
    let_go = server.cli("job", "unblock", job, "--reason", "the file is there", "-o", "json")
    entry = json.loads(let_go.stdout)["entry"]
    assert server.cli("job", "watch", job).returncode == 0
    assert shown(server, job)["output"] == "it came back"
    assert f"entry {entry}" in server.cli("why", job).stdout
    assert "the file is there" in server.cli("why", job).stdout
    again = server.cli("job", "unblock", job)
    assert again.returncode == 5
    assert "not blocked because of its code" in again.stderr


def test_a_version_that_nobody_offers_is_refused_by_its_field(server: Server) -> None:
    refused = server.cli("job", "submit", "add", "--input", '{"left": 1}', "--kind-version", "7")
    assert refused.returncode == 2
    assert "version: no version 7 of kind 'add' is loaded; loaded: 1" in refused.stderr
    first = server.cli(
        "job", "submit", "add", "--input", '{"left": 1}', "--kind-version", "1", "--wait", "-o", "json"
    )
    assert json.loads(first.stdout)["version"] == 1
