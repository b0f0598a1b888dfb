"""Workflows on the command line: check, run, list, show, cancel and draw them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import Server, run_cli, running_server

FLOW = """\
format: sheratan.workflow/1
name: adding
nodes:
  - name: first
    kind: add
    input: {left: "${input.n}", right: 1}
  - name: second
    kind: add
    input: {left: "${first.output}", right: 10}
output: ${second.output}
"""


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    path = tmp_path / "adding.yaml"
    path.write_text(FLOW)
    return path


def test_a_run_is_waited_for_and_shown(server: Server, flow: Path) -> None:
    done = server.cli("workflow", "run", str(flow), "--input", '{"n": 1}', "--wait", "-o", "json")
    record = json.loads(done.stdout)
    assert (done.returncode, record["state"], record["output"]) == (0, "succeeded", 12)
    shown = server.cli("workflow", "show", record["id"])
    assert "second  succeeded" in shown.stdout
    assert "output    12" in shown.stdout
    listed = server.cli("workflow", "list", "--state", "succeeded", "--workflow", "adding", "-o", "jsonl")
    assert record["id"] in [json.loads(line)["id"] for line in listed.stdout.splitlines()]
    assert record["id"] in server.cli("workflow", "list").stdout
    [job] = record["nodes"][0]["jobs"]
    assert f"{record['id']}, node first" in server.cli("job", "show", job).stdout
    assert record["id"] in server.cli("why", job).stdout
    assert "second" in server.cli("workflow", "picture", record["id"]).stdout


def test_run_prints_the_id_alone_and_the_run_can_be_cancelled(server: Server, flow: Path) -> None:
    done = server.cli("workflow", "run", str(flow), "--input", "{}")
    assert done.stdout.startswith("workflow_")
    run = done.stdout.strip()
    assert "${input.n}" in server.cli("workflow", "show", run).stdout
    cancelled = server.cli("workflow", "cancel", run, "--reason", "a test", "--keep")
    assert (cancelled.returncode, cancelled.stdout) == (0, "stopping\n")
    assert server.cli("workflow", "cancel", run).returncode == 5


def test_who_waits_for_a_run_that_is_blocked_hears_of_it(server: Server, flow: Path) -> None:
    done = server.cli("workflow", "run", str(flow), "--input", "{}", "--wait", "--wait-timeout", "1.5s")
    assert done.returncode == 124
    run = done.stderr.split()[1]
    assert f"{run} is blocked and waits for a person. Blocked: first cannot start" in done.stderr
    assert f"`sheratan workflow cancel {run}` ends it" in done.stderr
    assert "`sheratan workflow list --state blocked`" in server.cli("status").stdout
    assert server.cli("workflow", "cancel", run).returncode == 0


def test_a_key_gives_the_same_run_and_no_other(server: Server, flow: Path) -> None:
    run = ("workflow", "run", str(flow), "--key", "monday", "--input")
    first = server.cli(*run, '{"n": 1}')
    again = server.cli(*run, '{"n": 1}')
    assert first.stdout == again.stdout
    assert "this is that run" in again.stderr
    refused = server.cli(*run, '{"n": 2}')
    assert (refused.returncode, "another input" in refused.stderr) == (5, True)


def test_a_run_is_continued_from_a_node_or_with_another_input_or_definition(
    server: Server, flow: Path, tmp_path: Path
) -> None:
    run = ("workflow", "run", str(flow), "--input", '{"n": 1}', "--wait", "-o", "json")
    first = json.loads(server.cli(*run).stdout)["id"]
    again = server.cli("workflow", "retry-from", first, "second", "--wait", "-o", "json")
    record = json.loads(again.stdout)
    assert (record["state"], record["output"], record["origin"]) == ("succeeded", 12, first)
    assert [node["taken_from"] for node in record["nodes"]] == [first, None]
    shown = server.cli("workflow", "show", record["id"]).stdout
    assert f"continues  {first}" in shown
    assert f"taken over from {first}" in shown
    assert record["id"] in server.cli("why", first).stdout
    assert first in server.cli("why", record["id"]).stdout
    other = server.cli("workflow", "fork", first, "--input", '{"n": 5}', "--wait", "-o", "json")
    assert json.loads(other.stdout)["output"] == 16
    null = server.cli("workflow", "fork", first, "--input", "null")
    assert "the workflow's input is null" in server.cli("workflow", "show", null.stdout.strip()).stdout
    path = tmp_path / "other.yaml"
    path.write_text(FLOW.replace("right: 10", "right: 100"))
    changed = server.cli("workflow", "fork", first, "--definition", str(path), "--wait", "-o", "json")
    record = json.loads(changed.stdout)
    assert (record["output"], [node["taken_from"] for node in record["nodes"]]) == (102, [first, None])


def test_what_cannot_be_continued_is_refused(server: Server, flow: Path, tmp_path: Path) -> None:
    run = server.cli("workflow", "run", str(flow), "--input", '{"n": 1}', "--wait", "-o", "json")
    first = json.loads(run.stdout)["id"]
    refused = server.cli("workflow", "retry-from", first, "third")
    assert (refused.returncode, "there is no node 'third'; there are first, second" in refused.stderr) == (
        2,
        True,
    )
    assert server.cli("workflow", "fork", "workflow_" + "0" * 32).returncode == 3
    path = tmp_path / "broken.yaml"
    path.write_text(FLOW.replace("kind: add", "kind: nobody"))
    assert f"{path}:5" in server.cli("workflow", "fork", first, "--definition", str(path)).stderr


def test_a_run_that_does_not_succeed_ends_the_wait_with_exit_code_1(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "failing.yaml"
    path.write_text("format: sheratan.workflow/1\nname: failing\nnodes:\n  - {name: a, kind: fail}\n")
    done = server.cli("workflow", "run", str(path), "--wait", "-o", "json")
    assert (done.returncode, json.loads(done.stdout)["state"]) == (1, "failed")
    assert json.loads(done.stderr.splitlines()[-1])["code"] == "job_failed"


def test_what_is_wrong_names_its_line_here_and_on_the_server(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "format: sheratan.workflow/1\nname: wrong\nnodes:\n  - {name: a, kind: nobody, after: [b]}\n"
    )
    done = run_cli("workflow", "check", str(path))
    assert done.returncode == 2
    assert "wrong.yaml:4: nodes/0/after/0: there is no node 'b'" in done.stdout
    path.write_text("format: sheratan.workflow/1\nname: wrong\nnodes:\n  - {name: a, kind: nobody}\n")
    assert run_cli("workflow", "check", str(path)).returncode == 0
    done = server.cli("workflow", "run", str(path))
    assert done.returncode == 2
    assert "wrong.yaml:4: nodes/0/kind" in done.stderr


def test_a_picture_is_drawn_as_text_and_as_an_image(flow: Path, tmp_path: Path) -> None:
    assert "first" in run_cli("workflow", "picture", str(flow), "--ascii").stdout
    image = tmp_path / "adding.svg"
    assert run_cli("workflow", "picture", str(flow), "--svg", str(image)).returncode == 0
    assert image.read_text().startswith("<svg")
    missing = tmp_path / "nowhere" / "adding.svg"
    assert run_cli("workflow", "picture", str(flow), "--svg", str(missing)).returncode == 2


def test_runs_are_shown_when_no_server_runs(flow: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_server(data, ["tests.cli.sample_kinds"]) as running:
        done = running.cli("workflow", "run", str(flow), "--input", '{"n": 1}', "--wait", "-o", "json")
        run = json.loads(done.stdout)["id"]
        assert running.stop() == 0
    assert "succeeded" in run_cli("workflow", "show", run, "--data", str(data)).stdout
    assert run in run_cli("workflow", "list", "--data", str(data)).stdout
    assert run_cli("workflow", "cancel", run, "--data", str(data)).returncode == 1


NESTED = """format: sheratan.workflow/1
name: outer
nodes:
  - {name: each, workflow: inner, for_each: "${input}", input: "${item}"}
output: "${each.output}"
workflows:
  - format: sheratan.workflow/1
    name: inner
    nodes:
      - {name: first, kind: add, input: {left: 1, right: "${input}"}}
    output: "${first.output}"
"""


def test_runs_of_nodes_are_shown_below_the_run_above(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "nested.yaml"
    path.write_text(NESTED)
    done = server.cli("workflow", "run", str(path), "--input", "[2, 3]", "--wait", "-o", "json")
    record = json.loads(done.stdout)
    assert record["output"] == [3, 4]
    shown = server.cli("workflow", "show", record["id"]).stdout
    below = record["nodes"][0]["runs"]
    assert [line.split()[0] for line in shown.splitlines()[-5:]] == ["each", "[0]", "first", "[1]", "first"]
    assert all(run in shown for run in below)
    shown = server.cli("workflow", "show", below[1]).stdout
    assert f"node each, item 1 of {record['id']}" in shown
    assert f"for node each, item 1, of {record['id']}" in server.cli("why", below[1]).stdout
    assert below[0] in server.cli("why", record["id"]).stdout
    assert "workflow inner" in server.cli("workflow", "picture", record["id"]).stdout


def test_what_is_wrong_within_a_sub_workflow_names_its_line(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "nested.yaml"
    path.write_text(NESTED.replace("kind: add", "kind: nobody"))
    done = server.cli("workflow", "run", str(path))
    assert "nested.yaml:10: workflows/0/nodes/0/kind" in done.stderr
