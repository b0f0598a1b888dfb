"""The decider alone: what deciding costs when nobody waits and no disk is written."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bench.harness import Bench, Row, Section, plain
from bench.noop import PAYLOAD, noop
from sheratan.ambient.clock import VirtualClock
from sheratan.ambient.randomness import SeededRandomness
from sheratan.contracts.jobs import Submission
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import Principal
from sheratan.contracts.worker import Registration
from sheratan.engine.commands import Command, Ending, LeaseJobs, Pending, RegisterWorker, Settle, Submit
from sheratan.engine.decider import Decider
from sheratan.engine.prepare import KindRegistry, prepare
from sheratan.store.sqlite.store import open_store

__all__ = ["DeciderAlone", "measure"]

BATCHES = (1, 10, 100, 256)
PERSON = Principal(actor="local:bench", auth="embedded", on_behalf_of="local:bench")


def measure(bench: Bench) -> Section:
    """Submit, lease and settle, batch by batch, on an in-memory SQLite store with a virtual clock.

    A batch of n submits (one job each) with a worker that waits is one `decide`; the n ends, and the worker
    waiting again, are the next. Deciding is the time in `Decider.decide` and `committed`, storing that in
    `Store.commit`. Checking the submissions, futures and tasks are left out.
    """
    jobs = bench.size(10_240, 1_024)

    def alone(folder: Path) -> dict[str, float]:
        figures: dict[str, float] = {}
        for size in BATCHES:
            run = DeciderAlone()
            # One by one there are two commits per job: fewer jobs say as much.
            rounds = max(1, (jobs if size > 1 else jobs // 4) // size)
            for _ in range(rounds):
                run.cycle(size)
            run.close()
            figures[f"batch {size}: deciding"] = run.decide_seconds / (rounds * size) * 1e6
            figures[f"batch {size}: storing in memory"] = run.commit_seconds / (rounds * size) * 1e6
        return figures

    samples = bench.repeat(alone)
    rows: list[Row] = [plain(samples, name, "µs/job") for name in samples]
    return Section("The decider alone", measure.__doc__ or "", rows)


class _Reply:
    """Keeps the answer."""

    def __init__(self) -> None:
        self.value: Any = None

    def done(self) -> bool:
        return False

    def set_result(self, result: Any, /) -> None:
        self.value = result

    def set_exception(self, exception: BaseException, /) -> None:
        raise exception


class DeciderAlone:
    """A decider, its store and one worker."""

    def __init__(self, path: Path = Path(":memory:")) -> None:
        self.clock = VirtualClock()
        self.limits = Limits()
        self._store = open_store(path, self.clock.now_us())
        self._decider = Decider(self._store, self.clock, SeededRandomness(1), self.limits)
        self.kinds = KindRegistry()
        self.kinds.declare(noop.description, noop.check_input)
        noops = prepare((Submission(kind=noop.name, input=PAYLOAD),), self.kinds, self.limits)
        self._submit = Submit(jobs=noops)
        self.decide_seconds = self.commit_seconds = 0.0
        batch = self._decider.start("bench")
        self._store.commit(batch.unit)
        self._decider.committed(batch)
        registration = Registration(name="bench", kinds=(noop.description,), slots=256)
        (session,) = self.turn([RegisterWorker(registration=registration, local=True)])
        self._session: int = session.value
        self._waiting = _Reply()
        self.turn([], self._wait())

    def cycle(self, size: int) -> None:
        """Submit, lease and settle so many jobs."""
        self.clock.advance(1_000)
        self.turn([self._submit] * size)
        assignments = self._waiting.value
        ends = tuple(
            Ending(number=given.number, fence=given.fence, outcome="succeeded") for given in assignments
        )
        if len(ends) != size:
            raise RuntimeError(f"{len(ends)} of {size} jobs were leased")
        self.turn([Settle(session=self._session, reports=ends)], self._wait())

    def close(self) -> None:
        """Give the store back."""
        self._store.close()

    def _wait(self) -> Pending:
        self._waiting = _Reply()
        return Pending(LeaseJobs(session=self._session, slots=256), PERSON, self._waiting)

    def turn(self, commands: list[Command], *more: Pending) -> list[_Reply]:
        """Decide, store and answer one batch."""
        replies = [_Reply() for _ in commands]
        pending = [Pending(command, PERSON, reply) for command, reply in zip(commands, replies, strict=True)]
        began = time.perf_counter()
        batch = self._decider.decide([*pending, *more])
        decided = time.perf_counter()
        if not batch.unit.is_empty:
            self._store.commit(batch.unit)
        stored = time.perf_counter()
        self._decider.committed(batch)
        self.decide_seconds += decided - began + time.perf_counter() - stored
        self.commit_seconds += stored - decided
        for waiting, value, error in batch.answers:
            waiting.answer(value, error)
        return replies
