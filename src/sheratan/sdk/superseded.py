"""Waiting for a job, and for the one that takes its place."""

from __future__ import annotations

import asyncio
from typing import Final

from sheratan.contracts import api
from sheratan.contracts.jobs import JobRecord
from sheratan.contracts.values import convert

__all__ = ["wait_through"]

_SHORTEST_SECONDS: Final = 0.001


async def wait_through(transport: api.Transport, job_id: str, timeout_seconds: float | None) -> JobRecord:
    """A job once it has ended or, where others have taken its place, the last of these; TimedOut as for one wait."""
    now = asyncio.get_running_loop().time
    wanted = convert({"id": job_id, "timeout_seconds": timeout_seconds}, api.WaitForJob)
    until = None if timeout_seconds is None else now() + timeout_seconds
    while True:
        record: JobRecord = await transport.call(wanted)
        if record.superseded_by is None:
            return record
        left = None if until is None else max(until - now(), _SHORTEST_SECONDS)
        wanted = api.WaitForJob(id=record.superseded_by, timeout_seconds=left)
