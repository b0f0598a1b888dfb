"""What a client may ask about alerts."""

from __future__ import annotations

from sheratan.contracts.alerts import (
    AlertingRecord,
    AlertRecord,
    GetAlerting,
    ListAlerts,
    TestAlerts,
    TestResult,
)
from sheratan.contracts.api import Transport
from sheratan.contracts.values import convert

__all__ = ["AlertCalls"]


class AlertCalls:
    """The part of a client that sees alerts, and who is told of them."""

    _transport: Transport

    async def alerts(self, *, cleared: bool = False) -> list[AlertRecord]:
        """The alerts that are open, by subject; with `cleared`, those that were cleared, too."""
        records: list[AlertRecord] = await self._transport.call(ListAlerts(all=cleared))
        return records

    async def alerting(self) -> AlertingRecord:
        """What the server watches, and how those are doing who are told; Unavailable where nothing is watched."""
        record: AlertingRecord = await self._transport.call(GetAlerting())
        return record

    async def test_alerts(self, target: str | None = None) -> list[TestResult]:
        """Send a test notice to a target, or to all of them; NotFound where there is no such target."""
        request = convert({"target": target}, TestAlerts)
        results: list[TestResult] = await self._transport.call(request)
        return results
