"""The part of the model that knows how long jobs may wait, and when they fail whatever they do."""

from __future__ import annotations

from typing import Any

from sheratan.engine.commands import NewJob
from sheratan.simulation.model_admission import ModelAdmission
from sheratan.simulation.model_state import TERMINAL, ModelJob

__all__ = ["ModelDeadlines"]

_NEVER_US = 1 << 62


class ModelDeadlines(ModelAdmission):
    """Limits on waiting, and deadlines."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.alarms: set[tuple[int, int]] = set()
        self.overdue: set[int] = set()
        """Jobs that went somewhere after their deadline, in the batch in the making."""

    def _end(self, job: ModelJob, state: str, attempt: int) -> None:
        raise NotImplementedError

    def fails_us(self, new: NewJob, by_job: int | None) -> int:
        """When a new job fails at the latest: by its own deadline, or by that of the job that submits it."""
        own_us = self.at_us + new.deadline_after_us if new.deadline_after_us else _NEVER_US
        inherited_us = (self.jobs[by_job].fails_us if by_job is not None else 0) or _NEVER_US
        if inherited_us < own_us:
            self.hit("deadline.inherited")
        earlier_us = min(own_us, inherited_us)
        return 0 if earlier_us == _NEVER_US else earlier_us

    def limit(self, job: ModelJob) -> None:
        """A new job has its deadline to keep."""
        if job.fails_us > self.at_us:
            self.alarms.add((job.fails_us, job.number))

    def limit_wait(self, job: ModelJob) -> None:
        """A job waits in its queue for so long at most, unless its deadline comes first."""
        due_us = job.since_us + job.wanted.queue_timeout_us
        if job.wanted.queue_timeout_us and not job.has_failed_by(due_us):
            self.alarms.add((due_us, job.number))

    def exceed(self, job: ModelJob) -> None:
        """A job whose deadline is over fails, wherever it waits; of one that runs the attempt is ended."""
        if job.state not in ("running", *TERMINAL):
            self.hit(f"deadline.{job.state}")
            job.error_class = "timeout"
            self._end(job, "failed", job.attempt - (job.state != "waiting"))
