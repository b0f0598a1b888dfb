"""Traces at a real collector: a server that takes what the exporter posts, read by the official messages."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from sheratan import Client, Context, Fatal, JobFailed, Retryable, job
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.telemetry import TraceSettings
from sheratan.contracts.tracing import attempt_span, submit_span, trace_of
from sheratan.settings import LogSettings, MetricsSettings, Settings
from sheratan.wiring.server import Server

SECONDS_MAX = 60
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
SECRET = "correct-horse-battery"


class Collector:
    """Takes spans, or does what a test wants instead."""

    def __init__(self) -> None:
        self.status = 200
        self.silent: threading.Event | None = None
        self.requests: list[ExportTraceServiceRequest] = []
        self.bodies = b""
        self.refused = threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if collector.silent is not None:
                    collector.refused.set()
                    collector.silent.wait()
                if collector.status == 200:
                    request = ExportTraceServiceRequest()
                    request.ParseFromString(body)
                    collector.requests.append(request)
                    collector.bodies += body
                else:
                    collector.refused.set()
                self.send_response(collector.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}/v1/traces"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        if self.silent is not None:
            self.silent.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def traced(
    folder: Path, endpoint: str, scenario: Callable[[Client, Server], Awaitable[None]], **given: Any
) -> None:
    """Run a server that sends its traces there, until it has stopped."""

    async def whole() -> None:
        async with asyncio.timeout(SECONDS_MAX):
            server = Server(Settings(data=str(folder / "data")), program="a test")
            traces = TraceSettings(endpoint=endpoint, **given)
            server.observe(LogSettings(file=str(folder / "log")), MetricsSettings(), traces)
            try:
                await server.start([parent, child, plain, stubborn])
                await scenario(server.client(), server)
            finally:
                await server.stop(1, "the test is over")

    asyncio.run(whole())


def attributes(span: Span) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value") or "") for one in span.attributes}


@job
async def child(given: str) -> str:
    return given


@job
async def plain(ctx: Context, given: str) -> str:
    return ctx.traceparent


@job(attempts_max=2, backoff_base_seconds=0.001, backoff_max_seconds=0.001)
async def parent(ctx: Context, given: str) -> list[str]:
    """Do everything that is seen in a trace, and fail the first time."""

    async def stepped() -> str:
        return given

    await ctx.step("fetch", stepped)
    async with ctx.guard("stripe"):
        pass
    await ctx.gather(await ctx.spawn("child", given))
    if ctx.attempt == 1:
        raise Retryable(f"not yet, {given}")
    return [ctx.traceparent]


@job(attempts_max=1)
def stubborn(ctx: Context, given: str) -> None:
    with ctx.guard("stripe"):
        raise Fatal(given)


def test_one_trace_goes_from_the_caller_through_all_attempts_and_what_they_do(
    tmp_path: Path, collector: Collector
) -> None:
    found: dict[str, Any] = {}

    async def scenario(client: Client, server: Server) -> None:
        handle = await client.submit(parent, SECRET, traceparent=TRACEPARENT)
        found["id"], found["output"] = handle.id, await handle.result()
        found["trace"] = (await client.job(handle.id)).trace
        found["why"] = [told.text for told in (await client.why(handle.id)).lines]

    traced(tmp_path, collector.endpoint, scenario)
    job_id = found["id"]
    assert found["trace"] == TRACE
    assert any(f"It goes on with trace {TRACE}." in text for text in found["why"])
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE}
    submit, second = submit_span(job_id), attempt_span(job_id, 2)
    assert found["output"] == [f"00-{TRACE}-{second}-01"]

    [submitted] = collector.named("submit parent")
    assert (submitted.span_id.hex(), submitted.parent_span_id.hex()) == (submit, CALLER)
    assert submitted.kind == Span.SPAN_KIND_PRODUCER
    assert attributes(submitted)["messaging.message.id"] == job_id

    attempts = {attributes(span)["sheratan.outcome"]: span for span in collector.named("attempt parent")}
    assert set(attempts) == {"waiting", "retried", "succeeded"}
    first = attempts["retried"]
    assert (first.span_id.hex(), first.parent_span_id.hex()) == (attempt_span(job_id, 1), submit)
    assert first.status.code == 2
    assert attributes(first)["error.type"] == "Retryable"
    assert [link.span_id for link in first.links] == []
    last = attempts["succeeded"]
    assert (last.span_id.hex(), last.parent_span_id.hex()) == (second, submit)
    assert [(link.trace_id.hex(), link.span_id) for link in last.links] == [(TRACE, first.span_id)]
    assert last.status.code == 0
    # What it was until it waited is a part of the attempt.
    assert attempts["waiting"].parent_span_id == first.span_id
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in collector.spans)

    [step] = collector.named("step fetch of parent")
    assert step.parent_span_id == first.span_id
    calls = collector.named("call stripe")
    assert {span.parent_span_id for span in calls} == {first.span_id, last.span_id}
    assert {span.kind for span in calls} == {Span.SPAN_KIND_CLIENT}
    [spawned] = collector.named("submit child")
    assert spawned.parent_span_id == first.span_id
    [worked] = collector.named("attempt child")
    assert worked.parent_span_id == spawned.span_id
    assert len({span.span_id for span in collector.spans}) == len(collector.spans)
    [resource] = {str(one.resource) for request in collector.requests for one in request.resource_spans}
    assert "service.name" in resource
    assert "sheratan" in resource
    assert SECRET.encode() not in collector.bodies


def test_a_job_without_a_caller_has_a_trace_of_its_own_and_children_are_linked(
    tmp_path: Path, collector: Collector
) -> None:
    found: dict[str, Any] = {}

    async def scenario(client: Client, server: Server) -> None:
        handle = await client.submit(parent, "x")
        await handle.result()
        found["id"], found["trace"] = handle.id, (await client.job(handle.id)).trace
        found["own"] = await client.run(plain, "x")
        with pytest.raises(JobFailed):
            await client.run(stubborn, "x")
        cancelled = await client.submit(plain, "x", delay_seconds=3_600)
        await client.cancel(cancelled.id, reason="not wanted")

    traced(tmp_path, collector.endpoint, scenario)
    trace = trace_of(found["id"], None)
    assert found["trace"] == trace.id
    [submitted] = collector.named("submit parent")
    assert (submitted.trace_id.hex(), submitted.parent_span_id) == (trace.id, b"")
    [spawned] = collector.named("submit child")
    assert spawned.trace_id != submitted.trace_id
    assert [(one.trace_id, one.span_id) for one in spawned.links] == [(submitted.trace_id, submitted.span_id)]
    [own, _] = collector.named("submit plain")
    assert found["own"].split("-")[1] == own.trace_id.hex()
    [ended] = collector.named("end plain")
    assert attributes(ended)["sheratan.outcome"] == "cancelled"
    [failed] = collector.named("attempt stubborn")
    [call] = [span for span in collector.named("call stripe") if span.trace_id == failed.trace_id]
    assert (call.status.code, failed.status.code) == (2, 2)
    assert attributes(call)["error.type"] == "declined"


def test_who_does_not_want_a_trace_kept_is_not_told_of(tmp_path: Path, collector: Collector) -> None:
    async def scenario(client: Client, server: Server) -> None:
        unwanted = TRACEPARENT[:-1] + "0"
        handle = await client.submit(parent, "x", traceparent=unwanted)
        [told] = await handle.result()
        assert told == f"00-{TRACE}-{attempt_span(handle.id, 2)}-00"

    traced(tmp_path, collector.endpoint, scenario)
    assert collector.spans == []


def test_after_a_restart_the_trace_goes_on(tmp_path: Path, collector: Collector) -> None:
    found: list[str] = []

    async def submits(client: Client, server: Server) -> None:
        found.append((await client.submit(plain, "x", traceparent=TRACEPARENT, delay_seconds=0.5)).id)

    async def ends(client: Client, server: Server) -> None:
        ended = await client.wait(found[0])
        assert ended.output == f"00-{TRACE}-{attempt_span(found[0], 1)}-01"

    traced(tmp_path, collector.endpoint, submits)
    traced(tmp_path, collector.endpoint, ends)
    [submitted] = collector.named("submit plain")
    [attempt] = collector.named("attempt plain")
    assert attempt.parent_span_id == submitted.span_id


@pytest.mark.parametrize("how", ["refuses", "is silent", "is not there"])
def test_a_collector_that_fails_harms_nobody_and_what_it_loses_is_counted(
    tmp_path: Path, collector: Collector, how: str
) -> None:
    collector.status = 500 if how == "refuses" else 200
    collector.silent = threading.Event() if how == "is silent" else None
    endpoint = "http://127.0.0.1:1/v1/traces" if how == "is not there" else collector.endpoint
    dropped = {}

    async def scenario(client: Client, server: Server) -> None:
        for _ in range(5):
            await client.run(plain, "x")
        if how != "is not there":
            await asyncio.to_thread(collector.refused.wait)
        await client.run(plain, "x")
        dropped["counts"] = server.engine.telemetry.dropped

    traced(tmp_path, endpoint, scenario, timeout_seconds=0.2)
    assert collector.spans == []
    assert dropped["counts"]["traces"] > 0


def test_a_collector_that_fails_again_and_again_is_left_alone(tmp_path: Path, collector: Collector) -> None:
    collector.status = 400

    async def scenario(client: Client, server: Server) -> None:
        assert server._tracing is not None
        traces = server._tracing._outlet._listener
        for _ in range(8):
            await client.run(plain, "x")
            await asyncio.to_thread(traces.flush)  # type: ignore[attr-defined]
        [guard] = [one for one in (await client.status()).guards if one.dependency == "traces.endpoint"]
        assert guard.state == "open"
        assert guard.calls["failed"] == 5

    traced(tmp_path, collector.endpoint, scenario)


def test_without_the_extra_the_setting_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(client: Client, server: Server) -> None:
        raise AssertionError("it has started")

    monkeypatch.setitem(sys.modules, "sheratan.telemetry.traces", None)
    with pytest.raises(InvalidInput, match=r"pip install 'sheratan\[otel\]'") as caught:
        traced(tmp_path, "http://127.0.0.1:1", scenario)
    assert caught.value.field == "traces.endpoint"


def test_unless_asked_for_nobody_makes_spans(tmp_path: Path) -> None:
    async def scenario(client: Client, server: Server) -> None:
        await client.run(plain, "x")
        assert not server.engine.telemetry._has_spans
        assert "sheratan-traces" not in {thread.name for thread in threading.enumerate()}

    traced(tmp_path, "", scenario)
