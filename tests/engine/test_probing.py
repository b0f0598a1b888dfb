"""The loop of probes over a real engine: what it finds becomes the state, and nothing else does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sheratan.ambient.clock import VirtualClock
from sheratan.ambient.memory import Memory
from sheratan.ambient.randomness import SeededRandomness
from sheratan.ambient.sensors import Room
from sheratan.contracts.errors import Unavailable
from sheratan.contracts.health import Address, Dependency, HealthSettings, ProbeRecord, ProbeSettings
from sheratan.contracts.limits import Limits
from sheratan.contracts.system import SystemRecord
from sheratan.engine.commands import ChangeState, Heartbeat
from sheratan.engine.decider import Decider
from sheratan.engine.engine import Engine
from sheratan.engine.probing import Probing
from sheratan.engine.system_views import system_record
from sheratan.engine.verify import verify
from sheratan.store.sqlite.store import open_reader, open_store
from tests.engine.running import Running

SECOND = 1_000_000
SECONDS_MAX = 20
PATIENT = ProbeSettings(timeout_seconds=10, stall_seconds=5)
"""For what answers, however slow the machine is."""
QUICK = ProbeSettings(timeout_seconds=0.2, stall_seconds=5)
"""For what does not."""
DEPENDENCIES = {
    "mail": Dependency(url="tcp://mail:25", affects=("invoices",)),
    "model": Dependency(url="https://model/", critical=True),
}


class Outside:
    """Sensors that show what a test wants."""

    def __init__(self) -> None:
        self.room_now: Room | None = Room(1 << 40, 1 << 41)
        """None: the file system never answers."""
        self.memory_now: Memory | OSError = Memory(1, 1 << 30)
        self.down: dict[str, Exception | None] = {}
        """By host, what comes of reaching it; None: nothing ever does."""
        self.at_once = self.at_once_max = 0

    async def room(self) -> Room:
        if self.room_now is None:
            await asyncio.Event().wait()
        assert self.room_now is not None
        return self.room_now

    async def memory(self) -> Memory:
        if isinstance(self.memory_now, OSError):
            raise self.memory_now
        return self.memory_now

    async def reach(self, address: Address) -> None:
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        try:
            await asyncio.sleep(0)
            if address.host in self.down:
                failure = self.down[address.host]
                if failure is None:
                    await asyncio.Event().wait()
                else:
                    raise failure
        finally:
            self.at_once -= 1

    def close(self) -> None:
        pass


class Probed(Running):
    """An engine whose probes are looked at when a test says so; a second goes by before each round."""

    def __init__(
        self, engine: Engine, store: Any, clock: VirtualClock, settings: HealthSettings, outside: Outside
    ) -> None:
        super().__init__(engine, store)
        self.clock = clock
        self.outside = outside
        self.probing = Probing(engine, outside, clock, SeededRandomness(1), settings)

    async def rounds(self, count: int = 1, *, seconds: float = 1.0) -> str:
        """Look so many times; the state that comes of it."""
        for _ in range(count):
            self.clock.advance(round(seconds * SECOND))
            await self.probing.look()
            telling = self.probing._telling
            if telling is not None:
                await telling
        return self.engine.state.system.current

    async def look(self, count: int) -> None:
        """Look so many times, two seconds apart, whether the decider answers or not."""
        for _ in range(count):
            self.clock.advance(2 * SECOND)
            await self.probing.look()

    def probe(self, name: str) -> ProbeRecord:
        return next(one for one in self.engine.probes if one.name == name)

    @property
    def shown(self) -> SystemRecord:
        return system_record(self.store, self.engine.unstored_state, self.engine.probes)


@asynccontextmanager
async def probed(
    folder: Path,
    probes: ProbeSettings = PATIENT,
    dependencies: dict[str, Dependency] | None = None,
    *,
    limits: Limits | None = None,
) -> AsyncGenerator[Probed]:
    clock = VirtualClock()
    store = open_store(folder / "engine.db", clock.now_us())
    reader = open_reader(folder / "engine.db", clock=clock.monotonic_us)
    engine = Engine(Decider(store, clock, SeededRandomness(1), limits or Limits()), reader, version="test")
    await engine.start()
    settings = HealthSettings(probes, DEPENDENCIES if dependencies is None else dependencies)
    running = Probed(engine, store, clock, settings, Outside())
    try:
        yield running
        assert verify(store).problems == []
    finally:
        running.probing.close()
        await engine.stop()
        reader.close()
        store.close()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(SECONDS_MAX):
            await scenario()

    asyncio.run(bounded())


# ---------------------------------------------------------------------------------------------------------------------
# From what is found to the state


def test_all_is_well_and_nothing_is_recorded(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with probed(tmp_path) as engine:
            head = engine.engine.state.head
            assert await engine.rounds(50) == "operational"
            assert engine.engine.state.head == head
            names = ["commit", "lease", "disk", "clock", "mail", "model"]
            assert [(one.name, one.health) for one in engine.engine.probes] == [
                (name, "up") for name in names
            ]

    run(scenario)


@pytest.mark.parametrize(
    ("down", "state", "severity", "affected"),
    [
        (("mail",), "degraded_minor", "minor", ["invoices"]),
        (("model",), "degraded_critical", "critical", ["model"]),
        (("mail", "model"), "degraded_critical", "critical", ["invoices", "model"]),
    ],
)
def test_what_is_down_makes_the_state_with_its_severity_and_what_is_affected(
    tmp_path: Path, down: tuple[str, ...], state: str, severity: str, affected: list[str]
) -> None:
    async def scenario() -> None:
        async with probed(tmp_path) as engine:
            await engine.rounds(5)
            engine.outside.down = {name: ConnectionRefusedError(111, "Connection refused") for name in down}
            assert await engine.rounds(2) == "operational"
            assert await engine.rounds() == state
            shown = engine.shown
            assert (shown.state, shown.severity, shown.affected) == (state, severity, affected)
            assert shown.actor == "engine"
            # What is critical comes first: not all of many are named.
            assert shown.reason.startswith(f"down: {down[-1]} (Connection refused)")
            entry = engine.engine.state.head.seq
            assert await engine.rounds(30) == state
            assert engine.engine.state.head.seq == entry

    run(scenario)


def test_it_is_operational_again_after_the_last_failure_and_the_dwell(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with probed(tmp_path) as engine:
            engine.outside.down = {"model": OSError("no")}
            assert await engine.rounds(3) == "degraded_critical"
            engine.outside.down = {}
            assert await engine.rounds(59) == "degraded_critical"
            assert await engine.rounds() == "operational"
            assert engine.shown.affected == []

    run(scenario)


def test_a_critical_outage_is_told_in_a_minor_one_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with probed(tmp_path) as engine:
            engine.outside.down = {"mail": OSError("no")}
            assert await engine.rounds(3) == "degraded_minor"
            engine.outside.down["model"] = OSError("no")
            assert await engine.rounds(3) == "degraded_critical"
            del engine.outside.down["model"]
            assert await engine.rounds(60) == "degraded_minor"

    run(scenario)


def test_a_state_that_an_engine_finds_stays_until_its_probes_are_known(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with probed(tmp_path) as engine:
            engine.outside.down = {"model": OSError("no")}
            assert await engine.rounds(3) == "degraded_critical"
        async with probed(tmp_path) as engine:
            engine.clock.advance(3_600 * SECOND)
            assert await engine.rounds(2) == "degraded_critical"
            assert await engine.rounds() == "operational"

    run(scenario)


@pytest.mark.parametrize("state", ["paused", "reflective", "recovery", "halted"])
def test_what_a_person_chose_stays_whatever_is_found(tmp_path: Path, state: Any) -> None:
    async def scenario() -> None:
        async with probed(tmp_path) as engine:
            await engine.ask(ChangeState(to=state, reason="a test"))
            engine.outside.down = {"model": OSError("no")}
            assert await engine.rounds(20) == state
            assert engine.probe("model").health == "down"
            assert engine.probe("lease").health == engine.probe("commit").health == "up"

    run(scenario)


def test_what_is_down_when_a_pause_ends_makes_the_state(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with probed(tmp_path) as engine:
            await engine.ask(ChangeState(to="paused", reason="a test"))
            engine.outside.down = {"model": OSError("no")}
            await engine.rounds(5)
            await engine.ask(ChangeState(to="operational", reason="a test"))
            assert await engine.rounds() == "degraded_critical"

    run(scenario)


def test_a_person_lets_everything_go_on_until_it_is_down_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with probed(tmp_path) as engine:
            engine.outside.down = {"model": OSError("no")}
            assert await engine.rounds(3) == "degraded_critical"
            await engine.ask(ChangeState(to="operational", reason="we can do without"))
            assert await engine.rounds(100) == "operational"
            assert engine.probe("model").overridden
            engine.outside.down["mail"] = OSError("no")
            assert await engine.rounds(3) == "degraded_minor"
            engine.outside.down = {}
            assert await engine.rounds(100) == "operational"
            assert not engine.probe("model").overridden
            engine.outside.down = {"model": OSError("no")}
            assert await engine.rounds(3) == "degraded_critical"

    run(scenario)


def test_nothing_starts_while_it_is_critical_and_then_it_does(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with probed(tmp_path) as engine:
            engine.outside.down = {"model": OSError("no")}
            await engine.rounds(3)
            session = await engine.register()
            await engine.submit()
            waiting = asyncio.create_task(engine.lease(session))
            await engine.ask(Heartbeat(session=session))
            assert not waiting.done()
            engine.outside.down = {}
            await engine.rounds(60)
            assert len(await waiting) == 1

    run(scenario)


# ---------------------------------------------------------------------------------------------------------------------
# The probes


def test_what_says_nothing_is_given_its_time_and_holds_up_nobody(tmp_path: Path) -> None:
    many = {f"d{number}": Dependency(url=f"tcp://d{number}:1") for number in range(100)}

    async def scenario() -> None:
        async with probed(tmp_path, QUICK, many) as engine:
            engine.outside.down = dict.fromkeys(many)
            loop = asyncio.get_running_loop()
            began = loop.time()
            await engine.rounds()
            assert loop.time() - began < 20 * QUICK.timeout_seconds
            assert engine.outside.at_once_max == 100
            assert engine.probe("d99").error == "no answer within 0.2 s"

    run(scenario)


def test_a_dependency_that_nobody_said_where_to_find_is_not_looked_at(tmp_path: Path) -> None:
    async def scenario() -> None:
        dependencies = {"post": Dependency(), "mail": Dependency(url="tcp://mail:25")}
        async with probed(tmp_path, dependencies=dependencies) as engine:
            await engine.rounds()
            assert [one.name for one in engine.engine.probes][4:] == ["mail"]

    run(scenario)


def test_no_more_are_under_way_at_once_than_may(tmp_path: Path) -> None:
    many = {f"d{number}": Dependency(url=f"tcp://d{number}:1") for number in range(30)}

    async def scenario() -> None:
        async with probed(tmp_path, ProbeSettings(at_once=4), many) as engine:
            await engine.rounds(3)
            assert engine.outside.at_once_max == 4
            assert engine.probe("d29").health == "up"

    run(scenario)


@pytest.mark.parametrize(
    ("settings", "room", "health"),
    [
        ({}, Room(64 << 20, 1 << 40), "up"),
        ({}, Room((64 << 20) - 1, 1 << 40), "down"),
        ({"disk_free_permille_min": 10}, Room(1 << 33, 1 << 40), "down"),
        ({"disk_free_permille_min": 10}, Room(1 << 34, 1 << 40), "up"),
    ],
)
def test_a_disk_needs_room(tmp_path: Path, settings: dict[str, Any], room: Room, health: str) -> None:
    async def scenario() -> None:
        async with probed(tmp_path, ProbeSettings(**settings)) as engine:
            engine.outside.room_now = room
            state = await engine.rounds(3)
            assert engine.probe("disk").health == health
            assert state == ("operational" if health == "up" else "degraded_critical")

    run(scenario)


def test_a_file_system_that_never_answers_is_down_and_holds_up_no_round(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), probed(tmp_path, QUICK) as engine:
            engine.outside.room_now = None
            assert await engine.rounds(3) == "degraded_critical"
            assert engine.probe("disk").error == "no answer within 0.2 s"

    asyncio.run(scenario())


@pytest.mark.parametrize("step", [3_600, -3_600])
def test_a_clock_that_was_set_settles(tmp_path: Path, step: int) -> None:
    async def scenario() -> None:
        async with probed(tmp_path) as engine:
            await engine.rounds(5)
            engine.clock.step(step * SECOND)
            assert await engine.rounds(3) == "degraded_minor"
            assert engine.shown.affected == ["clock"]
            assert await engine.rounds(120) == "operational"

    run(scenario)


def test_a_clock_that_runs_slow_is_not_steady(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with probed(tmp_path) as engine:
            for _ in range(60):
                await engine.rounds()
                engine.clock.step(-SECOND // 10)
            assert engine.probe("clock").health == "down"
            assert engine.engine.state.system.current == "degraded_minor"

    run(scenario)


def test_which_probes_are_critical_is_set(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with probed(tmp_path, ProbeSettings(critical=("clock",))) as engine:
            engine.outside.room_now = Room(0, 1)
            assert await engine.rounds(3) == "degraded_minor"
            engine.clock.step(3_600 * SECOND)
            assert await engine.rounds(3) == "degraded_critical"

    run(scenario)


def test_an_idle_engine_commits_to_see_that_it_can_and_records_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with probed(tmp_path) as engine:

            def pulse() -> Any:
                [[value]] = engine.store._connection.execute("SELECT pulse_us FROM shard").fetchall()
                return value

            head = engine.engine.state.head
            await engine.rounds(4)
            assert pulse() is None
            await engine.rounds(2)
            first = pulse()
            assert first is not None
            await engine.rounds(6)
            assert pulse() > first
            assert engine.engine.state.head == head
            await engine.ask(ChangeState(to="halted", reason="a test"))
            last = pulse()
            await engine.rounds(20)
            assert pulse() == last

    run(scenario)


def test_an_engine_that_cannot_commit_is_critical_at_once_and_after_it_can_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with probed(tmp_path) as engine:
            await engine.rounds(3)
            engine.fill_disk()
            with pytest.raises(Unavailable):
                await asyncio.gather(*(engine.submit(value="x" * 100_000) for _ in range(40)))
            assert engine.shown.state == "degraded_critical"
            await engine.rounds()
            assert "disk is full" in (engine.probe("commit").error or "")
            engine.free_disk()

    run(scenario)


@asynccontextmanager
async def hanging(engine: Probed) -> AsyncGenerator[asyncio.Task[str]]:
    """Until the block ends a commit hangs, as on a disk that does not answer; a submission waits for it."""
    goes_on = threading.Event()
    commit = engine.store.commit

    def hang(unit: Any) -> None:
        assert goes_on.wait(SECONDS_MAX)
        commit(unit)

    # After a slow commit a thread makes the next ones, so the loop goes on.
    engine.engine._driver._commit_us = SECOND
    engine.store.commit = hang  # type: ignore[method-assign]
    submitted = asyncio.create_task(engine.submit())
    await asyncio.sleep(0)
    try:
        yield submitted
    finally:
        goes_on.set()
        await submitted


def test_a_commit_that_hangs_shows_before_it_can_be_written_down(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with probed(tmp_path, QUICK) as engine:
            async with hanging(engine):
                await engine.look(4)
                assert engine.probe("lease").health == "unknown"
                await engine.look(4)
                assert engine.probe("lease").health == engine.probe("commit").health == "down"
                assert engine.shown.state == "degraded_critical"
                assert engine.engine.state.system.current == "operational"
                await engine.look(10)
                # However long it lasts, each of them waits for one answer.
                assert len(engine.engine._driver._inbox) == 3
            telling = engine.probing._telling
            assert telling is not None
            await telling
            assert engine.shown.state == engine.engine.state.system.current == "degraded_critical"
            assert await engine.rounds(100) == "operational"

    run(scenario)


def test_who_looks_no_more_waits_for_no_answer(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with probed(tmp_path, QUICK) as engine, hanging(engine):
            await engine.look(4)
            trips = [task for _, task in engine.probing._probes._trips.values()]
            assert trips
            engine.probing.close()
            await asyncio.wait(trips, timeout=SECONDS_MAX)
            assert all(task.cancelled() for task in trips)

    run(scenario)


def test_an_engine_that_has_much_to_do_is_not_down(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with probed(tmp_path, QUICK, limits=Limits(commands_waiting_max=1)) as engine:
            await engine.rounds(3)
            async with hanging(engine):
                waiting = asyncio.create_task(engine.submit())
                await asyncio.sleep(0)
                await engine.look(10)
                assert engine.probe("lease").health == engine.probe("commit").health == "up"
            await waiting

    run(scenario)


def test_of_a_long_error_the_beginning_is_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with probed(tmp_path) as engine:
            engine.outside.down = {"mail": OSError("x" * 5_000)}
            await engine.rounds(3)
            assert engine.probe("mail").error == "x" * 100

    run(scenario)


def test_a_probe_that_trips_over_a_bug_is_down_and_the_others_go_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with probed(tmp_path) as engine:
            engine.outside.down = {"mail": ValueError("of ours")}
            assert await engine.rounds(3) == "degraded_minor"
            assert engine.probe("mail").error == "ValueError: of ours"
            assert engine.probe("model").health == "up"

    run(scenario)


def test_the_loop_goes_round_by_itself(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with probed(tmp_path, ProbeSettings(interval_seconds=0.01)) as engine:
            engine.outside.down = {"model": OSError("no")}
            seen: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            engine.engine.watch(lambda entry: seen.set_result(entry.type))
            engine.probing.start()
            assert await seen == "system.changed"

    run(scenario)
