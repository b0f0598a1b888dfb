"""The part of the model that knows how many jobs a queue takes, by how much they matter."""

from __future__ import annotations

from typing import Final

from sheratan.engine.commands import NewJob
from sheratan.simulation.model_flow import ModelFlow

__all__ = ["ModelAdmission"]

_FIFTHS: Final = {"sheddable": 3, "deferrable": 4, "normal": 5, "critical": 6}
"""Of the bound, as it is said to users."""


class ModelAdmission(ModelFlow):
    """The places of queues."""

    def _has_places(self, new: NewJob, count: int) -> bool:
        """Whether so many such jobs more may be ready in their queue."""
        bound, depth = self.limits.queue_jobs_max, self._depth(new.queue) + count
        has_places = depth <= bound % 5 + _FIFTHS[new.criticality] * (bound // 5)
        if has_places and depth > bound:
            self.hit("submit.from_reserve")
        elif not has_places and depth <= bound:
            self.hit("submit.leaves_reserve")
        return has_places

    def _depth(self, queue: str) -> int:
        return sum(self.jobs[number].wanted.queue == queue for number in self.ready)
