"""The engine against a model of it: whatever happens, in whatever order, with crashes in between."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from sheratan.contracts.errors import AlreadyEnded, Unavailable
from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.jobs import JobError
from sheratan.contracts.worker import Assignment
from sheratan.engine.commands import EndSession, PauseQueue, ResumeQueue
from sheratan.engine.state import CANCEL_GRACE_US
from tests.engine.model import TERMINAL, Job, Model, Worker
from tests.engine.world import BIG, KINDS, SECOND, Answer, World

GRACE = CANCEL_GRACE_US / SECOND
QUEUES = ("default", "b")


class EngineMachine(RuleBasedStateMachine):
    """Random callers, workers, clocks and crashes."""

    jobs = Bundle("jobs")
    leases = Bundle("leases")
    old_leases = Bundle("old_leases")

    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.model = Model()
        self.waiting: dict[int, Answer] = {}
        self.keys: dict[str, tuple[str, Any]] = {}
        self.fences: dict[int, int] = {}
        self.ended: dict[int, tuple[Any, ...]] = {}
        self.leased: list[Assignment] = []

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.close()

    # -----------------------------------------------------------------------------------------------------------------

    @rule(
        target=jobs,
        priority=st.integers(0, 3),
        queue=st.sampled_from(QUEUES),
        kind=st.sampled_from(KINDS),
        delay=st.sampled_from([0, 0, 0, 3, 20]),
        attempts=st.integers(1, 3),
        timeout=st.sampled_from([15, 300]),
        after_failure=st.sampled_from(["cancel", "run"]),
        parents=st.lists(jobs, max_size=3, unique=True),
        big=st.booleans(),
    )
    def submit(
        self,
        priority: int,
        queue: str,
        kind: str,
        delay: int,
        attempts: int,
        timeout: int,
        after_failure: str,
        parents: list[str],
        big: bool,
    ) -> str:
        public_id = self.world.submit(
            kind,
            "x" * 3_000 if big else None,
            priority=priority,
            queue=queue,
            delay_seconds=delay,
            attempts_max=attempts,
            run_timeout_seconds=timeout,
            backoff_base_seconds=0.0,
            after=parents,
            after_failure=after_failure,
        )
        number = parse_job_id(public_id).number
        made = Job(number, public_id, priority, queue, kind, attempts, "new", after_failure)
        made.parents = [parse_job_id(parent).number for parent in parents]
        made.run_timeout = timeout
        self.model.add(made, delay)
        self.model.dispatch()
        return public_id

    @rule(key=st.sampled_from(["k1", "k2", "k3"]))
    def submit_under_a_key(self, key: str) -> None:
        [(public_id, existing)] = self.world.ask(self.world.submission(value=key, key=key, attempts_max=1))
        assert existing == (key in self.keys)
        if existing:
            assert public_id == self.keys[key][0]
        else:
            self.keys[key] = (public_id, None)
            number = parse_job_id(public_id).number
            made = Job(number, public_id, 5, "default", "work", 1, "new")
            made.run_timeout = 300
            self.model.add(made, 0)
        self.model.dispatch()

    @precondition(lambda self: len(self.model.workers) < 3)
    @rule(kinds=st.sampled_from([KINDS, ("work",)]))
    def register(self, kinds: tuple[str, ...]) -> None:
        session = self.world.register(kinds=kinds)
        self.model.workers[session] = Worker(session, kinds)
        self.model.dispatch()

    @precondition(lambda self: self.model.workers)
    @rule(data=st.data(), slots=st.integers(1, 4))
    def lease(self, data: st.DataObject, slots: int) -> None:
        session = data.draw(st.sampled_from(sorted(self.model.workers)))
        earlier = self.waiting.pop(session, None)
        if earlier is not None and not earlier.given:
            self.waiting[session] = self.world.ask_lease(session, slots)
            assert earlier.value == []
        else:
            self.waiting[session] = self.world.ask_lease(session, slots)
        self.model.workers[session].waiting = slots
        self.model.dispatch()

    @rule(target=leases)
    def take_what_was_given(self) -> Any:
        """Turn answers into leases that can be settled."""
        taken = list(self.leased)
        self.leased.clear()
        return multiple(*taken)

    @rule(
        target=old_leases,
        given=consumes(leases),
        outcome=st.sampled_from(
            ["succeeded", "released", "retryable", "fatal", "rate_limited", "bug", "timeout"]
        ),
        session=st.booleans(),
    )
    def settle(self, given: Assignment, outcome: str, session: bool) -> Assignment:
        job = self.model.jobs[given.number]
        current = job.state == "running" and self.fences[job.number] == given.fence
        holder = job.holder or 0
        counted = self._settle(given, outcome, holder if session else 0)
        assert counted == current
        if session and holder in self.model.workers and self.model.workers[holder].waiting:
            self.model.workers[holder].waiting += 1
            if outcome == "released":
                assert self.waiting.pop(holder).value == []
                self.model.workers[holder].waiting = 0
        if current:
            self.model.settle(job, outcome)
        self.model.dispatch()
        return given

    @rule(given=old_leases)
    def settle_again(self, given: Assignment) -> None:
        assert not self._settle(given, "succeeded", 0)
        self.model.dispatch()

    def _settle(self, given: Assignment, outcome: str, session: int) -> bool:
        if outcome in ("succeeded", "released"):
            return self.world.settle(given, outcome, session=session)  # type: ignore[arg-type]
        after = 5.0 if outcome == "rate_limited" else None
        error = JobError(error_class=outcome, type="E", message="m", retry_after_seconds=after)  # type: ignore[arg-type]
        return self.world.settle(given, "failed", error=error, session=session)

    @rule(public_id=jobs)
    def cancel(self, public_id: str) -> None:
        job = self.model.jobs[parse_job_id(public_id).number]
        expected = self.model.cancel(job, GRACE)
        if expected == "refused":
            with pytest.raises(AlreadyEnded):
                self.world.cancel(public_id)
        else:
            assert self.world.cancel(public_id) == expected
        self.model.dispatch()

    @rule(queue=st.sampled_from(QUEUES))
    def pause(self, queue: str) -> None:
        assert self.world.ask(PauseQueue(queue=queue, reason="")) == (queue not in self.model.paused)
        self.model.paused.add(queue)
        self.model.dispatch()

    @rule(queue=st.sampled_from(QUEUES))
    def resume(self, queue: str) -> None:
        assert self.world.ask(ResumeQueue(queue=queue)) == (queue in self.model.paused)
        self.model.paused.discard(queue)
        self.model.dispatch()

    @precondition(lambda self: self.model.workers)
    @rule(data=st.data())
    def lose_a_worker(self, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from(sorted(self.model.workers)))
        self.world.ask(EndSession(session=session))
        waited = self.waiting.pop(session, None)
        if waited is not None:
            assert waited.value == []
        self.model.lose(session)
        self.model.dispatch()

    @rule(seconds=st.sampled_from([1, 5, 10, 40, 400]))
    def wait(self, seconds: int) -> None:
        self.world.tick(seconds)
        self.model.pass_time(seconds)
        self.model.dispatch()

    @rule(seconds=st.sampled_from([-5_000, 5_000]))
    def set_the_clock(self, seconds: int) -> None:
        """Set the wall clock; timers are instants, so one set forward lets them ring."""
        if seconds < 0 or not any(job.state in ("scheduled", "blocked") for job in self.model.jobs.values()):
            self.world.clock.step(seconds * SECOND)
            self.world.tick()

    @rule(losing=st.booleans())
    def crash(self, losing: bool) -> None:
        self._catch_up()
        self.world.crash([self.world.submission(), self.world.submission(key="lost")] if losing else [])
        self._all_workers_gone()

    @rule()
    def stop_and_start(self) -> None:
        self._catch_up()
        self.world.restart()
        self._all_workers_gone()

    def _catch_up(self) -> None:
        """A new engine knows how late it is from the clock and the last entry alone: let the clock be right."""
        behind_us = self.world.decider._now() - self.world.clock.now_us()
        self.world.clock.step(max(0, behind_us))

    def _all_workers_gone(self) -> None:
        # A new engine decides about all that was left in the order of the jobs' numbers.
        for session in list(self.model.workers):
            self.model.workers[session].waiting = 0
        self.waiting.clear()
        running = sorted(
            (job for job in self.model.jobs.values() if job.state == "running"), key=lambda job: job.number
        )
        sessions = {job.holder for job in running}
        for session in sorted(sessions | set(self.model.workers), key=str):
            if session is not None:
                self.model.lose(session)
        self.leased.clear()

    @rule()
    def fill_the_disk(self) -> None:
        self.world.fill_disk()
        with pytest.raises(Unavailable):
            self.world.submit(value=BIG)
        self.world.free_disk()
        for session, answer in self.waiting.items():
            if not answer.given or self.model.workers[session].waiting:
                assert answer.value == []
            self.model.workers[session].waiting = 0
        self.model.watch_anew(GRACE)
        self.model.pass_time(0)

    # -----------------------------------------------------------------------------------------------------------------

    @invariant()
    def workers_were_given_what_the_model_says(self) -> None:
        if not hasattr(self, "world"):
            return
        for session, numbers in self.model.given.items():
            answer = self.waiting.pop(session)
            given: list[Assignment] = answer.value
            assert [one.number for one in given] == numbers
            for one in given:
                assert one.fence > self.fences.get(one.number, -1), "a fence did not rise"
                self.fences[one.number] = one.fence
                assert one.attempt == self.model.jobs[one.number].attempt
            self.leased += given
        self.model.given.clear()

    @invariant()
    def jobs_are_as_the_model_says(self) -> None:
        if not hasattr(self, "world"):
            return
        counts = {"ready": 0, "timer": 0, "lease": 0, "blocked": 0, "result": 0}
        places = {"queued": "ready", "scheduled": "timer", "running": "lease", "blocked": "blocked"}
        for job in self.model.jobs.values():
            assert self.world.state_of(job.id) == job.state, job
            counts[places.get(job.state, "result")] += 1
        assert self.world.store.counts() == counts

    @invariant()
    def what_has_ended_never_changes(self) -> None:
        if not hasattr(self, "world"):
            return
        for job in self.model.jobs.values():
            if job.state in TERMINAL:
                location = tuple(self.world.location(job.id))
                assert self.ended.setdefault(job.number, location) == location

    @invariant()
    def journal_rows_and_memory_agree(self) -> None:
        if hasattr(self, "world"):
            self.world.check()


TestEngineMachine = EngineMachine.TestCase
TestEngineMachine.settings = settings(stateful_step_count=40)
