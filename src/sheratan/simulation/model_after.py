"""The part of the model that knows jobs which run after others."""

from __future__ import annotations

from typing import Any

from sheratan.simulation.model_deadlines import ModelDeadlines
from sheratan.simulation.model_state import TERMINAL, ModelJob

__all__ = ["ModelAfter"]


class ModelAfter(ModelDeadlines):
    """Who waits for the ends of others, and what becomes of them then."""

    known: int
    moved: set[int]

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.is_ringing = False
        self._ended: list[ModelJob] = []
        """Jobs that ended while time brought something: who runs after them moves on when all of that is done."""

    def _release(self, job: ModelJob, *, delayed: bool) -> None:
        raise NotImplementedError

    def add_parents(self, job: ModelJob) -> None:
        """A new job runs after others."""
        parents = [self.by_id[text] for text in job.wanted.after]
        job.parents = [parent.number for parent in parents]
        for parent in parents:
            if parent.state not in TERMINAL:
                job.missing.add(parent.number)
                parent.children.append(job.number)
            elif parent.state != "succeeded":
                self.hit("after.failed_at_submit")
                job.failed_parents += 1

    def has_ended(self, job: ModelJob) -> None:
        """A job has ended."""
        self._ended.append(job)
        if not self.is_ringing:
            self.free_children()

    def free_children(self) -> None:
        """Who was to run after the jobs that have ended moves on."""
        while self._ended:
            self._free_children(self._ended.pop(0))

    def _free_children(self, job: ModelJob) -> None:
        state = job.state
        for number in sorted(job.children):
            child = self.jobs[number]
            if child.state != "blocked" or job.number not in child.missing:
                continue
            if number > self.known:
                self.hit("after.at_once")
            child.missing.discard(job.number)
            child.failed_parents += state != "succeeded"
            self.moved.add(number)
            if state != "succeeded" and child.wanted.after_failure == "cancel":
                self.hit("after.cancelled")
                self._end(child, "cancelled", 0)
            elif not child.missing:
                self.hit("after.released")
                self._release(child, delayed=child.due_us > self.at_us)
