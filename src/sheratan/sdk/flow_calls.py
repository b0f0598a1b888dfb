"""What a client may do about the starts of jobs: pauses and limits of queues, kinds and its tenant."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sheratan.contracts import api
from sheratan.contracts.flow import FlowLimits, FlowRecord
from sheratan.contracts.values import convert

__all__ = ["FlowCalls"]

_LIMITS: Final[dict[str, type[api.Request]]] = {
    "queue": api.LimitQueue,
    "kind": api.LimitKind,
    "tenant": api.LimitTenant,
}


class FlowCalls:
    """The part of a client that says which jobs start, how many of them run and how quickly they start."""

    _transport: api.Transport

    async def pause(self, queue: str, reason: str = "") -> bool:
        """Start no more jobs of a queue; False when it was paused already."""
        return await self._change({"queue": queue, "reason": reason}, api.PauseQueue)

    async def resume(self, queue: str) -> bool:
        """Start jobs of a queue again; False when it was not paused."""
        return await self._change({"queue": queue}, api.ResumeQueue)

    async def limit(self, queue: str, limits: FlowLimits, reason: str = "") -> int:
        """Set the limits of a queue, all of them at once; returns the journal entry that records it."""
        return await self._limit("queue", queue, limits, reason)

    async def pause_kind(self, kind: str, reason: str = "") -> bool:
        """Start no more jobs of a kind, in whatever queue; False when it was paused already."""
        return await self._change({"kind": kind, "reason": reason}, api.PauseKind)

    async def resume_kind(self, kind: str) -> bool:
        """Start jobs of a kind again; False when it was not paused."""
        return await self._change({"kind": kind}, api.ResumeKind)

    async def limit_kind(self, kind: str, limits: FlowLimits, reason: str = "") -> int:
        """Set the limits of a kind, all of them at once; returns the journal entry that records it."""
        return await self._limit("kind", kind, limits, reason)

    async def pause_tenant(self, tenant: str, reason: str = "") -> bool:
        """Start no more jobs of the tenant that the caller acts for; False when it was paused already."""
        return await self._change({"tenant": tenant, "reason": reason}, api.PauseTenant)

    async def resume_tenant(self, tenant: str) -> bool:
        """Start jobs of the tenant again that the caller acts for; False when it was not paused."""
        return await self._change({"tenant": tenant}, api.ResumeTenant)

    async def limit_tenant(self, tenant: str, limits: FlowLimits, reason: str = "") -> int:
        """Set the limits of the tenant that the caller acts for; returns the journal entry that records it."""
        return await self._limit("tenant", tenant, limits, reason)

    async def flows(self) -> list[FlowRecord]:
        """Every queue, kind and tenant that has been used, paused or limited, with its limits."""
        flows: list[FlowRecord] = await self._transport.call(api.ListFlows())
        return flows

    async def _change(self, wanted: dict[str, Any], request: type[api.Request]) -> bool:
        changed: bool = await self._transport.call(convert(wanted, request))
        return changed

    async def _limit(self, what: str, name: str, limits: FlowLimits, reason: str) -> int:
        wanted = {what: name, "limits": msgspec.to_builtins(limits), "reason": reason}
        entry: int = await self._transport.call(convert(wanted, _LIMITS[what]))
        return entry
