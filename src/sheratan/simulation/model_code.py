"""The part of the model that knows jobs whose code has changed under them, and what code workers have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sheratan.contracts.code import versioned
from sheratan.engine.commands import Pending, Unblock
from sheratan.simulation.model_approvals import ModelApprovals
from sheratan.simulation.model_state import TERMINAL, ModelJob, ModelWorker
from sheratan.simulation.model_waits import Refused

__all__ = ["ModelCode", "offered_as"]


class ModelCode(ModelApprovals):
    """Which jobs are blocked by which code, and when they may go on."""

    workers: dict[int, ModelWorker]

    def __init__(self) -> None:
        super().__init__()
        self.changed: set[int] = set()
        """Jobs that are blocked because their code has changed."""
        self._looks: set[str] = set()
        """Versions of kinds whose workers have changed, so that their blocked jobs are to be looked at."""

    def block(self, job: ModelJob) -> None:
        """An attempt has found other code than that which recorded the job's steps; it does not count."""
        self.hit("code.blocked")
        code = self.workers[job.worker].offers[offered_as(job)]
        job.blocked_by.add(code)
        job.since_us = self.at_us
        self._move(job, "blocked")
        self.changed.add(job.number)

    def _Unblock(self, pending: Pending, command: Unblock) -> Any:  # noqa: N802 - the command's name
        job = self._job(command.id)
        if job.number not in self.changed:
            raise Refused("conflict")
        self.hit("code.unblocked")
        self._go_on(job)
        entry = self._actual_value(pending)
        if not isinstance(entry, int):
            raise Refused("the number of an entry")
        return entry

    def _go_on(self, job: ModelJob) -> None:
        self.changed.discard(job.number)
        job.since_us = self.at_us
        self._move(job, "queued")

    def look_again(self, offers: Iterable[str]) -> None:
        """Workers that offer these have come or gone."""
        if any(job.blocked_by for job in self.jobs.values() if job.state not in TERMINAL):
            self._looks.update(offers)

    def forget_code_looks(self) -> None:
        """An engine that has lost its memory looks at everything that its workers offer."""
        self._looks.clear()
        for worker in self.workers.values():
            self.look_again(worker.offers)

    def due_looks(self) -> list[int]:
        """The jobs that are to be looked at in this batch: those that were blocked before it."""
        looks, self._looks = self._looks, set()
        return [number for number in sorted(self.changed) if offered_as(self.jobs[number]) in looks]

    def look_at(self, numbers: Iterable[int], moved: set[int]) -> None:
        """Let jobs go on that may, unless something else has become of them in this batch."""
        for number in [number for number in numbers if number not in moved]:
            if self.may_go_on(self.jobs[number]):
                self.hit("code.goes_on")
                self._go_on(self.jobs[number])
            else:
                self.hit("code.kept")

    def may_go_on(self, job: ModelJob) -> bool:
        """Whether there is other code on duty for it, and none that has blocked it."""
        kind = offered_as(job)
        on_duty = {worker.offers[kind] for worker in self.workers.values() if kind in worker.offers}
        return bool(on_duty) and on_duty.isdisjoint(job.blocked_by)


def offered_as(job: ModelJob) -> str:
    """What a worker must offer to get a job."""
    return versioned(job.wanted.kind, job.wanted.version)
