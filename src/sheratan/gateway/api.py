"""The API over an engine: requests in, answers out, whoever carries them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from sheratan.contracts import api
from sheratan.contracts.bulk import BulkRecord
from sheratan.contracts.code import versioned
from sheratan.contracts.errors import LimitReached, NotFound, Unavailable
from sheratan.contracts.ids import look_up_job_id, look_up_run_id
from sheratan.contracts.jobs import JobRecord, QueueRecord
from sheratan.contracts.journal import Entry
from sheratan.contracts.limits import LANES_MAX
from sheratan.contracts.principal import Principal
from sheratan.contracts.runs import RunRecord
from sheratan.contracts.worker import Assignment
from sheratan.engine import commands
from sheratan.engine.alerting import Alerting
from sheratan.engine.deadline import waited_for_until
from sheratan.engine.definition import prepare_schedule
from sheratan.engine.edits import prepare_edit
from sheratan.engine.engine import Engine
from sheratan.engine.measures import measure_engine, measure_store
from sheratan.engine.prepare import (
    Check,
    prepare,
    prepare_job,
    prepare_reports,
    prepare_signal,
    prepare_steps,
)
from sheratan.engine.prepare_gates import prepare_gated
from sheratan.engine.prepare_ledger import prepare_transfers
from sheratan.engine.prepare_proposals import prepare_proposals
from sheratan.engine.prepare_runs import prepare_fork, prepare_run
from sheratan.engine.reads import READS, Look
from sheratan.engine.search import check_filter
from sheratan.engine.status import facts_of, status
from sheratan.engine.timers import SESSION_SILENCE_US_MAX
from sheratan.engine.views import ended_record, queue_records
from sheratan.gateway.approvals import Decision, prepare_ask
from sheratan.gateway.archiving import Archiving
from sheratan.gateway.orders import ORDERS
from sheratan.gateway.watching import concerns, watched_entry
from sheratan.store.partition_rows import partition_of
from sheratan.store.port import Reader
from sheratan.store.rows import JobRow, Result
from sheratan.telemetry.exposition import expose

__all__ = ["Api"]

T = TypeVar("T")

_WATCH_ENTRIES_MAX = 10_000
"""Entries kept for a watcher that does not keep up; then its stream ends with an error, memory does not grow."""


class Api:
    """Every method of the API. Reads run on a thread of their own, each bounded in time."""

    def __init__(
        self,
        engine: Engine,
        reader: Reader,
        data: str,
        archiving: Archiving | None = None,
        alerting: Alerting | None = None,
    ) -> None:
        self._engine = engine
        self._reader = reader
        self._data = data
        self._archiving = archiving
        self._alerting = alerting
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="sheratan-reader")
        self._workers: dict[int, Principal] = {}
        self._watchers = 0
        self._closed = False
        self.checks: dict[str, Check] = {}
        self._handlers: dict[type[api.Request], Callable[[Any, Principal], Awaitable[Any]]] = {
            **dict.fromkeys(READS, self._look),
            **dict.fromkeys(ORDERS, self._order),
            api.SubmitJobs: self._submit,
            api.SubmitGated: self._submit_gated,
            api.RunJob: self._run,
            api.WaitForJob: self._wait,
            api.RetryJob: self._retry,
            api.ReplayJob: self._replay,
            api.StartBulk: self._start_bulk,
            api.SignalJob: self._signal,
            api.RunWorkflow: self._run_workflow,
            api.ForkRun: self._fork_run,
            api.WaitForRun: self._wait_for_run,
            api.ApplyTransfers: self._apply_transfers,
            api.ListQueues: self._queues,
            api.CreateSchedule: self._create_schedule,
            api.ListKinds: self._kinds,
            api.GetStatus: self._status,
            api.GetMetrics: self._metrics,
            api.RegisterWorker: self._register,
            api.LeaseJobs: self._lease,
            api.SettleJobs: self._settle,
            api.RecordSteps: self._record_steps,
            api.SpawnJobs: self._spawn,
            api.ProposeJobs: self._propose,
            api.WaitForStops: self._stops,
            api.HeartbeatWorker: self._heartbeat,
            api.EndWorker: self._end,
            api.AskApproval: self._ask_approval,
            api.ArchiveJournal: self._archive,
            api.KeepJournal: self._keep_journal,
            **dict.fromkeys((api.GetAlerting, api.TestAlerts), self._ask_alerting),
        }

    def handle(self, request: api.Request, by: Principal, sessions: Sequence[int] = ()) -> Awaitable[Any]:
        """The answer to a request; a refusal is raised as a SheratanError.

        `sessions` are the workers that are on duty over the same connection: what is decided there, they decide.
        """
        if sessions and isinstance(request, Decision):
            by = next((self._workers[one] for one in sessions if one in self._workers), by)
        return self._handlers[type(request)](request, by)

    def waited_for(self, timeout_us: int) -> AbstractContextManager[None]:
        """What is handled within it is waited for so long."""
        return waited_for_until(self._engine.monotonic_us() + timeout_us)

    async def stream(self, request: api.Request) -> AsyncGenerator[Any, None]:
        """The items of a stream."""
        assert isinstance(request, api.WatchEntries)
        if self._watchers >= self._engine.limits.watchers_max:
            raise LimitReached("too many live streams (limits.watchers_max)")
        subject = request.subject or ""
        number = look_up_job_id(subject).number if subject.startswith("job_") else None
        queue: asyncio.Queue[Entry] = asyncio.Queue(_WATCH_ENTRIES_MAX)
        end = self._engine.watch(lambda entry: None if queue.full() else queue.put_nowait(entry))
        self._watchers += 1
        try:
            while queue.qsize() < _WATCH_ENTRIES_MAX:
                entry = await queue.get()
                if concerns(entry, request.subject, number):
                    yield watched_entry(entry)
            raise Unavailable(f"the stream fell {_WATCH_ENTRIES_MAX} entries behind; open it again")
        finally:
            self._watchers -= 1
            end()

    async def close_session(self, session: int) -> None:
        """The connection of a worker has gone, and with it the worker."""
        by = self._workers.pop(session, None)
        if by is not None:
            await self._engine.close_session(session, by)

    def close(self) -> None:
        """Give the reader's thread back."""
        self._closed = True
        self._threads.shutdown()
        if self._archiving is not None:
            self._archiving.close()

    async def _read(self, function: Callable[[], T]) -> T:
        if self._closed:
            raise Unavailable("the engine has stopped")

        def read() -> T:
            # Commits go on meanwhile, and a job that moves from one table to another is in each at another instant.
            with self._reader.snapshot():
                return function()

        return await asyncio.get_running_loop().run_in_executor(self._threads, read)

    async def _look(self, request: api.Request, by: Principal) -> Any:
        engine, read = self._engine, READS[type(request)]
        look = Look(
            self._reader,
            engine.limits,
            by.tenant,
            engine.now_us(),
            engine.offered,
            by.actor,
            engine.unstored_state,
            engine.probes,
            engine.unwritten_alerts,
        )
        return await self._read(lambda: read(look, request))

    async def _order(self, request: api.Request, by: Principal) -> Any:
        return await self._engine.ask(ORDERS[type(request)](request), by)

    async def _submit(self, request: api.SubmitJobs, by: Principal) -> list[api.Receipt]:
        jobs = prepare(request.jobs, self._engine.kinds, self._engine.limits)
        command = commands.Submit(jobs=jobs, by_job=request.by_job, fence=request.fence)
        receipts = await self._engine.ask(command, by)
        return [api.Receipt(id=public_id, existing=existing) for public_id, existing in receipts]

    async def _submit_gated(self, request: api.SubmitGated, by: Principal) -> api.Receipt:
        command = prepare_gated(request, self._engine.kinds, self._engine.limits)
        receipt: api.Receipt = await self._engine.ask(command, by)
        return receipt

    async def _run(self, request: api.RunJob, by: Principal) -> JobRecord:
        job = prepare_job(request.job, self._engine.kinds, self._engine.limits)
        public_id, ended = await self._engine.run(commands.Submit(jobs=(job,)), by, request.timeout_seconds)
        return self._at_hand(public_id, ended) or await self._look(api.GetJob(id=public_id), by)

    def _at_hand(self, public_id: str, ended: tuple[JobRow, Result] | None) -> JobRecord | None:
        """The record of a job that has just ended, where its rows say it all."""
        if ended is None:
            return None
        job, result = ended
        # An error, or a large output, is kept apart from these rows.
        if result.state != "succeeded" or result.payload is not None:
            return None
        state, name = self._engine.state, None
        if job.lane > LANES_MAX:
            name = state.partitions.name_at_hand(partition_of(job.lane))
            if name is None:
                return None
        return ended_record(public_id, job, state.lane_of(job), result, name)

    async def _wait(self, request: api.WaitForJob, by: Principal) -> JobRecord:
        address = look_up_job_id(request.id)
        ended = await self._engine.wait_end(address, request.timeout_seconds)
        return self._at_hand(request.id, ended) or await self._look(api.GetJob(id=request.id), by)

    async def _retry(self, request: api.RetryJob, by: Principal) -> api.Receipt:
        command = commands.RetryJob(id=request.id, poison=request.poison)
        return api.Receipt(id=await self._engine.ask(command, by))

    async def _replay(self, request: api.ReplayJob, by: Principal) -> api.Receipt:
        edit, kinds, limits, edited = request.edit, self._engine.kinds, self._engine.limits, None
        if edit is not None:
            edited = await self._read(lambda: prepare_edit(self._reader, request.id, edit, kinds, limits))
        command = commands.Replay(id=request.id, edited=edited, poison=request.poison, reason=request.reason)
        return api.Receipt(id=await self._engine.ask(command, by))

    async def _start_bulk(self, request: api.StartBulk, by: Principal) -> BulkRecord:
        check_filter(request.filter)
        command = commands.StartBulk(
            action=request.action,
            filter=request.filter,
            limit=request.limit,
            poison=request.poison,
            reason=request.reason,
        )
        entry: int = await self._engine.ask(command, by)
        record: BulkRecord = await self._look(api.GetBulk(id=f"bulk:{entry}"), by)
        return record

    async def _signal(self, request: api.SignalJob, by: Principal) -> Any:
        value = prepare_signal(request.value, self._engine.limits)
        return await self._engine.ask(commands.SendSignal(id=request.id, name=request.name, value=value), by)

    async def _run_workflow(self, request: api.RunWorkflow, by: Principal) -> api.RunReceipt:
        engine = self._engine
        command = prepare_run(request.workflow, request.input, engine.kinds, engine.limits, request.key)
        public_id, existing = await engine.ask(command, by)
        return api.RunReceipt(id=public_id, existing=existing)

    async def _fork_run(self, request: api.ForkRun, by: Principal) -> api.RunReceipt:
        command = prepare_fork(request, self._engine.kinds, self._engine.limits)
        public_id, existing = await self._engine.ask(command, by)
        return api.RunReceipt(id=public_id, existing=existing)

    async def _wait_for_run(self, request: api.WaitForRun, by: Principal) -> RunRecord:
        await self._engine.wait_run_end(look_up_run_id(request.id).number, request.timeout_seconds)
        record: RunRecord = await self._look(api.GetRun(id=request.id), by)
        return record

    async def _apply_transfers(self, request: api.ApplyTransfers, by: Principal) -> Any:
        return await self._engine.ask(prepare_transfers(request, self._engine.limits), by)

    async def _queues(self, request: api.ListQueues, by: Principal) -> list[QueueRecord]:
        return queue_records(self._engine.state, by.tenant)

    async def _create_schedule(self, request: api.CreateSchedule, by: Principal) -> Any:
        engine = self._engine
        command = prepare_schedule(request.schedule, engine.kinds, engine.limits, replaces=request.replace)
        return await engine.ask(command, by)

    async def _kinds(self, request: api.ListKinds, by: Principal) -> Any:
        return self._engine.kinds.all()

    async def _status(self, request: api.GetStatus, by: Principal) -> api.EngineStatus:
        engine = self._engine
        archive_problem = None if self._archiving is None else self._archiving.problem
        problems = [] if self._alerting is None else self._alerting.problems
        facts = facts_of(engine, self._data, archive_problem, problems)
        return await self._read(lambda: status(self._reader, facts))

    async def _metrics(self, request: api.GetMetrics, by: Principal) -> str:
        asked_us = self._engine.monotonic_us()
        await asyncio.sleep(0)
        lag_us = self._engine.monotonic_us() - asked_us
        known = measure_engine(self._engine)
        known["sheratan_loop_lag_seconds"] = [((), lag_us / 1_000_000)]
        return await self._read(lambda: expose(known | measure_store(self._reader)))

    async def _register(self, request: api.RegisterWorker, by: Principal) -> api.WorkerSession:
        for kind in request.registration.kinds:
            self._engine.kinds.declare(kind, self.checks.get(versioned(kind.name, kind.version)))
        local = by.auth == "embedded"
        command = commands.RegisterWorker(registration=request.registration, local=local)
        session: int = await self._engine.ask(command, by)
        self._engine.open_stops(session)
        subject = f"worker:{request.registration.name}/{session}"
        self._workers[session] = Principal(
            actor=subject, auth=by.auth, on_behalf_of=by.on_behalf_of, tenant=by.tenant
        )
        heartbeat_seconds = None if local else SESSION_SILENCE_US_MAX / 1_000_000 / 3
        return api.WorkerSession(session=session, heartbeat_seconds=heartbeat_seconds)

    def _worker(self, session: int) -> Principal:
        principal = self._workers.get(session)
        if principal is None:
            raise NotFound(f"there is no worker session {session}; register again", field="session")
        return principal

    async def _lease(self, request: api.LeaseJobs, by: Principal) -> list[Assignment]:
        worker = self._worker(request.session)
        command = commands.LeaseJobs(session=request.session, slots=request.slots)
        answer: list[Assignment] = await self._engine.ask(command, worker)
        return answer

    async def _settle(self, request: api.SettleJobs, by: Principal) -> Any:
        worker = self._worker(request.session)
        reports = prepare_reports(request.reports, self._engine.limits)
        return await self._engine.ask(commands.Settle(session=request.session, reports=reports), worker)

    async def _record_steps(self, request: api.RecordSteps, by: Principal) -> Any:
        worker = self._worker(request.session)
        steps = prepare_steps(request.steps, self._engine.limits)
        return await self._engine.ask(commands.RecordSteps(steps=steps), worker)

    async def _spawn(self, request: api.SpawnJobs, by: Principal) -> Any:
        command = commands.Spawn(
            number=request.number,
            fence=request.fence,
            step=request.step,
            name=request.name,
            occurrence=request.occurrence,
            jobs=prepare(request.jobs, self._engine.kinds, self._engine.limits),
        )
        return await self._engine.ask(command, self._worker(request.session))

    async def _propose(self, request: api.ProposeJobs, by: Principal) -> Any:
        command = prepare_proposals(request, self._engine.kinds, self._engine.limits)
        return await self._engine.ask(command, self._worker(request.session))

    async def _ask_approval(self, request: api.AskApproval, by: Principal) -> Any:
        command = prepare_ask(request, self._engine.limits)
        return await self._engine.ask(command, self._worker(request.session))

    async def _archive(self, request: api.ArchiveJournal, by: Principal) -> Any:
        return await self._archiving_here().archive(request, by)

    async def _keep_journal(self, request: api.KeepJournal, by: Principal) -> int:
        return await self._archiving_here().keep(request, by)

    def _archiving_here(self) -> Archiving:
        if self._archiving is None:
            raise Unavailable("there is no archive here: the journal is in memory")
        return self._archiving

    async def _ask_alerting(self, request: api.GetAlerting | api.TestAlerts, by: Principal) -> Any:
        if self._alerting is None:
            raise Unavailable("nothing is watched here")
        return await self._alerting.answer(request)

    async def _stops(self, request: api.WaitForStops, by: Principal) -> Any:
        return await self._engine.wait_stops(request.session)

    async def _heartbeat(self, request: api.HeartbeatWorker, by: Principal) -> None:
        command = commands.Heartbeat(session=request.session, breakers=request.breakers)
        await self._engine.ask(command, self._worker(request.session))

    async def _end(self, request: api.EndWorker, by: Principal) -> None:
        await self.close_session(request.session)
