"""`sheratan retention`: how long jobs and runs of workflows are kept after they have ended."""

from __future__ import annotations

from typing import Any

import click

from sheratan.cli.output import draw_table, emit, line
from sheratan.cli.reach import ask, request
from sheratan.cli.session import Session, command_options
from sheratan.cli.text import kept
from sheratan.cli.values import DURATION, whole
from sheratan.contracts import api
from sheratan.contracts.retention import RetentionPreview, RetentionRecord
from sheratan.kernel.words import count

__all__ = ["retention"]

_HEADERS = ("KIND", "WORKFLOW", "KEPT", "PRUNED")
_OTHERS = "(others)"


@click.group()
def retention() -> None:
    """Say how long jobs and runs of workflows are kept after they have ended."""


@retention.command("list")
@command_options
def list_retention(session: Session) -> None:
    """List how long jobs and runs are kept, and how many were pruned. What nothing is set for is kept for ever."""
    found: list[RetentionRecord] = ask(
        session, lambda transport: transport.call(request(api.ListRetention)), offline=True
    )
    emit(session, found, lambda: draw_table(_HEADERS, [_row(one) for one in found]))


@retention.command("set")
@click.argument("kind", required=False)
@click.option("--workflow", help="Keep the runs of this workflow, in place of jobs.")
@click.option("--workflows", is_flag=True, help="Keep the runs of all workflows for which nothing is set.")
@click.option("--keep", type=DURATION, help="How long after their end, such as 90d or 12h; whole seconds.")
@click.option("--for-ever", is_flag=True, help="Never prune them.")
@click.option("--dry-run", is_flag=True, help="Say how many would be pruned at once, and do nothing.")
@click.option("--reason", default="", help="Why; it goes into the journal.")
@command_options
def set_retention(session: Session, kind: str | None, **options: Any) -> None:
    """Keep jobs of KIND for so long after they have ended; without KIND, of all kinds for which nothing is set.

    With --workflow or --workflows, keep runs of workflows, each of which goes after its jobs.

    What is older is pruned at once and from then on: input, output, steps and errors are gone. Dead letters stay, and
    what open jobs still need. The entries in the journal stay, too, so `sheratan why` goes on telling the story.
    """
    keep: float | None = options["keep"]
    if (keep is None) == (not options["for_ever"]):
        raise click.UsageError("Say how long with --keep, or --for-ever.")
    workflow: str | None = options["workflow"]
    if [kind is not None, workflow is not None, options["workflows"]].count(True) > 1:
        raise click.UsageError("Name one of KIND, --workflow and --workflows.")
    wanted: dict[str, Any] = {
        "kind": kind,
        "workflow": "" if options["workflows"] else workflow,
        "keep_seconds": whole(keep),
    }
    if options["dry_run"]:
        _preview(session, wanted)
        return
    asked = request(api.SetRetention, **wanted, reason=options["reason"])
    entry: int = ask(session, lambda transport: transport.call(asked))
    told = f"{_whose(kind, wanted['workflow'])}: kept {kept(wanted['keep_seconds'])} (entry {entry})"
    emit(session, wanted | {"entry": entry}, lambda: line(told))


def _preview(session: Session, wanted: dict[str, Any]) -> None:
    asked = request(api.PreviewRetention, **wanted)
    found: RetentionPreview = ask(session, lambda transport: transport.call(asked), offline=True)
    what, free = ("job", found.jobs) if wanted["workflow"] is None else ("run", found.runs)
    more = ", and more than were counted" if found.is_more else ""
    needed = (
        f"; {count(found.needed, f'more {what}')} stay, since they are still needed" if found.needed else ""
    )
    emit(session, found, lambda: line(f"{count(free, what)} would be pruned{more}{needed}"))


def _whose(kind: str | None, workflow: str | None) -> str:
    return kind or _OTHERS if workflow is None else f"runs of {workflow or _OTHERS}"


def _row(one: RetentionRecord) -> tuple[object, ...]:
    whose = (one.kind or _OTHERS, "-") if one.workflow is None else ("-", one.workflow or _OTHERS)
    return *whose, kept(one.keep_seconds), one.pruned
