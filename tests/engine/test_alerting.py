"""Alerts over a real engine: what is wrong for long enough is written down and told once, and so is its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sheratan.ambient.clock import VirtualClock
from sheratan.contracts import ledger_requests
from sheratan.contracts.alert_targets import AlertTarget
from sheratan.contracts.alerts import TEXT_LENGTH_MAX
from sheratan.contracts.errors import NotFound, Unavailable
from sheratan.contracts.guards import GuardSettings, OpenBreaker
from sheratan.contracts.ledger import ISSUE
from sheratan.contracts.principal import ENGINE
from sheratan.engine.alert_views import notice_of
from sheratan.engine.alerting import UNWRITTEN_MAX
from sheratan.engine.commands import (
    ChangeState,
    DeriveState,
    EndSession,
    Heartbeat,
    LimitSpending,
    OpenAccount,
    Pause,
    PriceKind,
    Probe,
)
from sheratan.engine.explain import story
from sheratan.engine.prepare_ledger import prepare_transfers
from sheratan.engine.system_commands import Down
from sheratan.guards.guards import Guards
from sheratan.guards.outcomes import outcome_of
from tests.engine.alerted import SECOND, Alerted, alerted, alerting_settings, turns_until
from tests.engine.booking import move

SECONDS_MAX = 60
STRIPE = "alert:breaker/stripe"
QUEUE = "alert:queue_age/queue:default"


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(SECONDS_MAX):
            await scenario()

    asyncio.run(bounded())


async def fail(engine: Alerted) -> str:
    """A job becomes a dead letter."""
    job = await engine.submit("work", queue_timeout_seconds=1)
    engine.clock.advance(2 * SECOND)
    await engine.ask(Probe(commits=False))
    return job


async def degrade(engine: Alerted, name: str, *, critical: bool) -> None:
    """A probe has found something down."""
    down = Down(name=name, critical=critical, affects=(name,), since_us=0, failures=3, error="refused")
    await engine.engine.ask(DeriveState(down=(down,), unknown=0, dwell_us=0), ENGINE)


# ---------------------------------------------------------------------------------------------------------------------
# Raised and cleared


def test_all_is_well_and_nothing_is_recorded(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with alerted(tmp_path) as engine:
            await engine.submit()
            head = engine.engine.state.head
            assert await engine.rounds(20) == []
            assert (engine.engine.state.head, engine.posts.taken) == (head, [])

    run(scenario)


def test_what_is_wrong_for_long_enough_is_raised_once_told_once_and_cleared_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        rules = {"queue_age": {"threshold": 100, "hold_seconds": 20, "severity": "critical"}}
        async with alerted(tmp_path, alerting_settings(rules=rules, clear_seconds=30)) as engine:
            session = await engine.register()
            await engine.submit()
            engine.clock.advance(95 * SECOND)
            assert await engine.rounds(4) == []
            assert await engine.rounds() == [QUEUE]
            assert await engine.rounds(20) == [QUEUE]
            assert engine.types() == ["alert.raised", "alert.notified"]
            [given] = await engine.lease(session)
            assert await engine.rounds(6) == [QUEUE]
            assert await engine.rounds() == []
            assert await engine.rounds(20) == []
            assert engine.types() == ["alert.raised", "alert.notified", "alert.cleared", "alert.notified"]
            assert engine.posts.told() == [("raised", QUEUE), ("cleared", QUEUE)]
            raised, cleared = (notice for _, notice in engine.posts.taken)
            assert (raised.severity, raised.value, raised.threshold) == ("critical", 120, 100)
            assert (raised.affected, raised.runbook) == (["queue:default"], "docs/runbook/queue-age.md")
            assert raised.entry == engine.entries()[0].seq
            assert (cleared.severity, cleared.value) == ("critical", 0)
            [left] = engine.alerts(cleared=True)
            assert (left.is_open, left.is_told) == (False, True)
            await engine.settle(given)

    run(scenario)


def test_what_passes_by_itself_is_not_raised(tmp_path: Path) -> None:
    async def scenario() -> None:
        rules = {"queue_age": {"threshold": 10, "hold_seconds": 20}}
        async with alerted(tmp_path, alerting_settings(rules=rules)) as engine:
            session = await engine.register()
            for _ in range(3):
                await engine.submit()
                assert await engine.rounds(4) == []
                await engine.lease(session)
                assert await engine.rounds() == []
            assert engine.types() == []

    run(scenario)


def test_what_is_well_for_a_moment_only_is_not_cleared(tmp_path: Path) -> None:
    async def scenario() -> None:
        rules = {"queue_age": {"threshold": 10, "hold_seconds": 0}}
        async with alerted(tmp_path, alerting_settings(rules=rules, clear_seconds=30)) as engine:
            session = await engine.register()
            for _ in range(3):
                await engine.submit()
                assert await engine.rounds(3) == [QUEUE]
                await engine.lease(session)
                assert await engine.rounds(2) == [QUEUE]
            assert engine.types() == ["alert.raised", "alert.notified"]

    run(scenario)


def test_a_story_says_what_was_wrong_and_who_heard(tmp_path: Path) -> None:
    async def scenario() -> None:
        rules = {"queue_age": {"threshold": 10, "hold_seconds": 0}}
        async with alerted(tmp_path, alerting_settings(rules=rules)) as engine:
            await engine.submit()
            await engine.rounds(3)
            told = story(engine.store, QUEUE)
            assert told.state == "open"
            assert [line.type for line in told.lines] == ["alert.raised", "alert.notified"]
            assert "10 s. It affects queue:default." in told.lines[0].text
            assert told.lines[1].text == "ops took the notice."
            with pytest.raises(NotFound, match="never raised"):
                story(engine.store, "alert:budget")

    run(scenario)


# ---------------------------------------------------------------------------------------------------------------------
# Nothing can be committed, or decided


def test_that_nothing_can_be_committed_is_told_at_once_and_written_down_once_something_can(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with alerted(tmp_path) as engine:
            other = engine.hold_database()
            with pytest.raises(Unavailable):
                await engine.submit()
            assert await engine.rounds() == []
            found = await engine.rounds(3)
            assert found == ["alert:commit", "alert:state/degraded_critical"]
            assert engine.posts.told() == [
                ("raised", "alert:commit"),
                ("raised", "alert:state/degraded_critical"),
            ]
            assert [notice.entry for _, notice in engine.posts.taken] == [None, None]
            assert {(one.entry, one.is_open) for one in engine.alerts()} == {(None, True)}
            other.close()
            await engine.submit()
            assert await engine.rounds(2) == ["alert:commit", "alert:state/degraded_critical"]
            assert engine.types("alert:commit") == ["alert.raised", "alert.notified"]
            assert await engine.rounds(13) == []
            assert engine.types("alert:commit")[2:] == ["alert.cleared", "alert.notified"]
            assert len(engine.posts.taken) == 4

    run(scenario)


def test_a_raise_and_its_end_that_could_not_be_written_down_are_both_afterwards(tmp_path: Path) -> None:
    async def scenario() -> None:
        rules = {"archive": {"hold_seconds": 0}, "commit": {"on": False}, "state": {"on": False}}
        async with alerted(tmp_path, alerting_settings(rules=rules, clear_seconds=5)) as engine:
            other = engine.hold_database()
            engine.archive_problem = "no such folder"
            await engine.rounds(2)
            engine.archive_problem = None
            await engine.rounds(3)
            assert engine.posts.told() == [("raised", "alert:archive"), ("cleared", "alert:archive")]
            assert engine.types() == []
            other.close()
            assert await engine.rounds(2) == []
            assert engine.types()[:2] == ["alert.raised", "alert.cleared"]

    run(scenario)


def test_an_engine_that_has_halted_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with alerted(tmp_path) as engine:
            engine.engine._driver.halted = "a bug"
            assert await engine.rounds() == ["alert:integrity"]
            assert engine.posts.told() == [("raised", "alert:integrity")]
            assert await engine.rounds(4) == ["alert:integrity", "alert:state/halted"]
            assert engine.types() == []
            engine.engine._driver.halted = None

    run(scenario)


def test_a_system_that_a_person_has_halted_writes_alerts_down_once_it_may(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with alerted(tmp_path) as engine:
            await engine.ask(ChangeState(to="halted", reason="a test"))
            assert await engine.rounds(5) == ["alert:state/halted"]
            assert (engine.types(), engine.posts.told()) == ([], [("raised", "alert:state/halted")])
            await engine.ask(ChangeState(to="recovery", reason="a test"))
            assert await engine.rounds(2) == ["alert:state/halted"]
            assert engine.types() == ["alert.raised", "alert.notified"]
            await engine.ask(ChangeState(to="operational", reason="a test"))
            assert await engine.rounds(13) == []

    run(scenario)


def test_an_outage_keeps_no_more_changes_than_may_be(tmp_path: Path) -> None:
    async def scenario() -> None:
        rules = {"archive": {"hold_seconds": 0}, "commit": {"on": False}, "state": {"on": False}}
        settings = alerting_settings({}, rules=rules, clear_seconds=0)
        async with alerted(tmp_path, settings) as engine:
            other = engine.hold_database()
            for number in range(UNWRITTEN_MAX + 10):
                engine.archive_problem = None if number % 2 else "no such folder"
                engine.alerting.look()
            assert len(engine.alerting._unwritten) == UNWRITTEN_MAX
            other.close()
            await engine.rounds(2)
            assert len(engine.types()) == UNWRITTEN_MAX
            assert engine.alerting._unwritten == []

    run(scenario)


def test_what_takes_long_to_be_written_down_is_told_meanwhile_and_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with alerted(tmp_path) as engine:
            engine.archive_problem = "no such folder"
            commit, gate = engine.engine._driver._commit, asyncio.Event()

            async def slow(batch: Any) -> None:
                await gate.wait()
                await commit(batch)

            engine.engine._driver._commit = slow  # type: ignore[method-assign]
            for _ in range(2):
                engine.alerting.look()
                engine.clock.advance(4 * SECOND)
            assert engine.posts.taken == []
            engine.alerting.look()
            await turns_until(lambda: bool(engine.posts.taken))
            assert engine.posts.taken[0][1].entry is None
            engine.engine._driver._commit = commit  # type: ignore[method-assign]
            gate.set()
            await engine.rounds(2)
            assert engine.posts.told() == [("raised", "alert:archive")]
            assert engine.types() == ["alert.raised", "alert.notified"]

    run(scenario)


# ---------------------------------------------------------------------------------------------------------------------
# Starts


def test_an_open_alert_survives_a_restart_and_is_not_told_twice(tmp_path: Path) -> None:
    async def scenario() -> None:
        clock = VirtualClock()
        async with alerted(tmp_path, clock=clock) as engine:
            engine.archive_problem = "no such folder"
            assert await engine.rounds(2) == ["alert:archive"]
        async with alerted(tmp_path, clock=clock) as engine:
            engine.archive_problem = "no such folder"
            assert await engine.rounds(5) == ["alert:archive"]
            assert engine.posts.taken == []
            assert engine.types() == ["alert.raised", "alert.notified"]

    run(scenario)


@pytest.mark.parametrize(("hours", "told"), [(1, ["cleared", "raised"]), (25, ["raised"])])
def test_what_nobody_has_heard_is_told_after_the_next_start_unless_it_is_old_news(
    tmp_path: Path, hours: int, told: list[str]
) -> None:
    async def scenario() -> None:
        clock, rules = VirtualClock(), {"queue_age": {"threshold": 10, "hold_seconds": 0}}
        settings = alerting_settings(rules=rules, clear_seconds=0)
        async with alerted(tmp_path, settings, clock=clock) as engine:
            engine.posts.failures["ops"] = None
            await engine.submit()
            assert await engine.rounds(3) == [QUEUE]
            engine.archive_problem = "no such folder"
            await engine.rounds()
            engine.archive_problem = None
            assert await engine.rounds() == [QUEUE]
            first = engine.alerts()
            assert not first[0].is_told
        clock.advance(hours * 3_600 * SECOND)
        async with alerted(tmp_path, settings, clock=clock) as engine:
            await engine.rounds(2)
            assert sorted(what for what, _ in engine.posts.told()) == told
            assert all(one.is_told for one in engine.alerts())

    run(scenario)


def test_the_same_news_has_the_same_id_whoever_tells_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        clock = VirtualClock()
        ids: list[str] = []
        for _ in range(2):
            async with alerted(tmp_path, clock=clock) as engine:
                engine.posts.failures["ops"] = OSError("refused")
                engine.archive_problem = "no such folder"
                await engine.rounds()
                await turns_until(lambda: bool(engine.posts.tries))
                [fact] = engine.engine.state.alerts.values()
                ids.append(notice_of(fact, "", None).id)
        assert len(set(ids)) == 1

    run(scenario)


# ---------------------------------------------------------------------------------------------------------------------
# Breakers


def breaker(since_us: int, because: str = "5 calls in a row have failed") -> OpenBreaker:
    return OpenBreaker(dependency="stripe", since_us=since_us, because=because)


def test_a_breaker_of_any_worker_is_raised_once_it_was_open_for_long_and_cleared_once_all_are_closed(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with alerted(tmp_path, alerting_settings(clear_seconds=10)) as engine:
            sessions = [await engine.register() for _ in range(2)]
            since_us = engine.clock.now_us()
            for session, later_us in zip(sessions, (5 * SECOND, 0), strict=True):
                await engine.ask(Heartbeat(session=session, breakers=(breaker(since_us + later_us),)))
            assert await engine.rounds(11) == []
            assert await engine.rounds() == [STRIPE]
            [(_, raised)] = engine.posts.taken
            assert (raised.value, raised.threshold, raised.affected) == (60, 60, ["stripe"])
            assert raised.runbook == "docs/runbook/breaker.md"
            assert raised.text == (
                f"calls of stripe have failed for 60 s in worker:w/{sessions[1]}: 5 calls in a row have failed"
            )
            await engine.ask(Heartbeat(session=sessions[1]))
            # The other one has been open for nearly as long, and goes on to be.
            assert await engine.rounds(4) == [STRIPE]
            await engine.ask(EndSession(session=sessions[0]))
            assert await engine.rounds(3) == []
            assert engine.posts.told() == [("raised", STRIPE), ("cleared", STRIPE)]

    run(scenario)


def test_a_breaker_of_this_process_counts_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with alerted(tmp_path, alerting_settings(rules={"breaker": {"threshold": 5}})) as engine:
            guards = Guards({"stripe": GuardSettings(failures_max=1)}, clock=engine.clock)
            guards.start()
            engine.engine.guards = lambda: guards.records
            assert await engine.rounds() == []
            with pytest.raises(ConnectionError):
                async with guards.call("stripe", outcome_of, is_retry=False):
                    raise ConnectionError
            assert await engine.rounds() == [STRIPE]
            [(_, raised)] = engine.posts.taken
            assert "for 5 s in this process: 1 calls in a row" in raised.text
            engine.clock.advance(20 * SECOND)
            async with guards.call("stripe", outcome_of, is_retry=False):
                pass
            assert await engine.rounds(14) == []

    run(scenario)


# ---------------------------------------------------------------------------------------------------------------------
# Who hears of what


def test_what_stays_open_is_told_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with alerted(tmp_path, alerting_settings(repeat_seconds=60)) as engine:
            engine.archive_problem = "no such folder"
            await engine.rounds(12)
            assert [what for what, _ in engine.posts.told()] == ["raised"]
            await engine.rounds()
            assert [what for what, _ in engine.posts.told()] == ["raised", "still_open"]
            ids = {notice.id for _, notice in engine.posts.taken}
            assert len(ids) == 2

    run(scenario)


def test_what_is_on_its_way_is_not_told_again_meanwhile(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with alerted(tmp_path, alerting_settings(repeat_seconds=60)) as engine:
            engine.archive_problem = "no such folder"
            await engine.rounds()
            engine.posts.failures["ops"] = None
            await engine.rounds(40)
            await turns_until(lambda: len(engine.posts.tries) == 2)
            [target] = engine.outbox.records()
            assert (target.taken, target.waiting) == (1, 0)

    run(scenario)


def test_nothing_is_told_again_where_that_is_off(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with alerted(tmp_path, alerting_settings(repeat_seconds=0)) as engine:
            engine.archive_problem = "no such folder"
            await engine.rounds(3, seconds=100_000)
            assert [what for what, _ in engine.posts.told()] == ["raised"]

    run(scenario)


def test_who_wants_to_hear_of_critical_alerts_hears_of_no_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        targets = {
            "night": AlertTarget(url="https://night/", least="critical"),
            "ops": AlertTarget(url="https://ops/"),
        }
        rules = {"budget": {"severity": "critical"}, "schedule_lag": {"severity": "critical"}}
        async with alerted(tmp_path, alerting_settings(targets, rules=rules, clear_seconds=0)) as engine:
            engine.archive_problem = "no such folder"
            await engine.rounds()
            engine.engine._driver.halted = "a bug"
            await engine.rounds()
            engine.engine._driver.halted = None
            await engine.rounds(2)
            assert engine.posts.told("night")[0] == ("raised", "alert:integrity")
            assert ("cleared", "alert:integrity") in engine.posts.told("night")
            assert ("raised", "alert:archive") not in engine.posts.told("night")
            assert ("raised", "alert:archive") in engine.posts.told("ops")

    run(scenario)


def test_with_nobody_to_tell_alerts_are_written_down_all_the_same(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with alerted(tmp_path, alerting_settings({})) as engine:
            engine.archive_problem = "no such folder"
            assert await engine.rounds(3) == ["alert:archive"]
            assert engine.types() == ["alert.raised"]

    run(scenario)


# ---------------------------------------------------------------------------------------------------------------------
# What is watched


def test_a_rule_that_is_off_is_not_watched(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with alerted(tmp_path, alerting_settings(rules={"archive": {"on": False}})) as engine:
            engine.archive_problem = "no such folder"
            assert await engine.rounds(5) == []

    run(scenario)


def test_dead_letters_are_told_by_their_number_and_by_their_age(tmp_path: Path) -> None:
    async def scenario() -> None:
        rules = {"dead_letters": {"threshold": 2, "hold_seconds": 0}, "dead_letter_age": {"threshold": 60}}
        async with alerted(tmp_path, alerting_settings(rules=rules)) as engine:
            await fail(engine)
            assert await engine.rounds() == []
            await fail(engine)
            assert await engine.rounds() == ["alert:dead_letters"]
            assert engine.alerts()[0].text == "dead letters that nobody has dealt with: 2 or more"
            assert await engine.rounds(12) == ["alert:dead_letter_age", "alert:dead_letters"]

    run(scenario)


def test_a_state_is_as_urgent_as_it_is_bad(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with alerted(tmp_path) as engine:
            await engine.ask(Pause(subject="queue:default", reason="a test"))
            await degrade(engine, "mail", critical=False)
            assert await engine.rounds(4) == ["alert:state/degraded_minor"]
            assert engine.alerts()[0].severity == "warning"
            assert engine.alerts()[0].affected == ["mail"]
            await degrade(engine, "model", critical=True)
            assert await engine.rounds(4) == ["alert:state/degraded_critical", "alert:state/degraded_minor"]
            assert engine.alerts()[0].severity == "critical"

    run(scenario)


def test_a_state_that_is_not_written_down_yet_affects_nothing_that_another_does(tmp_path: Path) -> None:
    async def scenario() -> None:
        rules = {"state": {"hold_seconds": 0}, "commit": {"on": False}}
        async with alerted(tmp_path, alerting_settings(rules=rules)) as engine:
            await degrade(engine, "mail", critical=False)
            assert await engine.rounds() == ["alert:state/degraded_minor"]
            other = engine.hold_database()
            with pytest.raises(Unavailable):
                await engine.submit()
            assert await engine.rounds(2) == ["alert:state/degraded_critical", "alert:state/degraded_minor"]
            assert [one.affected for one in engine.alerts()] == [[], ["mail"]]
            other.close()
            await engine.submit()

    run(scenario)


def test_a_budget_is_used_up_until_its_window_is_over(tmp_path: Path) -> None:
    async def scenario() -> None:
        rules = {"budget": {"threshold": 80, "hold_seconds": 0}}
        async with alerted(tmp_path, alerting_settings(rules=rules, clear_seconds=0)) as engine:
            for command in (
                OpenAccount(account="tenant:default", unit="credits", scale=None, reason=""),
                PriceKind(kind="work", unit="credits", amount=10, metered=False, reason="it is not free"),
                LimitSpending(
                    subject="kind:work", unit="credits", per="minute", amount=12, reason="not too much"
                ),
                prepare_transfers(
                    ledger_requests.ApplyTransfers(
                        transfers=[move(0, 100, ISSUE, "tenant:default")], reason="a test"
                    ),
                    engine.engine.limits,
                ),
            ):
                await engine.ask(command)
            session = await engine.register()
            await engine.submit()
            assert await engine.rounds(seconds=0) == []
            [given] = await engine.lease(session)
            assert await engine.rounds(seconds=0) == ["alert:budget/kind:work/credits"]
            assert engine.alerts()[0].text == "83 % of the budget of kind:work in credits is used"
            await engine.settle(given)
            assert await engine.rounds(seconds=0) == ["alert:budget/kind:work/credits"]
            assert await engine.rounds(seconds=60) == []

    run(scenario)


def test_what_is_wrong_is_told_in_a_line_and_not_in_a_page(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with alerted(tmp_path) as engine:
            engine.archive_problem = "long " * 1_000
            await engine.rounds()
            [(_, notice)] = engine.posts.taken
            assert len(notice.text) == TEXT_LENGTH_MAX
            assert engine.entries()[0].data["text"] == notice.text

    run(scenario)


def test_a_secret_in_what_is_wrong_is_told_to_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with alerted(tmp_path) as engine:
            engine.archive_problem = "refused: AKIA" + "ABCDEFGHIJKLMNOP"
            await engine.rounds()
            [(_, notice)] = engine.posts.taken
            assert "AKIA" not in notice.text
            assert "AKIA" not in engine.entries()[0].data["text"]

    run(scenario)


def test_a_round_that_goes_wrong_is_told_and_tried_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        settings = alerting_settings(interval_seconds=0.001)
        async with alerted(tmp_path, settings) as engine:
            engine.alerting.start()
            known, engine.engine.state.alerts = engine.engine.state.alerts, None  # type: ignore[assignment]
            await turns_until(lambda: engine.alerting.bug is not None)
            assert engine.alerting.problems[0].startswith("a bug: TypeError")
            engine.engine.state.alerts = known
            await turns_until(lambda: engine.alerting.bug is None)

    run(scenario)
