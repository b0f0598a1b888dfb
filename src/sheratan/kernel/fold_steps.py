"""The fold of entries about the steps of jobs."""

from __future__ import annotations

from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.journal import Entry
from sheratan.kernel.facts import StepFact
from sheratan.kernel.fold_waits import WaitFold

__all__ = ["StepFold"]


class StepFold(WaitFold):
    """What each entry about a step does, and what it must fit."""

    def stepped(self, entry: Entry) -> None:
        """A step of a running attempt was recorded."""
        job, data = self.by_subject.get(entry.subject), entry.data
        if job is None:
            self.gone(entry, parse_job_id(entry.subject).number)
            return
        self.follows(entry, job)
        key = (data["name"], data.get("occurrence", 1))
        wait = next((one for one in job.waits if (one.name, one.occurrence) == key), None)
        if wait is not None:
            self.wait_is_over(entry, job, wait)
        elif job.state != "running":
            self.say(entry, "E3", f"a step was recorded while job {job.number} is {job.state}")
        if data["step"] != job.steps + 1:
            self.say(entry, "E6", f"step {data['step']} was recorded after step {job.steps}")
        failed = entry.type == "step.failed"
        kept = data["error"]["digest"] if failed else data["output"]
        occurrence = data.get("occurrence", 1)
        self.new.steps.append(
            StepFact(job.number, data["step"], data["name"], occurrence, int(failed), kept, entry.seq)
        )
        if job.state == "running":
            job.placed = job.placed or (job.entry, job.steps)
        job.steps, job.entry = data["step"], entry.seq
