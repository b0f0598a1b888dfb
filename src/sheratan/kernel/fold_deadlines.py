"""The fold of time limits: nothing ends before its time, starts after its deadline, or outlives who submitted it."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.journal import Entry
from sheratan.kernel.facts import OpenJob
from sheratan.kernel.fold_book import JobBook, decision_of

__all__ = ["DeadlineFold"]


class DeadlineFold(JobBook):
    """What the time limits of jobs make of their entries."""

    def has_deadline(self, entry: Entry, job: OpenJob) -> None:
        """A job comes in: its deadline is its own or that of the job which submits it, whichever is earlier."""
        data, parent = entry.data, self.by_subject.get(entry.data.get("by_job", ""))
        own_us = data.get("deadline_after_us", 0)
        bounds = [entry.at + own_us] if own_us else []
        if parent is not None and parent.deadline_us:
            bounds.append(parent.deadline_us)
        job.deadline_us = data.get("deadline_us", 0)
        if job.deadline_us != min(bounds, default=0):
            text = f"its deadline is to be {min(bounds, default=0)}; it says {job.deadline_us}"
            self.say(entry, "E19", text)

    def check_lease(self, entry: Entry, job: OpenJob, attempt: int, previous: int) -> None:
        """A worker gets a job: what it must fit; and it does so before the job's deadline."""
        super().check_lease(entry, job, attempt, previous)
        if 0 < job.deadline_us <= entry.at:
            self.say(
                entry, "E19", f"job {job.number} starts at {entry.at}, and its deadline was {job.deadline_us}"
            )

    def check_time(self, entry: Entry, job: OpenJob, decided: dict[str, Any]) -> None:
        """Nothing is taken away before its time is over, as the decision was told; of an attempt by monotonic time."""
        given = decided["input"]
        limit_us, elapsed_us = given["limit_us"], given["elapsed_us"]
        if given["what"] == "deadline":
            self._check_over(entry, job, limit_us - elapsed_us)
        elif given["what"] == "queue" and job.state != "queued":
            self.say(entry, "E8", f"its time in the queue is said to be over, and it is {job.state}")
        expected_us = job.run_timeout_us if given["what"] == "run" else limit_us
        if limit_us != expected_us or elapsed_us < limit_us:
            text = f"its limit is {expected_us}; the decision was told {elapsed_us} of {limit_us}"
            self.say(entry, "E8", text)

    def check_left(self, entry: Entry, job: OpenJob) -> None:
        """It is decided whether there is another attempt: the decision was told how long it is until the deadline."""
        decided = decision_of(entry)
        left_us = job.deadline_us - entry.at if job.deadline_us else None
        told_us = decided["input"].get("left_us")
        if told_us != left_us:
            self.say(entry, "E19", f"until its deadline it is {left_us}; the decision was told {told_us}")
        delay_us = decided["chosen"].get("delay_us", 0)
        if left_us is not None and entry.type != "job.failed" and delay_us >= left_us:
            self.say(entry, "E19", f"it is to start in {delay_us}, and its deadline is over in {left_us}")

    def _check_over(self, entry: Entry, job: OpenJob, left_us: int) -> None:
        if not job.deadline_us or left_us != job.deadline_us - entry.at or left_us > 0:
            text = f"its deadline is {job.deadline_us or None}; by the decision it is over in {left_us}"
            self.say(entry, "E19", text)
