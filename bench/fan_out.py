"""A thousand jobs from one, and one job after all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from bench.harness import Bench, Section, at_most, percentile, plain
from bench.noop import CHILDREN, PAYLOAD, fan, noop
from bench.product import running
from sheratan.sdk.workflow import WorkflowBuilder

__all__ = ["fan_both", "measure"]

WORKFLOW: Final = f"workflow, {CHILDREN:,} items"
HANDLER: Final = f"handler, {CHILDREN:,} children"


def measure(bench: Bench) -> Section:
    """From the call that starts it until its end is known; one at a time, the median of some in each round.

    A workflow: one node for each item of a list, and a node after it. A handler: it spawns children and gathers them.
    """
    times = bench.size(10, 1)

    def both(folder: Path) -> dict[str, float]:
        return asyncio.run(fan_both(folder, times))

    samples = bench.repeat(both)
    rows = [plain(samples, name, "ms", at_most(150)) for name in (WORKFLOW, HANDLER)]
    return Section("Fan-out and fan-in", measure.__doc__ or "", rows)


async def fan_both(folder: Path, times: int) -> dict[str, float]:
    builder = WorkflowBuilder("fan")
    wide = builder.job("wide", noop, builder.item, for_each=builder.input["items"])
    builder.job("last", noop, PAYLOAD, after=[wide])
    workflow = builder.build()
    async with running(folder) as client:

        async def run_workflow() -> None:
            handle = await client.run_workflow(workflow, {"items": [PAYLOAD] * CHILDREN})
            record = await client.wait_for_run(handle.id)
            assert record.state == "succeeded"

        async def run_handler() -> None:
            assert await client.run(fan) == CHILDREN

        return {
            WORKFLOW: await _median_ms(run_workflow, times),
            HANDLER: await _median_ms(run_handler, times),
        }


async def _median_ms(run: Callable[[], Awaitable[None]], times: int) -> float:
    took: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        await run()
        took.append(time.perf_counter() - began)
    return percentile(took, 50) * 1e3
