"""The fold of entries about jobs. It knows entry types and their data, and nothing of the engine that wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sheratan.contracts.ids import format_job_id, parse_job_id
from sheratan.contracts.journal import Entry
from sheratan.kernel.facts import BudgetLeft, KeyFact, Mention, OpenJob
from sheratan.kernel.fold_book import ENDS, decision_of
from sheratan.kernel.fold_code import CodeFold
from sheratan.kernel.lifecycle import TERMINAL_STATES

__all__ = ["JobFold"]

_SALT_MASK: Final = (1 << 20) - 1
_ADMITTED: Final = {"queue": "queued", "schedule": "scheduled", "block": "blocked", "cancel": "cancelled"}
_AGAIN: Final = {"retry": "job.retried", "requeue": "job.requeued", "fail": "job.failed"}


class JobFold(CodeFold):
    """What each entry about a job does, and what it must fit."""

    def submitted(self, entry: Entry) -> None:
        """A job comes in."""
        data, decided = entry.data, decision_of(entry)
        number, subject = data["number"], entry.subject
        if self.outcomes.get(number):
            self.say(entry, "E2", f"job number {number} was given before")
            return
        salt = int(subject[-5:], 16) & _SALT_MASK
        shard = int(subject[17:20], 16)
        if format_job_id(entry.at // 1000, shard, number, salt) != subject:
            self.say(entry, "E2", f"{subject} is not the id of job number {number} of this instant")
        if entry.previous is not None:
            self.say(entry, "previous", "a new job's story has no earlier entry")
        if "key" in data:
            request = data.get("request")
            self.use_key(entry, data["key"], KeyFact(number, bytes.fromhex(request) if request else None))
        self._check_origin(entry)
        self.check_submitter(entry, number)
        self.check_firing(entry, number)
        if "workflow" in data:
            self.joins_run(entry, number)
        state, given = _ADMITTED[decided["chosen"]], decided["input"]
        missing, failed = self._wait_for(entry, number, data.get("after", ()))
        if given.get("waits_for", 0) != missing:
            self.say(
                entry, "E11", f"it waits for {missing} jobs, the decision says {given.get('waits_for', 0)}"
            )
        due_us = entry.at + given.get("delay_us", 0)
        job = OpenJob(
            number, subject, entry.tenant, data["queue"], data["kind"], data["priority"], data["options"][0],
            state, entry.seq, entry.at, due_us, due_us, missing, failed, data["options"][3],
            self._requester(entry),
        )  # fmt: skip
        job.cost, job.version, job.partition = data.get("cost", 1), data.get("version", 1), self.enrol(entry)
        job.budget = tuple(BudgetLeft(unit, amount) for unit, amount in data.get("budget", ()))
        self.has_deadline(entry, job)
        self.new.submitted.append(entry)
        self.outcomes.put(number, "open")
        self.open[number] = self.by_subject[subject] = job
        if state == "cancelled":
            job.attempt = 0
            self.leave(entry, job, state, None)

    def leased(self, entry: Entry) -> None:
        """A worker gets jobs: one entry for all of them, which names the last entry of each."""
        session = int(entry.subject.rpartition("/")[2])
        jobs: list[list[int]] = entry.data["jobs"]
        if [job[0] for job in jobs] != decision_of(entry)["chosen"]:
            self.say(entry, "E14", "the jobs that were given are not the jobs that were chosen")
        seq, at_us, find = entry.seq, entry.at, self.open.get
        for number, attempt, previous in jobs:
            job = find(number)
            if job is None:
                self.gone(entry, number)
                continue
            if (
                job.state == "queued" and job.missing == job.deadline_us == 0 and attempt == job.attempt
                and previous == job.entry and seq > job.fence
            ):  # fmt: skip
                job.state = "running"
            else:
                self.check_lease(entry, job, attempt, previous)
            job.fence, job.session, job.cancel_us = seq, session, 0
            job.since_us, job.entry = at_us, seq

    def changed(self, entry: Entry) -> None:
        """An entry in the story of one job that was submitted before."""
        job = self.by_subject.get(entry.subject)
        if job is None:
            self.gone(entry, parse_job_id(entry.subject).number)
            return
        self.follows(entry, job)
        _CHANGES[entry.type](self, entry, job)
        job.entry = entry.seq
        job.placed = None

    def fenced_off(self, entry: Entry) -> None:
        """A stale report: it must not have been the owner's."""
        number = parse_job_id(entry.data["job"]).number
        given = decision_of(entry)["input"]
        if not self.outcomes.get(number):
            self.gone(entry, number)
        job = self.open.get(number)
        current = job.fence if job is not None and job.state == "running" else None
        if given["fence_current"] != current or given["fence"] == current:
            self.say(entry, "E3", f"it refuses fence {given['fence']}; {current} is what holds job {number}")
        self.mentions.append(Mention(number, entry.seq))

    def _requester(self, entry: Entry) -> str:
        """On whose behalf a job comes in; one that a job submits comes in for whom that one did."""
        parent = self.by_subject.get(entry.data.get("by_job", ""))
        return entry.on_behalf_of if parent is None else parent.requester

    def _check_origin(self, entry: Entry) -> None:
        origin = entry.data.get("origin")
        if origin is not None and self.outcomes.get(parse_job_id(origin).number) not in TERMINAL_STATES:
            self.say(entry, "E2", f"it runs {origin} again, which had not ended")

    def _wait_for(self, entry: Entry, number: int, parents: Sequence[int]) -> tuple[int, int]:
        """Of the jobs it runs after, how many are open and how many ended without success."""
        missing = failed = 0
        for parent in parents:
            outcome = self.outcomes.get(parent)
            if outcome == "open":
                missing += 1
                self.followers.setdefault(parent, []).append(number)
            elif not outcome:
                self.say(entry, "E2", f"it runs after job number {parent}, which nobody submitted")
            elif outcome != "succeeded":
                failed += 1
        return missing, failed

    def _due(self, entry: Entry, job: OpenJob) -> None:
        due_us = entry.data["due_us"]
        if entry.at < due_us or due_us != job.due_us:
            self.say(entry, "E13", f"its time was {job.due_us}; it says {due_us} and came at {entry.at}")
        self.go(entry, job, "queued")
        self.check_attempt(entry, job, entry.data["attempt"])
        job.since_us = due_us

    def _unblocked(self, entry: Entry, job: OpenJob) -> None:
        if job.is_code_changed:
            self.unblocked(entry, job)
            return
        if job.missing:
            self.say(entry, "E11", f"{job.missing} jobs that it runs after are open")
        self.go(entry, job, "scheduled" if decision_of(entry)["chosen"] == "schedule" else "queued")
        job.since_us = entry.at

    def _ended(self, entry: Entry, job: OpenJob) -> None:
        running = job.state == "running"
        decided = decision_of(entry)
        rule: str = decided["rule"]
        if running:
            self.check_attempt(entry, job, entry.data["attempt"])
        if rule.startswith("retry."):
            self._count_failure(entry, job, decided)
        elif rule.startswith("job.settle@"):
            self.check_fence(entry, job, decided)
        elif "error" in entry.data:
            # It waited for too long, or a budget is used; how it ended is kept like a failure.
            if not rule.startswith(("job.budget@", "workflow.budget@")):
                self.check_time(entry, job, decided)
            self.keep_failure(entry, job)
        state, has_run = ENDS[entry.type], job.state in ("running", "waiting")
        self.go(entry, job, state)
        if not has_run:
            # The attempt that it waited for never ran.
            job.attempt -= 1
        self.leave(entry, job, state, entry.data["output"] if state == "succeeded" else None)

    def _retried(self, entry: Entry, job: OpenJob) -> None:
        decided = decision_of(entry)
        self.check_attempt(entry, job, entry.data["attempt"])
        self._count_failure(entry, job, decided)
        if job.failures >= job.attempts_max:
            text = f"{job.failures} attempts have failed of {job.attempts_max}, and it is tried again"
            self.say(entry, "E10", text)
        self.go(entry, job, "scheduled")
        job.attempt += 1
        job.retrying, job.due_us, job.since_us = True, entry.at + decided["chosen"]["delay_us"], entry.at

    def _requeued(self, entry: Entry, job: OpenJob) -> None:
        decided = decision_of(entry)
        self.check_attempt(entry, job, entry.data["attempt"])
        if "error" in entry.data:
            self._count_failure(entry, job, decided)
            if job.losses >= self.losses_max:
                self.say(
                    entry,
                    "E10",
                    f"{job.losses} workers were lost of {self.losses_max}, and it is tried again",
                )
            job.attempt += 1
        else:
            self.check_fence(entry, job, decided)
        self.go(entry, job, "queued")
        job.since_us = entry.at

    def _asked_to_stop(self, entry: Entry, job: OpenJob) -> None:
        self._stays_running(entry, job)
        job.cancel_us = job.cancel_us or entry.at

    def _timed_out(self, entry: Entry, job: OpenJob) -> None:
        self._stays_running(entry, job)
        self.check_attempt(entry, job, entry.data["attempt"])
        self.check_time(entry, job, decision_of(entry))

    def _stays_running(self, entry: Entry, job: OpenJob) -> None:
        if job.state != "running":
            self.say(entry, "E4", f"{entry.type} is for a job that runs; job {job.number} is {job.state}")

    def _count_failure(self, entry: Entry, job: OpenJob, decided: dict[str, Any]) -> None:
        """An attempt failed: count it here, and compare with what the decision was told."""
        error, given = entry.data["error"], decided["input"]
        if error["class"] == "lost_lease":
            job.losses += 1
        else:
            job.failures += 1
        told = (given["failures"], given["losses"], given["attempts_max"], given["losses_max"])
        counted = (job.failures, job.losses, job.attempts_max, self.losses_max)
        if told != counted or given["error_class"] != error["class"]:
            text = "failures, losses and their limits are {}, {}, {} and {}; the decision was told {}, {}, {} and {}"
            self.say(entry, "E10", text.format(*counted, *told))
        if _AGAIN.get(decided["chosen"]["action"]) != entry.type:
            self.say(entry, "E14", f"{decided['chosen']['action']} was chosen, and {entry.type} was done")
        self.check_left(entry, job)
        self.keep_failure(entry, job)


_CHANGES: Final = {
    "job.due": JobFold._due,
    "job.unblocked": JobFold._unblocked,
    "job.succeeded": JobFold._ended,
    "job.failed": JobFold._ended,
    "job.cancelled": JobFold._ended,
    "job.retried": JobFold._retried,
    "job.requeued": JobFold._requeued,
    "job.cancel_requested": JobFold._asked_to_stop,
    "job.timed_out": JobFold._timed_out,
    "job.waiting": JobFold.parked,
    "job.blocked": JobFold.blocked,
    "job.woken": JobFold.woken,
}
