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
        if _could_work(model, worker, now_us):
            return f"worker {worker.session} waits although a job is ready that it may start"
    for number in model.running:
        if model.jobs[number].deadline_us + _LATE_US < now_us:
            return f"the attempt of job {number} should have been ended"
    if model.open_bulks and not model.draining:
        return "a bulk operation does not go on"
    return None


def _could_work(model: Model, worker: ModelWorker, now_us: int) -> bool:
    waiting: Any = worker.waiting
    if waiting is None or waiting.is_abandoned or model.draining:
        return False
    if len(model.running) >= model.limits.running_jobs_max:
        return False
    # What a rate holds up may start by the engine's clock, which goes on at least as time does.
    late_us = model.at_us + now_us - model.monotonic_us - _LATE_US
    return model.late(worker, late_us) is not None
