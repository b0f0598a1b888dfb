"""The requests that only read committed state, and how each is answered: beside an engine, or without one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sheratan.contracts import api
from sheratan.contracts.health import ProbeRecord
from sheratan.contracts.jobs import JobRecord
from sheratan.contracts.limits import Limits
from sheratan.contracts.retention import RetentionPreview
from sheratan.contracts.system import SystemState
from sheratan.engine.alert_views import list_alerts
from sheratan.engine.archive import journal_retention, list_segments, preview_archive
from sheratan.engine.billing_views import list_budgets, list_charges, list_prices
from sheratan.engine.blockers import Blockers, flow_records
from sheratan.engine.entries import archived, segment_of
from sheratan.engine.explain import story
from sheratan.engine.inbox import approval_record, list_approvals
from sheratan.engine.ledger_views import (
    account_record,
    ledger_findings,
    list_accounts,
    list_transfers,
    transfer_record,
)
from sheratan.engine.retention_views import list_retention, preview_retention
from sheratan.engine.run_views import list_run_records, run_record
from sheratan.engine.schedule_views import list_schedules, next_firings, schedule_record
from sheratan.engine.search import bulk_preview, bulk_record, dead_letter, list_dead_letters, list_records
from sheratan.engine.system_views import list_state_changes, system_record
from sheratan.engine.views import after_results, find_view, job_record, job_results, step_records
from sheratan.kernel.alerting import AlertFact
from sheratan.store.port import Reader

__all__ = ["READS", "Look"]


class Look(NamedTuple):
    """What a read goes by."""

    reader: Reader
    limits: Limits
    tenant: str
    now_us: int
    offered: frozenset[str] | None = None
    """The versions of kinds that workers on duty offer; None when no engine is at work."""
    actor: str | None = None
    """Who asks; None when nobody can tell."""
    state: SystemState | None = None
    """What the engine at work knows of itself that is not stored."""
    probes: Sequence[ProbeRecord] = ()
    """What it has found where it looks."""
    alerts: Mapping[str, AlertFact] = {}
    """Alerts that it could not write down yet."""


def _job(look: Look, request: api.GetJob) -> JobRecord:
    view = find_view(look.reader, request.id)
    return job_record(look.reader, view, Blockers(look.reader, look.offered))


def _entry_lines(look: Look, request: api.GetEntries) -> list[str]:
    lines: list[str] = []
    segment = segment_of(look.reader, request.first_seq)
    if segment is not None:
        raise archived(segment, request.first_seq)
    for first, _, body in look.reader.pages(request.first_seq):
        for offset, line in enumerate(body.split(b"\n")):
            if first + offset >= request.first_seq:
                lines.append(line.decode())
            if len(lines) == request.limit:
                return lines
    return lines


def _preview_retention(look: Look, request: api.PreviewRetention) -> RetentionPreview:
    return preview_retention(look.reader, request, look.limits, look.now_us)


READS: Final[dict[type[api.Request], Callable[[Look, Any], Any]]] = {
    api.GetJob: _job,
    api.ListJobs: lambda look, request: list_records(look.reader, request, look.limits, look.offered),
    api.ListDeadLetters: lambda look, request: list_dead_letters(look.reader, request, look.limits),
    api.GetDeadLetter: lambda look, request: dead_letter(look.reader, request),
    api.PreviewBulk: lambda look, request: bulk_preview(look.reader, request),
    api.GetBulk: lambda look, request: bulk_record(look.reader, request),
    api.ListSteps: lambda look, request: step_records(look.reader, request),
    api.AfterResults: lambda look, request: after_results(look.reader, request),
    api.GetResults: lambda look, request: job_results(look.reader, request),
    api.ListFlows: lambda look, request: flow_records(look.reader, look.tenant),
    api.ListSchedules: lambda look, request: list_schedules(look.reader, request, look.limits),
    api.GetSchedule: lambda look, request: schedule_record(look.reader, request.name),
    api.NextFirings: lambda look, request: next_firings(look.reader, request, look.now_us, look.limits),
    api.ListApprovals: lambda look, request: list_approvals(look.reader, request, look.limits, look.actor),
    api.GetApproval: lambda look, request: approval_record(look.reader, request),
    api.GetRun: lambda look, request: run_record(look.reader, request.id),
    api.ListRuns: lambda look, request: list_run_records(look.reader, request, look.limits),
    api.ListRetention: lambda look, _: list_retention(look.reader),
    api.PreviewRetention: _preview_retention,
    api.ListSegments: lambda look, _: list_segments(look.reader),
    api.GetJournalRetention: lambda look, _: journal_retention(look.reader),
    api.PreviewArchive: lambda look, request: preview_archive(look.reader, request),
    api.GetAccount: lambda look, request: account_record(look.reader, look.tenant, request),
    api.ListAccounts: lambda look, request: list_accounts(look.reader, look.tenant, request, look.limits),
    api.GetTransfer: lambda look, request: transfer_record(look.reader, look.tenant, request),
    api.ListTransfers: lambda look, request: list_transfers(look.reader, look.tenant, request, look.limits),
    api.CheckLedger: lambda look, _: ledger_findings(look.reader),
    api.ListPrices: lambda look, _: list_prices(look.reader, look.tenant),
    api.ListBudgets: lambda look, _: list_budgets(look.reader, look.tenant),
    api.ListCharges: lambda look, request: list_charges(look.reader, request.id),
    api.ListAlerts: lambda look, request: list_alerts(look.reader, request, look.alerts),
    api.GetState: lambda look, _: system_record(look.reader, look.state, look.probes),
    api.ListStateChanges: lambda look, request: list_state_changes(look.reader, request),
    api.TellWhy: lambda look, request: story(look.reader, request.id, look.offered),
    api.GetEntries: _entry_lines,
}
"""How each request is answered. Call it within one snapshot: a job that moves meanwhile is found where it was."""
