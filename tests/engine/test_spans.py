"""What a committed batch adds to the traces of its jobs, and which trace a job is in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.jobs import Options, Submission
from sheratan.contracts.schedules import Schedule
from sheratan.contracts.telemetry import Event, SpanEnded
from sheratan.contracts.tracing import attempt_span, pack, submit_span, trace_of, unpack
from sheratan.contracts.worker import Report
from sheratan.engine import commands
from sheratan.engine.definition import prepare_schedule
from sheratan.engine.prepare import prepare, prepare_reports
from sheratan.engine.spans import spans_of
from sheratan.engine.verify import verify
from tests.engine.retaining import DAY, done, keep, stands
from tests.engine.running import Running, running_engine
from tests.engine.world import PERSON, SECOND, Answer, World

SECONDS_MAX = 60
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"


def run(folder: Path, scenario: Callable[[Running], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(SECONDS_MAX), running_engine(folder) as running:
            await scenario(running)
            assert running.engine.telemetry.dropped == {}
            assert verify(running.store).problems == []

    asyncio.run(bounded())


def spans(running: Running) -> list[SpanEnded]:
    """Every span from now on."""
    heard: list[SpanEnded] = []

    def hear(event: Event) -> None:
        if type(event) is SpanEnded:
            heard.append(event)

    running.engine.telemetry.listen("spans", hear, "debug", hears="spans")
    return heard


def test_a_traceparent_is_kept_in_25_bytes_whatever_its_version() -> None:
    assert len(pack(TRACEPARENT)) == 25
    assert unpack(pack(TRACEPARENT)) == TRACEPARENT
    assert unpack(pack("cc" + TRACEPARENT[2:])) == TRACEPARENT


def test_ids_follow_from_the_job_and_differ_from_each_other() -> None:
    trace = trace_of("job_1", None)
    assert trace == trace_of("job_1", None) != trace_of("job_2", None)
    assert (len(trace.id), trace.flags, trace.parent, trace.is_sampled) == (32, "01", None, True)
    given = trace_of("job_1", TRACEPARENT[:-1] + "2")
    assert (given.id, given.parent, given.is_sampled) == (TRACE, CALLER, False)
    ids = {submit_span("job_1"), submit_span("job_2"), *(attempt_span("job_1", n) for n in range(3))}
    assert len(ids) == 5
    assert trace.parent_of(submit_span("job_1")) == f"00-{trace.id}-{submit_span('job_1')}-01"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        TRACEPARENT.upper(),
        "ff" + TRACEPARENT[2:],
        TRACEPARENT + "-00",
        f"00-{'0' * 32}-{CALLER}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        TRACEPARENT[:-1],
    ],
)
def test_what_is_no_traceparent_is_refused(tmp_path: Path, wrong: str) -> None:
    async def scenario(running: Running) -> None:
        wanted = Submission(kind="work", options=Options(traceparent=wrong))
        with pytest.raises(InvalidInput) as caught:
            prepare((wanted,), running.engine.kinds, running.engine.limits)
        assert caught.value.field == "traceparent"

    run(tmp_path, scenario)


def test_a_key_stands_for_the_same_job_in_whatever_trace_it_is_asked_for_again(tmp_path: Path) -> None:
    async def scenario(running: Running) -> None:
        first = await running.submit(key="k", traceparent=TRACEPARENT)
        assert await running.submit(key="k", traceparent=f"00-{'a' * 32}-{'b' * 16}-01") == first
        assert await running.submit(key="k") == first
        [given] = await running.lease(await running.register())
        assert given.traceparent == TRACEPARENT

    run(tmp_path, scenario)


def test_what_a_job_submits_is_in_the_trace_that_a_caller_has_given_it(tmp_path: Path) -> None:
    async def scenario(running: Running) -> None:
        heard, session = spans(running), await running.register()
        for traceparent in (TRACEPARENT, None):
            await running.submit(traceparent=traceparent)
        traced, own = await running.lease(session, slots=2)
        for parent in (traced, own):
            submit = running.submission()
            await running.ask(commands.Submit(jobs=submit.jobs, by_job=parent.number, fence=parent.fence))
        of_traced, of_own = await running.lease(session, slots=2)
        assert of_traced.traceparent == f"00-{TRACE}-{attempt_span(traced.id, 1)}-01"
        assert of_own.traceparent is None
        child = heard[-1]
        assert child.trace == trace_of(of_own.id, None).id
        assert child.links == [(trace_of(own.id, None).id, submit_span(own.id))]
        assert heard[-2].links == []
        # Whoever names a trace is heard, also in a job that has one.
        [other] = running.submission(traceparent=f"00-{'a' * 32}-{'b' * 16}-01").jobs
        await running.ask(commands.Submit(jobs=(other,), by_job=traced.number, fence=traced.fence))
        assert (heard[-1].trace, heard[-1].parent) == ("a" * 32, "b" * 16)

    run(tmp_path, scenario)


def test_a_job_that_ends_without_an_attempt_has_an_end(tmp_path: Path) -> None:
    async def scenario(running: Running) -> None:
        heard = spans(running)
        cancelled = await running.submit()
        await running.ask(commands.Cancel(id=cancelled, reason="not wanted"))
        # It is cancelled in the very batch in which it comes in.
        await running.submit(after=[cancelled])
        assert [(span.name, span.attributes.get("sheratan.outcome")) for span in heard] == [
            ("submit work", None),
            ("end work", "cancelled"),
            ("submit work", None),
            ("end work", "cancelled"),
        ]
        assert heard[1].parent == heard[0].span

    run(tmp_path, scenario)


def test_an_attempt_that_is_handed_back_goes_on_in_the_next_part(tmp_path: Path) -> None:
    async def scenario(running: Running) -> None:
        heard, session = spans(running), await running.register()
        public_id = await running.submit()
        [given] = await running.lease(session)
        report = Report(number=given.number, fence=given.fence, outcome="released")
        reports = prepare_reports([report], running.engine.limits)
        await running.ask(commands.Settle(session=session, reports=reports))
        [again] = await running.lease(session)
        await running.settle(again)
        _, part, whole = heard
        assert (part.attributes["sheratan.outcome"], whole.attributes["sheratan.outcome"]) == (
            "requeued",
            "succeeded",
        )
        assert whole.span == part.parent == attempt_span(public_id, 1)
        assert part.span != whole.span
        assert (whole.parent, whole.links) == (submit_span(public_id), [])

    run(tmp_path, scenario)


def test_a_job_that_is_run_again_is_linked_to_the_first(tmp_path: Path) -> None:
    async def scenario(running: Running) -> None:
        heard, session = spans(running), await running.register()
        first = await running.submit()
        [given] = await running.lease(session)
        await running.settle(given)
        await running.ask(commands.RetryJob(id=first))
        assert heard[-1].name == "submit work"
        assert heard[-1].links == [(trace_of(first, None).id, submit_span(first))]

    run(tmp_path, scenario)


def test_a_schedule_has_no_trace_for_all_of_its_jobs(tmp_path: Path) -> None:
    async def scenario(running: Running) -> None:
        wanted = Submission(kind="work", options=Options(traceparent=TRACEPARENT))
        schedule = Schedule(name="nightly", cron="0 3 * * *", submission=wanted)
        with pytest.raises(InvalidInput, match="same trace") as caught:
            prepare_schedule(schedule, running.engine.kinds, running.engine.limits, replaces=False)
        assert caught.value.field == "submission.options.traceparent"

    run(tmp_path, scenario)


def test_what_is_pruned_in_the_batch_that_runs_it_again_is_no_link() -> None:
    world = World()
    pruned = done(world)
    keep(world, DAY)
    world.clock.advance(2 * DAY * SECOND)
    again = commands.Pending(commands.RetryJob(id=pruned), PERSON, Answer())
    batch = world.decider.decide([again])
    world.store.commit(batch.unit)
    assert not stands(world, pruned)
    [span] = spans_of(batch)
    assert (span.name, span.links) == ("submit work", [])
