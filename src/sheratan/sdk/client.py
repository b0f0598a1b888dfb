"""The client: submit jobs, wait for them, ask about them. The same over a socket and within the process."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

import msgspec

from sheratan.contracts import api
from sheratan.contracts.bulk import BulkPreview, BulkRecord
from sheratan.contracts.dead_letters import DeadLetter, DeadLetterPage, Edit
from sheratan.contracts.errors import JobFailed
from sheratan.contracts.gates import Gate, SubmitGated
from sheratan.contracts.jobs import JobRecord, KindDescription, QueueRecord, Submission
from sheratan.contracts.runs import RunRecord
from sheratan.contracts.values import convert
from sheratan.contracts.worker import StepRecord
from sheratan.contracts.workflows import Workflow
from sheratan.sdk.alert_calls import AlertCalls
from sheratan.sdk.approval_calls import ApprovalCalls
from sheratan.sdk.archive_calls import ArchiveCalls
from sheratan.sdk.billing_calls import BillingCalls
from sheratan.sdk.deadline import Timed
from sheratan.sdk.flow_calls import FlowCalls
from sheratan.sdk.kind import Kind
from sheratan.sdk.ledger_calls import LedgerCalls
from sheratan.sdk.options import SubmissionOptions, read_options
from sheratan.sdk.retention_calls import RetentionCalls
from sheratan.sdk.runs import RunHandle
from sheratan.sdk.schedule_calls import ScheduleCalls
from sheratan.sdk.socket import connect
from sheratan.sdk.state_calls import StateCalls
from sheratan.sdk.superseded import wait_through

__all__ = ["Client", "JobHandle", "RunHandle"]


class JobHandle:
    """A job that was submitted."""

    def __init__(self, client: Client, receipt: api.Receipt, kind: Kind[Any, Any] | None) -> None:
        self.id = receipt.id
        self.existing = receipt.existing
        """Whether the job had been submitted before, under the same idempotency key."""
        self.throttled = receipt.throttled
        """Whether a throttle has dropped the submission; this is the newest job under its key."""
        self._client = client
        self._kind = kind

    def __repr__(self) -> str:
        return f"<job {self.id}>"

    async def result(self, timeout_seconds: float | None = None) -> Any:
        """The job's output once it has succeeded; JobFailed when it ends otherwise, TimedOut when it takes too long.

        Where another submission has taken its place (`Debounce`), that one's.
        """
        record = await wait_through(self._client._transport, self.id, timeout_seconds)
        return _output(record, self._kind)

    async def why(self) -> api.Story:
        """The story of the job."""
        return await self._client.why(self.id)

    async def cancel(self, reason: str = "") -> str:
        """Cancel the job: `cancelled` at once, or `requested` when an attempt runs."""
        return await self._client.cancel(self.id, reason)


class Client(
    AlertCalls,
    ApprovalCalls,
    ArchiveCalls,
    BillingCalls,
    FlowCalls,
    LedgerCalls,
    RetentionCalls,
    ScheduleCalls,
    StateCalls,
):
    """An engine's client. Use it as an async context manager, or call `close`."""

    def __init__(self, transport: api.Transport) -> None:
        self._transport: api.Transport = Timed(transport)
        self._way = transport

    @classmethod
    async def connect(cls, data: str | os.PathLike[str]) -> Self:
        """A client of the server that runs on a data directory; Unavailable when none does."""
        return cls(await connect(Path(data)))

    @property
    def transport(self) -> api.Transport:
        """The way to the engine; what a worker asks for by it has no deadline."""
        return self._way

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up."""
        await self._transport.close()

    async def submit(
        self,
        kind: Kind[Any, Any] | str,
        value: Any = None,
        *,
        gate: Gate | None = None,
        **options: Unpack[SubmissionOptions],
    ) -> JobHandle:
        """Submit a job; it is durable when this returns. An input or option that is refused raises InvalidInput.

        A `Debounce` or a `Throttle` says what becomes of it when others come under the same key.
        """
        if isinstance(kind, str):
            submission, known = Submission(kind=kind, input=value, options=read_options(options)), None
        else:
            submission, known = kind.submission(value, **options), kind
        if gate is not None:
            wanted = convert({"job": submission, "gate": msgspec.to_builtins(gate)}, SubmitGated)
            return JobHandle(self, await self._transport.call(wanted), known)
        receipts = await self._transport.call(api.SubmitJobs(jobs=(submission,)))
        return JobHandle(self, receipts[0], known)

    async def submit_many(self, jobs: Sequence[Submission]) -> list[JobHandle]:
        """Submit jobs in one transaction, all or none."""
        receipts = await self._transport.call(api.SubmitJobs(jobs=tuple(jobs)))
        return [JobHandle(self, receipt, None) for receipt in receipts]

    async def run(
        self, kind: Kind[Any, Any] | str, value: Any = None, **options: Unpack[SubmissionOptions]
    ) -> Any:
        """Submit a job and wait for its output."""
        if isinstance(kind, str):
            submission = Submission(kind=kind, input=value, options=read_options(options))
        else:
            submission = kind.submission(value, **options)
        record = await self._transport.call(api.RunJob(job=submission))
        return _output(record, None if isinstance(kind, str) else kind)

    async def job(self, job_id: str) -> JobRecord:
        """A job as it stands."""
        record: JobRecord = await self._transport.call(api.GetJob(id=job_id))
        return record

    async def steps(self, job_id: str) -> list[StepRecord]:
        """The steps that a job has recorded, in their order."""
        found: list[StepRecord] = []
        while True:
            page: list[StepRecord] = await self._transport.call(api.ListSteps(id=job_id, after=len(found)))
            found += page
            if not page:
                return found

    async def wait(self, job_id: str, *, timeout_seconds: float | None = None) -> JobRecord:
        """A job once it has ended, however; TimedOut when that takes too long."""
        request = api.WaitForJob(id=job_id, timeout_seconds=timeout_seconds)
        record: JobRecord = await self._transport.call(request)
        return record

    async def jobs(self, request: api.ListJobs | None = None) -> api.JobPage:
        """A page of jobs, newest first."""
        page: api.JobPage = await self._transport.call(request or api.ListJobs())
        return page

    async def cancel(self, job_id: str, reason: str = "") -> str:
        """Cancel a job: `cancelled` at once, or `requested` when an attempt runs."""
        outcome: str = await self._transport.call(api.CancelJob(id=job_id, reason=reason))
        return outcome

    async def unblock(self, job_id: str, reason: str = "") -> int:
        """Let a job that is blocked because its code has changed try again; returns the entry that records it.

        By itself it goes on when workers with other code are on duty and none with code that has blocked it.
        """
        wanted = convert({"id": job_id, "reason": reason}, api.UnblockJob)
        entry: int = await self._transport.call(wanted)
        return entry

    async def retry(self, job_id: str, *, poison: bool = False) -> JobHandle:
        """Run an ended job again, as a new job that names it as its origin; a quarantined one only with `poison`."""
        return JobHandle(self, await self._transport.call(api.RetryJob(id=job_id, poison=poison)), None)

    async def dead_letters(self, request: api.ListDeadLetters | None = None) -> DeadLetterPage:
        """A page of dead letters: failed jobs that were neither replayed nor discarded, newest first."""
        page: DeadLetterPage = await self._transport.call(request or api.ListDeadLetters())
        return page

    async def dead_letter(self, job_id: str) -> DeadLetter:
        """One dead letter, with its input; NotFound for any other job."""
        letter: DeadLetter = await self._transport.call(api.GetDeadLetter(id=job_id))
        return letter

    async def replay(
        self, job_id: str, edit: Edit | None = None, *, poison: bool = False, reason: str = ""
    ) -> JobHandle:
        """Run a dead letter again, as a new job, changed as `edit` says; a quarantined one only with `poison`."""
        given = {"id": job_id, "edit": edit, "poison": poison, "reason": reason}
        return JobHandle(self, await self._transport.call(convert(given, api.ReplayJob)), None)

    async def discard(self, job_id: str, reason: str = "") -> int:
        """Take a job out of the dead letters for good; returns the journal entry that records it."""
        entry: int = await self._transport.call(convert({"id": job_id, "reason": reason}, api.DiscardJob))
        return entry

    async def start_bulk(self, request: api.StartBulk) -> BulkRecord:
        """Do something to every job that a filter means. It goes on by itself: `bulk` says how far it has come."""
        record: BulkRecord = await self._transport.call(request)
        return record

    async def preview_bulk(self, request: api.PreviewBulk) -> BulkPreview:
        """How many jobs a bulk operation would be for, and the first of them; nothing is changed."""
        preview: BulkPreview = await self._transport.call(request)
        return preview

    async def bulk(self, bulk_id: str) -> BulkRecord:
        """How far a bulk operation (`bulk:N`) has come."""
        record: BulkRecord = await self._transport.call(api.GetBulk(id=bulk_id))
        return record

    async def signal(self, job_id: str, name: str, value: Any = None) -> int:
        """Send a signal to a job, for its handler to wait for; returns the journal entry that records it."""
        wanted = convert({"id": job_id, "name": name, "value": value}, api.SignalJob)
        entry: int = await self._transport.call(wanted)
        return entry

    async def run_workflow(
        self, workflow: Workflow, value: Any = None, *, key: str | None = None
    ) -> RunHandle:
        """Run a workflow; the run is durable when this returns. What is wrong with it raises InvalidInput.

        The same idempotency key with the same workflow and input gives the same run, with others IdempotencyConflict.
        """
        request = api.RunWorkflow(workflow=workflow, input=value, key=key)
        return RunHandle(self, await self._transport.call(request))

    async def retry_run(self, run_id: str, node: str, *, key: str | None = None) -> RunHandle:
        """Run a node of an ended run, and all that follow it, anew in a new run that takes the others over."""
        return await self.fork_run(run_id, node=node, key=key)

    async def fork_run(
        self,
        run_id: str,
        *,
        node: str | None = None,
        workflow: Workflow | None = None,
        value: Any = msgspec.UNSET,
        key: str | None = None,
    ) -> RunHandle:
        """Continue an ended run in a new one, with another workflow or another input (`value`), if they are given.

        It takes over each node that is unchanged together with all before it; from `node` on all runs anew. Conflict
        while the run is open.
        """
        request = api.ForkRun(id=run_id, node=node, workflow=workflow, input=value, key=key)
        return RunHandle(self, await self._transport.call(request))

    async def workflow_run(self, run_id: str) -> RunRecord:
        """A run as it stands, with its nodes."""
        record: RunRecord = await self._transport.call(api.GetRun(id=run_id))
        return record

    async def wait_for_run(self, run_id: str, *, timeout_seconds: float | None = None) -> RunRecord:
        """A run once it has ended, however; TimedOut when that takes too long."""
        request = api.WaitForRun(id=run_id, timeout_seconds=timeout_seconds)
        record: RunRecord = await self._transport.call(request)
        return record

    async def workflow_runs(self, request: api.ListRuns | None = None) -> api.RunPage:
        """A page of runs, newest first, without their nodes and values."""
        page: api.RunPage = await self._transport.call(request or api.ListRuns())
        return page

    async def cancel_run(self, run_id: str, reason: str = "", *, keeps: bool = False) -> str:
        """Cancel a run and return its state; what it has done is compensated first, unless `keeps` is true."""
        wanted = convert({"id": run_id, "reason": reason, "keeps": keeps}, api.CancelRun)
        state: str = await self._transport.call(wanted)
        return state

    async def queues(self) -> list[QueueRecord]:
        """Every queue."""
        queues: list[QueueRecord] = await self._transport.call(api.ListQueues())
        return queues

    async def kinds(self) -> list[KindDescription]:
        """The kinds that workers have offered since the engine started."""
        kinds: list[KindDescription] = await self._transport.call(api.ListKinds())
        return kinds

    async def why(self, subject: str) -> api.Story:
        """The story of what has an id, as a job, `queue:NAME` or `engine`; `entry:N` is an entry of the journal."""
        story: api.Story = await self._transport.call(api.TellWhy(id=subject))
        return story

    async def status(self) -> api.EngineStatus:
        """The five questions, answered."""
        status: api.EngineStatus = await self._transport.call(api.GetStatus())
        return status

    async def metrics(self) -> str:
        """The metrics of the engine, as the text that Prometheus reads."""
        text: str = await self._transport.call(api.GetMetrics())
        return text

    async def entries(self, first_seq: int = 0, limit: int = 100) -> list[str]:
        """Journal entries as canonical JSON."""
        lines: list[str] = await self._transport.call(api.GetEntries(first_seq=first_seq, limit=limit))
        return lines

    def watch(self, subject: str | None = None) -> AsyncIterator[api.WatchedEntry]:
        """Entries as they are committed; with `subject`, only those about it."""
        return self._transport.stream(api.WatchEntries(subject=subject))


def _output(record: JobRecord, kind: Kind[Any, Any] | None) -> Any:
    if record.state != "succeeded":
        error = record.error
        reason = f": {error.type}: {error.message}" if error else ""
        raise JobFailed(f"{record.id} is {record.state}{reason}", job=record.id, state=record.state)
    return kind.read_output(record.output) if kind else record.output
