"""What is done about each command: the handler that decides it, and its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sheratan.contracts.errors import SheratanError
from sheratan.contracts.principal import Principal
from sheratan.engine import (
    alerts,
    approvals,
    billing,
    budgets,
    bulk,
    children,
    code,
    control,
    dead_letters,
    flow,
    gates,
    intake,
    ledger,
    proposals,
    retention,
    run_control,
    run_fork,
    run_start,
    schedules,
    settle,
    steps,
    system,
    waits,
    workers,
)
from sheratan.engine.archive import archive_segment, keep_entries
from sheratan.engine.batch import Batch
from sheratan.engine.commands import (
    ApplyTransfers,
    ArchiveSegment,
    Ask,
    BackfillSchedule,
    Cancel,
    CancelRun,
    ChangeState,
    Command,
    CreateSchedule,
    Delegate,
    DeleteSchedule,
    DeriveState,
    Discard,
    EndSession,
    ForkRun,
    Heartbeat,
    KeepEntries,
    KeepJobs,
    KeepRuns,
    LeaseJobs,
    LimitSpending,
    LimitStarts,
    NoteAlerts,
    OpenAccount,
    Pause,
    PauseSchedule,
    Pending,
    PriceKind,
    Probe,
    Propose,
    RecordSteps,
    RegisterWorker,
    Replay,
    Resume,
    ResumeSchedule,
    RetryJob,
    SendSignal,
    Settle,
    Spawn,
    StartBulk,
    StartDraining,
    StartRun,
    Submit,
    SubmitGated,
    TriggerSchedule,
    Unblock,
    Vote,
)

__all__ = ["decide_one"]


def decide_one(batch: Batch, pending: Pending) -> None:
    """Decide a command, and keep its answer for when the batch is durable."""
    command = pending.command
    try:
        if type(command) is LeaseJobs:
            # Answered once there is work, or none to come.
            workers.wait_for_jobs(batch, pending, command)
            return
        answer = _HANDLERS[type(command)](batch, command, pending.by)
    except SheratanError as error:
        batch.answers.append((pending, None, error))
        batch.refused.append((pending, error))
    else:
        batch.answers.append((pending, answer, None))


_Handler = Callable[[Batch, Any, Principal], Any]

_HANDLERS: Final[dict[type[Command], _Handler]] = {
    Submit: intake.submit,
    SubmitGated: gates.submit,
    Settle: settle.settle_reports,
    RecordSteps: steps.record_steps,
    Spawn: children.spawn,
    Propose: proposals.propose,
    Ask: approvals.ask,
    Vote: approvals.vote,
    Delegate: approvals.delegate,
    RegisterWorker: workers.register,
    Heartbeat: workers.heartbeat,
    EndSession: workers.end_session,
    Cancel: control.cancel,
    Unblock: code.unblock,
    RetryJob: dead_letters.retry,
    Replay: dead_letters.replay,
    Discard: dead_letters.discard,
    StartBulk: bulk.start,
    SendSignal: waits.signal,
    StartRun: run_start.start_run,
    ForkRun: run_fork.fork_run,
    CancelRun: run_control.cancel_run,
    Pause: flow.pause,
    Resume: flow.resume,
    LimitStarts: flow.limit,
    StartDraining: system.drain,
    ChangeState: system.ask_for_change,
    DeriveState: system.ask_for_derivation,
    Probe: system.probe,
    CreateSchedule: schedules.create,
    PauseSchedule: schedules.pause,
    ResumeSchedule: schedules.resume,
    BackfillSchedule: schedules.backfill,
    TriggerSchedule: schedules.trigger,
    DeleteSchedule: schedules.delete,
    KeepJobs: retention.keep_jobs,
    KeepRuns: retention.keep_runs,
    KeepEntries: keep_entries,
    PriceKind: billing.price_kind,
    LimitSpending: budgets.limit_spending,
    NoteAlerts: alerts.note_alerts,
    ArchiveSegment: archive_segment,
    OpenAccount: ledger.open_account,
    ApplyTransfers: ledger.apply_transfers,
}
