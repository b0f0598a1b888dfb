"""Clients and workers as processes of their own: they write down what they send and hear, and try again."""

from __future__ import annotations

import asyncio
import importlib
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypedDict

from crash.history import History, Verb
from sheratan import Client, SheratanError, Worker
from sheratan.contracts.errors import Disconnected, LimitReached, Unavailable, UnknownKind
from sheratan.contracts.jobs import Options, Submission
from sheratan.sdk.kind import find_kinds

__all__ = [
    "Appending",
    "Line",
    "Plan",
    "Stampede",
    "append",
    "stampede",
    "submit_and_wait",
    "wait_idle",
    "work",
]

_IN_STEPS_EVERY = 4
"""Every so many jobs is one of durable steps."""

_AGAIN_SECONDS = 0.02
"""A client that finds no server asks again after so long."""


_AGAIN = (Unavailable, LimitReached, UnknownKind)
"""Refusals that pass: the last one holds until a worker that offers the kind has come back to a new server."""


class Plan(TypedDict):
    """What one client process does: jobs `first` to `first + count - 1`, by so many callers, at most so fast."""

    name: str
    first: int
    count: int
    callers: int
    per_second: float
    pause_ms_max: int
    seed: int


class Appending(TypedDict):
    """What one client process appends: `count` jobs in calls of `batch` jobs each, with a pause after each call."""

    name: str
    count: int
    batch: int
    pause_ms: int


class Running(TypedDict):
    """What one client process runs: jobs, each a kind, an input and a key; `per_second` 0: as fast as they end."""

    name: str
    callers: int
    per_second: float
    jobs: list[list[Any]]


class Stampede(TypedDict):
    """What one client process does: so many callers, each with a connection, all ask for the same at one moment."""

    name: str
    callers: int
    key: str
    inputs: list[dict[str, int]]
    """Each caller takes one of these, in turn."""
    at_ns: int
    """The moment, on the monotonic clock that all processes share."""


class Line:
    """One caller's way to the server, over as many connections as it takes."""

    def __init__(self, data: Path, name: str, history: History) -> None:
        self._data = data
        self._name = name
        self._history = history
        self._client: Client | None = None

    async def client(self) -> Client:
        """A connected client, however long that takes."""
        while self._client is None:
            try:
                self._client = await Client.connect(self._data)
            except Unavailable:
                await asyncio.sleep(_AGAIN_SECONDS)
        return self._client

    async def insist(
        self, verb: Verb, given: Any, key: str | None, ask: Callable[[Client], Awaitable[Any]]
    ) -> Any:
        """Ask until there is an answer, and return it; None when the answer is a refusal for good."""
        while True:
            client = await self.client()
            call = self._history.send(self._name, verb, given, key=key)
            try:
                answer = await ask(client)
            except _AGAIN as error:
                self._history.fail(call, error.code)
                if isinstance(error, Disconnected):
                    await self.close()
                await asyncio.sleep(_AGAIN_SECONDS)
            except SheratanError as error:
                self._history.fail(call, error.code)
                return None
            else:
                self._history.acknowledge(call, answer)
                return answer

    async def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()


async def _until(due_ns: int) -> None:
    """Wait for a moment of the monotonic clock, which may be past."""
    await asyncio.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)


async def _id(asked: Awaitable[Any]) -> str:
    handle = await asked
    found: str = handle.id
    return found


async def _end(asked: Awaitable[Any]) -> list[Any]:
    record = await asked
    return [record.state, record.output]


def _pause_ms(plan: Plan, number: int) -> int:
    draw = random.Random(plan["seed"] + number)  # noqa: S311 - the seed repeats it
    return draw.randint(0, plan["pause_ms_max"])


async def _call(line: Line, numbers: Iterator[int], plan: Plan, began_ns: int) -> None:
    """Submit jobs, each at its time or as soon after it as there is a server; then see what became of them."""
    ids: list[str] = []
    for number in numbers:
        await _until(began_ns + int((number - plan["first"]) / plan["per_second"] * 1e9))
        given = {"left": number, "right": 1, "pause_ms": _pause_ms(plan, number)}
        key, kind = f"job {number}", "add" if number % _IN_STEPS_EVERY else "add_in_steps"

        def submit(client: Client, kind: str = kind, given: Any = given, key: str = key) -> Awaitable[str]:
            return _id(client.submit(kind, given, key=key))

        answer = await line.insist("submit", {"kind": kind, "input": given}, key, submit)
        if answer is not None:
            ids.append(answer)
    for job_id in ids:

        def wait(client: Client, job_id: str = job_id) -> Awaitable[list[Any]]:
            return _end(client.wait(job_id))

        await line.insist("wait", job_id, None, wait)
    await line.close()


async def _submit_and_wait(data: Path, log: Path, plan: Plan) -> None:
    history = History(log)
    numbers = iter(range(plan["first"], plan["first"] + plan["count"]))
    lines = [Line(data, f"{plan['name']}.{caller}", history) for caller in range(plan["callers"])]
    await asyncio.gather(*(_call(line, numbers, plan, time.monotonic_ns()) for line in lines))
    history.close()


def submit_and_wait(data: str, log: str, plan: Plan) -> None:
    """A client process: submit jobs under keys until each is acknowledged, and wait for their results."""
    asyncio.run(_submit_and_wait(Path(data), Path(log), plan))


async def _append(data: Path, logs: list[Path], plan: Appending) -> None:
    done = {call.key for call in History.read(*filter(Path.exists, logs)).acknowledged("submit")}
    keys = [f"{plan['name']} {number}" for number in range(plan["count"])]
    left = [key for key in keys if key not in done]
    history = History(logs[-1])
    line = Line(data, plan["name"], history)
    while left:
        batch = left[: plan["batch"]]
        if await _append_batch(await line.client(), history, plan["name"], batch):
            del left[: len(batch)]
            await asyncio.sleep(plan["pause_ms"] / 1_000)
        else:
            await line.close()
            await asyncio.sleep(_AGAIN_SECONDS)
    await line.close()
    history.close()


async def _append_batch(client: Client, history: History, name: str, keys: list[str]) -> bool:
    """Submit jobs in one call, all or none; False when it is to be tried again."""
    calls = [history.send(name, "submit", {"kind": "tick", "input": _number(key)}, key=key) for key in keys]
    jobs = [Submission(kind="tick", input=_number(key), options=Options(key=key)) for key in keys]
    try:
        handles = await client.submit_many(jobs)
    except _AGAIN as error:
        for call in calls:
            history.fail(call, error.code)
        return False
    for call, handle in zip(calls, handles, strict=True):
        history.acknowledge(call, handle.id)
    return True


def _number(key: str) -> int:
    return int(key.rpartition(" ")[2])


def append(data: str, logs: list[str], plan: Appending) -> None:
    """A client process that appends, and goes on where its killed predecessors stopped; the last log is its own."""
    asyncio.run(_append(Path(data), [Path(log) for log in logs], plan))


async def _wait_idle(data: Path) -> None:
    async with await Client.connect(data) as client:
        while any(queue.queued or queue.running for queue in await client.queues()):  # noqa: ASYNC110 - it is far off
            await asyncio.sleep(_AGAIN_SECONDS)


def wait_idle(data: str) -> None:
    """Wait until no job is queued or runs."""
    asyncio.run(_wait_idle(Path(data)))


async def _run_list(data: Path, log: Path, plan: Running) -> None:
    history = History(log)
    jobs = iter(enumerate(plan["jobs"]))
    began_ns = time.monotonic_ns()

    async def run(line: Line) -> None:
        for place, (kind, given, key) in jobs:
            if plan["per_second"]:
                await _until(began_ns + int(place / plan["per_second"] * 1e9))
            await _run_one(line, kind, given, key)
        await line.close()

    lines = [Line(data, f"{plan['name']}.{caller}", history) for caller in range(plan["callers"])]
    await asyncio.gather(*(run(line) for line in lines))
    history.close()


async def _run_one(line: Line, kind: str, given: Any, key: str) -> None:
    job_id = await line.insist(
        "submit", {"kind": kind, "input": given}, key, lambda client: _id(client.submit(kind, given, key=key))
    )
    if job_id is not None:
        await line.insist("wait", job_id, None, lambda client: _end(client.wait(job_id)))


def run_list(data: str, log: str, plan: Running) -> None:
    """A client process that runs jobs; each of its callers waits for one to end before it takes the next."""
    asyncio.run(_run_list(Path(data), Path(log), plan))


async def _stampede_one(line: Line, plan: Stampede, given: dict[str, int]) -> None:
    await line.client()
    await _until(plan["at_ns"])
    asked = {"kind": "add", "input": given}
    job_id = await line.insist(
        "submit", asked, plan["key"], lambda client: _id(client.submit("add", given, key=plan["key"]))
    )
    if job_id is not None:
        await line.insist("wait", job_id, None, lambda client: _end(client.wait(job_id)))
    await line.close()


async def _stampede(data: Path, log: Path, plan: Stampede) -> None:
    history = History(log)
    lines = [Line(data, f"{plan['name']}.{caller}", history) for caller in range(plan["callers"])]
    inputs = plan["inputs"]
    asked = (_stampede_one(line, plan, inputs[place % len(inputs)]) for place, line in enumerate(lines))
    await asyncio.gather(*asked)
    history.close()


def stampede(data: str, log: str, plan: Stampede) -> None:
    """A client process whose callers submit one job under one key, and wait for its result."""
    asyncio.run(_stampede(Path(data), Path(log), plan))


async def _work(data: Path, name: str, module: str, slots: int) -> None:
    kinds = find_kinds(importlib.import_module(module))
    while True:
        try:
            async with await Client.connect(data) as client:
                await Worker(client, kinds, name=name, slots=slots).run()
        except Unavailable:
            # Its server was killed, or has not come up yet.
            await asyncio.sleep(_AGAIN_SECONDS)


def work(data: str, name: str, module: str, slots: int) -> None:
    """A worker process that comes back on duty whenever it has lost its server."""
    asyncio.run(_work(Path(data), name, module, slots))
