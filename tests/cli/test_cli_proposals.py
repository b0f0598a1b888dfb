"""What became of proposals, on the command line and over the socket."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support import Server

FLOW = """\
format: sheratan.workflow/1
name: planning
nodes:
  - name: plan
    kind: planner
output: ${plan.output}
"""


def test_a_job_tells_of_its_budget_and_of_what_was_rejected(server: Server) -> None:
    job = server.submit("planner", "null")
    child = made_by(server, job)
    assert server.cli("job", "watch", child).returncode == 0
    shown = server.cli("job", "show", job).stdout
    assert "proposals  1 of 7 jobs made, depth 0 of 2, until 20" in shown
    assert f"the budget is that of {job}" in shown
    told = server.cli("why", job, "--rules").stdout
    assert "1 of 2 proposals accepted. Rejected 2, subtract: no such kind is loaded." in told
    assert "rejected: 2, subtract: unknown_kind: no such kind is loaded" in told
    assert (
        f"It was proposed by the running job {job}, and accepted by entry" in server.cli("why", child).stdout
    )
    assert "no kind 'subtract' is loaded" in server.cli("job", "steps", job, "-o", "json").stdout
    assert server.cli("job", "signal", job, "go").returncode == 0
    assert server.cli("job", "watch", job).returncode == 0
    assert "jobs made" not in server.cli("job", "show", job).stdout
    assert server.cli("journal", "verify").returncode == 0


def made_by(server: Server, job: str) -> str:
    """The job that was made of a proposal, once it was."""
    while True:
        found = server.cli("job", "steps", job, "-o", "json").stdout
        if "spawn:(proposed)" in found:
            [step] = [one for one in json.loads(found) if one["name"] == "spawn:(proposed)"]
            return str(step["output"]["verdicts"][0])


def test_a_run_tells_of_what_its_jobs_have_proposed(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "planning.yaml"
    path.write_text(FLOW)
    run = server.cli("workflow", "run", str(path), "--input", "null").stdout.strip()
    record = None
    while not record or not record["proposals"]:
        record = json.loads(server.cli("workflow", "show", run, "-o", "json").stdout)
    [call] = record["proposals"]
    assert (call["accepted"], call["proposed"], record["jobs"]) == (1, 2, 2)
    shown = server.cli("workflow", "show", run).stdout
    assert "PROPOSED BY" in shown
    assert "2, subtract: no such kind is loaded (unknown_kind)" in shown
    assert f"{call['job']}, which is one of its jobs: It proposed jobs" in server.cli("why", run).stdout
    assert server.cli("job", "signal", call["job"], "go").returncode == 0
