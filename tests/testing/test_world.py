"""A world as a test sees it: what has happened in it, and that it is proved at its end."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from sheratan import WorkflowBuilder, testing
from sheratan.contracts.errors import JobFailed, LimitReached
from sheratan.contracts.limits import Limits
from sheratan.kernel import rules
from sheratan.kernel.rules import Verdict
from tests.testing import sample_kinds as kinds


@testing.in_world([kinds])
async def test_a_test_may_have_fixtures_as_ever(world: testing.World, tmp_path: Path) -> None:
    assert tmp_path.name.startswith("test_")
    assert await world.client.run(kinds.doubled, 2) == 4


@testing.in_world([kinds])
@pytest.mark.parametrize("value", [1, 2])
async def test_marks_that_stand_below_count(world: testing.World, value: int) -> None:
    assert await world.client.run(kinds.doubled, value) == 2 * value


@testing.in_world([kinds.doubled, kinds.poison])
async def test_jobs_are_told_oldest_first(world: testing.World) -> None:
    first = await world.client.submit(kinds.doubled, 1, delay_seconds=60)
    second = await world.client.submit(kinds.poison)
    with pytest.raises(JobFailed):
        await second.result()
    assert [job.id for job in await world.jobs()] == [first.id, second.id]
    assert [job.id for job in await world.jobs(kind="doubled")] == [first.id]
    assert [job.id for job in await world.jobs(state="failed")] == [second.id]
    assert "poison" in await world.why(second.id)
    assert (await world.client.status()).problems == []


@testing.in_world([kinds.doubled])
async def test_more_jobs_than_a_page_holds_are_all_told(world: testing.World) -> None:
    handles = await world.client.submit_many([kinds.doubled.submission(n) for n in range(600)])
    assert [job.id for job in await world.jobs()] == [handle.id for handle in handles]


@testing.in_world([kinds])
async def test_the_one_connection_is_used_by_one_thread(world: testing.World) -> None:
    """A large commit in a thread, and a read beside it, would see each other's half."""
    await world.client.submit_many([kinds.nightly.submission("today") for _ in range(600)])
    assert len(await world.jobs()) == 600
    names = [thread.name for thread in threading.enumerate()]
    assert [name for name in names if name.startswith(("sheratan-reader", "sheratan-writer"))] == []


@testing.in_world([kinds])
async def test_a_workflow_runs_in_a_world(world: testing.World) -> None:
    world.crash_at("job:end", kind="doubled", times=2)
    builder = WorkflowBuilder("doubling", input_schema=list[int])
    each = builder.job("each", kinds.doubled, builder.item, for_each=builder.input)
    run = await world.client.run_workflow(builder.build(output=each.output), [1, 2, 3])
    assert await run.result() == [2, 4, 6]
    assert "doubling" in await world.why(run.id)


@testing.in_world([kinds.doubled], limits=Limits(queue_jobs_max=1))
async def test_a_world_has_limits(world: testing.World) -> None:
    await world.client.pause("default")
    await world.client.submit(kinds.doubled, 1)
    with pytest.raises(LimitReached):
        await world.client.submit(kinds.doubled, 2)


def test_two_worlds_are_alike_to_the_letter() -> None:
    async def scenario() -> list[str]:
        async with testing.world([kinds]) as world:
            await world.client.run(kinds.order, "one")
            return await world.client.entries(0, 100)

    assert testing.run(scenario) == testing.run(scenario)


def test_a_failing_test_is_told_the_world_s_time() -> None:
    async def scenario() -> None:
        async with testing.world([kinds]) as world:
            await world.skip(days=2)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as failed:
        testing.run(scenario)
    assert "2030-01-03T00:00:00" in failed.value.__notes__[0]


def test_a_world_whose_tables_do_not_say_what_its_journal_says_fails_its_test() -> None:
    async def scenario() -> None:
        async with testing.world([kinds]) as world:
            await world.client.run(kinds.doubled, 1)
            world._host.store._connection.execute("UPDATE result SET state = 'failed'")

    with pytest.raises(testing.ProofFailed, match="J14: state is failed"):
        testing.run(scenario)


def test_a_world_with_a_decision_that_comes_out_otherwise_fails_its_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        async with testing.world([kinds]) as world:
            await world.client.run(kinds.doubled, 1)
            monkeypatch.setitem(rules._RULES, "job.settle@1", lambda given: Verdict("refuse", "otherwise"))

    with pytest.raises(testing.ProofFailed, match="decisions come out otherwise"):
        testing.run(scenario)
