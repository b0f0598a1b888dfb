"""A scenario that is run once per point at which its worker may die."""

from __future__ import annotations

import pytest

from sheratan import Context, Kind, Proposal, job, testing
from sheratan.contracts.errors import InvalidInput
from tests.testing import sample_kinds as kinds


class Bank:
    """A stand-in for a service that can take an idempotency key."""

    def __init__(self, *, looks_at_keys: bool) -> None:
        self.looks_at_keys = looks_at_keys
        self.charged: list[str] = []

    async def charge(self, key: str) -> str:
        if not (self.looks_at_keys and key in self.charged):
            self.charged.append(key)
        return "done"


def buying(bank: Bank) -> Kind[str, str]:
    @job(kind="buy")
    async def buy(ctx: Context, key: str) -> str:
        charged: str = await ctx.step("charge", bank.charge, key)
        await ctx.sleep(3_600)
        return charged

    return buy


@job
async def measure(what: str) -> int:
    return len(what)


@job
async def planner(ctx: Context) -> list[int]:
    wanted = [Proposal(kind="measure", input=what) for what in ("ice", "steam", "ice")]
    outcome = await ctx.propose(wanted)
    return [*await ctx.gather(*outcome.accepted), len(outcome.rejected)]


def test_a_handler_that_proposes_jobs_bears_a_crash_anywhere() -> None:
    async def plan(world: testing.World) -> tuple[list[int], int]:
        found = await world.client.run(planner)
        return found, len((await world.client.jobs()).items)

    points = testing.crash_everywhere([planner, measure], plan)
    assert ("spawn:(proposed)", "after") in [(point.name, point.when) for point in points]


class Shop:
    """A scenario with a bank of its own each time."""

    def __init__(self, *, looks_at_keys: bool) -> None:
        self.looks_at_keys = looks_at_keys
        self.bank = Bank(looks_at_keys=looks_at_keys)
        self.kind = buying(self)  # type: ignore[arg-type]

    async def charge(self, key: str) -> str:
        return await self.bank.charge(key)

    async def __call__(self, world: testing.World) -> tuple[str, list[str]]:
        self.bank = Bank(looks_at_keys=self.looks_at_keys)
        return await world.client.run(self.kind, "one"), self.bank.charged


def test_a_handler_that_bears_a_crash_anywhere_passes_at_every_point() -> None:
    shop = Shop(looks_at_keys=True)
    points = testing.crash_everywhere([shop.kind], shop)
    assert [(point.name, point.when, point.visit) for point in points] == [
        ("job:start", "after", 1),
        ("charge", "before", 1),
        ("charge", "after", 1),
        ("wait:sleep", "before", 1),
        ("wait:sleep", "after", 1),
        ("job:start", "after", 2),
        ("job:end", "before", 1),
        ("job:end", "after", 1),
    ]


def test_a_handler_that_charges_twice_is_found_and_the_point_is_named() -> None:
    shop = Shop(looks_at_keys=False)
    with pytest.raises(testing.CrashChangedOutcome) as found:
        testing.crash_everywhere([shop.kind], shop)
    text = str(found.value)
    assert "the worker dies just before step 'charge' of a job of kind 'buy' is recorded:" in text
    assert "undisturbed: ('done', ['one'])" in text
    assert "crashed:     ('done', ['one', 'one'])" in text
    assert "Attempt 1 ended early with WorkerLost" in text


def test_a_scenario_that_fails_at_a_point_has_another_outcome() -> None:
    async def scenario(world: testing.World) -> int:
        handle = await world.client.submit(kinds.doubled, 1)
        await handle.result()
        assert (await world.client.job(handle.id)).attempt == 1
        return 1

    with pytest.raises(testing.CrashChangedOutcome, match=r"was given to the worker:\n.*\n.*AssertionError"):
        testing.crash_everywhere([kinds], scenario)


def test_a_scenario_that_fails_undisturbed_fails_as_it_does() -> None:
    async def scenario(world: testing.World) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        testing.crash_everywhere([kinds], scenario)


def test_a_scenario_that_hangs_at_a_point_says_at_which() -> None:
    async def scenario(world: testing.World) -> None:
        handle = await world.client.submit(kinds.doubled, 1)
        await handle.result()
        if (await world.client.job(handle.id)).attempt > 1:
            await world.client.run(kinds.waits_for_ever)

    with pytest.raises(testing.NothingLeft) as found:
        testing.crash_everywhere([kinds], scenario)
    assert "(when the worker dies just after a job of kind 'doubled' was given" in found.value.__notes__[-1]


def test_a_scenario_that_is_another_each_time_is_no_proof() -> None:
    runs: list[int] = []

    async def scenario(world: testing.World) -> None:
        runs.append(1)
        if len(runs) == 1:
            await world.client.run(kinds.doubled, 1)

    with pytest.raises(testing.CrashNotReached):
        testing.crash_everywhere([kinds], scenario)


def test_more_points_than_wanted_are_refused() -> None:
    async def scenario(world: testing.World) -> int:
        return int(await world.client.run(kinds.parent, 5))

    with pytest.raises(InvalidInput) as refused:
        testing.crash_everywhere([kinds], scenario, points_max=20)
    assert refused.value.field == "points_max"


def test_jobs_that_a_scenario_does_not_wait_for_have_points_too() -> None:
    async def scenario(world: testing.World) -> None:
        await world.client.submit(kinds.nightly, "today")

    points = testing.crash_everywhere([kinds], scenario)
    assert [point.name for point in points] == ["job:start", "job:end", "job:end"]


def test_a_parent_and_its_children_bear_a_crash_anywhere() -> None:
    async def scenario(world: testing.World) -> tuple[int, int]:
        total = await world.client.run(kinds.parent, 2)
        return total, len(await world.jobs(kind="doubled"))

    points = testing.crash_everywhere([kinds], scenario)
    assert {point.kind for point in points} == {"parent", "doubled"}
    assert len(points) >= 15
