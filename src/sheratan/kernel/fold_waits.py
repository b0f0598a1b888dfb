"""The fold of entries about handlers that wait, and about the signals that they wait for."""

from __future__ import annotations

from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.journal import Entry
from sheratan.kernel.facts import Mention, OpenJob, SignalFact, WaitFact
from sheratan.kernel.fold_approvals import ApprovalFold
from sheratan.kernel.fold_book import decision_of

__all__ = ["WaitFold"]


class WaitFold(ApprovalFold):
    """What each entry about a wait or a signal does, and what it must fit."""

    def signalled(self, entry: Entry) -> None:
        """A job got a signal, beside its story."""
        job, number = self.by_subject.get(entry.subject), parse_job_id(entry.subject).number
        if job is None:
            self.gone(entry, number)
            return
        job.signals += (SignalFact(number, entry.seq, entry.data["name"], entry.data["value"]),)
        self.mentions.append(Mention(number, entry.seq))

    def parked(self, entry: Entry, job: OpenJob) -> None:
        """A handler has given its slot back and waits."""
        data = entry.data
        self.check_fence(entry, job, decision_of(entry))
        self.check_attempt(entry, job, data["attempt"])
        for one in data["begun"]:
            wait = WaitFact(job.number, entry.seq, **one)
            job.waits += (wait,)
            self._await_jobs(entry, wait)
            if wait.what == "approval":
                self._check_asked(entry, job, wait)
        if data["due_us"] not in {wait.due_us for wait in job.waits}:
            self.say(entry, "E13", f"nothing that it waits for is due at {data['due_us']}")
        self.go(entry, job, "waiting")
        job.due_us, job.since_us = data["due_us"], entry.at

    def _check_asked(self, entry: Entry, job: OpenJob, wait: WaitFact) -> None:
        asked = self.approvals.get(int(wait.key.rpartition(":")[2]))
        if asked is None or (asked.number, *asked.key, asked.due_us) != (
            job.number, wait.name, wait.occurrence, wait.due_us,
        ):  # fmt: skip
            self.say(entry, "A1", f"{wait.name} waits for {wait.key}, which was asked for otherwise")

    def _await_jobs(self, entry: Entry, wait: WaitFact) -> None:
        if wait.what != "jobs":
            return
        left = self.awaited[wait[:3]] = set()
        for number in wait.jobs:
            outcome = self.outcomes.get(number)
            if outcome == "open":
                left.add(number)
                self.followers.setdefault(number, []).append(wait[:3])
            elif not outcome:
                self.say(entry, "E2", f"{wait.name} waits for job number {number}, which nobody submitted")

    def woken(self, entry: Entry, job: OpenJob) -> None:
        """What a handler waited for has come, and its job goes back to its queue."""
        self.check_attempt(entry, job, entry.data["attempt"])
        if entry.data["steps"] != job.steps:
            self.say(entry, "E6", f"it has {job.steps} steps, and is woken with {entry.data['steps']}")
        self.go(entry, job, "queued")
        job.since_us = entry.at

    def wait_is_over(self, entry: Entry, job: OpenJob, wait: WaitFact) -> None:
        """Its time has come, or a signal that was sent to the job and that it has not received."""
        if job.state != "waiting":
            self.say(entry, "E3", f"a wait of job {job.number} is over while it is {job.state}")
        left = self.awaited.pop(wait[:3], None)
        if wait.what == "jobs" and entry.type == "step.succeeded":
            if left:
                self.say(
                    entry, "E11", f"{wait.name} is over while {len(left)} jobs that it waits for are open"
                )
        elif wait.what == "approval":
            self.check_given(entry, job, wait)
        elif entry.cause is not None:
            self._receive(entry, job, wait)
        elif wait.due_us > entry.at:
            self.say(entry, "E13", f"{wait.name} is over at {entry.at}, and was due at {wait.due_us}")
        job.waits = tuple(one for one in job.waits if one is not wait)

    def _receive(self, entry: Entry, job: OpenJob, wait: WaitFact) -> None:
        sent = next((one for one in job.signals if one.entry == entry.cause), None)
        if sent is None or (sent.name, sent.digest) != (wait.key, entry.data.get("output")):
            self.say(entry, "E6", f"it gives what entry {entry.cause} has not sent to {wait.name}")
            return
        job.signals = tuple(one for one in job.signals if one is not sent)
