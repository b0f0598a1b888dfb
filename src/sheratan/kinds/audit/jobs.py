"""The audit of a repository as jobs: walk, one job per file, one per group of files, one report.

    audit.repository submits: n audit.file, then n/1000 audit.group after them, then audit.report after those

A group ends when its files have, so the report waits for any number of files through a bounded fan-in.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from sheratan.contracts.jobs import Submission
from sheratan.kinds.audit.analyse import analyse_file
from sheratan.kinds.audit.errors import AuditInputError
from sheratan.kinds.audit.model import AuditModel, AuditReport, Count, FileReport
from sheratan.kinds.audit.report import build_report, to_markdown
from sheratan.kinds.audit.walk import walk_tree
from sheratan.sdk.context import Context
from sheratan.sdk.errors import Fatal, Retryable
from sheratan.sdk.kind import job

__all__ = ["audit_file", "audit_group", "audit_report", "audit_repository"]

FILES_PER_GROUP = 1_000
JOBS_PER_CALL = 500
QUEUE = "audit"


class RepositoryInput(AuditModel):
    """What to audit: the folder `root`, and the folder `output` for the report."""

    root: str
    output: str
    planned_failures: Count = 0
    """How often the first file's job fails on purpose, to show a retry."""


class RepositoryOutput(AuditModel):
    """The jobs that follow from a walk."""

    files: Count
    groups: Count
    report: str
    drill: str | None
    """The file job that fails on purpose."""


class FileInput(AuditModel):
    """One file of a tree."""

    root: str
    path: str
    planned_failures: Count = 0


class GroupOutput(AuditModel):
    """A group of files that have all been looked at."""

    files: Count


class ReportInput(AuditModel):
    """Where the report goes, and what it is called after."""

    name: str
    output: str


class ReportOutput(AuditModel):
    """The report in short, and the files that hold all of it."""

    report: AuditReport
    markdown: str
    json_file: str
    failed_files: Count


@job(kind="audit.repository", queue=QUEUE, run_timeout_seconds=600)
async def audit_repository(ctx: Context, input: RepositoryInput) -> RepositoryOutput:
    """Walk a tree and submit a job for each file, each group and the report.

    Every job has a key made of this job's id, so a walk that is tried again submits nothing twice.
    """
    try:
        found = await asyncio.to_thread(walk_tree, input.root)
    except AuditInputError as error:
        raise Fatal(str(error)) from error
    files = [file.path for file in found]
    groups: list[str] = []
    first: str | None = None
    for start in range(0, len(files), FILES_PER_GROUP):
        ids = await _submit_files(ctx, input, files[start : start + FILES_PER_GROUP], is_first=start == 0)
        first = first or ids[0]
        group = audit_group.submission(
            key=f"{ctx.job_id}/group/{start}", after=tuple(ids), after_failure="run"
        )
        groups += await ctx.submit([group])
    report = audit_report.submission(
        ReportInput(name=await asyncio.to_thread(_name_of, input.root), output=input.output),
        key=f"{ctx.job_id}/report",
        after=tuple(groups),
        after_failure="run",
    )
    (report_id,) = await ctx.submit([report])
    drill = first if input.planned_failures else None
    return RepositoryOutput(files=len(files), groups=len(groups), report=report_id, drill=drill)


async def _submit_files(
    ctx: Context, input: RepositoryInput, paths: list[str], *, is_first: bool
) -> list[str]:
    jobs: list[Submission] = []
    for position, path in enumerate(paths):
        failures = input.planned_failures if is_first and position == 0 else 0
        file = FileInput(root=input.root, path=path, planned_failures=failures)
        jobs.append(audit_file.submission(file, key=f"{ctx.job_id}/file/{path}"[-256:]))
    ids: list[str] = []
    for start in range(0, len(jobs), JOBS_PER_CALL):
        ids += await ctx.submit(jobs[start : start + JOBS_PER_CALL])
    return ids


@job(kind="audit.file", queue=QUEUE, cpu_bound=True, backoff_base_seconds=0.2, run_timeout_seconds=120)
def audit_file(ctx: Context, input: FileInput) -> FileReport:
    """Look at one file. Reading and parsing take the processor, so this runs in a process of its own."""
    if ctx.attempt - ctx.worker_losses <= input.planned_failures:
        raise Retryable(f"planned failure {ctx.attempt - ctx.worker_losses} of {input.planned_failures}")
    try:
        return analyse_file(input.root, input.path)
    except AuditInputError as error:
        raise Fatal(str(error)) from error


@job(kind="audit.group", queue=QUEUE)
async def audit_group(ctx: Context) -> GroupOutput:
    """Count the files of a group. That it runs at all says that they have ended."""
    files = 0
    async for _ in ctx.after_results():
        files += 1
    return GroupOutput(files=files)


@job(kind="audit.report", queue=QUEUE, run_timeout_seconds=600)
async def audit_report(ctx: Context, input: ReportInput) -> ReportOutput:
    """Put the file reports together, rank what was found, and write the report."""
    reports: list[FileReport] = []
    failed = 0
    async for group in ctx.after_results():
        async for file in ctx.after_results(group.id):
            if file.state == "succeeded":
                reports.append(FileReport.model_validate(file.output))
            else:
                failed += 1
    report = await asyncio.to_thread(build_report, input.name, reports)
    folder = Path(input.output)
    markdown, json_file = folder / "audit.md", folder / "audit.json"
    await asyncio.to_thread(_write, markdown, to_markdown(report))
    await asyncio.to_thread(_write, json_file, report.model_dump_json(indent=2) + "\n")
    return ReportOutput(report=report, markdown=str(markdown), json_file=str(json_file), failed_files=failed)


def _name_of(root: str) -> str:
    return Path(root).resolve().name or "/"


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all; an attempt that is tried again replaces it with the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, "utf-8")
    partial.replace(path)
