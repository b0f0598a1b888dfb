"""Answers from a stopped data directory: the reading half of the API, without a server."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from sheratan.contracts import api
from sheratan.contracts.errors import Unavailable
from sheratan.contracts.jobs import JobRecord, QueueRecord
from sheratan.engine.explain import story
from sheratan.engine.status import Facts, status
from sheratan.engine.views import find_view, job_record, list_records, step_records
from sheratan.kernel.lifecycle import TERMINAL_STATES

if TYPE_CHECKING:
    from sheratan.engine.views import Reader
    from sheratan.settings import Settings

__all__ = ["OfflineTransport"]


class OfflineTransport:
    """The requests that only read, over a reader. Everything else needs a server."""

    def __init__(self, reader: Reader, settings: Settings, version: str) -> None:
        self._reader = reader
        self._settings = settings
        self._version = version
        self._answers: dict[type[api.Request], Callable[[Any], Any]] = {
            api.GetJob: self._job,
            api.WaitForJob: self._ended,
            api.ListJobs: lambda request: list_records(reader, request, settings.limits),
            api.ListSteps: lambda request: step_records(reader, request),
            api.ListQueues: self._queues,
            api.TellWhy: lambda request: story(reader, request.id),
            api.GetStatus: self._status,
        }

    async def call(self, request: api.Request) -> Any:
        """The answer to a request that only reads; Unavailable for any other."""
        answer = self._answers.get(type(request))
        if answer is None:
            raise Unavailable(self._advice())
        return answer(request)

    def stream(self, request: api.Request) -> AsyncIterator[Any]:
        """Nothing happens on a stopped data directory."""
        raise Unavailable(self._advice())

    async def close(self) -> None:
        """Give the files back."""
        self._reader.close()

    def _advice(self) -> str:
        data = self._settings.data
        return f"no server runs on {data}; start one with `sheratan up --data {data}`"

    def _job(self, request: api.GetJob) -> JobRecord:
        return job_record(self._reader, find_view(self._reader, request.id))

    def _ended(self, request: api.WaitForJob) -> JobRecord:
        record = self._job(api.GetJob(id=request.id))
        if record.state not in TERMINAL_STATES:
            raise Unavailable(f"the job is {record.state}, and {self._advice()}")
        return record

    def _queues(self, request: api.ListQueues) -> list[QueueRecord]:
        reader = self._reader
        lanes = {lane.lane: lane.queue for lane in reader.lanes()}
        queued: Counter[str] = Counter()
        for lane, count in reader.ready_counts():
            queued[lanes[lane]] += count
        running = Counter(lanes[job.lane] for job in reader.jobs([lease.number for lease in reader.leases()]))
        paused = {row.queue: row for row in reader.queues() if row.paused}
        names = {*lanes.values(), *(row.queue for row in reader.queues())}
        return [
            QueueRecord(
                name=name,
                paused=name in paused,
                queued=queued[name],
                running=running[name],
                paused_reason=paused[name].reason if name in paused else None,
            )
            for name in sorted(names)
        ]

    def _status(self, request: api.GetStatus) -> api.EngineStatus:
        facts = Facts(
            ready=False,
            problems=[self._advice()],
            version=self._version,
            pid=None,
            data=self._settings.data,
            workers=[],
            limits=None,
        )
        return status(self._reader, facts)
