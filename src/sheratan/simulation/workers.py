"""Simulated workers: they lease, work, fail, fall silent, wake up too late, report twice, and submit jobs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from sheratan.contracts import api
from sheratan.contracts.errors import SheratanError
from sheratan.contracts.flow import NO_LIMITS, FlowLimits, PartitionLimits
from sheratan.contracts.groups import Collect
from sheratan.contracts.guards import OpenBreaker
from sheratan.contracts.jobs import ErrorClass, JobError, KindDescription, Submission
from sheratan.contracts.jobs import Options as JobOptions
from sheratan.contracts.worker import Assignment, Outcome, Registration, Report
from sheratan.sdk.errors import CodeChanged, NotRecorded, Stalled, StepFailed, describe
from sheratan.simulation.choices import Choices
from sheratan.simulation.clients import VERSIONED, Acknowledged
from sheratan.simulation.durable import Durable
from sheratan.simulation.network import Connection, Network
from sheratan.simulation.options import ABOUT_JOB_BUDGETS, KINDS, WORKER_NAMES, Options
from sheratan.simulation.witness import Code, Witness

__all__ = ["Worker"]

_ANSWER_SECONDS = 5.0
_LEASE_SECONDS = 60.0
_PATIENCE_SECONDS = (_LEASE_SECONDS, _LEASE_SECONDS, 1.5)
_BREAKER = OpenBreaker(dependency="model", since_us=0, because="5 calls in a row have failed")
"""What a worker tells of a dependency that has failed for ages."""

_CLASSES: tuple[ErrorClass, ...] = (
    "retryable",
    "retryable",
    "fatal",
    "rate_limited",
    "bug",
    "timeout",
    "lost_lease",
)
_MILD: tuple[ErrorClass, ...] = ("retryable", "retryable", "rate_limited", "timeout")


class Worker:
    """One worker process, from its start until it is killed."""

    def __init__(
        self,
        name: str,
        network: Network,
        choices: Choices,
        options: Options,
        witness: Witness,
        code: Code,
    ) -> None:
        self.name = name
        self._called = choices.pick("worker.called", WORKER_NAMES)
        self.acknowledged: list[Acknowledged] = []
        self.is_healthy = False
        """A healthy worker makes no faults of its own: it serves while the world is to come to rest."""
        self._network = network
        self._choices = choices
        self._options = options
        self._witness = witness
        self._code = code
        self._story = witness.story
        self._tasks: set[asyncio.Task[Any]] = set()
        self._asked: set[int] = set()
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Serve over one connection after the other."""
        while True:
            connection = Connection(self._network, self.name)
            try:
                await self._serve(connection)
            except SheratanError as error:
                self._story.tell(f"{error.code}")
                connection.hang_up()
                await asyncio.sleep(0.3)

    def _limits(self) -> FlowLimits:
        """What comes with a kind: with most nothing, and nothing that could make the end of the world wait."""
        if self.is_healthy or not self._choices.chance("worker.limits", self._options.limits_permille):
            return NO_LIMITS
        most = self._choices.between("worker.concurrency", 1, 3)
        if self._choices.chance("worker.limits_per_partition", 500):
            return FlowLimits(per_partition=PartitionLimits(concurrency=most))
        return FlowLimits(concurrency=most)

    def _versions(self, kind: str) -> tuple[int, ...]:
        """The versions of a kind that it offers; together workers may offer two, or only one of them."""
        if kind != VERSIONED:
            return (1,)
        return (1, 2) if self.is_healthy else self._choices.pick("worker.versions", ((1, 2), (1,), (2,)))

    def _described(self, kind: str, version: int) -> KindDescription:
        return KindDescription(
            name=kind, version=version, code=self._code.digest, limits=self._limits(), collect=self._collect()
        )

    def _collect(self) -> Collect | None:
        """Sometimes jobs are collected; while the world comes to rest nobody waits for more of them."""
        if self.is_healthy or not self._choices.chance("worker.collects", self._options.collect_permille):
            return None
        jobs_max = self._choices.pick("collect.jobs", (2, 3, 20))
        return Collect(jobs_max=jobs_max, wait_seconds=self._choices.pick("collect.wait", (0.0, 1.0, 12.0)))

    async def _serve(self, connection: Connection) -> None:
        offered = KINDS if self.is_healthy else self._choices.pick("worker.kinds", (KINDS, KINDS, KINDS[:1]))
        kinds = tuple(self._described(kind, version) for kind in offered for version in self._versions(kind))
        registration = Registration(name=self._called, kinds=kinds, slots=self._options.slots)
        granted = await connection.call(api.RegisterWorker(registration=registration), _ANSWER_SECONDS)
        session: int = granted.session
        self._story.tell(f"is on duty as {session}")
        beat = self._start(self._beat(connection, session, granted.heartbeat_seconds))
        listen = self._start(self._listen(connection, session))
        try:
            running: set[asyncio.Task[Any]] = set()
            while not connection.is_broken and not beat.done():
                running = {task for task in running if not task.done()}
                free = self._options.slots - len(running)
                if free <= 0:
                    await self._wait_for_news()
                    continue
                for given in await self._lease(connection, session, free):
                    running.add(self._start(self._work(connection, session, given)))
        finally:
            beat.cancel()
            listen.cancel()

    async def _lease(self, connection: Connection, session: int, free: int) -> list[Assignment]:
        seconds = (
            _LEASE_SECONDS if self.is_healthy else self._choices.pick("worker.patience", _PATIENCE_SECONDS)
        )
        try:
            found = await connection.call(api.LeaseJobs(session=session, slots=free), seconds)
        except SheratanError as error:
            if error.code != "timed_out":
                raise
            return []
        given: list[Assignment] = found
        if not given:
            await asyncio.sleep(0.05)
        return given

    async def _beat(self, connection: Connection, session: int, seconds: float) -> None:
        is_failing = not self.is_healthy and self._may("worker.breaker")
        while not connection.is_broken:
            await asyncio.sleep(seconds)
            breakers = (_BREAKER,) if is_failing and not self.is_healthy else ()
            if not self.is_healthy and self._may("worker.late_heartbeat"):
                await asyncio.sleep(self._choices.pick("worker.late", (5.0, 21.0, 40.0)))
            try:
                beat = api.HeartbeatWorker(session=session, breakers=breakers)
                await connection.call(beat, _ANSWER_SECONDS)
            except SheratanError as error:
                if error.code != "timed_out":
                    connection.hang_up()
                    return

    async def _listen(self, connection: Connection, session: int) -> None:
        """Requests to stop an attempt; a handler may heed them or not."""
        while not connection.is_broken:
            try:
                for request in await connection.call(api.WaitForStops(session=session), _LEASE_SECONDS):
                    self._asked.add(request.fence)
            except SheratanError as error:
                if error.code != "timed_out":
                    return
            await asyncio.sleep(0.01)

    # ------------------------------------------------------------------------------------------------------------------

    async def _work(self, connection: Connection, session: int, given: Assignment) -> None:
        try:
            await self._attempt(connection, session, given)
        except SheratanError as error:
            self._story.tell(f"{given.id} attempt {given.attempt}: {error.code}")
        finally:
            self._news.set()

    async def _attempt(self, connection: Connection, session: int, given: Assignment) -> None:
        await self._toil(connection, given)
        report = await self._take_steps(connection, session, given)
        if self._spawns("worker.follow_up"):
            self._start(self._follow_up(connection, given))
            # What it asks for is on its way, and may wait for a slow commit, when this attempt ends.
            await asyncio.sleep(self._choices.pick("worker.parting", (0.001, 0.002, 0.01)))
        for job in self._no_longer_wanted(report):
            self._start(self._cancel(connection, job))
        if await self._settle(connection, session, report) and report.outcome == "succeeded":
            self.acknowledged.append(Acknowledged(given.id, "succeeded"))
        if not self.is_healthy and self._may("worker.reports_twice"):
            await self._settle(connection, session, report)

    def _no_longer_wanted(self, report: Report) -> tuple[str, ...]:
        """Of what an attempt begins to wait for: to cancel it may end it in the very batch in which the wait begins."""
        awaited = tuple(job for wait in report.waits for job in wait.jobs)
        if not awaited or not self._choices.chance("worker.cancels_awaited", 300):
            return ()
        return awaited[: self._choices.between("worker.cancelled", 1, len(awaited))]

    async def _cancel(self, connection: Connection, job: str) -> None:
        with suppress(SheratanError):
            await connection.call(api.CancelJob(id=job), _ANSWER_SECONDS)

    async def _toil(self, connection: Connection, given: Assignment) -> None:
        most_us = self._work_us
        if not self.is_healthy and self._may("worker.overruns"):
            most_us = given.run_timeout_us * 2
        await asyncio.sleep(self._choices.between("worker.work", 0, most_us) / 1_000_000)
        if self._spawns("worker.spawn"):
            await self._spawn_all(connection, given, most_us)

    @property
    def _uses_budgets_up(self) -> bool:
        """Whether attempts mostly cost all that they may, and are mostly followed by others."""
        return self._options.about == ABOUT_JOB_BUDGETS

    @property
    def _work_us(self) -> int:
        return min(self._options.work_us, 100_000) if self.is_healthy else self._options.work_us

    def _spawns(self, name: str) -> bool:
        return not self.is_healthy and self._choices.chance(name, self._options.spawn_permille)

    async def _take_steps(self, connection: Connection, session: int, given: Assignment) -> Report:
        """Run the handler of a durable job, if it is one; how its attempt ended."""
        count = Durable.count(given, self._options)
        try:
            durable = Durable(connection, session, given, self._choices, self._witness, self._code)
            waits = await durable.run(count, self._work_us)
        except StepFailed as error:
            return self._report(given, error.error)
        except (NotRecorded, Stalled) as error:
            return self._report(given, describe(error))
        except CodeChanged as error:
            if not self._code.is_broken:
                self._story.blame(f"{given.id}: {error}")
            return Report(
                number=given.number, fence=given.fence, outcome="code_changed", difference=error.difference
            )
        if waits:
            return Report(number=given.number, fence=given.fence, outcome="waiting", waits=waits)
        return self._report(given, None)

    def _report(self, given: Assignment, error: JobError | None) -> Report:
        outcome: Outcome = "succeeded" if error is None else "failed"
        if error is not None:
            return Report(number=given.number, fence=given.fence, outcome=outcome, error=error)
        if given.fence in self._asked:
            outcome = self._choices.pick("worker.asked", ("cancelled", "succeeded"))
        elif not self.is_healthy and self._choices.chance("worker.fails", self._options.fail_permille):
            outcome = self._choices.pick("worker.outcome", ("failed", "failed", "released", "cancelled"))
        if outcome == "failed":
            error_class = self._choices.pick("worker.error", _MILD if self._uses_budgets_up else _CLASSES)
            asked = 3.0 if error_class == "rate_limited" else None
            error = JobError(
                error_class=error_class, type="Simulated", message="it failed", retry_after_seconds=asked
            )
        output = {"of": given.number, "attempt": given.attempt} if outcome == "succeeded" else None
        charge = self._charge(given.charge_max)
        return Report(
            number=given.number, fence=given.fence, outcome=outcome, output=output, error=error, charge=charge
        )

    def _charge(self, most: int | None) -> int | None:
        """What an attempt says that it has cost, where anybody asks."""
        if most is None:
            return None
        charges = (most, most, 3) if self._uses_budgets_up else (None, 0, 3, most, most + 1)
        return self._choices.pick("worker.charge", charges)

    async def _spawn_all(self, connection: Connection, given: Assignment, pause_us: int) -> None:
        for _ in range(self._choices.between("worker.spawn_calls", 1, 2)):
            await self._spawn(connection, given)
            await asyncio.sleep(self._choices.between("worker.spawn_pause", 0, pause_us) / 1_000_000)

    async def _follow_up(self, connection: Connection, given: Assignment) -> None:
        """Submit a job that is to run after this one, while this one ends."""
        with suppress(SheratanError):
            await self._spawn(connection, given, after=(given.id,))

    async def _spawn(self, connection: Connection, given: Assignment, after: tuple[str, ...] = ()) -> None:
        count = self._choices.between("worker.spawn_count", 1, 3)
        deadline = self._choices.pick("worker.child_deadline", (None, None, 5.0, 60.0))
        options = JobOptions(after=after, deadline_seconds=deadline)
        jobs = tuple(Submission(kind=KINDS[0], input={"child": n}, options=options) for n in range(count))
        request = api.SubmitJobs(jobs=jobs, by_job=given.number, fence=given.fence)
        for receipt in await connection.call(request, _ANSWER_SECONDS):
            self.acknowledged.append(Acknowledged(receipt.id, None))

    async def _settle(self, connection: Connection, session: int, report: Report) -> bool:
        """Report the end of an attempt until somebody has heard it; says whether it counted, as far as is known."""
        while not connection.is_broken:
            try:
                [counted] = await connection.call(
                    api.SettleJobs(session=session, reports=(report,)), _ANSWER_SECONDS
                )
            except SheratanError as error:
                if error.code not in ("timed_out", "unavailable", "state_refuses"):
                    raise
                await asyncio.sleep(0.2)
            else:
                self._story.tell(
                    f"job {report.number}, fence {report.fence}: {report.outcome}, counted {counted}"
                )
                return bool(counted)
        return False

    async def _wait_for_news(self) -> None:
        self._news.clear()
        await self._news.wait()

    def _may(self, fault: str) -> bool:
        if self._choices.chance(fault, self._options.rate(fault)):
            self._network.coverage.hit(fault)
            return True
        return False

    def _start(self, coroutine: Any) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
