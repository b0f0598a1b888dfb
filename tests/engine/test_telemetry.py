"""The stream of events: told after the commit, whatever listens, and never in the engine's way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sheratan.contracts.errors import LimitReached, NotFound, StateRefuses, Unavailable
from sheratan.contracts.limits import Limits
from sheratan.contracts.telemetry import (
    BatchCommitted,
    CommandRefused,
    CommitFailed,
    EngineHalted,
    EntryCommitted,
    Event,
    Level,
    event_name,
)
from sheratan.engine import telemetry
from sheratan.engine.commands import Cancel, ChangeState, Heartbeat, Pending
from tests.engine.running import Running, running_engine
from tests.engine.world import BIG, PERSON, Answer


def listen(running: Running, level: Level = "debug", *, hears: telemetry.Hears = "entries") -> list[Event]:
    """What a listener hears from now on."""
    heard: list[Event] = []
    running.engine.telemetry.listen("test", heard.append, level, hears=hears)
    return heard


def test_a_batch_is_told_in_figures_once_it_is_committed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            session = await running.register()
            heads: list[int] = []
            heard, batches = listen(running), listen(running, hears="figures")
            running.engine.telemetry.listen(
                "head", lambda event: heads.append(running.store.shard().head.seq), "debug"
            )
            await running.submit()
            [given] = await running.lease(session)
            await running.settle(given)
            entries = [event.entry for event in heard if type(event) is EntryCommitted]
            told = [event for event in batches if type(event) is BatchCommitted]
            assert [batch.types for batch in told] == [
                ["job.submitted"],
                ["worker.leased"],
                ["job.succeeded"],
            ]
            assert [batch.submitted for batch in told] == [{1: 1}, {}, {}]
            [(lane, [waited_us])] = told[1].started.items()
            assert told[2].ended == {lane: ["succeeded"]}
            [(same, [ran_us])] = told[2].ran.items()
            assert same == lane
            assert waited_us == told[1].at_us - told[0].at_us
            assert ran_us == told[2].at_us - told[1].at_us
            assert all(0 < batch.commit_us <= batch.batch_us for batch in told)
            assert heads == [entry + 1 for entry in entries], "each was heard with its entry in the database"

    asyncio.run(scenario())


def test_an_entry_is_told_with_its_job_and_whose_it_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            heard = listen(running)
            public_id = await running.submit("other", queue="mail")
            told = next(event for event in heard if type(event) is EntryCommitted)
            assert (told.type, told.subject, told.kind, told.queue) == (
                "job.submitted",
                public_id,
                "other",
                "mail",
            )
            assert (told.actor, told.tenant) == (PERSON.actor, "default")
            assert "submitted it as a job of kind other" in told.text
            await running.ask(Cancel(id=public_id, reason="enough"))
            told = next(event for event in reversed(heard) if type(event) is EntryCommitted)
            assert (told.type, told.kind, told.queue) == ("job.cancelled", "other", "mail")

    asyncio.run(scenario())


def test_who_wants_little_hears_little(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            warnings, told = listen(running, "warning"), listen(running, "info")
            await running.register()
            await running.submit()
            assert warnings == []
            assert [event_name(event) for event in told] == ["worker.registered"]

    asyncio.run(scenario())


def test_metrics_alone_cost_nothing_for_each_entry(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            heard = listen(running, hears="figures")
            assert running.engine.telemetry._loud == frozenset(), "else each is told as a sentence for nobody"
            listen(running, "warning")
            await running.submit()
            assert [event_name(event) for event in heard] == ["batch.committed"]

    asyncio.run(scenario())


def test_what_was_not_committed_has_not_happened(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            heard = listen(running)
            counted = dict(running.engine.meter.entries)
            running.fill_disk()
            with pytest.raises(Unavailable):
                await running.submit(value=BIG)
            [told] = heard
            assert isinstance(told, CommitFailed)
            assert (told.refused, told.level) == (1, "error")
            assert "disk is full" in told.reason
            assert running.engine.meter.entries == counted
            assert running.engine.meter.commits_failed == 1
            running.free_disk()
            await running.until_it_can_commit()
            assert "engine.resumed" in [event_name(event) for event in heard]

    asyncio.run(scenario())


def test_a_refused_command_is_told_by_the_code_of_its_error(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            heard = listen(running)
            with pytest.raises(NotFound):
                await running.ask(Heartbeat(session=99))
            [told] = heard
            assert isinstance(told, CommandRefused)
            assert (told.command, told.code, told.field, told.level) == (
                "Heartbeat",
                "not_found",
                "session",
                "info",
            )
            assert running.engine.meter.refused == {"not_found": 1}

    asyncio.run(scenario())


def test_what_a_halted_system_refuses_is_told_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            await running.ask(ChangeState(to="halted", reason="a test", expected=None))
            heard = listen(running)
            with pytest.raises(StateRefuses):
                await running.submit()
            assert [(event.command, event.code) for event in heard if type(event) is CommandRefused] == [
                ("Submit", "state_refuses")
            ]

    asyncio.run(scenario())


def test_a_full_inbox_is_told_as_a_warning(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path, Limits(commands_waiting_max=1)) as running:
            heard = listen(running)
            running.engine._driver.put(Pending(running.submission(), PERSON, Answer()))
            with pytest.raises(LimitReached):
                running.engine._driver.put(Pending(running.submission(), PERSON, Answer()))
            [told] = heard
            assert isinstance(told, CommandRefused)
            assert (told.command, told.code, told.level) == ("Submit", "limit_reached", "warning")

    asyncio.run(scenario())


def test_an_engine_that_gives_up_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            heard = listen(running)
            running.engine._driver._give_up("the disk has failed")
            [told] = heard
            assert isinstance(told, EngineHalted)
            assert (told.reason, told.level) == ("the disk has failed", "error")

    asyncio.run(scenario())


def test_a_listener_that_raises_stops_nobody_and_is_counted(tmp_path: Path) -> None:
    def broken(event: Event) -> None:
        raise RuntimeError("no ears")

    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            running.engine.telemetry.listen("broken", broken, "debug")
            heard = listen(running)
            session = await running.register()
            public_id = await running.submit()
            [given] = await running.lease(session)
            assert given.id == public_id
            assert await running.settle(given)
            assert running.engine.telemetry.dropped == {"broken": len(heard)}
            assert running.engine.halted is None

    asyncio.run(scenario())


def test_a_batch_that_cannot_be_told_is_committed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def speechless(entry: object) -> str:
        raise KeyError("no word for it")

    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            heard = listen(running)
            monkeypatch.setattr(telemetry, "tell", speechless)
            public_id = await running.submit()
            [given] = await running.lease(await running.register())
            assert given.id == public_id
            assert heard == []
            assert running.engine.telemetry.dropped == {telemetry.OWN: 3}

    asyncio.run(scenario())


def test_the_meter_counts_what_jobs_have_come_to(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            session, meter = await running.register(), running.engine.meter
            await asyncio.gather(*(running.submit() for _ in range(5)))
            for given in await running.lease(session, slots=3):
                await running.settle(given)
            assert sum(meter.submitted.values()) == 5
            assert meter.ended == {1: {"succeeded": 3}}
            assert {lane: spread.count for lane, spread in meter.waited.spreads().items()} == {1: 3}
            assert {lane: spread.count for lane, spread in meter.ran.spreads().items()} == {1: 3}
            assert meter.entries["job.succeeded"] == 3
            batches = meter.batches.spreads()
            assert batches["commit"].count == batches["batch"].count > 0

    asyncio.run(scenario())
