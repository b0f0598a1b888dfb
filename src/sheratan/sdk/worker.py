"""The worker: a crew for each way in which its kinds are run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

from sheratan.contracts.worker import Assignment
from sheratan.guards.guards import Guards
from sheratan.sdk.client import Client
from sheratan.sdk.crew import Crew
from sheratan.sdk.kind import Kind, Mode

__all__ = ["PROCESSES_DEFAULT", "SLOTS_DEFAULT", "THREADS_DEFAULT", "Worker"]

SLOTS_DEFAULT: Final = 256
"""Async attempts at once. They mostly wait, and one commit serves all that end together."""

THREADS_DEFAULT: Final = 32
"""Plain functions at once, each in a thread: they mostly wait, too, but a thread costs more than a task."""

PROCESSES_DEFAULT: Final = 2
"""CPU-bound functions at once, each in a process; more than the machine has cores gains nothing."""


class Worker:
    """Runs kinds for a client's engine. Use it as an async context manager, or call `start` and `stop`.

    `slots`, `threads` and `processes` bound how many attempts run at once as tasks, in threads and in processes.
    Each way leases for itself, so a job waits in its queue, not in a worker that has no place for it.
    """

    def __init__(
        self,
        client: Client,
        kinds: Sequence[Kind[Any, Any]],
        *,
        name: str = "worker",
        slots: int = SLOTS_DEFAULT,
        threads: int = THREADS_DEFAULT,
        processes: int = PROCESSES_DEFAULT,
    ) -> None:
        ways: dict[Mode, tuple[str, int]] = {
            "async": (name, slots),
            "thread": (f"{name}-threads", threads),
            "process": (f"{name}-processes", processes),
        }
        self.guards = Guards()
        """What guards the calls of its handlers; before it starts, others can be put here."""
        self._crews: list[Crew] = []
        for mode, (crew_name, size) in ways.items():
            offered = [kind for kind in kinds if kind.mode == mode]
            if offered:
                self._crews.append(Crew(client.transport, offered, mode, name=crew_name, slots=size))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def run(self) -> None:
        """Work until the engine is out of reach (Disconnected) or this is cancelled; then hand back what runs."""
        await self.start()
        try:
            await asyncio.gather(*(crew.wait_gone() for crew in self._crews))
        finally:
            await self.stop()

    def assignment_of(self, task: asyncio.Task[Any]) -> Assignment | None:
        """What the task of an attempt works at; None for a task of something else. From any thread."""
        return next(filter(None, (crew.assignment_of(task) for crew in self._crews)), None)

    async def start(self) -> None:
        """Come on duty and begin to take jobs."""
        self.guards.start()
        for crew in self._crews:
            await crew.start(self.guards)

    async def stop(self, drain_seconds: float = 0.0) -> None:
        """Take no more jobs, let what runs end for a while, hand back the rest, and go off duty."""
        await asyncio.gather(*(crew.stop(drain_seconds) for crew in self._crews))
