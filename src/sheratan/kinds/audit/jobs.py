"""The audit of a repository as a workflow: list its files, look at each, report, have the report approved, publish it.

    audit.list → audit.file for each file → audit.report → audit.approve → audit.publish

What the files gave comes to the report as one value, so a repository of many thousand files needs higher limits than
the defaults (`limits.payload_bytes_max`, `limits.result_bytes_max`).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

from sheratan.contracts.workflows import Budget, Workflow
from sheratan.kinds.audit.analyse import analyse_file
from sheratan.kinds.audit.errors import AuditInputError
from sheratan.kinds.audit.model import AuditModel, AuditReport, Count, FileReport
from sheratan.kinds.audit.report import build_report, to_markdown
from sheratan.kinds.audit.walk import walk_tree
from sheratan.sdk.context import Context
from sheratan.sdk.errors import Fatal, Retryable
from sheratan.sdk.kind import job
from sheratan.sdk.workflow import WorkflowBuilder

__all__ = ["audit_approve", "audit_file", "audit_list", "audit_publish", "audit_report", "audit_workflow"]

QUEUE = "audit"
JOBS_MAX = 200_000
"""Jobs of one audit: more files than any repository that a person would read the report on."""

APPROVAL_SECONDS = 7 * 86_400.0


class RepositoryInput(AuditModel):
    """What to audit: the folder `root`, and the folder `output` for the report."""

    root: str
    output: str
    planned_failures: Count = 0
    """How often the first file's job fails on purpose, to show a retry."""


class FileInput(AuditModel):
    """One file of a tree."""

    root: str
    path: str
    planned_failures: Count = 0


class Listing(AuditModel):
    """The files of a repository, and what it is called."""

    name: str
    files: tuple[FileInput, ...]


class ReportInput(AuditModel):
    """What was found in each file, what the report is called after, and where it goes."""

    name: str
    output: str
    files: tuple[FileReport, ...]


class Draft(AuditModel):
    """A report that nobody has approved yet: the file that holds it, that file's SHA-256, and what it says in short."""

    name: str
    path: str
    digest: str
    files: Count
    findings: Count


class Approved(AuditModel):
    """The draft that may be published, by its digest, and who says so."""

    digest: str
    by: str


class PublishInput(AuditModel):
    """What to publish, and where."""

    draft: Draft
    approved: Approved
    output: str


class Published(AuditModel):
    """The files that hold the report."""

    markdown: str
    json_file: str
    digest: str
    by: str


@job(kind="audit.list", queue=QUEUE, run_timeout_seconds=600)
async def audit_list(input: RepositoryInput) -> Listing:
    """List the files of a tree."""
    try:
        found = await asyncio.to_thread(walk_tree, input.root)
    except AuditInputError as error:
        raise Fatal(str(error)) from error
    failures = [input.planned_failures] + [0] * len(found)
    files = tuple(
        FileInput(root=input.root, path=file.path, planned_failures=planned)
        for file, planned in zip(found, failures, strict=False)
    )
    return Listing(name=await asyncio.to_thread(_name_of, input.root), files=files)


@job(kind="audit.file", queue=QUEUE, cpu_bound=True, backoff_base_seconds=0.2, run_timeout_seconds=120)
def audit_file(ctx: Context, input: FileInput) -> FileReport:
    """Look at one file. Reading and parsing take the processor, so this runs in a process of its own."""
    if ctx.attempt - ctx.worker_losses <= input.planned_failures:
        raise Retryable(f"planned failure {ctx.attempt - ctx.worker_losses} of {input.planned_failures}")
    try:
        return analyse_file(input.root, input.path)
    except AuditInputError as error:
        raise Fatal(str(error)) from error


@job(kind="audit.report", queue=QUEUE, run_timeout_seconds=600)
async def audit_report(input: ReportInput) -> Draft:
    """Put the file reports together, rank what was found, and write a draft."""
    report = await asyncio.to_thread(build_report, input.name, input.files)
    text = report.model_dump_json(indent=2) + "\n"
    path = Path(input.output) / "draft.json"
    await asyncio.to_thread(_write, path, text)
    return Draft(
        name=input.name,
        path=str(path),
        digest=_digest(text),
        files=report.files,
        findings=report.findings_total,
    )


@job(kind="audit.approve", queue=QUEUE)
async def audit_approve(ctx: Context, draft: Draft) -> Approved:
    """Ask a person whether exactly this report may be published; whoever has started the audit may say so, too."""
    approval = await ctx.approve(
        f"Publish the audit of {draft.name}: {draft.findings} findings in {draft.files} files?",
        subject=draft.model_dump(mode="json"),
        self_approval=True,
        timeout_seconds=APPROVAL_SECONDS,
    )
    return Approved(digest=draft.digest, by=approval.by[0].actor)


@job(kind="audit.publish", queue=QUEUE)
async def audit_publish(input: PublishInput) -> Published:
    """Write the report, if it still is the one that was approved."""
    text = await asyncio.to_thread(Path(input.draft.path).read_text, "utf-8")
    if not _digest(text) == input.draft.digest == input.approved.digest:
        raise Fatal(f"{input.draft.path} is not the draft that {input.approved.by} has approved")
    folder = Path(input.output)
    markdown, json_file = folder / "audit.md", folder / "audit.json"
    report = AuditReport.model_validate_json(text)
    await asyncio.to_thread(_write, markdown, to_markdown(report))
    await asyncio.to_thread(_write, json_file, text)
    return Published(
        markdown=str(markdown), json_file=str(json_file), digest=input.draft.digest, by=input.approved.by
    )


def audit_workflow() -> Workflow:
    """The audit, from the list of files to the published report."""
    builder = WorkflowBuilder(
        "audit",
        description="Audit a repository, and publish the report that a person has approved.",
        input_schema=RepositoryInput,
        budget=Budget(jobs_max=JOBS_MAX),
    )
    listed = builder.job("list", audit_list, builder.input)
    looked = builder.job("file", audit_file, builder.item, for_each=listed.output["files"])
    report = builder.job(
        "report",
        audit_report,
        {"name": listed.output["name"], "output": builder.input["output"], "files": looked.output},
    )
    approved = builder.job("approve", audit_approve, report.output)
    published = builder.job(
        "publish",
        audit_publish,
        {"draft": report.output, "approved": approved.output, "output": builder.input["output"]},
    )
    return builder.build(output=published.output)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _name_of(root: str) -> str:
    return Path(root).resolve().name or "/"


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all; an attempt that is tried again replaces it with the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, "utf-8")
    partial.replace(path)
