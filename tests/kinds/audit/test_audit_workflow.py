"""The audit as a workflow, in virtual time: only the report that a person has approved is published."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from sheratan import RunHandle, testing
from sheratan.contracts.approvals import ApprovalRecord
from sheratan.contracts.errors import JobFailed
from sheratan.kinds.audit import jobs
from sheratan.kinds.audit.jobs import audit_workflow


async def asked(world: testing.World, folder: Path) -> tuple[RunHandle, ApprovalRecord]:
    """An audit of two files that waits for its approval; the first file's job has failed once."""
    root = folder / "repository"
    root.mkdir()
    (root / "a.py").write_text("import time\n\n\nasync def f():\n    time.sleep(1)\n")
    (root / "b.md").write_text("# A page\n")
    given = {"root": str(root), "output": str(folder / "report"), "planned_failures": 1}
    run = await world.client.run_workflow(audit_workflow(), given)
    await world.skip(seconds=5)
    [request] = (await world.client.approvals()).items
    return run, await world.client.approval(request.id)


@testing.in_world([jobs])
async def test_the_report_that_was_approved_is_published(world: testing.World, tmp_path: Path) -> None:
    run, request = await asked(world, tmp_path)
    assert request.question == "Publish the audit of repository: 1 findings in 2 files?"
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["draft.json"]
    await world.client_of("anna").approve(request.id, request.digest)
    published = await run.result()
    text = (tmp_path / "report" / "audit.json").read_text("utf-8")
    assert published["by"] == "local:anna"
    assert published["digest"] == request.subject["digest"] == hashlib.sha256(text.encode()).hexdigest()
    assert json.loads(text)["files"] == 2
    assert "a.py:5" in (tmp_path / "report" / "audit.md").read_text("utf-8")
    tries = [job.attempt for job in await world.jobs(kind="audit.file")]
    assert tries == [2, 1]


@testing.in_world([jobs])
async def test_a_report_that_is_denied_or_that_nobody_looks_at_is_not(
    world: testing.World, tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    run, request = await asked(world, tmp_path / "one")
    await world.client_of("anna").deny(request.id, request.digest, "too many findings")
    with pytest.raises(JobFailed):
        await run.result()
    given = {"root": str(tmp_path / "two"), "output": str(tmp_path / "two" / "report")}
    run = await world.client.run_workflow(audit_workflow(), given)
    with pytest.raises(JobFailed):
        await run.result()
    assert world.now.day == 8
    assert [job.kind for job in await world.jobs(kind="audit.publish")] == []


@testing.in_world([jobs])
async def test_a_draft_that_was_changed_after_it_was_asked_about_is_not_published(
    world: testing.World, tmp_path: Path
) -> None:
    run, request = await asked(world, tmp_path)
    draft = tmp_path / "report" / "draft.json"
    draft.write_text(draft.read_text("utf-8").replace("a.py", "z.py"), "utf-8")
    await world.client_of("anna").approve(request.id, request.digest)
    with pytest.raises(JobFailed):
        await run.result()
    [publish] = await world.jobs(kind="audit.publish")
    assert publish.state == "failed"
    assert "is not the draft that local:anna has approved" in await world.why(publish.id)
    assert not (tmp_path / "report" / "audit.md").exists()


@testing.in_world([jobs])
async def test_a_folder_that_is_not_there_fails_the_audit_at_once(
    world: testing.World, tmp_path: Path
) -> None:
    given = {"root": str(tmp_path / "nowhere"), "output": str(tmp_path)}
    run = await world.client.run_workflow(audit_workflow(), given)
    with pytest.raises(JobFailed):
        await run.result()
    assert [job.kind for job in await world.jobs()] == ["audit.list"]
