"""A small model of the engine, written without it: what must become of jobs, by the letter of the design."""

from __future__ import annotations

from dataclasses import dataclass, field

TERMINAL = ("succeeded", "failed", "cancelled")
LOSSES_MAX = 3


@dataclass
class Job:
    """A job as the model knows it."""

    number: int
    id: str
    priority: int
    queue: str
    kind: str
    attempts_max: int
    state: str
    after_failure: str = "cancel"
    parents: list[int] = field(default_factory=list)
    waits_for: set[int] = field(default_factory=set)
    due: float = 0.0
    attempt: int = 1
    losses: int = 0
    holder: int | None = None
    deadline: float = 0.0
    cancel: bool = False
    run_timeout: float = 0.0


@dataclass
class Worker:
    """A worker on duty; `waiting` is how many slots its open lease call has, 0 for none."""

    session: int
    kinds: tuple[str, ...]
    waiting: int = 0


class Model:
    """What jobs, workers and queues are like, and how they change. Times are seconds since the start."""

    def __init__(self) -> None:
        self.now = 0.0
        self.jobs: dict[int, Job] = {}
        self.workers: dict[int, Worker] = {}
        self.paused: set[str] = set()
        self.given: dict[int, list[int]] = {}
        """What workers have been given since it was last asked, by session."""

    def held(self, session: int) -> list[Job]:
        """The jobs that a worker runs."""
        return [job for job in self.jobs.values() if job.holder == session and job.state == "running"]

    def add(self, job: Job, delay: float) -> None:
        """A job comes in."""
        self.jobs[job.number] = job
        job.due = self.now + delay
        ended = [self.jobs[parent] for parent in job.parents]
        if job.after_failure == "cancel" and any(one.state in ("failed", "cancelled") for one in ended):
            self._end(job, "cancelled")
            return
        job.waits_for = {one.number for one in ended if one.state not in TERMINAL}
        self._release(job)

    def _release(self, job: Job) -> None:
        if job.waits_for:
            job.state = "blocked"
        else:
            job.state = "scheduled" if job.due > self.now else "queued"

    def _end(self, job: Job, state: str) -> None:
        job.state, job.holder = state, None
        for child in self.jobs.values():
            if job.number in child.waits_for and child.state == "blocked":
                child.waits_for.discard(job.number)
                if state != "succeeded" and child.after_failure == "cancel":
                    self._end(child, "cancelled")
                else:
                    self._release(child)

    def settle(self, job: Job, outcome: str) -> None:
        """A report with the current fence."""
        if outcome == "succeeded":
            self._end(job, "succeeded")
        elif job.cancel:
            self._end(job, "cancelled")
        elif outcome == "released":
            job.state, job.holder = "queued", None
        else:
            self._failed(job, outcome)

    def _failed(self, job: Job, error_class: str, delay: float = 0.0) -> None:
        failures = job.attempt - job.losses
        if error_class in ("fatal", "bug") or failures >= job.attempts_max:
            self._end(job, "failed")
            return
        job.attempt += 1
        job.holder, job.due = None, self.now + (5.0 if error_class == "rate_limited" else delay)
        job.state = "scheduled" if job.due > self.now else "queued"

    def lose(self, session: int) -> None:
        """A worker goes; its jobs are decided in the order of their numbers."""
        del self.workers[session]
        for job in sorted(self.held(session), key=lambda one: one.number):
            if job.cancel:
                self._end(job, "cancelled")
                continue
            job.losses += 1
            if job.losses >= LOSSES_MAX:
                self._end(job, "failed")
            else:
                job.attempt += 1
                job.state, job.holder = "queued", None

    def cancel(self, job: Job, grace: float) -> str:
        """Somebody wants it no more."""
        if job.state in TERMINAL:
            return "refused"
        if job.state == "running":
            if not job.cancel:
                job.deadline = self.now + grace
            job.cancel = True
            return "requested"
        self._end(job, "cancelled")
        return "cancelled"

    def pass_time(self, seconds: float) -> None:
        """Time passes, and what is due happens."""
        self.now += seconds
        for job in list(self.jobs.values()):
            if job.state == "running" and job.deadline <= self.now:
                if job.cancel:
                    self._end(job, "cancelled")
                else:
                    self._failed(job, "timeout")
        for job in self.jobs.values():
            if job.state == "scheduled" and job.due <= self.now:
                job.state = "queued"

    def watch_anew(self, grace: float) -> None:
        """After a failed commit each attempt has its whole time limit again."""
        for job in self.jobs.values():
            if job.state == "running":
                job.deadline = self.now + (grace if job.cancel else job.run_timeout)

    def dispatch(self) -> None:
        """Workers that wait are served, the least busy first: urgent jobs first, then the oldest."""
        order = sorted(self.workers.values(), key=lambda worker: len(self.held(worker.session)))
        for worker in order:
            if not worker.waiting:
                continue
            usable = [
                job
                for job in self.jobs.values()
                if job.state == "queued" and job.kind in worker.kinds and job.queue not in self.paused
            ]
            usable.sort(key=lambda job: (job.priority, job.number))
            for job in usable[: worker.waiting]:
                job.state, job.holder, job.cancel = "running", worker.session, False
                job.deadline = self.now + job.run_timeout
                self.given.setdefault(worker.session, []).append(job.number)
            if usable:
                worker.waiting = 0
