"""The part of the model that knows gates: which submissions make jobs, and whose place a job takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sheratan.contracts.jobs import Receipt
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import NewJob, Pending, SubmitGated
from sheratan.simulation.model_jobs import Refused, copied
from sheratan.simulation.model_run_retention import ModelRunRetention
from sheratan.simulation.model_state import ModelJob

__all__ = ["ModelGates"]

GateKey = tuple[str, str, str]
"""A kind, `debounce` or `throttle`, and the digest of a key."""


class ModelGate(NamedTuple):
    """The newest job under a key, when the first one came, until when that matters, and how many came."""

    number: int
    since_us: int
    until_us: int
    jobs: int


class ModelGates(ModelRunRetention):
    """Jobs that come in through gates, and those that do not."""

    def __init__(self, limits: Limits, hit: Callable[[str], None], *, short_windows: bool) -> None:
        super().__init__(limits, hit, short_windows=short_windows)
        self.gates: dict[GateKey, ModelGate] = {}

    def gates_at(self, at_us: int) -> dict[GateKey, tuple[int, int, int, int]]:
        """What matters after an instant."""
        return {key: tuple(one) for key, one in self.gates.items() if one.until_us > at_us}

    def _SubmitGated(self, pending: Pending, command: SubmitGated) -> Receipt:  # noqa: N802 - the command's name
        new, gate = command.job, command.gate
        self._submitting(command)
        self._check_lanes((new,))
        key = (new.kind, gate.what, gate.key)
        known = self.gates.get(key)
        if known is not None and known.until_us <= self.at_us:
            known = None
        given = self._actual_value(pending)
        public_id = given.id if isinstance(given, Receipt) else ""
        submit = self._debounced if gate.what == "debounce" else self._throttled
        return submit(command, key, known, public_id)

    def _debounced(
        self, command: SubmitGated, key: GateKey, known: ModelGate | None, public_id: str
    ) -> Receipt:
        gate, at_us = command.gate, self.at_us
        waiting = None if known is None else self.jobs[known.number]
        if known is None or waiting is None or waiting.state != "scheduled":
            if waiting is not None:
                self.hit("gate.cancelled")
            job = self._made(command, public_id, gate.period_us)
            self.gates[key] = ModelGate(job.number, at_us, at_us + gate.period_us, 1)
            return Receipt(id=job.id)
        delay_us = gate.period_us
        if gate.longest_us and at_us + delay_us > known.since_us + gate.longest_us:
            self.hit("gate.longest")
            delay_us = max(0, known.since_us + gate.longest_us - at_us)
        job = self._made(command, public_id, delay_us)
        self.gates[key] = ModelGate(job.number, known.since_us, at_us + delay_us, known.jobs + 1)
        self.hit("gate.superseded")
        self._end(waiting, "cancelled", 0)
        return Receipt(id=job.id, supersedes=waiting.id)

    def _throttled(
        self, command: SubmitGated, key: GateKey, known: ModelGate | None, public_id: str
    ) -> Receipt:
        gate = command.gate
        if known is None:
            known = ModelGate(0, self.at_us, self.at_us + gate.period_us, 0)
        elif known.jobs >= gate.jobs:
            self.hit("gate.dropped")
            self.noted["job.throttled"] += 1
            return Receipt(id=self.jobs[known.number].id, throttled=True)
        else:
            self.hit("gate.taken")
        job = self._made(command, public_id, command.job.delay_us)
        self.gates[key] = known._replace(number=job.number, jobs=known.jobs + 1)
        return Receipt(id=job.id)

    def _made(self, command: SubmitGated, public_id: str, delay_us: int) -> ModelJob:
        new: NewJob = copied(command.job, delay_us=delay_us)
        self.check_budget(new)
        self._check_admission(new, 0)
        if command.by_job is not None:
            self._count_fan_out(self.jobs[command.by_job], 1)
        if not public_id:
            raise Refused("a new job's id")
        return self._add(new, public_id, command.by_job, None)
