"""Spans to a collector of OpenTelemetry, by OTLP over HTTP. Only loaded where an endpoint is set: it is an extra."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from sheratan.contracts import telemetry as contract
from sheratan.contracts.telemetry import Event, SpanEnded, TraceSettings
from sheratan.telemetry.tellable import tellable

__all__ = ["Traces"]

SPANS_AT_ONCE: Final = 512
_AGE_US_MAX: Final = 1_000_000
"""How long a span waits for others to be sent with."""

_KINDS: Final[dict[contract.SpanKind, SpanKind]] = {
    "internal": SpanKind.INTERNAL,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}

# The exporter tells of each failure in a log of its own, for which nobody has asked: the guard tells of it.
logging.getLogger("opentelemetry.exporter").addHandler(logging.NullHandler())
logging.getLogger("opentelemetry.exporter").propagate = False


class Traces:
    """A listener in a thread of its own that gathers spans and sends them. What cannot be sent is dropped, and counted.

    Headers, certificates and compression are those of the `OTEL_EXPORTER_OTLP_…` variables.
    """

    def __init__(
        self,
        settings: TraceSettings,
        guard: Callable[[], AbstractContextManager[object]],
        drop: Callable[[int], None],
        resource: dict[str, str],
    ) -> None:
        self._guard = guard
        self._drop = drop
        # It tries again by itself, for less than the guard lets a call take.
        self._exporter = OTLPSpanExporter(endpoint=settings.endpoint, timeout=settings.timeout_seconds)
        self._resource = Resource({"service.name": "sheratan", **resource})
        self._scope = InstrumentationScope("sheratan", resource.get("service.version"))
        self._spans: list[ReadableSpan] = []
        self._first_us = 0

    def __call__(self, event: Event) -> None:
        """Take a span, and send what has come together."""
        if type(event) is not SpanEnded:
            return
        if not self._spans:
            self._first_us = event.at_us
        self._spans.append(self._made(event))
        if len(self._spans) >= SPANS_AT_ONCE or event.at_us - self._first_us >= _AGE_US_MAX:
            self.flush()

    def flush(self) -> None:
        """Send what is there."""
        if not self._spans:
            return
        spans = self._spans.copy()
        self._spans.clear()
        try:
            with self._guard():
                if self._exporter.export(spans) is not SpanExportResult.SUCCESS:
                    raise ConnectionError("the collector did not take them")
        except Exception:
            # Whatever it is, the next ones may go through; that these are lost is counted.
            self._drop(len(spans))

    def _made(self, event: SpanEnded) -> ReadableSpan:
        return ReadableSpan(
            name=tellable(event.name),
            context=_context(event.trace, event.span),
            parent=None if event.parent is None else _context(event.trace, event.parent),
            resource=self._resource,
            attributes={
                name: tellable(value) if type(value) is str else value
                for name, value in {**event.attributes, **_error(event)}.items()
            },
            links=[Link(_context(*link)) for link in event.links],
            kind=_KINDS[event.kind],
            status=Status(StatusCode.UNSET if event.error is None else StatusCode.ERROR),
            start_time=event.began_us * 1_000,
            end_time=event.at_us * 1_000,
            instrumentation_scope=self._scope,
        )


def _error(event: SpanEnded) -> dict[str, str]:
    return {} if event.error is None else {"error.type": event.error}


def _context(trace: str, span: str) -> SpanContext:
    return SpanContext(int(trace, 16), int(span, 16), is_remote=False, trace_flags=TraceFlags(1))
