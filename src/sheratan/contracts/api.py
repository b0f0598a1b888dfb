"""The API of an engine: requests, answers and the methods they go by. In-process and on the wire alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import Annotated, Any, Protocol

import msgspec

from sheratan.contracts.alerts import GetAlerting, ListAlerts, TestAlerts
from sheratan.contracts.approvals import (
    ApprovalPage,
    AskApproval,
    DecideApproval,
    DelegateApproval,
    GetApproval,
    ListApprovals,
)
from sheratan.contracts.archive import (
    ArchiveJournal,
    GetJournalRetention,
    KeepJournal,
    ListSegments,
    PreviewArchive,
)
from sheratan.contracts.bulk import GetBulk, PreviewBulk, StartBulk
from sheratan.contracts.code import UnblockJob
from sheratan.contracts.dead_letters import (
    DiscardJob,
    GetDeadLetter,
    ListDeadLetters,
    ReplayJob,
)
from sheratan.contracts.filters import JobFilter
from sheratan.contracts.flow import BlockedBy
from sheratan.contracts.flow_requests import (
    LimitKind,
    LimitQueue,
    LimitTenant,
    ListFlows,
    ListQueues,
    PauseKind,
    PauseQueue,
    PauseTenant,
    ResumeKind,
    ResumeQueue,
    ResumeTenant,
)
from sheratan.contracts.gates import SubmitGated
from sheratan.contracts.jobs import JobError, JobRecord, Name, Receipt, Submission
from sheratan.contracts.journal_requests import GetEntries, WatchedEntry, WatchEntries
from sheratan.contracts.ledger_requests import (
    ApplyTransfers,
    CheckLedger,
    GetAccount,
    GetTransfer,
    ListAccounts,
    ListTransfers,
    OpenAccount,
)
from sheratan.contracts.prices import ListCharges, ListPrices, RemovePrice, SetPrice
from sheratan.contracts.proposals import ProposalAnswer, ProposeJobs
from sheratan.contracts.request import Reason, Request
from sheratan.contracts.retention import ListRetention, PreviewRetention, SetRetention
from sheratan.contracts.schedule_requests import (
    BackfillSchedule,
    CreateSchedule,
    DeleteSchedule,
    GetSchedule,
    ListSchedules,
    NextFirings,
    PauseSchedule,
    ResumeSchedule,
    SchedulePage,
    TriggerSchedule,
)
from sheratan.contracts.spending import ListBudgets, RemoveBudget, SetBudget
from sheratan.contracts.status import EngineStatus
from sheratan.contracts.system import ChangeState, GetState, ListStateChanges
from sheratan.contracts.worker_calls import (
    EndWorker,
    HeartbeatWorker,
    LeaseJobs,
    RecordSteps,
    RegisterWorker,
    SettleJobs,
    SpawnJobs,
    WaitForStops,
    WorkerSession,
)
from sheratan.contracts.workflow_requests import (
    CancelRun,
    ForkRun,
    GetRun,
    ListRuns,
    RunPage,
    RunReceipt,
    RunWorkflow,
    WaitForRun,
)

__all__ = [
    "AfterResults",
    "ApplyTransfers",
    "ApprovalPage",
    "ArchiveJournal",
    "AskApproval",
    "BackfillSchedule",
    "CancelJob",
    "CancelRun",
    "ChangeState",
    "CheckLedger",
    "CreateSchedule",
    "DecideApproval",
    "DelegateApproval",
    "DeleteSchedule",
    "DiscardJob",
    "EndWorker",
    "EngineStatus",
    "ForkRun",
    "GetAccount",
    "GetAlerting",
    "GetApproval",
    "GetBulk",
    "GetDeadLetter",
    "GetEntries",
    "GetJob",
    "GetJournalRetention",
    "GetMetrics",
    "GetResults",
    "GetRun",
    "GetSchedule",
    "GetState",
    "GetStatus",
    "GetTransfer",
    "HeartbeatWorker",
    "JobPage",
    "JobResult",
    "KeepJournal",
    "LeaseJobs",
    "LimitKind",
    "LimitQueue",
    "LimitTenant",
    "ListAccounts",
    "ListAlerts",
    "ListApprovals",
    "ListBudgets",
    "ListCharges",
    "ListDeadLetters",
    "ListFlows",
    "ListJobs",
    "ListKinds",
    "ListPrices",
    "ListQueues",
    "ListRetention",
    "ListRuns",
    "ListSchedules",
    "ListSegments",
    "ListStateChanges",
    "ListSteps",
    "ListTransfers",
    "NextFirings",
    "OpenAccount",
    "PauseKind",
    "PauseQueue",
    "PauseSchedule",
    "PauseTenant",
    "PreviewArchive",
    "PreviewBulk",
    "PreviewRetention",
    "ProposalAnswer",
    "ProposeJobs",
    "Receipt",
    "RecordSteps",
    "RegisterWorker",
    "RemoveBudget",
    "RemovePrice",
    "ReplayJob",
    "Request",
    "ResumeKind",
    "ResumeQueue",
    "ResumeSchedule",
    "ResumeTenant",
    "RetryJob",
    "RunJob",
    "RunPage",
    "RunReceipt",
    "RunWorkflow",
    "SchedulePage",
    "SetBudget",
    "SetPrice",
    "SetRetention",
    "SettleJobs",
    "SignalJob",
    "SpawnJobs",
    "StartBulk",
    "Story",
    "StoryLine",
    "SubmitGated",
    "SubmitJobs",
    "TellWhy",
    "TestAlerts",
    "Transport",
    "TriggerSchedule",
    "UnblockJob",
    "WaitForJob",
    "WaitForRun",
    "WaitForStops",
    "WatchEntries",
    "WatchedEntry",
    "WorkerSession",
]


class SubmitJobs(Request, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """Submit jobs, all or none. `by_job` and `fence` are given by a running job that submits others."""

    jobs: tuple[Submission, ...]
    by_job: int | None = None
    fence: int | None = None


class RunJob(Request, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """Submit a job and wait until it has ended, at most `timeout_seconds`; the job goes on when the caller gives up."""

    job: Submission
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None


class GetJob(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One job as it stands."""

    id: str


class WaitForJob(Request, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """Wait until a job has ended, at most `timeout_seconds`."""

    id: str
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None


class ListJobs(Request, JobFilter, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Jobs, newest first. `cursor` continues an earlier page; new jobs do not disturb it."""

    limit: Annotated[int, msgspec.Meta(ge=1)] = 50
    cursor: str | None = None


class JobPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of jobs; `next_cursor` is None on the last one."""

    items: list[JobRecord]
    next_cursor: str | None = None


class CancelJob(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Cancel a job; a running one is asked to stop."""

    id: str
    reason: Reason = ""


class SignalJob(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Send a signal to a job, for its handler to wait for; answered with the entry that records it."""

    id: str
    name: Name
    value: Any = None


class RetryJob(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Run an ended job again, as a new job that names it as its origin; a quarantined one only with `poison`."""

    id: str
    poison: bool = False


class ListKinds(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The kinds that workers have offered since the engine started."""


class TellWhy(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The story of a job, a run or the `engine`, or of what is named as in `queue:…`.

    Named so are a queue, kind, tenant, schedule, worker (`worker:…`) and bulk operation (`bulk:…`).
    """

    id: str


class StoryLine(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence of a story, with the entry that it rests on."""

    entry: int
    at_us: int
    type: str
    text: str
    rule: str | None = None
    rejected: list[list[Any]] = []


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A story, oldest line first, and where it has led to."""

    subject: str
    state: str
    lines: list[StoryLine]
    waiting_for: str | None = None
    """What a job that has not ended waits for at this moment."""
    blocked_by: list[BlockedBy] = []
    """What holds a queued job up, each with its entry and, where that is known, until when."""


class GetStatus(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The five questions: what am I doing, why, who asked, my last stable state, the safe alternative."""


class GetMetrics(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The metrics of the engine, as the text that Prometheus reads."""


class AfterResults(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the jobs that a job ran after have ended, in the order they were named, from position `start` on."""

    id: str
    start: Annotated[int, msgspec.Meta(ge=0)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 500


class GetResults(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How these jobs have ended, in this order."""

    ids: Annotated[tuple[str, ...], msgspec.Meta(max_length=500)]


class JobResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a job ended: its state and, if it succeeded, its output; if it failed, how."""

    id: str
    kind: str
    state: str
    output: msgspec.Raw = msgspec.Raw(b"null")
    error: JobError | None = None


class ListSteps(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The steps that a job has recorded, in their order, after step `after`."""

    id: str
    after: Annotated[int, msgspec.Meta(ge=0)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 500


class Transport(Protocol):
    """How a client reaches an engine: within the process, or over a socket."""

    def call(self, request: Request, seconds: float | None = None) -> Awaitable[Any]:
        """The answer to a request, of the type that METHODS says; a refusal is raised as a SheratanError.

        The engine is told for how many `seconds` it will be waited for; who waits has to stop by itself.
        """
        ...

    def stream(self, request: Request) -> AsyncIterator[Any]:
        """The items of a stream, of the type that STREAMS says."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...
