"""What the auditor reads out of a batch before it predicts what that batch must hold."""

from __future__ import annotations

from sheratan.contracts.jobs import JobError
from sheratan.engine.commands import Cancel, Pending
from sheratan.simulation.batches import seeds_of
from tests.engine.world import PERSON, Answer, World


def test_a_job_that_is_retried_and_cancelled_in_one_batch_is_understood() -> None:
    made = World()
    job = made.submit(attempts_max=2)
    [given] = made.lease(made.register())
    error = JobError(error_class="retryable", type="Boom", message="it went wrong")
    failed, cancelled = made.settlement(given, "failed", error=error), Cancel(id=job, reason="")
    batch = made.decider.decide([Pending(command, PERSON, Answer()) for command in (failed, cancelled)])
    assert [entry.type for entry in batch.unit.entries] == ["job.retried", "job.cancelled"]
    decided = batch.unit.entries[0].decision
    assert decided is not None
    assert seeds_of(batch) == {given.number: decided["input"]["seed"]}
    made.close()
