"""Notices on their way: each target by itself, tried again, given up in the end, and never too many."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from sheratan.ambient.clock import Clock, VirtualClock
from sheratan.ambient.randomness import SeededRandomness
from sheratan.ambient.sending import NoSuchTarget, NotTaken
from sheratan.contracts.alert_targets import AlertTarget
from sheratan.contracts.alerts import Notice
from sheratan.contracts.errors import NotFound
from sheratan.contracts.telemetry import Event, event_name
from sheratan.engine import outbox as outbox_module
from sheratan.engine.outbox import Delivery, Outbox, pause_seconds
from tests.engine.alerted import Posts, alerting_settings, turns_until
from tests.guards.guarding import LoopClock, passing, virtually

SECONDS_MAX = 30
QUICK: dict[str, Any] = {"backoff_seconds_max": 0.001, "timeout_seconds": 0.05, "attempts_max": 3}
TWO = {"ops": AlertTarget(url="https://ops/"), "other": AlertTarget(url="https://other/")}
NOTICE = Notice(
    id="alert_1",
    what="raised",
    subject="alert:archive",
    severity="warning",
    text="wrong",
    since_us=1,
    rule="archive",
)


class Sending:
    """An outbox, what its targets got, and what has ended."""

    def __init__(self, clock: Clock, **changes: Any) -> None:
        self.posts = Posts()
        self.counts = Counter[tuple[str, str]]()
        self.told: list[Event] = []
        settings = alerting_settings(TWO, **QUICK | changes)
        self.outbox = Outbox(self.posts, settings, clock, SeededRandomness(1), self.counts, self.told.append)
        self.ended: list[Delivery] = []
        self.outbox.on_end = self.ended.append

    def put(self, number: int = 1) -> None:
        assert self.outbox.put(msgspec.structs.replace(NOTICE, id=f"alert_{number}"))

    async def end(self, count: int = 1) -> list[Delivery]:
        await turns_until(lambda: len(self.ended) >= count)
        return self.ended


@asynccontextmanager
async def sending(clock: Clock | None = None, **changes: Any) -> AsyncGenerator[Sending]:
    made = Sending(clock or VirtualClock(), **changes)
    made.outbox.start()
    try:
        yield made
    finally:
        made.outbox.close()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(SECONDS_MAX):
            await scenario()

    asyncio.run(bounded())


def test_a_notice_is_brought_to_every_target_once() -> None:
    async def scenario() -> None:
        async with sending() as made:
            made.put()
            [ended] = await made.end()
            assert sorted(ended.taken) == ["ops", "other"]
            assert sorted(name for name, _ in made.posts.taken) == ["ops", "other"]
            assert made.counts == {("ops", "taken"): 1, ("other", "taken"): 1}
            assert made.outbox.problems == []

    run(scenario)


@pytest.mark.parametrize("failure", [OSError("refused"), None, RuntimeError("a secret")])
def test_a_target_that_fails_is_tried_often_enough_and_then_given_up(failure: Exception | None) -> None:
    async def scenario() -> None:
        async with sending() as made:
            made.posts.failures["ops"] = failure
            made.put()
            [ended] = await made.end()
            assert (ended.taken, ended.given_up) == (["other"], ["ops"])
            assert made.posts.tries.count("ops") == 3
            assert made.counts == {("ops", "failed"): 3, ("ops", "given_up"): 1, ("other", "taken"): 1}
            [problem] = made.outbox.problems
            assert problem.startswith("ops: ")
            assert "secret" not in problem
            del made.posts.failures["ops"]
            made.put(2)
            await made.end(2)
            assert made.outbox.problems == []

    run(scenario)


def test_a_target_that_comes_back_gets_all_in_order() -> None:
    async def scenario() -> None:
        async with sending(attempts_max=100) as made:
            made.posts.failures["ops"] = OSError("refused")
            made.put(1)
            made.put(2)
            await turns_until(lambda: made.posts.tries.count("ops") > 3)
            assert made.outbox.records()[0].waiting == 1
            del made.posts.failures["ops"]
            await made.end(2)
            assert [notice.id for name, notice in made.posts.taken if name == "ops"] == ["alert_1", "alert_2"]

    run(scenario)


def test_no_target_waits_for_another() -> None:
    async def scenario() -> None:
        async with sending(timeout_seconds=1_000) as made:
            made.posts.failures["ops"] = None
            for number in range(5):
                made.put(number)
            await turns_until(lambda: made.counts["other", "taken"] == 5)
            assert made.ended == []

    run(scenario)


def test_a_target_that_wants_no_more_is_not_tried_again() -> None:
    async def scenario() -> None:
        async with sending() as made:
            made.posts.failures["ops"] = NoSuchTarget(410)
            made.put()
            [ended] = await made.end()
            assert (ended.given_up, made.posts.tries.count("ops")) == (["ops"], 1)
            assert made.outbox.problems == ["ops: HTTP status 410"]

    run(scenario)


def test_what_is_too_much_for_a_minute_is_held_back_and_told_as_a_number() -> None:
    async def scenario() -> None:
        clock = VirtualClock()
        async with sending(clock, notices_per_minute=2) as made:
            clock.advance(59_990_000)
            for number in range(5):
                made.put(number)
            ended = await made.end(6)
            assert sum(one.is_held_back for one in ended) == 3
            assert made.counts["ops", "held_back"] == 3
            await turns_until(lambda: len(made.posts.taken) == 6)
            assert {(name, one.what, one.more) for name, one in made.posts.taken[4:]} == {
                ("ops", "held_back", 3),
                ("other", "held_back", 3),
            }
            clock.advance(60_000_000)
            made.put(9)
            await turns_until(lambda: made.posts.taken[-1][1].id == "alert_9")

    run(scenario)


def test_what_a_target_cannot_take_in_is_given_up_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with sending(timeout_seconds=1_000) as made:
            made.posts.failures["ops"] = None
            for number in range(5):
                made.put(number)
                await turns_until(lambda number=number: made.counts["other", "taken"] == number + 1)
            assert made.counts["ops", "given_up"] == 2
            assert [one.given_up for one in made.ended] == [["ops"], ["ops"]]

    monkeypatch.setattr(outbox_module, "NOTICES_WAITING_MAX", 2)
    run(scenario)


def test_pauses_grow_to_a_most_and_are_random() -> None:
    longest = [pause_seconds(attempt, 100, 1 << 16) for attempt in range(1, 12)]
    assert longest == [1, 2, 4, 8, 16, 32, 64, 100, 100, 100, 100]
    assert pause_seconds(40, 1e10, 1 << 15) == (1 << 30) / 2
    assert pause_seconds(3, 100, 0) == 0


def test_after_a_failure_there_is_a_pause() -> None:
    async def scenario() -> None:
        async with sending(backoff_seconds_max=100) as made:
            made.posts.failures["ops"] = OSError("refused")
            for number in range(5):
                made.put(number)
            await turns_until(lambda: made.counts["other", "taken"] == 5)
            assert made.posts.tries.count("ops") == 1

    run(scenario)


def test_a_test_is_sent_once_and_says_what_came_of_it() -> None:
    async def scenario() -> None:
        async with sending() as made:
            made.posts.failures["ops"] = OSError("refused")
            found = await made.outbox.test(NOTICE, None)
            assert [(one.target, one.taken, one.error) for one in found] == [
                ("ops", False, "refused"),
                ("other", True, None),
            ]
            assert [one.target for one in await made.outbox.test(NOTICE, "other")] == ["other"]
            made.posts.failures["ops"] = NoSuchTarget(410)
            assert [one.error for one in await made.outbox.test(NOTICE, "ops")] == ["HTTP status 410"]
            with pytest.raises(NotFound):
                await made.outbox.test(NOTICE, "nobody")
            assert made.posts.tries.count("ops") == 2

    run(scenario)


# ---------------------------------------------------------------------------------------------------------------------
# Guards


def test_a_target_that_is_down_is_not_called_while_its_breaker_is_open_and_no_try_is_lost() -> None:
    async def scenario() -> None:
        async with sending(LoopClock(), attempts_max=30, timeout_seconds=10) as made:
            made.posts.failures["ops"] = OSError("refused")
            made.put()
            await waiting_for(lambda: event_name(made.told[-1]) == "breaker.opened" if made.told else False)
            tries = made.posts.tries.count("ops")
            assert tries == 5
            [opened] = [one for one in made.outbox.guards.records if one.state == "open"]
            assert opened.dependency == "alerts.targets.ops"
            assert made.counts["ops", "failed"] <= tries
            [refused] = await made.outbox.test(NOTICE, "ops")
            assert (refused.taken, made.posts.tries.count("ops")) == (False, tries)
            assert str(refused.error).startswith("alerts.targets.ops is not called: its breaker is open")
            await waiting_for(lambda: any("not called" in problem for problem in made.outbox.problems))
            made.put(2)
            del made.posts.failures["ops"]
            await waiting_for(lambda: len(made.ended) == 2)
            assert made.counts["ops", "taken"] == 2
            assert made.counts["ops", "failed"] == 5
            assert event_name(made.told[-1]) == "breaker.closed"
            assert made.outbox.problems == []

    virtually(scenario())


def test_a_target_that_fails_now_and_then_is_tried_again_within_the_budget_of_its_guard() -> None:
    async def scenario() -> None:
        async with sending(LoopClock(), notices_per_minute=1_000, timeout_seconds=10) as made:
            made.posts.flaky.add("ops")
            for number in range(60):
                made.put(number)
            await waiting_for(lambda: len(made.ended) == 60)
            assert (made.counts["ops", "taken"], made.counts["ops", "failed"]) == (60, 29)
            [ops] = [one for one in made.outbox.guards.records if one.dependency == "alerts.targets.ops"]
            assert ops.calls["refused"] > 0
            # It was never the breaker.
            assert made.told == []

    virtually(scenario())


def test_a_target_that_declines_what_it_is_sent_is_no_fault_of_its_breaker() -> None:
    async def scenario() -> None:
        async with sending(LoopClock(), attempts_max=20) as made:
            made.posts.failures["ops"] = NotTaken(404)
            made.put()
            await waiting_for(lambda: bool(made.ended))
            assert made.posts.tries.count("ops") == 20
            assert made.told == []
            made.posts.failures["ops"] = NotTaken(503)
            made.put(2)
            await waiting_for(lambda: bool(made.told))
            assert made.posts.tries.count("ops") == 25

    virtually(scenario())


async def waiting_for(is_so: Callable[[], bool]) -> None:
    """Let virtual time pass until something is so."""
    while not is_so():
        await passing(0.05)
