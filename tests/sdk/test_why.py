"""What the story of a job says it comes from."""

from __future__ import annotations

import pytest

from sheratan import Fatal, WorkflowBuilder, job, testing
from sheratan.contracts.api import StartBulk
from sheratan.contracts.errors import JobFailed
from sheratan.contracts.filters import JobFilter


@job(kind="why_even")
async def even(number: int) -> int:
    if number % 2:
        raise Fatal("odd")
    return number


@testing.in_world([even])
async def test_only_what_a_bulk_operation_has_run_again_names_one(world: testing.World) -> None:
    with pytest.raises(JobFailed):
        await world.client.run(even, 1)
    await world.client.create_schedule("often", even, 2, every_seconds=60, ends_us=world.now_us + 90_000_000)
    await world.skip(seconds=60)
    builder = WorkflowBuilder("both", input_schema=list[int])
    node = builder.job("each", even, builder.item, for_each=builder.input)
    run = await world.client.run_workflow(builder.build(output=node.output), [4])
    await run.result()
    await world.client.start_bulk(StartBulk(action="retry", filter=JobFilter(state="failed")))
    await world.skip(seconds=60)
    stories = [await world.why(one.id) for one in await world.jobs()]
    causes = [
        ("often" in story.splitlines()[0], run.id in story, "The bulk operation bulk:" in story)
        for story in stories
    ]
    assert causes == [
        (False, False, False),
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]
