"""Answers from a stopped data directory: the reading half of the API, without a server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from sheratan.contracts import api
from sheratan.contracts.errors import Unavailable
from sheratan.contracts.jobs import JobRecord, QueueRecord
from sheratan.contracts.principal import DEFAULT_TENANT
from sheratan.engine.blockers import flow_records
from sheratan.engine.reads import READS, Look
from sheratan.engine.status import Facts, status
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
            api.WaitForJob: self._ended,
            api.ListQueues: self._queues,
            api.GetStatus: self._status,
        }

    async def call(self, request: api.Request, seconds: float | None = None) -> Any:
        """The answer to a request that only reads; Unavailable for any other."""
        wanted = type(request)
        if wanted not in READS and wanted not in self._answers:
            raise Unavailable(self._advice())
        # A server may start meanwhile.
        with self._reader.snapshot():
            return self._read(request) if wanted in READS else self._answers[wanted](request)

    def stream(self, request: api.Request) -> AsyncIterator[Any]:
        """Nothing happens on a stopped data directory."""
        raise Unavailable(self._advice())

    async def close(self) -> None:
        """Give the files back."""
        self._reader.close()

    def _advice(self) -> str:
        data = self._settings.data
        return f"no server runs on {data}; start one with `sheratan up --data {data}`"

    def _read(self, request: api.Request) -> Any:
        look = Look(self._reader, self._settings.limits, DEFAULT_TENANT, _now_us())
        return READS[type(request)](look, request)

    def _ended(self, request: api.WaitForJob) -> JobRecord:
        record: JobRecord = self._read(api.GetJob(id=request.id))
        if record.state not in TERMINAL_STATES:
            raise Unavailable(f"the job is {record.state}, and {self._advice()}")
        return record

    def _queues(self, request: api.ListQueues) -> list[QueueRecord]:
        flows = [
            one for one in flow_records(self._reader, DEFAULT_TENANT) if one.subject.startswith("queue:")
        ]
        return [
            QueueRecord(
                name=one.subject.removeprefix("queue:"),
                paused=one.paused,
                queued=one.queued,
                running=one.running,
                paused_reason=one.paused_reason,
                limits=one.limits,
            )
            for one in flows
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
            now_us=_now_us(),
        )
        return status(self._reader, facts)


def _now_us() -> int:
    return time.time_ns() // 1_000
