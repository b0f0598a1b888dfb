"""What is late: work that could be done now, and limits that are over, while nobody is at work."""

from __future__ import annotations

from typing import Any, Final

from sheratan.simulation.clock import SimulatedClock
from sheratan.simulation.model import Model
from sheratan.simulation.model_state import SILENCE_US, ModelWorker

__all__ = ["Lookout"]

_LATE_US: Final = 1_000_000
_LOOK_US: Final = 60_000_000
"""How soon an engine that rests sees that the wall clock was set forward."""
_AGAIN_US: Final = 100_000


class Lookout:
    """Looks for what is late while the engine rests: after each batch, and then as time goes on.

    Many instants pass between two batches, most of them within a millisecond, and only time can make late what no
    batch has changed.
    """

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self._batches = self._looked_us = -1

    def find_late(self, model: Model, batches: int) -> str | None:
        """What is late at an instant at which the engine rests after so many batches, in a sentence."""
        now_us = self._clock.monotonic_us()
        if batches == self._batches and now_us < self._looked_us + _AGAIN_US:
            return None
        self._batches, self._looked_us = batches, now_us
        return _find_late(model, self._clock)


def _find_late(model: Model, clock: SimulatedClock) -> str | None:
    if model.is_halted:
        return None
    now_us = clock.monotonic_us()
    late = _late_schedule(model, clock.now_us()) if clock.set_at_us + _LOOK_US + _LATE_US < now_us else None
    # An engine that rests does not see that the clock was set, perhaps right after a batch; the next one sees to it.
    if late is None and clock.set_at_us < model.monotonic_us:
        late = model.book.late(clock.now_us() - _LOOK_US)
    return late or _late_work(model, now_us) or model.find_unpruned(clock.now_us(), now_us)


def _late_schedule(model: Model, wall_us: int) -> str | None:
    if not model.starts_jobs:
        return None
    for name, schedule in model.schedules.items():
        due_us = schedule.due_us
        if due_us is not None and due_us + _LOOK_US + _LATE_US < wall_us:
            return f"schedule {name} was due at {due_us}, and has not fired at {wall_us}"
    return None


def _late_work(model: Model, now_us: int) -> str | None:
    for worker in model.workers.values():
        if worker.heard_us + SILENCE_US + _LATE_US < now_us:
            return f"worker {worker.session} has been silent for too long, and is still on duty"
        if _could_work(model, worker, now_us):
            return f"worker {worker.session} waits although a job is ready that it may start"
    for number in model.running:
        if model.jobs[number].deadline_us + _LATE_US < now_us:
            return f"the attempt of job {number} should have been ended"
    for number in model.changed:
        if model.may_go_on(model.jobs[number]):
            return f"job {number} is still blocked although only other code is on duty"
    if model.open_bulks and model.keeps_up:
        return "a bulk operation does not go on"
    return None


def _could_work(model: Model, worker: ModelWorker, now_us: int) -> bool:
    waiting: Any = worker.waiting
    if waiting is None or waiting.is_abandoned or not model.starts_jobs:
        return False
    if len(model.running) >= model.limits.running_jobs_max:
        return False
    # What a rate holds up may start by the engine's clock, which goes on at least as time does.
    late_us = model.at_us + now_us - model.monotonic_us - _LATE_US
    # Who starts in the last batch was predicted. Before it a job may have been free to start that must now wait behind
    # a more urgent one, whose partition has become free since and which costs more than a rate has left.
    return late_us >= model.at_us and model.late(worker, late_us) is not None
