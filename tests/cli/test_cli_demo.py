"""`sheratan demo`: the main job on a small repository, with a real kill in the middle."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.support import run_cli

FILES = 24


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the demo prints about a repository of a few files."""
    root = tmp_path_factory.mktemp("repository")
    for number in range(FILES):
        (root / f"module_{number:02}.py").write_text(
            f"async def f{number}():\n    import time\n    time.sleep(1)\n"
        )
    (root / "page.md").write_text("# A page\n")
    done = run_cli(
        "demo", "--repo", str(root), "--json", env={"TMPDIR": str(tmp_path_factory.mktemp("data"))}
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_the_demo_looks_at_every_file_exactly_once_although_its_server_is_killed(
    found: dict[str, Any],
) -> None:
    assert found["exactly_once"]["ok"]
    assert found["exactly_once"]["files"] == FILES + 1
    assert found["exactly_once"]["ended_once"] == FILES + 1
    assert found["jobs"] == FILES + 1 + 4
    assert 0 < found["killed_after"] <= found["jobs"]


def test_the_demo_reports_what_is_wrong_with_the_code_ranked_and_with_file_and_line(
    found: dict[str, Any],
) -> None:
    report = found["report"]
    assert report["files"] == FILES + 1
    assert report["findings_total"] >= FILES
    first = report["findings"][0]
    assert first["rule"] == "py-blocking-call"
    assert first["path"] == "module_00.py"
    assert first["line"] == 3


def test_the_demo_writes_the_whole_report_as_markdown_and_as_json(found: dict[str, Any]) -> None:
    assert "module_00.py:3" in Path(found["markdown"]).read_text("utf-8")
    assert json.loads(Path(found["json_file"]).read_text("utf-8")) == found["report"]


def test_the_demo_tells_why_one_file_was_tried_three_times(found: dict[str, Any]) -> None:
    types = [line["type"] for line in found["why"]["lines"]]
    assert types.count("job.retried") == 2
    assert types[0] == "job.submitted"
    assert types[-1] == "job.succeeded"
    assert found["why"]["state"] == "succeeded"


def test_the_demo_has_a_person_approve_the_report_before_it_is_published(found: dict[str, Any]) -> None:
    approval = found["approval"]
    assert approval["question"] == f"Publish the audit of repository0: {FILES} findings in {FILES + 1} files?"
    assert approval["command"].startswith(f"sheratan approval approve {approval['id']} --digest")
    assert approval["digest"] in approval["command"]
    assert approval["by"].startswith("local:")
    shown = run_cli("approval", "show", approval["id"], "--data", found["data"], "-o", "json")
    record = json.loads(shown.stdout)
    assert (record["state"], record["digest"]) == ("approved", approval["digest"])
    assert record["subject"]["digest"] == sha256(Path(found["json_file"]).read_bytes()).hexdigest()


def test_the_demo_leaves_a_run_and_a_schedule_to_look_at(found: dict[str, Any]) -> None:
    shown = run_cli("workflow", "show", found["run"], "--data", found["data"], "-o", "json")
    assert json.loads(shown.stdout)["state"] == "succeeded"
    assert found["schedule"]["name"] == "audit-nightly"
    shown = run_cli("schedule", "next", "audit-nightly", "-n", "1", "--data", found["data"], "-o", "json")
    assert found["schedule"]["next"][11:] == "02:30:00+00:00"
    assert shown.returncode == 0


def test_the_demo_proves_its_journal(found: dict[str, Any]) -> None:
    assert found["verify"]["ok"]
    assert found["replay"]["ok"]
    assert found["replay"]["decisions"] > FILES
    assert found["jobs_per_second"] > 0


def test_the_demo_refuses_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    done = run_cli("demo", "--repo", str(tmp_path / "nowhere"))
    assert done.returncode == 2
    assert "repo" in done.stderr


def test_a_folder_without_files_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "empty").mkdir()
    done = run_cli("demo", "--repo", str(tmp_path / "empty"), env={"TMPDIR": str(tmp_path / "data")})
    assert done.returncode == 2
    assert f"--repo: there is no file to audit below {tmp_path / 'empty'}" in done.stderr
