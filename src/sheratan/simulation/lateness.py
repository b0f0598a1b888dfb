"""What is late: work that could be done now, and limits that are over, while nobody is at work."""

from __future__ import annotations

from typing import Any, Final

from sheratan.simulation.model import Model
from sheratan.simulation.model_state import SILENCE_US, ModelWorker

__all__ = ["find_late"]

_LATE_US: Final = 1_000_000


def find_late(model: Model, now_us: int) -> str | None:
    """What is late at an instant at which the engine rests, in a sentence."""
    for worker in model.workers.values():
        if worker.heard_us + SILENCE_US + _LATE_US < now_us:
            return f"worker {worker.session} has been silent for too long, and is still on duty"
        if _could_work(model, worker):
            return f"worker {worker.session} waits although job {model.usable(worker)[0].number} is ready"
    for number in model.running:
        if model.jobs[number].deadline_us + _LATE_US < now_us:
            return f"the attempt of job {number} should have been ended"
    return None


def _could_work(model: Model, worker: ModelWorker) -> bool:
    waiting: Any = worker.waiting
    if waiting is None or waiting.is_abandoned or model.draining:
        return False
    return len(model.running) < model.limits.running_jobs_max and bool(model.usable(worker))
