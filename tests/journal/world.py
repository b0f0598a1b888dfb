"""A world in virtual time: the real decider on a real store, with a clock that moves when told to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sheratan.ambient.clock import VirtualClock
from sheratan.ambient.randomness import SeededRandomness
from sheratan.contracts.code import Difference
from sheratan.contracts.errors import Unavailable
from sheratan.contracts.filters import JobFilter
from sheratan.contracts.flow import FlowLimits, Rate
from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.jobs import ErrorClass, JobError, KindDescription, Submission
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import Principal
from sheratan.contracts.schedules import Schedule
from sheratan.contracts.worker import Assignment, Outcome, Registration, Wait
from sheratan.engine.batch import Batch
from sheratan.engine.commands import (
    BackfillSchedule,
    Cancel,
    Command,
    DeleteSchedule,
    Discard,
    Ending,
    EndSession,
    LeaseJobs,
    LimitStarts,
    NewJob,
    NewStep,
    Pause,
    PauseSchedule,
    Pending,
    RecordSteps,
    RegisterWorker,
    Replay,
    Resume,
    ResumeSchedule,
    RetryJob,
    SendSignal,
    Settle,
    Spawn,
    StartBulk,
    StartDraining,
    Submit,
    TriggerSchedule,
    Unblock,
)
from sheratan.engine.decider import Decider
from sheratan.engine.definition import prepare_schedule
from sheratan.engine.prepare import KindRegistry
from sheratan.kernel.canonical import digest
from sheratan.store.sqlite.store import SqliteStore, open_store
from tests.journal.asking import approvals
from tests.journal.world_runs import ended_runs, open_runs

SECOND_US = 1_000_000
_NOTHING: tuple[()] = ()
"""The answer of a lease call that goes on waiting."""
PERSON = Principal(actor="local:ada", auth="embedded", on_behalf_of="local:ada")
KINDS = (KindDescription(name="count"), KindDescription(name="report"))
RUN_KINDS = (KindDescription(name="part"),)


class World:
    """An engine that is driven by hand: each call is one batch, committed before it returns."""

    def __init__(self, path: Path | None = None, *, limits: Limits | None = None, seed: int = 7) -> None:
        self.path = path or Path(":memory:")
        self.limits = limits or Limits()
        self.clock = VirtualClock()
        self.randomness = SeededRandomness(seed)
        self.store: SqliteStore = open_store(self.path, self.clock.now_us())
        self.decider = Decider(self.store, self.clock, self.randomness, self.limits)
        self._commit(self.decider.start("0.0-test"))

    def restart(self, limits: Limits | None = None) -> None:
        """Another engine takes over, as after a crash."""
        self.limits = limits or self.limits
        self.decider = Decider(self.store, self.clock, self.randomness, self.limits)
        self._commit(self.decider.start("0.0-test"))

    def stop(self) -> None:
        """The engine stops."""
        self._commit(self.decider.stop())

    def close(self) -> None:
        """Give the file back without a word, as a crash does."""
        self.store.close()

    def ask(self, command: Command, by: Principal = PERSON) -> Any:
        """Decide one command in a batch of its own; its refusal is raised."""
        pending = Pending(command, by, Reply())
        batch = self._commit(self.decider.decide([pending]))
        answers = batch.answers
        while batch.more:
            batch = self._commit(self.decider.decide([]))
            answers += batch.answers
        found = [(value, error) for answered, value, error in answers if answered is pending]
        value, error = found[0] if found else (_NOTHING, None)
        if error is not None:
            raise error
        return value

    def tick(self, seconds: float = 0) -> None:
        """Let time pass, and let the engine notice."""
        self.clock.advance(int(seconds * SECOND_US))
        batch = self._commit(self.decider.decide([]))
        while batch.more:
            batch = self._commit(self.decider.decide([]))

    def worker(self, slots: int = 8, name: str = "hands", kinds: Sequence[KindDescription] = KINDS) -> int:
        """A worker comes on duty."""
        registration = Registration(name=name, kinds=tuple(kinds), slots=slots)
        session: int = self.ask(RegisterWorker(registration=registration, local=True))
        return session

    def submit(self, *jobs: NewJob, by_job: Assignment | None = None) -> list[str]:
        """Submit jobs and return their ids."""
        number, fence = (by_job.number, by_job.fence) if by_job else (None, None)
        return [receipt[0] for receipt in self.ask(Submit(jobs=jobs, by_job=number, fence=fence))]

    def lease(self, session: int, slots: int = 8) -> list[Assignment]:
        """Ask for work."""
        found: list[Assignment] = self.ask(LeaseJobs(session=session, slots=slots))
        return found

    def settle(
        self, session: int, assignment: Assignment, outcome: Outcome = "succeeded", output: bytes = b"1",
        error: ErrorClass | None = None,
    ) -> bool:  # fmt: skip
        """Report the end of an attempt."""
        told = JobError(error_class=error, type="Oops", message="it broke") if error else None
        ending = Ending(
            number=assignment.number, fence=assignment.fence, outcome=outcome, output=output, error=told
        )
        counted: list[bool] = self.ask(Settle(session=session, reports=(ending,)))
        return counted[0]

    def step(self, assignment: Assignment, step: int, output: bytes, *, has_failed: bool = False) -> bool:
        """Record a step of a running attempt."""
        error = JobError(error_class="fatal", type="Oops", message="it broke") if has_failed else None
        recorded = NewStep(
            number=assignment.number,
            fence=assignment.fence,
            step=step,
            name="part",
            occurrence=step,
            output=output,
            error=error,
        )
        counted: list[bool] = self.ask(RecordSteps(steps=(recorded,)))
        return counted[0]

    def spawn(self, assignment: Assignment, *jobs: NewJob) -> list[str]:
        """A running job submits jobs as its first step."""
        spawned: list[str] = self.ask(
            Spawn(
                number=assignment.number,
                fence=assignment.fence,
                step=1,
                name="spawn:count",
                occurrence=1,
                jobs=jobs,
            )
        )
        return spawned

    def park(self, session: int, assignment: Assignment, *waits: Wait) -> bool:
        """An attempt gives its slot back and waits."""
        ending = Ending(number=assignment.number, fence=assignment.fence, outcome="waiting", waits=waits)
        counted: list[bool] = self.ask(Settle(session=session, reports=(ending,)))
        return counted[0]

    def block(self, assignment: Assignment) -> bool:
        """An attempt has found that its code has changed."""
        difference = Difference(what="other", step=1, recorded="part", asked=("bit",))
        ending = Ending(
            number=assignment.number, fence=assignment.fence, outcome="code_changed", difference=difference
        )
        counted: list[bool] = self.ask(Settle(session=0, reports=(ending,)))
        return counted[0]

    def signal(self, job: str, name: str, value: bytes = b"1") -> int:
        """Send a signal to a job."""
        entry: int = self.ask(SendSignal(id=job, name=name, value=value))
        return entry

    def schedule(self, name: str, *, replaces: bool = False, job: NewJob | None = None, **fields: Any) -> str:
        """Create a schedule of jobs of kind `count`, or replace one."""
        kinds = KindRegistry()
        kinds.declare(KINDS[0], None)
        value = msgspec.json.decode((job or new()).input)
        wanted = Schedule(name=name, submission=Submission(kind="count", input=value), **fields)
        return str(self.ask(prepare_schedule(wanted, kinds, self.limits, replaces=replaces)))

    def settle_all(self, session: int, assignments: Sequence[Assignment], output: bytes = b"1") -> None:
        """Report that attempts succeeded, all in one batch."""
        endings = tuple(
            Ending(number=one.number, fence=one.fence, outcome="succeeded", output=output)
            for one in assignments
        )
        assert all(self.ask(Settle(session=session, reports=endings)))

    def number(self, job: str) -> int:
        """The number inside an id."""
        return parse_job_id(job).number

    def _commit(self, batch: Batch) -> Batch:
        if not batch.unit.is_empty:
            self.store.commit(batch.unit)
        self.decider.committed(batch)
        return batch


class Reply:
    """Nobody waits: answers are read from the batch."""

    def done(self) -> bool:
        return False

    def set_result(self, result: Any, /) -> None:
        return None

    def set_exception(self, exception: BaseException, /) -> None:
        return None


TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def new(kind: str = "count", data: bytes = b'{"n":1}', **changes: Any) -> NewJob:
    """A job to be, with plain settings."""
    settings: dict[str, Any] = {
        "kind": kind, "queue": "default", "priority": 5, "delay_us": 0, "key": None, "digest": digest(data),
        "input": data, "attempts_max": 3, "backoff_base_us": SECOND_US, "backoff_cap_us": 60 * SECOND_US,
        "run_timeout_us": 300 * SECOND_US, "queue_timeout_us": 0, "after": (), "after_failure": "cancel",
    }  # fmt: skip
    return NewJob(**(settings | changes))


def eventful(world: World) -> World:
    """A journal with every type of entry in it, and an open job in every state."""
    session = world.worker()
    plain, keyed = world.submit(new(), new(key="once", traceparent=TRACEPARENT))
    assert world.submit(new(key="once")) == [keyed]
    first, second = world.lease(session)
    assert world.step(second, 1, b'"' + b"z" * 5_000 + b'"')
    assert world.step(second, 2, b"", has_failed=True)
    assert world.step(second, 3, b'"' + b"w" * 5_000 + b'"')
    world.settle(session, first, output=b'"' + b"x" * 5_000 + b'"')
    # A person tries again what has ended; a late report changes nothing.
    world.ask(RetryJob(id=plain))
    assert not world.settle(session, first)
    world.clock.advance(SECOND_US)
    world.settle(session, second, "failed", error="retryable")
    child = world.submit(
        new(data=b'{"big":"' + b"y" * 4_000 + b'"}', after=(keyed,), delay_us=5 * SECOND_US)
    )[0]
    doomed = world.submit(new(after=(keyed, child), after_failure="cancel"))[0]
    world.submit(new(after=(doomed,), after_failure="run", kind="report"))
    world.tick(90)
    again = world.lease(session)
    for assignment in again:
        world.settle(session, assignment, "failed" if assignment.id == keyed else "succeeded", error="fatal")
    world.tick(10)
    _stops(world, session)
    _pauses(world)
    _limits(world, session)
    _waits(world, session)
    _children(world, session)
    _code(world, session)
    approvals(world, session, new(queue="asking", priority=0))
    _dead_letters(world, session)
    _schedules(world)
    _losses(world)
    _leaves_open(world)
    return world


def with_runs(world: World) -> World:
    """A journal of its own about runs of workflows: a few bytes more in the other one would cost its tests minutes."""
    session = world.worker(kinds=RUN_KINDS)
    ended_runs(world, session)
    open_runs(world, session)
    return world


def _stops(world: World, session: int) -> None:
    """Cancelled while queued, while running, by a time limit, and too late to matter."""
    queued, running = world.submit(new(queue="side", priority=9), new())
    world.ask(Cancel(id=queued, reason="changed my mind"))
    (held,) = [item for item in world.lease(session) if item.id == running]
    world.ask(Cancel(id=running, reason="too slow"))
    world.settle(session, held, "cancelled")
    slow, stubborn = world.submit(
        new(run_timeout_us=SECOND_US, attempts_max=1), new(run_timeout_us=SECOND_US * 99)
    )
    assert len(world.lease(session)) >= 2
    world.ask(Cancel(id=stubborn, reason="stop it"))
    world.tick(2)
    world.tick(20)
    released = world.submit(new())[0]
    (held,) = [item for item in world.lease(session) if item.id == released]
    world.submit(new(kind="report"), by_job=held)
    world.settle(session, held, "released")
    assert slow != stubborn


def _pauses(world: World) -> None:
    world.ask(Pause(subject="queue:slow", reason="the provider is down"))
    world.submit(
        new(queue="slow", queue_timeout_us=3 * SECOND_US), new(queue="slow", queue_timeout_us=900 * SECOND_US)
    )
    world.tick(5)
    world.ask(Pause(subject="queue:other", reason="why not"))
    world.ask(Resume(subject="queue:other"))
    world.clock.step(5 * SECOND_US)
    world.tick()
    world.decider.suffer("the disk is full; nothing was written", 3)
    world.tick(2)


def _limits(world: World, session: int) -> None:
    """A queue and a kind with limits that hold up jobs, one of which costs more; and a kind that is paused."""
    world.ask(Pause(subject="kind:report", reason="not now"))
    world.ask(Resume(subject="kind:report"))
    paced = FlowLimits(rate=Rate(count=7, period_seconds=60, burst=2), weight=3)
    world.ask(LimitStarts(subject="queue:paced", limits=paced, reason="the provider asks for it"))
    world.ask(LimitStarts(subject="kind:report", limits=FlowLimits(concurrency=4), reason=""))
    world.submit(*[new(queue="paced", kind="report") for _ in range(2)], new(queue="paced", cost=2))
    for paced_jobs in (2, 1):
        given = world.lease(session)
        assert [one.queue for one in given].count("paced") == paced_jobs
        for one in given:
            world.settle(session, one)
        world.tick(30)
    world.ask(LimitStarts(subject="queue:lifted", limits=paced, reason=""))
    world.ask(LimitStarts(subject="queue:lifted", limits=FlowLimits(), reason=""))


def _waits(world: World, session: int) -> None:
    """Handlers that sleep, get signals, early, late and never, and one that is cancelled meanwhile."""
    asleep, signalled, late, unwanted, stays = world.submit(new(), new(), new(), new(), new())
    held = {one.id: one for one in world.lease(session)}
    sleep = Wait(name="wait:sleep", occurrence=1, what="sleep", seconds=3)
    go = Wait(name="wait:signal:go", occurrence=1, what="signal", key="go")
    world.signal(signalled, "go", b'"' + b"v" * 5_000 + b'"')
    world.signal(signalled, "never")
    world.park(session, held[asleep], sleep)
    world.park(session, held[signalled], go)
    world.park(
        session, held[late], Wait(name="wait:signal:go", occurrence=1, what="signal", key="go", seconds=2)
    )
    world.park(session, held[unwanted], go, sleep)
    world.park(session, held[stays], go)
    world.signal(stays, "other")
    world.ask(Cancel(id=unwanted, reason="nobody waits for it"))
    world.tick(5)
    for one in world.lease(session):
        world.settle(session, one)


def _children(world: World, session: int) -> None:
    """Handlers that wait for jobs which they have spawned: all of them end, or one does not."""
    done, stuck = world.submit(new(priority=0), new(priority=0))
    held = {one.id: one for one in world.lease(session)}
    for job, queues in ((done, ("default", "default")), (stuck, ("default", "slow"))):
        ids = world.spawn(held[job], *(new(queue=queue) for queue in queues))
        world.park(session, held[job], Wait(name="wait:jobs", occurrence=1, what="jobs", jobs=tuple(ids)))
    for _ in ("the children", "who has waited for them"):
        for one in world.lease(session):
            world.settle(session, one)


def _code(world: World, session: int) -> None:
    """Jobs whose code has changed: one goes on with other code, one by a person's word, one stays; and a version."""
    kinds = (KindDescription(name="ship", code="old"), KindDescription(name="ship", version=2, code="old"))
    old = world.worker(name="old-code", kinds=kinds)
    mended, asked, gone = world.submit(
        new(kind="ship"), new(kind="ship", version=2), new(kind="ship", queue="code")
    )
    held = {one.id: one for one in world.lease(old)}
    assert held[asked].version == 2
    for job in (mended, asked, gone):
        assert world.step(held[job], 1, b"1")
        assert world.block(held[job])
    world.ask(Cancel(id=gone, reason="not worth it"))
    world.ask(Unblock(id=asked, reason="it was the weather"))
    (held[asked],) = world.lease(old)
    assert world.block(held[asked])
    mixed = world.worker(name="new-code", kinds=(KindDescription(name="ship", code="new"),))
    world.ask(EndSession(session=old))
    (held[mended],) = world.lease(mixed)
    world.settle(mixed, held[mended])
    world.ask(EndSession(session=mixed))


def _dead_letters(world: World, session: int) -> None:
    """Failed jobs that are replayed, edited, discarded and left, one by one and in bulk."""
    jobs = world.submit(
        *[new(tags=("eu", "nightly")) for _ in range(7)], new(tags=("nightly",), queue="later")
    )
    for one in world.lease(session):
        world.settle(session, one, "failed", error="fatal")
    world.ask(Replay(id=jobs[0], reason="mended"))
    world.ask(Replay(id=jobs[1], edited=new(data=b'{"n":2}', priority=1, tags=("eu",))))
    world.ask(Discard(id=jobs[2], reason="not worth it"))
    world.ask(StartBulk(action="discard", filter=JobFilter(tag="nightly"), limit=1, reason="too many"))
    world.ask(StartBulk(action="replay", filter=JobFilter(tag="nightly", error_class="fatal"), limit=2))
    world.ask(StartBulk(action="retry", filter=JobFilter(tag="nightly", text="oops"), limit=1))
    world.ask(StartBulk(action="cancel", filter=JobFilter(tag="eu", state="queued"), reason="enough"))
    while world.decider.next_wake_us() == 0:
        world.tick()
    doomed = world.submit(new(queue="poison", priority=0))[0]
    for turn in range(world.limits.worker_losses_max):
        lost = world.worker(name=f"lost-{turn}")
        assert doomed in [one.id for one in world.lease(lost, 1)]
        world.ask(EndSession(session=lost))
    again = world.ask(Replay(id=doomed, poison=True, reason="on another machine"))
    world.ask(Cancel(id=again, reason="no other machine"))


def _schedules(world: World) -> None:
    """Firings that submit, skip, were missed, are put off and made up for; and a schedule in every state."""
    begun_us = world.clock.now_us()
    world.schedule("plain", every_seconds=10, overlap="skip", missed="all", missed_max=2)
    world.schedule("plain", replaces=True, every_seconds=10, overlap="skip", missed="all", missed_max=3)
    world.schedule(
        "large", every_seconds=20, overlap="cancel_previous", job=new(data=b'"' + b"s" * 5_000 + b'"')
    )
    for name in ("paused", "deleted"):
        world.schedule(name, cron="0 0 1 1 *", zone="Europe/Berlin")
    world.schedule("once", at_us=begun_us + 15 * SECOND_US)
    for _ in range(3):
        world.tick(20)
    world.tick(100)
    world.ask(PauseSchedule(name="paused", reason="not now"))
    world.ask(PauseSchedule(name="deleted", reason="for good"))
    world.ask(ResumeSchedule(name="deleted"))
    world.ask(DeleteSchedule(name="deleted", reason="nobody needs it"))
    world.ask(
        BackfillSchedule(
            name="large", from_us=begun_us + 50 * SECOND_US, until_us=world.clock.now_us(), dry_run=False
        )
    )
    world.ask(TriggerSchedule(name="paused", key="by-hand", reason="now"))
    most, world.decider.state.limits = world.decider.state.limits, Limits(queue_jobs_max=1)
    world.tick(20)
    world.decider.state.limits = most
    world.tick(20)


def _losses(world: World) -> None:
    """A worker goes with its jobs, then a whole engine."""
    lost = world.worker(name="gone")
    world.submit(new(), new())
    assert world.lease(lost, 2)
    world.ask(EndSession(session=lost))
    other = world.worker(name="crashed")
    assert world.lease(other, 2)
    world.ask(StartDraining(reason="maintenance"))
    with pytest.raises(Unavailable):
        world.submit(new())
    world.restart()
    world.stop()
    world.restart()


def _leaves_open(world: World) -> None:
    """A job in every open state."""
    session = world.worker(name="last", slots=1)
    world.submit(new(), new(delay_us=3_600 * SECOND_US, queue_timeout_us=SECOND_US))
    (held,) = world.lease(session, 1)
    world.submit(new(after=(held.id,), delay_us=SECOND_US), new(after=(held.id,), after_failure="run"))
    world.submit(new(priority=0))
    waiting = world.submit(new(priority=1))[0]
    world.signal(waiting, "early")
    assert world.step(held, 1, b"1")
    world.ask(Cancel(id=held.id, reason="last words"))
