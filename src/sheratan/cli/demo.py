"""`sheratan demo`: the main job on real input, with a kill in the middle of it."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import click

from sheratan.cli.demo_run import DemoResult, Progress, run_demo
from sheratan.cli.output import draw_table, emit, line, talk
from sheratan.cli.session import Session, command_options
from sheratan.contracts.errors import InvalidInput

__all__ = ["demo"]

_FINDINGS_SHOWN = 10
_BAR_WIDTH = 30


@click.command()
@click.option("--repo", default=".", metavar="DIR", help="The folder to audit (default: this one).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, as with -o json.")
@command_options
def demo(session: Session, repo: str, as_json: bool) -> None:
    """Audit a repository by a workflow: a job per file, a server that is killed, a retry, an approval, and proofs."""
    if as_json:
        session.output = "json"
    root = Path(repo).resolve()
    if not root.is_dir():
        raise InvalidInput(f"{repo} is not a folder", field="repo")
    data = Path(tempfile.mkdtemp(prefix="sheratan-demo-"))
    found = asyncio.run(run_demo(session.program, data, root, _progress()))
    emit(session, found, lambda: _draw(found))
    if not (found.verify.ok and found.replay.ok and found.exactly_once.ok):
        click.get_current_context().exit(1)


def _progress() -> Progress:
    """A bar on a terminal, lines anywhere else; both on stderr."""
    if not sys.stderr.isatty():
        return Progress(talk, _lines())
    return Progress(_say_over_bar, _bar)


def _say_over_bar(text: str) -> None:
    sys.stderr.write("\r\033[K")
    talk(text)


def _bar(done: int, total: int) -> None:
    filled = _BAR_WIDTH * done // max(1, total)
    sys.stderr.write(f"\r\033[K[{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {done} of {total} jobs")
    sys.stderr.flush()


def _lines() -> Progress.Count:
    told = -1

    def count(done: int, total: int) -> None:
        nonlocal told
        tenth = 10 * done // max(1, total)
        if tenth != told:
            told = tenth
            talk(f"{done} of {total} jobs have ended")

    return count


def _draw(found: DemoResult) -> None:
    report = found.report
    counts = report["by_severity"]
    line(
        f"Audit of {report['root']}: {report['files']} files, {report['lines']} lines, {report['skipped']} skipped"
    )
    line(", ".join(f"{count} {severity}" for severity, count in counts.items()))
    line()
    findings = report["findings"][:_FINDINGS_SHOWN]
    rows = [
        (item["severity"], item["rule"], f"{item['path']}:{item['line']}", item["message"])
        for item in findings
    ]
    draw_table(("SEVERITY", "RULE", "PLACE", "FINDING"), rows)
    line(f"The whole report: {found.markdown} and {found.json_file}")
    line()
    line(f"Why was {found.why.subject} tried again?")
    for told in found.why.lines:
        line(f"  [{told.entry}] {told.text}")
    line()
    approval = found.approval
    line(f"{approval.question} Approved by {approval.by}, and published:")
    line(f"  {approval.command}")
    line(
        f"Every night: schedule {found.schedule.name} (workflow {found.schedule.workflow}),"
        f" next at {found.schedule.next}"
    )
    line()
    once = found.exactly_once
    line(f"Killed after {found.killed_after} of {found.jobs} jobs with SIGKILL, restarted, finished.")
    line(
        f"{once.files} files, {once.ended_once} ended exactly once, {once.attempts_lost} attempts lost and repeated."
    )
    line(f"journal verify: {_verdict(found.verify.ok)}, {found.verify.entries} entries")
    line(f"journal replay: {_verdict(found.replay.ok)}, {found.replay.decisions} decisions derived again")
    line(f"{found.jobs} jobs in {found.seconds:.2f} s, the kill included: {found.jobs_per_second:.0f} jobs/s")
    line(f"Look around: sheratan workflow show {found.run} --data {found.data}")


def _verdict(ok: bool) -> str:
    return "ok" if ok else "FAILED"
