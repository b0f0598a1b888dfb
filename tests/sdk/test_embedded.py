"""An engine inside the program: kinds of every way of running, and what their handlers may know and do."""

from __future__ import annotations

import asyncio
import multiprocessing
import multiprocessing.connection
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import apsw
import pytest

import sheratan
from sheratan import Client, JobHandle
from sheratan.contracts.errors import (
    CorruptData,
    InvalidInput,
    JobFailed,
    LostLease,
    SheratanError,
    TimedOut,
    TooLarge,
    Unavailable,
    UnknownKind,
)
from sheratan.contracts.jobs import JobError, Options, Submission
from sheratan.contracts.limits import Limits
from tests.sdk import sample_kinds as kinds

SECONDS_MAX = 60

Scenario = Callable[[Client], Awaitable[None]]


def embedded(folder: Path, scenario: Scenario, *, limits: Limits | None = None) -> None:
    """Run a scenario against an engine in this program."""

    async def run() -> None:
        async with (
            asyncio.timeout(SECONDS_MAX),
            sheratan.open(folder / "data", [kinds], limits=limits, drain_seconds=0.1) as client,
        ):
            await scenario(client)

    asyncio.run(run())


async def until_running(client: Client, job: str) -> None:
    """Wait until a job runs."""
    found = await client.job(job)
    while found.state != "running":
        found = await client.job(job)


async def error_of(client: Client, handle: JobHandle) -> JobError:
    """The error with which a job has failed."""
    record = await client.wait(handle.id)
    assert record.state == "failed"
    assert record.error is not None
    return record.error


def test_a_job_runs_and_its_output_comes_back(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        assert await client.run(kinds.echo, {"a": [1, None, "ü"]}) == {"a": [1, None, "ü"]}
        assert await client.run("echo", 5) == 5
        assert await client.run(kinds.nothing) is None
        handle = await client.submit(kinds.typed, {"name": "nut", "count": 3})
        assert await handle.result() == "3 x nut"
        assert await client.run(kinds.typed, kinds.Order(name="nut")) == "1 x nut"

    embedded(tmp_path, scenario)


def test_a_large_output_comes_back_whole(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        assert await client.run(kinds.echo, "x" * 100_000) == "x" * 100_000

    embedded(tmp_path, scenario)


def test_a_handler_knows_its_job(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        handle = await client.submit(kinds.about_me, queue="special", attempts_max=7)
        assert await handle.result() == {"id": handle.id, "attempt": 1, "queue": "special", "most": 7}

    embedded(tmp_path, scenario)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({}, "input/name"),
        ({"name": "n", "count": 0}, "input/count"),
        ({"name": "n", "count": "many"}, "input/count"),
        ([], "input"),
        ("text", "input"),
        (None, "input"),
    ],
)
def test_an_input_that_the_kind_does_not_accept_is_refused_by_field(
    tmp_path: Path, value: object, field: str
) -> None:
    async def scenario(client: Client) -> None:
        for kind in (kinds.typed, "typed"):
            with pytest.raises(InvalidInput) as refused:
                await client.submit(kind, value)
            assert refused.value.field == field
        assert (await client.jobs()).items == []

    embedded(tmp_path, scenario)


def test_an_unknown_kind_is_refused_naming_those_there_are(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        with pytest.raises(UnknownKind, match="echo"):
            await client.submit("ecco")

    embedded(tmp_path, scenario)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"priority": 10}, "priority"),
        ({"priority": "urgent"}, "priority"),
        ({"priority": -1}, "priority"),
        ({"attempts_max": 0}, "attempts_max"),
        ({"delay_seconds": -1}, "delay_seconds"),
        ({"delay_seconds": float("nan")}, "delay_seconds"),
        ({"run_timeout_seconds": 0}, "run_timeout_seconds"),
        ({"queue": "no spaces"}, "queue"),
        ({"queue": ""}, "queue"),
        ({"key": ""}, "key"),
        ({"after_failure": "explode"}, "after_failure"),
        ({"after": (5,)}, "after"),
    ],
)
def test_an_option_that_is_not_valid_is_refused_by_field_however_it_comes(
    tmp_path: Path, options: dict[str, object], field: str
) -> None:
    async def scenario(client: Client) -> None:
        with pytest.raises(InvalidInput) as refused:
            await client.submit(kinds.nothing, **options)  # type: ignore[arg-type]
        assert str(refused.value.field).startswith(field)
        unchecked = Submission(kind="nothing", options=Options(**options))  # type: ignore[arg-type]
        with pytest.raises(InvalidInput) as refused:
            await client.submit_many([unchecked])
        assert str(refused.value.field).startswith(field)
        assert (await client.jobs()).items == []
        assert await client.run(kinds.nothing) is None

    embedded(tmp_path, scenario)


# ---------------------------------------------------------------------------------------------------------------------
# Failures


def test_a_failing_handler_is_tried_again_and_may_succeed(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        assert await client.run(kinds.fails_until, 3) == 3

    embedded(tmp_path, scenario)


@pytest.mark.parametrize(
    ("what", "error_class", "name", "attempts"),
    [
        ("fatal", "fatal", "Fatal", 1),
        ("limited", "rate_limited", "RateLimited", 3),
        ("other", "retryable", "ValueError", 3),
        ("surrogate", "retryable", "OSError", 3),
        ("exit", "retryable", "SystemExit", 3),
    ],
)
def test_what_a_handler_raises_decides_how_its_attempt_ends(
    tmp_path: Path, what: str, error_class: str, name: str, attempts: int
) -> None:
    async def scenario(client: Client) -> None:
        handle = await client.submit(kinds.raises, what)
        error = await error_of(client, handle)
        assert (error.error_class, error.type) == (error_class, name)
        assert (await client.job(handle.id)).attempt == attempts
        with pytest.raises(JobFailed, match=name):
            await handle.result()

    embedded(tmp_path, scenario)


def test_a_handler_that_cancels_itself_does_not_hang(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        await error_of(client, await client.submit(kinds.raises, "cancel"))

    embedded(tmp_path, scenario)


@pytest.mark.parametrize("what", ["nan", "object", "surrogate", "huge"])
def test_an_output_that_is_no_json_value_is_a_bug_of_the_handler(tmp_path: Path, what: str) -> None:
    async def scenario(client: Client) -> None:
        error = await error_of(client, await client.submit(kinds.gives, what))
        assert error.error_class == "bug"
        assert await client.run(kinds.echo, 1) == 1, "its slot is free again"

    embedded(tmp_path, scenario)


def test_an_output_above_its_limit_is_a_bug_that_names_the_limit(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        error = await error_of(client, await client.submit(kinds.gives, "large"))
        assert (error.error_class, error.type) == ("bug", "TooLarge")
        assert "limits.result_bytes_max" in error.message

    embedded(tmp_path, scenario)


def test_an_output_of_another_type_than_declared_is_a_bug(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        error = await error_of(client, await client.submit(kinds.promised_a_number, "text"))
        assert (error.error_class, error.type) == ("bug", "InvalidOutput")

    embedded(tmp_path, scenario)


def test_an_async_handler_is_stopped_at_its_time_limit(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        error = await error_of(client, await client.submit(kinds.too_slow))
        assert error.error_class == "timeout"

    embedded(tmp_path, scenario)


def test_a_running_handler_is_cancelled(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        handle = await client.submit(kinds.waits_for_ever)
        await until_running(client, handle.id)
        assert await handle.cancel("enough") == "requested"
        assert (await client.wait(handle.id)).state == "cancelled"

    embedded(tmp_path, scenario)


def test_waiting_has_an_end_and_the_job_goes_on(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        handle = await client.submit(kinds.waits_for_ever)
        with pytest.raises(TimedOut):
            await handle.result(timeout_seconds=0.01)
        assert (await client.job(handle.id)).state in ("queued", "running")

    embedded(tmp_path, scenario)


# ---------------------------------------------------------------------------------------------------------------------
# Jobs that submit and collect


def test_a_job_submits_others_once_however_often_it_asks(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        parent = await client.submit(kinds.spawns, 3)
        ids = await parent.result()
        records = [await client.wait(one) for one in ids]
        assert [record.output for record in records] == [0, 1, 2]
        assert {record.submitted_by_job for record in records} == {parent.id}

    embedded(tmp_path, scenario)


def test_a_job_reads_how_those_before_it_have_ended(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        good = await client.submit(kinds.echo, {"n": 1})
        bad = await client.submit(kinds.raises, "fatal")
        output = await client.run(kinds.collects, after=(good.id, bad.id), after_failure="run")
        assert output == [["echo", "succeeded", {"n": 1}], ["raises", "failed", None]]

    embedded(tmp_path, scenario)


def test_a_job_reads_many_results_in_the_order_in_which_they_were_named(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        handles = await client.submit_many([kinds.echo.submission(n) for n in range(600)])
        named = tuple(handle.id for handle in reversed(handles))
        output = await client.run(kinds.collects, after=named)
        assert [value for _, _, value in output] == list(range(599, -1, -1))

    embedded(tmp_path, scenario)


def test_an_attempt_that_was_given_up_cannot_submit(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        handle = await client.submit(kinds.echo, 1)
        await handle.result()
        request = sheratan.contracts.api.SubmitJobs(jobs=(kinds.echo.submission(1),), by_job=1, fence=1)
        with pytest.raises(LostLease):
            await client._transport.call(request)

    embedded(tmp_path, scenario)


# ---------------------------------------------------------------------------------------------------------------------
# Threads and processes


def test_plain_functions_run_beside_each_other_in_threads(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        names = await asyncio.gather(*(client.run(kinds.meets) for _ in range(3)))
        assert len(set(names)) == 3
        assert await client.run(kinds.in_a_thread, 4) == [5, False, 1]

    embedded(tmp_path, scenario)


def test_a_handler_in_a_thread_looks_whether_it_is_to_stop(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        handle = await client.submit(kinds.until_cancelled)
        await until_running(client, handle.id)
        assert await handle.cancel() == "requested"
        assert (await client.wait(handle.id)).state == "cancelled"

    embedded(tmp_path, scenario)


def test_a_handler_in_a_thread_that_exits_does_not_end_the_program(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        error = await error_of(client, await client.submit(kinds.leaves_the_program))
        assert error.type == "SystemExit"
        assert await client.run(kinds.echo, 1) == 1

    embedded(tmp_path, scenario)


def test_cpu_bound_functions_run_in_processes_that_are_used_again(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        doubled, first = await client.run(kinds.in_a_process, 21)
        _, second = await client.run(kinds.in_a_process, 1)
        assert doubled == 42
        assert first == second != os.getpid()

    embedded(tmp_path, scenario)


def test_a_handler_in_a_process_stands_back_behind_the_engine(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        niceness, badness = await client.run(kinds.standing)
        assert niceness >= min(19, os.nice(0) + 5)
        assert badness >= 500

    embedded(tmp_path, scenario)


def test_a_crash_of_a_process_is_a_lost_lease_and_the_engine_lives_on(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        handle = await client.submit(kinds.dies)
        error = await error_of(client, handle)
        assert (error.error_class, error.type) == ("lost_lease", "ProcessDied")
        assert "-11" in error.message
        assert (await client.job(handle.id)).worker_losses == 2
        assert (await client.run(kinds.in_a_process, 1))[0] == 2

    embedded(tmp_path, scenario, limits=Limits(worker_losses_max=2))


def test_an_endless_loop_in_a_process_is_killed_at_its_time_limit(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        # It has a second, and a process takes most of that to start where others compute: this one is there already.
        await client.run(kinds.in_a_process, 1)
        file = tmp_path / "pid"
        handle = await client.submit(kinds.spins, str(file))
        while not (file.exists() and file.read_text()):
            await client.job(handle.id)
        children = multiprocessing.active_children()
        [spinning] = [child for child in children if child.pid == int(file.read_text())]
        error = await error_of(client, handle)
        assert error.error_class == "timeout"
        # Not joined: the pool does that, and of two that join one learns nothing.
        ended = await asyncio.to_thread(multiprocessing.connection.wait, [spinning.sentinel], SECONDS_MAX)
        assert ended, "it computes on although its time was up"
        assert (await client.run(kinds.in_a_process, 1))[0] == 2

    embedded(tmp_path, scenario)


@pytest.mark.parametrize(
    ("what", "error_class", "told"),
    [
        ("fatal", "fatal", "no use"),
        ("limited", "rate_limited", "slow down"),
        ("unpicklable", "retryable", "this and that"),
        ("own", "fatal", "this and that"),
    ],
)
def test_what_a_handler_raises_in_a_process_is_carried_over(
    tmp_path: Path, what: str, error_class: str, told: str
) -> None:
    async def scenario(client: Client) -> None:
        error = await error_of(client, await client.submit(kinds.raises_in_a_process, what))
        assert error.error_class == error_class
        assert told in error.message

    embedded(tmp_path, scenario)


def test_an_output_that_cannot_leave_its_process_fails_the_attempt_and_loses_no_worker(
    tmp_path: Path,
) -> None:
    async def scenario(client: Client) -> None:
        handle = await client.submit(kinds.gives_in_a_process)
        error = await error_of(client, handle)
        assert error.error_class != "lost_lease"
        assert "pickle" in error.message

    embedded(tmp_path, scenario)


# ---------------------------------------------------------------------------------------------------------------------
# Start and end


def test_jobs_outlive_the_program(tmp_path: Path) -> None:
    ids: list[str] = []

    async def before(client: Client) -> None:
        await client.pause("default")
        ids.extend([(await client.submit(kinds.echo, "later", key="k")).id])

    async def after(client: Client) -> None:
        await client.resume("default")
        again = await client.submit(kinds.echo, "later", key="k")
        assert (again.id, again.existing) == (ids[0], True)
        assert await again.result() == "later"

    embedded(tmp_path, before)
    embedded(tmp_path, after)


def test_what_runs_at_the_end_is_handed_back_without_a_used_attempt(tmp_path: Path) -> None:
    ids: list[str] = []

    async def before(client: Client) -> None:
        handle = await client.submit(kinds.waits_for_ever, attempts_max=1)
        await until_running(client, handle.id)
        ids.append(handle.id)

    async def after(client: Client) -> None:
        record = await client.job(ids[0])
        assert (record.state in ("queued", "running"), record.worker_losses) == (True, 0)
        assert "job.requeued" in [line.type for line in (await client.why(ids[0])).lines]

    embedded(tmp_path, before)
    embedded(tmp_path, after)


def test_a_client_whose_engine_has_stopped_is_refused_instead_of_left_waiting(tmp_path: Path) -> None:
    async def run() -> None:
        async with asyncio.timeout(SECONDS_MAX):
            async with sheratan.open(tmp_path / "data", [kinds], drain_seconds=0.1) as client:
                handle = await client.submit(kinds.echo, 1)
            with pytest.raises(Unavailable):
                await client.submit(kinds.echo, 1)
            with pytest.raises(SheratanError):
                await client.job(handle.id)

    asyncio.run(run())


def test_a_second_engine_on_the_same_data_is_refused(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        with pytest.raises(SheratanError, match="in use"):
            async with sheratan.open(tmp_path / "data", [kinds]):
                pass
        assert await client.run(kinds.echo, 1) == 1

    embedded(tmp_path, scenario)


def test_too_large_an_input_is_refused_and_names_the_limit(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        with pytest.raises(TooLarge, match=r"limits\.payload_bytes_max"):
            await client.run(kinds.echo, "x" * 2_000)

    embedded(tmp_path, scenario, limits=Limits(payload_bytes_max=1_000))


def test_a_halted_engine_still_stops_although_a_job_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sheratan.sdk.crew._GIVE_UP_SECONDS", 0.1)

    async def run() -> None:
        async with (
            asyncio.timeout(SECONDS_MAX),
            sheratan.open(tmp_path, [kinds.waits_for_ever], drain_seconds=0.1) as client,
        ):
            handle = await client.submit(kinds.waits_for_ever)
            await until_running(client, handle.id)
            spoiler = apsw.Connection(str(tmp_path / "sheratan.db"))
            spoiler.execute("DELETE FROM lease")
            spoiler.close()
            with pytest.raises(CorruptData):
                await handle.cancel()
            status = await client.status()
            assert (status.ready, status.state) == (False, "halted")

    asyncio.run(run())


def test_while_nothing_can_be_written_the_status_says_so_and_what_is_stored_is_read(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        handle = await client.submit(kinds.echo, 1)
        await handle.result()
        other = apsw.Connection(str(tmp_path / "data" / "sheratan.db"))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="another program writes"):
            await client.submit(kinds.echo, 2)
        status = await client.status()
        assert (status.ready, status.state) == (False, "degraded_critical")
        assert "another program writes" in status.problems[0]
        assert "goes on by itself" in status.safe_alternative
        assert (await client.job(handle.id)).output == 1
        other.close()
        assert await client.run(kinds.echo, 3) == 3
        status = await client.status()
        assert (status.ready, status.state, status.problems) == (True, "operational", [])

    embedded(tmp_path, scenario)
