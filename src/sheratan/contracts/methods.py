"""The methods of the API: what each takes and what it answers."""

from __future__ import annotations

from typing import Any, Final

from sheratan.contracts import api
from sheratan.contracts.alerts import AlertingRecord, AlertRecord, TestResult
from sheratan.contracts.approvals import ApprovalRecord
from sheratan.contracts.archive import ArchivePreview, JournalRetention, SegmentRecord
from sheratan.contracts.bulk import BulkPreview, BulkRecord
from sheratan.contracts.dead_letters import DeadLetter, DeadLetterPage
from sheratan.contracts.flow import FlowRecord
from sheratan.contracts.jobs import JobRecord, KindDescription, QueueRecord
from sheratan.contracts.ledger import AccountRecord, TransferRecord, TransferResult
from sheratan.contracts.ledger_requests import AccountPage, LedgerFinding, TransferPage
from sheratan.contracts.prices import Charge, PriceRecord
from sheratan.contracts.request import Request
from sheratan.contracts.retention import RetentionPreview, RetentionRecord
from sheratan.contracts.runs import RunRecord, RunState
from sheratan.contracts.schedules import FiringReceipt, FiringRecord, ScheduleRecord
from sheratan.contracts.spending import BudgetRecord
from sheratan.contracts.system import StateChange, SystemRecord
from sheratan.contracts.worker import Assignment, StepRecord, StopRequest

__all__ = ["METHODS", "STREAMS"]

METHODS: Final[dict[str, tuple[type[Request], Any]]] = {
    "job.submit": (api.SubmitJobs, list[api.Receipt]),
    "job.submit_gated": (api.SubmitGated, api.Receipt),
    "job.run": (api.RunJob, JobRecord),
    "job.get": (api.GetJob, JobRecord),
    "job.wait": (api.WaitForJob, JobRecord),
    "job.list": (api.ListJobs, api.JobPage),
    "job.cancel": (api.CancelJob, str),
    "job.unblock": (api.UnblockJob, int),
    "job.retry": (api.RetryJob, api.Receipt),
    "job.signal": (api.SignalJob, int),
    "job.steps": (api.ListSteps, list[StepRecord]),
    "job.after_results": (api.AfterResults, list[api.JobResult]),
    "job.results": (api.GetResults, list[api.JobResult]),
    "approval.list": (api.ListApprovals, api.ApprovalPage),
    "approval.get": (api.GetApproval, ApprovalRecord),
    "approval.decide": (api.DecideApproval, int),
    "approval.delegate": (api.DelegateApproval, int),
    "dlq.list": (api.ListDeadLetters, DeadLetterPage),
    "dlq.get": (api.GetDeadLetter, DeadLetter),
    "dlq.replay": (api.ReplayJob, api.Receipt),
    "dlq.discard": (api.DiscardJob, int),
    "bulk.start": (api.StartBulk, BulkRecord),
    "bulk.preview": (api.PreviewBulk, BulkPreview),
    "bulk.get": (api.GetBulk, BulkRecord),
    "queue.list": (api.ListQueues, list[QueueRecord]),
    "queue.pause": (api.PauseQueue, bool),
    "queue.resume": (api.ResumeQueue, bool),
    "queue.limit": (api.LimitQueue, int),
    "kind.pause": (api.PauseKind, bool),
    "kind.resume": (api.ResumeKind, bool),
    "kind.limit": (api.LimitKind, int),
    "tenant.pause": (api.PauseTenant, bool),
    "tenant.resume": (api.ResumeTenant, bool),
    "tenant.limit": (api.LimitTenant, int),
    "flow.list": (api.ListFlows, list[FlowRecord]),
    "schedule.create": (api.CreateSchedule, str),
    "schedule.list": (api.ListSchedules, api.SchedulePage),
    "schedule.get": (api.GetSchedule, ScheduleRecord),
    "schedule.next": (api.NextFirings, list[FiringRecord]),
    "schedule.pause": (api.PauseSchedule, bool),
    "schedule.resume": (api.ResumeSchedule, bool),
    "schedule.backfill": (api.BackfillSchedule, list[FiringRecord]),
    "schedule.trigger": (api.TriggerSchedule, FiringReceipt),
    "schedule.delete": (api.DeleteSchedule, None),
    "workflow.run": (api.RunWorkflow, api.RunReceipt),
    "workflow.fork": (api.ForkRun, api.RunReceipt),
    "workflow.get": (api.GetRun, RunRecord),
    "workflow.wait": (api.WaitForRun, RunRecord),
    "workflow.list": (api.ListRuns, api.RunPage),
    "workflow.cancel": (api.CancelRun, RunState),
    "retention.set": (api.SetRetention, int),
    "retention.preview": (api.PreviewRetention, RetentionPreview),
    "retention.list": (api.ListRetention, list[RetentionRecord]),
    "ledger.open_account": (api.OpenAccount, int),
    "ledger.apply": (api.ApplyTransfers, list[TransferResult]),
    "ledger.account": (api.GetAccount, AccountRecord),
    "ledger.accounts": (api.ListAccounts, AccountPage),
    "ledger.transfer": (api.GetTransfer, TransferRecord),
    "ledger.transfers": (api.ListTransfers, TransferPage),
    "ledger.check": (api.CheckLedger, list[LedgerFinding]),
    "price.set": (api.SetPrice, int),
    "price.remove": (api.RemovePrice, int),
    "price.list": (api.ListPrices, list[PriceRecord]),
    "budget.set": (api.SetBudget, int),
    "budget.remove": (api.RemoveBudget, int),
    "budget.list": (api.ListBudgets, list[BudgetRecord]),
    "job.charges": (api.ListCharges, list[Charge]),
    "alert.list": (api.ListAlerts, list[AlertRecord]),
    "alert.rules": (api.GetAlerting, AlertingRecord),
    "alert.test": (api.TestAlerts, list[TestResult]),
    "state.get": (api.GetState, SystemRecord),
    "state.change": (api.ChangeState, bool),
    "state.history": (api.ListStateChanges, list[StateChange]),
    "kind.list": (api.ListKinds, list[KindDescription]),
    "why": (api.TellWhy, api.Story),
    "status": (api.GetStatus, api.EngineStatus),
    "metrics": (api.GetMetrics, str),
    "journal.entries": (api.GetEntries, list[str]),
    "journal.archive": (api.ArchiveJournal, SegmentRecord | None),
    "journal.preview_archive": (api.PreviewArchive, ArchivePreview),
    "journal.segments": (api.ListSegments, list[SegmentRecord]),
    "journal.keep": (api.KeepJournal, int),
    "journal.retention": (api.GetJournalRetention, JournalRetention),
    "worker.register": (api.RegisterWorker, api.WorkerSession),
    "worker.lease": (api.LeaseJobs, list[Assignment]),
    "worker.settle": (api.SettleJobs, list[bool]),
    "worker.steps": (api.RecordSteps, list[bool]),
    "worker.spawn": (api.SpawnJobs, list[str]),
    "worker.propose": (api.ProposeJobs, api.ProposalAnswer),
    "worker.ask_approval": (api.AskApproval, str),
    "worker.stops": (api.WaitForStops, list[StopRequest]),
    "worker.heartbeat": (api.HeartbeatWorker, None),
    "worker.end": (api.EndWorker, None),
}
"""Every method with its request and the type of its answer."""

STREAMS: Final[dict[str, tuple[type[Request], Any]]] = {"journal.watch": (api.WatchEntries, api.WatchedEntry)}
"""Every method that answers with a stream, with its request and the type of an item."""
