"""Pressure over a real engine: it refuses new work, and nothing else, until it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from sheratan.ambient.clock import VirtualClock
from sheratan.ambient.memory import Memory
from sheratan.contracts.errors import LimitReached, Overloaded
from sheratan.contracts.gates import Debounce, SubmitGated
from sheratan.contracts.jobs import CRITICALITIES, KindDescription, Options, Submission
from sheratan.contracts.limits import Limits
from sheratan.contracts.pressure import NO_PRESSURE, PressureSettings
from sheratan.contracts.telemetry import CommandRefused, Event, LoopBlocked, PressureChanged
from sheratan.engine import commands
from sheratan.engine.commands import Pending
from sheratan.engine.measures import measure_engine
from sheratan.engine.prepare_gates import prepare_gated
from sheratan.engine.prepare_runs import prepare_run
from sheratan.engine.pressure import LOOKS, Pressure
from tests.engine.running import Running, running_engine
from tests.engine.runs import node, wf
from tests.engine.test_probing import Outside
from tests.engine.world import PERSON, Answer

MIB = 1 << 20
SECONDS_MAX = 20


class Pressed(Running):
    """An engine whose memory is what a test says."""

    def __init__(self, running: Running) -> None:
        super().__init__(running.engine, running.store)
        self.outside = Outside()
        self.pressure = Pressure(running.engine, self.outside, VirtualClock(), PressureSettings())
        self.heard: list[Event] = []
        self.engine.telemetry.listen("test", self.heard.append, "debug")

    async def use(self, permille: int) -> None:
        """So much of the memory is used when somebody looks."""
        self.outside.memory_now = Memory(permille * MIB, 1_000 * MIB)
        await self.pressure.look(0)

    @property
    def changes(self) -> list[tuple[str, str]]:
        return [(one.source, one.to) for one in self.heard if type(one) is PressureChanged]

    def new_work(self) -> list[commands.Command]:
        gated = SubmitGated(job=Submission(kind="work"), gate=Debounce(key="k", window_seconds=1.0))
        engine = self.engine
        return [
            self.submission(),
            prepare_gated(gated, engine.kinds, engine.limits),
            prepare_run(wf(node("a", kind="work")), None, engine.kinds, engine.limits, None),
        ]


def run(scenario: Callable[[Pressed], Awaitable[None]], folder: Path) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(SECONDS_MAX), running_engine(folder) as running:
            await scenario(Pressed(running))

    asyncio.run(bounded())


def test_under_critical_pressure_no_new_work_is_taken_in_and_afterwards_it_is(tmp_path: Path) -> None:
    async def scenario(pressed: Pressed) -> None:
        await pressed.use(950)
        for command in pressed.new_work():
            with pytest.raises(Overloaded, match="950 of 1000 MiB of memory are used") as refusal:
                await pressed.ask(command)
            assert refusal.value.retryable
            assert refusal.value.to_wire()["extra"] == {"retry_after_seconds": 2}
        assert pressed.store.counts() == dict.fromkeys(pressed.store.counts(), 0)
        await pressed.use(500)
        for command in pressed.new_work():
            await pressed.ask(command)
        assert pressed.changes == [("none", "critical"), ("critical", "none")]
        refused = [event for event in pressed.heard if type(event) is CommandRefused]
        assert [(one.command, one.code, one.level) for one in refused] == [
            (command, "overloaded", "warning") for command in ("Submit", "SubmitGated", "StartRun")
        ]

    run(scenario, tmp_path)


@pytest.mark.parametrize(
    ("permille", "taken_in"),
    [
        (500, ["sheddable", "deferrable", "normal", "critical"]),
        (850, ["normal", "critical"]),
        (950, ["critical"]),
    ],
)
def test_the_least_critical_work_is_refused_first(tmp_path: Path, permille: int, taken_in: list[str]) -> None:
    async def scenario(pressed: Pressed) -> None:
        await pressed.use(permille)
        for criticality in CRITICALITIES:
            gated = SubmitGated(
                job=Submission(kind="work", options=Options(criticality=criticality)),
                gate=Debounce(key=criticality, window_seconds=1.0),
            )
            engine = pressed.engine
            for command in (
                pressed.submission(criticality=criticality),
                prepare_gated(gated, engine.kinds, engine.limits),
            ):
                if criticality in taken_in:
                    await pressed.ask(command)
                else:
                    with pytest.raises(Overloaded):
                        await pressed.ask(command)

    run(scenario, tmp_path)


def test_jobs_of_one_call_count_as_the_most_critical_of_them(tmp_path: Path) -> None:
    async def scenario(pressed: Pressed) -> None:
        jobs = [pressed.submission(criticality=one).jobs[0] for one in ("sheddable", "critical", "normal")]
        await pressed.use(950)
        assert len(await pressed.ask(commands.Submit(jobs=tuple(jobs)))) == 3
        with pytest.raises(Overloaded, match="new work that is not critical"):
            await pressed.ask(commands.Submit(jobs=(jobs[0], jobs[2])))

    run(scenario, tmp_path)


def test_a_kind_says_how_critical_its_jobs_are_unless_the_job_does(tmp_path: Path) -> None:
    async def scenario(pressed: Pressed) -> None:
        pressed.engine.kinds.declare(KindDescription(name="alarm", criticality="critical"), None)
        assert pressed.submission("alarm").jobs[0].criticality == "critical"
        assert pressed.submission("alarm", criticality="sheddable").jobs[0].criticality == "sheddable"
        assert pressed.submission().jobs[0].criticality == "normal"

    run(scenario, tmp_path)


def test_each_criticality_leaves_a_fifth_of_the_inbox_to_what_is_more_critical(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path, Limits(commands_waiting_max=10)) as running:
            driver = running.engine._driver
            places = dict(zip(CRITICALITIES, (4, 6, 8, 10), strict=True))
            for criticality, most in places.items():
                command = running.submission(criticality=criticality)
                while driver.waiting < most:
                    driver.put(Pending(command, PERSON, Answer()))
                with pytest.raises(LimitReached, match=r"limits\.commands_waiting_max"):
                    driver.put(Pending(command, PERSON, Answer()))

    asyncio.run(scenario())


def test_what_ends_or_steers_work_has_all_places_of_the_inbox(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path, Limits(commands_waiting_max=5)) as running:
            driver = running.engine._driver
            for _ in range(5):
                driver.put(Pending(commands.Heartbeat(session=0), PERSON, Answer()))
            with pytest.raises(LimitReached):
                driver.put(Pending(commands.Heartbeat(session=0), PERSON, Answer()))

    asyncio.run(scenario())


def test_work_that_was_taken_in_goes_on_under_critical_pressure(tmp_path: Path) -> None:
    async def scenario(pressed: Pressed) -> None:
        public_id = await pressed.submit()
        other = await pressed.submit()
        session = await pressed.register()
        await pressed.use(1_000)
        [given] = await pressed.lease(session)
        child = replace(pressed.submission(), by_job=given.number, fence=given.fence)
        [(_, existing)] = await pressed.ask(child)
        assert not existing
        assert await pressed.settle(given)
        assert await pressed.ask(commands.Cancel(id=other, reason="a person")) == "cancelled"
        assert await pressed.ask(commands.RetryJob(id=public_id))

    run(scenario, tmp_path)


def test_it_shows_everywhere(tmp_path: Path) -> None:
    async def scenario(pressed: Pressed) -> None:
        assert pressed.engine.checks["pressure"]
        await pressed.use(850)
        assert pressed.engine.checks["pressure"], "most work is taken in"
        await pressed.use(900)
        assert not pressed.engine.checks["pressure"]
        samples = measure_engine(pressed.engine)
        assert samples["sheratan_pressure"] == [(("none",), 0), (("high",), 0), (("critical",), 1)]
        assert samples["sheratan_memory_bytes"] == [((), 900 * MIB)]
        assert samples["sheratan_memory_limit_bytes"] == [((), 1_000 * MIB)]
        assert samples["sheratan_ready"] == [((), False)]

    run(scenario, tmp_path)


def test_only_a_lag_that_lasts_is_pressure(tmp_path: Path) -> None:
    async def scenario(pressed: Pressed) -> None:
        for _ in range(LOOKS - 1):
            await pressed.pressure.look(9_000_000)
        await pressed.pressure.look(0)
        assert pressed.changes == []
        for _ in range(LOOKS):
            await pressed.pressure.look(700_000)
        assert pressed.engine.pressure.lag_us == 700_000
        await pressed.pressure.look(0)
        assert pressed.changes == [("none", "high"), ("high", "none")]

    run(scenario, tmp_path)


def test_a_host_that_says_nothing_of_its_memory_puts_nobody_under_pressure(tmp_path: Path) -> None:
    async def scenario(pressed: Pressed) -> None:
        await pressed.use(950)
        pressed.outside.memory_now = FileNotFoundError("/proc/self/statm")
        await pressed.pressure.look(0)
        assert pressed.engine.pressure == NO_PRESSURE
        samples = measure_engine(pressed.engine)
        assert samples["sheratan_commands_wait_seconds"] == [((), 0)]
        assert samples["sheratan_memory_bytes"] == samples["sheratan_memory_limit_bytes"] == []

    run(scenario, tmp_path)


def test_it_looks_by_itself_and_measures_how_late_it_is(tmp_path: Path) -> None:
    async def scenario(pressed: Pressed) -> None:
        clock, is_late = VirtualClock(), asyncio.Event()

        class Late(Outside):
            """Each look takes place three seconds after the one before, as a loop that is blocked has it."""

            async def memory(self) -> Memory:
                asyncio.get_running_loop().call_soon(clock.advance, 3_000_000)
                return Memory(1, 2)

        pressed.engine.telemetry.listen("late", lambda _: is_late.set(), "warning")
        pressure = Pressure(pressed.engine, Late(), clock, PressureSettings(interval_seconds=0.01))
        pressure.start()
        await is_late.wait()
        pressure.close()
        assert pressed.changes == [("none", "high")]
        assert pressed.engine.pressure.lag_us == 2_990_000

    run(scenario, tmp_path)


def test_calls_that_block_the_loop_are_counted_once_they_are_over(tmp_path: Path) -> None:
    async def scenario(pressed: Pressed) -> None:
        blocked = LoopBlocked(
            at_us=1,
            blocked_us=2,
            still=True,
            function="f",
            file="f.py",
            line=3,
            calls="f.py:3 f",
            job=None,
            kind=None,
            again=False,
        )
        for event in (blocked, replace(blocked, still=False), replace(blocked, still=False, again=True)):
            pressed.engine.telemetry.emit(event)
        assert measure_engine(pressed.engine)["sheratan_loop_blocked_total"] == [((), 2)]
        assert (blocked.level, replace(blocked, again=True).level) == ("warning", "debug")

    run(scenario, tmp_path)
