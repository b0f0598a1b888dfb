"""Retention on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import KINDS
from tests.support import Server, running_server

SUM = '{"left": 1, "right": 2}'


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path / "data", [KINDS]) as running:
        yield running


def test_what_is_kept_is_set_listed_and_told(own: Server) -> None:
    assert own.cli("retention", "list", "-o", "json").stdout.strip() == "[]"
    done = own.cli("retention", "set", "echo", "--keep", "90d", "--reason", "by law")
    assert done.stdout.startswith("echo: kept 90d (entry ")
    assert own.cli("retention", "set", "--for-ever").stdout.startswith("(others): kept for ever")
    listed = json.loads(own.cli("retention", "list", "-o", "json").stdout)
    assert [(one["kind"], one["keep_seconds"], one["pruned"]) for one in listed] == [
        (None, None, 0),
        ("echo", 90 * 86_400, 0),
    ]
    assert "by law" in own.cli("why", "retention:echo").stdout
    runs = own.cli("retention", "set", "--workflow", "order", "--keep", "30d")
    assert runs.stdout.startswith("runs of order: kept 30d (entry ")
    assert own.cli("retention", "set", "--workflows", "--keep", "12h").stdout.startswith(
        "runs of (others): kept 12h"
    )
    assert own.cli("retention", "list").stdout.splitlines()[-2:] == [
        "-         (others)  12h       0",
        "-         order     30d       0",
    ]
    assert "runs of order kept" in own.cli("why", "retention:workflow:order").stdout
    assert own.cli("why", "retention:nobody").returncode == 3


def test_a_dry_run_says_how_many_and_changes_nothing(own: Server) -> None:
    done = own.cli("retention", "set", "--keep", "1s", "--dry-run", "-o", "json")
    assert json.loads(done.stdout) == {"jobs": 0, "needed": 0, "is_more": False, "runs": 0}
    assert own.cli("retention", "list", "-o", "json").stdout.strip() == "[]"


@pytest.mark.parametrize(
    "options", [(), ("--keep", "1d", "--for-ever"), ("--keep", "soon"), ("--keep", "0s"), ("--keep", "1.5s")]
)
def test_a_misuse_is_refused(own: Server, options: tuple[str, ...]) -> None:
    refused = own.cli("retention", "set", "echo", *options)
    assert refused.returncode == 2
    assert "keep" in refused.stderr


@pytest.mark.parametrize(
    "whose",
    [("echo", "--workflow", "order"), ("--workflow", "order", "--workflows"), ("--workflow", "no name")],
)
def test_it_is_said_of_one_kind_or_of_workflows(own: Server, whose: tuple[str, ...]) -> None:
    refused = own.cli("retention", "set", *whose, "--keep", "1d")
    assert refused.returncode == 2
    assert "workflow" in refused.stderr


def test_a_run_that_was_pruned_is_gone_and_its_story_is_not(own: Server, tmp_path: Path) -> None:
    flow = tmp_path / "flow.json"
    node = {"name": "a", "kind": "add", "input": {"left": 1, "right": 2}}
    flow.write_text(json.dumps({"format": "sheratan.workflow/1", "name": "sums", "nodes": [node]}))
    run = json.loads(own.cli("workflow", "run", str(flow), "--wait", "-o", "json").stdout)["id"]
    own.cli("job", "submit", "add", "--input", SUM, "--delay", "1100ms", "--wait")
    own.cli("retention", "set", "--keep", "1s")
    dry = own.cli("retention", "set", "--workflow", "sums", "--keep", "1s", "--dry-run")
    assert dry.stdout == "1 run would be pruned\n"
    own.cli("retention", "set", "--workflow", "sums", "--keep", "1s")
    for command in ("show", "cancel", "fork"):
        asked = own.cli("workflow", command, run, "-o", "json")
        assert (asked.returncode, json.loads(asked.stderr.splitlines()[-1])["code"]) == (3, "pruned")
    assert "The rows of 1 run were taken out; the entries stay. Pruned 1 run" in own.cli("why", run).stdout
    assert own.cli("journal", "verify").returncode == 0


def test_a_job_that_was_pruned_is_gone_and_its_story_is_not(own: Server) -> None:
    job = own.cli("job", "submit", "add", "--input", SUM).stdout.strip()
    own.cli("job", "watch", job)
    own.cli("retention", "set", "--keep", "1s")
    own.cli("job", "submit", "add", "--input", SUM, "--delay", "1100ms", "--wait")
    # What has come since is looked at with the next walk, which setting it again begins.
    own.cli("retention", "set", "--keep", "1s")
    shown = own.cli("job", "show", job, "-o", "json")
    assert (shown.returncode, json.loads(shown.stderr)["code"]) == (3, "pruned")
    assert "were taken out; the entries stay. Pruned 1 job" in own.cli("why", job).stdout
    assert own.cli("journal", "verify").returncode == 0
