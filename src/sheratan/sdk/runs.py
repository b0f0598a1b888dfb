"""Runs of workflows, as a client follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheratan.contracts.api import RunReceipt, Story
from sheratan.contracts.errors import JobFailed

if TYPE_CHECKING:
    from sheratan.contracts.runs import RunRecord
    from sheratan.sdk.client import Client

__all__ = ["RunHandle"]


class RunHandle:
    """A run of a workflow that has begun."""

    def __init__(self, client: Client, receipt: RunReceipt) -> None:
        self.id = receipt.id
        self.existing = receipt.existing
        """Whether its idempotency key had made it before."""
        self._client = client

    def __repr__(self) -> str:
        return f"<run {self.id}>"

    async def record(self) -> RunRecord:
        """The run as it stands, with its nodes."""
        return await self._client.workflow_run(self.id)

    async def result(self, timeout_seconds: float | None = None) -> Any:
        """The run's output once it has succeeded; JobFailed when it ends otherwise, TimedOut when that takes too long.

        A run that is blocked waits for a person, so waiting for it ends only with the time given.
        """
        record = await self._client.wait_for_run(self.id, timeout_seconds=timeout_seconds)
        if record.state != "succeeded":
            raise JobFailed(
                f"{record.id} is {record.state}: {record.reason}", run=record.id, state=record.state
            )
        return record.output

    async def cancel(self, reason: str = "", *, keeps: bool = False) -> str:
        """Cancel the run; what it has done is compensated first, unless `keeps` is true."""
        return await self._client.cancel_run(self.id, reason, keeps=keeps)

    async def why(self) -> Story:
        """The story of the run."""
        return await self._client.why(self.id)
