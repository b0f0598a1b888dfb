"""What simulated clients do with workflows: run some, look at runs, stop them, ask for the same one again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from sheratan.contracts import api
from sheratan.contracts.errors import Conflict, Pruned, TimedOut
from sheratan.contracts.workflows import Workflow
from sheratan.simulation.choices import Choices
from sheratan.simulation.coverage import Coverage
from sheratan.simulation.workflows import draw_workflow, keyed_workflow, undoable_workflow

__all__ = ["RunClient"]

_PRUNED_SECONDS: Final = 140.0

Ask = Callable[[api.Request], Awaitable[Any]]


class RunClient:
    """The part of a client that has runs of workflows."""

    def __init__(self, ask: Ask, choices: Choices, coverage: Coverage, queues: Sequence[str]) -> None:
        self._ask = ask
        self._choices = choices
        self._coverage = coverage
        self._queues = queues
        self._runs: list[str] = []

    async def act(self) -> str:
        """Do one thing; says which run it was done with."""
        what = self._choices.between("client.workflow", 0, 9)
        if self._runs and what == 0:
            return await self._cancel()
        if self._runs and what == 1:
            return await self._cancel_part()
        if self._runs and what in (3, 4, 5, 6):
            return await self._fork()
        if what == 2:
            return await self.run_keyed()
        if what in (8, 9):
            return await self._undo_behind()
        workflow, value = draw_workflow(self._choices, self._queues)
        return await self._start(api.RunWorkflow(workflow=workflow, input=value))

    def _pick(self) -> str:
        return self._choices.pick("client.run", self._runs)

    async def _cancel(self) -> str:
        """Mostly one that has a job running, which then goes on without knowing."""
        running = await self._ask(api.ListJobs(state="running", limit=20))
        busy = [job.workflow for job in running.items if job.workflow is not None]
        run = self._choices.pick("client.cancelled_run", [*busy, self._pick()])
        await self._ask(api.CancelRun(id=run, keeps=self._choices.pick("client.keeps", (False, True))))
        return run

    async def _cancel_part(self) -> str:
        record = await self._ask(api.GetRun(id=self._pick()))
        for below in [run for node in record.nodes for run in node.runs][:1]:
            self._coverage.hit("workflow.cancelled_below")
            await self._ask(api.CancelRun(id=below))
        for job in [job for node in record.nodes for job in node.jobs][:1]:
            self._coverage.hit("workflow.part_cancelled")
            await self._ask(api.CancelJob(id=job))
        return str(record.id)

    async def within(self, spend: dict[str, int]) -> str:
        """Run a workflow that may spend so much."""
        workflow, value = draw_workflow(self._choices, self._queues, spend)
        return await self._start(api.RunWorkflow(workflow=workflow, input=value))

    async def run_keyed(self) -> str:
        """Clients that use a key mean the same run by it; sometimes one uses it for something else."""
        key = self._choices.pick("client.run_key", ("a", "b", "c", "d"))
        value = {"n": self._choices.pick("client.keyed_input", (1, 1, 2))}
        wanted = api.RunWorkflow(workflow=keyed_workflow(), input=value, key=key)
        if self._choices.between("client.run_twice", 0, 1):
            # Both may come in within one batch.
            await asyncio.gather(self._ask(wanted), self._ask(wanted))
        return await self._start(wanted)

    async def keep(self) -> None:
        """Say how long runs are kept, and use keys: sometimes again, when their runs may have been pruned."""
        draw = self._choices
        # Runs go after their jobs, so who sets something for runs does so for jobs, too.
        workflow = draw.pick("retention.workflow", ("", "", "flow", "inner", "keyed", "beat"))
        seconds = draw.pick("retention.run_seconds", (1, 1, 20, 120, None))
        await self._ask(api.SetRetention(workflow=workflow, keep_seconds=seconds, reason="a test"))
        await self.run_keyed()
        if draw.chance("retention.outlives", 500):
            await self._ask(api.SetRetention(keep_seconds=1, reason="a test"))
            await self._ask(api.SetRetention(workflow="keyed", keep_seconds=1, reason="a test"))
            # The engine looks for jobs, and for runs, once a minute.
            await asyncio.sleep(_PRUNED_SECONDS)
            for _ in range(4):
                await self.run_keyed()

    async def _fork(self) -> str:
        """Continue a run, as it was or otherwise, and perhaps the new one again."""
        run = self._pick()
        if self._choices.between("client.fork_known", 0, 2):
            workflow, value = draw_workflow(self._choices, self._queues)
            run = await self._start(api.RunWorkflow(workflow=workflow, input=value))
        for _ in range(self._choices.between("client.forks", 1, 3)):
            run = await self._fork_one(run)
        return run

    async def _undo_behind(self) -> str:
        """Continue a run behind a node that can be undone, and stop the new one: what it took over stays done."""
        run = await self._start(api.RunWorkflow(workflow=undoable_workflow(), input={"n": 1}))
        with suppress(TimedOut, Pruned):
            await self._ask(
                api.WaitForRun(id=run, timeout_seconds=self._choices.pick("client.undo_after", (10.0, 60.0)))
            )
        with suppress(Conflict):
            await self._ask(api.CancelRun(id=run, keeps=True))
        with suppress(Conflict):
            run = await self._start(api.ForkRun(id=run, node="n1"))
            await self._ask(api.CancelRun(id=run, keeps=False))
        return run

    async def _fork_one(self, run: str) -> str:
        """Continue a run once it has ended, or when that takes too long: then it is refused, unless it is stopped."""
        draw, changes = self._choices, dict[str, Any]()
        for keeps in (None, None, True, None):
            with suppress(TimedOut, Pruned):
                await self._ask(
                    api.WaitForRun(id=run, timeout_seconds=draw.pick("client.fork_after", (4.0, 0.1)))
                )
                break
            if keeps and draw.between("client.fork_cancels", 0, 3):
                with suppress(Conflict):
                    await self._ask(
                        api.CancelRun(id=run, keeps=draw.pick("client.fork_keeps", (True, True, False)))
                    )
        if draw.between("client.fork_as_it_was", 0, 2) == 0:
            return await self._start(api.ForkRun(id=run))
        record = await self._ask(api.GetRun(id=run))
        if draw.between("client.fork_input", 0, 1):
            key = draw.pick("client.fork_key", (*sorted(record.input), *record.input.keys() & {"there", "n"}))
            changes["input"] = {**record.input, key: draw.pick("client.fork_value", (1, [1], [1, 2]))}
        if draw.between("client.fork_workflow", 0, 1) == 0:
            changes["workflow"] = _otherwise(record.declared, draw)
        node = draw.pick("client.fork_node", (None, None, "n0", "n1", "n3"))
        new = await self._start(api.ForkRun(id=run, node=node, **changes))
        if draw.between("client.fork_undone", 0, 3) == 0:
            await self._ask(api.CancelRun(id=new, keeps=False))
        return new

    async def _start(self, request: api.Request) -> str:
        receipt = await self._ask(request)
        self._runs.append(receipt.id)
        return str(receipt.id)


def _otherwise(workflow: Workflow, draw: Choices) -> Workflow:
    """The same workflow with a tag on one of its nodes, or on one of the last workflow that it brings along."""
    if workflow.workflows and draw.between("client.fork_inner", 0, 1):
        *brought, inner = workflow.workflows
        return msgspec.structs.replace(workflow, workflows=(*brought, _otherwise(inner, draw)))
    changed = draw.between("client.fork_changed", 0, len(workflow.nodes) - 1)
    nodes = list(workflow.nodes)
    nodes[changed] = msgspec.structs.replace(nodes[changed], tags=() if nodes[changed].tags else ("again",))
    return msgspec.structs.replace(workflow, nodes=tuple(nodes))
