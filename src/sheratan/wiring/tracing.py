"""The way of spans from a server's telemetry to the collector of its settings."""

from __future__ import annotations

from functools import partial
from typing import Final

from sheratan.ambient.clock import Clock
from sheratan.ambient.randomness import Randomness
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.guards import GuardSettings
from sheratan.contracts.telemetry import TraceSettings
from sheratan.engine.telemetry import Telemetry
from sheratan.guards.guards import Guards
from sheratan.telemetry.outlet import Outlet

__all__ = ["Tracing"]

_GUARD: Final = "traces.endpoint"
"""The name of the collector's guard: that of the setting, which no dependency of a handler can have."""

_GRACE_SECONDS: Final = 1.0
"""What a call may take above its timeout, so that the exporter ends it and says why."""


class Tracing:
    """Spans are told in a thread, behind a guard. InvalidInput where what that takes is not installed."""

    def __init__(
        self,
        telemetry: Telemetry,
        settings: TraceSettings,
        clock: Clock,
        randomness: Randomness,
        resource: dict[str, str],
    ) -> None:
        try:
            from sheratan.telemetry.traces import Traces  # noqa: PLC0415 - an extra
        except ImportError:
            text = "it takes OpenTelemetry: pip install 'sheratan[otel]'"
            raise InvalidInput(text, field="traces.endpoint") from None
        timeout_seconds = settings.timeout_seconds + _GRACE_SECONDS
        guard = GuardSettings(concurrency=1, adaptive=False, timeout_seconds=timeout_seconds)
        self.guards = Guards({_GUARD: guard}, clock=clock, randomness=randomness, tell=telemetry.emit)
        drop = partial(telemetry.drop, "traces")
        traces = Traces(settings, partial(self.guards.guard, _GUARD), drop, resource)
        self._outlet = Outlet(telemetry, "traces", traces, traces.flush)
        telemetry.listen("traces", self._outlet, "debug", hears="spans")

    def stop(self) -> None:
        """Send what is left, for a short while at most. Not on the loop: the guard asks there."""
        self._outlet.stop()
